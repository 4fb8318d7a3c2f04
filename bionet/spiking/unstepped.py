"""A run in continuous time, seen from Brian2: what its clocks ask for, and when."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import Any

import numpy as np
from brian2.core.clocks import Clock
from brian2.core.network import Network
from brian2.groups.group import CodeRunner
from brian2.groups.neurongroup import StateUpdater
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.utils.logger import get_logger

import bionet.spiking.program as p
from bionet.spiking.continuous import Continuous, PoissonSource
from bionet.spiking.engines.event import Event
from bionet.spiking.engines.event_memory import Surroundings
from bionet.spiking.engines.shared_event import SharedEvent
from bionet.spiking.flow import tables

logger = get_logger(__name__)
Action = Callable[[float], None]
# What is due at t in one of these slots comes before the spikes of t, everything else after them.
_BEFORE_SPIKES = ("start", "groups", "thresholds")


@contextmanager
def without_steps() -> Iterator[None]:
    """Keep Brian2 from solving equations for a step, and from sorting given spikes into steps."""
    kinds = {SpikeGeneratorGroup: "before_run", StateUpdater: "update_abstract_code"}
    originals = {kind: getattr(kind, name) for kind, name in kinds.items()}
    SpikeGeneratorGroup.before_run = lambda group, run_namespace: CodeRunner.before_run(group, run_namespace)
    StateUpdater.update_abstract_code = lambda updater, run_namespace: setattr(updater, "abstract_code", "")
    try:
        yield
    finally:
        for kind, name in kinds.items():
            setattr(kind, name, originals[kind])


@dataclass(frozen=True, order=True)
class Tick:
    """Something to be called at a time: ``rank`` orders what is due at the same one."""

    t: float
    after_spikes: bool
    rank: int


class Agenda:
    """What a run pauses for.

    Parameters
    ----------
    engine : Event
    network : Continuous
    clocks : list of Clock
        Those of Brian2, in the order of the program's.
    start, end : float
        The times of the run [s].
    """

    def __init__(self, engine: Event, network: Continuous, clocks: list[Clock], start: float, end: float) -> None:
        self.engine, self.network, self.clocks = engine, network, clocks
        self.start, self.end = start, end
        self.actions: dict[int, Action] = {}
        self.streams: list[Iterator[Tick]] = []
        self.borders: set[float] = set()
        self.switches()
        for number, each in enumerate(network.reading.program.operations):
            self.operation(number, each)

    def switches(self) -> None:
        """Pause where a table that equations or rates read changes its value."""
        codes = [each.code for each in self.network.flows]
        codes += [each.code for each in self.network.sources if isinstance(each, PoissonSource) and not each.moves]
        times: set[float] = set()
        for table in {each.array: each for code in codes for each in tables(code)}.values():
            values, dt = self.engine.arrays[table.array], self.engine.values.step_of(table)
            changes = 1 + np.flatnonzero(np.any(np.atleast_2d(np.diff(values, axis=0).T).T != 0, axis=-1))
            times |= {float(k * dt) for k in changes if self.start < k * dt < self.end}
        self.add(sorted(times), "before_start", self.engine.switch)
        self.borders |= times

    def operation(self, number: int, each: p.Operation) -> None:
        """Pause for an operation on the ticks of its clock."""
        engine, clock = self.engine, self.clocks[each.clock]
        match each:
            case p.RecordStates():
                self.add(self.ticks(clock), each.slot, engine.sample(number))
            case p.RecordRate():
                dt = float(clock.dt_)
                self.add([t + dt for t in self.ticks(clock)], "before_start", engine.recording.rate(each, dt))
            case p.Update():
                times = self.ticks(clock)
                self.borders |= set(times)
                self.add(times, each.slot, engine.regular(number))
            case p.Outside():
                times = self.ticks(clock)
                self.borders |= set(times)
                self.add(times, each.slot, engine.outside(each.object))

    def ticks(self, clock: Clock) -> list[float]:
        """Return the times of a clock in this run."""
        dt = float(clock.dt_)
        first = math.ceil(self.start / dt - 1e-4)
        last = math.ceil(self.end / dt - 1e-4)
        return [k * dt for k in range(first, last) if k * dt > self.engine.left.paused_at]

    def add(self, times: list[float], slot: str, action: Action) -> None:
        """Pause at given times."""
        rank = len(self.actions)
        self.actions[rank] = action
        base = slot.removeprefix("before_").removeprefix("after_")
        after = base not in _BEFORE_SPIKES or slot in ("thresholds", "after_thresholds")
        self.streams.append(Tick(t, after, rank) for t in times)

    def __iter__(self) -> Iterator[tuple[float, bool, list[Action]]]:
        """Yield when to pause, whether the spikes of that time come first, and what to call."""
        for (t, after), ticks in groupby(merge(*self.streams), key=lambda tick: (tick.t, tick.after_spikes)):
            if t <= self.end:
                yield t, after, [self.actions[tick.rank] for tick in ticks]
        yield self.end, False, []


def sources_of(pathway: Any) -> tuple[int, int, np.ndarray]:
    """Return the first source of a pathway, the last plus one, and the source of each synapse."""
    queue = pathway.queue
    return queue.source_start, queue.source_end, np.asarray(pathway.synapse_sources.get_value())


def set_clocks(clocks: list[Clock], t: float) -> None:
    """Let all clocks show a time."""
    for clock in clocks:
        clock.variables["timestep"].set_value(np.int64(math.floor(t / float(clock.dt_) + 1e-4)))
        clock.variables["t"].set_value(t)


def event_run(
    device: Any, network: Network, reading: Continuous, clocks: list[Clock], progress: Any, end: float
) -> Event:
    """Run a network that has been read; return the engine.

    Parameters
    ----------
    device : BionetDevice
    network : brian2.Network
    reading : Continuous
    clocks : list of Clock
    progress : object
        ``begin()`` when all is prepared, then ``outside(object)`` and ``breathe()``.
    end : float
        When to stop [s].
    """

    def breathe(t: float) -> bool:
        set_clocks(clocks, t)
        return progress.breathe()

    def outside(number: int, t: float) -> None:
        set_clocks(clocks, t)
        progress.outside(reading.reading.objects[number])

    around = Surroundings(
        values=lambda: [np.asarray(each) for each in reading.reading.values()],
        append=reading.reading.append,
        outside=outside,
        breathe=breathe,
        sources_of=lambda number: sources_of(reading.reading.pathways[number]),
    )
    start = float(network.t_)
    rest = (reading, around, device.randomness, device.left, start, end)
    engine = SharedEvent(device.threads, *rest) if (device.threads or 1) > 1 else Event(*rest)
    if isinstance(engine, SharedEvent) and engine.why_alone:
        logger.warn(f"one thread runs the network, not {device.threads}: {engine.why_alone}", "threads", once=True)
    agenda = Agenda(engine, reading, clocks, start, end)
    progress.begin()
    engine.run(agenda, sorted(agenda.borders))
    return engine
