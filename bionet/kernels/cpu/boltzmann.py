"""Gibbs sampling of a general Boltzmann machine: one unit after the other, in blocks whose fields are summed together.

Weights are rounded to whole numbers of 16 bits, each unit's to its own measure, and what the fields can err by for it
is summed up. A unit comes on if its field is above a bar, which the draw sets. Nearly every field lies farther from its
bar than it can err; the rest are summed again in double precision. So the states are those of double precision, and
neither the size of a block nor the number of threads has a part in them.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import get_num_threads, njit, prange, types
from numba.extending import intrinsic

from bionet.kernels.cpu import registers, subsets
from bionet.kernels.cpu.logistic import logistic
from bionet.kernels.cpu.subsets import aligned, dot
from bionet.kernels.cpu.vectors import wide
from bionet.random import words

GROUP = 512
"""Chains that a thread takes through the sweeps together, at most."""
FEW = 8
"""Chains of a thread that tables are not worth the while for, at most: each is summed in double precision."""
TURNS = 8
"""Units that have their turn before what they changed reaches the fields of later blocks of so many."""

sums = registers if registers.available() else subsets
"""The tables that fields are summed from, for the processor at hand."""
PANEL, WIDTH = sums.PANEL, sums.WIDTH

_LARGEST = 32500.0
"""Of a sum over a panel of rounded weights, but for their rounding: half a unit each."""

_EXACT = 1.6e7
"""Of a sum over all of them, but for their rounding: whole numbers up to 2**24 are exact in single precision."""

_FINEST = 1e-12
"""Measure of weights times beta, at least: draws of 32 bits need no finer one."""


def sweeps(states, weights, bias, orders, beta, lift, key, step):
    """Give units their turn, 1 with probability 1 / (1 + exp(-beta field - lift)), else 0.

    Parameters
    ----------
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
        Of a :class:`bionet.random.Stream`. Sweep number k draws at step ``step + k`` and, for unit i of chain c, word
        ``c % 4`` at index ``c // 4 * n_units + i``, whatever thread computes it: the middle of one of 2**32 equal parts
        of the interval from 0 to 1.
    step : int
    """
    if len(states) <= FEW * get_num_threads():
        _chain_by_chain(states, weights, bias, orders, beta, lift, key, step)
        return
    size = max(4, min(GROUP, -(-len(states) // (4 * get_num_threads())) * 4))
    _sweeps(states, weights, bias, orders, beta, lift, key, step, size)


@njit(cache=True, parallel=True)
def _chain_by_chain(states, weights, bias, orders, beta, lift, key, step):
    n_units = len(weights)
    for c in prange(len(states)):
        state = states[c]
        for k in range(len(orders)):
            for i in orders[k]:
                word = words(key, step + k, c // 4 * n_units + i)[c % 4]
                chance = logistic(beta * (bias[i] + dot(weights[i], state)) + lift[i])
                state[i] = (word + 0.5) * 2.0**-32 < chance


@njit(cache=True, parallel=True, error_model="numpy")
def _sweeps(states, weights, bias, orders, beta, lift, key, step, size):
    n_chains, n_units = states.shape
    rough = np.empty((n_units, sums.EACH * len(sums.pack(states[:0]))), dtype=np.int16)
    law = np.empty((n_units, 3), dtype=np.float32)
    for i in prange(n_units):
        law[i] = _measured(weights[i], bias[i], beta, lift[i], rough[i])
    for count in prange(-(-n_chains // size)):
        group = np.int64(count)
        own = states[group * size : (group + 1) * size]
        codes = sums.pack(own)
        n_places = sums.n_places(codes)
        room, units = sums.room_for(n_places), np.empty(WIDTH, dtype=np.int64)
        fields = aligned(WIDTH * n_places, np.float32).reshape(WIDTH, n_places)
        for k in range(len(orders)):
            for start in range(0, orders.shape[1], WIDTH):
                block = orders[k, start : start + WIDTH]
                units[:] = block[0]
                units[: len(block)] = block
                sums.add_up(units, rough, codes, room, fields)
                first = group * size // 4 * n_units
                _take_turns(block, rough, law, fields, codes, weights, bias, beta, lift, key, step + k, first)
        sums.unpack(codes, own)


@njit(cache=True, fastmath={"reassoc"}, error_model="numpy")
def _measured(row, bias, beta, lift, rough):
    """Round a unit's weights; return what a bar is, as a multiple of the draw's logit and a rest, and what may err.

    With e the rounding errors, a field errs by between the sum of those below 0 and the sum of those above. A bar, in
    single precision, errs by less than 2**-15 of the multiple (a logit is below 23) and 2**-20 of the rest.
    """
    wide()
    most, whole, magnitude = 0.0, 0.0, 0.0
    for low in range(0, len(row), PANEL):
        total, size = 0.0, 0.0
        for j in range(low, min(low + PANEL, len(row))):
            total += row[j]
            size += abs(row[j])
        most = max(most, 0.5 * (size + abs(total)))
        whole, magnitude = whole + total, magnitude + size
    unit = max(most / _LARGEST, 0.5 * (magnitude + abs(whole)) / _EXACT, _FINEST / beta)
    rough[:] = 0
    if not 1e-290 < unit < 1e290:
        return 0.0, 0.0, np.inf
    per, total, size = 1.0 / unit, 0.0, 0.0
    for j in range(len(row)):
        exact = row[j] * per
        whole = np.rint(exact)
        rough[j] = np.int16(np.int32(whole))
        total += exact - whole
        size += abs(exact - whole)
    multiple, rest = per / beta, -per * (lift / beta + bias)
    reach = 1e-6 + 0.500001 * (size + abs(total)) + 2.0**-15 * multiple + 2.0**-20 * abs(rest)
    if not reach < 1e30:
        return 0.0, 0.0, np.inf
    return multiple, rest, reach


@njit(cache=True)
def _take_turns(block, rough, law, fields, codes, weights, bias, beta, lift, key, step, first):
    """Give the units of a block their turn, in all chains of a group at once."""
    n_places, n_units = fields.shape[1], len(weights)
    luck, goal, doubt = aligned(n_places, np.uint32), aligned(n_places, np.uint8), aligned(n_places, np.uint8)
    changes = aligned(TURNS * n_places, np.float32).reshape(TURNS, n_places)
    links = np.zeros((WIDTH, WIDTH), dtype=np.float32)
    for later in range(len(block)):
        row = rough[block[later]]
        for place in range(later):
            links[place, later] = row[block[place]]
    for start in range(0, len(block), TURNS):
        end = min(start + TURNS, len(block))
        for place in range(start, end):
            i = block[place]
            _throw(key, step, first + i, n_units, luck)
            _compare(fields[place], luck, law[i, 0], law[i, 1], law[i, 2], goal, doubt)
            _decide_again(doubt, goal, luck, codes, weights[i], bias[i], beta, lift[i])
            sums.turn(codes, i, goal, changes[place - start])
            for later in range(place + 1, end):
                _add(fields[later], links[place, later], changes[place - start])
        for later in range(start + TURNS, WIDTH, 2):
            _add_eight(fields[later], fields[later + 1], changes, links[start : start + TURNS, later : later + 2])


@njit(cache=True)
def _throw(key, step, index, n_units, luck):
    """Draw a word for each chain."""
    wide()
    n = len(luck) // 4
    a, b, c, d = luck[:n], luck[n : 2 * n], luck[2 * n : 3 * n], luck[3 * n :]
    for q in range(n):
        w, x, y, z = words(key, step, index + q * n_units)
        a[q], b[q], c[q], d[q] = np.uint32(w), np.uint32(x), np.uint32(y), np.uint32(z)


@njit(cache=True, error_model="numpy")
def _compare(field, luck, multiple, rest, reach, goal, doubt):
    """Say which fields are above their bar, and which are too near to it to tell, or have none."""
    wide()
    for c in range(len(field)):
        over = field[c] - (multiple * logit(luck[c]) + rest)
        goal[c] = over > 0
        doubt[c] = not abs(over) > reach


@njit(cache=True)
def _decide_again(doubt, goal, luck, codes, row, bias, beta, lift):
    eights = doubt.view(np.uint64)
    for k in range(len(eights)):
        if eights[k]:
            for c in range(8 * k, 8 * k + 8):
                if doubt[c]:
                    chance = logistic(beta * (bias + sums.add_exactly(row, codes, c)) + lift)
                    goal[c] = (luck[c] + 0.5) * 2.0**-32 < chance


@njit(cache=True, fastmath={"contract"})
def _add(field, link, change):
    wide()
    for c in range(len(field)):
        field[c] += link * change[c]


@njit(cache=True, fastmath={"contract"})
def _add_eight(one, other, changes, links):
    """Add to the fields of two units what eight units have changed; all of it whole numbers."""
    wide()
    a, b, c, d, e, f, g, h = links[:, 0]
    p, q, r, s, t, u, v, w = links[:, 1]
    for k in range(len(one)):
        i, j, m, n = changes[0, k], changes[1, k], changes[2, k], changes[3, k]
        x, y = one[k] + a * i + b * j + c * m + d * n, other[k] + p * i + q * j + r * m + s * n
        i, j, m, n = changes[4, k], changes[5, k], changes[6, k], changes[7, k]
        one[k], other[k] = x + e * i + f * j + g * m + h * n, y + t * i + u * j + v * m + w * n


@njit(cache=True, forceinline=True, error_model="numpy")
def logit(word):
    """Return log(u / (1 - u)) for u = (word + 1/2) / 2**32, to 2**-17, in single precision.

    Of a = 2**i p the logarithm is i log 2 + log p, and log p - log q = 2 artanh((p - q) / (p + q)).
    """
    half, one, below = np.float32(0.5), np.int32(0x3F800000), np.int32(0x007FFFFF)
    a, b = _bits(_float(word) + half), _bits(_float(~word) + half)
    p, q = _of_bits(np.int32(a & below | one)), _of_bits(np.int32(b & below | one))
    doublings = np.float32(np.int32((a >> np.int32(23)) - (b >> np.int32(23))))
    return doublings * np.float32(np.log(2.0)) + _series((p - q) / (p + q))


@intrinsic
def _float(typing, word):
    """Return an unsigned word as a number, which LLVM has an instruction for, and Numba takes a way round to."""
    return types.float32(types.uint32), lambda context, builder, signature, arguments: builder.uitofp(
        arguments[0], ir.FloatType()
    )


@intrinsic
def _bits(typing, x):
    return types.int32(types.float32), lambda context, builder, signature, arguments: builder.bitcast(
        arguments[0], ir.IntType(32)
    )


@intrinsic
def _of_bits(typing, x):
    return types.float32(types.int32), lambda context, builder, signature, arguments: builder.bitcast(
        arguments[0], ir.FloatType()
    )


@intrinsic
def _series(typing, s):
    """Return 2 artanh(s) = 2s (1 + s^2/3 + s^4/5 + ...) for s of at most 1/3 in size."""

    def code(context, builder, signature, arguments):
        kind, s = ir.FloatType(), arguments[0]
        square, value = builder.fmul(s, s), kind(1.0 / 15)
        for n in reversed(range(7)):
            value = builder.fma(value, square, kind(1.0 / (2 * n + 1)))
        return builder.fmul(builder.fadd(s, s), value)

    return types.float32(types.float32), code
