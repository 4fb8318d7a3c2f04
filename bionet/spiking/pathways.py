"""Spikes on their way: the synapses of a pathway sorted by (source, delay), and the ring that holds what is due when.

A *group* is a run of synapses with the same source and the same delay. A spike puts one number per group into the
ring, not one per synapse. Within a slot of the ring groups lie in the order of departure, within a departure by
source, within a group by synapse: the order in which Brian2 delivers, hence the same floating-point sums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bionet.spiking.ends import Side, parts, row_starts, targets_by_source
from bionet.spiking.machine_code import call

#: Reads better than its absence: a ring row never has fewer places than this.
_FEW = 64
_NONE = np.empty(0, np.int32)


def _ascending(values: NDArray | Side) -> bool:
    if isinstance(values, Side):
        return values.ascending
    return all(bool(np.all(values[1:][part] >= values[:-1][part])) for part in parts(values.size - 1))


def _steps(delays: NDArray, dt: float) -> NDArray:
    """Return delays in whole steps, rounded as Brian2's compiled queue rounds them."""
    steps = np.empty(delays.size, np.int32)
    for part in parts(delays.size):
        steps[part] = delays[part] / dt + 0.5
    return steps


def by_source(sources: NDArray, first_source: int, starts: NDArray, through: NDArray | None = None) -> NDArray:
    """Return the synapses ordered by source, those of one source as they come.

    Parameters
    ----------
    sources : int array, shape (n_synapses,)
    first_source : int
    starts : int array, shape (n_sources + 1,)
        Where the synapses of each source begin.
    through : int32 array, shape (n_synapses,), optional
        The order in which synapses come; if absent, by number.

    Returns
    -------
    int32 array, shape (n_synapses,)
    """
    order = np.empty(sources.size, np.int32)
    call("by_source", _NONE if through is None else through, sources, first_source, starts[:-1].copy(), order)
    return order


