"""Fast creation of connectivity: what ``Synapses.connect`` asks for, without a visit to every pair.

:func:`recognise` reads the arguments of one call of ``Synapses.connect`` and returns a description of the synapses, or
None where only Brian2 knows what is meant; :func:`create` makes them. Both keep Brian2's meaning to the letter:

* pairs are looked at row by row, a row being one source (``j='...'`` and conditions) or one target (``i='...'``);
  within a row the other index ascends; the copies of a pair follow each other; calls append;
* all-to-all, one-to-one and index arrays give the very arrays that Brian2 gives;
* ``p`` takes every pair that fulfils the condition independently; ``size`` takes that many of a row, each set of them
  with the same probability, and a condition then removes some.

A row is drawn in two steps [1]_: how many are taken (a binomial number, or ``size``), then which, a set of that size
with equal probability for all: positions are thrown until enough different ones are marked in a bitmap, which is read
out in order. Numbers come from a counter keyed by (seed, stream, row), so a row is the same whoever draws it.

The memory taken is that of the arrays that stay, ``i`` and ``j`` with 4 bytes each and what the model declares, plus
one count per row and one bit per column: arrays grow once, to the size they need.

References
----------
.. [1] L. Devroye, "Non-uniform random variate generation", Springer (1986), XII.2 (membership checking), and for the
   positions D. Lemire, "Fast random integer generation in an interval", ACM Trans. Model. Comput. Simul. 29 (2019).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from brian2.core.variables import Constant
from brian2.synapses.parse_synaptic_generator_syntax import parse_synapse_generator
from brian2.units.fundamentalunits import DIMENSIONLESS
from numba import njit
from numpy.typing import NDArray

from bionet.errors import InputError
from bionet.random import Stream, binomial, bits, uniform

# Which pairs of a row fulfil the condition: all, those with i != j, the one with i == j.
EVERY, OTHERS, ITSELF = 0, 1, 2
_MOST = 2**31 - 1

_0 = np.uint64(0)
_1 = np.uint64(1)
_6 = np.uint64(6)
_32 = np.uint64(32)
_58 = np.uint64(58)
_63 = np.uint64(63)
_LOW = np.uint64(0xFFFFFFFF)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
# A de Bruijn sequence: multiplied by 2**n, its six highest bits tell n.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACE = np.argsort([(0x03F79D71B4CB0A89 << n) % 2**64 >> 58 for n in range(64)])


@njit(cache=True, inline="always")
def _candidates(row, low, high, where):
    """Return a row's first column, its number of columns, and the column to leap over (``high`` for none)."""
    inside = low <= row < high
    if where == ITSELF:
        return row, int(inside), high
    if where == OTHERS and inside:
        return low, high - low - 1, row
    return low, high - low, high


@njit(cache=True)
def _choose(n_rows, low, high, where, p, size, key):
    """Return how many columns each row takes: each with probability ``p``, or ``size`` of them if not negative."""
    chosen = np.empty(n_rows, np.int64)
    whole = high - low
    for row in range(n_rows):
        count = _candidates(row, low, high, where)[1]
        if size < 0:
            chosen[row] = binomial(count, p, key, row, 0)
        elif count == whole:
            chosen[row] = size
        else:
            # The diagonal is in the sample with probability size / whole; the condition keeps it, or all but it.
            diagonal = int(uniform(key, row, 0) * whole < size)
            chosen[row] = min(diagonal, count) if where == ITSELF else size - diagonal
    return chosen


@njit(cache=True)
def _mark(marks, blocks, wanted, count, row, key):
    """Set ``wanted`` of the first ``count`` bits of ``marks``, and the bit in ``blocks`` of every word that has any."""
    count = np.uint64(count)
    uneven = (_LOW + _1 - count) % count if count > _0 else _0
    index = 0
    while wanted > 0:
        a, b = bits(key, row, index)
        index += 1
        for word in (a & _LOW, a >> _32, b & _LOW, b >> _32):
            product = word * count
            at = product >> _32
            bit = _1 << (at & _63)
            if wanted > 0 and product & _LOW >= uneven and not marks[at >> _6] & bit:
                marks[at >> _6] |= bit
                blocks[at >> _6 >> _6] |= _1 << (at >> _6 & _63)
                wanted -= 1


@njit(cache=True, inline="always")
def _place(word):
    """Return the place of the lowest bit that is set."""
    return _PLACE[(word & (~word + _1)) * _DE_BRUIJN >> _58]


@njit(cache=True, inline="always")
def _write(word, first, leap, copies, columns, end):
    """Append the columns that the bits of ``word`` stand for, and return the new end."""
    while word != _0:
        column = first + _place(word)
        word &= word - _1
        if column >= leap:
            column += 1
        for _ in range(copies):
            columns[end] = column
            end += 1
    return end


