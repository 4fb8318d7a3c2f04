"""First crossings against all roots with 60 digits, near tangency above all."""

import mpmath as mp
import numpy as np
import pytest

from bionet.random import Stream
from bionet.spiking.crossing import first_crossing, functions
from bionet.spiking.modes import Term, solve

from .test_modes import MS, SYSTEMS, cell

HORIZON = 0.2


def distance(modes, z, threshold):
    """The coefficients of v - threshold, and the terms."""
    terms, f = list(modes.terms), [float(c[0] @ z) for c in modes.coefficients]
    constant = Term(0.0, 0.0, 0, 0)
    if constant not in terms:
        terms.append(constant)
        f.append(0.0)
    f[terms.index(constant)] -= threshold
    return np.array(f), functions(terms), terms


def crossing(f, table, lo=0.0, hi=HORIZON):
    accuracy = np.zeros(2)
    h = first_crossing(f, table, lo, hi, np.empty(len(f)), np.empty(len(f)), accuracy)
    return h, accuracy


def exact_crossing(f, terms, hi=HORIZON):
    """The first root in (0, hi) of a sum of exponentials whose rates are multiples of one rate: a polynomial's."""
    with mp.workdps(60):
        base = min(-term.alpha for term in terms if term.alpha)
        powers = [round(-term.alpha / base) for term in terms]
        coefficients = [mp.mpf(0)] * (max(powers) + 1)
        for c, power in zip(f, powers, strict=True):
            coefficients[max(powers) - power] += mp.mpf(float(c))
        # Off the real axis, which the iteration would not leave by itself.
        near = [complex(x) * (1 + 1e-8j) for x in np.roots([float(c) for c in coefficients])]
        roots = mp.polyroots(coefficients, maxsteps=500, extraprec=400, roots_init=near)
        real = [mp.re(x) for x in roots if abs(mp.im(x)) < mp.mpf(10) ** -40 and mp.exp(-base * hi) < mp.re(x) < 1]
        times = sorted(-mp.log(x) / mp.mpf(base) for x in real)
        # Where the function touches zero from below the root is double, and no crossing.
        for t in times:
            after = sum(
                mp.mpf(float(c)) * mp.exp(mp.mpf(term.alpha) * (t + mp.mpf(10) ** -25))
                for c, term in zip(f, terms, strict=True)
            )
            if after > 0:
                return t
        return None


def random_states(n, taus, seed):
    """States below threshold, half of them with a peak near it."""
    stream = Stream(seed, "states")
    u = stream.uniform((n, len(taus) + 2))
    g = -np.log1p(-u[:, : len(taus)]) * 8.0
    g[:, 1:] *= np.where(u[:, [-1]] < 0.5, -1.0, 1.0)
    return u[:, -2] * 10.0 - 60.0, g, np.array([-49.0, -52.0, -56.0])[(u[:, -1] * 3).astype(int)]


def compare(taus, n, seed):
    modes = solve(cell(20 * MS, *taus))
    crossed = 0
    for v, g, rest in zip(*random_states(n, taus, seed), strict=True):
        z = np.array([v, *g, rest / (20 * MS)])
        threshold = -50.0
        f, table, terms = distance(modes, z, threshold)
        if crossed % 2:
            # Put the threshold just below or above the peak.
            grid = np.linspace(0.0, HORIZON, 400)
            peak = sum(c * term(grid) for c, term in zip(f, terms, strict=True)).max()
            if peak <= f.sum() + 1e-3:
                continue
            f[[term.alpha == 0 for term in terms].index(True)] -= peak * (1 - 1e-7)
        if f.sum() >= 0:
            continue
        h, accuracy = crossing(f, table)
        wanted = exact_crossing(f, terms)
        assert (wanted is None) == (not np.isfinite(h)) or accuracy[1], (f, wanted, h)
        if wanted is not None and np.isfinite(h):
            crossed += 1
            slope = abs(sum(c * term.alpha * float(term(float(wanted))) for c, term in zip(f, terms, strict=True)))
            # 1e-12 ms, or what the rounding of f leaves open where it is flat.
            assert abs(h - float(wanted)) <= 1e-15 + 2e-15 * np.abs(f).sum() / slope
        elif wanted is None:
            crossed += 1
    assert crossed > n // 4


@pytest.mark.parametrize("taus", [(5 * MS,), (5 * MS, 10 * MS), (2 * MS, 5 * MS, 10 * MS)])
def test_no_crossing_is_missed_and_none_invented(taus):
    compare(taus, 150, seed=len(taus))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("taus", [(5 * MS,), (5 * MS, 10 * MS), (2 * MS, 5 * MS, 10 * MS)])
def test_no_crossing_is_missed_in_many_states(taus):
    compare(taus, 33_000, seed=10 + len(taus))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("size", [1e-6, 1e-9, 1e-12])
def test_a_peak_within_1e_12_of_threshold_is_classified(sign, size):
    # A membrane of 20 ms at rest, one exponential input of 5 ms: its peak is g 4^(-4/3).
    modes = solve(np.array([[-1 / (20 * MS), 1 / (20 * MS)], [0.0, -1 / (5 * MS)]]))
    g = 4.0 ** (4.0 / 3.0) * (1 + sign * size)
    f, table, _ = distance(modes, np.array([0.0, g]), 1.0)
    h, accuracy = crossing(f, table)
    assert np.isfinite(h) == (sign > 0)
    assert accuracy[1] == 0


def test_a_peak_that_rounding_hides_is_counted():
    modes = solve(np.array([[-1 / (20 * MS), 1 / (20 * MS)], [0.0, -1 / (5 * MS)]]))
    f, table, _ = distance(modes, np.array([0.0, 4.0 ** (4.0 / 3.0)]), 1.0)
    _, accuracy = crossing(f, table)
    assert accuracy[1] == 1


@pytest.mark.parametrize("name", ["alpha function", "resonator", "perfect integrator", "adaptation"])
def test_other_forms_cross_where_a_dense_search_finds_them(name):
    modes = solve(SYSTEMS[name])
    u = Stream(3, name).uniform((60, len(SYSTEMS[name])))
    found = 0
    for row in u:
        z = np.concatenate([[-row[0]], 8 * row[1:-1] - 3, [60 * row[-1]]])
        f, table, terms = distance(modes, z, 0.0)
        h, _ = crossing(f, table)
        fine = np.linspace(0.0, HORIZON, 200_001)
        values = sum(c * term(fine) for c, term in zip(f, terms, strict=True))
        above = np.flatnonzero(values > 1e-12)
        if above.size:
            found += 1
            assert fine[above[0] - 1] - 1e-6 <= h <= fine[above[0]] + 1e-12
        else:
            assert not np.isfinite(h) or values.max() > -1e-6
    assert found > 5
