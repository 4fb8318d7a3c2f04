"""What printed source calls beside the functions of the language.

Arrays are made inside compiled code from addresses: one table of numbers is cheaper to hand over than fifty arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray


@intrinsic
def view(typing, address, size, dtype):
    """Return the array of ``size`` elements of a type that begins at an address."""
    result = types.Array(dtype.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        array = make_array(result)(context, builder)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(result.dtype)))
        populate_array(
            array,
            data=builder.inttoptr(arguments[0], array.data.type),
            shape=cgutils.pack_array(builder, [arguments[1]]),
            strides=cgutils.pack_array(builder, [itemsize]),
            itemsize=itemsize,
            meminfo=None,
        )
        return array._getvalue()

    return result(types.int64, types.int64, dtype), generate


@njit(inline="always")
def square(x):
    """Return x times x."""
    return x * x


@njit(inline="always")
def cube(x):
    """Return x times x times x."""
    return x * x * x


@njit(inline="always")
def table_row(t, epsilon, k, rows):
    """Return the row of a table at time ``t`` (seconds), as Brian2's ``TimedArray`` rounds it, as an index."""
    return np.uint64(min(max(int(np.rint(t / epsilon) / k), 0), rows - 1))


@njit(cache=True)
def finite(values):
    """Return whether no number is NaN or infinite."""
    bad = False
    for k in range(values.size):
        bad |= not abs(values[k]) <= 1.7976931348623157e308
    return not bad


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
