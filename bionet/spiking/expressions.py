"""Expressions of a model: text is parsed once into a checked, typed tree, and source code is printed from the tree.

Nothing of the text itself ever reaches a compiler: numbers, known names, a fixed set of operators and the calls a
program declares are all that a tree can hold.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bionet.errors import InputError

BOOLEAN, INTEGER, FLOAT = "boolean", "integer", "float"
_RANK = {BOOLEAN: 0, INTEGER: 1, FLOAT: 2}
_BINARY: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARE: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
MAX_LENGTH = 10_000
MAX_DEPTH = 400
MAX_NODES = 20_000
MAX_EXPONENT = 1000


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number or truth value."""

    value: float | int | bool
    kind: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable or a constant."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Unary:
    """``-a`` or ``not a``."""

    operator: str
    operand: Node
    kind: str


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic (``+ - * / // % **``), a comparison, ``and`` or ``or``."""

    operator: str
    left: Node
    right: Node
    kind: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function the program declares."""

    function: str
    arguments: tuple[Node, ...]
    kind: str


Node = Number | Name | Unary | Binary | Call


def parse(text: str, kinds: Mapping[str, str], functions: Mapping[str, str]) -> Node:
    """Return the tree of an expression.

    Parameters
    ----------
    text : str
        The expression, unit-free, as Brian2's abstract code has it.
    kinds : mapping of str to str
        For each name that may occur: ``"boolean"``, ``"integer"`` or ``"float"``.
    functions : mapping of str to str
        For each function that may be called, the kind of its result; ``"argument"`` for that of its first argument.

    Raises
    ------
    InputError
        If the text is too long or deep, or holds anything but numbers, known names, operators and known calls.

    Examples
    --------
    >>> parse("2*v", {"v": "float"}, {})
    Binary(operator='*', left=Number(value=2, kind='integer'), right=Name(name='v', kind='float'), kind='float')
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"expression '{text[:40]}...': {len(text)} characters; at most {MAX_LENGTH} can be read")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise InputError(f"expression '{text[:200]}': not an expression ({error})") from None
    return _Reader(text, kinds, functions).read(tree, 0)


