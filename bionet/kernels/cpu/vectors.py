"""Vectors of a fixed number of lanes inside compiled loops: what LLVM would not find by itself in a loop over a row.

An array handed to one of these is taken by its address; no index is checked. Vectors are longer than those of most
processors, and LLVM makes of each as many as it takes, in the order of the lanes: results are the same on all of them.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

WORD = 32
"""Bits of a word, which are the states of so many neighbours."""
FEW, MANY = (4, 4, 4, 4), (5, 5, 6)
"""How half a word falls into groups of neighbours, for few rows of states and for many: a group of g has 2^g sums."""
FEW_BYTES, MANY_BYTES = 128, 64
"""Bytes of a row of sums: either way the tables of a word take 16 KiB, half of a small first-level cache."""
LINE = 64
"""Bytes of a line of the cache, of what is advanced at once, and of a side of the squares that are transposed."""

_BYTE, _WORD, _LONG = ir.IntType(8), ir.IntType(WORD), ir.IntType(64)


@intrinsic
def wide(typing):
    """Let the loops of the function at hand take vectors of 512 bits where the processor has them.

    LLVM prefers 256 bits, for the sake of processors that slow down; what is computed here takes long enough to gain.
    """

    def generate(context, builder, signature, arguments):
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


def _vector(context, array, n):
    """Return the type of so many numbers of an array."""
    return ir.VectorType(context.get_value_type(array.dtype), n)


def _place(context, builder, kind, array, indices, vector):
    """Return a pointer to the vector at an element of an array."""
    view = make_array(kind)(context, builder, array)
    place = builder.ptrtoint(view.data, _LONG)
    for index, stride in zip(indices, cgutils.unpack_tuple(builder, view.strides, kind.ndim), strict=True):
        place = builder.add(place, builder.mul(index, stride))
    return builder.inttoptr(place, vector.as_pointer())


def _all(builder, value, vector):
    """Return the vector whose lanes are all one value."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _WORD(0))
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), _lanes([0] * vector.count))


def _lanes(numbers):
    return ir.Constant(ir.VectorType(_WORD, len(numbers)), list(numbers))


