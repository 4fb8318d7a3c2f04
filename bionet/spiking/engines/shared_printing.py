"""The source of the loop that several threads run together, each for elements of its own.

It is that of one thread, with meetings in between. Each thread calls it with arguments of its own: what it has by
itself (clocks, lists of events, the queues of its synapses) is found under the same names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import bionet.spiking.program as p
from bionet.spiking.engines.joining import joined, pieces
from bionet.spiking.engines.printing import (
    DONE,
    ENOUGH,
    LIMIT,
    LOOK,
    OUTSIDE,
    ROOM,
    SEGMENT,
    STATUS,
    STOP_CLOCKS,
    UNSOUND,
    WHOLE_STEPS,
    Printer,
    Source,
)
from bionet.spiking.engines.sharing import ALONE, EACH, OWN, Share, Sharing, gathering
from bionet.spiking.engines.text import Layout
from bionet.spiking.engines.threads import WORDS

_HEAD = "from bionet.spiking.engines.meeting import border, gather, meet\n"
# What the first thread says of the next step, and what all say of their rings: for even steps and for odd ones, as the
# next word may be said before the last one has been heard.
_VERDICT, _FULL = WORDS, WORDS + 2
_GO = -1


def print_shared(
    program: p.Program, layouts: list[Layout], sharing: Sharing, narrow: frozenset[int]
) -> tuple[Source, int]:
    """Print a program for several threads.

    Parameters
    ----------
    program : Program
    layouts : list of Layout
        One for each pathway.
    sharing : Sharing
        Who does what.
    narrow : frozenset of int
        The arrays of indices that 16 bits hold.

    Returns
    -------
    source : Source
    n_meetings : int
        How often the threads meet in a step.
    """
    printer = SharedPrinter(program, layouts, pieces=pieces(program, False), sharing=sharing, narrow=narrow)
    source = printer.print()
    source.head = _HEAD
    return source, printer.n_meetings


@dataclass
class SharedPrinter(Printer):
    """Prints the loop of several threads."""

    sharing: Sharing = None  # type: ignore[assignment]
    n_meetings: int = 0
    # Who does the operation that is being printed; what has been done since the last meeting; events to be gathered.
    kind: str = OWN
    since: list[Share] = field(default_factory=list)
    waiting: dict[int, tuple[int, p.Threshold]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mine = self.place("mine", 0, "", "int64")
        self.constants = {"me": f"{mine}[0]", "n_threads": f"{mine}[1]"}

    # Meetings

    @property
    def meeting(self) -> str:
        """Where the threads meet."""
        return self.place("meeting", 0, "", "int64")

    def meet(self) -> None:
        """Print a meeting."""
        with self.block(f"if meet(whole({self.meeting}), n_threads):"):
            self.add("return")
        self.since = []

    def look(self) -> None:
        """Print what ends the loop before a step: the first thread says it."""
        looked = f"over or steps % {LOOK} == {LOOK - 1}"
        with self.block(f"if control[{SEGMENT}] == {WHOLE_STEPS}:"):
            states = self.states()
            if states:
                with self.block(f"if {looked}:"):
                    self.meet()
            self.verdict(states, looked)
            split = [each for each in self.program.operations if self.is_split(each)]
            with self.block(f"if {self.no_room(split)}:"):
                self.add(f"{self.meeting}[{_FULL} + steps % 2] = 1")
            self.meet()
            self.add(f"verdict = {self.meeting}[{_VERDICT} + steps % 2]")
            with self.block(f"if verdict == {_GO} and {self.meeting}[{_FULL} + steps % 2] != 0:"):
                self.add(f"verdict = {ROOM}")
            with self.block(f"if verdict != {_GO}:"):
                self.add(f"control[{STATUS}] = verdict")
                self.add("break")
        with self.block("else:"):
            self.meet()
        self.n_meetings = 1

    def verdict(self, states: list[int], looked: str) -> None:
        """Print what the first thread says, the weightiest last."""
        whole = [each for each in self.program.operations if not self.is_split(each)]
        reasons = [
            (f"steps == control[{LIMIT}]", ENOUGH),
            (self.no_room(whole), ROOM),
            (f"due & control[{STOP_CLOCKS}]", OUTSIDE),
            ("over", DONE),
        ]
        if states:
            sound = " and ".join(f"finite({self.array(number)})" for number in states)
            reasons.append((f"({looked}) and not ({sound})", UNSOUND))
        with self.block("if me == 0:"):
            self.add(f"verdict = {_GO}")
            for condition, status in reasons:
                with self.block(f"if {condition}:"):
                    self.add(f"verdict = {status}")
            self.add(f"{self.meeting}[{_VERDICT} + steps % 2] = verdict")

    def is_split(self, each: p.Operation) -> bool:
        """Return whether an operation is about a pathway whose synapses are shared out."""
        return isinstance(each, p.Push | p.Deliver) and each.pathway in self.sharing.splits

    # Operations

    def segment(self, operations: list[tuple[int, p.Operation]], single: bool) -> None:
        """Print operations that run one after another, and the meetings between them."""
        for number, each, threshold in joined(operations, self.program):
            share = self.sharing.shares[number]
            if threshold is not None and {share.kind, self.sharing.shares[threshold[0]].kind} != {OWN}:
                self.shared(number, each, None, single)
                self.shared(*threshold, None, single)
            else:
                self.shared(number, each, threshold, single)
        self.gather(single)

    def shared(self, number: int, each: p.Operation, threshold: tuple[int, p.Threshold] | None, single: bool) -> None:
        """Print an operation, or an update and the threshold that was joined to it, for those who do it."""
        if not isinstance(each, p.Threshold | p.Replay) and getattr(each, "events", None) in self.waiting:
            self.gather(single)
        shares = [self.sharing.shares[n] for n in (number, *(threshold or ())[:1])]
        self.before(shares)
        self.kind, self.operation = shares[0].kind, number
        due = "True" if single else f"due & {1 << each.clock}"
        with self.block(f"if {due} and me == 0:" if self.kind == ALONE else f"if {due}:"):
            self.one(each, threshold)
        last = (number, each) if threshold is None else threshold
        if isinstance(last[1], p.Threshold) and last[1].hazard is None:
            self.waiting[last[1].events] = (last[0], last[1])

    def before(self, shares: list[Share]) -> None:
        """Print a meeting if what comes now minds what has been done since the last one."""
        if any(share.minds(other) for share in shares for other in self.since):
            self.meet()
            self.n_meetings += 1
        self.since += shares

    def gather(self, single: bool) -> None:
        """Print how each thread makes a list of all events."""
        self.before([gathering(number) for number, _ in self.waiting.values()])
        for number, each in self.waiting.values():
            arguments = f"{self.indices(each.events)}, {self.own_events(number, each)}, {self.found(number)}, n_threads"
            with self.block("if True:" if single else f"if due & {1 << each.clock}:"):
                self.add(f"gather({arguments})")
        self.waiting = {}

    def own_events(self, number: int, each: p.Threshold) -> str:
        """Return the array of the events that each thread has found among its own elements."""
        dtype = self.program.arrays[each.events].dtype
        return self.place("segments", number, str(each.events), f"u{dtype.removeprefix('u')}")

    def found(self, number: int) -> str:
        """Return the array that says how many they are."""
        return self.place("found", number, "", "int64")

    # Their elements

    def own(self, name: str, n: str) -> tuple[str, str]:
        """Return the first of a thread's own elements of n, and the first that is not."""
        low, high = f"low_{name}", f"high_{name}"
        self.constants[low] = f"uint64(border({n}, me, n_threads))"
        self.constants[high] = f"uint64(border({n}, me + 1, n_threads))"
        return low, high

    def ends(self, n: p.Constant) -> tuple[str, str]:
        """Return between which elements, of n, a thread's loop goes."""
        return self.own(self.constant(n), self.constant(n)) if self.kind == OWN else super().ends(n)

    def span(self, n: p.Constant) -> str:
        """Return the range of a thread's loop over elements."""
        return ", ".join(self.ends(n)) if self.kind == OWN else super().span(n)

    def drawn_ahead(self, counts: str, n: p.Constant) -> tuple[str, str]:
        """Return where a thread's draws ahead of its loop go, and which is the first."""
        if self.kind != OWN:
            return super().drawn_ahead(counts, n)
        low, high = self.ends(n)
        return f"span({counts}, {low}, {high})", f"int64({low})"

    def collected(self, each: p.Threshold) -> str:
        """Return the array into which the threads collect events, each in its own range."""
        return self.own_events(self.operation, each)

    def events_found(self, each: p.Threshold) -> None:
        """Print what follows when a thread knows all events among its elements."""
        if self.kind == EACH:
            super().events_found(each)
            return
        events, first = self.own_events(self.operation, each), self.ends(each.n)[0]
        self.add(f"{self.found(self.operation)}[8 * me] = int64(found - {first})")
        if each.not_refractory is not None and each.last_spike is not None and each.t is not None:
            arrays = ", ".join(self.array(number) for number in (each.not_refractory, each.last_spike, each.t))
            self.add(f"make_refractory({events}, {first}, found, {arrays})")

    def reset(self, each: p.Reset) -> None:
        """Print code for those of a thread's elements that had an event."""
        if self.kind != OWN:
            super().reset(each)
            return
        low, high = self.own(f"e{each.events}", f"({self.size(each.events)} - 1)")
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            self.scalars(each.code)
            with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
                self.add(f"i = {self.indices(each.events)}[k]")
                with self.block(f"if i >= {low} and i < {high}:"):
                    self.elements(each.code, "i")