def _groups(starts: NDArray, order: NDArray, steps: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return the groups of synapses ordered by (source, delay): first of each source, start, delay."""
    first = np.empty(starts.size, np.int32)
    call("count_groups", starts, order, steps, first)
    begin, delay = np.empty(first[-1] + 1, np.int32), np.empty(first[-1], np.int32)
    call("mark_groups", starts, order, steps, begin, delay)
    return first, begin, delay


def _owned(order: NDArray, begin: NDArray, owner: NDArray, low: int, high: int) -> tuple[NDArray, NDArray]:
    """Return which of the synapses of groups have an owner in [low, high), in order, and where each group begins."""
    part = np.empty(begin.size, np.int32)
    call("count_owned", order, begin, owner, low, high, part)
    found = np.empty(part[-1], np.int32)
    call("list_owned", order, begin, owner, low, high, found)
    return found, part


def _cuts(begin: NDArray, owner: NDArray, borders: list[int]) -> NDArray | None:
    """Return where each thread's synapses begin in each group, and where the last one's end.

    None if owners do not ascend in every group.
    """
    cuts, ascending = np.empty((len(borders), begin.size - 1), np.int32), np.ones(1, np.int64)
    call("cut", begin, owner, np.array(borders, np.int64), cuts, ascending)
    return cuts if ascending[0] else None


class SpikeQueue:
    """The pathway of a set of synapses: who is reached by whom, after how many steps, and what is under way.

    Parameters
    ----------
    source_start, source_end : int
        The sources are the neurons ``source_start <= i < source_end`` of their group.

    Attributes
    ----------
    homogeneous : bool
        All synapses have the same delay, ``shape[2]`` steps; groups are then the sources themselves.
    in_order : bool
        The synapses are ordered by (source, delay) as they are; then ``order`` is empty.
    begin, end : arrays of int32, shapes (n_groups + 1,) and (n_groups,)
        Where each group begins and ends in ``order`` (or among the synapses).
    first, delay : arrays of int32, shapes (n_sources + 1,) and (n_groups,)
        The first group of each source and the delay of each group in steps; empty if homogeneous.
    ring, fill : arrays of int32, shape (n_slots, capacity), and int64, shape (n_slots,)
        The groups due in each slot, and how many.
    shape : array of int64, shape (6,)
        Slots, capacity, homogeneous delay, current slot, most groups in any slot, most that one step can add to one.
    stray_begin, stray_end, strays : arrays of int64, int64, int32
        Places in ``order`` of single synapses due in each slot: what was under way when connections, delays or
        ``dt`` changed.
    parts : list of SpikeQueue
        Where several threads run the network, the queue of each one's synapses; spikes are then under way in these.
    """

    def __init__(self, source_start: int, source_end: int) -> None:
        self.source_start, self.source_end = int(source_start), int(source_end)
        self.dt: float | None = None
        self._known: tuple | None = None
        self.homogeneous = self.in_order = True
        self.begin = np.zeros(self.n_sources + 1, np.int32)
        self._end: NDArray | None = None
        self._whole = self
        self.first = self.delay = self.strays = np.empty(0, np.int32)
        self._order: NDArray | None = np.empty(0, np.int32)
        self._sources: NDArray | Side = np.empty(0, np.int32)
        self._columns: dict[int, NDArray] = {}
        self.parts: list[SpikeQueue] = []
        self._division: Hashable = None
        self._make_ring(1, 1, 0, 0)
        self._place([])

    @property
    def n_sources(self) -> int:
        """How many sources there are."""
        return self.source_end - self.source_start

    @property
    def end(self) -> NDArray:
        """Where each group ends."""
        return self.begin[1:] if self._end is None else self._end

    @property
    def order(self) -> NDArray:
        """The synapses ordered by (source, delay); empty if they are in that order as they are."""
        if self._whole is not self:
            return self._whole.order
        if self._order is None:
            self._order = by_source(np.asarray(self._sources), self.source_start, self.begin)
        return self._order

    def column(self, key: int, values: NDArray | Side, dtype: str) -> NDArray:
        """Return what does not change of each synapse, ordered by (source, delay).

        Parameters
        ----------
        key : int
            Under which the column is kept until connections or delays change.
        values : array, shape (n_synapses,)
        dtype : str
            Of the column; it holds all values.
        """
        if self._whole is not self:
            return self._whole.column(key, values, dtype)
        if key not in self._columns or self._columns[key].dtype != dtype:
            known = targets_by_source(self._sources, values) if self.homogeneous else None
            if known is not None:
                same = known.itemsize == np.dtype(dtype).itemsize
                self._columns[key] = known.view(dtype) if same else known.astype(dtype)
            else:
                self._columns[key] = self._ordered(np.asarray(values), dtype)
        return self._columns[key]

    def _ordered(self, values: NDArray, dtype: str) -> NDArray:
        if self._order is None:
            column = np.empty(values.size, dtype)
            place = self.begin[:-1].copy()
            call("ordered_column", np.asarray(self._sources), self.source_start, place, values, column)
        elif self.in_order:
            column = values.astype(dtype)
        else:
            column = np.empty(self._order.size, dtype)
            for part in parts(column.size):
                column[part] = values[self._order[part]]
        return column

    @property
    def nbytes(self) -> int:
        """How many bytes the order of the synapses takes; until a run has made it, what a list of them would."""
        order = self._order
        if order is None and not self._columns and not isinstance(self._sources, Side):
            order = self._sources
        # The memory of a column that has a base is that of the synapses themselves.
        columns = (each for each in self._columns.values() if each.base is None)
        return sum(each.nbytes for each in (order, *columns, self.begin, self.first, self.delay) if each is not None)

    def __bool__(self) -> bool:
        """Be false: Brian2 2.10 asks a queue that is true for a C++ object."""
        return False

    def prepare(self, delays: NDArray, dt: float, synapse_sources: NDArray | Side) -> None:
        """Sort the synapses, keeping what is under way.

        Parameters
        ----------
        delays : array, shape (n_synapses,) or (1,)
            In seconds.
        dt : float
            The step of the source's clock, in seconds.
        synapse_sources : array of int32, shape (n_synapses,)
            The source of each synapse.
        """
        delays = np.asarray(delays)
        sources = synapse_sources if isinstance(synapse_sources, Side) else np.asarray(synapse_sources)
        known = (dt, len(sources), len(delays), hashlib.sha256(np.ascontiguousarray(delays).data).digest())
        if known == self._known:
            return
        pending, self.parts = self._pending(dt), []
        # The old order goes before there is a new one.
        self._known, self._order = None, np.empty(0, np.int32)
        self._columns.clear()
        steps = _steps(delays, dt)
        self.homogeneous = steps.size == 0 or steps.min() == steps.max()
        starts = row_starts(sources, self.source_start, self.n_sources)
        ascending = _ascending(sources)
        if self.homogeneous:
            self.begin, self.first, self.delay = starts, np.empty(0, np.int32), np.empty(0, np.int32)
            self.in_order = ascending
            self._order = np.empty(0, np.int32) if ascending else None
            longest = int(steps[0]) if steps.size else 0
            self._make_ring(longest + 1, self.n_sources, longest, 0)
        else:
            delayed = by_source(steps, 0, row_starts(steps, 0, int(steps.max()) + 1))
            self._order = by_source(np.asarray(sources), self.source_start, starts, delayed)
            del delayed
            self.first, self.begin, self.delay = _groups(starts, self._order, steps)
            self.in_order = _ascending(self._order)
            if self.in_order:
                self._order = np.empty(0, np.int32)
            most = int(np.bincount(self.delay).max())
            self._make_ring(int(steps.max()) + 1, max(4 * most, _FEW), 0, most)
        self._known, self.dt, self._sources = known, dt, sources
        self._place(pending)

    def _make_ring(self, n_slots: int, capacity: int, delay: int, most: int) -> None:
        self.shape = np.array([n_slots, capacity, delay, 0, 0, most], np.int64)
        self.ring = np.empty((n_slots, capacity), np.int32)
        self.fill = np.zeros(n_slots, np.int64)

    def grow(self) -> None:
        """Double the places in each slot of the ring."""
        self.shape[1] *= 2
        ring = np.empty((int(self.shape[0]), int(self.shape[1])), np.int32)
        ring[:, : self.ring.shape[1]] = self.ring
        self.ring = ring
        self.shape[4] = self.fill.max()

    def _synapses(self, group: int) -> NDArray:
        begin, end = self.begin[group], self.end[group]
        return np.arange(begin, end, dtype=np.int32) if self.in_order else self.order[begin:end]

    def _due(self, slot: int) -> NDArray:
        """Return the synapses due in a slot, in order."""
        strays = self.strays[self.stray_begin[slot] : self.stray_end[slot]]
        found = [strays if self.in_order or not strays.size else self.order[strays]]
        found += [self._synapses(group) for group in self.ring[slot, : self.fill[slot]]]
        return np.concatenate(found)

    def _pending(self, dt: float | None) -> list[tuple[int, NDArray]]:
        """Return what is under way: (steps of ``dt`` from now, synapses), soonest first."""
        if self.parts:
            return sorted((due for part in self.parts for due in part._pending(dt)), key=lambda due: due[0])
        n_slots, current = int(self.shape[0]), int(self.shape[3])
        pending = [(ahead, self._due((current + ahead) % n_slots)) for ahead in range(n_slots)]
        scale = 1.0 if self.dt is None or dt is None else self.dt / dt
        return [(round(ahead * scale), due) for ahead, due in pending if len(due)]

    def _place(self, pending: list[tuple[int, NDArray]]) -> None:
        """Make strays of all that is under way."""
        last = max((ahead for ahead, _ in pending), default=0)
        if last >= self.shape[0]:
            self._make_ring(last + 1, int(self.shape[1]), int(self.shape[2]), int(self.shape[5]))
        n_slots = int(self.shape[0])
        self.fill[:] = 0
        self.shape[3:5] = 0
        rows: list[list[NDArray]] = [[] for _ in range(n_slots)]
        for ahead, due in pending:
            rows[ahead].append(np.asarray(due, np.int32))
        joined = [np.concatenate(row) if row else np.empty(0, np.int32) for row in rows]
        ends = np.cumsum([len(row) for row in joined])
        self.strays = np.concatenate(joined)
        if len(self.strays) and not self.in_order:
            place = np.empty(self.order.max(initial=-1) + 1, np.int32)
            place[self.order] = np.arange(len(self.order), dtype=np.int32)
            self.strays = place[self.strays]
        self.stray_end = ends.astype(np.int64)
        self.stray_begin = np.concatenate([[0], ends[:-1]]).astype(np.int64)

    # Several threads

    def divide(
        self, key: Hashable, owner: NDArray | Side | None, borders: list[int], column: tuple[int, str] | None = None
    ) -> list[SpikeQueue]:
        """Return the queues of several threads: one for the synapses of each, which take over what is under way.

        Parameters
        ----------
        key : hashable
            Names the division: as long as it is the same, and the synapses are, so are the queues.
        owner : array of int, shape (n_synapses,), or None
            By which synapses are shared out; if None, by their number.
        borders : list of int
            Thread k has the synapses whose ``owner`` is at least ``borders[k]`` and less than ``borders[k + 1]``.
        column : tuple of int and str, or None
            Key and type of the column of owners, if the loop reads one.
        """
        if not self.parts or key != self._division:
            pending = self._pending(None)
            known = self._order
            self.parts = self._slices(owner, borders, column)
            if not self.parts:
                number = np.arange(self.begin[-1], dtype=np.int32) if owner is None else np.asarray(owner)
                self.parts = [self._part(number, low, high) for low, high in pairwise(borders)]
                self._order = known  # each part has its own
            owners = np.asarray(owner) if pending and owner is not None else None
            owned = [(ahead, due, due if owners is None else owners[due]) for ahead, due in pending]
            for part, (low, high) in zip(self.parts, pairwise(borders), strict=True):
                part._place([(ahead, due[(own >= low) & (own < high)]) for ahead, due, own in owned])
            self._division = key
            self._place([])
        return self.parts

    def _slices(
        self, owner: NDArray | Side | None, borders: list[int], column: tuple[int, str] | None
    ) -> list[SpikeQueue]:
        """Return queues that share the memory of this one: each thread's synapses of a source follow one another."""
        if not self.homogeneous or column is None or owner is None:
            return []
        known = column[0] in self._columns
        cuts = _cuts(self.begin, self.column(column[0], owner, column[1]), borders)
        if cuts is None:
            if not known:
                del self._columns[column[0]]
            return []
        found = []
        for begin, end in pairwise(cuts):
            part = SpikeQueue(self.source_start, self.source_end)
            part.in_order, part.dt, part._whole, part.begin, part._end = self.in_order, self.dt, self, begin, end
            part._make_ring(int(self.shape[0]), max(_FEW, self.n_sources), int(self.shape[2]), 0)
            found.append(part)
        return found

    def unite(self) -> None:
        """Take back what is under way in the queues of several threads."""
        if self.parts:
            pending, self.parts = self._pending(None), []
            self._place(pending)

    def _part(self, owner: NDArray, low: int, high: int) -> SpikeQueue:
        part = SpikeQueue(self.source_start, self.source_end)
        part.homogeneous, part.in_order, part.dt = self.homogeneous, False, self.dt
        part._order, part.begin = _owned(self.order, self.begin, owner, low, high)
        most = 0
        if not self.homogeneous:
            here = np.diff(part.begin) > 0
            part.begin, part.delay = np.append(part.begin[:-1][here], part.begin[-1]), self.delay[here]
            part.first = np.append(0, np.cumsum(here, dtype=np.int32))[self.first].astype(np.int32)
            most = int(np.bincount(part.delay).max(initial=0))
        part._make_ring(
            int(self.shape[0]), max(4 * most, _FEW, self.n_sources * self.homogeneous), int(self.shape[2]), most
        )
        return part

    # What Brian2's own code objects ask of a queue.

    def push(self, events: NDArray) -> None:
        """Send the events of these sources on their way."""
        self.unite()
        n_slots, current = int(self.shape[0]), int(self.shape[3])
        for source in events:
            if self.source_start <= source < self.source_end:
                row = int(source) - self.source_start
                groups = [row] if self.homogeneous else range(self.first[row], self.first[row + 1])
                for group in groups:
                    delay = self.shape[2] if self.homogeneous else self.delay[group]
                    slot = (current + int(delay)) % n_slots
                    if self.fill[slot] == self.shape[1]:
                        self.grow()
                    self.ring[slot, self.fill[slot]] = group
                    self.fill[slot] += 1
        self.shape[4] = self.fill.max()

    def peek(self) -> NDArray:
        """Return the synapses that are reached now, in order."""
        self.unite()
        return self._due(int(self.shape[3]))

    def advance(self) -> None:
        """Go on to the next step."""
        self.unite()
        slot = int(self.shape[3])
        self.fill[slot] = 0
        self.stray_end[slot] = self.stray_begin[slot]
        self.shape[3] = (slot + 1) % int(self.shape[0])

    def _full_state(self) -> tuple[float | None, list[tuple[int, NDArray]]]:
        return self.dt, [(ahead, due.copy()) for ahead, due in self._pending(None)]

    def _restore_from_full_state(self, state: tuple[float | None, list[tuple[int, NDArray]]] | None) -> None:
        dt, pending = state or (None, [])
        self.parts = []
        if any(due.size and due.max() >= self._sources.size for _, due in pending):
            # There will be more synapses than have been sorted: until they are, places are those of the synapses.
            self.in_order, self._order, self.dt = True, np.empty(0, np.int32), dt
            self._place(pending)
        elif self._known is None or dt is None or self.dt is None or dt == self.dt:
            self.dt = dt
            self._place(pending)
        else:
            self._place([(round(ahead * dt / self.dt), due) for ahead, due in pending])
        # Connections and delays may be others than those that have been sorted.
        self._known = None
