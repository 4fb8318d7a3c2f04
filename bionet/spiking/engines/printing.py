"""The source of the one loop that runs a program: every operation of a step, one after another, in one function.

The text depends on the structure of the program alone. Constants, sizes, seeds and addresses are arguments, so that a
parameter sweep compiles nothing.

Two rules make the compiler vectorise the inner loops: indices are unsigned, so that none can count from the end; and
what collects events looks for any in a block of elements first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import bionet.spiking.program as p
from bionet.spiking.engines.runtime import dtype_name
from bionet.spiking.expressions import BOOLEAN, FLOAT, INTEGER, Call, Node, numba_source

#: What an engine asks for in ``control``, and what it finds there.
SEGMENT, LIMIT, STOP_CLOCKS, STATUS, STEPS, DRAW, TICK = range(7)
FIRST_MONITOR = 8
#: Why the loop came back.
DONE, OUTSIDE, ROOM, ENOUGH, UNSOUND = range(5)
WHOLE_STEPS, NOTHING = -1, -2
BLOCK = 256
#: Every so many steps the state is looked at.
_LOOK = 128
#: The columns of the table of a law.
LAW = ("threshold", "outcome")
_CAST = {FLOAT: "float64", INTEGER: "int64", BOOLEAN: "bool"}


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
class Source:
    """The printed function ``run(table, sizes, floats, integers, control, keys)``, and what its arguments hold."""

    text: str
    places: list[Place]
    n_keys: int
    laws: list[p.Binomial]
    counts: list[p.Constant]
    user_functions: dict[str, p.UserFunction]
    hazards: int


_QUEUE = {
    "ring": "uint32",
    "fill": "uint64",
    "shape": "uint64",
    "begin": "uint32",
    "first": "uint32",
    "delay": "uint32",
    "order": "uint32",
    "stray_begin": "uint64",
    "stray_end": "uint64",
    "strays": "uint32",
}


def pieces(program: p.Program, split: bool) -> list[list[int] | p.Outside]:
    """Return the step list in pieces: the numbers of operations that run together, and what runs outside the loop.

    Parameters
    ----------
    program : Program
    split : bool
        Each operation is a piece of its own.
    """
    found: list[list[int] | p.Outside] = []
    for number, each in enumerate(program.operations):
        if isinstance(each, p.Outside):
            found.append(each)
        elif split or not found or isinstance(found[-1], p.Outside):
            found.append([number])
        else:
            found[-1].append(number)
    return found


def print_program(program: p.Program, layouts: list[Layout], split: bool = False) -> Source:
    """Print a program.

    Parameters
    ----------
    program : Program
    layouts : list of Layout
        One for each pathway.
    split : bool
        Let each operation be run, and timed, on its own.

    Returns
    -------
    Source
    """
    return _Printer(program, layouts, pieces(program, split)).print()


@dataclass
class _Printer:
    program: p.Program
    layouts: list[Layout]
    pieces: list[list[int] | p.Outside]
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

    # Lines

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        self.add(line)
        self.depth += 1
        yield
        self.depth -= 1

    # Names

    def place(self, kind: str, number: int, part: str, dtype: str) -> str:
        entry = Place(kind, number, part, dtype_name(dtype))
        return f"m{self.places.setdefault(entry, len(self.places))}"

    def array(self, number: int) -> str:
        return self.place("array", number, "", self.program.arrays[number].dtype)

    def indices(self, number: int) -> str:
        """Return an array whose elements serve as indices only: as unsigned numbers."""
        return self.place("array", number, "", f"u{self.program.arrays[number].dtype.removeprefix('u')}")

    def size(self, number: int) -> str:
        return f"sizes[{self.array(number)[1:]}]"

    def queue(self, pathway: int, part: str) -> str:
        return self.place("queue", pathway, part, _QUEUE[part])

    def constant(self, constant: p.Constant) -> str:
        name = f"f{constant.slot}" if constant.kind == FLOAT else f"n{constant.slot}"
        values = "floats" if constant.kind == FLOAT else "integers"
        self.constants[name] = f"{values}[{constant.slot}]"
        return name

    def key(self) -> str:
        self.keys += 1
        return f"keys[{self.keys - 1}]"

    # The whole

    def print(self) -> Source:
        body = self.body()
        head = ["def run(table, sizes, floats, integers, control, keys):"]
        head += [f"    m{k} = view(table[{k}], sizes[{k}], {place.dtype})" for place, k in self.places.items()]
        head += [f"    {name} = {value}" for name, value in self.constants.items()]
        text = "\n".join([*head, *self.entry, *body, ""])
        return Source(text, list(self.places), self.keys, self.laws, self.counts, self.user_functions, self.hazards)

    def body(self) -> list[str]:
        single = len(self.program.clocks) == 1
        monitors = self.program.n_monitors
        self.add("draw = control[5]")
        self.add("steps = 0")
        with self.block("while True:"):
            self.clocks(single, FIRST_MONITOR + 2 * monitors)
            with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS}:"):
                if states := self.states():
                    sound = " and ".join(f"finite({self.array(number)})" for number in states)
                    with self.block(f"if (over or steps % {_LOOK} == {_LOOK - 1}) and not ({sound}):"):
                        self.add(f"control[{STATUS}] = {UNSOUND}")
                        self.add("break")
                stop = f"due & control[{STOP_CLOCKS}]"
                for condition, status in (("over", DONE), (stop, OUTSIDE), (self.no_room(), ROOM)):
                    with self.block(f"if {condition}:"):
                        self.add(f"control[{STATUS}] = {status}")
                        self.add("break")
                with self.block(f"if steps == control[{LIMIT}]:"):
                    self.add(f"control[{STATUS}] = {ENOUGH}")
                    self.add("break")
            self.segments(single)
            with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS} or control[{TICK}]:"):
                self.ticks(single)
                self.add("draw += 1")
                self.add("steps += 1")
            with self.block(f"if control[{SEGMENT}] != {WHOLE_STEPS}:"):
                self.add("break")
        self.add(f"control[{DRAW}] = draw")
        self.add(f"control[{STEPS}] = steps")
        return self.lines

    def clocks(self, single: bool, first_end: int) -> None:
        """Print which clocks are due, as Brian2 decides it: those within 1e-4 of a step of the earliest."""
        clocks = self.program.clocks
        if single:
            self.add("due = 1")
            self.add(f"over = {self.array(clocks[0].timestep)}[0] >= control[{first_end}]")
            return
        times = [f"{self.array(clock.t)}[0]" for clock in clocks]
        steps = [f"{self.array(clock.dt)}[0]" for clock in clocks]
        self.add(f"first = {times[0]}")
        self.add(f"first_dt = {steps[0]}")
        self.add(f"over = {self.array(clocks[0].timestep)}[0] >= control[{first_end}]")
        for k in range(1, len(clocks)):
            with self.block(f"if {times[k]} < first:"):
                self.add(f"first = {times[k]}")
                self.add(f"first_dt = {steps[k]}")
                self.add(f"over = {self.array(clocks[k].timestep)}[0] >= control[{first_end + k}]")
        self.add("due = 0")
        for k in range(len(clocks)):
            near = f"abs({times[k]} - first) / min(first_dt, {steps[k]}) < 1e-4"
            with self.block(f"if {times[k]} == first or {near}:"):
                self.add(f"due |= {1 << k}")

    def ticks(self, single: bool) -> None:
        for k, clock in enumerate(self.program.clocks):
            with self.block("if True:" if single else f"if due & {1 << k}:"):
                timestep = f"{self.array(clock.timestep)}[0]"
                self.add(f"{timestep} += 1")
                self.add(f"{self.array(clock.t)}[0] = {timestep} * {self.array(clock.dt)}[0]")

    def no_room(self) -> str:
        """Return the condition that a buffer may not hold what one more step can bring."""
        conditions = []
        for each in self.program.operations:
            if isinstance(each, p.RecordEvents):
                count, room = self.counter(each.monitor)
                conditions.append(f"{count} + {self.size(each.events)} > {room}")
            elif isinstance(each, p.RecordStates | p.RecordRate):
                count, room = self.counter(each.monitor)
                conditions.append(f"{count} >= {room}")
            elif isinstance(each, p.Push) and not self.layouts[each.pathway].homogeneous:
                shape = self.queue(each.pathway, "shape")
                conditions.append(f"{shape}[4] + {shape}[5] > {shape}[1]")
        return " or ".join(conditions) or "False"

    def states(self) -> list[int]:
        """Return the arrays that code of the program integrates."""
        written: set[int] = set()
        for each in self.program.operations:
            if isinstance(each, p.Update):
                written |= each.code.arrays_written()
        return [number for number in sorted(written) if self.program.arrays[number].integrated]

    def counter(self, monitor: int) -> tuple[str, str]:
        place = FIRST_MONITOR + 2 * monitor
        return f"control[{place}]", f"control[{place + 1}]"

    def segments(self, single: bool) -> None:
        """Print the operations; each piece between two things outside the loop can be run alone."""
        for number, piece in enumerate(self.pieces):
            if isinstance(piece, p.Outside):
                continue
            operations = [(each, self.program.operations[each]) for each in piece]
            if len(self.pieces) == 1:
                self.segment(operations, single)
            else:
                with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS} or control[{SEGMENT}] == {number}:"):
                    self.segment(operations, single)

    def segment(self, operations: list[tuple[int, p.Operation]], single: bool) -> None:
        for number, each, joined in _joined(operations, self.program):
            self.operation = number
            if single:
                self.one(each, joined)
            else:
                with self.block(f"if due & {1 << each.clock}:"):
                    self.one(each, joined)

    def one(self, each: p.Operation, joined: tuple[int, p.Threshold] | None) -> None:
        match each:
            case p.Update():
                self.update(each, joined)
            case p.Threshold():
                self.threshold(each)
            case p.Reset():
                self.reset(each)
            case p.Push():
                self.push(each)
            case p.Deliver():
                self.deliver(each)
            case p.RecordEvents():
                self.record_events(each)
            case p.RecordStates():
                self.record_states(each)
            case p.RecordRate():
                self.record_rate(each)
            case p.Replay():
                self.replay(each)
            case p.Sum():
                self.sum(each)

    # Code

    def local(self, name: str) -> str:
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
                    place = f"{self.indices(other.array)}[{self.index(other.index, index)}]"
                    self.add(f"{self.local(reference.index)}_at = {place}")

        for name in wanted:
            at(name)

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
        reference = code.names[name]
        assert isinstance(reference, p.Reference)
        self.add(f"{self.array(reference.array)}[{self.index(reference.index, index)}] = {self.local(name)}")

    def statement(self, code: p.Code, each: p.Statement, index: str) -> None:
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
        printed = numba_source(
            tree,
            lambda name: self.name(code, name),
            lambda call, arguments: self.call(code, call, arguments, index),
        )
        return _cast(printed, tree.kind, kind)

    def name(self, code: p.Code, name: str) -> str:
        meaning = code.names.get(name)
        if isinstance(meaning, p.Constant):
            return f"({self.constant(meaning)} != 0)" if meaning.kind == BOOLEAN else self.constant(meaning)
        return self.local(name)

    def call(self, code: p.Code, call: Call, arguments: list[str], index: str) -> str:
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
                return f"float64(user_{name}({', '.join(f'float64({each})' for each in arguments)}))"
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
        lines.append(f"fill_from_table({counts}, {columns}, {self.key()}, draw, 0)")
        return f"{counts}[i]"

    def table(self, table: p.Table, arguments: list[str]) -> str:
        scalars = [self.constant(each) for each in (table.epsilon, table.k, table.rows)]
        row = f"table_row({arguments[0]}, {', '.join(scalars)})"
        if table.columns is None:
            return f"{self.array(table.array)}[{row}]"
        column = f"uint64({self.constant(table.columns)}) + uint64({arguments[1]})"
        return f"{self.array(table.array)}[{row} * {column}]"

    # Operations

    def update(self, each: p.Update, joined: tuple[int, p.Threshold] | None) -> None:
        self.scalars(each.code)
        n = self.constant(each.n)
        if joined is None:
            if each.code.vector:
                place = len(self.lines)
                self.ahead.append((each.n, []))
                with self.block(f"for i in range(uint64({n})):"):
                    self.elements(each.code, "i")
                _, drawn = self.ahead.pop()
                self.lines[place:place] = ["    " * self.depth + line for line in drawn]
            return
        own, (number, threshold) = self.operation, joined
        self.operation = number
        self.scalars(threshold.code)
        self.collecting(threshold, own, each)

    def threshold(self, each: p.Threshold) -> None:
        if each.hazard is not None:
            self.drawn_threshold(each, each.hazard)
            return
        self.scalars(each.code)
        self.collecting(each, self.operation, None)

    def collecting(self, each: p.Threshold, number: int, update: p.Update | None) -> None:
        """Print the loop over blocks of elements that collects events, after an update of the same elements."""
        n, events, own = self.constant(each.n), self.indices(each.events), self.operation
        hits = self.place("hits", 0, "", "bool")
        self.add("found = uint64(0)")
        with self.block(f"for low in range(uint64(0), uint64({n}), uint64({BLOCK})):"):
            self.add(f"high = min(low + uint64({BLOCK}), uint64({n}))")
            self.add("hit = False")
            with self.block("for i in range(low, high):"):
                if update is not None:
                    self.operation = number
                    self.elements(update.code, "i")
                    self.operation = own
                self.elements(each.code, "i")
                self.add(f"{hits}[i - low] = {self.local('_cond')}")
                self.add(f"hit |= {self.local('_cond')}")
            with self.block("if hit:"), self.block("for i in range(low, high):"), self.block(f"if {hits}[i - low]:"):
                self.add(f"{events}[found] = i")
                self.add("found += uint64(1)")
        self.events_found(each)

    def events_found(self, each: p.Threshold) -> None:
        events = self.indices(each.events)
        self.add(f"{events}[uint64({self.constant(each.n)})] = found")
        if each.not_refractory is not None and each.last_spike is not None and each.t is not None:
            with self.block("for k in range(found):"):
                self.add(f"i = {events}[k]")
                self.add(f"{self.array(each.not_refractory)}[i] = False")
                self.add(f"{self.array(each.last_spike)}[i] = {self.array(each.t)}[0]")

    def drawn_threshold(self, each: p.Threshold, hazard: Node) -> None:
        """Print a threshold ``rand() < hazard``, for a hazard that stays as it is.

        The gaps between events are geometric at the greatest hazard, and an event is kept with the probability of its
        own hazard over that (thinning).
        """
        number = self.operation
        state = self.place("hazard", self.hazards, "state", "int64")
        greatest = self.place("hazard", self.hazards, "greatest", "float64")
        self.hazards += 1
        key, n, events = self.key(), self.constant(each.n), self.indices(each.events)
        most, keep = f"most_{number}", self.key()

        lines, self.lines, depth, self.depth = self.lines, [], self.depth, 1
        self.scalars(each.code)
        self.add(f"{most} = 0.0")
        with self.block(f"for i in range(uint64({n})):"):
            self.hazard(each.code, hazard)
            self.add(f"{most} = max({most}, hazard)")
        with self.block(f"if {greatest}[0] != {most}:"):
            self.add(f"{greatest}[0] = {most}")
            self.add(f"{state}[0] = geometric_gap({most}, {key}, {state}[1], 0)")
            self.add(f"{state}[1] += 1")
        self.entry += self.lines
        self.lines, self.depth = lines, depth

        self.add("found = uint64(0)")
        with self.block(f"while {state}[0] < {n}:"):
            self.add(f"i = uint64({state}[0])")
            self.hazard(each.code, hazard)
            with self.block(f"if hazard >= {most} or uniform({keep}, {state}[1], 0) * {most} < hazard:"):
                self.add(f"{events}[found] = i")
                self.add("found += uint64(1)")
            self.add(f"{state}[0] += 1 + geometric_gap({most}, {key}, {state}[1], 0)")
            self.add(f"{state}[1] += 1")
        self.add(f"{state}[0] -= {n}")
        self.events_found(each)

    def hazard(self, code: p.Code, hazard: Node) -> None:
        self.follow(code, code.vector_reads, "i")
        for name in code.vector_reads:
            self.add(f"{self.local(name)} = {self.read(code, name, 'i')}")
        self.add(f"hazard = {self.value(code, hazard, FLOAT, 'i')}")

    def n_events(self, events: int) -> str:
        """Return how many events there are: the last element says it."""
        return f"{self.indices(events)}[{self.size(events)} - 1]"

    def reset(self, each: p.Reset) -> None:
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            self.scalars(each.code)
            with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
                self.add(f"i = {self.indices(each.events)}[k]")
                self.elements(each.code, "i")

    def push(self, each: p.Push) -> None:
        events, ring, fill, shape = (
            self.indices(each.events),
            *(self.queue(each.pathway, part) for part in ("ring", "fill", "shape")),
        )
        homogeneous = self.layouts[each.pathway].homogeneous
        bounds = self.place("bounds", each.pathway, "sources", "uint64")
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            if homogeneous:
                self.add(f"slot = {shape}[3] + {shape}[2]")
                with self.block(f"if slot >= {shape}[0]:"):
                    self.add(f"slot -= {shape}[0]")
                self.add(f"place = slot * {shape}[1] + {fill}[slot]")
                self.add("first = place")
            with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
                self.add(f"source = uint64({events}[k])")
                with self.block(f"if source >= {bounds}[0] and source < {bounds}[1]:"):
                    self.add(f"source -= {bounds}[0]")
                    if homogeneous:
                        self.add(f"{ring}[place] = source")
                        self.add("place += uint64(1)")
                    else:
                        self.push_groups(each.pathway)
            if homogeneous:
                self.add(f"{fill}[slot] += place - first")

    def push_groups(self, pathway: int) -> None:
        ring, fill, shape, first, delay = (
            self.queue(pathway, part) for part in ("ring", "fill", "shape", "first", "delay")
        )
        with self.block(f"for group in range(uint64({first}[source]), uint64({first}[source + uint64(1)])):"):
            self.add(f"slot = {shape}[3] + {delay}[group]")
            with self.block(f"if slot >= {shape}[0]:"):
                self.add(f"slot -= {shape}[0]")
            self.add(f"{ring}[slot * {shape}[1] + {fill}[slot]] = group")
            self.add(f"{fill}[slot] += uint64(1)")
            self.add(f"{shape}[4] = max({shape}[4], {fill}[slot])")

    def deliver(self, each: p.Deliver) -> None:
        ring, fill, shape, begin, order, stray_begin, stray_end, strays = (
            self.queue(each.pathway, part)
            for part in ("ring", "fill", "shape", "begin", "order", "stray_begin", "stray_end", "strays")
        )
        self.add(f"slot = {shape}[3]")
        self.add(f"n_strays = {stray_end}[slot] - {stray_begin}[slot]")
        self.add(f"n_due = n_strays + {fill}[slot]")
        with self.block("if n_due > uint64(0):"):
            self.scalars(each.code)
            with self.block("for q in range(n_due):"):
                with self.block("if q < n_strays:"):
                    self.add(f"low = uint64({strays}[{stray_begin}[slot] + q])")
                    self.add("high = low + uint64(1)")
                with self.block("else:"):
                    self.add(f"group = {ring}[slot * {shape}[1] + q - n_strays]")
                    self.add(f"low = uint64({begin}[group])")
                    self.add(f"high = uint64({begin}[group + uint64(1)])")
                in_order = self.layouts[each.pathway].in_order
                with self.block(f"for {'i' if in_order else 'k'} in range(low, high):"):
                    if not in_order:
                        self.add(f"i = {order}[k]")
                    self.elements(each.code, "i")
            self.add(f"{fill}[slot] = uint64(0)")
            self.add(f"{stray_end}[slot] = {stray_begin}[slot]")
        self.add("slot += uint64(1)")
        self.add(f"{shape}[3] = uint64(0) if slot == {shape}[0] else slot")

    def record_events(self, each: p.RecordEvents) -> None:
        events, (count, _) = self.indices(each.events), self.counter(each.monitor)
        start, stop = self.constant(each.start), self.constant(each.stop)
        columns = [
            (name, self.place("events", each.monitor, str(k), self.program.arrays[array].dtype))
            for k, (name, array) in enumerate(each.columns)
        ]
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            self.scalars(each.code)
            self.add(f"place = uint64({count})")
            with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
                self.add(f"i = {events}[k]")
                with self.block(f"if i >= {start} and i < {stop}:"):
                    if columns:
                        self.elements(each.code, "i")
                        for name, column in columns:
                            self.add(f"{column}[place] = {self.local(name)}")
                    self.add("place += uint64(1)")
                    self.add(f"{self.array(each.count)}[uint64(i - {start})] += 1")
            self.add(f"{count} = place")

    def record_states(self, each: p.RecordStates) -> None:
        n, (count, _) = self.constant(each.n_indices), self.counter(each.monitor)
        self.add(f"place = uint64({count})")
        self.add(f"{self.place('states', each.monitor, 't', 'float64')}[place] = {self.array(each.clock_t)}[0]")
        self.scalars(each.code)
        with self.block(f"for k in range(uint64({n})):"):
            self.add(f"i = {self.indices(each.indices)}[k]")
            self.elements(each.code, "i")
            for number, (name, array) in enumerate(each.columns):
                column = self.place("states", each.monitor, str(number), self.program.arrays[array].dtype)
                self.add(f"{column}[place * uint64({n}) + k] = {self.local(name)}")
        self.add(f"{count} += 1")

    def record_rate(self, each: p.RecordRate) -> None:
        events, (count, _) = self.indices(each.events), self.counter(each.monitor)
        self.add("spikes = 0")
        with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
            self.add(f"i = {events}[k]")
            with self.block(f"if i >= {self.constant(each.start)} and i < {self.constant(each.stop)}:"):
                self.add("spikes += 1")
        self.add(f"place = uint64({count})")
        self.add(f"{self.place('states', each.monitor, 't', 'float64')}[place] = {self.array(each.clock_t)}[0]")
        rate = f"1.0 * spikes / {self.array(each.clock_dt)}[0] / {self.constant(each.n_sources)}"
        self.add(f"{self.place('states', each.monitor, '0', self.program.arrays[each.rate].dtype)}[place] = {rate}")
        self.add(f"{count} += 1")

    def replay(self, each: p.Replay) -> None:
        events, bins, last = self.array(each.events), self.array(each.bins), self.array(each.last)
        self.add(f"bin = int64({self.array(each.timestep)}[0])")
        self.add(f"period = int64({self.array(each.period)}[0])")
        self.add(f"place = int64({last}[0])")
        with self.block("if period > 0:"):
            self.add("bin %= period")
            with self.block(f"if place > 0 and {bins}[place - 1] >= bin:"):
                self.add("place = 0")
        self.add("found = 0")
        with self.block(f"while place < {self.size(each.bins)} and {bins}[place] <= bin:"):
            self.add(f"{events}[found] = {self.array(each.indices)}[place]")
            self.add("found += 1")
            self.add("place += 1")
        self.add(f"{last}[0] = place")
        self.add(f"{events}[{self.size(each.events)} - 1] = found")

    def sum(self, each: p.Sum) -> None:
        target, index = self.array(each.target), self.indices(each.target_index)
        self.scalars(each.code)
        with self.block(f"for k in range({self.constant(each.start)}, {self.constant(each.stop)}):"):
            self.add(f"{target}[k] = 0")
        with self.block(f"for i in range(uint64({self.constant(each.n)})):"):
            self.elements(each.code, "i")
            self.add(f"{target}[{index}[i]] += {self.name(each.code, '_synaptic_var')}")


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


def _joined(
    operations: list[tuple[int, p.Operation]], program: p.Program
) -> Iterator[tuple[int, p.Operation, tuple[int, p.Threshold] | None]]:
    """Yield operations in order, an update together with a later threshold of the same elements where that is the same.

    It is, if nothing in between minds: no array that one of them writes is touched by the other. Then one pass over
    memory does for both.
    """
    taken: set[int] = set()
    for place, (number, each) in enumerate(operations):
        if number in taken:
            continue
        found = None
        if isinstance(each, p.Update) and each.code.vector:
            for later, other in operations[place + 1 :]:
                if isinstance(other, p.Threshold) and later not in taken and _alike(each, other, program):
                    between = [op for n, op in operations[place + 1 :] if n < later and n not in taken]
                    if all(_independent(other, op) for op in between):
                        found = (later, other)
                        taken.add(later)
                    break
        yield number, each, found


def _alike(update: p.Update, threshold: p.Threshold, program: p.Program) -> bool:
    if threshold.hazard is not None or update.clock != threshold.clock:
        return False
    if program.integers[update.n.slot] != program.integers[threshold.n.slot]:
        return False
    written = update.code.arrays_written()
    shared = [
        reference
        for code in (update.code, threshold.code)
        for reference in code.names.values()
        if isinstance(reference, p.Reference) and reference.array in written
    ]
    return all(reference.index == "_idx" for reference in shared) and not threshold.code.arrays_written()


def _touches(each: p.Operation) -> tuple[set[int], set[int]] | None:
    """Return the arrays an operation reads and writes; None if that is not simply known."""
    match each:
        case p.Update():
            return each.code.arrays_read(), each.code.arrays_written()
        case p.Threshold():
            more = {array for array in (each.not_refractory, each.last_spike) if array is not None}
            clock = {each.t} if each.t is not None else set()
            return each.code.arrays_read() | clock, {each.events} | more
    return None


def _independent(one: p.Operation, other: p.Operation) -> bool:
    a, b = _touches(one), _touches(other)
    if a is None or b is None:
        return False
    return not (a[1] & (b[0] | b[1]) or b[1] & a[0])
