"""Products of rows of bits with a matrix, without multiplications.

Where states are 0 or 1, four neighbours have 16 states. The 16 sums of their four rows of weights are written down
once, and a row of states then adds ONE row of that table where a product multiplies and adds four: the "method of four
Russians" [1]_. Any other two values will do as well. Where there are many rows of states, tables are of five and six.

Sums are made in one order, which depends on shapes alone: within a group of neighbours, in pairs of groups within the
32 neighbours of a word, then word after word. They err less than a sum of one neighbour after the other, and by the
same bits for any number of threads, and on every machine.

References
----------
.. [1] V. L. Arlazarov, E. A. Dinic, M. A. Kronrod, I. A. Faradzev, "On economical construction of the transitive
   closure of a directed graph", Soviet Math. Dokl. 11 (1970).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bionet.kernels.cpu.vectors import (
    FEW,
    FEW_BYTES,
    LINE,
    MANY,
    MANY_BYTES,
    WORD,
    add_few,
    add_half_few,
    add_half_many,
    add_many,
    equal,
    tabulate_few,
    tabulate_many,
    transpose,
    wide,
)

_ONE, _ALL = np.uint32(1), np.uint32(0xFFFFFFFF)
_ROWS, _UNITS, _BOTH = 16, 32, 3000
"""A table takes the time of some 10 rows of a product, and a row of it a third of one; a layer that does not fill words
and rows of a table wastes of both. Where the two ways meet was measured, in either precision and direction."""
MANY_ROWS = 160
"""Rows from which on larger groups are worth their tables, which take twice as long to fill."""
_TABLE_FEW, _TABLE_MANY = 2 * sum(1 << size for size in FEW), 2 * sum(1 << size for size in MANY)


@njit(cache=True)
def pays(n_rows, n_neighbours, n_units):
    """Tell whether tables are faster than a product of these sizes."""
    fewer = min(n_neighbours, n_units)
    return n_rows >= _ROWS and fewer >= _UNITS and n_rows * fewer >= _BOTH


@njit(cache=True, error_model="numpy")
def read(states, n_units):
    """Return states as words, and their two values; no words where they have more, or tables do not pay.

    Parameters
    ----------
    states : float array, shape (n_rows, n_neighbours)
    n_units : int
        Of the layer whose fields are wanted.

    Returns
    -------
    words : uint32 array, shape (n_words, n_rows)
        32 neighbours each, the first in the lowest bit, set where a state is the second value.
    values : tuple of two floats
        What a state is where its bit is not set, and where it is.
    """
    if pays(len(states), states.shape[1], n_units):
        values = _two_values(states)
        return _along_rows(states, values), values
    return np.empty((0, 0), dtype=np.uint32), (states.dtype.type(0), states.dtype.type(0))


@njit(cache=True, error_model="numpy")
def read_columns(states, n_units):
    """Return what :func:`read` would of the transpose of states."""
    if pays(states.shape[1], len(states), n_units):
        values = _two_values(states)
        return _along_columns(states, values), values
    return np.empty((0, 0), dtype=np.uint32), (states.dtype.type(0), states.dtype.type(0))


@njit(cache=True)
def _two_values(states):
    """Return the first two different numbers of states, 0 before any other, else the lower first."""
    zero, first = states.dtype.type(0), states[0, 0]
    for row in states:
        for number in row:
            if number != first:
                low, high = min(first, number), max(first, number)
                return (high, low) if high == zero else (low, high)
    return zero, first


@njit(cache=True, error_model="numpy")
def _along_rows(states, values):
    n_rows, n_columns = states.shape
    words = np.zeros(((n_columns + WORD - 1) // WORD, n_rows), dtype=np.uint32)
    whole = n_columns // WORD * WORD
    for row in range(n_rows):
        own, wrong = states[row], np.uint32(0)
        for first in range(0, whole, WORD):
            high = equal(own, first, values[1])
            wrong |= (high | equal(own, first, values[0])) ^ _ALL
            words[first // WORD, row] = high
        for unit in range(whole, n_columns):
            high = np.uint32(own[unit] == values[1])
            wrong |= np.uint32(own[unit] != values[0]) & (high ^ _ONE)
            words[-1, row] |= high << np.uint32(unit - whole)
        if wrong:
            return words[:0]
    return words


@njit(cache=True, error_model="numpy")
def _along_columns(states, values):
    wide()
    n_rows, n_columns = states.shape
    words = np.zeros(((n_rows + WORD - 1) // WORD, n_columns), dtype=np.uint32)
    none, wrong = np.uint32(0), np.zeros(n_columns, dtype=np.uint32)
    for row in range(n_rows):
        own, out, bit = states[row], words[row // WORD], _ONE << np.uint32(row % WORD)
        for unit in range(n_columns):
            out[unit] |= bit if own[unit] == values[1] else none
            wrong[unit] |= bit if own[unit] != values[1] and own[unit] != values[0] else none
        if row % WORD == 0 and wrong.any():
            return words[:0]
    return words[:0] if wrong.any() else words


@njit(cache=True)
def width(n_rows, like):
    """Return how many units :func:`multiply` serves at once."""
    return (FEW_BYTES if n_rows < MANY_ROWS else MANY_BYTES) // like.itemsize


@njit(cache=True)
def aligned(n_rows, columns, like):
    """Return an array that begins where a line of the cache does."""
    numbers = np.empty(n_rows * columns + LINE, dtype=like.dtype)
    start = (-numbers.ctypes.data % LINE) // like.itemsize
    return numbers[start : start + n_rows * columns].reshape((n_rows, columns))


@njit(cache=True, error_model="numpy")
def multiply(words, values, weights, turn, left, sums):
    """Fill in the sums over neighbours of state times weight, for units from ``left``.

    Parameters
    ----------
    words : uint32 array, shape (n_words, n_rows)
        The neighbours' states, 32 of them a word.
    values : tuple of two floats
        What a state is where its bit is not set, and where it is.
    weights : float array, shape (n_neighbours, n_units); (n_units, n_neighbours) if ``turn``
    turn : bool
    left : int
    sums : float array, shape (n_rows, width)
        From :func:`aligned`; columns beyond the last unit are of no meaning.
    """
    wide()
    n_units, n_neighbours = weights.shape if turn else (weights.shape[1], weights.shape[0])
    n_rows, columns = sums.shape
    few = n_rows < MANY_ROWS
    table, block = aligned(_TABLE_FEW if few else _TABLE_MANY, columns, sums), aligned(WORD, columns, sums)
    low, high = values
    sums[:] = 0
    for word in range(len(words)):
        first, own = word * WORD, words[word]
        given, i, j = weights, first, left
        if turn or first + WORD > n_neighbours or left + columns > n_units:
            _copy(weights, turn, first, left, n_neighbours, n_units, block)
            given, i, j = block, 0, 0
        half = n_neighbours - first <= WORD // 2
        if few:
            tabulate_few(table, given, i, j, low, high)
            for row in range(0 if half else n_rows):
                add_few(sums, row, table, own[row])
            for row in range(n_rows if half else 0):
                add_half_few(sums, row, table, own[row])
        else:
            tabulate_many(table, given, i, j, low, high)
            for row in range(0 if half else n_rows):
                add_many(sums, row, table, own[row])
            for row in range(n_rows if half else 0):
                add_half_many(sums, row, table, own[row])


@njit(cache=True, error_model="numpy")
def _copy(weights, turn, first, left, n_neighbours, n_units, block):
    """Copy the weights of a word's neighbours, a row each; 0 beyond the edges."""
    block[:] = 0
    rows, columns = min(WORD, n_neighbours - first), min(block.shape[1], n_units - left)
    if not turn:
        for row in range(rows):
            own, out = weights[first + row][left : left + columns], block[row]
            for column in range(columns):
                out[column] = own[column]
        return
    side = LINE // block.itemsize
    for down in range(0, rows, side):
        for across in range(0, columns, side):
            if down + side <= rows and across + side <= columns:
                transpose(weights, left + across, first + down, block, down, across)
                continue
            for column in range(across, min(across + side, columns)):
                for row in range(down, min(down + side, rows)):
                    block[row, column] = weights[left + column, first + row]
