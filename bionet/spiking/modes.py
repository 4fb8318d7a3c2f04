r"""Closed-form solutions of linear equations: sums of exponentials, with coefficients good to double precision.

The state z of :math:`z' = A z` after a time h is :math:`\Phi(h) z`, and every element of :math:`\Phi` is a sum of terms

.. math:: h^m e^{\alpha h} \cdot \{1, \cos\omega h, \sin\omega h\}.

Equal time constants give powers of h, nearly equal ones too: eigenvalues that lie close together are taken as one
cluster, :math:`e^{Ah} P = e^{\mu h} \sum_m h^m (A - \mu)^m P / m!`, so that no coefficient is the small difference of
large ones. Constant drives are states whose derivative is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

#: Digits for eigenvalues; those of a cluster come out with a fraction of them.
_DIGITS = 80
#: Eigenvalues that differ relatively by less are one cluster.
_CLOSE = 2e-3
#: Powers beyond those of equal eigenvalues that a cluster of nearly equal ones needs: _CLOSE**_MORE < 1e-16.
_MORE = 6
#: Nothing, relative to the largest coefficient.
_NOTHING = mp.mpf(10) ** -30


@dataclass(frozen=True, order=True)
class Term:
    r"""One of the functions :math:`h^m e^{\alpha h} \{1, \cos\omega h, \sin\omega h\}` (``wave`` 0, 1, 2)."""

    alpha: float
    omega: float
    power: int
    wave: int

    def __call__(self, h: NDArray | float) -> NDArray:
        """Return the function's values at ``h`` (seconds)."""
        wave = (1.0, np.cos(self.omega * h), np.sin(self.omega * h))[self.wave]
        return np.asarray(h) ** self.power * np.exp(self.alpha * np.asarray(h)) * wave


@dataclass(frozen=True)
class Modes:
    r"""The solution of a linear system.

    Attributes
    ----------
    terms : tuple of Term
        The functions of time that occur.
    coefficients : array, shape (n_terms, n_states, n_states)
        :math:`\Phi(h) = \sum_q` ``terms[q](h)`` ``coefficients[q]``.
    """

    terms: tuple[Term, ...]
    coefficients: NDArray

    def advance(self, z: NDArray, h: float) -> NDArray:
        """Return the state a time ``h`` later."""
        return sum(float(term(h)) * (c @ z) for term, c in zip(self.terms, self.coefficients, strict=True))


def solve(matrix: NDArray) -> Modes:
    r"""Solve :math:`z' = A z`.

    Parameters
    ----------
    matrix : array, shape (n_states, n_states)
        A, in 1/s.

    Returns
    -------
    Modes

    Notes
    -----
    Eigenvalues and the projectors on the spaces of their clusters are found with 80 digits and rounded once.

    Examples
    --------
    >>> alpha_function = solve(np.array([[-100.0, 100.0], [0.0, -100.0]]))
    >>> [(term.alpha, term.power) for term in alpha_function.terms]
    [(-100.0, 0), (-100.0, 1)]
    >>> alpha_function.advance(np.array([0.0, 1.0]), 0.01).round(12).tolist()
    [0.367879441171, 0.367879441171]
    """
    return _solved(tuple(map(tuple, np.asarray(matrix, float).tolist())))


@lru_cache(maxsize=10_000)
def _solved(matrix: tuple[tuple[float, ...], ...]) -> Modes:
    n = len(matrix)
    if n == 0:
        return Modes((), np.zeros((0, 0, 0)))
    with mp.workdps(_DIGITS):
        a = mp.matrix(matrix)
        found: dict[Term, mp.matrix] = {}
        clusters = _clusters(a)
        bases = [_invariant_space(a, cluster) for cluster in clusters]
        whole = mp.matrix(n, n)
        ends = np.cumsum([0, *(base.cols for base in bases)])
        for start, base in zip(ends, bases, strict=False):
            whole[:, start : start + base.cols] = base
        inverse = whole**-1
        for start, base, cluster in zip(ends, bases, clusters, strict=False):
            centre = mp.fsum(cluster) / len(cluster)
            if mp.im(centre) < -abs(centre) * mp.mpf(10) ** -12:
                continue
            projector = base * inverse[start : start + base.cols, :]
            _add_terms(found, a, centre, cluster, projector)
        largest = max(abs(x) for c in found.values() for x in c) or mp.mpf(1)
        kept = {term: c for term, c in found.items() if max(abs(x) for x in c) > largest * _NOTHING}
        terms = sorted(kept, key=lambda term: (-term.alpha, term.omega, term.power, term.wave))
        values = [[[_float(kept[term][i, j], largest) for j in range(n)] for i in range(n)] for term in terms]
    coefficients = np.array(values)
    coefficients.flags.writeable = False
    return Modes(tuple(terms), coefficients)


