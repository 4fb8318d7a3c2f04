"""Random draws for compiled loops: functions of (key, step, index), as in :mod:`bionet.random`, that vectorise.

``uniform`` gives the numbers of :mod:`bionet.random`; ``normal`` does but for the last bits, which are the same on
every machine here. For counts of one law, drawn again and again, there are tables: Walker's alias method [1]_ in Vose's
form [2]_, in whole numbers. One 64-bit word chooses a column, by its lowest bits, and one of the two outcomes of that
column. Each outcome has a whole number of the 2**64 words: the one nearest to its share, which is known to a part in
1e12; what is left or lacking is the most probable one's.

A loop that reads a table and writes an array is not vectorised, since the one might be part of the other.
:func:`fill_from_table` makes the words first, and is several times as fast as :func:`from_table` in a loop.

References
----------
.. [1] A. J. Walker, "An efficient method for generating discrete random variables with general distributions", ACM
   Trans. Math. Softw. 3 (1977).
.. [2] M. D. Vose, "A linear algorithm for generating random numbers with a given distribution", IEEE Trans. Softw. Eng.
   17 (1991).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from bionet.errors import InputError
from bionet.random import philox4x32
from bionet.spiking.elementary import cos, inlined, log, log1p

#: What :func:`geometric_gap` gives where no success is in sight.
NEVER = 2**62

_LOW = np.uint64(0xFFFFFFFF)
_1 = np.uint64(1)
_11 = np.uint64(11)
_32 = np.uint64(32)
_UNIT = 2.0**-53
_LARGEST = 1e9
# Words made at a time: they stay in the first cache.
_AT_ONCE = 512


@inlined
def bits(key, step, index):
    """Return two independent 64-bit words, those of :func:`bionet.random.bits`, in a form that vectorises."""
    key, step, index = uint64(key), uint64(step), uint64(index)
    w0, w1, w2, w3 = philox4x32(index & _LOW, index >> _32, step & _LOW, step >> _32, key & _LOW, key >> _32)
    return (w1 << _32) | w0, (w3 << _32) | w2


@inlined
def uniform(key, step, index):
    """Return one uniform number in [0, 1), a multiple of 2**-53.

    Examples
    --------
    >>> uniform(1, 2, 3) == uniform(1, 2, 3)
    True
    """
    return np.float64(bits(key, step, index)[0] >> _11) * _UNIT


@inlined
def normal(key, step, index):
    """Return one standard normal number, by Box and Muller's method.

    Examples
    --------
    >>> normal(1, 2, 3) == normal(1, 2, 3)
    True
    """
    a, b = bits(key, step, index)
    radius = np.sqrt(-2.0 * log((np.float64(a >> _11) + 1.0) * _UNIT))
    return radius * cos(2.0 * math.pi * (np.float64(b >> _11) * _UNIT))


@inlined
def geometric_gap(p, key, step, index):
    """Return the number of failures before the first success, in trials that succeed with probability ``p``.

    Parameters
    ----------
    p : float
        At 0 and below, and wherever the number would be larger, it is :data:`NEVER`; at 1 and above it is 0.
    key, step, index : int
        Which draw.

    Notes
    -----
    The gap is the whole part of E / -log(1 - p), with E exponential. E is resolved to 2**-64 near 0, and so the law is
    right for p down to about 1e-16.

    Examples
    --------
    >>> geometric_gap(1.0, 1, 2, 3), geometric_gap(0.0, 1, 2, 3) == NEVER
    (0, True)
    """
    u = (np.float64(bits(key, step, index)[0]) + 0.5) * 2.0**-64
    gap = log1p(-min(u, 1.0 - _UNIT)) / log1p(-min(max(p, 0.0), 1.0))
    return np.int64(gap) if gap < NEVER else NEVER


def binomial_table(n: int, p: float) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Make the table of the number of successes in ``n`` trials of probability ``p``.

    Parameters
    ----------
    n : int
        Number of trials, from 0 to 1e9.
    p : float
        Probability of each, from 0 to 1.

    Returns
    -------
    threshold : uint64 array, shape (n_columns,)
        Which words give a column's first outcome: those below.
    outcome : int64 array, shape (2 * n_columns,)
        The two outcomes of each column. The number of columns is the power of 2 that the outcomes need.

    Raises
    ------
    InputError
        If ``n`` or ``p`` is not in its range.

    Examples
    --------
    >>> threshold, outcome = binomial_table(1000, 0.002)
    >>> from_table(threshold, outcome, 1, 2, 3) in range(30)
    True
    """
    if not 0 <= n <= _LARGEST or n % 1:
        raise InputError(f"binomial_table.n: got {n}; expected a whole number from 0 to {_LARGEST:g}, such as 1000")
    if not 0.0 <= p <= 1.0:
        raise InputError(f"binomial_table.p: got {p}; expected a probability from 0 to 1, such as 0.002")
    mode = min(int((n + 1) * p), int(n))
    low, high = _span(mode, n * p * (1.0 - p), int(n))
    k = np.arange(low, high + 1, dtype=np.float64)
    return _table(low, mode, (n - k[:-1]) * p, k[1:] * (1.0 - p))


