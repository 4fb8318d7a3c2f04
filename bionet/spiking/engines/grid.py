"""The ``grid`` engine: a program run in steps of dt, as Brian2 defines them, in one compiled loop.

The loop comes back to Python only when something outside it is due, when a buffer is nearly full, and every tenth of a
second or so, for progress reports, Ctrl-C and ``stop()``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.printing as printing
import bionet.spiking.program as p
from bionet.random import Stream
from bionet.spiking.engines.choosing import Waiting
from bionet.spiking.engines.joining import narrow_indices, pieces
from bionet.spiking.engines.kernels import compiled
from bionet.spiking.engines.operations import BLOCK, FIRST_MONITOR
from bionet.spiking.engines.text import LAW, Layout, Place
from bionet.spiking.machine_code import MachineCode, address
from bionet.spiking.pathways import SpikeQueue
from bionet.spiking.tables import binomial_table

#: Seconds between two returns to Python.
_BREATH = 0.1
_BUFFER_EVENTS = 1 << 16
_BUFFER_VALUES = 1 << 20


@dataclass
class Randomness:
    """The state of an engine's random numbers: the seed, how many steps have drawn, and the gaps of Poisson sources."""

    seed: int
    draw: int = 0
    gaps: dict[str, tuple[NDArray, NDArray]] = field(default_factory=dict)


@dataclass
class Surroundings:
    """What a run needs of the network around the program.

    Attributes
    ----------
    values : callable
        Returns the memory of the program's arrays as it is now, or what NumPy can make an array of.
    queues : list of SpikeQueue
        One for each pathway.
    append : callable
        ``append(operation, columns, count)``: hand the events or rows that a monitor has recorded to the network.
    outside : callable
        ``outside(number)``: run an object outside the loop.
    breathe : callable
        ``breathe()``: called between pieces of the run; returns True to stop.
    diverged : callable
        ``diverged()``: called when a state is NaN or infinite; raises.
    """

    values: Callable[[], list[Any]]
    queues: list[SpikeQueue]
    append: Callable[[p.Operation, dict[str, NDArray], int], None]
    outside: Callable[[int], None]
    breathe: Callable[[], bool]
    diverged: Callable[[], None]


