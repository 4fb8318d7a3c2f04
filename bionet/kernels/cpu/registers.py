"""Sums of weights over the units that are on, as :mod:`bionet.kernels.cpu.subsets` has them, from tables in registers.

Five units are on in 32 ways, and a vector of 512 bits is a table of 32 sums. One instruction, for processors with
AVX-512, looks up in it for 32 chains at once. A unit's table serves all chains before the next one is made.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from bionet.kernels.cpu.subsets import aligned, dot, load, store, vector_at
from bionet.kernels.cpu.vectors import wide

WIDTH = 8
"""Units whose sums are made together."""
EACH = 5
"""Units of a code."""
BATCH = 12
"""Codes whose sums have 16 bits, before they are added to those of 32."""
PANEL = EACH * BATCH
"""Units of so many codes."""

_LANES = 32
_DOWN, _ACROSS = 4, 4
"""Units and vectors of chains whose sums are in registers together."""

_BYTE, _SHORT, _WHOLE = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_SHORTS, _WHOLES = ir.VectorType(_SHORT, _LANES), ir.VectorType(_WHOLE, _LANES // 2)


def available() -> bool:
    """Say whether the processor that Numba compiles for has the instruction."""
    return "+avx512bw" in cpu_target.target_context.codegen().magic_tuple()[2].split(",")


@njit(cache=True)
def pack(states):
    """Return states of 0 and 1, shape (n_chains, n_units), as uint32 codes, shape (n_codes, half of the places).

    A code has five units of two chains, one half of the places apart: in bits 0 to 4 and 16 to 20. The numbers of codes
    and of places are rounded up. The place of chain c is ``c % 4 * quarter + c // 4``, with a quarter of the places:
    what is drawn for four chains together lies apart.
    """
    n_chains, n_units = states.shape
    quarter = (n_chains + _LANES - 1) // _LANES * _LANES // 4
    n_codes = (n_units + PANEL - 1) // PANEL * BATCH
    codes = aligned(n_codes * 2 * quarter, np.uint32).reshape(n_codes, 2 * quarter)
    for c in range(n_chains):
        half, place = divmod(c % 4 * quarter + c // 4, 2 * quarter)
        for i in range(n_units):
            codes[i // EACH, place] |= np.uint32(states[c, i]) << np.uint32(i % EACH + 16 * half)
    return codes


@njit(cache=True)
def n_places(codes):
    """Return the number of places for chains."""
    return 2 * codes.shape[1]


@njit(cache=True)
def unpack(codes, states):
    """Fill in the states that were packed."""
    n_chains, n_units = states.shape
    quarter = codes.shape[1] // 2
    for c in range(n_chains):
        half, place = divmod(c % 4 * quarter + c // 4, 2 * quarter)
        for i in range(n_units):
            states[c, i] = codes[i // EACH, place] >> np.uint32(i % EACH + 16 * half) & np.uint32(1)


@njit(cache=True)
def turn(codes, unit, goal, change):
    """Write down what a unit is in each chain from now on, 0 or 1, and by how much that changes it."""
    wide()
    row, bit, n = codes[unit // EACH], np.uint32(unit % EACH), codes.shape[1]
    for c in range(n):
        one, other = np.uint32(goal[c]), np.uint32(goal[n + c])
        turned = (row[c] >> bit) ^ (one | other << np.uint32(16))
        a, b = turned & np.uint32(1), turned >> np.uint32(16) & np.uint32(1)
        change[c] = np.float32(np.int32(a) * (2 * np.int32(one) - 1))
        change[n + c] = np.float32(np.int32(b) * (2 * np.int32(other) - 1))
        row[c] ^= (a | b << np.uint32(16)) << bit


@njit(cache=True)
def room_for(n):
    """Return room for tables, and for sums at so many places."""
    return aligned(WIDTH * BATCH * _LANES, np.int16), aligned(WIDTH * n, np.int32).reshape(WIDTH, n)


@njit(cache=True)
def add_up(units, rough, codes, room, fields):
    """Fill in the sums of the weights of some units over what is on in each chain.

    Parameters
    ----------
    units : int64 array, shape (8,)
    rough : int16 array, shape (n_units, 5 * n_codes)
        Weights, zeros beyond the last unit; no sum over a panel leaves 16 bits.
    codes : uint32 array, shape (n_codes, n_places / 2)
        From :func:`pack`.
    room : tuple of arrays
        From :func:`room_for`.
    fields : float32 array, shape (8, n_places)
        On a cache line.
    """
    wide()
    tables, total = room
    n_codes, n_words = codes.shape
    total[:] = 0
    for first in range(0, n_codes, BATCH):
        for k in range(WIDTH):
            _tabulate(rough, units[k], first, tables, k)
        whole = n_words // (_ACROSS * _LANES // 2) * (_ACROSS * _LANES // 2)
        for k in range(0, WIDTH, _DOWN):
            for place in range(0, whole, _ACROSS * _LANES // 2):
                _add_many(tables, codes, first, k, place, total)
            for place in range(whole, n_words, _LANES // 2):
                _add_one(tables, codes, first, k, place, total)
    for k in range(WIDTH):
        for place in range(2 * n_words):
            fields[k, place] = total[k, place]


@njit(cache=True)
def add_exactly(row, codes, place):
    """Return the sum of the weights over what is on in one chain, in double precision."""
    n_codes, n = codes.shape
    own, state = np.empty(n_codes, dtype=np.uint8), np.empty(n_codes * EACH + 64 - PANEL, dtype=np.uint8)
    for k in range(n_codes):
        own[k] = codes[k, place % n] >> np.uint32(place // n * 16)
    for first in range(0, n_codes, BATCH):
        _spread(own, first, state)
    return dot(row, state)


@intrinsic
def _spread(typing, codes, first, state):
    """Give each unit of a panel a byte."""

    def code(context, builder, signature, arguments):
        own, start, out = arguments
        index, many = start.type, ir.VectorType(_BYTE, 64)
        few = load(builder, vector_at(context, builder, codes, own, start, _BYTE, BATCH), 1)
        which = ir.Constant(ir.VectorType(_WHOLE, 64), [i // EACH % BATCH for i in range(64)])
        bits = ir.Constant(many, [1 << i % EACH for i in range(64)])
        found = builder.and_(builder.shuffle_vector(few, ir.Constant(few.type, ir.Undefined), which), bits)
        ones = builder.zext(builder.icmp_unsigned("!=", found, ir.Constant(many, None)), many)
        where = vector_at(context, builder, state, out, builder.mul(start, index(EACH)), _BYTE, 64)
        # The last four bytes are the next panel's, which comes after, or nobody's.
        builder.store(ones, where).align = 1
        return context.get_dummy_value()

    return types.void(codes, types.int64, state), code


@intrinsic
def _tabulate(typing, rough, unit, first, tables, number):
    """Fill in a unit's tables for a panel: the sums of all subsets of the five weights of each code."""

    def code(context, builder, signature, arguments):
        index, half = arguments[1].type, ir.VectorType(_SHORT, _LANES // 2)
        given = context.make_array(rough)(context, builder, arguments[0])
        width = cgutils.unpack_tuple(builder, given.shape)[1]
        start = builder.add(builder.mul(arguments[1], width), builder.mul(arguments[2], index(EACH)))
        into = builder.mul(arguments[4], index(BATCH * _LANES))
        for k in range(BATCH):
            sums = ir.Constant(half, None)
            for bit in range(EACH):
                weight = builder.load(builder.gep(given.data, [builder.add(start, index(EACH * k + bit))]))
                all_ = builder.insert_element(ir.Constant(half, ir.Undefined), weight, _WHOLE(0))
                all_ = builder.shuffle_vector(all_, all_, ir.Constant(ir.VectorType(_WHOLE, _LANES // 2), None))
                if bit < EACH - 1:
                    on = ir.Constant(half, [-(way >> bit & 1) for way in range(_LANES // 2)])
                    sums = builder.add(sums, builder.and_(all_, on))
                else:
                    order = ir.Constant(ir.VectorType(_WHOLE, _LANES), list(range(_LANES)))
                    sums = builder.shuffle_vector(sums, builder.add(sums, all_), order)
            there = builder.add(into, index(k * _LANES))
            store(builder, sums, vector_at(context, builder, tables, arguments[3], there, _SHORT, _LANES))
        return context.get_dummy_value()

    return types.void(rough, types.int64, types.int64, tables, types.int64), code


def _adding(across):
    """Return what adds to the sums of four units in so many vectors of 32 chains what a panel gives."""

    @intrinsic
    def add(typing, tables, codes, first, number, place, total):
        def code(context, builder, signature, arguments):
            sums_of, words, first, number, place, out = arguments
            index, sums = first.type, [[None] * across for _ in range(_DOWN)]
            n_words = cgutils.unpack_tuple(builder, context.make_array(codes)(context, builder, words).shape)[1]
            n_places = cgutils.unpack_tuple(builder, context.make_array(total)(context, builder, out).shape)[1]
            places = [builder.add(place, index(_LANES // 2 * v)) for v in range(across)]
            for k in range(BATCH):
                row, found = builder.mul(builder.add(first, index(k)), n_words), []
                for each in places:
                    there = vector_at(context, builder, codes, words, builder.add(row, each), _WHOLE, _LANES // 2)
                    found.append(builder.bitcast(load(builder, there), _SHORTS))
                for u in range(_DOWN):
                    which = builder.add(builder.mul(number, index(BATCH)), index(u * BATCH + k))
                    there = builder.mul(which, index(_LANES))
                    table = load(builder, vector_at(context, builder, tables, sums_of, there, _SHORT, _LANES))
                    for v in range(across):
                        part = _call(builder, "permvar.hi.512", _SHORTS, table, found[v])
                        sums[u][v] = builder.add(sums[u][v], part) if k else part
            for u in range(_DOWN):
                row = builder.mul(builder.add(number, index(u)), n_places)
                for v in range(across):
                    for half in range(2):
                        # The sum of each two neighbours' products with 1 and 0, or 0 and 1: one of the two, in 32 bits.
                        pick = ir.Constant(_SHORTS, [1 - half, half] * (_LANES // 2))
                        part = _call(builder, "pmaddw.d.512", _WHOLES, sums[u][v], pick)
                        where = builder.add(row, builder.add(places[v], n_words) if half else places[v])
                        own = vector_at(context, builder, total, out, where, _WHOLE, _LANES // 2)
                        store(builder, builder.add(load(builder, own), part), own)
            return context.get_dummy_value()

        numbers = types.int64, types.int64, types.int64
        return types.void(tables, codes, *numbers, total), code

    return add


def _call(builder, name, result, *arguments):
    kind = ir.FunctionType(result, [each.type for each in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512." + name), arguments)


_add_many, _add_one = _adding(_ACROSS), _adding(1)
