"""The values that the names in an object's code stand for, as far as they are known before a run."""

from __future__ import annotations

import ast
import operator
from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from brian2.core.base import BrianObject
from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_UNITS
from brian2.core.network import Network
from brian2.core.operations import NetworkOperation
from brian2.core.variables import ArrayVariable, Constant, Subexpression, Variable
from brian2.equations.equations import Equations
from brian2.groups import neurongroup
from brian2.groups.group import CodeRunner, Group
from brian2.input.timedarray import TimedArray
from brian2.synapses import synapses
from brian2.units.fundamentalunits import DimensionMismatchError, Quantity

from bionet.spiking.grammar import right_side, statements

STATE_UPDATERS = (neurongroup.StateUpdater, synapses.StateUpdater)
# So far from a multiple of dt, in steps, a time may lie and count as one: Brian2's tolerance for clocks.
ON_GRID = 1e-4
_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Run:
    """A run that is about to begin.

    Attributes
    ----------
    namespace : dict
        The names around the call of ``run``.
    start, stop : float
        Its first and last instant [s].
    objects : list of BrianObject
        What is active, in order.
    has_operations : bool
        Whether Python code runs along, which may write any parameter that is not constant.
    changing : set of (str, str)
        Owner and name of the variables that code writes.
    """

    namespace: dict
    start: float
    stop: float
    objects: Sequence[BrianObject]
    has_operations: bool = field(init=False)
    changing: set[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        """See what changes."""
        object.__setattr__(self, "has_operations", any(isinstance(each, NetworkOperation) for each in self.objects))
        object.__setattr__(self, "changing", set().union(*map(_written, self.objects)))

    @classmethod
    def of(cls, network: Network, duration: float, namespace: dict) -> Run:
        """Return what a network is about to do for ``duration`` seconds."""
        start = float(network.t_)
        return cls(namespace, start, start + duration, [each for each in network.sorted_objects if each.active])


def code_of(runner: BrianObject) -> str:
    """Return the code that the user wrote for an object; none for a state updater, which has equations."""
    code = ""
    if isinstance(runner, synapses.SynapticPathway):
        code = runner.code
    elif isinstance(runner, neurongroup.Resetter):
        code = runner.group.event_codes.get(runner.event)
    elif isinstance(runner, neurongroup.Thresholder):
        code = f"_cond = {runner.group.events[runner.event]}"
    elif isinstance(runner, CodeRunner) and not isinstance(runner, STATE_UPDATERS):
        code = runner.abstract_code
    return code if isinstance(code, str) else ""


def with_unit(variable: Variable) -> Quantity:
    """Return the values of a variable, not copied."""
    return Quantity(variable.get_value(), dim=variable.dim, copy=False)


class Scope:
    """The values of names in the code of one object, looked up in Brian2's order.

    Parameters
    ----------
    owner : brian2.Group
        Whose code it is.
    run : Run
        When it runs.
    """

    def __init__(self, owner: Group, run: Run) -> None:
        self.owner = owner
        self._run = run
        own = getattr(owner, "namespace", None) or {}
        self._outside: ChainMap = ChainMap(DEFAULT_CONSTANTS, DEFAULT_UNITS, own, run.namespace)

    def find(self, tree: ast.expr) -> Quantity | None:
        """Return the value of an expression, per element where it has several; None where it is not known.

        Known are constants, parameters that nothing writes, sums, products and powers of them, and what a TimedArray
        says in the time of the run.
        """
        try:
            return self._window(tree) if isinstance(tree, ast.Call) else Quantity(self._evaluate(tree))
        except (KeyError, ValueError, TypeError, DimensionMismatchError):
            return None

    def meanings(self) -> dict[str, ast.expr]:
        """Return what the owner's subexpressions stand for."""
        own = getattr(self.owner, "equations", None)
        if not isinstance(own, Equations):
            return {}
        return {name: right_side(own[name].expr.code) for name in own.subexpr_names}

    def _evaluate(self, node: ast.expr) -> Quantity | float:
        match node:
            case ast.Constant(int() | float() as value):
                return np.float64(value)
            case ast.Name(name):
                return self._value(name)
            case ast.UnaryOp(ast.USub(), operand):
                return -self._evaluate(operand)
            case ast.BinOp(left, op, right):
                return _OPERATORS[type(op)](self._evaluate(left), self._evaluate(right))
        raise KeyError(type(node).__name__)

    def _value(self, name: str) -> Quantity:
        variable = self.owner.variables.get(name)
        if variable is None:
            found = self._outside[name]
            return with_unit(found) if isinstance(found, Variable) else _scalar(found)
        if isinstance(variable, Constant):
            return with_unit(variable)
        if isinstance(variable, Subexpression) and variable.owner.name == self.owner.name:
            return Quantity(self._evaluate(right_side(variable.expr)))
        if not isinstance(variable, ArrayVariable) or not self._is_settled(variable):
            raise KeyError(name)
        index = self.owner.variables.indices[name]
        if index in ("_idx", "0"):
            return with_unit(variable)
        if isinstance(self.owner, synapses.Synapses):
            # A neuron's variable would have to be gathered for every synapse; it is checked with the neurons.
            raise KeyError(name)
        return with_unit(variable)[np.asarray(self.owner.variables[index].get_value())]

    def _is_settled(self, variable: ArrayVariable) -> bool:
        """Tell whether a variable keeps its value: dt, or a parameter that nothing writes."""
        if variable.name == "dt":
            return True
        own = getattr(variable.owner, "equations", None)
        if not isinstance(own, Equations) or variable.name not in own.parameter_names:
            return False
        is_written = (variable.owner.name, variable.name) in self._run.changing
        return not is_written and (variable.constant or not self._run.has_operations)

    def _window(self, call: ast.Call) -> Quantity:
        """Return the part of a TimedArray that ``array(t)`` or ``array(t, i)`` reads in the run."""
        array = self._outside[call.func.id] if isinstance(call.func, ast.Name) else None
        if not isinstance(array, TimedArray) or not isinstance(call.args[0], ast.Name) or call.args[0].id != "t":
            raise KeyError
        last = len(array.values) - 1
        begin = min(self._run.start / array.dt + ON_GRID, last)
        end = min(max(self._run.stop - float(self.owner.clock.dt), 0.0) / array.dt + ON_GRID, last)
        return Quantity(array.values[int(begin) : int(end) + 1], dim=array.dim, copy=False)


def _scalar(found: object) -> Quantity:
    value = Quantity(found)
    if value.shape != () or value.dtype.kind not in "fiub":
        raise KeyError
    return value


def _written(each: BrianObject) -> set[tuple[str, str]]:
    """Return owner and name of the variables that an object's code writes."""
    code = code_of(each)
    targets = [each.group.variables.get(name) for name, _ in statements(code)] if code else []
    if isinstance(each, synapses.SummedVariableUpdater):
        targets.append(each.target_var)
    return {(target.owner.name, target.name) for target in targets if isinstance(target, ArrayVariable)}