@njit(cache=True)
def _fill(rows, columns, chosen, low, high, where, copies, key):
    """Write the row and the column of every synapse, ``chosen[row]`` pairs of each row with their copies."""
    marks = np.zeros((high - low) // 64 + 1, np.uint64)
    blocks = np.zeros(marks.size // 64 + 1, np.uint64)
    end = 0
    for row in range(chosen.size):
        first, count, leap = _candidates(row, low, high, where)
        start = end
        if 2 * chosen[row] <= count:
            _mark(marks, blocks, chosen[row], count, row, key)
            for block in range(count // 4096 + 1):
                while blocks[block] != _0:
                    at = 64 * block + _place(blocks[block])
                    blocks[block] &= blocks[block] - _1
                    end = _write(marks[at], first + 64 * at, leap, copies, columns, end)
                    marks[at] = _0
        else:
            # The few that are not taken are marked instead.
            _mark(marks, blocks, count - chosen[row], count, row, key)
            for at in range(count // 64 + 1):
                left = count - 64 * at
                valid = _ALL if left >= 64 else (_1 << np.uint64(left)) - _1
                end = _write(~marks[at] & valid, first + 64 * at, leap, copies, columns, end)
                marks[at] = _0
            blocks[: count // 4096 + 1] = _0
        rows[start:end] = row


@njit(cache=True)
def _tally(indices, numbers):
    for index in indices:
        numbers[index] += 1


@dataclass(frozen=True)
class Rows:
    """The synapses of a condition or of generator syntax: for every row, some columns of one interval.

    Attributes
    ----------
    by_source : bool
        Whether rows are sources and columns targets; otherwise rows are targets.
    n_rows : int
    low, high : int
        The columns to choose from: ``low`` to ``high - 1``.
    where : int
        ``EVERY``, ``OTHERS`` (i != j) or ``ITSELF`` (i == j).
    p : float
        The probability of each, dimensionless; without meaning if ``size`` is given.
    size : int
        How many of a row are drawn before the condition is asked, or -1.
    copies : int
        Synapses per pair.
    """

    by_source: bool
    n_rows: int
    low: int
    high: int
    where: int = EVERY
    p: float = 1.0
    size: int = -1
    copies: int = 1

    @property
    def random(self) -> bool:
        """Whether chance decides; otherwise the synapses are those that Brian2 makes."""
        return 0 < self.size < self.high - self.low if self.size >= 0 else 0 < self.p < 1

    @property
    def expected(self) -> float:
        """The expected number of synapses."""
        whole = self.high - self.low
        diagonal = max(0, min(self.high, self.n_rows) - self.low)
        pairs = {EVERY: self.n_rows * whole, OTHERS: self.n_rows * whole - diagonal, ITSELF: diagonal}[self.where]
        p = self.p if self.size < 0 else self.size / max(whole, 1)
        return pairs * p * self.copies

    def draw(self, stream: Stream) -> tuple[int, Callable[[NDArray, NDArray], None]]:
        """Return the number of synapses, and what writes their sources and targets into arrays of that length."""
        key = np.uint64(stream.child("number").key)
        chosen = _choose(self.n_rows, self.low, self.high, self.where, self.p, self.size, key)
        return int(chosen.sum()) * self.copies, partial(self._write, chosen, stream)

    def _write(self, chosen: NDArray, stream: Stream, sources: NDArray, targets: NDArray) -> None:
        rows, columns = (sources, targets) if self.by_source else (targets, sources)
        key = np.uint64(stream.child("which").key)
        _fill(rows, columns, chosen, self.low, self.high, self.where, self.copies, key)


@dataclass(frozen=True, eq=False)
class Pairs:
    """The synapses of two index arrays.

    Attributes
    ----------
    sources, targets : int array, shape (n_pairs,)
    copies : int
        Synapses per pair.
    """

    sources: NDArray
    targets: NDArray
    copies: int = 1

    random = False

    @property
    def expected(self) -> float:
        """The number of synapses."""
        return len(self.sources) * self.copies

    def draw(self, stream: Stream) -> tuple[int, Callable[[NDArray, NDArray], None]]:
        """Return the number of synapses, and what writes their sources and targets into arrays of that length."""
        return len(self.sources) * self.copies, self._write

    def _write(self, sources: NDArray, targets: NDArray) -> None:
        sources.reshape(-1, self.copies)[:] = self.sources[:, np.newaxis]
        targets.reshape(-1, self.copies)[:] = self.targets[:, np.newaxis]


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
    synapses._connect_called = True
    _grow(synapses, before + added)
    sources = synapses.variables["_synaptic_pre"].get_value()[before:]
    targets = synapses.variables["_synaptic_post"].get_value()[before:]
    if added:
        write(sources, targets)
    sources += synapses.variables["_source_offset"].get_value()
    targets += synapses.variables["_target_offset"].get_value()
    if synapses.multisynaptic_index is None:
        _count(synapses, "N_outgoing", "N_pre", "_source_offset", sources)
        _count(synapses, "N_incoming", "N_post", "_target_offset", targets)
    else:
        synapses._update_synapse_numbers(before)


def _grow(synapses: Any, total: int) -> None:
    """Resize everything that has one value per synapse, with little to spare: a dynamic array would double."""
    arrays = [each.device.get_value(each, access_data=False) for each in synapses._registered_variables]
    # The arrays of Brian2 2.10 and later are C++ objects that do not show their factor.
    factors = [(each, each.factor) for each in arrays if hasattr(each, "factor")]
    try:
        for array, _ in factors:
            # More than 1, for thousands of calls that add one synapse each.
            array.factor = 1.1
        synapses._resize(total)
    finally:
        for array, factor in factors:
            array.factor = factor


def _count(synapses: Any, numbers: str, size: str, offset: str, indices: NDArray) -> None:
    variable = synapses.variables[numbers]
    variable.resize(_size(synapses, size) + int(synapses.variables[offset].get_value()))
    _tally(indices, variable.get_value())
