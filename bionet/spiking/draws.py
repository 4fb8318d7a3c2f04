"""Random draws for compiled loops: functions of (key, step, index), as in :mod:`bionet.random`, that vectorise.

``uniform`` gives the numbers of :mod:`bionet.random`; ``normal`` does but for the last bits, which are the same on
every machine here. For counts of one law, drawn again and again, there are tables (:mod:`bionet.spiking.tables`).

A loop that reads a table and writes an array is not vectorised, since the one might be part of the other.
:func:`fill_from_table` makes the words first, and is several times as fast as :func:`from_table` in a loop.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from bionet.spiking.elementary import cos, inlined, log, log1p
from bionet.spiking.engines.plain_memory import scratch
from bionet.variates import philox4x32

#: What :func:`geometric_gap` gives where no success is in sight.
NEVER = 2**62

_LOW = np.uint64(0xFFFFFFFF)
_1 = np.uint64(1)
_11 = np.uint64(11)
_32 = np.uint64(32)
_UNIT = 2.0**-53
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
        What :mod:`bionet.spiking.tables` gave.
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
        What :mod:`bionet.spiking.tables` gave.
    key, step, first : int
        Which draws.

    Examples
    --------
    >>> from bionet.spiking.tables import binomial_table
    >>> out = np.empty(4)
    >>> fill_from_table(out, *binomial_table(10, 1.0), 1, 2, 0)
    >>> out.tolist()
    [10.0, 10.0, 10.0, 10.0]
    """
    words = scratch(_AT_ONCE)
    odd = first % 2
    for start in range(-odd, out.size, _AT_ONCE):
        n = min(_AT_ONCE, out.size - start)
        block = uint64(first + start) >> _1
        for pair in range((n + 1) // 2):
            words[2 * pair], words[2 * pair + 1] = bits(key, step, block + uint64(pair))
        for i in range(odd if start < 0 else 0, n):
            out[start + i] = _look_up(threshold, outcome, words[i])
