"""The source of the one loop that runs a program: every operation of a step, one after another, in one function.

The text depends on the structure of the program alone. Constants, sizes, seeds and addresses are arguments, so that a
parameter sweep compiles nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import bionet.spiking.program as p
from bionet.spiking.engines.joining import joined, pieces
from bionet.spiking.engines.operations import FIRST_MONITOR, Operations
from bionet.spiking.engines.text import Layout, Place
from bionet.spiking.machine_code import entry

#: What an engine asks for in ``control``, and what it finds there.
SEGMENT, LIMIT, STOP_CLOCKS, STATUS, STEPS, DRAW, TICK = range(7)
#: Why the loop came back.
DONE, OUTSIDE, ROOM, ENOUGH, UNSOUND = range(5)
WHOLE_STEPS, NOTHING = -1, -2
#: What the loop is handed, and of which kind.
ARGUMENTS = {
    **{"table": "int64[]", "sizes": "int64[]", "floats": "float64[]", "integers": "int64[]"},
    **{"control": "int64[]", "keys": "uint64[]"},
}
#: Every so many steps the state is looked at.
LOOK = 128


@dataclass
class Source:
    """The printed function ``run(table, sizes, floats, integers, control, keys)``, and what its arguments hold.

    ``head`` is text before it: what it calls beside the usual.
    """

    text: str
    places: list[Place]
    n_keys: int
    laws: list[p.Binomial]
    counts: list[p.Constant]
    user_functions: dict[str, p.UserFunction]
    hazards: int
    head: str = ""


def print_program(
    program: p.Program, layouts: list[Layout], split: bool = False, narrow: frozenset[int] = frozenset()
) -> Source:
    """Print a program.

    Parameters
    ----------
    program : Program
    layouts : list of Layout
        One for each pathway.
    split : bool
        Let each operation be run, and timed, on its own.
    narrow : frozenset of int
        The arrays of indices that 16 bits hold.

    Returns
    -------
    Source
    """
    return Printer(program, layouts, pieces=pieces(program, split), narrow=narrow).print()


@dataclass
class Printer(Operations):
    """Prints the loop."""

    pieces: list[list[int] | p.Outside] = field(default_factory=list)

    def print(self) -> Source:
        """Print all of it."""
        body = self.body()
        head = [entry(ARGUMENTS), "    wide()"]
        head += [f"    m{k} = listed(table, sizes, {k}, {place.dtype})" for place, k in self.places.items()]
        head += [f"    {name} = {value}" for name, value in self.constants.items()]
        text = "\n".join([*head, *self.entry, *body, ""])
        return Source(text, list(self.places), self.keys, self.laws, self.counts, self.user_functions, self.hazards)

    def body(self) -> list[str]:
        """Print a step, again and again, and return its lines."""
        single = len(self.program.clocks) == 1
        monitors = self.program.n_monitors
        self.add("draw = control[5]")
        self.add("steps = 0")
        with self.block("while True:"):
            self.clocks(single, FIRST_MONITOR + 2 * monitors)
            self.look()
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

    def look(self) -> None:
        """Print what ends the loop before a step."""
        with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS}:"):
            if states := self.states():
                sound = " and ".join(f"finite({self.array(number)})" for number in states)
                with self.block(f"if (over or steps % {LOOK} == {LOOK - 1}) and not ({sound}):"):
                    self.add(f"control[{STATUS}] = {UNSOUND}")
                    self.add("break")
            stop = f"due & control[{STOP_CLOCKS}]"
            for condition, status in (("over", DONE), (stop, OUTSIDE), (self.no_room(self.program.operations), ROOM)):
                with self.block(f"if {condition}:"):
                    self.add(f"control[{STATUS}] = {status}")
                    self.add("break")
            with self.block(f"if steps == control[{LIMIT}]:"):
                self.add(f"control[{STATUS}] = {ENOUGH}")
                self.add("break")

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
        """Print how the clocks that are due go on."""
        for k, clock in enumerate(self.program.clocks):
            with self.block("if True:" if single else f"if due & {1 << k}:"):
                timestep = f"{self.array(clock.timestep)}[0]"
                self.add(f"{timestep} += 1")
                self.add(f"{self.array(clock.t)}[0] = {timestep} * {self.array(clock.dt)}[0]")

    def no_room(self, operations: Iterable[p.Operation]) -> str:
        """Return the condition that a buffer may not hold what one more step can bring."""
        conditions = []
        for each in operations:
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
            elif isinstance(each, p.Diffuse):
                written |= each.arrays_written()
        return [number for number in sorted(written) if self.program.arrays[number].integrated]

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
        """Print operations that run one after another."""
        for number, each, threshold in joined(operations, self.program):
            self.operation = number
            if single:
                self.one(each, threshold)
            else:
                with self.block(f"if due & {1 << each.clock}:"):
                    self.one(each, threshold)

    def one(self, each: p.Operation, joined: tuple[int, p.Threshold] | None) -> None:
        """Print an operation."""
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
            case p.Diffuse():
                self.diffuse(each)
