"""Solutions of differential equations: found once and kept on disk, and such that no factor of them overflows.

Brian2 solves linear equations symbolically, in every process afresh: most of the time that it takes to prepare CUBA.
The answer, the text of one step, depends on the text of the equations and on what their names are, not on any value.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from itertools import permutations
from math import prod
from pathlib import Path
from typing import Any

import brian2
import sympy  # type: ignore[import-untyped]
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.equations.equations import Equations
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException
from brian2.synapses import synapses
from sympy.core.function import AppliedUndef  # type: ignore[import-untyped]

from bionet.cache import cache_folder
from bionet.spiking.grammar import EXPONENT, right_side

#: How many solutions are kept on disk; those not used for longest go.
KEPT = 1000
# Those that only solve: "independent" also warns, and GSL's bring code of their own.
_METHODS = ("exact", "linear", "exponential_euler", "euler", "heun", "milstein", "rk2", "rk4")
_SOLVERS: dict[str, StateUpdateMethod] = {name: StateUpdateMethod.stateupdaters[name] for name in _METHODS}
# Brian2's tests put other objects in their places; a solution is known for these only.
_FUNCTIONS = dict(DEFAULT_FUNCTIONS)


@contextmanager
def kept_solutions() -> Iterator[None]:
    """Let Brian2 prepare a network with the solutions on disk; leave Brian2 as it was.

    Inside, Brian2's own methods of integration look on disk before they solve, and the solutions of "(event-driven)"
    equations are those of `merge_exponentials`. Equations that call anything but Brian2's own functions are solved
    every time: whether a TimedArray is constant over a step depends on the two time steps.

    Notes
    -----
    The files are in ``solutions`` in the `bionet.cache.cache_folder`, at most ``KEPT``, and private to the user;
    any of them can be deleted at any time. Without such a folder, and for a file that is damaged, Brian2 solves. That
    a method does not apply is kept too, since Brian2 tries "exact" first for every group without a method.

    Examples
    --------
    >>> from brian2 import StateUpdateMethod, exact
    >>> with kept_solutions():
    ...     code = StateUpdateMethod.stateupdaters["exact"](Equations("dv/dt = -v/tau : 1"))
    >>> print(code)
    _v = v*exp(-dt/tau)
    v = _v
    >>> StateUpdateMethod.stateupdaters["exact"] is exact
    True
    """
    registry, linear = StateUpdateMethod.stateupdaters, synapses.linear
    replaced = {name: solver for name, solver in _SOLVERS.items() if registry.get(name) is solver}
    registry.update({name: _Kept(name, solver) for name, solver in replaced.items()})
    synapses.linear = _Kept("event-driven", lambda *of: merge_exponentials(linear(*of)))
    try:
        yield
    finally:
        registry.update(replaced)
        synapses.linear = linear


def merge_exponentials(code: str) -> str:
    r"""Merge the exponentials of a solution wherever a growing and a decaying one multiply.

    Brian2 writes the trace y of a trace x as

    .. math:: x \tau_x (e^{h/\tau_y} - e^{h/\tau_x}) e^{-h/\tau_x} e^{-h/\tau_y} / (\tau_x - \tau_y).

    Over a gap h of more than 709.8 time constants, 3.55 s for one of 5 ms, the growing exponential is infinite: y is
    infinite or undefined, even at the first spike ever. Merged, no exponential exceeds 1:

    .. math:: x \tau_x (e^{-h/\tau_x} - e^{-h/\tau_y}) / (\tau_x - \tau_y).

    Parameters
    ----------
    code : str
        Lines ``name = expression`` with ``dt`` for the gap, as Brian2's method "exact" returns them.

    Returns
    -------
    str
        The code; a line without such a product is not touched.

    Notes
    -----
    A merged line rounds differently from Brian2's, in the last place, and is a little more accurate: the rounding of
    an exponent grows with it, and Brian2's text multiplies more of them.

    Examples
    --------
    >>> print(merge_exponentials("y = x*(exp(a*dt) - exp(b*dt))*exp(-a*dt)*exp(-b*dt)"))
    y = x*(exp(-b*dt) - exp(-a*dt))
    """
    return "\n".join(map(_merge_line, code.split("\n")))


def _merge_line(line: str) -> str:
    target, _, right = line.partition(" = ")
    if right.count("exp(") < 2:
        return line
    summands = sympy.Add.make_args(str_to_sympy(right))
    if not any(map(_overflows, summands)):
        return line
    return f"{target} = {sympy_to_str(sympy.Add(*[_merge(each) if _overflows(each) else each for each in summands]))}"


def _overflows(tree: sympy.Expr) -> bool:
    """Tell whether somewhere in an expression a growing exponential multiplies a decaying one."""
    for node in sympy.preorder_traversal(tree):
        if isinstance(node, sympy.Mul):
            pairs = permutations(map(_directions, node.args), 2)
            if any("grows" in one and "decays" in other for one, other in pairs):
                return True
    return False


def _directions(tree: sympy.Expr) -> set[str]:
    """Return what the exponentials of a time in an expression do, as they are written."""
    exponents = [
        part for each in tree.atoms(sympy.exp) if _is_timed(each) for part in sympy.Add.make_args(each.args[0])
    ]
    return {"decays" if each.could_extract_minus_sign() else "grows" for each in exponents}


def _is_timed(tree: sympy.Expr) -> bool:
    return any(each.name == "dt" for each in tree.free_symbols) and tree.has(sympy.exp)


def _merge(product: sympy.Expr) -> sympy.Expr:
    factors = sympy.Mul.make_args(product)
    timed = sympy.Mul(*[each for each in factors if _is_timed(each)])
    expanded = sympy.expand(timed, power_exp=False, power_base=False, log=False)
    merged = [sympy.powsimp(each, combine="exp") for each in sympy.Add.make_args(expanded)]
    return sympy.Mul(*[each for each in factors if not _is_timed(each)], sympy.Add(*merged))


class _Kept(StateUpdateMethod):
    """A method of integration that looks on disk before it solves."""

    def __init__(self, name: str, solve: Callable[..., str]) -> None:
        self.name, self.solve = name, solve

    def __call__(
        self,
        equations: Equations,
        variables: Mapping[str, Any] | None = None,
        method_options: Mapping[str, Any] | None = None,
    ) -> str:
        key = _key(self.name, equations, variables or {}, method_options)
        path = _path(key) if key else None
        if path is None or key is None:
            return self.solve(equations, variables, method_options)
        solution = _read(path)
        if solution is None:
            try:
                with _zeros_by_numbers():
                    solution = {"code": self.solve(equations, variables, method_options)}
            except UnsupportedEquationsException as error:
                solution = {"refusal": str(error)}
            _write(path, {"of": json.loads(key), **solution})
        if "refusal" in solution:
            raise UnsupportedEquationsException(solution["refusal"])
        return solution["code"]


@contextmanager
def _zeros_by_numbers() -> Iterator[None]:
    """Let SymPy see by numbers that a pivot is not zero, in place of two thirds of the time it takes to solve CUBA.

    The answer is the same one: a fraction of sums and products that is not 0 at one point is not 0.
    """
    original = sympy.Expr.equals

    def equals(self: sympy.Expr, other: Any, failing_expression: bool = False) -> Any:
        if other is sympy.S.Zero and _differs_from_zero(self):
            return False
        return original(self, other, failing_expression)

    sympy.Expr.equals = equals
    try:
        yield
    finally:
        sympy.Expr.equals = original


def _differs_from_zero(tree: sympy.Expr) -> bool:
    """Tell whether an expression is seen not to be zero, all its names and calls being numbers of their own."""
    numbers: dict[sympy.Expr, Fraction] = {}

    def value(node: sympy.Expr) -> Fraction:
        match node:
            case sympy.Rational():
                return Fraction(int(node.p), int(node.q))
            case sympy.Symbol() | AppliedUndef():
                return numbers.setdefault(node, Fraction(1009 + 37 * len(numbers), 733 + 11 * len(numbers)))
            case sympy.Add():
                return sum(map(value, node.args), Fraction(0))
            case sympy.Mul():
                return prod(map(value, node.args), start=Fraction(1))
            case sympy.Pow(exp=sympy.Integer()) if abs(node.exp) <= EXPONENT:
                return value(node.base) ** int(node.exp)
        raise ArithmeticError

    try:
        return value(tree) != 0
    except ArithmeticError:
        return False


def _key(
    method: str, equations: Equations, variables: Mapping[str, Any], options: Mapping[str, Any] | None
) -> str | None:
    """Return all that a solution depends on; None if it may depend on more."""
    texts = [
        [each.type, each.varname, each.var_type, each.expr.code if each.expr else None, sorted(each.flags)]
        for each in equations.ordered
    ]
    for *_, text, _ in texts:
        for node in ast.walk(right_side(text or "0")):
            if isinstance(node, ast.Call) and not _is_known(ast.unparse(node.func), variables):
                return None
    names = sorted(equations.names | equations.identifiers | {"t", "dt"})
    kinds = [[name, *_kind(variables[name])] for name in names if name in variables]
    try:
        return json.dumps([*_environment(), method, options, texts, kinds], sort_keys=True)
    except TypeError:
        return None


def _is_known(function: str, variables: Mapping[str, Any]) -> bool:
    own = _FUNCTIONS.get(function)
    default = DEFAULT_FUNCTIONS.get(function)
    return own is not None and own is default and own is variables.get(function, default)


def _kind(variable: Any) -> list[str | bool | None]:
    attributes = ("dtype", "constant", "scalar", "array", "read_only")
    return [type(variable).__name__, *(str(getattr(variable, name, None)) for name in attributes)]


@cache
def _environment() -> tuple[str, ...]:
    return brian2.__version__, sympy.__version__, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _path(key: str) -> Path | None:
    """Return the file of a key; None if there is no folder that only this user can write to."""
    try:
        folder = cache_folder() / "solutions"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None
    is_private = status.st_uid == os.getuid() and not status.st_mode & 0o022
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json" if is_private else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        digest, _, text = path.read_text().partition("\n")
        if digest != _digest(path, text):
            return None
        os.utime(path)
    except (OSError, UnicodeDecodeError):
        return None
    return json.loads(text)


def _write(path: Path, solution: Mapping[str, Any]) -> None:
    text = json.dumps(solution, indent=1)
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, suffix=".part") as file:
            file.write(f"{_digest(path, text)}\n{text}")
        os.replace(file.name, path)
        oldest_last = sorted(path.parent.iterdir(), key=lambda each: -each.stat().st_mtime)
        for each in oldest_last[KEPT:]:
            each.unlink(missing_ok=True)
    except OSError:
        # The next process solves again.
        return


def _digest(path: Path, text: str) -> str:
    """Return a checksum of a text in the file of this name: it does not hold for a copy under another."""
    return hashlib.sha256((path.name + text).encode()).hexdigest()
