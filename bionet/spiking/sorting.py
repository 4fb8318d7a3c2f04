"""Compiled loops over synapses: rows drawn, and synapses sorted. They write into arrays that are handed to them.

:func:`bionet.spiking.machine_code.call` calls them: it compiles one for the types at hand, or finds it on disk. Nothing
that runs a network imports this file otherwise, as it imports Numba.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from bionet.spiking.engines.runtime import within
from bionet.variates import words

# Which pairs of a row fulfil the condition, of ``bionet.spiking.synapse_rows``.
OTHERS, ITSELF = 1, 2

_0 = np.uint64(0)
_1 = np.uint64(1)
_6 = np.uint64(6)
_32 = np.uint64(32)
_63 = np.uint64(63)
_LOW = np.uint64(0xFFFFFFFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@intrinsic
def _lowest(typing, word):
    """Return the place of the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), generate


@within
def fill_rows(columns, chosen, first_row, low, high, where, key, marks, blocks):
    """Write the columns of the rows from ``first_row`` on, of each as many as are ``chosen``.

    ``marks`` has a bit for each column, and ``blocks`` one for each word of ``marks`` that is not zero; both are zero.
    """
    end = 0
    for k in range(chosen.size):
        row = first_row + k
        # The first column, the number of columns, and the one to leap over (``high`` for none).
        first, count, leap = low, high - low, high
        if where == ITSELF:
            first, count = row, 1 if low <= row < high else 0
        elif where == OTHERS and low <= row < high:
            count, leap = high - low - 1, row
        # The few are marked, be they those that are taken or those that are not.
        few = 2 * chosen[k] <= count
        wanted = chosen[k] if few else count - chosen[k]
        n = np.uint64(count)
        uneven = (_LOW + _1 - n) % n if n > _0 else _0
        index = np.int64(0)
        while wanted > 0:
            drawn = words(key, row, index)
            index += 1
            for word in drawn:
                product = word * n
                at = product >> _32
                bit = _1 << (at & _63)
                if wanted > 0 and product & _LOW >= uneven and not marks[at >> _6] & bit:
                    marks[at >> _6] |= bit
                    blocks[at >> _6 >> _6] |= _1 << (at >> _6 & _63)
                    wanted -= 1
        if not few:
            for place in range(count // 64 + 1):
                left = count - 64 * place
                marks[place] = ~marks[place] & (_ALL if left >= 64 else (_1 << np.uint64(left)) - _1)
                blocks[place >> 6] |= _1 << np.uint64(place & 63)
        for block in range(count // 4096 + 1):
            while blocks[block] != _0:
                place = (np.uint64(block) << _6) + _lowest(blocks[block])
                blocks[block] &= blocks[block] - _1
                word = marks[place]
                marks[place] = _0
                while word != _0:
                    column = first + np.int64((place << _6) + _lowest(word))
                    columns[end] = column + (column >= leap)
                    end += 1
                    word &= word - _1


@within
def turn(starts, columns, place, out, first):
    """Write the rows of each column, in order, where ``place`` says that the column begins."""
    for row in range(starts.size - 1):
        for k in range(starts[row], starts[row + 1]):
            out[place[columns[k]]] = row + first
            place[columns[k]] += 1


@within
def by_source(through, sources, first_source, place, order):
    """Write the synapses ordered by source, those of one source in the order they come in (a counting sort).

    They come in the order ``through``, or by number if that is empty; ``place`` says where each source begins.
    """
    for k in range(sources.size):
        synapse = through[k] if through.size else k
        source = sources[synapse] - first_source
        order[place[source]] = synapse
        place[source] += 1


@within
def ordered_column(sources, first_source, place, values, out):
    """Order values by source, without an array of places."""
    for k in range(sources.size):
        source = sources[k] - first_source
        out[place[source]] = values[k]
        place[source] += 1


@within
def count_groups(starts, order, steps, first):
    """Write how many groups there are before each source, of synapses ordered by (source, delay)."""
    n = 0
    for source in range(starts.size - 1):
        first[source] = n
        for k in range(starts[source], starts[source + 1]):
            n += k == starts[source] or steps[order[k]] != steps[order[k - 1]]
    first[starts.size - 1] = n


@within
def mark_groups(starts, order, steps, begin, delay):
    """Write where each group begins, and its delay."""
    n = 0
    for source in range(starts.size - 1):
        for k in range(starts[source], starts[source + 1]):
            if k == starts[source] or steps[order[k]] != steps[order[k - 1]]:
                begin[n] = k
                delay[n] = steps[order[k]]
                n += 1
    begin[n] = order.size


@within
def count_owned(order, begin, owner, low, high, part):
    """Write how many synapses before each group have an owner in [low, high)."""
    n = 0
    for group in range(begin.size - 1):
        part[group] = n
        for k in range(begin[group], begin[group + 1]):
            n += low <= owner[order[k] if order.size else k] < high
    part[begin.size - 1] = n


@within
def list_owned(order, begin, owner, low, high, found):
    """Write which of the synapses of groups have an owner in [low, high), in order."""
    n = 0
    for k in range(begin[begin.size - 1]):
        synapse = order[k] if order.size else k
        if low <= owner[synapse] < high:
            found[n] = synapse
            n += 1


@within
def cut(begin, owner, borders, cuts, ascending):
    """Write where each thread's synapses begin in each group, and where the last one's end.

    ``ascending[0]`` is set to 0 if owners do not ascend in every group; then the cuts mean nothing.
    """
    groups = begin.size - 1
    for group in range(groups):
        place, end = begin[group], begin[group + 1]
        for k in range(place + 1, end):
            if owner[k] < owner[k - 1]:
                ascending[0] = 0
                return
        for thread in range(borders.size):
            while place < end and owner[place] < borders[thread]:
                place += 1
            cuts[thread * groups + group] = place
