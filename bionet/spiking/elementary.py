"""Elementary functions as Numba functions, which a compiled loop over arrays evaluates several at a time.

A reduction of the argument, a polynomial and the bits of the exponent, without a branch and without a call: LLVM
vectorises the loop that they are inlined into, whereas the C library's are calls, one number at a time. Every operation
is one of IEEE 754, in a fixed order, with fused multiply-adds where they are written. So results have **the same bits
on every machine**, which the C library does not promise. (A processor without fused multiply-adds computes them in
software, slowly.)

Errors stay below these bounds, in units in the last place of the result (ulp):

=================================  ====
``exp log log1p log10 sin cos``    1
``expm1 tan cosh``                 1.25
``exprel tanh sinh``               2
=================================  ====

NaN gives NaN; infinities, signed zeros and subnormal numbers are treated as in C. ``sin``, ``cos`` and ``tan`` take
arguments up to 2**50 (1e15), where neighbouring numbers are 1/4 rad apart; beyond they give NaN, because an exact
reduction there would cost every other argument its speed. Arguments of any type are converted to double precision.

References
----------
.. [1] W. J. Cody, W. Waite, "Software Manual for the Elementary Functions", Prentice-Hall (1980): the reductions.
.. [2] J.-M. Muller, "Elementary Functions", 3rd ed., Birkhäuser (2016): double-double sums, fused multiply-adds.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

inlined = njit(cache=True, forceinline=True, error_model="numpy", no_cfunc_wrapper=True)

# Added to a double below 2**51, it leaves the nearest whole number in the lowest bits.
_ROUND = 1.5 * 2.0**52
_1 = np.uint64(1)
_2 = np.uint64(2)
_52 = np.uint64(52)
_62 = np.uint64(62)

# ln 2, log10 2, log10 e and pi/2 as sums of doubles, each the rounding of what the ones before it leave.
_LN2 = (0.6931471805599453, 2.3190468138462996e-17)
_LOG10_2 = (0.30102999566398120, -2.8037281277851704e-18)
_LOG10_E = (0.43429448190325182, 1.0983196502167651e-17)
_HALF_PI = (1.5707963267948966, 6.1232339957367660e-17, -1.4973849048591698e-33)
_PER_LN2 = 1.4426950408889634
_PER_HALF_PI = 0.63661977236758138

# What follows interpolates a function at Chebyshev's nodes of the stated interval.
# (e^r - 1 - r) / r^2 for |r| <= ln(2)/2.
_EXP = (
    0.5,
    0.1666666666666667,
    0.04166666666666667,
    0.008333333333326141,
    0.0013888888888883752,
    0.00019841269874800683,
    2.4801587325533502e-05,
    2.75572554255029e-06,
    2.7557273661174726e-07,
    2.5105206475334834e-08,
    2.091467944897855e-09,
)
# (2 artanh(s) - 2s) / s^3 in powers of s^2, for |s| <= 3 - 2 sqrt(2).
_LOG = (
    0.666666666666667,
    0.39999999999899505,
    0.2857142862597575,
    0.22222211134751835,
    0.18182889128412458,
    0.15331721495826012,
    0.1461645097955211,
)
# (sin(r) - r) / r^3 and (cos(r) - 1 + r^2/2) / r^4 in powers of r^2, for |r| <= 0.86: pi/4 and the largest misjudgement
# of the quadrant.
_SIN = (
    -0.16666666666666666,
    0.008333333333333328,
    -0.0001984126984125802,
    2.7557319214394185e-06,
    -2.505210467860592e-08,
    1.6058308222970825e-10,
    -7.574719810208638e-13,
)
_COS = (
    0.041666666666666664,
    -0.0013888888888885197,
    2.4801587295762805e-05,
    -2.7557315862691766e-07,
    2.0875879898268423e-09,
    -1.1365177734875403e-11,
)


@intrinsic
def _bits(typing, x):
    """Return the 64 bits of a double."""

    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.uint64))

    return types.uint64(types.float64), code


@intrinsic
def _double(typing, bits):
    """Return the double of 64 bits."""

    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.uint64), code


@intrinsic
def _fma(typing, x, y, z):
    """Return x*y + z, rounded once."""

    def code(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), code


@intrinsic
def _polynomial(typing, x, coefficients):
    """Return c0 + c1 x + c2 x^2 + ... by Horner's rule."""

    def code(context, builder, signature, arguments):
        x, packed = arguments
        value, *others = reversed(cgutils.unpack_tuple(builder, packed))
        for each in others:
            value = builder.fma(value, x, each)
        return value

    return types.float64(types.float64, coefficients), code


@inlined
def _reduce(x):
    """Return r, c and the bits of k + 2046 (lowest 12), such that e^x = 2^k (1 + r + c) and |r| <= ln(2)/2."""
    shifted = _fma(x, _PER_LN2, _ROUND + 2046.0)
    k = shifted - (_ROUND + 2046.0)
    high = _fma(-k, _LN2[0], x)
    r = _fma(-k, _LN2[1], high)
    lost = _fma(-k, _LN2[1], high - r)
    return r, _fma(r * r, _polynomial(r, _EXP), lost), _bits(shifted)


