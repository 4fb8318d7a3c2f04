"""What printed source calls beside the functions of the language.

Arrays are made inside compiled code from addresses: one table of numbers is cheaper to hand over than fifty arrays.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray


@intrinsic
def _pointer(typing, address, dtype):
    result = types.CPointer(dtype.dtype)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(result))

    return result(types.int64, dtype), generate


@njit(inline="always")
def view(address, size, dtype):
    """Return the array of ``size`` elements of a type that begins at an address."""
    return carray(_pointer(address, dtype), (size,), dtype)


@njit(inline="always")
def square(x):
    """Return x times x."""
    return x * x


@njit(inline="always")
def table_row(t, epsilon, k, rows):
    """Return the row of a table at time ``t`` (seconds), as Brian2's ``TimedArray`` rounds it, as an index."""
    return np.uint64(min(max(int(np.rint(t / epsilon) / k), 0), rows - 1))


def address(array: NDArray) -> int:
    """Return where an array begins.

    Raises
    ------
    ValueError
        If its elements do not lie one after another.
    """
    if not array.flags.c_contiguous:
        raise ValueError(f"an array of shape {array.shape} is not contiguous")
    return array.__array_interface__["data"][0]


def dtype_name(dtype: np.dtype | type | str) -> str:
    """Return a dtype's name as the printed source has it."""
    name = np.dtype(dtype).name
    return "bool_" if name == "bool" else name
