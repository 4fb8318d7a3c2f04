"""Sums of weights over the units that are on, without a multiplication: from tables of the sums of all subsets of four.

Four units are on in 16 ways. For 64 units at once, a table has the sum of the four units' weights for each way; a chain
adds one row of it for every four units (Arlazarov, Dinic, Kronrod, Faradzhev 1970, "the method of four Russians").
Weights are whole numbers of 16 bits, so that sums are exact, whatever their order. The vectors of these loops are
written out, since no compiler finds them; on a processor without such wide ones they become several.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from bionet.kernels.cpu.vectors import wide

WIDTH = 64
"""Units whose sums are made together."""
EACH = 4
"""Units of a code."""
BATCH = 16
"""Tables that are there at a time: 32 kB, the fastest cache."""
PANEL = EACH * BATCH
"""Units whose sums have 16 bits, before they are added to those of 32."""
SIDE = 16
"""Chains that are turned over together; their number is to be a multiple of it."""

_SHORT, _WHOLE, _REAL = ir.IntType(16), ir.IntType(32), ir.FloatType()


@njit(cache=True)
def aligned(n, dtype):
    """Return ``n`` zeros that begin where a cache line does."""
    whole = np.zeros(n + 64, dtype=dtype)
    start = (64 - whole.ctypes.data % 64) % 64 // whole.itemsize
    return whole[start : start + n]


@njit(cache=True)
def pack(states):
    """Return states of 0 and 1, shape (n_chains, n_units), four units in a code, shape (n_codes, places of chains).

    The numbers of codes and of places are rounded up. Chain c is at ``c % 4 * quarter + c // 4``, with a quarter of the
    places: what is drawn for four chains together lies apart.
    """
    n_chains, n_units = states.shape
    quarter = (n_chains + SIDE - 1) // SIDE * SIDE // 4
    codes = np.zeros(((n_units + 4 * BATCH - 1) // (4 * BATCH) * BATCH, 4 * quarter), dtype=np.uint8)
    for c in range(n_chains):
        for i in range(n_units):
            codes[i // 4, c % 4 * quarter + c // 4] |= states[c, i] << (i % 4)
    return codes


@njit(cache=True)
def n_places(codes):
    """Return the number of places for chains."""
    return codes.shape[1]


@njit(cache=True)
def unpack(codes, states):
    """Fill in the states that were packed."""
    n_chains, n_units = states.shape
    quarter = codes.shape[1] // 4
    for c in range(n_chains):
        for i in range(n_units):
            states[c, i] = codes[i // 4, c % 4 * quarter + c // 4] >> (i % 4) & 1


@njit(cache=True)
def turn(codes, unit, goal, change):
    """Write down what a unit is in each chain from now on, 0 or 1, and by how much that changes it."""
    wide()
    row, bit = codes[unit // 4], np.uint8(unit % 4)
    for c in range(len(row)):
        before = (row[c] >> bit) & np.uint8(1)
        change[c] = np.float32(np.int32(goal[c]) - np.int32(before))
        row[c] ^= (before ^ goal[c]) << bit


@njit(cache=True)
def add_up(units, rough, codes, room, fields):
    """Fill in the sums of the weights of some units over what is on in each chain.

    Parameters
    ----------
    units : int64 array, shape (64,)
    rough : int16 array, shape (n_units, 4 * n_codes)
        Weights, zeros beyond the last unit; no sum over a panel leaves 16 bits.
    codes : uint8 array, shape (n_codes, n_places)
        From :func:`pack`.
    room : tuple of arrays
        From :func:`room_for`.
    fields : float32 array, shape (64, n_places)
        On a cache line.
    """
    wide()
    n_codes, n_places = codes.shape
    rows, tables, total = room
    total[:] = 0
    for first in range(0, n_codes, BATCH):
        _collect(rough, units, 4 * first, rows)
        for k in range(BATCH):
            _tabulate(rows, tables, k)
        some = codes[first : first + BATCH]
        for place in range(n_places):
            _add_rows(tables, some, place, total)
    for place in range(0, n_places, SIDE):
        _turn_over(total, place, fields)


@njit(cache=True)
def room_for(n):
    """Return room for weights and tables, and for sums at so many places."""
    rows, tables = aligned(4 * BATCH * WIDTH, np.int16), aligned(16 * BATCH * WIDTH, np.int16)
    return rows, tables, aligned(n * WIDTH, np.int32)


@njit(cache=True)
def add_exactly(row, codes, place):
    """Return the sum of the weights over what is on in one chain, in double precision."""
    state = np.empty(len(codes), dtype=np.uint32)
    _spread(codes, place, state)
    return dot(row, state.view(np.uint8))


@njit(cache=True)
def _spread(codes, place, state):
    """Give each of the four units of a code a byte."""
    wide()
    for k in range(len(codes)):
        state[k] = (np.uint32(codes[k, place]) * np.uint32(0x204081)) & np.uint32(0x01010101)


@njit(cache=True, fastmath={"reassoc"})
def dot(row, state):
    """Return the sum of the weights over what is on, in double precision."""
    wide()
    total = 0.0
    for j in range(len(row)):
        total += row[j] * np.float64(np.int32(state[j]))
    return total


def vector_at(context, builder, kind, array, index, element, lanes):
    """Return the address of some numbers of an array, side by side, as one vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(element, lanes).as_pointer())


