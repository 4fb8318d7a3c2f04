"""One step up the gradient of a two-layer machine, in a single call: either all of it has happened or none."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from bionet.kernels.cpu.bits import aligned, multiply, read_columns, width
from bionet.kernels.cpu.blas import edge, n_tiles, product
from bionet.kernels.cpu.vectors import LINE, advance, wide

_FEW = 1 << 18  # multiplications; see gibbs.py

EXTRA = 3
"""Rows at the end of the stacks that this step fills: two for the offsets, one for sparsity."""


@njit(cache=True, parallel=True, error_model="numpy")
def climb(
    address,
    visible,
    hidden,
    n_data,
    rates,
    weights,
    biases,
    velocity,
    velocities,
    offsets,
    activity,
    chains,
    fresh,
    clock,
):
    r"""Follow the difference of the means over data and chains, and let the offsets slide.

    With v and h stacked, the data over the chains, and h divided by n or -m, the difference of the two means of v h'
    is ONE product. The centred gradient differs from it by two outer products, which are two more rows:

    .. math:: \Delta W = \Delta\langle v h^\top \rangle - \mu \Delta\langle h \rangle^\top
              - \Delta\langle v \rangle \lambda^\top, \quad
              \Delta b = \Delta\langle v \rangle - \Delta W \lambda, \quad
              \Delta c = \Delta\langle h \rangle - \Delta W^\top \mu

    Parameters
    ----------
    address : uint64
        ``blas.ADDRESS`` of the type that all float arrays but ``rates`` have.
    visible, hidden : float arrays, shape (n_data + n_chains + EXTRA, n_visible) and (..., n_hidden)
        Data above chains, and the means of the hidden units; ``hidden`` and the last rows are written over.
    n_data : int
    rates : float64 array, shape (7,)
        Learning rate; momentum; weight decay; share of this batch in the offsets; cost and target of sparsity; share
        of this batch in the activity.
    weights : float array, shape (n_visible, n_hidden)
    biases, velocities, offsets : tuples of two float arrays, shape (n_visible,) and (n_hidden,)
        Offsets that are 0 and do not slide leave the plain gradient.
    velocity : float array, shape of ``weights``, or (0, 0) without momentum
    activity : float array, shape (n_hidden,)
        Running mean of the hidden units.
    chains, fresh : float arrays
        ``fresh`` is copied into ``chains``.
    clock : int64 array, shape (1,)
        Counts the steps.
    """
    last = len(visible) - EXTRA
    # The two tiles of one turn, of visible and of hidden units, have nothing to do with each other.
    turns = max(n_tiles(visible.shape[1]), n_tiles(hidden.shape[1]))
    along_visible, along_hidden = visible[:, 0].copy(), visible[:, 0].copy()
    words, values = read_columns(visible[:last], hidden.shape[1])
    if len(visible) * weights.size < _FEW:
        for turn in range(turns):
            _sum_visible(turn, visible, n_data, last, rates, offsets[0])
            _sum_hidden(turn, hidden, n_data, last, rates, offsets[1], activity)
        for row in range(len(visible)):
            _project(row, visible, hidden, last, along_visible, along_hidden)
        for turn in range(turns):
            _move_weights(turn, address, visible, words, values, hidden, rates, weights, velocity)
            _move_visible(turn, visible, last, rates, biases[0], velocities[0], along_hidden)
            _move_hidden(turn, hidden, last, rates, biases[1], velocities[1], along_visible)
    else:
        # A number of one type, whether threads count or not: what takes it is compiled once.
        for count in prange(turns):
            part = np.int64(count)
            _sum_visible(part, visible, n_data, last, rates, offsets[0])
            _sum_hidden(part, hidden, n_data, last, rates, offsets[1], activity)
        for count in prange(len(visible)):
            _project(np.int64(count), visible, hidden, last, along_visible, along_hidden)
        for count in prange(turns):
            part = np.int64(count)
            _move_weights(part, address, visible, words, values, hidden, rates, weights, velocity)
            _move_visible(part, visible, last, rates, biases[0], velocities[0], along_hidden)
            _move_hidden(part, hidden, last, rates, biases[1], velocities[1], along_visible)
    chains[:] = fresh
    clock[0] += 1


@njit(cache=True, error_model="numpy")
def _add(out, share, row):
    for unit in range(len(out)):
        out[unit] += share * row[unit]


@njit(cache=True, error_model="numpy")
def _sum_visible(tile, visible, n_data, last, rates, offsets):
    """Fill the last rows of the visible stack, and let the offsets slide."""
    if tile >= n_tiles(visible.shape[1]):
        return
    kind = visible.dtype.type
    data_share, chain_share, slide = kind(1.0 / n_data), kind(-1.0 / (last - n_data)), kind(rates[3])
    low, high = edge(tile, visible.shape[1]), edge(tile + 1, visible.shape[1])
    visible[last:, low:high] = kind(0)
    first, second, third = visible[last][low:high], visible[last + 1][low:high], visible[last + 2][low:high]
    for row in range(n_data):
        _add(third, data_share, visible[row][low:high])
    for row in range(n_data, last):
        _add(second, chain_share, visible[row][low:high])
    offset = offsets[low:high]
    for unit in range(len(offset)):
        first[unit] = -offset[unit]
        second[unit] = -(third[unit] + second[unit])
        third[unit] -= offset[unit]
        offset[unit] += slide * third[unit]


@njit(cache=True, error_model="numpy")
def _sum_hidden(tile, hidden, n_data, last, rates, offsets, activity):
    """Divide the hidden stack, fill its last rows, and let offsets and activity slide."""
    if tile >= n_tiles(hidden.shape[1]):
        return
    kind = hidden.dtype.type
    data_share, chain_share, slide = kind(1.0 / n_data), kind(-1.0 / (last - n_data)), kind(rates[3])
    low, high = edge(tile, hidden.shape[1]), edge(tile + 1, hidden.shape[1])
    hidden[last:, low:high] = kind(0)
    first, second, third = hidden[last][low:high], hidden[last + 1][low:high], hidden[last + 2][low:high]
    for row in range(n_data):
        own = hidden[row][low:high]
        for unit in range(len(own)):
            own[unit] *= data_share
            third[unit] += own[unit]
    for row in range(n_data, last):
        own = hidden[row][low:high]
        for unit in range(len(own)):
            own[unit] *= chain_share
            first[unit] += own[unit]
    cost, target, attention = kind(rates[4]), kind(rates[5]), kind(rates[6])
    offset, active = offsets[low:high], activity[low:high]
    for unit in range(len(offset)):
        mean = third[unit]
        first[unit] += mean
        second[unit] = offset[unit]
        offset[unit] += slide * (mean - offset[unit])
        active[unit] += attention * (mean - active[unit])
        third[unit] = cost * (target - active[unit])


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def _project(row, visible, hidden, last, along_visible, along_hidden):
    """Compute V mu and H lambda of a row: what the gradient of the biases takes from that of the weights."""
    along_visible[row] = -_dot(visible[row], visible[last])
    along_hidden[row] = _dot(hidden[row], hidden[last + 1])


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def _dot(a, b):
    total = a.dtype.type(0)
    for unit in range(len(a)):
        total += a[unit] * b[unit]
    return total


@njit(cache=True, error_model="numpy")
def _move_weights(tile, address, visible, words, values, hidden, rates, weights, velocity):
    kind = weights.dtype.type
    rate, momentum, decay = kind(rates[0]), kind(rates[1]), kind(1.0 - rates[0] * rates[2])
    keep, moved = (momentum, velocity) if velocity.size else (decay, weights)
    # Tables serve a tile of hidden units; a product is as fast for one of visible units, whose links are all together.
    size = hidden.shape[1] if len(words) else len(weights)
    if tile >= n_tiles(size):
        return
    low, high = edge(tile, size), edge(tile + 1, size)
    if len(words):
        _move_by_bits(tile, visible, words, values, hidden, rate, keep, moved)
    else:
        product(address, visible[:, low:high], True, hidden, False, rate, keep, moved[low:high])
    if velocity.size == 0:
        return
    fast, link = (
        (velocity[:, low:high], weights[:, low:high]) if len(words) else (velocity[low:high], weights[low:high])
    )
    for unit in range(len(link)):
        own_fast, own_link = fast[unit], link[unit]
        for other in range(len(own_link)):
            own_link[other] = decay * own_link[other] + own_fast[other]


@njit(cache=True, error_model="numpy")
def _move_by_bits(tile, visible, words, values, hidden, rate, keep, links):
    """Move the links to a tile of hidden units, or their velocity; all visible units but the last rows' are bits."""
    wide()
    last, n, columns = len(visible) - EXTRA, len(links), width(len(links), hidden)
    low, high = edge(tile, hidden.shape[1]), edge(tile + 1, hidden.shape[1])
    pieces = (high - low + columns - 1) // columns
    sums = aligned(pieces * n, columns, hidden)
    for piece in range(pieces):
        multiply(words, values, hidden[:last], False, low + piece * columns, sums[piece * n : (piece + 1) * n])
    # A row of links is changed from end to end: that is how it lies in memory.
    lines, step = hidden[last:, low:high].copy(), LINE // hidden.itemsize
    whole, final = (high - low) // step * step, (pieces - 1) * columns
    for unit in range(n):
        factors = visible[last, unit], visible[last + 1, unit], visible[last + 2, unit]
        for piece in range(pieces):
            begin = piece * columns
            for first in range(begin, min(begin + columns, whole), step):
                here = piece * n + unit, first - begin
                advance(links, (unit, low + first), keep, rate, sums, here, lines, first, factors)
        for other in range(whole, high - low):
            change = sums[(pieces - 1) * n + unit, other - final]
            for line in range(EXTRA):
                change += factors[line] * lines[line, other]
            links[unit, low + other] = keep * links[unit, low + other] + rate * change


