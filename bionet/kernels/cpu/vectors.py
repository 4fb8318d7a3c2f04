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

GROUP, TABLE = 4, 16
"""Neighbours of a group, and the sums that a table has of them: one for each state of the four."""
WORD = 32
"""Bits of a word, which are the states of 8 groups of neighbours."""
ROW = 128
"""Bytes of a row of a table: the 8 tables of a word take half of a small first-level cache, the sums some of the rest."""

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


def _vector(context, array, n=None):
    """Return the type of so many numbers of an array, as many as there are in a row of a table if not said."""
    return ir.VectorType(context.get_value_type(array.dtype), n or ROW * 8 // array.dtype.bitwidth)


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
    """Copy a square of half a table's row from one array of two axes to another, turned about its diagonal."""

    def generate(context, builder, signature, arguments):
        side = ROW * 4 // out.dtype.bitwidth
        vector, align = _vector(context, out, side), out.dtype.bitwidth // 8
        given, i, j, taken, k, l = arguments

        def place(kind, array, down, across, step):
            return _place(context, builder, kind, array, [builder.add(down, _LONG(step)), across], vector)

        lines = [builder.load(place(source, given, i, j, step), align=align) for step in range(side)]
        # A perfect shuffle of all numbers turns the bits of their places by one; half of the bits are the row's.
        halves = [
            _lanes([lane // 2 + start + side * (lane % 2) for lane in range(side)]) for start in (0, side // 2)
        ]
        for _ in range(side.bit_length() - 1):
            pairs = zip(lines[: side // 2], lines[side // 2 :], strict=True)
            lines = [builder.shuffle_vector(*pair, half) for pair in pairs for half in halves]
        for step, line in enumerate(lines):
            builder.store(line, place(out, taken, k, l, step), align=align)
        return context.get_dummy_value()

    places = types.intp, types.intp
    return types.void(source, *places, out, *places), generate


@intrinsic
def tabulate(typing, table, weights, row, column, low, high):
    """Fill the 8 tables of a word with sums of four rows of weights each, times ``high`` where its bit is set, else ``low``.

    The weights are those of a word's neighbours from ``row`` and of a table's width of units from ``column``.
    """

    def generate(context, builder, signature, arguments):
        sums, links, first, left, low, high = arguments
        vector, align = _vector(context, table), table.dtype.bitwidth // 8
        floor, rise = (_all(builder, each, vector) for each in (low, builder.fsub(high, low)))
        for group in range(WORD // GROUP):
            lines = []
            for step in range(GROUP):
                index = builder.add(first, _LONG(GROUP * group + step))
                lines.append(
                    builder.load(_place(context, builder, weights, links, [index, left], vector), align=align)
                )
            total = lines[0]
            for line in lines[1:]:
                total = builder.fadd(total, line)
            entries = [builder.fmul(floor, total)]
            for line in lines:
                more = builder.fmul(rise, line)
                entries += [builder.fadd(entry, more) for entry in entries]
            for state, entry in enumerate(entries):
                index = [_LONG(TABLE * group + state), _LONG(0)]
                builder.store(entry, _place(context, builder, table, sums, index, vector), align=ROW // 2)
        return context.get_dummy_value()

    return types.void(table, weights, types.intp, types.intp, table.dtype, table.dtype), generate


def _look_up(n_groups):
    """Return what adds the sums that so many groups of a word stand for to a row."""

    @intrinsic
    def add(typing, sums, row, table, word):
        def generate(context, builder, signature, arguments):
            taken, index, given, bits = arguments
            vector, wide_bits, shift = _vector(context, sums), builder.zext(bits, _LONG), ROW.bit_length() - 1
            tables = make_array(table)(context, builder, given).data
            found = []
            for group in range(n_groups):
                # The group's four bits, times the bytes of a row.
                by = GROUP * group - shift
                moved = builder.lshr(wide_bits, _LONG(by)) if by > 0 else builder.shl(wide_bits, _LONG(-by))
                offset = builder.add(builder.and_(moved, _LONG((TABLE - 1) * ROW)), _LONG(group * TABLE * ROW))
                place = builder.gep(builder.bitcast(tables, _BYTE.as_pointer()), [offset])
                found.append(builder.load(builder.bitcast(place, vector.as_pointer()), align=ROW // 2))
            while len(found) > 1:
                found = [builder.fadd(*pair) for pair in zip(found[::2], found[1::2], strict=True)]
            out = _place(context, builder, sums, taken, [index, _LONG(0)], vector)
            builder.store(builder.fadd(builder.load(out, align=ROW // 2), found[0]), out, align=ROW // 2)
            return context.get_dummy_value()

        return types.void(sums, types.intp, table, types.uint32), generate

    return add


add_word, add_half = _look_up(WORD // GROUP), _look_up(WORD // GROUP // 2)
"""``(sums, row, table, word)``: add to a row of sums what a word, or its lower half, stands for; pairs first."""
