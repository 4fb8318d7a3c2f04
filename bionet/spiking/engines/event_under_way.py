"""The spikes under way of the ``event`` engine: their arrays, and how they outlast a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_arrivals as arrivals
import bionet.spiking.engines.event_fronts as fronts
import bionet.spiking.engines.event_queues as queues
from bionet.errors import BionetError
from bionet.spiking.axons import Axons
from bionet.spiking.engines.event_memory import apart
from bionet.spiking.engines.runtime import address

#: What is to arrive along a pathway: windows, offsets [s], synapses.
Left = tuple[NDArray, NDArray, NDArray]
#: Axons that have spikes and their rows; the axon of each spike, and the spikes.
LeftFronts = tuple[NDArray, NDArray, NDArray, NDArray]

#: Pathways, places, windows and offsets [s].
_Several = tuple[NDArray, NDArray, NDArray, NDArray]

_CHANGED = (
    "{}: its synapses were taken away, or their delays made equal, while spikes were under way; let those arrive first"
)


def make_ring(records: int) -> arrivals.Ring:
    """Return an empty ring that holds so many records, however they lie in the windows."""
    n = records // arrivals.CHUNK + 1 + queues.BUCKETS + 1
    return arrivals.Ring(
        np.full(queues.BUCKETS, -1, np.int32),
        np.zeros(queues.BUCKETS, np.int64),
        np.empty(n, np.int32),
        np.arange(n, dtype=np.int32),
        np.array([n]),
        np.empty(arrivals.CHUNK * n),
        np.empty(arrivals.CHUNK * n, np.int64),
    )


class Arrivals:
    """All that is on its way (see :mod:`bionet.spiking.engines.event_arrivals`).

    Parameters
    ----------
    control : int64 array
        Of the engine.
    most : int
        As many records as may be put down at one instant.
    by_row, is_front : bool array
        Of each pathway, whether a spike reaches all synapses of its row at once, and whether it is a front.
    axons : int
        How many may have fronts.
    """

    def __init__(self, control: NDArray, most: int, by_row: NDArray, is_front: NDArray, axons: int) -> None:
        self.by_row = by_row
        records = 2 * most + 1024
        control[queues.RECORDS] = control[queues.FREE] = records
        control[queues.DEPARTURES], control[queues.MOST_NEAR_FRONTS] = most, 2 * axons + 64
        near, agenda = records + int(control[queues.MOST_NEAR_FRONTS]) + axons, 1024
        self.agenda = arrivals.Agenda(
            control,
            make_ring(records),
            # Fronts of which what was put down is out of date take room until it comes up.
            make_ring(2 * axons + 2 * arrivals.CHUNK * queues.BUCKETS if axons else 0),
            *(np.empty(agenda), np.empty(agenda, np.int64), np.empty(agenda), np.empty(agenda, np.int64)),
            np.empty(arrivals.MOST_PARTS + 1, np.int32),
            *(np.empty(near), np.empty(near, np.int64), np.empty(near, np.int32)),
            *(np.empty(4 * records, np.int64), np.empty(records), np.arange(records, dtype=np.int32)),
            is_front,
        )

    def table(self) -> NDArray:
        """Return the addresses of all arrays, and the size of the agenda."""
        a = self.agenda
        arrays = (a.control, *a.ring, *a.fronts, *a[3:])
        return np.array([*map(address, arrays), len(a.when)], np.int64)

    def make_room(self, wanted: int) -> None:
        """Make room for so many records, and in the agenda if a window is about to open."""
        a, control = self.agenda, self.agenda.control
        if control[queues.OPEN] in (queues.UNFOLDING, queues.TAKING_FRONTS):
            n = 2 * len(a.when)
            a = a._replace(when=longer(a.when, n), what=longer(a.what, n))
            a = a._replace(other_when=longer(a.other_when, n), other_what=longer(a.other_what, n))
        records = len(a.left)
        free = int(control[queues.RECORDS])
        if free < wanted:
            more = max(records, wanted - free)
            new = np.arange(records, records + more, dtype=np.int32)
            near = len(a.near_when) + more
            a = a._replace(
                ring=_longer_ring(a.ring, more),
                near_when=longer(a.near_when, near),
                near_what=longer(a.near_what, near),
                near_flight=longer(a.near_flight, near),
                flights=longer(a.flights, 4 * (records + more)),
                left=longer(a.left, records + more),
                free=longer(np.concatenate([a.free[: control[queues.FREE]], new]), records + more),
            )
            control[queues.RECORDS] += more
            control[queues.FREE] += more
        self.agenda = a

    def leave(self, axons: list[Axons], names: list[str], length: float) -> dict[str, Left]:
        """Return what is under way, by name of pathway; ``length`` is that of a window [s]."""
        a, control = self.agenda, self.agenda.control
        w, n = int(control[queues.WINDOW]), int(control[queues.NEAR])
        agenda = slice(control[queues.ARRIVED], control[queues.ARRIVALS])
        # Of a flight that is near, all that it is still to reach follows from itself.
        near = np.where(a.near_flight[:n] >= 0, -1 - a.near_flight[:n].astype(np.int64), a.near_what[:n])
        found = [
            _records(a.ring, control),
            (np.full(len(a.when[agenda]), w), a.when[agenda], a.what[agenda]),
            (np.full(n, w), a.near_when[:n], near),
        ]
        windows, offsets, codes = (np.concatenate(each) for each in zip(*found, strict=True))
        single = codes >= 0
        alone = codes[single] >> arrivals.PATHWAY, codes[single] & arrivals.PLACES, windows[single], offsets[single]
        parts = [alone, *self._flown(-1 - codes[~single], axons, length)]
        pathways, places, windows, offsets = (np.concatenate(each) for each in zip(*parts, strict=True))
        left: dict[str, Left] = {}
        for number in np.unique(pathways):
            own, mine = axons[number], pathways == number
            if self.agenda.is_front[number]:
                continue
            some, when, then = places[mine], windows[mine], offsets[mine]
            if self.by_row[number]:
                counts = own.starts[some + 1] - own.starts[some]
                some, when, then = _ranges(own.starts[some], counts), np.repeat(when, counts), np.repeat(then, counts)
            left[names[number]] = _in_order(when, then, some if own.in_order else own.order[some].astype(np.int64))
        return left

    def _flown(self, flights: NDArray, axons: list[Axons], length: float) -> list[_Several]:
        """Return pathways, places, windows and offsets of all that flights are still to reach."""
        rows = self.agenda.flights.reshape(-1, 4)[flights]
        found: list[_Several] = []
        for number in np.unique(rows[:, 0]):
            mine = rows[:, 0] == number
            _, first, end, departed = rows[mine].T
            places = _ranges(first, end - first)
            later = np.repeat(self.agenda.left[flights[mine]], end - first) + axons[number].delay[places]
            carry = np.floor(later / length)
            windows = np.repeat(departed, end - first) + carry.astype(np.int64)
            found.append((np.full(len(places), number), places, windows, later - carry * length))
        return found

    def recall(
        self, left: Mapping[str, Left], axons: list[Axons], own: list[Axons], names: list[str]
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return what was under way in an earlier run, as windows, offsets and codes, and make room for it.

        Parameters
        ----------
        left : mapping
            As `leave` gives it.
        axons, own : list of Axons
            All synapses of pathways, and those that are one's own.
        names : list of str
            Of the pathways.

        Raises
        ------
        BionetError
            If there are no such synapses any more.
        """
        found = [(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
        for number, name in enumerate(names):
            if name not in left:
                continue
            windows, offsets, synapses = left[name]
            if synapses.max(initial=-1) >= axons[number].starts[-1]:
                raise BionetError(_CHANGED.format(name))
            places = axons[number].places(synapses)
            if own[number] is not axons[number]:
                among = own[number].among
                # Of another type, all of the sorted numbers would be converted first.
                wanted = places.astype(among.dtype)
                mine = np.searchsorted(among, wanted)
                is_own = mine < np.searchsorted(among, wanted, "right")
                windows, offsets, places = windows[is_own], offsets[is_own], mine[is_own]
            if self.by_row[number]:
                windows, offsets, places = _rows(windows, offsets, places, own[number].starts, name)
            found.append((windows, offsets, (number << arrivals.PATHWAY) + places))
        windows, offsets, codes = (np.concatenate(each) for each in zip(*found, strict=True))
        self.make_room(len(codes) + int(self.agenda.control[queues.DEPARTURES]))
        return windows, offsets, codes


def together(parts: list[dict[str, Left]]) -> dict[str, Left]:
    """Return what threads have left, put together."""
    names = {name for part in parts for name in part}
    found = {name: zip(*(part[name] for part in parts if name in part), strict=True) for name in names}
    return {name: _in_order(*map(np.concatenate, each)) for name, each in found.items()}


def _in_order(windows: NDArray, offsets: NDArray, synapses: NDArray) -> Left:
    """Return arrivals by time and synapse."""
    order = np.lexsort((synapses, offsets, windows))
    return windows[order], offsets[order], synapses[order]


def _records(ring: arrivals.Ring, control: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return all that a ring holds: windows, offsets, codes."""
    w, stage, n = int(control[queues.WINDOW]), control[queues.OPEN], arrivals.CHUNK
    base = w + int(stage != queues.CLOSED)
    buckets = np.flatnonzero(ring.filled)
    chunks, counts = ring.tails[buckets].astype(np.int64), (ring.filled[buckets] - 1) % n + 1
    windows = base + (buckets - base) % queues.BUCKETS
    if stage == queues.UNFOLDING and control[queues.CHAIN] >= 0:
        chunks, counts = np.append(chunks, control[queues.CHAIN]), np.append(counts, control[queues.CHAINED])
        windows = np.append(windows, w)
    found = [(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
    while chunks.size:
        places = _ranges(n * chunks, counts)
        found.append((np.repeat(windows, counts), ring.when[places], ring.what[places]))
        chunks = ring.before[chunks].astype(np.int64)
        chunks, windows = chunks[chunks >= 0], windows[chunks >= 0]
        counts = np.full(len(chunks), n)
    windows, offsets, codes = (np.concatenate(each) for each in zip(*found, strict=True))
    rounds = np.where(codes >= 0, codes >> arrivals.ROUNDS, 0)
    return windows + rounds * queues.BUCKETS, offsets, codes - rounds * arrivals.ONE_ROUND


def _ranges(first: NDArray, counts: NDArray) -> NDArray:
    """Return the numbers of ranges, given by their first numbers and lengths, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - counts), counts)


def _rows(
    windows: NDArray, offsets: NDArray, places: NDArray, starts: NDArray, name: str
) -> tuple[NDArray, NDArray, NDArray]:
    """Return arrivals of whole rows, given those of all of their places."""
    rows = np.searchsorted(starts, places, "right") - 1
    windows, offsets, rows = _in_order(windows, offsets, rows)
    is_new = np.ones(len(rows) + 1, np.bool_)
    is_new[1:-1] = (np.diff(windows) != 0) | (np.diff(offsets) != 0) | (np.diff(rows) != 0)
    first = np.flatnonzero(is_new)
    rows, counts = rows[first[:-1]], np.diff(first)
    if np.any(counts % (starts[rows + 1] - starts[rows])):
        raise BionetError(_CHANGED.format(name))
    again = np.repeat(first[:-1], counts // (starts[rows + 1] - starts[rows]))
    return windows[again], offsets[again], np.repeat(rows, counts // (starts[rows + 1] - starts[rows]))


def longer(values: NDArray, n: int) -> NDArray:
    """Return an array of n elements that begins with the given ones."""
    return np.concatenate([values, np.empty(n - len(values), values.dtype)])


def _longer_ring(ring: arrivals.Ring, more: int) -> arrivals.Ring:
    """Return a ring that holds so many records more."""
    old, free = len(ring.before), int(ring.left[0])
    n = old + more // arrivals.CHUNK + 1
    ring.left[0] += n - old
    return ring._replace(
        before=longer(ring.before, n),
        spare=longer(np.concatenate([ring.spare[:free], np.arange(old, n, dtype=np.int32)]), n),
        when=longer(ring.when, arrivals.CHUNK * n),
        what=longer(ring.what, arrivals.CHUNK * n),
    )


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
        self.links[fronts.OWNER :: fronts.LINKS] = -1
        self.free_rows = np.arange(n, dtype=np.int32)
        self.spikes, self.following, self.spare = np.empty(0), np.empty(0, np.int32), np.empty(0, np.int32)
        control[queues.FRONTS], control[queues.SPARE], control[queues.SETTING_OUT] = 0, 0, n
        self.make_room(n)

    def make_room(self, wanted: int) -> None:
        """Make places if there are fewer free ones than wanted."""
        free, old = int(self.control[queues.SPARE]), len(self.spare)
        if free >= wanted:
            return
        more = max(old, 2 * wanted)
        self.spikes = longer(self.spikes, fronts.SPIKE * (old + more))
        self.following = longer(self.following, old + more)
        new = np.arange(old, old + more, dtype=np.int32)
        self.spare = longer(np.concatenate([self.spare[:free], new]), old + more)
        self.control[queues.SPARE] = free + more

    def leave(self, axons: list[Axons], names: list[str]) -> dict[str, LeftFronts]:
        """Return what is under way, by name of pathway."""
        links = self.links.reshape(-1, fronts.LINKS)
        in_use = np.flatnonzero(links[: self.control[queues.HIGHEST], fronts.OWNER] >= 0)
        in_use = in_use[np.argsort(links[in_use, fronts.OWNER])]
        owner = links[in_use, fronts.OWNER].astype(np.int64)
        owners, spikes = [np.empty(0, np.int64)], [np.empty((0, fronts.SPIKE))]
        some, last = owner, links[in_use, fronts.TAIL]
        some, last = some[last >= 0], last[last >= 0]
        place = self.following[last]
        while some.size:
            owners.append(some)
            spikes.append(self.spikes.reshape(-1, fronts.SPIKE)[place])
            more = place != last
            some, last, place = some[more], last[more], self.following[place[more]]
        those, theirs = np.concatenate(owners), np.concatenate(spikes)
        rows, aside = self.axons.reshape(-1, fronts.AXON), self.aside.reshape(-1, fronts.ASIDE)
        left: dict[str, LeftFronts] = {}
        for number in np.unique(np.searchsorted(self.bases, owner, "right") - 1):
            first, last_one, own = self.bases[number], self.bases[number + 1], axons[number]
            here, mine = ((each >= first) & (each < last_one) for each in (owner, those))
            found = [each - first for each in (owner[here], those[mine])]
            synapses = [each if own.in_order else own.order[each].astype(np.int64) for each in found]
            own_rows = np.hstack([rows[in_use[here], :-1], aside[in_use[here]]])
            left[names[number]] = synapses[0], own_rows, synapses[1], theirs[mine]
        return left

    def recall(self, left: Mapping[str, LeftFronts], axons: list[Axons], names: list[str]) -> None:
        """Take the rows and spikes of an earlier run; when they arrive is still to be put down."""
        rows, aside, n = self.axons.reshape(-1, fronts.AXON), self.aside.reshape(-1, fronts.ASIDE), 0
        links = self.links.reshape(-1, fronts.LINKS)
        for number, name in enumerate(names):
            if name not in left or self.bases[number] == self.bases[number + 1]:
                continue
            synapses, old, owners, spikes = left[name]
            places = axons[number].places(synapses) + self.bases[number]
            here = slice(n, n := n + len(places))
            rows[here, :-1], aside[here] = old[:, : fronts.AXON - 1], old[:, fronts.AXON - 1 :]
            links[here, fronts.OWNER], links[here, fronts.TAIL] = places, -1
            self.slots[places] = np.arange(here.start, n)
            self.make_room(len(spikes) + int(self.control[queues.SETTING_OUT]))
            self.control[queues.SPARE] -= len(spikes)
            slots = self.spare[self.control[queues.SPARE] :][: len(spikes)].copy()
            self.spikes.reshape(-1, fronts.SPIKE)[slots] = spikes
            # The first spikes of all axons come first, then the second ones: the list of each is in order.
            for slot, row in zip(slots, self.slots[axons[number].places(owners) + self.bases[number]], strict=True):
                fronts.append.py_func(slot, int(row), self)
        self.control[queues.FRONTS] = self.control[queues.HIGHEST] = n