@inlined
def exp(x):
    """Return e^x; below -708.4 the results are subnormal and rounded as such.

    Examples
    --------
    >>> exp(1.0) == np.e
    True
    """
    x = np.float64(x)
    # In this order NaN passes. What lies beyond is infinite or 0 in any case.
    x = 1000.0 if x > 1000.0 else x
    x = -1000.0 if x < -1000.0 else x
    r, c, k = _reduce(x)
    # 2^k in two factors: one alone leaves the range of doubles where the result does not.
    half = k >> _1
    return (1.0 + (r + c)) * _double(half << _52) * _double((k - half) << _52)


@inlined
def _expm1_16(x):
    """Return (e^x - 1) / 2^16 and its rounding error, for x cut off at -50 and 718."""
    x = 718.0 if x > 718.0 else x
    x = -50.0 if x < -50.0 else x
    r, c, k = _reduce(x)
    s = r + c
    scale = _double((k - np.uint64(1039)) << _52)
    # scale - 2^-16 + scale * s in twice the precision; the difference is 0 or larger than the product.
    most = scale - 2.0**-16
    y = _fma(scale, s, most)
    return y, _fma(scale, s, most - y) + (_fma(scale, (r - s) + c, (scale - most) - 2.0**-16))


@inlined
def _ratio(a, a_low, b, b_low):
    """Return (a + a_low) / (b + b_low), the low parts being the rounding errors of the others."""
    per_b = 1.0 / b
    y = a * per_b
    return y + per_b * (_fma(-y, b, a) + _fma(-y, b_low, a_low))


@inlined
def expm1(x):
    """Return e^x - 1, as exact near 0 as elsewhere.

    Examples
    --------
    >>> expm1(1e-20)
    1e-20
    """
    x = np.float64(x)
    y, low = _expm1_16(x)
    return x if abs(x) < 2.0**-54 else 2.0**16 * (y + low)


@inlined
def exprel(x):
    """Return (e^x - 1) / x, and 1 at 0.

    Examples
    --------
    >>> exprel(0.0), exprel(-np.inf), exprel(np.inf)
    (1.0, 0.0, inf)
    """
    x = np.float64(x)
    y, low = _expm1_16(x)
    # Neither the numerator nor the quotient leaves the range of doubles before the result does.
    y = (y + low) / (2.0**-16 * (718.0 if x > 718.0 else x))
    return 1.0 if abs(x) < 2.0**-54 else y


@inlined
def tanh(x):
    """Return the hyperbolic tangent, (1 - e^-2x) / (1 + e^-2x).

    Examples
    --------
    >>> tanh(-np.inf)
    -1.0
    """
    x = np.float64(x)
    size = abs(x)
    y, low = _expm1_16(-2.0 * size)
    below = 2.0**-15 + y
    y = _ratio(-y, -low, below, ((2.0**-15 - below) + y) + low)
    return math.copysign(size if size < 2.0**-28 else y, x)


@inlined
def sinh(x):
    """Return the hyperbolic sine, (e^x - e^-x) / 2.

    Examples
    --------
    >>> sinh(-710.4) == -sinh(710.4)
    True
    """
    x = np.float64(x)
    size = abs(x)
    y, low = _expm1_16(size)
    # With m = e^x - 1 it is (m + m / (m + 1)) / 2.
    capped = 2.0**50 if y > 2.0**50 else y
    large = 2.0**15 * y + (2.0**15 * low + 0.5 * (capped / (2.0**-16 + capped)))
    return math.copysign(size if size < 2.0**-28 else large, x)


@inlined
def cosh(x):
    """Return the hyperbolic cosine, (e^x + e^-x) / 2.

    Examples
    --------
    >>> cosh(0.0)
    1.0
    """
    y, low = _expm1_16(abs(np.float64(x)))
    return 2.0**15 * y + (2.0**15 * low + (0.5 + 0.5 / (2.0**16 * y + 1.0)))


@inlined
def _split(x):
    """Return f and k with x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for a positive finite x."""
    subnormal = x < 2.0**-1022
    # Bits of 1 less those of sqrt(1/2): adding them carries into the exponent from sqrt(2) on.
    bits = _bits(x * 2.0**54 if subnormal else x)
    k = (bits + np.uint64(0x0009_5F61_9980_C433)) >> _52
    f = _double(bits - (k << _52) + np.uint64(0x3FF0_0000_0000_0000)) - 1.0
    return f, _double(k | np.uint64(0x4330_0000_0000_0000)) - (2.0**52 + (1077.0 if subnormal else 1023.0))


@inlined
def _artanh(f, half_square):
    """Return the difference log(1 + f) - f + f^2/2, from log(1 + f) = 2 artanh(f / (2 + f))."""
    s = f / (2.0 + f)
    z = s * s
    return s * _fma(z, _polynomial(z, _LOG), half_square)


