"""Gibbs sampling of a general Boltzmann machine: one unit after the other, in blocks that share one matrix product.

The fields of a block, of all chains, are a product in single precision, and the error of that is bounded. Nearly every
draw lies farther from its probability than that, and is decided; for the rest the field is summed again in double
precision, one weight after the other. So the states are those of double precision, and neither the size of a block nor
the number of threads nor the library that multiplies has a part in them.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange

from bionet.kernels.cpu.blas import product
from bionet.kernels.cpu.logistic import logistic
from bionet.random import uniform

BLOCK = 64
"""Units whose fields are one product; what they do to each other is added as they have their turn."""
GROUP = 512
"""Chains that a thread takes through the sweeps together, at most."""
PANEL = 256
"""Units that are summed up before they are added to others: the fewer, the smaller the error of a sum."""

_EPS = 2.0**-23
"""Twice what rounding takes from a number in single precision, as a fraction of it."""
_TINY = 2.0**-126
"""Below it rounding takes as much as at it."""
_HUGE = 1e15
"""Two numbers below it have a product in single precision."""


def sweeps(address, states, weights, bias, orders, beta, lift, key, step):
    """Give units their turn, 1 with probability 1 / (1 + exp(-beta field - lift)), else 0.

    Parameters
    ----------
    address : uint64
        ``blas.ADDRESS`` of single precision.
    states : int8 array, shape (n_chains, n_units)
        0 or 1; changed in place.
    weights : float array, shape (n_units, n_units)
        Symmetric, zero diagonal.
    bias, lift : float64 arrays, shape (n_units,)
        A field is ``states @ weights + bias``.
    orders : int64 array, shape (n_sweeps, n_free)
        The units whose turn it is, one after the other.
    beta : float
    key : uint64
        Of a :class:`bionet.random.Stream`. Sweep number k draws at step ``step + k`` and, for unit i of chain c, at
        index ``c * n_units + i``, whatever thread computes it.
    step : int
    """
    size = max(1, min(GROUP, -(-len(states) // get_num_threads())))
    _sweeps(address, states, weights, bias, orders, beta, lift, key, step, size)


@njit(cache=True, parallel=True, error_model="numpy")
def _sweeps(address, states, weights, bias, orders, beta, lift, key, step, size):
    n_chains, n_units = states.shape
    narrow, reach = weights.astype(np.float32), np.empty(n_units, dtype=np.float32)
    for i in prange(n_units):
        reach[i] = _reach(weights[i], bias[i], beta, lift[i])
    for group in prange(-(-n_chains // size)):
        first = group * size
        own = states[first : first + size]
        bits = np.empty((n_units, len(own)), dtype=np.float32)
        bits[:] = own.T
        rows, fields = np.empty((BLOCK, n_units), dtype=np.float32), np.empty((BLOCK, len(own)), dtype=np.float32)
        for k in range(len(orders)):
            for start in range(0, orders.shape[1], BLOCK):
                block = orders[k, start : start + BLOCK]
                _multiply(address, block, narrow, bits, rows, fields)
                _take_turns(block, rows, fields, bits, weights, bias, beta, lift, reach, key, step + k, first)
        own[:] = bits.T


@njit(cache=True)
def _reach(row, bias, beta, lift):
    """Return how far beta times a field plus lift can be from its true value, in single precision.

    The rounding errors of a sum of n numbers are n - 1, each a fraction of the sum of their sizes (Higham 2002, 4.2).
    """
    size = _TINY
    for j in range(len(row)):
        size += abs(row[j])
    if not max(size, abs(bias), abs(lift), beta) < _HUGE:
        return np.inf
    sums = PANEL + len(row) // PANEL + BLOCK + 8.0
    return _EPS * (beta * (sums * size + 4.0 * abs(bias)) + 4.0 * abs(lift))


@njit(cache=True)
def _multiply(address, block, narrow, bits, rows, fields):
    """Fill in the fields of a block, without biases, and the rows of the weights that they were computed with."""
    n, n_units = len(block), len(bits)
    for place in range(n):
        rows[place] = narrow[block[place]]
    for low in range(0, n_units, PANEL):
        high = min(low + PANEL, n_units)
        goes_on = np.float32(low > 0)
        product(address, rows[:n, low:high], False, bits[low:high], False, np.float32(1), goes_on, fields[:n])


@njit(cache=True, error_model="numpy")
def _take_turns(block, rows, fields, bits, weights, bias, beta, lift, reach, key, step, first):
    """Give the units of a block their turn, in all chains of a group at once."""
    n_units, n_chains = bits.shape
    goal, other_goal = np.empty(n_chains, dtype=np.float32), np.empty(n_chains, dtype=np.float32)
    for place in range(len(block)):
        i = block[place]
        index = first * n_units + i
        given = np.float32(bias[i]), np.float32(beta), np.float32(lift[i]), reach[i]
        if _draw(fields[place], *given, key, step, index, n_units, goal, other_goal):
            for c in range(n_chains):
                if goal[c] != other_goal[c]:
                    chance = logistic(beta * (bias[i] + _sum(weights[i], bits, c)) + lift[i])
                    goal[c] = uniform(key, step, index + c * n_units) < chance
        now = bits[i]
        for c in range(n_chains):
            change = goal[c] - now[c]
            now[c] = goal[c]
            goal[c] = change
        for later in range(place + 1, len(block)):
            field, weight = fields[later], rows[place, block[later]]
            for c in range(n_chains):
                field[c] += weight * goal[c]


@njit(cache=True, error_model="numpy")
def _draw(field, bias, beta, lift, reach, key, step, index, n_units, least, most):
    """Draw with the least and with the largest probability that there may be; return how often that differs."""
    few = np.float32(8 * _EPS)  # what the logistic function may err by
    one, zero, differ = np.float32(1), np.float32(0), 0
    if reach == np.inf:
        least[:], most[:] = zero, one
        return len(field)
    for c in range(len(field)):
        x = beta * (field[c] + bias) + lift
        luck = uniform(key, step, index + c * n_units)
        low = luck < logistic(x - reach) * (one - few)
        high = luck < logistic(x + reach) * (one + few)
        least[c] = one if low else zero
        most[c] = one if high else zero
        differ += low != high
    return differ


@njit(cache=True)
def _sum(row, bits, c):
    """Return a field in double precision, without its bias."""
    total = 0.0
    for j in range(len(row)):
        total += row[j] * bits[j, c]
    return total
