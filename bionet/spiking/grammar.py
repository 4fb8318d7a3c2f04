"""What an expression may contain, and what multiplies and what divides in it."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from brian2.utils.stringtools import deindent

from bionet.errors import InputError

LENGTH = 10_000
NODES = 2_000
DEPTH = 64
EXPONENT = 64

_ALLOWED = (
    *(ast.Constant, ast.Name, ast.Call, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And),
    *(ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.Load),
)
_TOO_DEEP = (RecursionError, MemoryError)


def check_expression(text: str, where: str = "expression") -> ast.expr:
    """Parse an expression and refuse what is no arithmetic, or would cost too much to analyse.

    Parameters
    ----------
    text : str
        One expression, such as ``"(v0 - v)/tau"``.
    where : str
        Whose it is, the beginning of the message.

    Returns
    -------
    ast.expr
        The syntax tree, at most 64 deep and of at most 2,000 nodes.

    Raises
    ------
    InputError
        If it has more than 10,000 characters, anything but numbers, names, operators, comparisons and calls of
        functions by name, a number that is not finite, or a literal exponent above 64
        (that of a power of a power is their product).

    Notes
    -----
    ``9**9**9**9`` asks the symbolic algebra of Brian2 for a number with more digits than there is memory for.

    Examples
    --------
    >>> ast.unparse(check_expression("(v0-v)/tau"))
    '(v0 - v) / tau'
    """
    if len(text) > LENGTH:
        raise InputError(
            f"{where}: got {len(text)} characters; expected at most {LENGTH}; divide it into subexpressions"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, *_TOO_DEEP) as error:
        raise InputError(
            f"{where}: got {_short(text)}; expected an expression, such as (v0 - v)/tau ({error})"
        ) from None
    _check_size(tree, where)
    _check_powers(tree, where, 1.0)
    return tree


def check_cost(text: str, where: str = "expression") -> None:
    """Refuse an expression that would cost too much to analyse; whether it is arithmetic, Brian2 says itself.

    Parameters
    ----------
    text : str
        One expression.
    where : str
        Whose it is, the beginning of the message.

    Raises
    ------
    InputError
        If it has more than 10,000 characters, is nested too deep for Python, or has a literal exponent above 64.

    Examples
    --------
    >>> check_cost("9**9**9**9", "cells.v")
    Traceback (most recent call last):
    bionet.errors.InputError: cells.v: got a power of inf in '9 ** 9 ** 9 ** 9'; expected at most 64; ...
    """
    if len(text) > LENGTH:
        raise InputError(f"{where}: got {len(text)} characters; expected at most {LENGTH}; divide it into parts")
    try:
        with suppress(SyntaxError):
            # In brackets, so that "k for k in range(9)" is one too.
            _check_powers(ast.parse(f"({text})", mode="eval"), where, 1.0)
    except _TOO_DEEP:
        raise InputError(
            f"{where}: got {_short(text)}, nested too deep; expected a smaller expression; divide it into parts"
        ) from None


class Statement(NamedTuple):
    """One line of code: the name that is written, and the whole right-hand side (``x += w`` reads as ``x + w``)."""

    target: str
    right: ast.expr


@lru_cache(maxsize=1024)
def statements(code: str) -> tuple[Statement, ...]:
    """Return the assignments of a block of code; none of a block that cannot be parsed, which Brian2 will refuse.

    Examples
    --------
    >>> [(each.target, ast.unparse(each.right)) for each in statements("x += w; y = 2*x")]
    [('x', 'x + w'), ('y', '2 * x')]
    """
    try:
        lines = ast.parse(deindent(code, docstring=True)).body
    except (SyntaxError, ValueError, *_TOO_DEEP):
        return ()
    found = []
    for line in lines:
        if isinstance(line, ast.AugAssign) and isinstance(line.target, ast.Name):
            left = ast.Name(line.target.id, ast.Load())
            found.append(Statement(line.target.id, ast.BinOp(left, line.op, line.value)))
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            found.append(Statement(line.targets[0].id, line.value))
    return tuple(found)


def right_side(expression: str) -> ast.expr:
    """Return the tree of an expression; that of None where it cannot be parsed, which Brian2 will refuse.

    Examples
    --------
    >>> ast.unparse(right_side("v/tau"))
    'v / tau'
    """
    found = statements(f"_ = ({expression})")
    return found[0].right if found else ast.Constant(None)


def check_code(code: str, where: str = "code") -> None:
    """Hold every right-hand side of a block of code to the limits of `check_expression`.

    Raises
    ------
    InputError
        As `check_expression` does.
    """
    if len(code) > LENGTH:
        raise InputError(f"{where}: got {len(code)} characters; expected at most {LENGTH}; write shorter code")
    for each in statements(code):
        _check_size(each.right, where)
        _check_powers(each.right, where, 1.0)


def summands(tree: ast.expr) -> Iterator[ast.expr]:
    """Go through the terms of a sum or difference.

    Examples
    --------
    >>> [ast.unparse(each) for each in summands(right_side("-a*b + (c - d)"))]
    ['-a * b', 'c', 'd']
    """
    match tree:
        case ast.BinOp(left, ast.Add() | ast.Sub(), right):
            yield from summands(left)
            yield from summands(right)
        case ast.UnaryOp(ast.USub(), operand):
            yield from summands(operand)
        case _:
            yield tree


class Divisor(NamedTuple):
    """What divides, and whether it divides a decay: a term in which the state stands with a minus sign."""

    tree: ast.expr
    decay: bool


class Terms:
    """What multiplies and what divides in an expression, reached through + - * / and constant powers only.

    A name inside a function or a comparison is not reached: whatever it is, the outcome may be finite.

    Parameters
    ----------
    tree : ast.expr
        The right-hand side.
    state : str
        The variable whose decay is looked for: in d(state)/dt = -state/tau, (E - state)/tau, g*(E - state)/C, ...
    meanings : mapping of str to ast.expr
        What the names of subexpressions stand for.

    Attributes
    ----------
    factors : list of ast.expr
        Names and calls whose value reaches the result as a summand or a factor.
    divisors : list of Divisor
        What a summand is divided by.

    Examples
    --------
    >>> found = Terms(check_expression("(I - v)/tau + w"), "v")
    >>> [ast.unparse(each) for each in found.factors]
    ['I', 'v', 'w']
    >>> [(ast.unparse(each.tree), each.decay) for each in found.divisors]
    [('tau', True)]
    """

    def __init__(
        self, tree: ast.expr, state: str = "", meanings: Mapping[str, ast.expr] = MappingProxyType({})
    ) -> None:
        self.factors: list[ast.expr] = []
        self.divisors: list[Divisor] = []
        self._state = state
        self._meanings = meanings
        self._known: dict[str, frozenset[int]] = {state: frozenset({1})}
        self._walked: set[tuple] = set()
        self._walk(tree, 1, frozenset())

    def _walk(self, node: ast.expr, sign: int, states: frozenset[int]) -> None:
        """Visit a summand that is multiplied by ``sign``, and by the state with the signs ``states``."""
        match node:
            case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
                other = -1 if isinstance(op, ast.Sub) else 1
                self._walk(left, sign, states)
                self._walk(right, other * sign, _times(states, other))
            case ast.UnaryOp(ast.USub(), operand):
                self._walk(operand, -sign, _times(states, -1))
            case ast.BinOp(left, ast.Mult(), right):
                for one, by in ((left, right), (right, left)):
                    written = _sign(by)
                    self._walk(one, written * sign, _times(states, written) | _times(self._signs(by), sign))
            case ast.BinOp(left, ast.Div(), right):
                self._walk(left, _sign(right) * sign, _times(states, _sign(right)))
                self._divide(right, _times(states, _sign(left)) | _times(self._signs(left), sign))
            case ast.BinOp(base, ast.Pow(), exponent) if (power := _constant(exponent)) is not None:
                if power < 0:
                    self._divide(base, states)
                elif power > 0:
                    self._walk(base, 1, frozenset())
            case ast.Name(name) if name in self._meanings:
                if (name, sign, states) not in self._walked:
                    self._walked.add((name, sign, states))
                    self._walk(self._meanings[name], sign, states)
            case ast.Name() | ast.Call():
                self.factors.append(node)

    def _divide(self, node: ast.expr, states: frozenset[int]) -> None:
        self.divisors.append(Divisor(node, -1 in states))

    def _signs(self, node: ast.expr) -> frozenset[int]:
        """Return the signs with which the state itself stands in a sum of products."""
        match node:
            case ast.Name(name):
                if name not in self._known:
                    self._known[name] = frozenset()  # for a name whose meaning mentions itself, as after x = 2*x
                    if name in self._meanings:
                        self._known[name] = self._signs(self._meanings[name])
                return self._known[name]
            case ast.UnaryOp(ast.USub(), operand):
                return _times(self._signs(operand), -1)
            case ast.BinOp(left, ast.Add(), right):
                return self._signs(left) | self._signs(right)
            case ast.BinOp(left, ast.Sub(), right):
                return self._signs(left) | _times(self._signs(right), -1)
            case ast.BinOp(left, ast.Mult(), right):
                return _times(self._signs(left), _sign(right)) | _times(self._signs(right), _sign(left))
            case ast.BinOp(left, ast.Div(), right):
                return _times(self._signs(left), _sign(right))
        return frozenset()


def _times(signs: frozenset[int], sign: int) -> frozenset[int]:
    return frozenset(sign * each for each in signs)


def _sign(node: ast.expr) -> int:
    """Return the sign that is written before a product."""
    match node:
        case ast.UnaryOp(ast.USub(), operand):
            return -_sign(operand)
        case ast.BinOp(left, ast.Mult() | ast.Div(), right):
            return _sign(left) * _sign(right)
    return 1


def _check_size(tree: ast.expr, where: str) -> None:
    count = 0
    for node, depth in _nodes(tree):
        count += isinstance(node, ast.expr)
        if not isinstance(node, _ALLOWED):
            raise InputError(
                f"{where}: got the {type(node).__name__} {_short(node)}; "
                "expected numbers, names, + - * / // % **, comparisons, and, or, not, and calls such as exp(-v)"
            )
        if count > NODES or depth > DEPTH:
            raise InputError(
                f"{where}: got an expression of more than {NODES} parts or {DEPTH} levels; "
                "expected a smaller one; divide it into subexpressions"
            )
        match node:
            case ast.Constant(value) if not isinstance(value, int | float) or not _is_finite(value):
                raise InputError(f"{where}: got {_short(node)}; expected a finite number, such as 0.5")
            case ast.Name(name) if name.startswith("__") and name.endswith("__"):
                raise InputError(f"{where}: got the name {name}; expected no double underscores around a name")
            case ast.Call(function, _, keywords) if keywords or not isinstance(function, ast.Name):
                raise InputError(f"{where}: got {_short(node)}; expected a call such as exp(-v)")


def _nodes(tree: ast.expr) -> Iterator[tuple[ast.AST, int]]:
    """Go through a tree without recursion, so that no depth is too much."""
    pending: list[tuple[ast.AST, int]] = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        yield node, depth
        pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]


def _check_powers(node: ast.AST, where: str, power: float) -> None:
    """Refuse powers above the limit; ``power`` is that of the powers around this node."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        exponent = abs(_constant(node.right) or 1.0)
        inner = power * max(1.0, exponent)
        if inner > EXPONENT:
            raise InputError(
                f"{where}: got a power of {inner:g} in {_short(node)}; expected at most {EXPONENT}; "
                "compute the number beforehand and give it a name"
            )
        _check_powers(node.left, where, inner)
        _check_powers(node.right, where, 1.0)
        return
    for child in ast.iter_child_nodes(node):
        _check_powers(child, where, power)


def _constant(node: ast.expr) -> float | None:
    """Return the value of an expression of literals, infinite where it overflows; None where there is a name."""
    match node:
        case ast.Constant(int() | float() as value):
            return float(value) if _is_finite(value) else math.inf
        case ast.UnaryOp(ast.USub(), operand):
            positive = _constant(operand)
            return None if positive is None else -positive
        case ast.BinOp(left, op, right) if type(op) in _CONSTANT:
            one, two = _constant(left), _constant(right)
            if one is None or two is None:
                return None
            try:
                return abs(found) if isinstance(found := _CONSTANT[type(op)](one, two), complex) else found
            except ArithmeticError:
                return math.inf
    return None


_CONSTANT = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _short(what: str | ast.AST) -> str:
    """Return at most 60 characters of a text or a tree."""
    try:
        text = what if isinstance(what, str) else ast.unparse(what)
    except _TOO_DEEP:
        text = "..."
    return repr(text if len(text) <= 60 else text[:57] + "...")
