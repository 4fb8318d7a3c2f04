"""Matrix products inside compiled loops: the BLAS that SciPy brings, called by its address.

A product that is small for a library to share among threads is not too small for its tiles to be: a kernel calls
:func:`product` for one tile in each of its own parallel turns, and the library itself must then keep to one thread
(:func:`single`). The tiles (:func:`edge`) depend on the shapes alone, so the last bit of a result does not depend on
the number of threads.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  the library whose addresses are asked for
import threadpoolctl
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

ADDRESS = {
    np.dtype(kind): np.uint64(get_cython_function_address("scipy.linalg.cython_blas", name))
    for kind, name in (("float32", "sgemm"), ("float64", "dgemm"))
}
"""Where the product of two matrices of a type is computed."""

WIDEST = 224
"""Columns of a tile, at most: enough for a product to run at speed, few enough to share."""


def single() -> AbstractContextManager:
    """Return a context in which BLAS keeps to the thread that calls it."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


@njit(cache=True, inline="always")
def n_tiles(n_columns):
    """Return how many tiles so many columns make: a power of two, which is what can be shared evenly."""
    tiles = 1
    while tiles * WIDEST < n_columns:
        tiles *= 2
    return tiles


@njit(cache=True, inline="always")
def edge(tile, n_columns):
    """Return the column at which a tile begins: a multiple of 32, or the last edge."""
    tiles = n_tiles(n_columns)
    return n_columns if tile == tiles else (tile * n_columns // tiles + 16) // 32 * 32


@intrinsic
def _gemm(typing, address, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """Call ``xGEMM``, in whose convention every argument is passed by its address."""

    def code(context, builder, signature, arguments):
        pointer = ir.IntType(8).as_pointer()
        passed = []
        for kind, value in zip(signature.args[1:], arguments[1:], strict=True):
            if kind == types.uintp:  # an array: its address is what we have
                passed.append(builder.inttoptr(value, pointer))
            else:
                passed.append(builder.bitcast(cgutils.alloca_once_value(builder, value), pointer))
        function = ir.FunctionType(ir.VoidType(), [pointer] * len(passed)).as_pointer()
        builder.call(builder.inttoptr(arguments[0], function), passed)
        return context.get_dummy_value()

    flag, size, array = types.uint8, types.int32, types.uintp
    sizes = (size, size, size)
    return types.void(types.uint64, flag, flag, *sizes, alpha, array, size, array, size, alpha, array, size), code


_N, _T = np.uint8(ord("N")), np.uint8(ord("T"))


@njit(cache=True)
def product(address, a, turn_a, b, turn_b, alpha, beta, out):
    """Compute ``out = alpha * a @ b + beta * out``, where ``a`` or ``b`` may be turned (transposed) first.

    Parameters
    ----------
    address : uint64
        From :data:`ADDRESS`, for the type of all arrays and of ``alpha`` and ``beta``.
    a, b, out : float arrays of two axes
        Rows may be apart; the numbers of a row are not.
    turn_a, turn_b : bool
    alpha, beta : float
        With a ``beta`` of 0 it does not matter what ``out`` holds.
    """
    m, n = out.shape
    k = a.shape[0] if turn_a else a.shape[1]
    size = out.itemsize
    # BLAS counts columns first, and sees the transpose of every array: out' = b' a'.
    _gemm(
        address,
        _T if turn_b else _N,
        _T if turn_a else _N,
        np.int32(n),
        np.int32(m),
        np.int32(k),
        alpha,
        b.ctypes.data,
        np.int32(b.strides[0] // size),
        a.ctypes.data,
        np.int32(a.strides[0] // size),
        beta,
        out.ctypes.data,
        np.int32(out.strides[0] // size),
    )