def load(builder, address, align=64):
    """Return what is at an address; from a cache line's beginning, if nothing else is said."""
    value = builder.load(address)
    value.align = align
    return value


def store(builder, value, address):
    """Write to an address, where a cache line begins."""
    builder.store(value, address).align = 64


def _turned(builder, rows):
    """Return the transpose of vectors, a power of two of them: as many riffles as that power."""
    lanes = rows[0].type.count
    orders = []
    for low in (0, lanes // 2):
        pairs = zip(range(low, low + lanes // 2), range(low + lanes, low + lanes + lanes // 2), strict=True)
        orders.append(ir.VectorType(_WHOLE, lanes)([k for pair in pairs for k in pair]))
    for _ in range(len(rows).bit_length() - 1):
        half = len(rows) // 2
        pairs = zip(rows[:half], rows[half:], strict=True)
        rows = [builder.shuffle_vector(*pair, order) for pair in pairs for order in orders]
    return rows


@intrinsic
def _collect(typing, rough, units, first, rows):
    """Fill in the weights of all units at hand from a batch of others: a row for each of those."""

    def code(context, builder, signature, arguments):
        lanes, index = 4 * BATCH, arguments[2].type
        table = context.make_array(rough)(context, builder, arguments[0])
        at = context.make_array(units)(context, builder, arguments[1]).data
        width, found = cgutils.unpack_tuple(builder, table.shape)[1], []
        for k in range(WIDTH):
            start = builder.mul(builder.load(builder.gep(at, [index(k)])), width)
            where = builder.add(start, arguments[2])
            found.append(load(builder, vector_at(context, builder, rough, arguments[0], where, _SHORT, lanes), 2))
        for k, each in enumerate(_turned(builder, found)):
            store(builder, each, vector_at(context, builder, rows, arguments[3], index(k * lanes), _SHORT, lanes))
        return context.get_dummy_value()

    return types.void(rough, units, types.int64, rows), code


@intrinsic
def _tabulate(typing, rows, tables, k):
    """Fill in table ``k`` with the sums of all subsets of its four rows."""

    def code(context, builder, signature, arguments):
        index = arguments[2].type

        def row(kind, array, number):
            return vector_at(context, builder, kind, array, builder.mul(number, index(WIDTH)), _SHORT, WIDTH)

        sums, first = [ir.Constant(ir.VectorType(_SHORT, WIDTH), None)], builder.mul(arguments[2], index(4))
        for bit in range(4):
            own = load(builder, row(rows, arguments[0], builder.add(first, index(bit))))
            sums += [builder.add(each, own) for each in sums]
        for number, each in enumerate(sums):
            there = builder.add(builder.mul(arguments[2], index(16)), index(number))
            store(builder, each, row(tables, arguments[1], there))
        return context.get_dummy_value()

    return types.void(rows, tables, types.int64), code


@intrinsic
def _add_rows(typing, tables, codes, place, total):
    """Add to the sums of a chain the row of each table that its code tells."""

    def code(context, builder, signature, arguments):
        index, part = arguments[2].type, ir.Constant(ir.VectorType(_SHORT, WIDTH), None)
        table = context.make_array(codes)(context, builder, arguments[1])
        stride = cgutils.unpack_tuple(builder, table.strides)[0]
        for k in range(BATCH):
            where = builder.add(builder.mul(stride, index(k)), arguments[2])
            way = builder.zext(builder.load(builder.gep(table.data, [where])), index)
            row = builder.mul(builder.add(way, index(16 * k)), index(WIDTH))
            part = builder.add(
                part, load(builder, vector_at(context, builder, tables, arguments[0], row, _SHORT, WIDTH))
            )
        start = builder.mul(arguments[2], index(WIDTH))
        own = vector_at(context, builder, total, arguments[3], start, _WHOLE, WIDTH)
        store(builder, builder.add(load(builder, own), builder.sext(part, ir.VectorType(_WHOLE, WIDTH))), own)
        return context.get_dummy_value()

    return types.void(tables, codes, types.int64, total), code


@intrinsic
def _turn_over(typing, total, place, fields):
    """Write the sums of 16 chains, chain by chain, unit by unit."""

    def code(context, builder, signature, arguments):
        index = arguments[1].type
        width = cgutils.unpack_tuple(builder, context.make_array(fields)(context, builder, arguments[2]).shape)[1]
        for low in range(0, WIDTH, SIDE):
            found = []
            for c in range(SIDE):
                where = builder.add(builder.mul(builder.add(arguments[1], index(c)), index(WIDTH)), index(low))
                found.append(load(builder, vector_at(context, builder, total, arguments[0], where, _WHOLE, SIDE)))
            for k, each in enumerate(_turned(builder, found)):
                where = builder.add(builder.mul(index(low + k), width), arguments[1])
                there = vector_at(context, builder, fields, arguments[2], where, _REAL, SIDE)
                store(builder, builder.sitofp(each, ir.VectorType(_REAL, SIDE)), there)
        return context.get_dummy_value()

    return types.void(total, types.int64, fields), code