@njit(cache=True, error_model="numpy")
def _move_visible(tile, visible, last, rates, bias, velocity, along_hidden):
    if tile >= n_tiles(visible.shape[1]):
        return
    rate, momentum = visible.dtype.type(rates[0]), visible.dtype.type(rates[1])
    low, high = edge(tile, visible.shape[1]), edge(tile + 1, visible.shape[1])
    speed, change = velocity[low:high], visible[last + 1][low:high]
    for unit in range(len(speed)):
        speed[unit] = momentum * speed[unit] - rate * change[unit]
    for row in range(len(visible)):
        _add(speed, -rate * along_hidden[row], visible[row][low:high])
    _add(bias[low:high], visible.dtype.type(1), speed)


@njit(cache=True, error_model="numpy")
def _move_hidden(tile, hidden, last, rates, bias, velocity, along_visible):
    if tile >= n_tiles(hidden.shape[1]):
        return
    rate, momentum = hidden.dtype.type(rates[0]), hidden.dtype.type(rates[1])
    low, high = edge(tile, hidden.shape[1]), edge(tile + 1, hidden.shape[1])
    speed, change, sparse = velocity[low:high], hidden[last][low:high], hidden[last + 2][low:high]
    for unit in range(len(speed)):
        speed[unit] = momentum * speed[unit] + rate * (change[unit] + sparse[unit])
    for row in range(len(hidden)):
        _add(speed, -rate * along_visible[row], hidden[row][low:high])
    _add(bias[low:high], hidden.dtype.type(1), speed)


