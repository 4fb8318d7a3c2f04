"""Groups of neurons in continuous time: their differential equations, and whether a closed form solves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.expressions import FLOAT, Binary, Call, Name, Node, Number, Unary, names, walk

ONE = Number(1.0, FLOAT)
#: The names under which a flow's code computes what belongs to no variable.
DISTANCE, REFRACTORY, DELAY = "_distance", "_refractory", "_delay"
LENGTH, VELOCITY = "_length", "_velocity"
#: The intensity of a neuron that fires at random, what is left of its exponential number, and how that changes.
HAZARD, LEFT, SPENT = "_hazard", "_left", "_d_left"
#: How far the state is beyond the end of a refractory condition.
HOLD = "_hold"


@dataclass(frozen=True)
class Flow:
    """A group of neurons, its state moved by differential equations between events.

    Attributes
    ----------
    name : str
        That of the group.
    n : int
        How many neurons there are.
    states : tuple of int
        The numbers of the arrays that make up a neuron's state: the variables of its differential equations, then
        parameters that events change and that the equations read; these stand still between events.
    clamped : tuple of bool
        Which of them stand still while a neuron is refractory.
    code : Code
        Computes ``_d_<variable>`` for each differential equation, ``_distance`` (how far the state is above threshold)
        and ``_refractory`` (how long it is refractory after a spike) where there are any.
    derivatives : tuple of (str or None)
        For each state, the name of its derivative in ``code``; None if it stands still.
    fires_at : str or None
        ``">"`` or ``">="``, how the distance compares with 0 at a spike; None if there is no threshold.
    not_refractory, last_spike : int or None
        The arrays that say whether a neuron is not refractory, and when it fired last.
    refractory : bool
        Whether there is a refractory period.
    events : int or None
        The array of Brian2's that would list the spikes of a step; it stands for the group's spikes.
    atol : tuple of float
        The absolute error of each state that a step of numerical integration may make, in its SI unit.
    hazard : int or None
        Of neurons that fire at random: the place among the states of what is left until the next spike. Behind it is
        how many numbers were drawn. Both belong to no variable of the network's.
    released_at : str or None
        ``">"`` or ``">="``, how ``_hold`` compares with 0 where a refractory period that is a condition ends; None if
        it is a time.
    """

    name: str
    n: int
    states: tuple[int, ...]
    clamped: tuple[bool, ...]
    code: p.Code
    derivatives: tuple[str | None, ...]
    fires_at: str | None
    not_refractory: int | None
    last_spike: int | None
    refractory: bool
    events: int | None
    atol: tuple[float, ...]
    hazard: int | None = None
    released_at: str | None = None


class NotLinearError(Exception):
    """Why an expression is no sum of states times numbers, in words."""


@dataclass(frozen=True)
class Affine:
    """A sum of names times expressions without these names, and a rest without them."""

    slopes: Mapping[str, Node]
    rest: Node | None

    def scaled(self, factor: Node, operator: str = "*") -> Affine:
        """Return the sum times (or by) something without the names."""

        def times(each: Node) -> Node:
            return factor if each is ONE and operator == "*" else Binary(operator, each, factor, FLOAT)

        rest = None if self.rest is None else Binary(operator, self.rest, factor, FLOAT)
        return Affine({name: times(each) for name, each in self.slopes.items()}, rest)

    def plus(self, other: Affine, operator: str) -> Affine:
        """Return the sum with another added (or subtracted)."""
        slopes = dict(self.slopes)
        for name, each in other.slopes.items():
            joined = _joined(slopes.get(name), each, operator)
            assert joined is not None
            slopes[name] = joined
        return Affine(slopes, _joined(self.rest, other.rest, operator))


def _joined(left: Node | None, right: Node | None, operator: str) -> Node | None:
    if right is None:
        return left
    if left is None:
        return Unary("-", right, FLOAT) if operator == "-" else right
    return Binary(operator, left, right, FLOAT)


def affine(tree: Node, known: Mapping[str, Affine]) -> Affine:
    """Return an expression as a sum of states times numbers.

    Parameters
    ----------
    tree : Node
    known : mapping of str to Affine
        What the names of states, and of what was computed of them, stand for; other names are numbers.

    Raises
    ------
    NotLinearError
        If it is no such sum; the message names the part that is not.

    Examples
    --------
    >>> from bionet.spiking.expressions import parse
    >>> tree = parse("(E - v + g) / tau", dict.fromkeys(["E", "v", "g", "tau"], "float"), {})
    >>> sorted(affine(tree, {name: Affine({name: ONE}, None) for name in "vg"}).slopes)
    ['g', 'v']
    """
    match tree:
        case Name(name) if name in known:
            return known[name]
        case Unary("-", operand):
            return Affine({}, None).plus(affine(operand, known), "-")
        case Binary("+" | "-" as operator, left, right):
            return affine(left, known).plus(affine(right, known), operator)
        case Binary("*", left, right):
            one, two = affine(left, known), affine(right, known)
            if not one.slopes:
                return two.scaled(left)
            if not two.slopes:
                return one.scaled(right)
        case Binary("/", left, right):
            one, two = affine(left, known), affine(right, known)
            if not two.slopes:
                return one.scaled(right, "/")
    if not _reads(tree, known):
        return Affine({}, tree)
    raise NotLinearError("a product, quotient or function of states is not linear")


def _reads(tree: Node, known: Mapping[str, Affine]) -> bool:
    return any(known[name].slopes for name in names(tree) & known.keys())


@dataclass(frozen=True)
class LinearSystem:
    r"""The equations of a flow, :math:`x' = A x + b`, and its distance to threshold, :math:`g^\top x + d`.

    ``hold`` and ``hold_offset`` are the same of the end of its refractory period. The elements are expressions, None
    where they are 0.
    """

    matrix: tuple[tuple[Node | None, ...], ...]
    drive: tuple[Node | None, ...]
    gradient: tuple[Node | None, ...]
    offset: Node | None
    hold: tuple[Node | None, ...]
    hold_offset: Node | None


def linear_system(flow: Flow) -> LinearSystem:
    """Return a flow's equations as a linear system.

    Raises
    ------
    NotLinearError
        If an equation or the threshold is not linear in the states, or reads the time.
    """
    own = {_array(flow.code, name): name for name in flow.code.vector_reads}
    state_names = [own.get(number) for number in flow.states]
    zero = Affine({}, None)
    known = {name: Affine({name: ONE}, None) for name in state_names if name}
    for name in ("t", "t_in_timesteps"):
        if name in flow.code.names:
            known[name] = Affine({name: ONE}, None)
    found: dict[str, Affine] = {}
    for each in (*flow.code.scalar, *flow.code.vector):
        if each.target in (REFRACTORY, SPENT):
            continue
        try:
            found[each.target] = known[each.target] = affine(_quiet(each.value, flow.code), known)
        except NotLinearError as error:
            raise NotLinearError(f"{each.target.removeprefix('_d_')}: {error}") from None
    rows = [found.get(name, zero) if name else zero for name in flow.derivatives]
    if flow.hazard is not None:
        rows[flow.hazard] = zero.plus(found[HAZARD], "-")
    distance, hold = found.get(DISTANCE, zero), found.get(HOLD, zero)
    for form in (*rows, distance, hold):
        if form.slopes.keys() - set(state_names):
            raise NotLinearError("the equations read the time")
    return LinearSystem(
        tuple(tuple(row.slopes.get(name) if name else None for name in state_names) for row in rows),
        tuple(row.rest for row in rows),
        tuple(distance.slopes.get(name) if name else None for name in state_names),
        distance.rest,
        tuple(hold.slopes.get(name) if name else None for name in state_names),
        hold.rest,
    )


def _quiet(tree: Node, code: p.Code) -> Node:
    """Return a tree in which the tables of time count as numbers: they stand still between their steps."""
    for node in walk(tree):
        known = p.Elementary | p.UserFunction | p.Table
        if isinstance(node, Call) and not isinstance(code.functions[node.function], known):
            raise NotLinearError("a random number has no meaning between events")
        if (
            isinstance(node, Call)
            and isinstance(code.functions[node.function], p.Table)
            and not is_now(node.arguments[0])
        ):
            raise NotLinearError("a table is read at another time than the present")
    return without_time(tree, code)


def is_now(tree: Node) -> bool:
    """Return whether an expression is the time itself."""
    return isinstance(tree, Name) and tree.name == "t"


def without_time(tree: Node, code: p.Code) -> Node:
    """Return a tree in which tables are read at the time called ``_now``."""
    match tree:
        case Call(function, arguments, kind) if isinstance(code.functions[function], p.Table):
            return Call(function, (Name("_now", FLOAT), *arguments[1:]), kind)
        case Call(function, arguments, kind):
            return Call(function, tuple(without_time(each, code) for each in arguments), kind)
        case Unary(operator, operand, kind):
            return Unary(operator, without_time(operand, code), kind)
        case Binary(operator, left, right, kind):
            return Binary(operator, without_time(left, code), without_time(right, code), kind)
    return tree


def _array(code: p.Code, name: str) -> int:
    reference = code.names[name]
    assert isinstance(reference, p.Reference)
    return reference.array


def tables(code: p.Code) -> list[p.Table]:
    """Return the tables of time that code reads."""
    return [each for each in code.functions.values() if isinstance(each, p.Table)]


def evaluated(tree: Node, values: Mapping[str, NDArray | float], code: p.Code, constants: p.Program) -> NDArray | float:
    """Return the value of an expression, per element where it has several.

    Parameters
    ----------
    tree : Node
    values : mapping of str to array or float
        What names stand for that are not constants; ``"_now"`` is the time [s].
    code : Code
        Whose constants and functions these are.
    constants : Program
        Holds their values and tables.
    """

    def of(node: Node) -> NDArray | float:
        match node:
            case Number(value):
                return value
            case Name(name):
                meaning = code.names.get(name)
                if isinstance(meaning, p.Constant):
                    store = constants.floats if meaning.kind == FLOAT else constants.integers
                    return store[meaning.slot]
                return values[name]
            case Unary("not", operand):
                return np.logical_not(of(operand))
            case Unary(_, operand):
                return -of(operand)
            case Binary(operator, left, right):
                return _OPERATORS[operator](of(left), of(right))
            case Call(function, arguments):
                return _called(code.functions[function], [of(each) for each in arguments], values, constants)

    return of(tree)


_OPERATORS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}


def _called(function: p.Function, arguments: list, values: Mapping[str, NDArray | float], constants: p.Program):
    match function:
        case p.Elementary(name):
            # Many networks need none of them, nor Numba for it.
            from bionet.spiking.functions import FUNCTIONS

            return np.vectorize(FUNCTIONS[name])(*arguments)
        case p.UserFunction(_, python):
            return np.vectorize(python)(*arguments)
        case p.Table():
            look_up: Any = values[f"table {function.array}"]
            return look_up(*arguments)
    raise NotLinearError("a random number has no meaning between events")
