"""The logistic function and its kin for compiled loops: no branch and no call, so that LLVM evaluates several at once.

They work in the precision of their argument, float32 or float64, and err by a few units in its last place.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

_PER_LN2 = 1.4426950408889634
# ln 2 as a number with zeros at its end, so that whole multiples of it are exact, and the rest.
_LN2 = {types.float32: (0.693359375, -2.12194440e-4), types.float64: (0.693145751953125, 1.4286068203094172e-06)}
_ROUND = {types.float32: 1.5 * 2.0**23, types.float64: 1.5 * 2.0**52}
_LARGEST = {types.float32: 87.0, types.float64: 708.0}
_BIAS_AND_SHIFT = {types.float32: (127, 23), types.float64: (1023, 52)}
# 1/n! for the Taylor series of e^r, |r| < ln(2)/2, to where it leaves the type's precision.
_DEGREE = {types.float32: 7, types.float64: 13}


@intrinsic
def _power_of_two(typing, k):
    """Return 2**k, of a whole number that is given as a float."""

    def code(context, builder, signature, arguments):
        bias, shift = _BIAS_AND_SHIFT[k]
        bits = ir.IntType(k.bitwidth)
        whole = builder.fptosi(arguments[0], ir.IntType(32))
        whole = whole if k.bitwidth == 32 else builder.sext(whole, bits)
        exponent = builder.shl(builder.add(whole, bits(bias)), bits(shift))
        return builder.bitcast(exponent, context.get_value_type(k))

    return k(k), code


@intrinsic
def _polynomial(typing, r):
    """Return e^r by its Taylor series, with fused multiply-adds."""

    def code(context, builder, signature, arguments):
        kind = context.get_value_type(r)
        coefficients = [1.0]
        for n in range(1, _DEGREE[r] + 1):
            coefficients.append(coefficients[-1] / n)
        value = kind(coefficients[-1])
        for each in reversed(coefficients[:-1]):
            value = builder.fma(value, arguments[0], kind(each))
        return value

    return r(r), code


def exp(x):
    """Return e^x; below the smallest and above the largest result, that one instead."""
    raise NotImplementedError


@overload(exp, jit_options={"forceinline": True, "error_model": "numpy"})
def _exp(x):
    kind = x
    number = np.dtype(str(kind)).type
    largest, per_ln2, magic = number(_LARGEST[kind]), number(_PER_LN2), number(_ROUND[kind])
    high, low = (number(each) for each in _LN2[kind])

    def code(x):
        x = min(max(x, -largest), largest)
        k = (x * per_ln2 + magic) - magic
        return _polynomial((x - k * high) - k * low) * _power_of_two(k)

    return code


@intrinsic
def _log1p_series(typing, y):
    """Return log(1 + y) for y in [0, 1]: 2 artanh(s) = 2s (1 + s^2/3 + s^4/5 + ...), s = y / (2 + y)."""

    def code(context, builder, signature, arguments):
        kind = context.get_value_type(y)
        s = builder.fdiv(arguments[0], builder.fadd(arguments[0], kind(2.0)))
        square = builder.fmul(s, s)
        terms = 8 if y == types.float32 else 17
        value = kind(1.0 / (2 * terms + 1))
        for n in reversed(range(terms)):
            value = builder.fma(value, square, kind(1.0 / (2 * n + 1)))
        return builder.fmul(builder.fadd(s, s), value)

    return y(y), code


def logistic(x):
    """Return 1 / (1 + e^-x)."""
    raise NotImplementedError


@overload(logistic, jit_options={"forceinline": True, "error_model": "numpy"})
def _logistic(x):
    one = np.dtype(str(x)).type(1)

    def code(x):
        return one / (one + exp(-x))

    return code


def softplus(x):
    """Return log(1 + e^x)."""
    raise NotImplementedError


@overload(softplus, jit_options={"forceinline": True, "error_model": "numpy"})
def _softplus(x):
    zero = np.dtype(str(x)).type(0)

    def code(x):
        return max(x, zero) + _log1p_series(exp(-abs(x)))

    return code
