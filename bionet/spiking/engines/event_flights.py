"""The spikes under way of the ``event`` engine: their arrays, and how they outlast a run."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_fronts as fronts
import bionet.spiking.engines.event_queues as queues
from bionet.errors import BionetError
from bionet.spiking.axons import Axons
from bionet.spiking.engines.event_memory import apart
from bionet.spiking.engines.event_rows import Rows

#: Spikes that have left along a pathway: window and offset of departure and of the next arrival, and the synapses still
#: to be reached with their delays.
Left = list[tuple[int, float, int, float, NDArray, NDArray]]
#: Axons that have spikes and their rows; the axon of each spike, and the spikes.
LeftFronts = tuple[NDArray, NDArray, NDArray, NDArray]

_CHANGED = "{}: its synapses or delays were changed while spikes were under way; let those arrive"


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

    def make_room(self, wanted: int) -> None:
        """Double the places while there are fewer free ones than wanted."""
        while (n := int(self.control[queues.FREE])) < max(wanted, 1):
            old = len(self.free)
            self.heap = np.concatenate([self.heap, np.empty(old, np.int32)])
            self.free = np.concatenate(
                [self.free[:n], np.arange(old, 2 * old, dtype=np.int32), np.empty(old - n, np.int32)]
            )
            self.flights = np.concatenate([self.flights, np.zeros(5 * old, np.int64)])
            self.offsets = np.concatenate([self.offsets, np.zeros(2 * old)])
            self.control[queues.FREE] = n + old

    def leave(self, axons: list[Axons], names: list[str], changing: Container[int], rows: Rows) -> dict[str, Left]:
        """Return what is under way, by name of pathway; ``changing`` are the numbers of those whose delays change."""
        left: dict[str, Left] = {}
        for slot in self.heap[: self.control[queues.FLIGHTS]]:
            arrives, pathway, k, end, departed = (int(each) for each in self.flights[5 * slot : 5 * slot + 5])
            own = axons[pathway]
            if pathway in changing:
                places, delays = rows.read(end)
            else:
                places = np.arange(k, end)
                delays = own.delays(places)
            synapses = places if own.in_order else np.asarray(own.order[places], np.int64)
            offset, departure = (float(each) for each in self.offsets[2 * slot : 2 * slot + 2])
            left.setdefault(names[pathway], []).append((departed, departure, arrives, offset, synapses, delays))
        return left

    def recall(
        self, left: Mapping[str, Left], axons: list[Axons], names: list[str], changing: Container[int], rows: Rows
    ) -> None:
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
                row = np.array_equal(places, places[0] + np.arange(len(places)))
                if number in changing:
                    end = rows.write(places, delays)
                elif row and np.array_equal(own.delays(places), delays):
                    end = int(places[-1]) + 1
                else:
                    raise BionetError(_CHANGED.format(name))
                self._put(arrives, offset, number, places[0], end, departed, departure)

    def recall_own(
        self, left: Mapping[str, Left], axons: list[Axons], own: list[Axons], names: list[str], length: float
    ) -> None:
        """Put what was under way on its way again along synapses of one's own; ``length`` is that of a window [s].

        Raises
        ------
        BionetError
            If synapses or delays have changed since.
        """
        for number, name in enumerate(names):
            among = own[number].among
            for departed, departure, arrives, offset, synapses, delays in left.get(name, []):
                whole = axons[number].places(synapses)
                if not np.array_equal(axons[number].delays(whole), delays):
                    raise BionetError(_CHANGED.format(name))
                # Of another type, all of the sorted numbers would be converted first.
                places = np.searchsorted(among, whole.astype(among.dtype))
                mine = np.isin(whole, among[places[places < among.size]])
                if np.any(mine):
                    later = departure + float(delays[mine][0])
                    carry = math.floor(later / length)
                    if not mine[0]:
                        arrives, offset = departed + carry, later - carry * length
                    first, last = int(places[mine][0]), int(places[mine][-1])
                    self._put(arrives, offset, number, first, last + 1, departed, departure)

    def _put(self, arrives: int, offset: float, number: int, k: int, end: int, departed: int, departure: float) -> None:
        self.make_room(self.most)
        self.control[queues.FREE] -= 1
        slot = self.free[self.control[queues.FREE]]
        self.flights[5 * slot : 5 * slot + 5] = arrives, number, k, end, departed
        self.offsets[2 * slot : 2 * slot + 2] = offset, departure
        queues.climb(slot, self.control, self.heap, self.flights, self.offsets)


class Fronts:
    """Spikes under way that are fronts (see :mod:`bionet.spiking.engines.event_fronts`).

    Parameters
    ----------
    control, accuracy : arrays
        Of the engine.
    sizes : list of int
        How many axons each pathway has.
    """

    def __init__(self, control: NDArray, accuracy: NDArray, sizes: list[int]) -> None:
        self.control, self.accuracy = control, accuracy
        self.bases = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        n = int(self.bases[-1])
        self.slots = np.full(n, -1, np.int32)
        self.axons, self.aside = apart(fronts.AXON * n), np.zeros(fronts.ASIDE * n)
        self.links = self.axons.view(np.int32)
        # The times of eight that are below one in the heap, the first of them at place 1, share a line of the cache.
        self.due = apart(n + 7)[7:]
        self.heap = np.arange(n, dtype=np.int32)
        self.spikes, self.following, self.spare = np.empty(0), np.empty(0, np.int32), np.empty(0, np.int32)
        control[queues.FRONTS], control[queues.SPARE], control[queues.SETTING_OUT] = 0, 0, n
        self.make_room(n)

    def make_room(self, wanted: int) -> None:
        """Make places if there are fewer free ones than wanted."""
        free, old = int(self.control[queues.SPARE]), len(self.spare)
        if free >= wanted:
            return
        more = max(old, 2 * wanted)
        self.spikes = np.concatenate([self.spikes, np.empty(fronts.SPIKE * more)])
        self.following = np.concatenate([self.following, np.empty(more, np.int32)])
        new = np.arange(old, old + more, dtype=np.int32)
        self.spare = np.concatenate([self.spare[:free], new, np.empty(old - free, np.int32)])
        self.control[queues.SPARE] = free + more

    def leave(self, axons: list[Axons], names: list[str]) -> dict[str, LeftFronts]:
        """Return what is under way, by name of pathway."""
        links = self.links.reshape(-1, fronts.LINKS)
        with_spikes = np.sort(links[self.heap[: self.control[queues.FRONTS]], fronts.OWNER]).astype(np.int64)
        owners, spikes = [], []
        some, place = with_spikes, links[self.slots[with_spikes], fronts.HEAD]
        while some.size:
            owners.append(some)
            spikes.append(self.spikes.reshape(-1, fronts.SPIKE)[place])
            place = self.following[place]
            some, place = some[place >= 0], place[place >= 0]
        left: dict[str, LeftFronts] = {}
        if owners:
            owner = np.concatenate(owners)
            rows, aside = self.axons.reshape(-1, fronts.AXON), self.aside.reshape(-1, fronts.ASIDE)
            for number in np.unique(np.searchsorted(self.bases, with_spikes, "right") - 1):
                first, last, own = self.bases[number], self.bases[number + 1], axons[number]
                found = [each[(each >= first) & (each < last)] - first for each in (with_spikes, owner)]
                synapses = [each if own.in_order else own.order[each].astype(np.int64) for each in found]
                mine = (owner >= first) & (owner < last)
                slots = self.slots[found[0] + first]
                own_rows = np.hstack([rows[slots], aside[slots]])
                left[names[number]] = synapses[0], own_rows, synapses[1], np.concatenate(spikes)[mine]
        return left

    def recall(self, left: Mapping[str, LeftFronts], axons: list[Axons], names: list[str], length: float) -> None:
        """Put what was under way in an earlier run on its way again; ``length`` is that of a window [s]."""
        rows, aside, n = self.axons.reshape(-1, fronts.AXON), self.aside.reshape(-1, fronts.ASIDE), 0
        links = self.links.reshape(-1, fronts.LINKS)
        for number, name in enumerate(names):
            if name not in left or self.bases[number] == self.bases[number + 1]:
                continue
            synapses, old, owners, spikes = left[name]
            places = axons[number].places(synapses) + self.bases[number]
            here = slice(n, n := n + len(places))
            rows[here], aside[here] = old[:, : fronts.AXON], old[:, fronts.AXON :]
            links[here, fronts.OWNER], links[here, fronts.HEAD] = places, -1
            self.slots[places] = np.arange(here.start, n)
            self.make_room(len(spikes) + int(self.control[queues.SETTING_OUT]))
            self.control[queues.SPARE] -= len(spikes)
            slots = self.spare[self.control[queues.SPARE] :][: len(spikes)].copy()
            self.spikes.reshape(-1, fronts.SPIKE)[slots] = spikes
            owner = self.slots[axons[number].places(owners) + self.bases[number]]
            # The first spikes of all axons come first, then the second ones: the list of each is in order.
            for slot, row in zip(slots.tolist(), owner.tolist(), strict=True):
                if links[row, fronts.HEAD] < 0:
                    links[row, fronts.HEAD] = slot
                else:
                    self.following[links[row, fronts.TAIL]] = slot
                self.following[slot], links[row, fronts.TAIL] = -1, slot
        found = np.lexsort((links[:n, fronts.OWNER], rows[:n, fronts.DUE_OFF], rows[:n, fronts.DUE_W]))
        self.heap[:n], links[found, fronts.PLACE] = found, np.arange(n)
        self.due[:n] = rows[found, fronts.DUE_W] * length + rows[found, fronts.DUE_OFF]
        self.control[queues.FRONTS] = n
