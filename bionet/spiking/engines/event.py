"""The ``event`` engine: a network run in continuous time, from event to event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_loop as loop
import bionet.spiking.engines.event_queues as queues
import bionet.spiking.program as p
from bionet.errors import BionetError
from bionet.random import Stream, uniform
from bionet.spiking.axons import Axons
from bionet.spiking.closed_form import ClosedForm, closed_form
from bionet.spiking.continuous import Continuous, PoissonDrive, PoissonSource
from bionet.spiking.elementary import log1p
from bionet.spiking.emissions import Emissions
from bionet.spiking.engines.event_calls import addresses
from bionet.spiking.engines.event_hand import Hand
from bionet.spiking.engines.event_linked import compiled_loop
from bionet.spiking.engines.event_memory import LINE, Accuracy, Memory, Surroundings, Time, aligned_zeros, window_of
from bionet.spiking.engines.event_monitors import Recording
from bionet.spiking.engines.event_names import STEP, TAIL, AxonLayout, FlowLayout
from bionet.spiking.engines.event_refusals import refuse_delay, refuse_endless, refuse_far, refuse_hazard
from bionet.spiking.engines.event_text import EventText
from bionet.spiking.engines.event_under_way import together
from bionet.spiking.engines.event_values import Values
from bionet.spiking.engines.grid import Randomness
from bionet.spiking.engines.kernels import compiled_module
from bionet.spiking.engines.text import Place
from bionet.spiking.flow import (
    DELAY,
    LENGTH,
    REFRACTORY,
    VELOCITY,
    Flow,
    LinearSystem,
    NotLinearError,
    linear_system,
)
from bionet.spiking.intensities import Intensity, require_rates

#: Instants and windows between two returns to Python.
_PATIENCE = 1 << 17


class Event:
    """A network compiled for continuous time.

    Parameters
    ----------
    network : Continuous
    around : Surroundings
    randomness : Randomness
    memory : Memory
        What an earlier run has left; changed by this one.
    start, end : float
        The times of the run [s].
    """

    def __init__(
        self,
        network: Continuous,
        around: Surroundings,
        randomness: Randomness,
        memory: Memory,
        start: float,
        end: float,
    ) -> None:
        self.network, self.around, self.randomness, self.left = network, around, randomness, memory
        self.program = network.reading.program
        self.start, self.end = start, end
        self.arrays = around.values()
        self.values = Values(self.program, self.arrays)
        # What an earlier run has left is in its windows.
        now = map(self._delays_now, (*network.changing.values(), *network.fronts.values()))
        self.length = memory.window or window_of([*network.delays, *now])
        self.pushes = {each.pathway: each for each in self.program.operations if isinstance(each, p.Push)}
        self.axons = [
            Axons(*around.sources_of(number), network.delays[number]) for number in range(len(network.delays))
        ]
        refuse_far(network, self.length)
        self.why_integrated: dict[str, str] = {}
        self.systems = [self._system(flow) for flow in network.flows]
        self.forms = [self._solve(number, start) for number in range(len(network.flows))]
        self.layouts = layouts = [_layout(*each) for each in zip(network.flows, self.forms, strict=True)]
        self.text = EventText(self.program, [], network=network, flow_layouts=layouts, **self._text_options())
        self.module = compiled_module(self.text.print(), self.text.user_functions)
        self.calls, self.loop = addresses(self.module, len(network.delays)), compiled_loop(bool(network.fronts))
        self._make_state()

    def _text_options(self) -> dict[str, Any]:
        return {"axon_layouts": [AxonLayout(each.homogeneous, each.in_order) for each in self.axons]}

    def _system(self, flow: Flow) -> LinearSystem | None:
        try:
            return linear_system(flow)
        except NotLinearError as error:
            self.why_integrated[flow.name] = str(error)
            return None

    def _solve(self, number: int, t: float) -> ClosedForm | None:
        flow, system = self.network.flows[number], self.systems[number]
        try:
            return None if system is None else closed_form(flow, system, self.values.of(flow.code, t), self.program)
        except NotLinearError as error:
            self.why_integrated[flow.name] = str(error)
            return None

    def _delays_now(self, code: p.Code) -> NDArray:
        """Return delays that change, as they are at the beginning of the run [s]."""
        found = self.values.computed(code, self.start)
        length, velocity = np.broadcast_arrays(found[LENGTH if LENGTH in found else DELAY], found.get(VELOCITY, [1.0]))
        return length[velocity > 0] / velocity[velocity > 0]

    # Memory

    def _make_state(self) -> None:
        network, sizes = self.network, [flow.n for flow in self.network.flows]
        self.first = np.concatenate([[0], np.cumsum(sizes + [each.n for each in network.sources])]).astype(np.int64)
        n = int(sum(sizes))
        everybody = int(self.first[-1])
        self.rows = [self._rows(flow) for flow in network.flows]
        self.busiest = max(
            [
                sum(push.events == each.events for push in self.pushes.values())
                for each in (*network.flows, *network.sources)
            ],
            default=0,
        )
        self.most_departures = everybody * self.busiest + 1
        self.n_units = n
        # What every neuron has; the rest is that of threads.
        self.at, self.place_of = np.zeros(n), np.full(n, -1, np.int32)
        self.due, self.wanted = np.full(n, queues.NEVER, np.int64), np.zeros(n, np.int64)
        self.following, self.preceding = np.empty(n, np.int32), np.empty(n, np.int32)
        self.fired, self.seen = np.zeros(n, np.int64), np.zeros(n, np.bool_)
        self.emissions = Emissions(
            network, self.randomness, self.length, self.left.emissions, self.first, self._intensities()
        )
        self.keys = np.array([Stream(self.randomness.seed, f"event/{k}").key for k in range(self.text.keys)], np.uint64)
        self.hands = self._make_hands()
        self.bind()

    def _make_hands(self) -> list[Hand]:
        return [Hand(self, 0, self.n_units, self.axons)]

    def _intensities(self) -> dict[str, Intensity]:
        """Return the rates of the sources that change all the time."""
        found = {}
        for number, each in enumerate(self.network.sources, len(self.network.flows)):
            if isinstance(each, PoissonSource) and each.moves:
                rates = partial(self._rates_at, getattr(self.module, f"rates_{number}"))
                found[each.name] = Intensity(each.name, each.n, each.code, self.values, rates, self.length)
        return found

    def _rates_at(self, compute: Any, i: NDArray, windows: NDArray, offsets: NDArray) -> NDArray:
        found = np.empty(len(i))
        compute(i, windows, offsets, found, self.memory)
        return found

    @property
    def control(self) -> NDArray:
        """The state of the loop, of the first thread."""
        return self.hands[0].control

    @property
    def memory(self) -> int:
        """Where the first thread's memory is."""
        return self.hands[0].memory

    @property
    def recording(self) -> Recording:
        """The records of the first thread."""
        return self.hands[0].recording

    def _rows(self, flow: Flow) -> NDArray:
        rows = aligned_zeros(flow.n, self.layouts[self.network.flows.index(flow)].stride)
        time, n = Time.of(self.start, self.length), len(flow.states)
        for k, array in enumerate(flow.states):
            rows[:, k] = self.arrays[array]
        if flow.hazard is not None:
            self._draw_hazards(flow, flow.hazard, rows)
        rows[:, n], rows[:, n + 1], rows[:, n + 2] = time.window, time.offset, -1
        if flow.not_refractory is not None and flow.last_spike is not None:
            self._still_refractory(flow, rows, self.arrays[flow.not_refractory], self.arrays[flow.last_spike])
        old, published = self.left.rows.get(flow.name), self.left.published.get(flow.name)
        if old is not None and published is not None and old.shape == rows.shape:
            same = np.all(published == rows[:, :n], axis=1)
            rows[same] = old[same]
        return rows

    def _draw_hazards(self, flow: Flow, first: int, rows: NDArray) -> None:
        """Take over what is left until the next spike of neurons that fire at random, or draw it."""
        own = slice(first, first + 2)
        known = self.left.published.get(flow.name)
        if known is not None and known.shape == (flow.n, len(flow.states)):
            rows[:, own] = known[:, own]
            return
        key = self._hazard_key(flow)
        rows[:, own] = [(-log1p(-uniform(key, 0, i)), 1.0) for i in range(flow.n)]

    def _hazard_key(self, flow: Flow) -> np.uint64:
        began = self.left.hazards.setdefault(flow.name, self.randomness.draw)
        return np.uint64(Stream(self.randomness.seed, f"hazard/{flow.name}/{began}").key)

    def _still_refractory(self, flow: Flow, rows: NDArray, free: NDArray, last_spike: NDArray) -> None:
        """Take over refractory periods that are not over, from what the network says of its last spikes."""
        silent = np.flatnonzero(~free)
        if flow.released_at:
            rows[silent, len(flow.states) + 2] = queues.NEVER
        elif silent.size:
            n = len(flow.states)
            until = last_spike + self.values.computed(flow.code, self.start)[REFRACTORY]
            for i in silent:
                ends = Time.of(float(np.broadcast_to(until, flow.n)[i]), self.length)
                rows[i, n + 2 : n + 4] = ends.window, ends.offset

    def bind(self) -> None:
        """Take the addresses of all memory; Python code may have moved any of it."""
        self.arrays = self.values.arrays = self.around.values()
        for hand in self.hands:
            hand.bind()

    def common(self, place: Place) -> NDArray:
        """Return memory that all threads use."""
        number, part = place.number, place.part
        match place.kind:
            case "array":
                return self.arrays[number]
            case "rows":
                return self.rows[number]
            case "atol":
                return np.array(self.network.flows[number].atol)
            case "inputs" | "classes":
                return getattr(self.forms[number], place.kind)
            case "coefficients":
                return getattr(self.forms[number], part).table
            case "functions":
                which, name = part.split("/")
                return np.concatenate([getattr(each, name) for each in getattr(self.forms[number], which).functions])
            case "bounds":
                return self.first
            case "hazard":
                return np.array([self._hazard_key(self.network.flows[number])])
        raise TypeError(place)

    # Running

    def run(self, ticks: Any, borders: list[float]) -> None:
        """Run to the end, or until told to stop.

        Parameters
        ----------
        ticks : iterable of (float, list of callable)
            In order of time: when the run pauses, and what is called then; the end of the run is the last.
        borders : list of float
            The times at which rates may change.
        """
        self.emissions.begin(self.start, self._rates(self.start), np.asarray(borders))
        self.control[queues.DRAW] = self.randomness.draw
        names = [each.name for each in self.network.reading.pathways]
        self._recall(names)
        self.bind()
        if self.network.fronts:
            self._aim_fronts(self.module.after_changes, self.start)
        self._look_at_all(Time.of(self.start, self.length))
        self.reached = self.end
        for t, inclusive, what in ticks:
            if not self._until(t, inclusive):
                break
            for each in what:
                each(t)
            if what and self.around.breathe(t):
                self.reached = self.left.paused_at = t
                break
        self._flush()
        self.leave()

    def _recall(self, names: list[str]) -> None:
        """Put what was under way in an earlier run on its way again."""
        for hand in self.hands:
            hand.recall(names, Time.of(self.start, self.length).window)

    def _flush(self) -> None:
        """Hand over what was recorded."""
        self.recording.flush()

    def _look_at_all(self, time: Time) -> None:
        """Forget when neurons were to be looked at, and look at all of them."""
        for hand in self.hands:
            hand.look_at_all(time)

    def _until(self, t: float, inclusive: bool) -> bool:
        """Run to a time; return whether to go on from there."""
        while True:
            target = min(t, self.emissions.known_until)
            if self._are_done(Time.of(target, self.length), inclusive and target == t):
                if target == t:
                    return True
                self.emissions.more(self.end, min(hand.emissions_done() for hand in self.hands))
                for hand in self.hands:
                    hand.take_emissions()
            # It may be in the middle of windows, where some neurons are ahead of others; a run ends between two.
            window = 1 + max(int(hand.control[queues.WINDOW]) for hand in self.hands)
            border = min(window * self.length, target)
            if self.around.breathe(border):
                while not self._are_done(Time.of(border, self.length), False):
                    pass
                self.reached = border
                return False

    def _are_done(self, until: Time, inclusive: bool) -> bool:
        """Run to a time, or for a while; return whether it has come."""
        hand = self.hands[0]
        hand.control[queues.LIMIT] = _PATIENCE
        self.loop.run(hand.memory, *hand.state(), np.array([until.window, until.offset, float(inclusive)]))
        if hand.control[queues.STATUS] == loop.ROOM:
            self._flush()
            hand.make_room()
        self._refuse(hand)
        return bool(hand.control[queues.STATUS] == loop.DONE)

    def _refuse(self, hand: Hand) -> None:
        status = hand.control[queues.STATUS]
        if hand.negative[0]:
            refuse_hazard(self.network, self.first, hand.negative, self.length)
        if status == loop.NO_DELAY:
            refuse_delay(self.network, hand.control, self.length)
        if status in (loop.AT_ONCE, loop.ENDLESS):
            refuse_endless(self.network, self.first, hand.control, self.length)

    def drive_first(self, drive: PoissonDrive) -> int:
        """Return the unit of the first neuron of the flow that a drive drives."""
        return int(self.first[next((flow for flow, _ in self.text.present(drive.code, "i")), 0)])

    # What happens at given times

    def sample(self, number: int) -> Callable[[float], None]:
        """Return what records the states of a monitor at a time."""
        each = self.program.operations[number]
        assert isinstance(each, p.RecordStates)
        take = getattr(self.module, f"sample_{number}")
        return self.recording.states(each, take, self.length, lambda: self.memory)

    def regular(self, number: int) -> Callable[[float], None]:
        """Return what runs code for all elements at a time."""
        act = getattr(self.module, f"regular_{number}")

        def change(t: float) -> None:
            time = Time.of(t, self.length)
            self.control[queues.DRAW] += 1
            with self._velocities_changed(t):
                act(time.window, time.offset, t, int(self.control[queues.DRAW]), self.memory)
                self.renew(t)

        return change

    def outside(self, number: int) -> Callable[[float], None]:
        """Return what runs Python code at a time: it sees the network as it is then, and may change it."""

        def call(t: float) -> None:
            self._flush()
            self.publish(t)
            with self._velocities_changed(t):
                self.around.outside(number, t)
                self.bind()
                self.adopt(t)
                self.renew(t)

        return call

    @contextmanager
    def _velocities_changed(self, t: float) -> Iterator[None]:
        """Let the fronts under way go on with the velocities that code leaves behind."""
        if not self.network.fronts:
            yield
            return
        self._aim_fronts(self.module.before_changes, t)
        yield
        self._aim_fronts(self.module.after_changes, t)

    def _aim_fronts(self, act: Any, t: float) -> None:
        time = Time.of(t, self.length)
        act(time.window, time.offset, self.length, self.memory)
        if self.control[queues.WRONG]:
            refuse_delay(self.network, self.control, self.length)

    def switch(self, t: float) -> None:
        """Bring all neurons to a time at which a table changes its value."""
        self.advance_all(t)
        self.renew(t)

    def renew(self, t: float) -> None:
        """Solve the equations anew for what parameters are now, and look at all neurons."""
        for number in range(len(self.network.flows)):
            form = self._solve(number, t)
            old = self.forms[number]
            if (form and form.shape) != (old and old.shape):
                raise BionetError(
                    f"{self.network.flows[number].name}: its parameters changed during the run so that its equations "
                    'have a solution of another form; run it in two parts, or use engine="grid"'
                )
            self.forms[number] = form
        self.emissions.settle(t, self._rates(t))
        self.bind()
        self._look_at_all(Time.of(t, self.length))

    def _rates(self, t: float) -> dict[str, NDArray]:
        """Return the rates of random sources and drives at a time."""
        found: dict[str, NDArray] = {each.name: np.array(each.rate) for each in self.network.drives}
        for each in self.network.sources:
            if isinstance(each, PoissonSource) and not each.moves:
                rates = np.broadcast_to(np.asarray(self.values.computed(each.code, t)["_rate"], float), each.n)
                found[each.name] = require_rates(each.name, rates, t)
        return found

    def publish(self, t: float) -> None:
        """Write the states of all neurons at a time into the network's arrays; the neurons stay where they are."""
        time = Time.of(t, self.length)
        for number, flow in enumerate(self.network.flows):
            shown = np.empty((flow.n, len(flow.states)))
            getattr(self.module, f"show_{number}")(flow.n, time.window, time.offset, shown, self.memory)
            for k, array in enumerate(flow.states):
                self.arrays[array][:] = shown[:, k]
            self.left.published[flow.name] = shown
            lost = np.argwhere(~np.isfinite(shown))
            if lost.size:
                name = f"{flow.name}.{self.program.arrays[flow.states[lost[0, 1]]].name}"
                raise BionetError(
                    f"{name}: became infinite or undefined at index {lost[0, 0]} before t = {t:.6g} s; expected finite "
                    "numbers; look for equations that grow without bound, and weights and inputs that are too large"
                )

    def adopt(self, t: float) -> None:
        """Take what was changed in the network's arrays since they were written."""
        time = Time.of(t, self.length)
        for number, flow in enumerate(self.network.flows):
            n, rows = len(flow.states), self.rows[number]
            now = np.stack([self.arrays[array] for array in flow.states], axis=1)
            changed = np.any(now != self.left.published[flow.name], axis=1)
            rows[changed, :n] = now[changed]
            rows[changed, n], rows[changed, n + 1] = time.window, time.offset
            rows[changed, n + TAIL :] = 0
            over = changed & (rows[:, n + 2] >= 0)
            over &= (rows[:, n + 2] < time.window) | ((rows[:, n + 2] == time.window) & (rows[:, n + 3] <= time.offset))
            rows[over, n + 2] = -1

    def advance_all(self, t: float) -> None:
        """Bring all neurons to a time."""
        time = Time.of(t, self.length)
        for number, flow in enumerate(self.network.flows):
            getattr(self.module, f"move_{number}")(flow.n, time.window, time.offset, self.memory)

    # Ends

    def leave(self) -> None:
        """Leave the network as it is now, and what its next run needs to go on from here."""
        self.publish(self.reached)
        for flow, rows in zip(self.network.flows, self.rows, strict=True):
            self.left.rows[flow.name] = rows
        if self.reached < self.emissions.known_until:
            self.emissions.rewind(self.reached)
        self.left.window = self.length
        names = [each.name for each in self.network.reading.pathways]
        if self.network.fronts:
            self._aim_fronts(self.module.before_changes, self.reached)
        self._leave_spikes(names)
        # How often the loop counts depends on threads; where no code draws, a run is one draw for what comes after it.
        self.randomness.draw = int(self.control[queues.DRAW]) if self.text.keys else self.randomness.draw + 1

    def _leave_spikes(self, names: list[str]) -> None:
        """Keep what is under way."""
        self.left.arrivals = together([hand.arrivals.leave(hand.axons, names, self.length) for hand in self.hands])
        self.left.fronts = self.hands[0].fronts.leave(self.axons, names)

    def accuracy(self) -> Accuracy:
        """Return how well the spikes of this run are known."""
        found = np.array([hand.accuracy_so_far for hand in self.hands])
        return Accuracy(float(found[:, 0].max()), int(found[:, 1].sum()))


def _layout(flow: Flow, form: ClosedForm | None) -> FlowLayout:
    n = len(flow.states)
    if form is None:
        return FlowLayout(2 * n + TAIL + STEP)
    # A row is as long as a line of the cache, if it can be.
    return FlowLayout(max(n + TAIL, LINE), *form.shape[:3], *form.shape[3])
