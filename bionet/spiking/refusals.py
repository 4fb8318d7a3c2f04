"""What is refused at once, before Brian2 works on it: costly texts, halves of neurons, more than there is memory for.

What would be wrong in a run is refused when the run begins (:mod:`bionet.spiking.guards`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any

import numpy as np
from brian2.core.variables import ArrayVariable, VariableView
from brian2.devices.device import RuntimeDevice, get_device
from brian2.equations import codestrings
from brian2.groups.neurongroup import NeuronGroup
from brian2.input.poissongroup import PoissonGroup

import bionet.spiking.program as p
from bionet.errors import InputError
from bionet.spiking.grammar import check_cost
from bionet.spiking.memory import require_memory
from bionet.spiking.reading import Reading


class RefusingDevice(RuntimeDevice):
    """Brian2's runtime device; strings and arrays that would hang or end the process are refused."""

    # Strings, as in G.v = "rand()" and G.v["i < 3"]

    def variableview_set_with_expression(
        self, view: VariableView, item: Any, code: str, *rest: Any, **more: Any
    ) -> None:
        """Set some elements of a variable to what an expression says."""
        _check_texts(view, item, code)
        VariableView.set_with_expression.original_function(view, item, code, *rest, **more)

    def variableview_set_with_expression_conditional(
        self, view: VariableView, cond: str, code: str, *rest: Any, **more: Any
    ) -> None:
        """Set the elements for which a condition holds."""
        _check_texts(view, cond, code)
        VariableView.set_with_expression_conditional.original_function(view, cond, code, *rest, **more)

    def variableview_get_with_expression(self, view: VariableView, code: str, *rest: Any, **more: Any) -> Any:
        """Return the elements for which a condition holds."""
        _check_texts(view, code)
        return VariableView.get_with_expression.original_function(view, code, *rest, **more)

    # Memory

    def add_array(self, var: ArrayVariable) -> None:
        """Make the memory of a variable."""
        _check_memory(var, var.size)
        super().add_array(var)

    def resize(self, var: ArrayVariable, new_size: int) -> None:
        """Give a variable another size."""
        _check_memory(var, new_size)
        super().resize(var, new_size)

    def resize_along_first(self, var: ArrayVariable, new_size: Any) -> None:
        """Give a variable of rows another number of rows."""
        _check_memory(var, new_size)
        super().resize_along_first(var, new_size)


def check_texts(owner: str, **texts: Any) -> None:
    """Hold those arguments of a call that are text to the limits of `check_cost`; others pass.

    Raises
    ------
    InputError
    """
    for name, text in texts.items():
        if isinstance(text, str):
            check_cost(text, f"{owner}.{name}")


def _check_texts(view: VariableView, *texts: Any) -> None:
    for text in texts:
        if isinstance(text, str):
            check_cost(text, f"{view.group_name}.{view.name}")


def _check_memory(variable: ArrayVariable, size: Any) -> None:
    count = float(np.prod(np.asarray(size, np.float64)))
    needed = count * np.dtype(variable.dtype).itemsize
    owner = getattr(variable.owner, "name", "an array")
    require_memory(
        needed, f"{owner}.{variable.name}: got {count:.0f} elements", "divide the network, or make it smaller"
    )


def check_traces(reading: Reading) -> None:
    """Refuse a run whose monitors of states and rates would record more than there is memory for.

    Raises
    ------
    InputError
    """
    needed = {}
    for each in reading.program.operations:
        if isinstance(each, p.RecordStates | p.RecordRate):
            clock = reading.clocks[each.clock]
            steps = clock._i_end - int(clock.variables["timestep"].get_value()[0])
            needed[each.name] = steps * each.row_size(reading.program)
    if needed:
        most = max(needed, key=needed.__getitem__)
        require_memory(
            sum(needed.values()),
            f"{most}: got a trace of {needed[most] / 1e9:.2f} GB",
            "record fewer neurons, with a larger dt, or run in parts and write each to disk",
        )


def watch() -> None:
    """Look at what constructors of Brian2 are given, while bionet's device is the active one.

    Brian2 asks its device for nothing before it has rounded a number of neurons, or worked on the text of equations.
    """
    codestrings.str_to_sympy = _reading(codestrings.str_to_sympy)
    for kind in (NeuronGroup, PoissonGroup):
        # Not __init__: Brian2 would take a frame more for the place where the user made the object.
        kind.__new__ = _counting(kind.__new__)


def _reading(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def str_to_sympy(expression: str, *rest: Any, **more: Any) -> Any:
        if isinstance(get_device(), RefusingDevice):
            check_cost(expression, "equations")
        return original(expression, *rest, **more)

    return str_to_sympy


def _counting(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def new(cls: type, *given: Any, **named: Any) -> Any:
        if isinstance(get_device(), RefusingDevice):
            _check_count(cls, given, named)
        return original(cls, *given, **named)

    return new


def _check_count(cls: type, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        constructor: Any = getattr(cls, "__init__")  # noqa: B009
        # Where Brian2's check of units leaves what it decorates.
        constructor = getattr(constructor, "_orig_func", constructor)
        n = inspect.signature(constructor).bind_partial(None, *given, **named).arguments.get("N")
    except TypeError:
        return
    if isinstance(n, Real) and n != n // 1:
        raise InputError(f"{cls.__name__}.N: got {n}; expected a whole number of neurons, such as 100")
