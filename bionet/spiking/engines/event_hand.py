"""What a thread of the ``event`` engine has of its own: the agenda of its neurons, spikes under way, buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_loop as loop
import bionet.spiking.engines.event_queues as queues
from bionet.spiking.axons import Axons
from bionet.spiking.engines.event_arrivals import expect_all
from bionet.spiking.engines.event_batches import LOT
from bionet.spiking.engines.event_memory import Time, apart
from bionet.spiking.engines.event_monitors import Recording
from bionet.spiking.engines.event_under_way import Arrivals, Fronts, longer
from bionet.spiking.engines.runtime import address
from bionet.spiking.engines.text import Place
from bionet.spiking.program import RecordEvents, RecordRate

#: Places for spikes to be told to others, beside one for each neuron.
_TOLD = 1 << 16


class Hand:
    """The memory of one thread.

    Parameters
    ----------
    engine : Event
    low, high : int
        Its neurons, by unit.
    axons : list of Axons
        The synapses onto its neurons, by pathway.
    tells : bool
        Whether its spikes are kept for others.
    """

    def __init__(self, engine: Any, low: int, high: int, axons: list[Axons], tells: bool = False) -> None:
        self.engine, self.low, self.high, self.axons = engine, low, high, axons
        program, fronts = engine.program, engine.network.fronts
        n, everybody = engine.n_units, int(engine.first[-1])
        self.control = apart(queues.FIRST_MONITOR + 3 * program.n_monitors + 2, np.int64)
        self.recording = Recording(program, engine.arrays, self.control, engine.around.append)
        self.crossings, self.heads = np.empty(n + 1, np.int32), np.full(queues.BUCKETS, -1, np.int32)
        self.firing, self.touched = np.empty(everybody + 8, np.int32), np.empty(n + 8, np.int32)
        self.quiet = np.empty(n + 8)
        self.accuracy_so_far = apart(2)
        # The first unit, plus one, whose hazard may fall below 0, and the window.
        self.negative = apart(2, np.int64)
        sizes = [int(each.starts[-1]) if k in fronts else 0 for k, each in enumerate(axons)]
        # Spikes whose delays change leave synapse by synapse.
        most = engine.most_departures + sum(int(axons[number].starts[-1]) for number in engine.network.changing)
        by_row = np.array([engine.text.is_by_row(number) for number in range(len(axons))], np.bool_)
        is_front = np.array([number in fronts for number in range(len(axons))], np.bool_)
        self.arrivals = Arrivals(self.control, most, by_row, is_front, sum(sizes))
        self.fronts = Fronts(self.control, self.accuracy_so_far, sizes)
        self.emission_windows, self.emission_offsets = np.empty(0, np.int64), np.empty(0)
        self.emission_units, self.emission_kinds = np.empty(0, np.int32), np.empty(0, np.int32)
        self.places = np.empty(0, np.int64)
        told = high - low + _TOLD if tells else 0
        self.told_units, self.told_windows = np.empty(told, np.int32), np.empty(told, np.int64)
        self.told_offsets = np.empty(told)
        # Of sources, which belong to nobody, the first thread keeps the records.
        self.control[queues.KEEPS_ALL], self.control[queues.MOST_TOLD] = low == 0, _TOLD if tells else queues.NEVER
        self.room: dict[tuple[int, str], NDArray] = {
            (number, part): apart(len(layout.free.terms))
            for number, layout in enumerate(engine.layouts)
            if layout.free
            for part in ("f", "here", "there")
        }
        self.room |= {
            (number, f"{part}_held"): apart(len(layout.clamped.terms))
            for number, layout in enumerate(engine.layouts)
            if layout.clamped
            for part in ("f", "here", "there")
        }
        self.room |= {(0, part): apart(LOT, np.uint32) for part in ("lot", "places")}
        self.room |= {
            (number, "columns"): apart(LOT * (len(flow.states) + engine.layouts[number].n_inputs + 2))
            for number, flow in enumerate(engine.network.flows)
        }
        self.columns: dict[tuple[int, str], NDArray] = {}
        self.minded = self._minded()

    def _minded(self) -> NDArray[np.bool_]:
        """Return the units that it minds: its neurons, and those of sources that reach them or are in its records."""
        engine = self.engine
        recorded = {each.events for each in engine.program.operations if isinstance(each, (RecordEvents, RecordRate))}
        minded = np.zeros(int(engine.first[-1]), np.bool_)
        minded[self.low : self.high] = True
        for unit, source in zip(engine.first[len(engine.network.flows) :], engine.network.sources, strict=False):
            own = minded[unit : unit + source.n]
            own[:] = bool(self.control[queues.KEEPS_ALL]) and source.events in recorded
            for pathway, push in engine.pushes.items():
                if push.events == source.events:
                    first, last = self.axons[pathway].bounds
                    own[first:last] |= np.diff(self.axons[pathway].starts) > 0
        return minded

    def bind(self) -> None:
        """Take the addresses of all memory; Python code may have moved any of it."""
        engine = self.engine
        self.held = [np.ascontiguousarray(self._memory(place)) for place in engine.text.places]
        self.table = np.array([address(each) for each in self.held] or [0], np.int64)
        self.sizes = np.array([each.size for each in self.held] or [0], np.int64)
        held = (self.table, self.sizes, engine.program.floats, engine.program.integers, engine.keys)
        self.under_way = self.arrivals.table()
        last = (engine.calls, engine.first, self.under_way)
        self.words = np.array([*map(address, held), 0, *map(address, last)], np.int64)
        self.words.view(np.float64)[5] = engine.length
        self.memory = address(self.words)

    def _memory(self, place: Place) -> NDArray:
        number, part = place.number, place.part
        match place.kind:
            case "room":
                return self.room[number, part]
            case "accuracy":
                return self.accuracy_so_far
            case "negative":
                return self.negative
            case "fronts":
                return getattr(self.fronts, part)
            case "bounds" if number:
                return self.axons[number - 1].bounds
            case "axons":
                return getattr(self.axons[number], part)
            case "column":
                if (number, part) not in self.columns:
                    self.columns[number, part] = self.axons[number].column(self.engine.arrays[int(part)])
                return self.columns[number, part]
            case "count":
                return self.recording.counts[number]
            case "events" | "states":
                return self.recording.buffers[number, part]
        return self.engine.common(place)

    def recall(self, names: list[str], start: int) -> None:
        """Put what was under way in an earlier run on its way again; this one begins in a window."""
        engine = self.engine
        self.control[queues.WINDOW] = start
        found = self.arrivals.recall(engine.left.arrivals, engine.axons, self.axons, names)
        self.fronts.recall(engine.left.fronts, self.axons, names)
        self.bind()
        expect_all(*found, self.memory)
        if engine.network.fronts:
            engine.module.announce_all(self.memory)

    def look_at_all(self, time: Time) -> None:
        """Forget when neurons were to be looked at, and look at all of them."""
        engine, own = self.engine, slice(self.low, self.high)
        engine.place_of[own] = -1
        engine.due[own] = engine.wanted[own] = time.window
        self.heads[:] = -1
        if self.high > self.low:
            numbers = np.arange(self.low, self.high, dtype=np.int32)
            engine.following[own], engine.preceding[own] = numbers + 1, numbers - 1
            engine.following[self.high - 1] = engine.preceding[self.low] = -1
            self.heads[time.window % queues.BUCKETS] = self.low
        self.control[queues.LOOKED] = self.control[queues.CROSSINGS] = 0
        self.control[queues.WINDOW] = self.control[queues.PIECE] = time.window

    def take_emissions(self) -> None:
        """Take what is this thread's of the events from outside."""
        engine, found = self.engine, self.engine.emissions
        units = found.units
        if engine.network.drives:
            first = np.array([*(engine.drive_first(each) for each in engine.network.drives), 0], np.int32)
            units = units + np.where(found.kinds >= 0, first[found.kinds], 0)
        self.places = np.flatnonzero(self.minded[units])
        self.emission_windows, self.emission_offsets = found.windows[self.places], found.offsets[self.places]
        self.emission_units, self.emission_kinds = found.units[self.places], found.kinds[self.places]
        self.control[queues.EMISSION] = 0

    def emissions_done(self) -> int:
        """Return how many of all events from outside are over, as far as this thread knows."""
        done = int(self.control[queues.EMISSION])
        return int(self.places[done]) if done < len(self.places) else len(self.engine.emissions.windows)

    def state(self) -> tuple[NDArray, NDArray]:
        """Return the addresses and sizes of the arrays that the loop takes."""
        owners = (self, self.engine)
        arrays = [next(getattr(each, name) for each in owners if hasattr(each, name)) for name in loop.STATE]
        return np.array([address(each) for each in arrays]), np.array([each.size for each in arrays])

    def make_room(self, arriving: int = 0) -> None:
        """Make room for what an instant may bring, and for so many spikes of others."""
        self.arrivals.make_room(int(self.control[queues.DEPARTURES]) + arriving)
        self.fronts.make_room(int(self.control[queues.SETTING_OUT]))
        if self.control[queues.TOLD] > self.control[queues.MOST_TOLD]:
            n = 2 * len(self.told_units)
            self.told_units, self.told_windows = longer(self.told_units, n), longer(self.told_windows, n)
            self.told_offsets = longer(self.told_offsets, n)
            self.control[queues.MOST_TOLD] = n - (self.high - self.low)
        self.bind()
