"""The source of the one loop that runs a program: every operation of a step, one after another, in one function.

The text depends on the structure of the program alone. Constants, sizes, seeds and addresses are arguments, so that a
parameter sweep compiles nothing.

Two rules make the compiler vectorise the inner loops: indices are unsigned, so that none can count from the end; and
what collects events looks for any in a block of elements first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bionet.spiking import program as p
from bionet.spiking.engines.runtime import dtype_name
from bionet.spiking.expressions import BOOLEAN, FLOAT, INTEGER, Call, Name, Node, numba_source

#: What an engine asks for in ``control``, and what it finds there.
SEGMENT, LIMIT, STOP_CLOCKS, STATUS, STEPS, DRAW, TICK = range(7)
FIRST_MONITOR = 8
#: Why the loop came back.
DONE, OUTSIDE, ROOM, ENOUGH = range(4)
WHOLE_STEPS = -1
_BLOCK = 256
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
    user_functions: dict[str, p.UserFunction]
    hazards: int


_QUEUE = {
    "ring": "int32",
    "fill": "int64",
    "shape": "int64",
    "begin": "int32",
    "first": "int32",
    "delay": "int32",
    "order": "int32",
    "stray_begin": "int64",
    "stray_end": "int64",
    "strays": "int32",
}


def print_program(program: p.Program, layouts: list[Layout]) -> Source:
    """Print a program.

    Parameters
    ----------
    program : Program
    layouts : list of Layout
        One for each pathway.

    Returns
    -------
    Source
    """
    return _Printer(program, layouts).print()


@dataclass
class _Printer:
    program: p.Program
    layouts: list[Layout]
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    places: dict[Place, int] = field(default_factory=dict)
    laws: list[p.Binomial] = field(default_factory=list)
    user_functions: dict[str, p.UserFunction] = field(default_factory=dict)
    keys: int = 0
    hazards: int = 0
    operation: int = 0
    entry: list[str] = field(default_factory=list)

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

    def size(self, number: int) -> str:
        return f"sizes[{self.array(number)[1:]}]"

    def queue(self, pathway: int, part: str) -> str:
        return self.place("queue", pathway, part, _QUEUE[part])

    def constant(self, constant: p.Constant) -> str:
        return f"f{constant.slot}" if constant.kind == FLOAT else f"n{constant.slot}"

    def key(self) -> str:
        self.keys += 1
        return f"keys[{self.keys - 1}]"

    # The whole

    def print(self) -> Source:
        body = self.body()
        head = ["def run(table, sizes, floats, integers, control, keys):"]
        head += [
            f"    m{k} = view(table[{k}], sizes[{k}], {place.dtype})" for place, k in self.places.items()
        ]
        head += [f"    f{k} = floats[{k}]" for k in range(len(self.program.floats))]
        head += [f"    n{k} = integers[{k}]" for k in range(len(self.program.integers))]
        text = "\n".join([*head, *self.entry, *body, ""])
        return Source(text, list(self.places), self.keys, self.laws, self.user_functions, self.hazards)

    def body(self) -> list[str]:
        single = len(self.program.clocks) == 1
        monitors = self.program.n_monitors
        n_segments = len(self.program.outside()) + 1
        self.add("draw = control[5]")
        self.add("steps = 0")
        with self.block("while True:"):
            self.clocks(single, FIRST_MONITOR + 2 * monitors)
            with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS}:"):
                stop = f"due & control[{STOP_CLOCKS}]"
                for condition, status in (("over", DONE), (stop, OUTSIDE), (self.no_room(), ROOM)):
                    with self.block(f"if {condition}:"):
                        self.add(f"control[{STATUS}] = {status}")
                        self.add("break")
                with self.block(f"if steps == control[{LIMIT}]:"):
                    self.add(f"control[{STATUS}] = {ENOUGH}")
                    self.add("break")
            self.segments(single, n_segments)
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

    def counter(self, monitor: int) -> tuple[str, str]:
        place = FIRST_MONITOR + 2 * monitor
        return f"control[{place}]", f"control[{place + 1}]"

    def segments(self, single: bool, n_segments: int) -> None:
        """Print the operations; those between two outside the loop form a segment that can be run alone."""
        segment: list[tuple[int, p.Operation]] = []
        done = 0
        for number, each in [*enumerate(self.program.operations), (-1, None)]:
            if isinstance(each, p.Operation) and not isinstance(each, p.Outside):
                segment.append((number, each))
                continue
            if segment:
                if n_segments == 1:
                    self.segment(segment, single)
                else:
                    with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS} or control[{SEGMENT}] == {done}:"):
                        self.segment(segment, single)
            segment = []
            done += 1

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
        return value if kind in ("bool", "float64", "int64") else f"{'float64' if 'float' in kind else 'int64'}({value})"

    def index(self, name: str, index: str) -> str:
        return index if name == "_idx" else "0" if name == "0" else f"uint64({self.local(name)})"

    def chains(self, code: p.Code, wanted: tuple[str, ...]) -> list[str]:
        """Return the names of the index arrays that names need, those that others need first."""
        found: list[str] = []

        def follow(name: str) -> None:
            reference = code.names.get(name)
            if isinstance(reference, p.Reference) and reference.index not in ("_idx", "0"):
                follow(reference.index)
                if reference.index not in found:
                    found.append(reference.index)

        for name in wanted:
            follow(name)
        return found

    def scalars(self, code: p.Code) -> None:
        """Print what is done once."""
        for name in self.chains(code, code.scalar_reads):
            self.add(f"{self.local(name)} = {self.read(code, name, '0')}")
        for name in code.scalar_reads:
            self.add(f"{self.local(name)} = {self.read(code, name, '0')}")
        for each in code.scalar:
            self.statement(code, each, "0")
        for name in code.scalar_writes:
            self.write(code, name, "0")

    def elements(self, code: p.Code, index: str) -> None:
        """Print what is done for each element."""
        read = self.chains(code, (*code.vector_reads, *code.vector_writes))
        for name in (*read, *(each for each in code.vector_reads if each not in read)):
            self.add(f"{self.local(name)} = {self.read(code, name, index)}")
        for each in code.vector:
            self.statement(code, each, index)
        for name in code.vector_writes:
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
                (" & ".join(self.name(code, name) if wanted else f"(not {self.name(code, name)})" for name, wanted in values),
                 self.value(code, tree, each.kind, index))
                for values, tree in each.alternatives
            ]
            value = choices[-1][1]
            for condition, other in reversed(choices[:-1]):
                value = f"({other} if {condition} else {value})"
        if each.operator != "=":
            value = _cast(f"({target} {each.operator[:-1]} {value})", FLOAT if each.operator == "/=" else each.kind, each.kind)
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
        fresh = f"draw, uint64({index})"
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
        self.laws.append(law)
        number = len(self.laws) - 1
        columns = (("guide", "int64"), ("cumulative", "float64"))
        parts = [self.place("law", number, part, dtype) for part, dtype in columns]
        return f"from_table({', '.join(parts)}, {self.key()}, {fresh})"

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
                with self.block(f"for k in range({n}):"):
                    self.add("i = uint64(k)")
                    self.elements(each.code, "i")
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
        n, events, own = self.constant(each.n), self.array(each.events), self.operation
        condition = self.local("_cond")
        self.add("found = 0")
        with self.block(f"for low in range(0, {n}, {_BLOCK}):"):
            self.add(f"high = min(low + {_BLOCK}, {n})")
            self.add("hit = False")
            with self.block("for k in range(low, high):"):
                self.add("i = uint64(k)")
                if update is not None:
                    self.operation = number
                    self.elements(update.code, "i")
                    self.operation = own
                self.elements(each.code, "i")
                self.add(f"hit |= {condition}")
            with self.block("if hit:"), self.block("for k in range(low, high):"):
                self.add("i = uint64(k)")
                self.elements(each.code, "i")
                with self.block(f"if {condition}:"):
                    self.add(f"{events}[uint64(found)] = k")
                    self.add("found += 1")
        self.events_found(each)

    def events_found(self, each: p.Threshold) -> None:
        events = self.array(each.events)
        self.add(f"{events}[uint64({self.constant(each.n)})] = found")
        if each.not_refractory is not None:
            with self.block("for k in range(found):"):
                self.add(f"i = uint64({events}[uint64(k)])")
                self.add(f"{self.array(each.not_refractory)}[i] = False")
                self.add(f"{self.array(each.last_spike)}[i] = {self.array(each.t)}[0]")

    def drawn_threshold(self, each: p.Threshold, hazard: Node) -> None:
        """Print a threshold ``rand() < hazard``: the gaps between events are geometric at the greatest hazard, and
        an event is kept with the probability of its own hazard over that (thinning)."""
        number = self.operation
        state = self.place("hazard", self.hazards, "state", "int64")
        greatest = self.place("hazard", self.hazards, "greatest", "float64")
        self.hazards += 1
        key, n, events = self.key(), self.constant(each.n), self.array(each.events)
        most, keep = f"most_{number}", self.key()

        lines, self.lines, depth, self.depth = self.lines, [], self.depth, 1
        self.scalars(each.code)
        self.add(f"{most} = 0.0")
        with self.block(f"for k in range({n}):"):
            self.add("i = uint64(k)")
            self.hazard(each.code, hazard)
            self.add(f"{most} = max({most}, hazard)")
        with self.block(f"if {greatest}[0] != {most}:"):
            self.add(f"{greatest}[0] = {most}")
            self.add(f"{state}[0] = geometric_gap({most}, {key}, {state}[1], 0)")
            self.add(f"{state}[1] += 1")
        self.entry += self.lines
        self.lines, self.depth = lines, depth

        self.add("found = 0")
        with self.block(f"while {state}[0] < {n}:"):
            self.add(f"k = {state}[0]")
            self.add("i = uint64(k)")
            self.hazard(each.code, hazard)
            with self.block(f"if hazard >= {most} or uniform({keep}, {state}[1], 0) * {most} < hazard:"):
                self.add(f"{events}[uint64(found)] = k")
                self.add("found += 1")
            self.add(f"{state}[0] += 1 + geometric_gap({most}, {key}, {state}[1], 0)")
            self.add(f"{state}[1] += 1")
        self.add(f"{state}[0] -= {n}")
        self.events_found(each)

    def hazard(self, code: p.Code, hazard: Node) -> None:
        for name in (*self.chains(code, code.vector_reads), *code.vector_reads):
            self.add(f"{self.local(name)} = {self.read(code, name, 'i')}")
        self.add(f"hazard = {self.value(code, hazard, FLOAT, 'i')}")

    def reset(self, each: p.Reset) -> None:
        events = self.array(each.events)
        self.scalars(each.code)
        with self.block(f"for k in range({events}[{self.size(each.events)} - 1]):"):
            self.add(f"i = uint64({events}[uint64(k)])")
            self.elements(each.code, "i")

    def push(self, each: p.Push) -> None:
        events, shape = self.array(each.events), self.queue(each.pathway, "shape")
        ring, fill = self.queue(each.pathway, "ring"), self.queue(each.pathway, "fill")
        homogeneous = self.layouts[each.pathway].homogeneous
        start, stop = self.place("bounds", each.pathway, "sources", "int64"), ""
        stop = f"{start}[1]"
        start = f"{start}[0]"
        if homogeneous:
            self.add(f"slot = {shape}[3] + {shape}[2]")
            with self.block(f"if slot >= {shape}[0]:"):
                self.add(f"slot -= {shape}[0]")
            self.add(f"filled = {fill}[uint64(slot)]")
            self.add(f"row = slot * {shape}[1]")
        with self.block(f"for k in range({events}[{self.size(each.events)} - 1]):"):
            self.add(f"source = int64({events}[uint64(k)])")
            with self.block(f"if source >= {start} and source < {stop}:"):
                if homogeneous:
                    self.add(f"{ring}[uint64(row + filled)] = source - {start}")
                    self.add("filled += 1")
                else:
                    self.push_groups(each.pathway, start)
        if homogeneous:
            self.add(f"{fill}[uint64(slot)] = filled")

    def push_groups(self, pathway: int, start: str) -> None:
        ring, fill, shape, first, delay = (
            self.queue(pathway, part) for part in ("ring", "fill", "shape", "first", "delay")
        )
        self.add(f"source -= {start}")
        with self.block(f"for group in range({first}[uint64(source)], {first}[uint64(source + 1)]):"):
            self.add(f"slot = {shape}[3] + {delay}[uint64(group)]")
            with self.block(f"if slot >= {shape}[0]:"):
                self.add(f"slot -= {shape}[0]")
            self.add(f"filled = {fill}[uint64(slot)]")
            self.add(f"{ring}[uint64(slot * {shape}[1] + filled)] = group")
            self.add(f"{fill}[uint64(slot)] = filled + 1")
            with self.block(f"if filled + 1 > {shape}[4]:"):
                self.add(f"{shape}[4] = filled + 1")

    def deliver(self, each: p.Deliver) -> None:
        ring, fill, shape, begin, order, stray_begin, stray_end, strays = (
            self.queue(each.pathway, part)
            for part in ("ring", "fill", "shape", "begin", "order", "stray_begin", "stray_end", "strays")
        )
        self.add(f"slot = {shape}[3]")
        self.add(f"row = slot * {shape}[1]")
        self.add(f"first_stray = {stray_begin}[uint64(slot)]")
        self.add(f"n_strays = {stray_end}[uint64(slot)] - first_stray")
        self.add(f"n_due = n_strays + {fill}[uint64(slot)]")
        with self.block("if n_due > 0:"):
            self.scalars(each.code)
            with self.block("for q in range(n_due):"):
                with self.block("if q < n_strays:"):
                    self.add(f"low = int64({strays}[uint64(first_stray + q)])")
                    self.add("high = low + 1")
                with self.block("else:"):
                    self.add(f"group = uint64({ring}[uint64(row + q - n_strays)])")
                    self.add(f"low = int64({begin}[group])")
                    self.add(f"high = int64({begin}[group + uint64(1)])")
                with self.block("for k in range(low, high):"):
                    in_order = self.layouts[each.pathway].in_order
                    self.add("i = uint64(k)" if in_order else f"i = uint64({order}[uint64(k)])")
                    self.elements(each.code, "i")
            self.add(f"{fill}[uint64(slot)] = 0")
            self.add(f"{stray_end}[uint64(slot)] = first_stray")
        self.add("slot += 1")
        self.add(f"{shape}[3] = 0 if slot == {shape}[0] else slot")

    def record_events(self, each: p.RecordEvents) -> None:
        events, (count, _) = self.array(each.events), self.counter(each.monitor)
        start, stop = self.constant(each.start), self.constant(each.stop)
        columns = [
            (name, self.place("events", each.monitor, str(k), self.program.arrays[array].dtype))
            for k, (name, array) in enumerate(each.columns)
        ]
        self.add(f"n_events = {events}[{self.size(each.events)} - 1]")
        with self.block("if n_events > 0:"):
            self.scalars(each.code)
            with self.block("for k in range(n_events):"):
                self.add(f"event = int64({events}[uint64(k)])")
                with self.block(f"if event >= {start} and event < {stop}:"):
                    self.add("i = uint64(event)")
                    if columns:
                        self.elements(each.code, "i")
                        for name, column in columns:
                            self.add(f"{column}[uint64({count})] = {self.local(name)}")
                    self.add(f"{count} += 1")
                    self.add(f"{self.array(each.count)}[uint64(event - {start})] += 1")

    def record_states(self, each: p.RecordStates) -> None:
        n, (count, _) = self.constant(each.n_indices), self.counter(each.monitor)
        self.add(f"{self.place('states', each.monitor, 't', 'float64')}[uint64({count})] = {self.array(each.clock_t)}[0]")
        self.scalars(each.code)
        with self.block(f"for k in range({n}):"):
            self.add(f"i = uint64({self.array(each.indices)}[uint64(k)])")
            self.elements(each.code, "i")
            for number, (name, array) in enumerate(each.columns):
                column = self.place("states", each.monitor, str(number), self.program.arrays[array].dtype)
                self.add(f"{column}[uint64({count} * {n} + k)] = {self.local(name)}")
        self.add(f"{count} += 1")

    def record_rate(self, each: p.RecordRate) -> None:
        events, (count, _) = self.array(each.events), self.counter(each.monitor)
        self.add("spikes = 0")
        with self.block(f"for k in range({events}[{self.size(each.events)} - 1]):"):
            self.add(f"event = int64({events}[uint64(k)])")
            with self.block(f"if event >= {self.constant(each.start)} and event < {self.constant(each.stop)}:"):
                self.add("spikes += 1")
        self.add(f"{self.place('states', each.monitor, 't', 'float64')}[uint64({count})] = {self.array(each.clock_t)}[0]")
        rate = f"1.0 * spikes / {self.array(each.clock_dt)}[0] / {self.constant(each.n_sources)}"
        column = self.place("states", each.monitor, "0", self.program.arrays[each.rate].dtype)
        self.add(f"{column}[uint64({count})] = {rate}")
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
        target, index = self.array(each.target), self.array(each.target_index)
        self.scalars(each.code)
        with self.block(f"for k in range({self.constant(each.start)}, {self.constant(each.stop)}):"):
            self.add(f"{target}[k] = 0")
        with self.block(f"for k in range({self.constant(each.n)}):"):
            self.add("i = uint64(k)")
            self.elements(each.code, "i")
            self.add(f"{target}[uint64({index}[i])] += {self.name(each.code, '_synaptic_var')}")


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
