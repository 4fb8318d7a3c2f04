"""Arrays that are somewhere else: NumPy's numbers behind CuPy's manners, for tests where there is no GPU.

Like CuPy's they do not become NumPy arrays unless asked to, and do not mix with them; unlike NumPy's, a sum over all of
them is an array of no axes.
"""

from types import SimpleNamespace

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Array(NDArrayOperatorsMixin):
    """An array that keeps to itself."""

    def __init__(self, data):
        self._data = np.asarray(data)

    def __array__(self, *arguments, **options):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, function, method, *inputs, out=(), **options):
        if method != "__call__" or getattr(np, function.__name__, None) is not function:
            return NotImplemented
        if out:
            options["out"] = tuple(inside(each) for each in out)
        found = function(*map(inside, inputs), **options)
        return out[0] if out else Array(found)

    def __getitem__(self, place):
        return Array(self._data[inside(place)])

    def __setitem__(self, place, value):
        self._data[inside(place)] = inside(value)

    def __len__(self):
        return len(self._data)

    def __bool__(self):
        return bool(self._data)

    def __float__(self):
        return float(self._data)

    def __iter__(self):
        raise TypeError("one number after the other: slow on a GPU")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._data, name)
        if name in ("shape", "dtype", "ndim", "size", "itemsize"):
            return value
        if isinstance(value, np.ndarray):
            return Array(value)
        return lambda *given, **options: Array(value(*map(inside, given), **{k: inside(v) for k, v in options.items()}))


def inside(value):
    """Return the numbers of one of these arrays; refuse those of NumPy."""
    if isinstance(value, Array):
        return value._data
    if isinstance(value, np.ndarray):
        raise TypeError("unsupported type numpy.ndarray")
    return tuple(map(inside, value)) if isinstance(value, tuple) else value


def _function(name):
    def call(*given, **options):
        found = getattr(np, name)(*map(inside, given), **{key: inside(value) for key, value in options.items()})
        return None if found is None else Array(found)

    return call


NAMES = (
    "arange",
    "clip",
    "copyto",
    "empty",
    "empty_like",
    "exp",
    "full",
    "logaddexp",
    "minimum",
    "ones",
    "where",
    "zeros",
)
MODULE = SimpleNamespace(
    **{name: _function(name) for name in NAMES},
    array=lambda array: Array(np.array(array)),
    asarray=lambda array: array if isinstance(array, Array) else Array(np.array(array)),
    asnumpy=lambda array: array._data.copy(),
)
"""What stands for CuPy: those of its functions that are used."""
