"""Tables of -1 and +1 as bits, 32 of a column in a word, and what is counted with them: exact, 512 bits at a time."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numba.extending import intrinsic

from bionet.kernels.cpu.vectors import wide

TILE = 256
"""Columns that are compared with one column after the other while they stay in the fastest cache."""
ROWS = 32
"""Rows of the weights that a thread computes together."""


@intrinsic
def _ones(typing, word):
    """Return how many bits of a word are 1."""

    def code(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return word(word), code


@njit(cache=True, parallel=True)
def pack(table):
    """Return the columns of a table as bits, shape (n_rows / 32, n_columns), and whether all of it is -1 or +1."""
    n_rows, n_columns = table.shape
    words = np.zeros(((n_rows + 31) // 32, n_columns), dtype=np.uint32)
    pure = np.ones(len(words), dtype=np.bool_)
    for w in prange(len(words)):
        wide()
        out, bad = words[w], False
        for k in range(min(32, n_rows - 32 * w)):
            row, bit = table[32 * w + k], np.uint32(1 << k)
            for j in range(n_columns):
                out[j] |= bit if row[j] > 0 else np.uint32(0)
                bad |= (row[j] != 1) & (row[j] != -1)
        pure[w] = not bad
    return words, pure.all()


@njit(cache=True)
def differences(words, low, other, i, counts):
    """Count the bits in which column ``i`` of ``other`` differs from each column of ``words`` from ``low`` on."""
    wide()
    high = low + len(counts)
    counts[:] = 0
    w = 0
    while w + 4 <= len(words):
        a, b, c, d = other[w, i], other[w + 1, i], other[w + 2, i], other[w + 3, i]
        p, q, r, s = words[w][low:high], words[w + 1][low:high], words[w + 2][low:high], words[w + 3][low:high]
        for j in range(len(counts)):
            counts[j] += (_ones(p[j] ^ a) + _ones(q[j] ^ b)) + (_ones(r[j] ^ c) + _ones(s[j] ^ d))
        w += 4
    while w < len(words):
        a, p = other[w, i], words[w][low:high]
        for j in range(len(counts)):
            counts[j] += _ones(p[j] ^ a)
        w += 1


@njit(cache=True, error_model="numpy")
def _means(words, n_rows, i, low, counts, row):
    """Fill in a part of a row of the mean products: whole numbers over the number of columns."""
    wide()
    kind = row.dtype.type
    differences(words, low, words, i, counts)
    for j in range(len(row)):
        row[j] = kind(np.int32(n_rows) - np.int32(2) * np.int32(counts[j])) / kind(words.shape[1])


@njit(cache=True, parallel=True)
def mean_products(words, n_rows, out):
    """Fill in x' x over the number of columns.

    Parameters
    ----------
    words : uint32 array, shape (n_rows / 32, n_columns)
        From :func:`pack`, of a table x.
    n_rows : int
        Of the table.
    out : float array, shape (n_columns, n_columns)
    """
    n = len(out)
    for block in prange((n + ROWS - 1) // ROWS):
        counts = np.empty(TILE, dtype=np.uint32)
        for low in range(0, n, TILE):
            high = min(low + TILE, n)
            for i in range(block * ROWS, min((block + 1) * ROWS, n)):
                _means(words, n_rows, np.int64(i), low, counts[: high - low], out[i, low:high])


@njit(cache=True, parallel=True)
def products(words, others, n_rows, out):
    """Fill in x' y of two tables of so many rows, shape (n_columns of x, n_columns of y)."""
    for number in prange(out.shape[1]):
        p, counts = np.int64(number), np.empty(len(out), dtype=np.uint32)
        differences(words, 0, others, p, counts)
        for s in range(len(out)):
            out[s, p] = n_rows - 2 * np.int64(counts[s])