@intrinsic
def equal(typing, row, first, value):
    """Return a word that tells which of the 32 numbers of a row, from ``first``, are a value; the lowest bit first."""

    def generate(context, builder, signature, arguments):
        vector = _vector(context, row, WORD)
        array, index, number = arguments
        given = builder.load(_place(context, builder, row, array, [index], vector), align=row.dtype.bitwidth // 8)
        return builder.bitcast(builder.fcmp_ordered("==", given, _all(builder, number, vector)), _WORD)

    return types.uint32(row, types.intp, row.dtype), generate


@intrinsic
def transpose(typing, source, row, column, out, out_row, out_column):
    """Copy a square of numbers from one array of two axes to another, turned about its diagonal."""

    def generate(context, builder, signature, arguments):
        side = LINE * 8 // out.dtype.bitwidth
        vector, align = _vector(context, out, side), out.dtype.bitwidth // 8
        given, i, j, taken, to_i, to_j = arguments

        def place(kind, array, down, across, step):
            return _place(context, builder, kind, array, [builder.add(down, _LONG(step)), across], vector)

        lines = [builder.load(place(source, given, i, j, step), align=align) for step in range(side)]
        # A perfect shuffle of all numbers turns the bits of their places by one; half of the bits are the row's.
        halves = [_lanes([lane // 2 + start + side * (lane % 2) for lane in range(side)]) for start in (0, side // 2)]
        for _ in range(side.bit_length() - 1):
            pairs = zip(lines[: side // 2], lines[side // 2 :], strict=True)
            lines = [builder.shuffle_vector(*pair, half) for pair in pairs for half in halves]
        for step, line in enumerate(lines):
            builder.store(line, place(out, taken, to_i, to_j, step), align=align)
        return context.get_dummy_value()

    places = types.intp, types.intp
    return types.void(source, *places, out, *places), generate


@intrinsic
def advance(typing, out, place, keep, rate, sums, given, lines, first, factors):
    """Set some numbers of a row to ``keep`` times themselves and ``rate`` times what is given.

    That is the sums, and three lines times their factors: as many numbers as a line of the cache holds, in ``out`` from
    row and column ``place``, in ``sums`` from ``given``, in the ``lines`` from column ``first``.
    """

    def generate(context, builder, signature, arguments):
        target, where, old, new, given_sums, source, given_lines, start, shares = arguments
        align = out.dtype.bitwidth // 8
        vector = _vector(context, out, LINE // align)
        spot = _place(context, builder, sums, given_sums, cgutils.unpack_tuple(builder, source, 2), vector)
        total = builder.load(spot, align=align)
        for line, share in enumerate(cgutils.unpack_tuple(builder, shares, 3)):
            spot = _place(context, builder, lines, given_lines, [_LONG(line), start], vector)
            part = builder.fmul(_all(builder, share, vector), builder.load(spot, align=align))
            total = builder.fadd(total, part)
        spot = _place(context, builder, out, target, cgutils.unpack_tuple(builder, where, 2), vector)
        kept = builder.fmul(_all(builder, old, vector), builder.load(spot, align=align))
        builder.store(builder.fadd(kept, builder.fmul(_all(builder, new, vector), total)), spot, align=align)
        return context.get_dummy_value()

    places, number = types.UniTuple(types.intp, 2), out.dtype
    return types.void(out, places, number, number, sums, places, lines, types.intp, types.UniTuple(number, 3)), generate


def _tables(groups, n_bytes):
    """Return what fills the tables of a word whose halves fall into these groups, with rows of so many bytes."""

    @intrinsic
    def tabulate(typing, table, weights, row, column, low, high):
        def generate(context, builder, signature, arguments):
            sums, links, first, left, low, high = arguments
            align = table.dtype.bitwidth // 8
            vector = _vector(context, table, n_bytes // align)
            floor, rise = (_all(builder, each, vector) for each in (low, builder.fsub(high, low)))

            def line(step):
                place = _place(context, builder, weights, links, [builder.add(first, _LONG(step)), left], vector)
                return builder.load(place, align=align)

            step, state = 0, 0
            for size in groups + groups:
                lines = [line(step + each) for each in range(size)]
                total = lines[0]
                for each in lines[1:]:
                    total = builder.fadd(total, each)
                mores = [builder.fmul(rise, each) for each in lines]
                # Half of the group, then the other half: 16 vectors at most are at hand.
                lower, upper = [builder.fmul(floor, total)], [None]
                for more in mores[: size // 2]:
                    lower += [builder.fadd(entry, more) for entry in lower]
                for more in mores[size // 2 :]:
                    upper += [more if entry is None else builder.fadd(entry, more) for entry in upper]
                for high_sum in upper:
                    for low_sum in lower:
                        entry = low_sum if high_sum is None else builder.fadd(low_sum, high_sum)
                        place = _place(context, builder, table, sums, [_LONG(state), _LONG(0)], vector)
                        builder.store(entry, place, align=LINE)
                        state += 1
                step += size
            return context.get_dummy_value()

        return types.void(table, weights, types.intp, types.intp, table.dtype, table.dtype), generate

    return tabulate


def _look_up(groups, halves, n_bytes):
    """Return what adds to a row of sums the ones that so many halves of a word stand for."""

    @intrinsic
    def add(typing, sums, row, table, word):
        def generate(context, builder, signature, arguments):
            taken, index, given, bits = arguments
            vector = _vector(context, sums, n_bytes * 8 // sums.dtype.bitwidth)
            wide_bits, shift = builder.zext(bits, _LONG), n_bytes.bit_length() - 1
            tables = builder.bitcast(make_array(table)(context, builder, given).data, _BYTE.as_pointer())

            def entry(step, state, size):
                # The group's bits, times the bytes of a row.
                by = step - shift
                moved = builder.lshr(wide_bits, _LONG(by)) if by > 0 else builder.shl(wide_bits, _LONG(-by))
                offset = builder.and_(moved, _LONG(((1 << size) - 1) * n_bytes))
                place = builder.gep(tables, [builder.add(offset, _LONG(state * n_bytes))])
                return builder.load(builder.bitcast(place, vector.as_pointer()), align=LINE)

            step, state, found = 0, 0, []
            for _ in range(halves):
                half = []
                for size in groups:
                    half.append(entry(step, state, size))
                    step, state = step + size, state + (1 << size)
                found.append(_sum(builder, half))
            out = _place(context, builder, sums, taken, [index, _LONG(0)], vector)
            total = builder.fadd(builder.load(out, align=LINE), _sum(builder, found))
            builder.store(total, out, align=LINE)
            return context.get_dummy_value()

        return types.void(sums, types.intp, table, types.uint32), generate

    return add


def _sum(builder, vectors):
    """Return the sum of vectors: pairs first, what is left over last."""
    while len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2], strict=False)
        vectors = [builder.fadd(*pair) for pair in pairs] + (vectors[-1:] if len(vectors) % 2 else [])
    return vectors[0]


tabulate_few, tabulate_many = _tables(FEW, FEW_BYTES), _tables(MANY, MANY_BYTES)
"""``(table, weights, row, column, low, high)``: fill a word's tables, one group's after the other's.

A sum is of weights of a row of units, from ``column``, of those neighbours, from ``row``, whose bits are set, times
``high``, and of the others times ``low``.
"""
add_few, add_many = (_look_up(*how) for how in ((FEW, 2, FEW_BYTES), (MANY, 2, MANY_BYTES)))
"""``(sums, row, table, word)``: add to a row of sums what a word stands for."""
add_half_few, add_half_many = (_look_up(*how) for how in ((FEW, 1, FEW_BYTES), (MANY, 1, MANY_BYTES)))
"""The same for a word whose upper half is empty."""
