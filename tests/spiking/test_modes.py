"""Solutions of linear equations against the matrix exponential with 60 digits."""

import mpmath as mp
import numpy as np
import pytest

from bionet.spiking.modes import solve

MS = 1e-3


def cell(tau_m, *taus):
    """A membrane with exponential currents and a constant drive, as z' = A z."""
    n = len(taus)
    matrix = np.zeros((n + 2, n + 2))
    matrix[0, : n + 1] = [-1 / tau_m, *[1 / tau_m] * n]
    matrix[0, -1] = 1.0
    for k, tau in enumerate(taus):
        matrix[k + 1, k + 1] = -1 / tau
    return matrix


SYSTEMS = {
    "CUBA": cell(20 * MS, 5 * MS, 10 * MS),
    "equal time constants": cell(20 * MS, 20 * MS),
    "nearly equal ones": cell(20 * MS, 20 * MS * (1 + 1e-9)),
    "at the border of a cluster": cell(20 * MS, 20 * MS * (1 + 1.9e-3), 20 * MS * (1 - 1.9e-3)),
    "beyond it": cell(20 * MS, 20 * MS * (1 + 2.1e-3)),
    "four time constants": cell(20 * MS, 2 * MS, 5 * MS, 100 * MS),
    "alpha function": np.array([[-50.0, 50, 0, 1], [0, -200, 200, 0], [0, 0, -200, 0], [0, 0, 0, 0]]),
    "alpha function as slow as the membrane": np.array([[-50.0, 50, 0, 1], [0, -50, 50, 0], [0, 0, -50, 0], [0] * 4]),
    "perfect integrator": np.array([[0.0, 1, 1], [0, -100, 0], [0, 0, 0]]),
    "adaptation": np.array([[-50.0, -50, 1], [5, -10, 0], [0, 0, 0]]),
    "resonator": np.array([[-50.0, -50, 1], [60, -10, 0], [0, 0, 0]]),
    "driven resonator": np.array([[-50.0, -50, 0, 1], [200, -50, 100, 0], [0, 0, -100, 0], [0, 0, 0, 0]]),
}


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("h", [1e-6, 1e-4, 3e-3, 0.02, 0.3])
def test_the_solution_is_the_matrix_exponential(name, h):
    matrix = SYSTEMS[name]
    modes = solve(matrix)
    with mp.workdps(60):
        exact = np.array(mp.expm(mp.matrix(matrix.tolist()) * mp.mpf(h)).tolist(), dtype=object).astype(float)
    exact = exact.reshape(matrix.shape)
    got = sum(float(term(h)) * c for term, c in zip(modes.terms, modes.coefficients, strict=True))
    # The terms cancel where the result is small, and the more so the nearer two constants outside a cluster are.
    size = sum(abs(float(term(h))) * abs(c) for term, c in zip(modes.terms, modes.coefficients, strict=True))
    np.testing.assert_array_less(abs(got - exact), 1e-14 * size + 1e-300)
    assert np.max(size) < 1e4 * max(np.max(abs(exact)), 1.0)
