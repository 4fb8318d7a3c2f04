"""Conditions of neurons read for continuous time: what is compared, and thresholds that draw.

``rand() < x*dt`` is how Brian2 writes a neuron that fires at random at a rate x. With ever shorter steps it becomes a
point process of intensity x, and so it is read: a neuron has an exponential number of mean 1, from which the integral
of its intensity is taken away; it fires when nothing is left, and draws the next number. That number is one more
variable of the neuron, and its firing one more threshold.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

import bionet.spiking.program as p
from bionet.spiking.expressions import FLOAT, Call, Name, Number, Unary
from bionet.spiking.flow import DISTANCE, HAZARD, LEFT, SPENT

_KINDS: Mapping[type, tuple[str, bool]] = {
    ast.Gt: (">", False), ast.GtE: (">=", False), ast.Lt: (">", True), ast.LtE: (">=", True)
}  # fmt: skip


def compared(text: str) -> tuple[str, ast.expr, ast.expr] | None:
    """Return how a condition compares, ``>`` or ``>=``, and its larger and smaller side; None if it is no comparison.

    Examples
    --------
    >>> sign, larger, smaller = compared("v_th <= v and not_refractory")
    >>> sign, ast.unparse(larger), ast.unparse(smaller)
    ('>=', 'v', 'v_th')
    """
    tree = ast.parse(text.strip(), mode="eval").body
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        rest = [each for each in tree.values if not (isinstance(each, ast.Name) and each.id == "not_refractory")]
        tree = rest[0] if len(rest) == 1 else tree
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and type(tree.ops[0]) in _KINDS:
        sign, is_swapped = _KINDS[type(tree.ops[0])]
        left, right = tree.left, tree.comparators[0]
        return (sign, right, left) if is_swapped else (sign, left, right)
    return None


def names_in(text: str) -> set[str]:
    """Return the names in an expression, those of functions among them."""
    return {node.id for node in ast.walk(ast.parse(text.strip(), mode="eval")) if isinstance(node, ast.Name)}


def hazard(text: str) -> str | None:
    """Return x if a threshold is ``rand() < x*dt``.

    Examples
    --------
    >>> hazard("rand() < rates*dt"), hazard("(2*dt/tau) > rand()"), hazard("v > rand()*dt")
    ('rates', '2 / tau', None)
    """
    found = compared(text)
    if found is None or ast.unparse(found[2]) != "rand()":
        return None
    rate = _without_dt(found[1])
    return None if rate is None or {"dt", "rand", "randn"} & names_in(ast.unparse(rate)) else ast.unparse(rate)


def _without_dt(tree: ast.expr) -> ast.expr | None:
    """Return the quotient of a product that has ``dt`` as a factor, and ``dt``."""
    match tree:
        case ast.Name(id="dt"):
            return ast.Constant(1)
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Name(id="dt")):
            return left
        case ast.BinOp(left=ast.Name(id="dt"), op=ast.Mult(), right=right):
            return right
        case ast.BinOp(left=left, op=ast.Mult() as times, right=right):
            if (rest := _without_dt(left)) is not None:
                return ast.BinOp(rest, times, right)
            return None if (rest := _without_dt(right)) is None else ast.BinOp(left, times, rest)
        case ast.BinOp(left=left, op=ast.Div() as by, right=right):
            return None if (rest := _without_dt(left)) is None else ast.BinOp(rest, by, right)
    return None


def with_hazard(code: p.Code, left: int) -> p.Code:
    """Return code that computes a hazard with what follows from it: how it is spent, and the distance to firing.

    Parameters
    ----------
    code : Code
        Computes ``_hazard`` [1/s].
    left : int
        The array of what is left of each neuron's exponential number.
    """
    # As for Brian2, a hazard below 0 is none.
    spent = Call("clip", (Name(HAZARD, FLOAT), Number(0.0, FLOAT), Number(float("inf"), FLOAT)), FLOAT)
    more = (
        p.Statement(SPENT, "=", Unary("-", spent, FLOAT), FLOAT),
        p.Statement(DISTANCE, "=", Unary("-", Name(LEFT, FLOAT), FLOAT), FLOAT),
    )
    return replace(
        code,
        vector=(*code.vector, *more),
        names={**code.names, LEFT: p.Reference(left, "_idx")},
        functions={**code.functions, "clip": p.Elementary("clip")},
        vector_reads=(*code.vector_reads, LEFT),
    )
