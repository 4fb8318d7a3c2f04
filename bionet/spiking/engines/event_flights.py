"""The spikes under way of the ``event`` engine: their arrays, and how they outlast a run."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_queues as queues
from bionet.errors import BionetError
from bionet.spiking.axons import Axons

#: Spikes that have left along a pathway: window and offset of departure and of the next arrival, and the synapses still
#: to be reached with their delays (none, where those change).
Left = list[tuple[int, float, int, float, NDArray, NDArray]]


class Flights:
    """Spikes under way, as a heap of numbered flights (see :mod:`bionet.spiking.engines.event_queues`).

    Parameters
    ----------
    control : int64 array
        Of the engine: it holds the numbers of flights and of free places.
    most : int
        As many as may leave at one instant.
    """

    def __init__(self, control: NDArray, most: int) -> None:
        capacity = 4 * most + 1024
        self.control, self.most = control, most
        self.heap, self.free = np.empty(capacity, np.int32), np.arange(capacity, dtype=np.int32)
        self.flights, self.offsets = np.zeros(5 * capacity, np.int64), np.zeros(2 * capacity)
        control[queues.FREE], control[queues.FLIGHTS], control[queues.DEPARTURES] = capacity, 0, most

    def make_room(self) -> None:
        """Double the places if there may not be enough for an instant."""
        n, old = int(self.control[queues.FREE]), len(self.free)
        if n >= max(self.most, 1):
            return
        self.heap = np.concatenate([self.heap, np.empty(old, np.int32)])
        self.free = np.concatenate(
            [self.free[:n], np.arange(old, 2 * old, dtype=np.int32), np.empty(old - n, np.int32)]
        )
        self.flights = np.concatenate([self.flights, np.zeros(5 * old, np.int64)])
        self.offsets = np.concatenate([self.offsets, np.zeros(2 * old)])
        self.control[queues.FREE] = n + old

    def leave(self, axons: list[Axons], names: list[str], changing: Container[int]) -> dict[str, Left]:
        """Return what is under way, by name of pathway; ``changing`` are the numbers of those whose delays change."""
        left: dict[str, Left] = {}
        for slot in self.heap[: self.control[queues.FLIGHTS]]:
            arrives, pathway, k, end, departed = (int(each) for each in self.flights[5 * slot : 5 * slot + 5])
            own, places = axons[pathway], np.arange(k, end)
            synapses = places if own.in_order else np.asarray(own.order[places], np.int64)
            delays = np.empty(0) if pathway in changing else own.delays(places)
            offset, departure = (float(each) for each in self.offsets[2 * slot : 2 * slot + 2])
            left.setdefault(names[pathway], []).append((departed, departure, arrives, offset, synapses, delays))
        return left

    def recall(self, left: Mapping[str, Left], axons: list[Axons], names: list[str]) -> None:
        """Put what was under way in an earlier run on its way again.

        Raises
        ------
        BionetError
            If synapses or delays have changed since.
        """
        for number, name in enumerate(names):
            own = axons[number]
            for departed, departure, arrives, offset, synapses, delays in left.get(name, []):
                places = own.places(synapses)
                kept = delays.size == 0 or np.array_equal(own.delays(places), delays)
                if not kept or not np.array_equal(places, places[0] + np.arange(len(places))):
                    raise BionetError(
                        f"{name}: its synapses or delays were changed while spikes were under way; let those arrive"
                    )
                self.make_room()
                self.control[queues.FREE] -= 1
                slot = self.free[self.control[queues.FREE]]
                self.flights[5 * slot : 5 * slot + 5] = arrives, number, places[0], places[-1] + 1, departed
                self.offsets[2 * slot : 2 * slot + 2] = offset, departure
                queues.climb(slot, self.control, self.heap, self.flights, self.offsets)