@njit(cache=True, error_model="numpy")
def follow(rates, gradient, weights, velocity, gradients, biases, velocities, offsets, means, activity, clock):
    """Follow a gradient that is given, and let the offsets slide: what :func:`climb` does once it has its sums.

    Parameters
    ----------
    rates : float64 array
        As :func:`climb` takes them; cost and target of sparsity are in the gradient already.
    gradient, weights, velocity : float arrays, shape (n_visible, n_hidden)
    gradients, biases, velocities : tuples of two float arrays, shape (n_visible,) and (n_hidden,)
    offsets, means : tuples of two float arrays, shape (n_visible,) and (n_hidden,)
        What slides, and where to.
    activity : float array, shape (n_hidden,)
        Running mean of the hidden units.
    clock : int64 array, shape (1,)
        Counts the steps.
    """
    kind = weights.dtype.type
    rate, momentum, decay, slide = kind(rates[0]), kind(rates[1]), kind(1.0 - rates[0] * rates[2]), kind(rates[3])
    velocity[:] = momentum * velocity + rate * gradient
    weights[:] = decay * weights + velocity
    for which in range(2):
        velocities[which][:] = momentum * velocities[which] + rate * gradients[which]
        biases[which][:] += velocities[which]
        offsets[which][:] += slide * (means[which] - offsets[which])
    activity[:] += kind(rates[6]) * (means[1] - activity)
    clock[0] += 1
