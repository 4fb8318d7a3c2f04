"""Fast creation of connectivity: what ``Synapses.connect`` asks for, without a visit to every pair.

:func:`recognise` reads the arguments of one call of ``Synapses.connect`` and returns a description of the synapses, or
None where only Brian2 knows what is meant; :func:`create` makes them. Both keep Brian2's meaning to the letter:

* pairs are looked at row by row, a row being one source (``j='...'`` and conditions) or one target (``i='...'``);
  within a row the other index ascends; the copies of a pair follow each other; calls append;
* all-to-all, one-to-one and index arrays give the very arrays that Brian2 gives;
* ``p`` takes every pair that fulfils the condition independently; ``size`` takes that many of a row, each set of them
  with the same probability, and a condition then removes some.

The memory taken is that of the arrays that stay, plus one count per row and one bit per column: arrays grow once, to
the size they need. ``i`` and ``j`` have 4 bytes each; where many synapses are made by one call, both together have 2,
or 4 with more than 65,536 targets (:mod:`bionet.spiking.ends`).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from brian2.core.variables import Constant
from brian2.synapses.parse_synaptic_generator_syntax import parse_synapse_generator
from brian2.units.fundamentalunits import DIMENSIONLESS
from numpy.typing import NDArray

from bionet.errors import InputError
from bionet.random import Stream
from bionet.spiking.ends import End, give_back, hold, number_of_each
from bionet.spiking.memory import require_memory
from bionet.spiking.synapse_rows import EVERY, ITSELF, OTHERS, Pairs, Rows

_MOST = 2**31 - 1
#: From as many synapses on it is worthwhile to hold them in less memory.
MANY = 1 << 20
# Arrays grow by a tenth at least, for thousands of calls that add one synapse each.
_GROWTH = 1.1


class _UnknownError(Exception):
    """Only Brian2 knows what this means."""


def recognise(
    synapses: Any,
    condition: Any = None,
    i: Any = None,
    j: Any = None,
    p: Any = 1.0,
    n: Any = 1,
    skip_if_invalid: bool = False,
    *,
    namespace: Mapping[str, Any],
) -> Rows | Pairs | None:
    """Describe the synapses that ``synapses.connect`` is asked for, or return None where Brian2 itself must make them.

    Parameters
    ----------
    synapses : brian2.Synapses
    condition, i, j, p, n, skip_if_invalid
        As given to ``Synapses.connect``.
    namespace : mapping
        The names of the caller, for ``"k for k in sample(N_E, size=C_E)"``.

    Returns
    -------
    Rows, Pairs or None
        None also for what Brian2 refuses: its own message is the best one.

    Raises
    ------
    InputError
        If a probability is not a number from 0 to 1; Brian2 lets it pass, or does not come back.
    TypeError, ValueError
        What Brian2 raises for arguments of the wrong kind.

    Notes
    -----
    Recognised are ``True``, ``i != j`` and ``i == j`` as conditions, ``j='i'`` and ``i='j'``, generators ``k for k in``
    ``range(...)`` or ``sample(..., p=)`` or ``sample(..., size=)`` whose arguments are the same for every row, with one
    of the conditions, and index arrays with ``p=1``.

    Examples
    --------
    >>> from brian2 import NeuronGroup, Synapses
    >>> neurons = NeuronGroup(4, "v : 1")
    >>> synapses = Synapses(neurons, neurons)
    >>> found = recognise(synapses, "i != j", p="p_connect", namespace={"p_connect": 0.5})
    >>> found.random, found.expected
    (True, 6.0)
    >>> create(synapses, found, Stream(seed=1, name="connect"))
    >>> bool((synapses.i[:] == synapses.j[:]).any())
    False
    """
    synapses._verify_connect_argument_types(condition, i, j, n, p)
    if not isinstance(p, str):
        _check_probability(p)
    if isinstance(n, str) or n < 0:
        return None
    n = int(n)
    if condition is None and i is None and j is None:
        condition = True
    try:
        if condition is not None and i is None and j is None:
            return _read_condition(synapses, condition, p, n, namespace)
        if condition is not None or p != 1:
            return None
        if isinstance(i, str) and j is None:
            return _read_generator(synapses, i, False, n, skip_if_invalid, namespace)
        if isinstance(j, str) and i is None:
            return _read_generator(synapses, j, True, n, skip_if_invalid, namespace)
        if not (i is None or j is None or isinstance(i, str) or isinstance(j, str) or skip_if_invalid):
            return _read_arrays(synapses, i, j, n)
    except (_UnknownError, SyntaxError, KeyError, ArithmeticError):
        return None
    return None


def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise InputError(f"Synapses.connect.p: got {p}; expected a probability from 0 to 1, such as 0.1")


def _read_condition(synapses: Any, condition: str | bool, p: Any, n: int, namespace: Mapping[str, Any]) -> Rows:
    where = _read_diagonal(str(condition), "i", {"j"})
    if isinstance(p, str):
        p = _read_number(synapses, namespace, p)
        _check_probability(p)
    return Rows(True, _size(synapses, "N_pre"), 0, _size(synapses, "N_post"), where, p=float(p), copies=n)


def _read_generator(
    synapses: Any, text: str, by_source: bool, n: int, skip_if_invalid: bool, namespace: Mapping[str, Any]
) -> Rows:
    n_rows, n_columns = _size(synapses, "N_pre"), _size(synapses, "N_post")
    row, column = "i", "j"
    if not by_source:
        n_rows, n_columns, row, column = n_columns, n_rows, column, row
    if text.strip() == row:
        if n_rows > n_columns and not skip_if_invalid:
            raise _UnknownError
        return Rows(by_source, n_rows, 0, n_columns, ITSELF, copies=n)

    parsed = parse_synapse_generator(text)
    inner, arguments = parsed["inner_variable"], parsed["iterator_kwds"]
    if parsed["element"] != inner or inner in synapses.variables:
        raise _UnknownError
    where = _read_diagonal(parsed["if_expression"], row, {column, inner})
    read = partial(_read_number, synapses, namespace, but=inner)
    low, high, step = (_whole(read(arguments[name])) for name in ("low", "high", "step"))
    if step != 1 or not 0 <= low <= high <= n_columns:
        raise _UnknownError
    p, size = 1.0, -1
    if arguments.get("p") is not None:
        p = float(read(arguments["p"]))
        _check_probability(p)
    elif arguments.get("size") is not None:
        size = _whole(read(arguments["size"]))
        if not 0 <= size <= high - low:
            raise _UnknownError
    return Rows(by_source, n_rows, low, high, where, p=p, size=size, copies=n)


def _read_arrays(synapses: Any, i: Any, j: Any, n: int) -> Pairs:
    sources, targets = (np.atleast_1d(each) for each in synapses._verify_connect_array_arguments(i, j, n)[:2])
    for indices, group in ((sources, synapses.source), (targets, synapses.target)):
        if indices.size and not 0 <= indices.min() <= indices.max() < len(group):
            raise _UnknownError
    return Pairs(sources, targets, n)


def _size(synapses: Any, name: str) -> int:
    return int(synapses.variables[name].item())


def _offset(synapses: Any, name: str) -> int:
    return int(synapses.variables[name].get_value())


def _whole(number: int | float) -> int:
    if not isinstance(number, int):
        raise _UnknownError
    return number


def _read_diagonal(condition: str, row: str, columns: set[str]) -> int:
    match ast.parse(condition, mode="eval").body:
        case ast.Constant(value=True):
            return EVERY
        case ast.Compare(left=ast.Name(id=a), ops=[ast.NotEq() | ast.Eq() as compare], comparators=[ast.Name(id=b)]):
            if (a == row and b in columns) or (b == row and a in columns):
                return OTHERS if isinstance(compare, ast.NotEq) else ITSELF
    raise _UnknownError


_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def _read_number(synapses: Any, namespace: Mapping[str, Any], text: str, but: str = "") -> int | float:
    """Return the value of an expression of constants; of what is in the model only N_pre and N_post are."""

    def value(node: ast.expr) -> int | float:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return number
            case ast.Name(id="N_pre" | "N_post" as name):
                return _size(synapses, name)
            case ast.Name(id=name) if name != but and name not in synapses.variables:
                found = synapses.resolve_all({name}, namespace)[name]
                number = isinstance(found, Constant) and found.dtype != bool and isinstance(found.value, int | float)
                if number and found.dim is DIMENSIONLESS:
                    return found.value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id="int"), args=[argument], keywords=[]):
                number = value(argument)
                if abs(number) <= _MOST:
                    return int(number)
        raise _UnknownError

    return value(ast.parse(text, mode="eval").body)


def create(synapses: Any, connection: Rows | Pairs, stream: Stream) -> None:
    """Add the synapses to those that ``synapses`` has, and number, count and store them as Brian2 does.

    Parameters
    ----------
    synapses : brian2.Synapses
        Its arrays grow once, to the size they need, at least by a tenth.
    connection : Rows or Pairs
        What :func:`recognise` returned.
    stream : Stream
        Where the random numbers come from. Two calls with one stream draw the same, so every call needs its own.

    Raises
    ------
    InputError
        If there would be more than 2**31 - 1 synapses; nothing is changed then.
    """
    before = _size(synapses, "N")
    added, write = connection.draw(stream)
    if before + added > _MOST:
        raise InputError(
            f"Synapses.connect: {synapses.name} would have {before + added} synapses; expected at most {_MOST}, "
            "as many as there are 32-bit numbers; divide them between several Synapses"
        )
    first = _offset(synapses, "_source_offset"), _offset(synapses, "_target_offset")
    size = _size(synapses, "N_pre"), _size(synapses, "N_post")
    many = added >= MANY and not before and synapses.multisynaptic_index is None
    rows = connection if many and isinstance(connection, Rows) else None
    # Two columns for a while, the one being made of the other, in place of two arrays of 32-bit numbers.
    spared = 4 * added * (rows is not None and max(first[0] + size[0], first[1] + size[1]) <= 1 << 16)
    require_memory(
        _size_of(synapses, before, added) - spared,
        f"Synapses.connect: {synapses.name} would have {added} more synapses",
        "connect fewer, or declare one delay for all with delay=",
    )
    synapses._connect_called = True
    if rows is not None:
        ends = rows.ends(stream, first, size)
        hold(synapses, ends)
        _grow(synapses, added)
        _counts(synapses, "N_outgoing", first[0] + size[0])[first[0] :] += ends.n_outgoing
        _counts(synapses, "N_incoming", first[1] + size[1])[:] += ends.n_incoming
        return
    give_back(synapses)
    _grow(synapses, before + added)
    sources = synapses.variables["_synaptic_pre"].get_value()[before:]
    targets = synapses.variables["_synaptic_post"].get_value()[before:]
    if added:
        write(sources, targets)
    sources += first[0]
    targets += first[1]
    if synapses.multisynaptic_index is None:
        for name, indices, k in (("N_outgoing", sources, 0), ("N_incoming", targets, 1)):
            n = first[k] + size[k]
            _counts(synapses, name, n)[:] += number_of_each(indices, n)
    else:
        synapses._update_synapse_numbers(before)


def _size_of(synapses: Any, before: int, added: int) -> int:
    """Return the bytes that growing takes: arrays that are there are copied into longer ones, the longest last."""
    sizes = [np.dtype(each.dtype).itemsize for each in synapses._registered_variables]
    total = max(before + added, int(_GROWTH * before))
    return sum(sizes) * (total - before) + (max(sizes) * before)


def _grow(synapses: Any, total: int) -> None:
    """Resize everything that has one value per synapse, with little to spare: a dynamic array would double."""
    arrays = [each.device.get_value(each, access_data=False) for each in synapses._registered_variables]
    # The arrays of Brian2 2.10 and later are C++ objects that do not show their factor.
    factors = [(each, each.factor) for each in arrays if not isinstance(each, End) and hasattr(each, "factor")]
    try:
        for array, _ in factors:
            array.factor = _GROWTH
        synapses._resize(total)
    finally:
        for array, factor in factors:
            array.factor = factor


def _counts(synapses: Any, numbers: str, size: int) -> NDArray:
    synapses.variables[numbers].resize(size)
    return synapses.variables[numbers].get_value()
