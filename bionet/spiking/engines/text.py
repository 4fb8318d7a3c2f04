"""The text of code: how names, statements and expressions of a program are printed for Numba."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

import bionet.spiking.program as p
from bionet.spiking.expressions import BOOLEAN, FLOAT, INTEGER, Call, Node, numba_source

#: The columns of the table of a law.
LAW = ("threshold", "outcome")
_CAST = {FLOAT: "float64", INTEGER: "int64", BOOLEAN: "bool"}
_QUEUE = {
    "ring": "uint32",
    "fill": "uint64",
    "shape": "uint64",
    "begin": "uint32",
    "end": "uint32",
    "first": "uint32",
    "delay": "uint32",
    "order": "uint32",
    "stray_begin": "uint64",
    "stray_end": "uint64",
    "strays": "uint32",
}


@dataclass(frozen=True)
class Layout:
    """How the synapses of a pathway lie: equal delays, sorted as they are."""

    homogeneous: bool
    in_order: bool


@dataclass(frozen=True)
class Place:
    """One entry of the table of addresses: what it is the address of, and its type."""

    kind: str
    number: int
    part: str
    dtype: str


@dataclass
class Text:
    """The lines printed so far, and what they refer to.

    Each name of an operation's code becomes a variable of its own: the name and the operation's number. Of the indices
    in ``narrow``, columns of 16 bits are made.
    """

    program: p.Program
    layouts: list[Layout]
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    places: dict[Place, int] = field(default_factory=dict)
    laws: list[p.Binomial] = field(default_factory=list)
    counts: list[p.Constant] = field(default_factory=list)
    ahead: list[tuple[p.Constant, list[str]]] = field(default_factory=list)
    user_functions: dict[str, p.UserFunction] = field(default_factory=dict)
    keys: int = 0
    hazards: int = 0
    operation: int = 0
    entry: list[str] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)
    sorted_pathway: int | None = None
    in_order: bool = False
    narrow: frozenset[int] = frozenset()

    # Lines

    def add(self, line: str) -> None:
        """Add a line."""
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        """Add a line that opens a block; what is added within it is indented."""
        self.add(line)
        self.depth += 1
        yield
        self.depth -= 1

    # Names

    def place(self, kind: str, number: int, part: str, dtype: str) -> str:
        """Return the array for an entry of the table of addresses."""
        entry = Place(kind, number, part, dtype_name(dtype))
        return f"m{self.places.setdefault(entry, len(self.places))}"

    def array(self, number: int) -> str:
        """Return an array of the program."""
        return self.place("array", number, "", self.program.arrays[number].dtype)

    def indices(self, number: int) -> str:
        """Return an array whose elements serve as indices only: as unsigned numbers."""
        return self.place("array", number, "", f"u{self.program.arrays[number].dtype.removeprefix('u')}")

    def size(self, number: int) -> str:
        """Return the size of an array of the program."""
        return f"sizes[{self.array(number)[1:]}]"

    def queue(self, pathway: int, part: str) -> str:
        """Return a part of a pathway's queue."""
        return self.place("queue", pathway, part, _QUEUE[part])

    def constant(self, constant: p.Constant) -> str:
        """Return the variable that holds a constant."""
        name = f"f{constant.slot}" if constant.kind == FLOAT else f"n{constant.slot}"
        values = "floats" if constant.kind == FLOAT else "integers"
        self.constants[name] = f"{values}[{constant.slot}]"
        return name

    def key(self) -> str:
        """Return the key of a fresh stream of random numbers."""
        self.keys += 1
        return f"keys[{self.keys - 1}]"

    # Code

    def local(self, name: str) -> str:
        """Return the variable for a name of the code at hand."""
        return f"{name}_{self.operation}"

    def read(self, code: p.Code, name: str, index: str) -> str:
        """Return the source that reads a name."""
        reference = code.names[name]
        assert isinstance(reference, p.Reference)
        kind = self.program.arrays[reference.array].dtype
        value = f"{self.array(reference.array)}[{self.index(reference.index, index)}]"
        return (
            value if kind in ("bool", "float64", "int64") else f"{'float64' if 'float' in kind else 'int64'}({value})"
        )

    def index(self, name: str, index: str) -> str:
        """Return the index that a reference needs, for the element ``index``."""
        return index if name == "_idx" else "0" if name == "0" else f"{self.local(name)}_at"

    def follow(self, code: p.Code, wanted: tuple[str, ...], index: str) -> None:
        """Print the indices that names need, those that others need first."""
        found: set[str] = set()

        def at(name: str) -> None:
            reference = code.names.get(name)
            if isinstance(reference, p.Reference) and reference.index not in ("_idx", "0"):
                at(reference.index)
                if reference.index not in found:
                    found.add(reference.index)
                    other = code.names[reference.index]
                    assert isinstance(other, p.Reference)
                    pathway, dtype = self.sorted_pathway, self.column_type(other.array)
                    if other.index == "_idx" and pathway is not None and dtype:
                        place = f"{self.place('column', pathway, str(other.array), dtype)}[k]"
                    else:
                        place = f"{self.indices(other.array)}[{self.index(other.index, index)}]"
                    self.add(f"{self.local(reference.index)}_at = {place}")

        for name in wanted:
            at(name)

    def column_type(self, array: int) -> str:
        """Return the type of the column that is read in place of an array of indices; none where that is read."""
        if array in self.narrow:
            return "uint16"
        return "" if self.in_order else f"u{self.program.arrays[array].dtype}"

    def scalars(self, code: p.Code) -> None:
        """Print what is done once."""
        self.follow(code, code.scalar_reads, "0")
        for name in code.scalar_reads:
            self.add(f"{self.local(name)} = {self.read(code, name, '0')}")
        for each in code.scalar:
            self.statement(code, each, "0")
        for name in code.scalar_writes:
            self.write(code, name, "0")

    def elements(self, code: p.Code, index: str) -> None:
        """Print what is done for each element."""
        self.follow(code, (*code.vector_reads, *code.vector_writes), index)
        fresh = _shared(code)
        for name in code.vector_reads:
            if name not in fresh:
                self.add(f"{self.local(name)} = {self.read(code, name, index)}")
        for each in code.vector:
            for name in sorted(fresh & each.names_read()):
                self.add(f"{self.local(name)} = {self.read(code, name, index)}")
            self.statement(code, each, index)
            if each.target in fresh:
                self.write(code, each.target, index)
        for name in code.vector_writes:
            if name not in fresh:
                self.write(code, name, index)

    def write(self, code: p.Code, name: str, index: str) -> None:
        """Print how a name is stored."""
        reference = code.names[name]
        assert isinstance(reference, p.Reference)
        self.add(f"{self.array(reference.array)}[{self.index(reference.index, index)}] = {self.local(name)}")

    def statement(self, code: p.Code, each: p.Statement, index: str) -> None:
        """Print a statement."""
        target = self.local(each.target)
        value = self.value(code, each.value, each.kind, index)
        if each.alternatives:
            choices = [
                (
                    " & ".join(
                        self.name(code, name) if wanted else f"(not {self.name(code, name)})" for name, wanted in values
                    ),
                    self.value(code, tree, each.kind, index),
                )
                for values, tree in each.alternatives
            ]
            value = choices[-1][1]
            for condition, other in reversed(choices[:-1]):
                value = f"({other} if {condition} else {value})"
        if each.operator != "=":
            value = _cast(
                f"({target} {each.operator[:-1]} {value})", FLOAT if each.operator == "/=" else each.kind, each.kind
            )
        if each.condition is not None:
            value = f"({value} if {self.name(code, each.condition)} else {target})"
        self.add(f"{target} = {value}")

    def value(self, code: p.Code, tree: Node, kind: str, index: str) -> str:
        """Return the source of an expression, as a value of some kind."""
        printed = numba_source(
            tree,
            lambda name: self.name(code, name),
            lambda call, arguments: self.call(code, call, arguments, index),
        )
        return _cast(printed, tree.kind, kind)

    def name(self, code: p.Code, name: str) -> str:
        """Return the source of a name in an expression."""
        meaning = code.names.get(name)
        if isinstance(meaning, p.Constant):
            return f"({self.constant(meaning)} != 0)" if meaning.kind == BOOLEAN else self.constant(meaning)
        return self.local(name)

    def call(self, code: p.Code, call: Call, arguments: list[str], index: str) -> str:
        """Return the source of a call."""
        function = code.functions[call.function]
        fresh = f"draw, {index}"
        match function:
            case p.Elementary(name):
                return f"function_{name}({', '.join(arguments)})"
            case p.Uniform():
                return f"uniform({self.key()}, {fresh})"
            case p.Normal():
                return f"normal({self.key()}, {fresh})"
            case p.Poisson():
                return f"poisson({arguments[0]}, {self.key()}, {fresh})"
            case p.Binomial(n, probability, True):
                scale = (n * probability * (1 - probability)) ** 0.5
                return f"({n * probability!r} + {scale!r} * normal({self.key()}, {fresh}))"
            case p.Binomial():
                return self.tabled(function, fresh)
            case p.Table():
                return self.table(function, arguments)
            case p.UserFunction(name):
                self.user_functions[name] = function
                return f"{_CAST[call.kind]}(user_{name}({', '.join(f'float64({each})' for each in arguments)}))"
        raise TypeError(function)

    def tabled(self, law: p.Binomial, fresh: str) -> str:
        """Return a draw from a fixed law; where a loop over elements follows, all of them are drawn ahead of it."""
        self.laws.append(law)
        number = len(self.laws) - 1
        columns = ", ".join(
            self.place("law", number, part, dtype) for part, dtype in zip(LAW, ("uint64", "int64"), strict=True)
        )
        if not self.ahead:
            return f"from_table({columns}, {self.key()}, {fresh})"
        n, lines = self.ahead[-1]
        self.counts.append(n)
        counts = self.place("counts", len(self.counts) - 1, "", "float64")
        out, first = self.drawn_ahead(counts, n)
        lines.append(f"fill_from_table({out}, {columns}, {self.key()}, draw, {first})")
        return f"{counts}[i]"

    def drawn_ahead(self, counts: str, n: p.Constant) -> tuple[str, str]:
        """Return where draws made ahead of a loop over n elements go, and which is the first."""
        return counts, "0"

    def table(self, table: p.Table, arguments: list[str]) -> str:
        """Return the source of a look-up in a table of times."""
        scalars = [self.constant(each) for each in (table.epsilon, table.k, table.rows)]
        row = f"table_row({arguments[0]}, {', '.join(scalars)})"
        if table.columns is None:
            return f"{self.array(table.array)}[{row}]"
        column = f"uint64({self.constant(table.columns)}) + uint64({arguments[1]})"
        return f"{self.array(table.array)}[{row} * {column}]"


def _shared(code: p.Code) -> set[str]:
    """Return the names for elements of an array that is written and has another name here too.

    Such are v_pre and v_post of recurrent synapses: they are read before and written after each statement.
    """
    names: dict[int, set[str]] = {}
    for name in {*code.vector_reads, *code.vector_writes}:
        reference = code.names[name]
        if isinstance(reference, p.Reference):
            names.setdefault(reference.array, set()).add(name)
    written = code.arrays_written()
    return {name for array, same in names.items() if len(same) > 1 and array in written for name in same}


def _cast(value: str, found: str, wanted: str) -> str:
    if found == wanted:
        return value
    return f"({value} != 0)" if wanted == BOOLEAN else f"{_CAST[wanted]}({value})"


def dtype_name(dtype: np.dtype | type | str) -> str:
    """Return a dtype's name as printed source has it."""
    name = np.dtype(dtype).name
    return "bool_" if name == "bool" else name
