"""The ``event`` engine on several threads: the same spikes at the same times as on one, bit for bit."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_loop as loop
import bionet.spiking.engines.event_queues as queues
import bionet.spiking.program as p
from bionet.spiking.axons import Axons, divided
from bionet.spiking.engines.event import Event
from bionet.spiking.engines.event_crew import PAGE
from bionet.spiking.engines.event_hand import Hand
from bionet.spiking.engines.event_memory import Time, apart
from bionet.spiking.engines.event_names import AxonLayout
from bionet.spiking.engines.runtime import address
from bionet.spiking.engines.threads import Crew, border

#: Instants and windows of a thread between two returns to Python.
_PATIENCE = 1 << 17
#: So many windows one thread is ahead of another at most.
_FARTHEST = 64


class SharedEvent(Event):
    """A network compiled for continuous time, and run by several threads if it can be.

    Each has a range of neurons, and the synapses onto them.

    Parameters
    ----------
    n_threads : int
        At least two.
    *rest
        What :class:`~bionet.spiking.engines.event.Event` takes.

    Attributes
    ----------
    why_alone : str
        Why one thread runs it after all; empty if several do.
    """

    def __init__(self, n_threads: int, *rest: Any) -> None:
        self.n_threads = n_threads
        super().__init__(*rest)

    def _text_options(self) -> dict[str, Any]:
        # Nobody's synapses lie in the order of all.
        return {"axon_layouts": [AxonLayout(each.homogeneous, False) for each in self.axons]}

    def _make_hands(self) -> list[Hand]:
        shortest, name = _shortest_delay(self)
        self.lead = int(min(shortest / self.length, _FARTHEST))
        self.why_alone = _why_alone(self)
        if not self.why_alone and self.lead < 1:
            self.why_alone = f"a delay of {name} is shorter than a window of {self.length * 1e3:g} ms"
        if self.why_alone:
            self.axons = [divided(each, np.zeros(int(each.starts[-1]), np.int32), 0, 1) for each in self.axons]
            return super()._make_hands()
        n = self.n_threads
        borders = [int(border(self.n_units, k, n)) for k in range(n + 1)]
        owners = [self._owner(number) for number in range(len(self.axons))]
        self.heard = [apart(2 * n, np.int64).reshape(2, n) for _ in range(n)]
        self.pages = apart(PAGE * n, np.int64)
        self.crew = Crew(n)
        hands = [
            Hand(self, low, high, [self._part(number, *owner, low, high) for number, owner in enumerate(owners)], True)
            for low, high in pairwise(borders)
        ]
        hands[0].recording.others = [hand.recording for hand in hands[1:]]
        return hands

    def _owner(self, pathway: int) -> tuple[NDArray, int]:
        """Return which neuron each synapse reaches, in the order of the pathway's axons, and the unit of the first."""
        found = [each for each in self.program.operations if isinstance(each, p.Deliver) and each.pathway == pathway]
        if not found:
            return np.zeros(int(self.axons[pathway].starts[-1]), np.int32), 0
        flow, index = _target(self, found[0])
        return self.axons[pathway].column(np.asarray(self.arrays[index], np.int32)), int(self.first[flow])

    def _part(self, pathway: int, owner: NDArray, first: int, low: int, high: int) -> Axons:
        """Return the synapses of a pathway that reach the units in [low, high)."""
        return divided(self.axons[pathway], owner, low - first, high - first)

    # Running

    def run(self, ticks: Any, borders: list[float]) -> None:
        """Run to the end, or until told to stop."""
        try:
            super().run(ticks, borders)
        finally:
            if len(self.hands) > 1:
                self.crew.leave()

    def _are_done(self, until: Time, inclusive: bool) -> bool:
        if len(self.hands) == 1:
            return super()._are_done(until, inclusive)
        end = np.array([until.window, until.offset, float(inclusive)])
        told = np.array([address(a) for h in self.hands for a in (h.told_units, h.told_windows, h.told_offsets)])
        arguments: list[tuple[Any, ...]] = []
        for me, (hand, heard) in enumerate(zip(self.hands, self.heard, strict=True)):
            hand.control[queues.LIMIT] = _PATIENCE
            among = (me, self.crew.meeting, self.pages, told, heard, self.lead, self.busiest)
            arguments.append((hand.memory, *hand.state(), end, *among))
        self.crew.run(self.loop.crew, arguments)
        statuses = {int(hand.control[queues.STATUS]) for hand in self.hands}
        for hand in self.hands:
            self._refuse(hand)
        if not statuses <= {loop.DONE, loop.FULL}:
            # Each is where it was: nothing can be handed over in order.
            tells = sum(int(hand.control[queues.TOLD]) for hand in self.hands)
            for hand, heard in zip(self.hands, self.heard, strict=True):
                hand.recording.grow()
                hand.make_room((tells - int(hand.control[queues.TOLD] + heard[0].sum())) * self.busiest)
            return False
        for hand, heard in zip(self.hands, self.heard, strict=True):
            hand.control[queues.TOLD] = heard[0] = 0
        if statuses != {loop.DONE}:
            self._flush()
            return False
        return True


def _target(engine: Event, each: p.Deliver) -> tuple[int, int]:
    """Return the flow that synapses reach, and the array that says which of its neurons."""
    flow, _ = next(iter(engine.text.present(each.code, "i")))
    for name in (*each.code.vector_reads, *each.code.vector_writes):
        reference = each.code.names[name]
        assert isinstance(reference, p.Reference)
        if engine.text.columns.get(reference.array, (None,))[0] == flow:
            index = each.code.names[reference.index]
            assert isinstance(index, p.Reference)
            return flow, index.array
    raise TypeError(each)


def _why_alone(engine: Event) -> str:
    """Return why several threads cannot run a network; nothing if they can."""
    network = engine.network
    if engine.text.keys:
        return "its code draws random numbers"
    if network.changing or network.fronts:
        return "delays change"
    written: set[int] = set()
    for each in engine.program.operations:
        if isinstance(each, p.Deliver):
            if len(engine.text.present(each.code, "i")) != 1 or each.code.scalar_writes:
                return f"{each.name} is about more than the neurons that it reaches"
            touched = each.code.arrays_read() | each.code.arrays_written()
            if touched & written or each.code.arrays_written() & _others(engine, each):
                return f"{each.name} changes what other code reads"
            written |= {array for array in each.code.arrays_written() if array not in engine.text.columns}
    return ""


def _shortest_delay(engine: Event) -> tuple[float, str]:
    """Return the shortest delay between neurons [s], and the name of a pathway that has it."""
    flows = {flow.events for flow in engine.network.flows}
    pushes = [each for each in engine.pushes.values() if each.events in flows]
    pushes = [each for each in pushes if engine.axons[each.pathway].starts[-1]]
    return min(((float(engine.axons[each.pathway].delay.min()), each.name) for each in pushes), default=(math.inf, ""))


def _others(engine: Event, own: p.Deliver) -> set[int]:
    """Return the arrays, but for neurons' states, that other synapses' code reads."""
    found: set[int] = set()
    for each in engine.program.operations:
        if isinstance(each, p.Deliver) and each is not own:
            found |= each.code.arrays_read()
    return found - set(engine.text.columns)
