"""A layer given its neighbours: product, bias, law, uniform draw and comparison in one pass over each tile.

A layer of ``n`` units, one row a sample. Four rows share the words of one block of random bits: a unit draws word
``row % 4`` of index ``row // 4 * n + unit``, times 2**-32, whatever tile it is in and whichever thread computes it.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from bionet.kernels.cpu.bits import aligned, multiply, read, width
from bionet.kernels.cpu.blas import edge, n_tiles, product
from bionet.kernels.cpu.logistic import logistic, softplus
from bionet.random import uniform, words

LINEAR, BERNOULLI, SPIN = 0, 1, 2
"""What becomes of a field: nothing, the law of a 0/1 unit, that of a -1/+1 unit."""

_FEW = 1 << 18
"""Multiplications: a smaller product is over before a second thread has started."""
_FEW_DRAWS = 5000
_WORD = 2.0**-32


@njit(cache=True, parallel=True, error_model="numpy")
def conditional(address, kind, states, weights, turn, more, bias, scale, key, step, mean, sample, dot):
    """Fill in the means, and if wanted samples, of a layer whose neighbour has the given states.

    Parameters
    ----------
    address : uint64
        ``blas.ADDRESS`` of the type that all float arrays have.
    kind : int
        ``LINEAR``, ``BERNOULLI`` or ``SPIN``.
    states : float array, shape (n_samples, n_neighbours)
    weights : float array, shape (n_neighbours, n_units); (n_units, n_neighbours) if ``turn``
    turn : bool
    more : float array, shape (n_samples, n_units) or (0, 0)
        Fields from elsewhere, added.
    bias : float array, shape (n_units,)
    scale : float array, shape (n_samples,) or (0,)
        Inverse temperatures, which the fields are multiplied by; 1 if there are none.
    key, step : uint64
        Of a :class:`bionet.random.Stream`.
    mean : float array, shape (n_samples, n_units)
        Filled; with the field for ``LINEAR``.
    sample : float array, shape (n_samples, n_units) or (0, 0)
        Filled unless empty; never for ``LINEAR``.
    dot : float array, shape (n_tiles, n_samples) or (0, 0)
        Filled, unless empty, with the sums over the units of a tile of sample times unscaled field.
    """
    n_samples, n_units = mean.shape
    tiles = n_tiles(n_units)
    words, values = read(states, n_units)
    if tiles == 1 or n_samples * n_units * states.shape[1] < _FEW:
        for tile in range(tiles):
            _tile(
                *(address, kind, states, words, values, weights, turn, more, bias, scale, key, step, mean, sample, dot),
                *(tile, edge(tile, n_units), edge(tile + 1, n_units)),
            )
        return
    for count in prange(tiles):
        # A number of one type, whether threads count or not: what takes it is compiled once.
        part = np.int64(count)
        _tile(
            *(address, kind, states, words, values, weights, turn, more, bias, scale, key, step, mean, sample, dot),
            *(part, edge(part, n_units), edge(part + 1, n_units)),
        )


@njit(cache=True, error_model="numpy")
def _tile(
    address,
    kind,
    states,
    words,
    values,
    weights,
    turn,
    more,
    bias,
    scale,
    key,
    step,
    mean,
    sample,
    dot,
    tile,
    low,
    high,
):
    one = mean.dtype.type(1)
    _fields(address, states, words, values, weights, turn, mean, low, high)
    n_samples, n_units = mean.shape
    own_bias = bias[low:high]
    nothing, luck = mean[0][:0], np.empty((4, high - low), dtype=np.uint32)
    for row in range(n_samples):
        if sample.size and row % 4 == 0:
            _draw(luck[0], luck[1], luck[2], luck[3], key, step, row // 4 * n_units + low)
        # Loops over a slice of a row, from 0, are those that LLVM evaluates several at a time.
        field = mean[row][low:high]
        drawn = sample[row][low:high] if sample.size else nothing
        for unit in range(len(field)):
            field[unit] += own_bias[unit]
        if more.size:
            others = more[row][low:high]
            for unit in range(len(field)):
                field[unit] += others[unit]
        beta = scale[row] if scale.size else one
        if dot.size:
            dot[tile, row] = _choose_and_dot(kind, field, drawn, beta, luck[row % 4])
        elif kind == BERNOULLI:
            _bernoulli(field, drawn, beta, luck[row % 4])
        elif kind == SPIN:
            _spin(field, drawn, beta, luck[row % 4])
        else:
            for unit in range(len(field)):
                field[unit] *= beta


@njit(cache=True, error_model="numpy")
def _fields(address, states, words, values, weights, turn, field, low, high):
    """Fill in the products of the states with the weights of a tile, without multiplications where they are bits."""
    one, zero = field.dtype.type(1), field.dtype.type(0)
    if not len(words):
        own = weights[low:high] if turn else weights[:, low:high]
        product(address, states, False, own, turn, one, zero, field[:, low:high])
        return
    columns = width(len(states), field)
    sums = aligned(len(states), columns, field)
    for start in range(low, high, columns):
        # The last units are served with some before them once more, which gives the same sums.
        left = max(low, min(start, high - columns))
        multiply(words, values, weights, turn, left, sums)
        for row in range(len(states)):
            own_field = field[row][left : min(left + columns, high)]
            own_sums = sums[row]
            for unit in range(len(own_field)):
                own_field[unit] = own_sums[unit]


@njit(cache=True)
def _draw(first, second, third, fourth, key, step, index):
    """Draw for four rows of units."""
    for unit in range(len(first)):
        a, b, c, d = words(key, step, index + unit)
        first[unit], second[unit], third[unit], fourth[unit] = a, b, c, d


@njit(cache=True, error_model="numpy")
def _bernoulli(field, drawn, beta, luck):
    one, zero = field.dtype.type(1), field.dtype.type(0)
    if len(drawn) == 0:
        for unit in range(len(field)):
            field[unit] = logistic(beta * field[unit])
        return
    for unit in range(len(field)):
        p = logistic(beta * field[unit])
        drawn[unit] = one if luck[unit] * _WORD < p else zero
        field[unit] = p


@njit(cache=True, error_model="numpy")
def _spin(field, drawn, beta, luck):
    one = field.dtype.type(1)
    twice = beta + beta
    for unit in range(len(field)):
        p = logistic(twice * field[unit])
        if len(drawn):
            drawn[unit] = one if luck[unit] * _WORD < p else -one
        field[unit] = p + p - one


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def _choose_and_dot(kind, field, drawn, beta, luck):
    one = field.dtype.type(1)
    low = one - one if kind == BERNOULLI else -one
    twice = beta if kind == BERNOULLI else beta + beta
    total = one - one
    for unit in range(len(field)):
        p = logistic(twice * field[unit])
        drawn[unit] = one if luck[unit] * _WORD < p else low
        total += drawn[unit] * field[unit]
        field[unit] = low + (one - low) * p
    return total


@njit(cache=True, parallel=True, error_model="numpy")
def anneal(kind, field, beta, to, key, step, gain, sample):
    """Take a layer from one inverse temperature to the next: what its sum over states gains, and samples.

    Parameters
    ----------
    kind : int
        ``BERNOULLI`` or ``SPIN``.
    field : float array, shape (n_samples, n_units)
    beta, to : float
        Inverse temperatures.
    key, step : uint64
        Of a :class:`bionet.random.Stream`.
    gain : float64 array, shape (n_samples,)
        Filled with log of the sum over the layer's states at ``to``, less that at ``beta``.
    sample : float array, shape (n_samples, n_units)
        Filled, from the law at ``to``.
    """
    n_samples, n_units = field.shape
    if field.size < _FEW_DRAWS:
        for row in range(n_samples):
            gain[row] = _anneal_row(kind, field[row], beta, to, key, step, row * n_units, sample[row])
        return
    for row in prange(n_samples):
        gain[row] = _anneal_row(kind, field[row], beta, to, key, step, np.int64(row) * n_units, sample[row])


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def _anneal_row(kind, field, beta, to, key, step, first, sample):
    one = field.dtype.type(1)
    low = one - one if kind == BERNOULLI else -one
    # A -1/+1 unit is 2y - 1 of a 0/1 unit y: log(e^x + e^-x) = softplus(2x) - x.
    twice = one if kind == BERNOULLI else one + one
    beta, to = field.dtype.type(beta), field.dtype.type(to)
    total, shift = 0.0, 0.0
    for unit in range(len(field)):
        x = twice * field[unit]
        after = to * x
        total += softplus(after) - softplus(beta * x)
        shift += x
        sample[unit] = one if uniform(key, step, first + unit) < logistic(after) else low
    return total if kind == BERNOULLI else total - 0.5 * np.float64(to - beta) * shift
