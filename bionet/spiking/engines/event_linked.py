"""The loop of the ``event`` engine, compiled: the same for all networks."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from bionet.spiking.engines import event_calls, event_crew, event_loop
from bionet.spiking.engines.kernels import compiled_module

_CONSTANTS = (
    "DONE", "ROOM", "ENOUGH", "AT_ONCE", "ENDLESS", "NO_DELAY", "FULL", "LEFT", "MOST_GENERATIONS", "MANY", "FORESIGHT"
)  # fmt: skip
_CALLED_FROM_PYTHON = ("run", "crew")
_INLINED = "forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True"


@cache
def compiled_loop(has_fronts: bool) -> Any:
    """Return the module with ``run`` and ``crew``, each compiled when it is called first, with or without fronts."""
    functions = (*event_calls.FUNCTIONS, *event_loop.FUNCTIONS, *event_crew.FUNCTIONS)
    constants = [f"{name} = {getattr(event_loop, name)}" for name in _CONSTANTS]
    constants.append(f"HAS_FRONTS = {has_fronts}")
    names = ("CALLS", *map(str.upper, event_calls.SIGNATURES))
    constants += [f"{name} = {getattr(event_calls, name)}" for name in names]
    constants += [f"{name} = {getattr(event_crew, name)}" for name in event_crew.CONSTANTS]
    return compiled_module("\n".join([*constants, *map(_decorated, functions), ""]), {})


def _decorated(function: Any) -> str:
    # What gets arrays as arguments, many times, is inlined: their references would be counted.
    option = "cache=True" if function.__name__ in _CALLED_FROM_PYTHON else _INLINED
    return f'@njit(error_model="numpy", nogil=True, {option})\n{inspect.getsource(function)}'