class Grid:
    """A compiled program.

    Parameters
    ----------
    program : Program
    surroundings : Surroundings
    randomness : Randomness
        Advanced by the run.
    profile : bool
        Time each operation, at the price of a slower run.
    lazy : bool or None
        Whether neurons that can wait for what arrives do so; None: where that pays.

    Attributes
    ----------
    times : dict of str to float
        Seconds spent in each object, if profiled.
    """

    def __init__(
        self,
        program: p.Program,
        surroundings: Surroundings,
        randomness: Randomness,
        profile: bool = False,
        lazy: bool | None = False,
    ) -> None:
        self.program, self.around, self.randomness = program, surroundings, randomness
        self.source = self._printed(profile)
        self.pieces, self.profile = pieces(program, profile), profile
        self.times: dict[str, float] = {}
        self.kernel = compiled(self.source)
        self.calls: dict[MachineCode, Callable[[], None]] = {}
        n_keys = self.source.n_keys
        self.keys = np.array([Stream(randomness.seed, f"grid/{k}").key for k in range(n_keys)], np.uint64)
        self.laws = [dict(zip(LAW, binomial_table(law.n, law.p), strict=True)) for law in self.source.laws]
        self.counts = [np.empty(program.integers[n.slot]) for n in self.source.counts]
        self.monitors = {
            each.monitor: each
            for each in program.operations
            if isinstance(each, p.RecordEvents | p.RecordStates | p.RecordRate)
        }
        first_end = FIRST_MONITOR + 2 * program.n_monitors
        self.control = np.zeros(first_end + len(program.clocks), np.int64)
        self.ends = self.control[first_end:]
        self.hazards = self._hazards()
        self.hits = np.empty(BLOCK, np.bool_)
        self.bounds = [np.array([q.source_start, q.source_end], np.int64) for q in surroundings.queues]
        self.table = np.zeros(max(len(self.source.places), 1), np.int64)
        self.sizes = np.zeros_like(self.table)
        self.buffers: dict[tuple[int, str], NDArray] = {}
        self.made: dict[int, NDArray] = {}
        self.waiting: Waiting | None = None
        self.bind()
        self._make_buffers()
        self.bind()
        alone = program.operations if profile else program.outside()
        self.outside_clocks = sum({1 << each.clock for each in alone})
        if lazy is not False and not profile:
            arrays = lambda: self.arrays  # noqa: E731
            self.waiting = Waiting(program, surroundings.queues, arrays, self._settle, lazy)

    def _printed(self, profile: bool) -> printing.Source:
        layouts = [Layout(each.homogeneous, each.in_order) for each in self.around.queues]
        narrow = narrow_indices(self.program, self.around.values())
        return printing.print_program(self.program, layouts, profile, narrow)

    def _queues(self) -> list[SpikeQueue]:
        return self.around.queues

    def _hazards(self) -> list[dict[str, NDArray]]:
        drawn = [each for each in self.program.operations if isinstance(each, p.Threshold) and each.hazard is not None]
        gaps = self.randomness.gaps
        # Each name counts its draws from a place of its own: no two sources, of one network or two, share any.
        for each in drawn:
            gaps.setdefault(each.name, (np.array([0, len(gaps) << 40]), np.full(1, -1.0)))
        states = [gaps[each.name] for each in drawn]
        return [{"state": state, "greatest": greatest} for state, greatest in states]

    def _make_buffers(self) -> None:
        for number, each in self.monitors.items():
            place = FIRST_MONITOR + 2 * number
            if isinstance(each, p.RecordEvents):
                room = max(_BUFFER_EVENTS, 4 * self.arrays[each.events].size)
                columns = each.columns
            else:
                width = self.program.integers[each.n_indices.slot] if isinstance(each, p.RecordStates) else 1
                columns = each.columns if isinstance(each, p.RecordStates) else (("rate", each.rate),)
                room = int(np.clip(_BUFFER_VALUES // max(int(width) * max(len(columns), 1), 1), 16, 1 << 16))
                self.buffers[number, "t"] = np.empty(room, np.float64)
            for k, (_, array) in enumerate(columns):
                wide = int(self.program.integers[each.n_indices.slot]) if isinstance(each, p.RecordStates) else 1
                self.buffers[number, str(k)] = np.empty(room * wide, self.program.arrays[array].dtype)
            self.control[place + 1] = room

    def bind(self) -> None:
        """Take the addresses of all memory; Python code may have moved any of it."""
        self.arrays = self.around.values()
        self._find(self.source, self.table, self.sizes)
        if self.waiting is not None and (loop := self.waiting.loop) is not None:
            self._find(loop.source, loop.table, loop.sizes)

    def _find(self, source: printing.Source, table: NDArray, sizes: NDArray) -> None:
        for k, place in enumerate(source.places):
            memory = self._memory(place)
            if memory is not None:
                table[k], sizes[k] = address(memory), memory.size

    def _memory(self, place: Place) -> NDArray | None:
        match place.kind:
            case "array":
                # An array that was made for this is there for as long as its address is known.
                self.made[place.number] = np.asarray(self.arrays[place.number])
                return self.made[place.number]
            case "queue":
                return getattr(self.around.queues[place.number], place.part)
            case "column":
                return self.around.queues[place.number].column(
                    int(place.part), self.arrays[int(place.part)], place.dtype
                )
            case "bounds":
                return self.bounds[place.number]
            case "law":
                return self.laws[place.number][place.part]
            case "hits":
                return self.hits
            case "counts":
                return self.counts[place.number]
            case "hazard":
                return self.hazards[place.number][place.part]
            case "lazy":
                assert self.waiting is not None
                return self.waiting.memory[place.number, place.part]
        return self.buffers.get((place.number, place.part))

    def run(self, ends: list[int]) -> None:
        """Run until each clock has reached its end (in steps), or until told to stop."""
        self.ends[:] = ends
        if self.waiting is None:
            self._run()
            return
        self.waiting.begin(max(ends))
        self.bind()
        try:
            self._run()
        finally:
            self.waiting.settle()

    def _run(self) -> None:
        limit = 16
        while True:
            at_most = limit if self.waiting is None else self._decide(limit)
            began = time.perf_counter()
            status = self._loop(printing.WHOLE_STEPS, at_most, self.outside_clocks)
            took = time.perf_counter() - began
            if status == printing.DONE:
                break
            if status == printing.UNSOUND:
                self.flush()
                self.around.diverged()
                raise AssertionError("a state that is not finite was not found again")
            if status == printing.ROOM:
                self.flush()
                self._grow()
            elif status == printing.OUTSIDE:
                self._step()
            elif took < _BREATH / 2:
                limit = min(limit * 4, 1 << 40)
            elif took > 2 * _BREATH:
                limit = max(limit // 2, 1)
            if self.around.breathe():
                break
        self.flush()

    def _loop(self, segment: int, limit: int, stop_clocks: int, tick: bool = False) -> int:
        control = self.control
        control[printing.SEGMENT], control[printing.LIMIT] = segment, limit
        control[printing.STOP_CLOCKS], control[printing.TICK] = stop_clocks, tick
        control[printing.DRAW] = self.randomness.draw
        self._call(segment)
        self.randomness.draw = int(control[printing.DRAW])
        if self.waiting is not None:
            self.waiting.count(int(control[printing.STEPS]))
        return int(control[printing.STATUS])

    def _call(self, segment: int) -> None:
        kernel, table, sizes = self.kernel, self.table, self.sizes
        if segment == printing.WHOLE_STEPS and self.waiting is not None and (loop := self.waiting.loop) is not None:
            kernel, table, sizes = loop.kernel, loop.table, loop.sizes
        if kernel not in self.calls:
            rest = self.program.floats, self.program.integers, self.control, self.keys
            self.calls[kernel] = kernel.bound(table, sizes, *rest)
        self.calls[kernel]()

    def _decide(self, limit: int) -> int:
        """Let it be decided who waits; return how many steps that is good for."""
        assert self.waiting is not None
        before = self.waiting.loop
        limit = self.waiting.before(limit)
        if self.waiting.loop is not before:
            self.bind()
        return limit

    def _settle(self) -> None:
        """Call the loop for no step."""
        self.bind()
        self._loop(printing.WHOLE_STEPS, 0, 0)

    def _step(self) -> None:
        """Run one step in which something outside the loop is due."""
        due = self._due()
        if self.waiting is not None:
            self.waiting.settle()
        self._make_room()
        for number, piece in enumerate(self.pieces):
            began = time.perf_counter()
            if not isinstance(piece, p.Outside):
                self._loop(number, 1, 0)
            elif due & 1 << piece.clock:
                self.flush()
                self.around.outside(piece.object)
                self.bind()
            if self.profile:
                name = piece.name if isinstance(piece, p.Outside) else self.program.operations[piece[0]].name
                self.times[name] = self.times.get(name, 0.0) + time.perf_counter() - began
        self._loop(printing.NOTHING, 1, 0, tick=True)
        if self.waiting is not None:
            self.waiting.renew()
            self.bind()

    def _due(self) -> int:
        """Return which clocks are due, one bit each, as the loop decides it."""
        t = [self.arrays[clock.t][0] for clock in self.program.clocks]
        dt = [self.arrays[clock.dt][0] for clock in self.program.clocks]
        first = int(np.argmin(t))
        near = [t[k] == t[first] or abs(t[k] - t[first]) / min(dt[first], dt[k]) < 1e-4 for k in range(len(t))]
        return sum(1 << k for k, each in enumerate(near) if each)

    def _make_room(self) -> None:
        for number, each in self.monitors.items():
            count, room = self.control[FIRST_MONITOR + 2 * number :][:2]
            more = self.arrays[each.events].size if isinstance(each, p.RecordEvents) else 1
            if count + more > room:
                self.flush()
        self._grow()

    def _grow(self) -> None:
        for queue in self._queues():
            while queue.shape[4] + queue.shape[5] > queue.shape[1]:
                queue.grow()
        self.bind()

    def flush(self) -> None:
        """Hand over what the monitors have recorded."""
        for number, each in self.monitors.items():
            place = FIRST_MONITOR + 2 * number
            count = int(self.control[place])
            if count:
                found = {part: buffer for (monitor, part), buffer in self.buffers.items() if monitor == number}
                room = int(self.control[place + 1])
                wide = {part: len(buffer) // room for part, buffer in found.items()}
                self.around.append(each, {part: buffer[: count * wide[part]] for part, buffer in found.items()}, count)
                self.control[place] = 0