class _Reader:
    def __init__(self, text: str, kinds: Mapping[str, str], functions: Mapping[str, str]) -> None:
        self.text, self.kinds, self.functions = text, kinds, functions
        self.nodes = 0

    def refuse(self, what: str) -> InputError:
        return InputError(f"expression '{self.text[:200]}': {what}")

    def read(self, node: ast.AST, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise self.refuse(f"more than {MAX_NODES} terms, or nested deeper than {MAX_DEPTH}")
        if isinstance(node, ast.Constant):
            return self.number(node.value)
        if isinstance(node, ast.Name):
            if node.id in ("True", "False"):
                return Number(node.id == "True", BOOLEAN)
            if node.id not in self.kinds:
                raise self.refuse(f"'{node.id}' is not known here")
            return Name(node.id, self.kinds[node.id])
        if isinstance(node, ast.UnaryOp):
            return self.unary(node, depth)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self.binary(node, depth)
        if isinstance(node, ast.BoolOp):
            operator = "and" if isinstance(node.op, ast.And) else "or"
            operands = [self.read(each, depth + 1) for each in node.values]
            tree = operands[0]
            for each in operands[1:]:
                tree = Binary(operator, tree, each, BOOLEAN)
            return tree
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            left, right = self.read(node.left, depth + 1), self.read(node.comparators[0], depth + 1)
            return Binary(_COMPARE[type(node.ops[0])], left, right, BOOLEAN)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self.call(node.func.id, node.args, depth)
        raise self.refuse(f"{type(node).__name__} is not allowed; expected numbers, names, operators and functions")

    def number(self, value: object) -> Number:
        if isinstance(value, bool):
            return Number(value, BOOLEAN)
        if isinstance(value, int):
            return Number(value, INTEGER) if abs(value) < 2**63 else Number(float(value), FLOAT)
        if isinstance(value, float):
            return Number(value, FLOAT)
        raise self.refuse(f"{value!r} is not a number")

    def unary(self, node: ast.UnaryOp, depth: int) -> Node:
        operand = self.read(node.operand, depth + 1)
        if isinstance(node.op, ast.Not):
            return Unary("not", operand, BOOLEAN)
        if isinstance(node.op, ast.UAdd):
            return operand
        if isinstance(node.op, ast.USub):
            return Unary("-", operand, INTEGER if operand.kind == BOOLEAN else operand.kind)
        raise self.refuse("'~' is not allowed")

    def binary(self, node: ast.BinOp, depth: int) -> Node:
        operator = _BINARY[type(node.op)]
        left, right = self.read(node.left, depth + 1), self.read(node.right, depth + 1)
        if operator == "**" and isinstance(right, Number) and not abs(right.value) <= MAX_EXPONENT:
            raise self.refuse(f"the exponent {right.value} is beyond {MAX_EXPONENT}")
        kind = FLOAT if operator == "/" else max(left.kind, right.kind, INTEGER, key=_RANK.__getitem__)
        return Binary(operator, left, right, kind)

    def call(self, name: str, arguments: list[ast.expr], depth: int) -> Node:
        if name not in self.functions:
            raise self.refuse(f"the function '{name}' is not known here")
        read = tuple(self.read(each, depth + 1) for each in arguments)
        kind = self.functions[name]
        if kind == "argument":
            kind = max((each.kind for each in read), key=_RANK.__getitem__, default=FLOAT)
        return Call(name, read, kind)


def walk(node: Node) -> Iterator[Node]:
    """Yield a tree's nodes, the whole before its parts, left before right.

    Examples
    --------
    >>> [each.name for each in walk(parse("a + b", {"a": "float", "b": "float"}, {})) if isinstance(each, Name)]
    ['a', 'b']
    """
    yield node
    match node:
        case Unary():
            yield from walk(node.operand)
        case Binary():
            yield from walk(node.left)
            yield from walk(node.right)
        case Call():
            for each in node.arguments:
                yield from walk(each)


def names(node: Node) -> set[str]:
    """Return the names a tree reads."""
    return {each.name for each in walk(node) if isinstance(each, Name)}


def numba_source(node: Node, rename: Callable[[str], str], call: Callable[[Call, list[str]], str]) -> str:
    """Print a tree as Python source for Numba.

    Parameters
    ----------
    node : Node
        The tree.
    rename : callable
        From a name in the tree to the expression that holds its value.
    call : callable
        From a call and the source of its arguments to the source of the call.

    Examples
    --------
    >>> tree = parse("not a and v > 1", {"a": "boolean", "v": "float"}, {})
    >>> numba_source(tree, str.upper, lambda call, arguments: "")
    '((not A) & (V > 1))'
    """

    def printed(each: Node) -> str:
        match each:
            case Number():
                return _literal(each)
            case Name():
                return rename(each.name)
            case Unary("not"):
                return f"(not {truth(each.operand)})"
            case Unary():
                return f"(-{printed(each.operand)})"
            case Binary("and"):
                return f"({truth(each.left)} & {truth(each.right)})"
            case Binary("or"):
                return f"({truth(each.left)} | {truth(each.right)})"
            case Binary("**"):
                return power(each)
            case Binary():
                return f"({printed(each.left)} {each.operator} {printed(each.right)})"
            case Call():
                return call(each, [printed(argument) for argument in each.arguments])

    def truth(each: Node) -> str:
        return printed(each) if each.kind == BOOLEAN else f"({printed(each)} != 0)"

    def power(each: Binary) -> str:
        base = printed(each.left)
        match each.right:
            case Number(value) if value == 1:
                return base
            case Number(value) if value == 2:
                return f"square({base})"
            case Number(value, kind) if kind == INTEGER and each.left.kind != FLOAT:
                return f"({base} ** {value})"
            case Number(value) if value == 0.5:
                return f"math.sqrt({base})"
            case Number(value) if value == 3:
                return f"cube({base})"
            case Number(value) if value == 4:
                return f"square(square({base}))"
            case Number(value) if value == int(value) and abs(value) <= 16:
                return f"pow_int({base}, {int(value)})"
        if isinstance(each.left, Call) and each.left.function == "exp" and isinstance(each.right, Number):
            # Brian2's algebra makes such powers; one exponential will do, and no call of the C library's pow.
            scaled = Binary("*", each.right, each.left.arguments[0], FLOAT)
            return printed(Call("exp", (scaled,), FLOAT))
        if each.kind == INTEGER:
            return f"({base} ** {printed(each.right)})"
        return f"(float64({base}) ** float64({printed(each.right)}))"

    return printed(node)


def _literal(number: Number) -> str:
    if number.kind == FLOAT and not math.isfinite(number.value):
        return {"inf": "inf", "-inf": "(-inf)"}.get(repr(float(number.value)), "nan")
    return repr(float(number.value)) if number.kind == FLOAT else repr(number.value)
