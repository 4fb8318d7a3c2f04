"""The functions of Brian2's language, by name, with the meaning that they have for its NumPy target.

:mod:`bionet.spiking.elementary` has those that a processor lacks; the others, a few operations each, are here. All
vectorise but ``arcsin``, ``arccos``, ``arctan``, :func:`mod` and powers beyond 16, which are the C library's.
"""

from __future__ import annotations

import numpy as np

from bionet.spiking.elementary import (
    cos,
    cosh,
    exp,
    expm1,
    exprel,
    inlined,
    log,
    log1p,
    log10,
    sin,
    sinh,
    tan,
    tanh,
)


@inlined
def pow_int(x, n):
    """Return x**n for a whole number n, by multiplication up to 16 and by the C library beyond.

    ``n = 2`` rounds once, as ``x * x`` does. For a constant n the products are written out by the compiler.

    Examples
    --------
    >>> pow_int(3.0, 4), pow_int(2, -1)
    (81.0, 0.5)
    """
    x = np.float64(x)
    left = abs(n)
    if left > 16:
        return x ** np.float64(n)
    y = 1.0
    while left:
        if left & 1:
            y *= x
        x *= x
        left >>= 1
    return 1.0 / y if n < 0 else y


@inlined
def mod(x, y):
    """Return the remainder with the sign of the divisor, as NumPy has it: NaN (whole numbers: 0) where y is 0.

    Examples
    --------
    >>> mod(-7, 3), mod(5.5, -2.0)
    (2, -0.5)
    """
    return x % y


@inlined
def sign(x):
    """Return -1, 0 or 1, in the type of x; NaN for NaN.

    Examples
    --------
    >>> sign(-0.5), sign(3)
    (-1.0, 1)
    """
    # Zero makes 0 of -0, which NumPy does too.
    return np.sign(x) + 0


@inlined
def absolute(x):
    """Return the absolute value, in the type of x.

    Examples
    --------
    >>> absolute(-0.5), absolute(-3)
    (0.5, 3)
    """
    return abs(x)


@inlined
def clip(x, low, high):
    """Return x, at least ``low`` and then at most ``high``; NaN if one of them is.

    Examples
    --------
    >>> clip(0.5, 1.0, 2.0)
    1.0
    """
    return np.minimum(np.maximum(x, low), high)


@inlined
def floor(x):
    """Return the largest whole number that is not above x, as a double of any size.

    Examples
    --------
    >>> floor(-0.5)
    -1.0
    """
    return np.floor(np.float64(x))


@inlined
def ceil(x):
    """Return the smallest whole number that is not below x, as a double of any size.

    Examples
    --------
    >>> ceil(0.5)
    1.0
    """
    return np.ceil(np.float64(x))


@inlined
def int_(x):
    """Return x without its fraction, as a 64-bit integer; undefined for what is not finite or beyond 2**63.

    Examples
    --------
    >>> int_(-2.7), int_(True)
    (-2, 1)
    """
    return np.int64(x)


@inlined
def timestep(t, dt):
    """Return the number of the time step that t lies in, with Brian2's allowance of a thousandth of a step.

    Parameters
    ----------
    t, dt : float
        In seconds.

    Examples
    --------
    >>> timestep(0.3, 0.1), 0.3 // 0.1
    (3, 2.0)
    """
    return np.int64((t + 1e-3 * dt) / dt)


@inlined
def sqrt(x):
    """Return the square root; NaN below 0.

    Examples
    --------
    >>> sqrt(2.25)
    1.5
    """
    return np.sqrt(np.float64(x))


@inlined
def arcsin(x):
    """Return the angle from -pi/2 to pi/2 whose sine is x; NaN outside [-1, 1].

    Examples
    --------
    >>> arcsin(0.0)
    0.0
    """
    return np.arcsin(np.float64(x))


@inlined
def arccos(x):
    """Return the angle from 0 to pi whose cosine is x; NaN outside [-1, 1].

    Examples
    --------
    >>> arccos(1.0)
    0.0
    """
    return np.arccos(np.float64(x))


@inlined
def arctan(x):
    """Return the angle from -pi/2 to pi/2 whose tangent is x.

    Examples
    --------
    >>> arctan(0.0)
    0.0
    """
    return np.arctan(np.float64(x))


#: The functions of Brian2's language that have no state, by their names there; ``mod`` is its operator ``%``.
FUNCTIONS = {
    "abs": absolute,
    "arccos": arccos,
    "arcsin": arcsin,
    "arctan": arctan,
    "ceil": ceil,
    "clip": clip,
    "cos": cos,
    "cosh": cosh,
    "exp": exp,
    "expm1": expm1,
    "exprel": exprel,
    "floor": floor,
    "int": int_,
    "log": log,
    "log1p": log1p,
    "log10": log10,
    "mod": mod,
    "sign": sign,
    "sin": sin,
    "sinh": sinh,
    "sqrt": sqrt,
    "tan": tan,
    "tanh": tanh,
    "timestep": timestep,
}