@inlined
def _borders(x, y):
    """Return the logarithm y of x, or what it is where x is no positive finite number."""
    y = y if x < math.inf else x
    y = math.nan if x < 0.0 else y
    return -math.inf if x == 0.0 else y


@inlined
def log(x):
    """Return the natural logarithm: NaN below 0, -inf at 0.

    Examples
    --------
    >>> log(1.0), log(0.0)
    (0.0, -inf)
    """
    x = np.float64(x)
    f, k = _split(x)
    half_square = 0.5 * f * f
    rest = _fma(k, _LN2[1], _artanh(f, half_square))
    return _borders(x, _fma(k, _LN2[0], f - (half_square - rest)))


@inlined
def log1p(x):
    """Return log(1 + x), exact to 1 ulp near 0 too: NaN below -1, -inf at -1.

    Examples
    --------
    >>> log1p(1e-20)
    1e-20
    """
    x = np.float64(x)
    whole = 1.0 + x
    f, k = _split(whole)
    half_square = 0.5 * f * f
    lost = (x - (whole - 1.0)) / whole
    rest = _fma(k, _LN2[1], lost + _artanh(f, half_square))
    y = _borders(whole, _fma(k, _LN2[0], f - (half_square - rest)))
    return x if abs(x) < 2.0**-54 else y


@inlined
def log10(x):
    """Return the logarithm to base 10, exact for powers of 10: NaN below 0, -inf at 0.

    Examples
    --------
    >>> log10(1000.0)
    3.0
    """
    x = np.float64(x)
    f, k = _split(x)
    half_square = 0.5 * f * f
    natural = f - half_square
    rest = ((f - natural) - half_square) + _artanh(f, half_square)
    # k log10(2) + log10(e) (natural + rest) in twice the precision: the first is 0 or larger than the second.
    first, second = k * _LOG10_2[0], natural * _LOG10_E[0]
    y = first + second
    lost = _fma(k, _LOG10_2[0], -first) + _fma(natural, _LOG10_E[0], -second) + ((first - y) + second)
    return _borders(x, y + (lost + _fma(k, _LOG10_2[1], _fma(natural, _LOG10_E[1], rest * _LOG10_E[0]))))


@inlined
def _quadrant(x):
    """Return sin(r), cos(r), each with its rounding error, and the bits of n (lowest 2), such that x = n pi/2 + r."""
    shifted = _fma(x, _PER_HALF_PI, _ROUND)
    n = shifted - _ROUND
    # The first difference is exact; the second one is followed in twice the precision.
    high = _fma(-n, _HALF_PI[0], x)
    step = n * _HALF_PI[1]
    near = high - step
    lost = ((high - near) - step) - _fma(n, _HALF_PI[2], _fma(n, _HALF_PI[1], -step))
    r = near + lost
    lost = (near - r) + lost
    z = r * r
    rest = _fma(z * r, _polynomial(z, _SIN), lost)
    sine = r + rest
    sine_low = (r - sine) + rest
    half = 0.5 * z
    most = 1.0 - half
    rest = ((1.0 - most) - half) + _fma(z * z, _polynomial(z, _COS), -r * lost)
    cosine = most + rest
    return sine, sine_low, cosine, (most - cosine) + rest, _bits(shifted)


@inlined
def _turned(x, sine, cosine, n):
    """Return sin(n pi/2 + r) from sin(r) and cos(r), and NaN where x is too large to be reduced."""
    y = cosine if n & _1 else sine
    y = _double(_bits(y) ^ ((n & _2) << _62))
    return y if abs(x) <= 2.0**50 else math.nan


@inlined
def sin(x):
    """Return the sine; NaN beyond 2**50.

    Examples
    --------
    >>> sin(0.0), sin(np.pi / 2)
    (0.0, 1.0)
    """
    x = np.float64(x)
    sine, _, cosine, _, n = _quadrant(x)
    return x if abs(x) < 2.0**-27 else _turned(x, sine, cosine, n)


@inlined
def cos(x):
    """Return the cosine; NaN beyond 2**50.

    Examples
    --------
    >>> cos(0.0), cos(np.pi)
    (1.0, -1.0)
    """
    x = np.float64(x)
    sine, _, cosine, _, n = _quadrant(x)
    return _turned(x, sine, cosine, n + _1)


@inlined
def tan(x):
    """Return the tangent; NaN beyond 2**50.

    Examples
    --------
    >>> tan(0.0)
    0.0
    """
    x = np.float64(x)
    sine, sine_low, cosine, cosine_low, n = _quadrant(x)
    if n & _1:
        sine, sine_low, cosine, cosine_low = -cosine, -cosine_low, sine, sine_low
    y = _ratio(sine, sine_low, cosine, cosine_low)
    y = y if abs(x) <= 2.0**50 else math.nan
    return x if abs(x) < 2.0**-27 else y
