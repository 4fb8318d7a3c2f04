"""A user's Python function as one of plain numbers, compiled by Numba; units are those of the SI and fall away."""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Callable, Hashable, Iterator
from numbers import Number
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.units.fundamentalunits import Quantity

# What a script finds under these names after "from brian2 import *" looks at units.
_LANGUAGE = {id(each.pyfunc): name for name, each in DEFAULT_FUNCTIONS.items() if each.stateless}
_BUILTINS = {"abs", "bool", "float", "int", "len", "max", "min", "pow", "range", "round"}
_MODULES = {"math", "numpy"}
_compiled: dict[Hashable, Callable[..., float]] = {}


def python_code(function: Function, owner: Any) -> Any:
    """Return the Python code of a function as the user wrote it, for the NumPy target where that has its own.

    Parameters
    ----------
    function : brian2.Function
    owner : brian2.Group
        The group that calls it.
    """
    code: Any = function.pyfunc
    if any(each in function.implementations._implementations for each in ("numpy", NumpyCodeObject)):
        code = function.implementations[NumpyCodeObject].get_code(owner)
        if getattr(code, "__module__", "") == Function.__module__:
            # Brian2 wraps what has no code of its own for NumPy, to give it quantities.
            code = inspect.getclosurevars(code).nonlocals.get("orig_func", code)
    return getattr(code, "_orig_func", code)


def plain_function(function: Any) -> Callable[..., float] | None:
    """Compile a user's function for floating-point arguments, if Numba can.

    Parameters
    ----------
    function : callable
        A Python function that may use quantities such as ``3*mV``.

    Returns
    -------
    callable or None
        The compiled function, the same one for the same code and values; None if it cannot be compiled.

    Examples
    --------
    >>> plain_function(lambda x: 2*x + 1)(3.0)
    7.0
    """
    if not isinstance(function, FunctionType):
        return None
    try:
        key: Any = _key(function)
        hash(key)
    except (TypeError, RecursionError):
        return _compile(function)
    if key not in _compiled and (compiled := _compile(function)) is not None:
        _compiled[key] = compiled
    return _compiled.get(key)


def _compile(function: FunctionType) -> Callable[..., float] | None:
    from numba import float64, njit, types

    code = function.__code__
    try:
        cells = tuple(CellType(_plain(cell.cell_contents)) for cell in function.__closure__ or ())
        outer = {name: _plain(value) for name, value in _globals(function)}
        stripped = FunctionType(
            code, {**function.__globals__, **outer}, function.__name__, function.__defaults__, cells
        )
        compiled = njit(error_model="numpy")(stripped)
        compiled.compile((float64,) * code.co_argcount)
        # What is an array for an array may be one for a number too.
        is_number = isinstance(compiled.nopython_signatures[0].return_type, types.Number | types.Boolean)
    except Exception:  # whatever Numba finds wrong with a stranger's function, it can still be called from Python
        return None
    return compiled if is_number else None


def never_returns(function: Any) -> bool:
    """Tell whether a user's function raises or does nothing, as those do whose code is for a compiler.

    Examples
    --------
    >>> def f(x):
    ...     raise NotImplementedError("use Cython")
    >>> def g(x): ...
    >>> never_returns(f), never_returns(g), never_returns(lambda x: x)
    (True, True, False)
    """
    if not isinstance(function, FunctionType):
        return function is None
    steps = list(dis.get_instructions(function))
    # From Python 3.12 on a constant is loaded and returned at once.
    returns = [(each, steps[max(k - 1, 0)]) for k, each in enumerate(steps) if each.opname.startswith("RETURN")]
    return all(_is_nothing(each) or (each.opname == "RETURN_VALUE" and _is_nothing(last)) for each, last in returns)


def _is_nothing(step: dis.Instruction) -> bool:
    return step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval is None


def is_pure(function: Any) -> bool:
    """Tell whether the value of a function depends on its arguments alone, as far as its code shows.

    It does if all that the code names are numbers, NumPy and the module math but for random numbers, arithmetic of
    Python itself, and other functions of which the same is true.

    Examples
    --------
    >>> def drawn(x):
    ...     return np.random.rand() * x
    >>> is_pure(lambda x: np.sqrt(x)), is_pure(drawn)
    (True, False)
    """
    if id(function) in _LANGUAGE:
        return True
    if not isinstance(function, FunctionType):
        return False
    for code in _codes(function.__code__):
        for each in dis.get_instructions(code):
            stores = each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME")
            shares = each.opname == "STORE_DEREF" and each.argval in code.co_freevars
            if stores or shares or (each.opname in ("LOAD_ATTR", "LOAD_METHOD") and "random" in str(each.argval)):
                return False
    inner = [cell.cell_contents for cell in function.__closure__ or ()]
    return all(map(_is_settled, [*inner, *(value for _, value in _globals(function))])) and all(
        name in function.__globals__ or name in _BUILTINS for name in _named(function)
    )


def _is_settled(value: Any) -> bool:
    if isinstance(value, ModuleType):
        return value.__name__ in _MODULES
    if isinstance(value, BuiltinFunctionType):
        return value.__module__ == "math"
    is_number = isinstance(value, Number) or (isinstance(value, Quantity) and value.ndim == 0)
    return is_number or isinstance(value, np.ufunc) or is_pure(getattr(value, "_orig_func", value))


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those of the functions and comprehensions within it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _named(function: FunctionType) -> set[str]:
    """Return the names that a function looks up outside itself."""
    return {
        each.argval
        for code in _codes(function.__code__)
        for each in dis.get_instructions(code)
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }


def _globals(function: FunctionType) -> list[tuple[str, Any]]:
    own = function.__globals__
    return [(name, own[name]) for name in sorted(_named(function)) if name in own and not hasattr(builtins, name)]


def _key(function: FunctionType) -> Hashable:
    """Return all that the meaning of a function depends on."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    outer = tuple((name, _value_key(value)) for name, value in _globals(function))
    return function.__code__, function.__defaults__, tuple(map(_value_key, cells)), outer


def _value_key(value: Any) -> Hashable:
    if isinstance(value, FunctionType) and id(value) not in _LANGUAGE:
        return _key(value)
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    return type(value), value


def _plain(value: Any) -> Any:
    if isinstance(value, Quantity):
        return float(value) if value.ndim == 0 else np.asarray(value)
    if id(value) in _LANGUAGE:
        # Who has functions of their own needs Numba; many do not.
        from bionet.spiking.functions import FUNCTIONS

        return FUNCTIONS[_LANGUAGE[id(value)]]
    value = getattr(value, "_orig_func", value)
    return plain_function(value) or value if isinstance(value, FunctionType) else value
