"""What an expression surely lies between while the time is somewhere in an interval: interval arithmetic.

Each operation is applied to the ends of its operands' intervals and rounded outwards, by more than what the compiled
functions may be off. So no value of the expression lies outside; its bounds are tight where the intervals are short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.expressions import FLOAT, Binary, Call, Name, Node, Number, Unary

Interval = tuple[NDArray, NDArray]
#: Rounding outwards, relative: more than four units in the last place.
_MORE = 1e-15
#: Beyond, sine and cosine are not known.
_LARGEST_ANGLE = 1e12


class NoBoundError(Exception):
    """Why nothing is known of what an expression lies between, in words."""


def enclosed(tree: Node, values: Mapping[str, Interval], code: p.Code, program: p.Program, tables: Any) -> Interval:
    """Return bounds of an expression.

    Parameters
    ----------
    tree : Node
    values : mapping of str to (array, array)
        What names that are not constants lie between.
    code : Code
        Whose constants and functions these are.
    program : Program
        Holds the constants' values.
    tables : callable
        ``tables(table)``: the values of a table of times, and how long each holds [s].

    Raises
    ------
    NoBoundError
        If the expression calls a function of which no bounds are known.

    Examples
    --------
    >>> from bionet.spiking.expressions import parse
    >>> tree = parse("t*(2 - t)", {"t": "float"}, {})
    >>> low, high = enclosed(tree, {"t": (np.array(0.0), np.array(1.0))}, None, None, None)
    >>> float(low), float(high) >= 2.0
    (0.0, True)
    """

    def of(node: Node) -> Interval:
        match node:
            case Number(value):
                return np.asarray(float(value)), np.asarray(float(value))
            case Name(name):
                meaning = code.names.get(name) if code is not None else None
                if isinstance(meaning, p.Constant):
                    store = program.floats if meaning.kind == FLOAT else program.integers
                    return np.asarray(float(store[meaning.slot])), np.asarray(float(store[meaning.slot]))
                return values[name]
            case Unary("not", operand):
                low, high = _truth(of(operand))
                return 1.0 - high, 1.0 - low
            case Unary(_, operand):
                low, high = of(operand)
                return -high, -low
            case Binary(operator, left, right):
                return _OPERATORS[operator](of(left), of(right))
            case Call(function, arguments):
                return _called(code.functions[function], function, [of(each) for each in arguments], tables)

    with np.errstate(all="ignore"):
        return of(tree)


def _out(low: NDArray, high: NDArray) -> Interval:
    """Round outwards; what is no number is anything."""
    low, high = np.asarray(low - _MORE * np.abs(low)), np.asarray(high + _MORE * np.abs(high))
    lost = np.isnan(low) | np.isnan(high)
    return np.where(lost, -np.inf, low), np.where(lost, np.inf, high)


def _anything(condition: NDArray, low: NDArray, high: NDArray) -> Interval:
    return np.where(condition, -np.inf, low), np.where(condition, np.inf, high)


def _hull(*values: NDArray) -> Interval:
    """Return the least and the largest; 0 times infinity, at an end that is no value itself, is 0."""
    known = [np.where(np.isnan(each), 0.0, each) for each in values]
    return np.minimum.reduce(np.broadcast_arrays(*known)), np.maximum.reduce(np.broadcast_arrays(*known))


def _lost(*intervals: Interval) -> NDArray:
    """Tell where an end is no number."""
    found: Any = False
    for low, high in intervals:
        found = found | np.isnan(low) | np.isnan(high)
    return found


def _add(a: Interval, b: Interval) -> Interval:
    return _out(a[0] + b[0], a[1] + b[1])


def _subtract(a: Interval, b: Interval) -> Interval:
    return _out(a[0] - b[1], a[1] - b[0])


def _multiply(a: Interval, b: Interval) -> Interval:
    low, high = _hull(a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1])
    return _anything(_lost(a, b), *_out(low, high))


def _divide(a: Interval, b: Interval) -> Interval:
    holds_zero = (b[0] <= 0) & (b[1] >= 0)
    return _anything(holds_zero, *_multiply(a, _out(1.0 / b[1], 1.0 / b[0])))


def _floor_divide(a: Interval, b: Interval) -> Interval:
    low, high = _divide(a, b)
    return np.floor(low), np.floor(high)


def _modulo(a: Interval, b: Interval) -> Interval:
    period = b[0]
    off = 1e-12 * (np.abs(a[0]) + np.abs(a[1]) + np.abs(period))
    turn = np.floor((a[0] - off) / period)
    is_one = (period > 0) & (b[1] == period) & (turn == np.floor((a[1] + off) / period))
    largest = np.maximum(np.abs(b[0]), np.abs(b[1]))
    low = np.where(is_one, np.maximum(a[0] - turn * period - off, 0.0), np.where(b[0] > 0, 0.0, -largest))
    high = np.where(is_one, np.minimum(a[1] - turn * period + off, period), np.where(b[1] < 0, 0.0, largest))
    return _anything(_lost(a, b) | ((b[0] <= 0) & (b[1] >= 0)), low, high)


def _power(a: Interval, b: Interval) -> Interval:
    exponent = b[0]
    is_whole = (b[1] == exponent) & (exponent == np.floor(exponent))
    ends = np.power(a[0], exponent), np.power(a[1], exponent)
    low, high = np.minimum(*ends), np.maximum(*ends)
    holds_zero = (a[0] <= 0) & (a[1] >= 0)
    low = np.where(holds_zero & (exponent % 2 == 0), np.minimum(low, 0.0), low)
    of_whole = _anything(holds_zero & (exponent < 0), *_out(low, high))
    corners = [np.power(np.maximum(x, 0.0), y) for x in a for y in b]
    of_any = _anything((a[0] < 0) | (holds_zero & (b[0] < 0)), *_out(*_hull(*corners)))
    found = np.where(is_whole, of_whole[0], of_any[0]), np.where(is_whole, of_whole[1], of_any[1])
    return _anything(_lost(a, b), *found)


def _truth(a: Interval) -> Interval:
    is_zero, holds_zero = (a[0] == 0) & (a[1] == 0), (a[0] <= 0) & (a[1] >= 0)
    return 1.0 - (holds_zero | _lost(a)), 1.0 - is_zero


def _less(a: Interval, b: Interval) -> Interval:
    return np.asarray(a[1] < b[0], float), 1.0 - (a[0] >= b[1])


def _less_or_equal(a: Interval, b: Interval) -> Interval:
    return np.asarray(a[1] <= b[0], float), 1.0 - (a[0] > b[1])


def _equal(a: Interval, b: Interval) -> Interval:
    same = (a[0] == a[1]) & (b[0] == b[1]) & (a[0] == b[0])
    return np.asarray(same, float), 1.0 - ((a[1] < b[0]) | (b[1] < a[0]))


def _differ(a: Interval, b: Interval) -> Interval:
    low, high = _equal(a, b)
    return 1.0 - high, 1.0 - low


def _and(a: Interval, b: Interval) -> Interval:
    a, b = _truth(a), _truth(b)
    return a[0] * b[0], a[1] * b[1]


def _or(a: Interval, b: Interval) -> Interval:
    a, b = _truth(a), _truth(b)
    return np.maximum(a[0], b[0]), np.maximum(a[1], b[1])


_OPERATORS: Mapping[str, Callable[[Interval, Interval], Interval]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "//": _floor_divide,
    "%": _modulo,
    "**": _power,
    "<": _less,
    "<=": _less_or_equal,
    ">": lambda a, b: _less(b, a),
    ">=": lambda a, b: _less_or_equal(b, a),
    "==": _equal,
    "!=": _differ,
    "and": _and,
    "or": _or,
}


# Functions


def _wave(a: Interval, peak: float) -> Interval:
    """Return bounds of a cosine that is 1 at ``peak``, and at all turns from it."""
    low, high = np.cos(a[0] - peak), np.cos(a[1] - peak)
    off = 1e-14 * (1.0 + np.abs(a[0]) + np.abs(a[1]))

    def holds(angle: float) -> NDArray:
        first = np.ceil((a[0] - off - angle) / (2 * np.pi))
        return first <= np.floor((a[1] + off - angle) / (2 * np.pi))

    least = np.where(holds(peak + np.pi), -1.0, np.minimum(low, high) - off)
    most = np.where(holds(peak), 1.0, np.maximum(low, high) + off)
    is_far = ~(np.maximum(np.abs(a[0]), np.abs(a[1])) < _LARGEST_ANGLE)
    return _anything(is_far, np.maximum(least, -1.0), np.minimum(most, 1.0))


def _tangent(a: Interval) -> Interval:
    off = 1e-14 * (1.0 + np.abs(a[0]) + np.abs(a[1]))
    branch = np.floor((a[0] - off) / np.pi + 0.5)
    has_pole = branch != np.floor((a[1] + off) / np.pi + 0.5)
    return _anything(has_pole, *_out(np.tan(a[0] - off), np.tan(a[1] + off)))


def _even(function: Callable) -> Callable[[Interval], Interval]:
    """Return the bounds of an even function that grows with the size of its argument."""

    def of(a: Interval) -> Interval:
        low, high = _hull(np.abs(a[0]), np.abs(a[1]))
        low = np.where((a[0] <= 0) & (a[1] >= 0), 0.0, low)
        return _anything(_lost(a), *_out(function(low), function(high)))

    return of


def _rising(function: Callable) -> Callable[[Interval], Interval]:
    return lambda a: _out(function(a[0]), function(a[1]))


def _clip(x: Interval, low: Interval, high: Interval) -> Interval:
    at_least, at_most = (np.minimum(np.maximum(x[k], low[k]), high[k]) for k in range(2))
    return _anything(_lost(x, low, high), at_least, at_most)


def _exprel(x: NDArray) -> NDArray:
    return np.where(x == 0, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x))


_FUNCTIONS: Mapping[str, Callable[..., Interval]] = {
    **{
        name: _rising(getattr(np, name))
        for name in ("exp", "expm1", "log", "log1p", "log10", "sinh", "tanh", "sqrt", "arcsin", "arctan")
    },
    "exprel": _rising(_exprel),
    "sign": lambda a: _anything(_lost(a), np.sign(a[0]), np.sign(a[1])),
    "floor": lambda a: (np.floor(a[0]), np.floor(a[1])),
    "ceil": lambda a: (np.ceil(a[0]), np.ceil(a[1])),
    "int": lambda a: (np.trunc(a[0]), np.trunc(a[1])),
    "arccos": lambda a: _out(np.arccos(a[1]), np.arccos(a[0])),
    "sin": lambda a: _wave(a, np.pi / 2),
    "cos": lambda a: _wave(a, 0.0),
    "tan": _tangent,
    "abs": _even(np.asarray),
    "cosh": _even(np.cosh),
    "clip": _clip,
}


def _called(function: p.Function, name: str, arguments: list[Interval], tables: Any) -> Interval:
    match function:
        case p.Elementary(known) if known in _FUNCTIONS:
            return _FUNCTIONS[known](*arguments)
        case p.Table():
            return _looked_up(*tables(function), *arguments)
    raise NoBoundError(f"{name}() is a function of which no bounds are known")


def without_bounds(code: p.Code) -> list[str]:
    """Return the functions that code calls of which no bounds are known."""

    def is_known(function: p.Function) -> bool:
        return isinstance(function, p.Table) or (isinstance(function, p.Elementary) and function.name in _FUNCTIONS)

    return sorted(name for name, each in code.functions.items() if not is_known(each))


def _looked_up(values: NDArray, dt: float, t: Interval, column: Interval | None = None) -> Interval:
    """Return bounds of a table of times, one row of intervals of time after the other."""
    rows = np.stack(np.broadcast_arrays(t[0] / dt - 1e-6, t[1] / dt + 1e-6))
    rows = np.clip(np.nan_to_num(np.floor(rows)), 0, len(values) - 1).astype(np.int64)
    starts, widths = rows[0].reshape(-1), (rows[1] - rows[0]).reshape(-1) + 1
    parts = [values[first : first + width] for first, width in zip(starts, widths, strict=True)]
    low, high = (np.array([end(each, axis=0) for each in parts], float) for end in (np.min, np.max))
    if column is None:
        return _anything(_lost(t), low.reshape(rows.shape[1:]), high.reshape(rows.shape[1:]))
    columns = np.broadcast_arrays(np.arange(len(parts)).reshape(rows.shape[1:]), column[0].astype(np.int64))
    return low[tuple(columns)], high[tuple(columns)]
