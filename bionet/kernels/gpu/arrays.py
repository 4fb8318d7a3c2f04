"""Arrays on the GPU, and random numbers made there: the bits of :mod:`bionet.random`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bionet.errors import InputError, require

# Philox4x32: see bionet.random.
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32, _11 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(11)


def cupy() -> Any:
    """Return CuPy.

    Raises
    ------
    MissingExtraError, InputError
        If it is not installed, or sees no GPU.
    """
    module = require("cupy", "cuda12", 'device="cuda"')
    if not module.cuda.is_available():
        raise InputError('device: got "cuda"; CuPy sees no NVIDIA GPU here; expected "cpu"')
    return module


def module_of(array: Any) -> Any:
    """Return NumPy or CuPy, whichever an array belongs to."""
    return np if isinstance(array, np.ndarray) else cupy()


def uniform(xp: Any, key: Any, step: Any, index: NDArray[np.uint64]) -> Any:
    """Return the numbers in [0, 1) that :func:`bionet.random.uniform` gives for these indices.

    Parameters
    ----------
    xp : module
        NumPy or CuPy.
    key, step : int
    index : uint64 array of it

    Examples
    --------
    >>> from bionet.random import Stream
    >>> draws = Stream(1, "demo")
    >>> (uniform(np, draws.key, 5, np.arange(3, dtype=np.uint64)) == draws.uniform(3, 5)).tolist()
    [True, True, True]
    """
    c0, c1, _, _ = _words(xp, key, step, index)
    return (((c1 << _32) | c0) >> _11) * 2.0**-53


def _words(xp: Any, key: Any, step: Any, index: Any) -> tuple[Any, Any, Any, Any]:
    """Return the four words of :func:`bionet.random.words` for these indices."""
    k0, k1 = np.uint64(int(key) & 0xFFFFFFFF), np.uint64(int(key) >> 32)
    c0, c1 = index & _LOW, index >> _32
    c2 = xp.full(index.shape, int(step) & 0xFFFFFFFF, dtype=np.uint64)
    c3 = xp.full(index.shape, int(step) >> 32, dtype=np.uint64)
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


def table(xp: Any, key: Any, step: Any, shape: tuple[int, int]) -> Any:
    """Return a table of such numbers, numbered row by row."""
    return uniform(xp, key, step, xp.arange(shape[0] * shape[1], dtype=np.uint64)).reshape(shape)


def layer(xp: Any, key: Any, step: Any, shape: tuple[int, int]) -> Any:
    """Return what the units of a layer draw, four rows from a block of bits: :mod:`bionet.kernels.cpu.gibbs`."""
    n_rows, n_units = shape
    quads = (n_rows + 3) // 4
    drawn = xp.empty((quads, 4, n_units))
    for row, word in enumerate(_words(xp, key, step, xp.arange(quads * n_units, dtype=np.uint64))):
        drawn[:, row] = word.reshape((quads, n_units))
    return drawn.reshape((4 * quads, n_units))[:n_rows] * 2.0**-32


def logistic(xp: Any, field: Any) -> Any:
    """Return 1 / (1 + e^-x) in the type of x."""
    top = 87.0 if field.dtype == np.float32 else 708.0
    return 1 / (1 + xp.exp(-xp.clip(field, -top, top)))
