"""Hard problems as Boltzmann machines: their energy is the cost, and annealing looks for its minimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bionet.energy.boltzmann import BoltzmannMachine
from bionet.errors import InputError

Floats = NDArray[np.float64]


def max_cut(adjacency: ArrayLike) -> BoltzmannMachine:
    r"""Return the machine whose energy is minus the weight of the edges between its units that are on and the others.

    .. math:: E(s) = -\sum_{i<j} A_{ij} (s_i + s_j - 2 s_i s_j)

    Parameters
    ----------
    adjacency : array, shape (n_nodes, n_nodes)
        Symmetric, the weights of the edges.

    Examples
    --------
    >>> machine = max_cut([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    >>> float(machine.anneal(10).energy.min())
    -2.0
    """
    a = _symmetric("max_cut.adjacency", adjacency)
    return BoltzmannMachine.of(-2.0 * a, a.sum(axis=1))


def travelling_salesman(distances: ArrayLike, penalty: float | None = None) -> BoltzmannMachine:
    r"""Return the machine whose low energies are short closed tours.

    Unit (c, p) is on if city c + 1 is at place p + 1 of the tour; city 0 has place 0, which takes nothing from the
    problem and the rotations from the states. A tour has the energy length - 2 A (n - 1), A the penalty:

    .. math:: E = \sum_{c,d,p} D_{cd}\, s_{cp} s_{d,p+1} + A \sum_p \Big(\sum_c s_{cp} - 1\Big)^2
                  + A \sum_c \Big(\sum_p s_{cp} - 1\Big)^2 - 2 A (n - 1)

    Parameters
    ----------
    distances : array, shape (n_cities, n_cities)
        Symmetric, at least 4 cities.
    penalty : float, optional
        Of a place with more or less than one city, and of a city with more or less than one place; by default the
        largest distance, above which every state of lowest energy is a tour.

    References
    ----------
    J. J. Hopfield, D. W. Tank, "'Neural' computation of decisions in optimization problems", Biol. Cybern. 52 (1985).
    """
    d = _symmetric("travelling_salesman.distances", distances)
    n = len(d) - 1
    if n < 3:
        raise InputError(f"travelling_salesman.distances: got {n + 1} cities; expected at least 4")
    a = 1.01 * d.max() if penalty is None else float(penalty)
    weights = np.zeros((n, n, n, n))
    city, place = np.eye(n, dtype=bool), np.eye(n, dtype=bool)
    after = np.eye(n, k=1, dtype=bool) | np.eye(n, k=-1, dtype=bool)
    weights -= 2.0 * a * city[:, None, :, None] * ~place[None, :, None, :]
    weights -= 2.0 * a * ~city[:, None, :, None] * place[None, :, None, :]
    weights -= d[1:, 1:][:, None, :, None] * after[None, :, None, :]
    # (sum - 1)^2 = sum s + 2 sum of pairs - 2 sum s + 1, for the city and for the place.
    bias = np.full((n, n), 2.0 * a)
    bias[:, [0, -1]] -= d[1:, :1]
    return BoltzmannMachine.of(weights.reshape(n * n, n * n), bias.ravel())


def tours(states: ArrayLike) -> NDArray[np.int64]:
    """Return the cities in order of each state of a :func:`travelling_salesman`, shape (n_samples, n_cities).

    A state that is no tour gives a row of -1.
    """
    s = np.asarray(states)
    n = round(np.sqrt(s.shape[1]))
    table = s.reshape(-1, n, n)
    valid = (table.sum(axis=1) == 1).all(axis=1) & (table.sum(axis=2) == 1).all(axis=1)
    order = np.concatenate([np.zeros((len(table), 1), dtype=np.int64), table.argmax(axis=1) + 1], axis=1)
    return np.where(valid[:, None], order, -1)


def _symmetric(name: str, values: ArrayLike) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise InputError(f"{name}: got shape {array.shape}; expected (n, n)")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: got NaN or infinite values; expected finite numbers")
    if not np.array_equal(array, array.T):
        raise InputError(f"{name}: got an asymmetric table; expected a symmetric one, such as A + A.T")
    np.fill_diagonal(array, 0.0)
    return array