def _float(x: mp.mpf, largest: mp.mpf) -> float:
    return float(mp.re(x)) if abs(x) > largest * _NOTHING else 0.0


def _clusters(a: mp.matrix) -> list[list[mp.mpc]]:
    """Return the eigenvalues, those that lie close together in one list; conjugates never are."""
    small = max(abs(x) for x in a) * mp.mpf(10) ** -(_DIGITS // 4)
    values = [mp.mpc(0) if abs(x) < small else mp.mpc(x) for x in _eigenvalues(a)]
    values = [mp.mpc(mp.re(x), 0) if abs(mp.im(x)) < abs(x) * mp.mpf(10) ** -12 else x for x in values]
    clusters: list[list[mp.mpc]] = []
    for value in sorted(values, key=lambda x: (mp.re(x), mp.im(x))):
        for cluster in clusters:
            if abs(value - cluster[-1]) <= _CLOSE * abs(value):
                cluster.append(value)
                break
        else:
            clusters.append([value])
    return clusters


def _eigenvalues(a: mp.matrix) -> list[mp.mpc]:
    n = a.rows
    if all(a[i, j] == 0 for i in range(n) for j in range(i)) or all(a[i, j] == 0 for j in range(n) for i in range(j)):
        return [mp.mpc(a[i, i]) for i in range(n)]
    order = _triangular_order(a)
    if order is not None:
        return [mp.mpc(a[i, i]) for i in order]
    return list(mp.eig(a, left=False, right=False))


def _triangular_order(a: mp.matrix) -> list[int] | None:
    """Return an order of the states in which each depends on earlier ones only, if there is one."""
    n, order = a.rows, []
    left = set(range(n))
    while left:
        free = [i for i in sorted(left) if all(a[i, j] == 0 for j in left if j != i)]
        if not free:
            return None
        order.append(free[0])
        left.remove(free[0])
    return order


def _invariant_space(a: mp.matrix, cluster: list[mp.mpc]) -> mp.matrix:
    """Return a basis of the space that belongs to a cluster of eigenvalues: the null space of a polynomial of A."""
    n = a.rows
    scale = max(abs(x) for x in a) or mp.mpf(1)
    product = mp.eye(n)
    for value in cluster:
        product = product * ((a - value * mp.eye(n)) / scale)
    _, _, rows = mp.svd_c(product)
    return rows[n - len(cluster) :, :].H


def _add_terms(
    found: dict[Term, mp.matrix], a: mp.matrix, centre: mp.mpc, cluster: list[mp.mpc], projector: mp.matrix
) -> None:
    n, waves = a.rows, mp.im(centre) != 0
    equal = max(abs(x - centre) for x in cluster) <= abs(centre) * mp.mpf(10) ** -(_DIGITS // 5)
    last = len(cluster) - 1 + (0 if equal else _MORE)
    power, shifted = projector, a - centre * mp.eye(n)
    for m in range(last + 1):
        alpha, omega = float(mp.re(centre)), float(mp.im(centre))
        if waves:
            found[Term(alpha, omega, m, 1)] = 2 * power.apply(mp.re)
            found[Term(alpha, omega, m, 2)] = -2 * power.apply(mp.im)
        else:
            found[Term(alpha, 0.0, m, 0)] = power.apply(mp.re)
        power = shifted * power / (m + 1)