def poisson_table(rate: float) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Make the table of a Poisson number of mean ``rate``, as :func:`binomial_table` does.

    Parameters
    ----------
    rate : float
        The mean, from 0 to 1e9, dimensionless.

    Raises
    ------
    InputError
        If ``rate`` is not in its range.

    Examples
    --------
    >>> poisson_table(0.0)[1].tolist()
    [0, 0]
    """
    if not 0.0 <= rate <= _LARGEST:
        raise InputError(f"poisson_table.rate: got {rate}; expected a number from 0 to {_LARGEST:g}, such as 2")
    low, high = _span(int(rate), rate, None)
    k = np.arange(low, high + 1, dtype=np.float64)
    return _table(low, int(rate), np.full(k.size - 1, float(rate)), k[1:])


def _span(mode: int, variance: float, most: int | None) -> tuple[int, int]:
    """Return the outcomes between which all but 2**-65 of a binomial or Poisson law lies (Bernstein's bound)."""
    far = int(12.0 * math.sqrt(variance)) + 50
    return max(mode - far, 0), mode + far if most is None else min(mode + far, most)


def _table(
    low: int, mode: int, up: NDArray[np.float64], down: NDArray[np.float64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Make the table of a law on ``low``, ``low + 1``, ...: their probabilities are in the ratios ``up / down``."""
    at = mode - low
    law = np.concatenate((np.cumprod((down[:at] / up[:at])[::-1])[::-1], [1.0], np.cumprod(up[at:] / down[at:])))
    shares = [int(share) for share in np.rint(law / math.fsum(law) * 2.0**64).tolist()]
    shares[at] += 2**64 - sum(shares)
    first = next(i for i, share in enumerate(shares) if share)
    last = next(i for i in reversed(range(len(shares))) if shares[i])
    return _columns(low + first, shares[first : last + 1])


def _columns(first: int, shares: list[int]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Cut shares of 2**64, of the outcomes from ``first`` on, into equal columns of at most two outcomes each."""
    n_columns = 1 << (len(shares) - 1).bit_length()
    room = 2**64 // n_columns
    left = shares + [0] * (n_columns - len(shares))
    # Words that end in c are c, c + n_columns, ...: the first m of them are those below m * n_columns.
    threshold = np.zeros(n_columns, dtype=np.uint64)
    outcome = np.repeat(np.arange(first, first + n_columns), 2)
    short = [column for column in range(n_columns) if left[column] < room]
    ample = [column for column in range(n_columns) if left[column] > room]
    for column in short:
        donor = ample[-1]
        threshold[column] = left[column] * n_columns
        outcome[2 * column + 1] = first + donor
        left[donor] -= room - left[column]
        if left[donor] <= room:
            ample.pop()
        if left[donor] < room:
            short.append(donor)
    return threshold, outcome


@inlined
def _look_up(threshold, outcome, word):
    column = word & uint64(threshold.size - 1)
    return outcome[uint64(2) * column + uint64(word >= threshold[column])]


@inlined
def from_table(threshold, outcome, key, step, index):
    """Return one count of the law of a table; two consecutive indices share a block of random bits.

    Parameters
    ----------
    threshold, outcome : array
        What :func:`binomial_table` or :func:`poisson_table` gave.
    key, step, index : int
        Which draw.
    """
    a, b = bits(key, step, uint64(index) >> _1)
    return _look_up(threshold, outcome, b if uint64(index) & _1 else a)


@njit(cache=True, error_model="numpy")
def fill_from_table(out, threshold, outcome, key, step, first):
    """Fill ``out`` with what :func:`from_table` returns for the indices ``first``, ``first + 1``, ...

    Parameters
    ----------
    out : array, shape (n,)
        Overwritten.
    threshold, outcome : array
        What :func:`binomial_table` or :func:`poisson_table` gave.
    key, step, first : int
        Which draws.

    Examples
    --------
    >>> out = np.empty(4)
    >>> fill_from_table(out, *binomial_table(10, 1.0), 1, 2, 0)
    >>> out.tolist()
    [10.0, 10.0, 10.0, 10.0]
    """
    words = np.empty(_AT_ONCE, dtype=np.uint64)
    odd = first % 2
    for start in range(-odd, out.size, _AT_ONCE):
        n = min(_AT_ONCE, out.size - start)
        block = uint64(first + start) >> _1
        for pair in range((n + 1) // 2):
            words[2 * pair], words[2 * pair + 1] = bits(key, step, block + uint64(pair))
        for i in range(odd if start < 0 else 0, n):
            out[start + i] = _look_up(threshold, outcome, words[i])
