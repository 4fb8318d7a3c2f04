"""A user's Python function as one of plain numbers, compiled by Numba; units are those of the SI and fall away."""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

import numpy as np
from brian2.units.fundamentalunits import Quantity
from numba import njit


def plain_function(function: Any) -> Callable[..., float] | None:
    """Compile a user's function for floating-point arguments, if Numba can.

    Parameters
    ----------
    function : callable
        A Python function, possibly decorated by Brian2's ``check_units``, that may use quantities such as ``3*mV``.

    Returns
    -------
    callable or None
        The compiled function; None if it cannot be compiled.
    """
    function = getattr(function, "_orig_func", function)
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    cells = tuple(CellType(_plain(cell.cell_contents)) for cell in function.__closure__ or ())
    outer = {name: _plain(value) for name, value in function.__globals__.items() if name in code.co_names}
    stripped = FunctionType(code, {**function.__globals__, **outer}, function.__name__, function.__defaults__, cells)
    compiled = njit(error_model="numpy")(stripped)
    try:
        compiled.compile(("float64",) * code.co_argcount)
    except Exception:  # whatever Numba finds wrong with a stranger's function, it can still be called from Python
        return None
    return compiled


def _plain(value: Any) -> Any:
    if isinstance(value, Quantity):
        return float(value) if value.ndim == 0 else np.asarray(value)
    return value
