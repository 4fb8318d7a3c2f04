"""Rows of synapses whose delays change: each spike sorts its row anew as it leaves.

So there is one flight for a spike, as where delays are fixed. What is still to be reached is a list of *entries*, each
a synapse's place and its delay, by delay and then place; the flight (:mod:`bionet.spiking.engines.event_queues`) holds
the place of its first entry, and in place of the end of a row that entry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bionet.spiking.engines.event_queues import ENTRIES, ROWS_LEAVING, take_off


class Entries(NamedTuple):
    """The arrays of entries: delay [s], place, what follows, those that are free, and room for a row being sorted."""

    delays: NDArray
    places: NDArray
    following: NDArray
    spare: NDArray
    keys: NDArray
    row: NDArray
    control: NDArray


@njit(cache=True, error_model="numpy")
def by_delay(n, keys, row):
    """Sort the first n of a row by delay, then place (Shell's sort)."""
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(gap, n):
            key, own = keys[k], row[k]
            place = k
            while place >= gap:
                other = keys[place - gap]
                if other < key or (other == key and row[place - gap] < own):
                    break
                keys[place], row[place] = other, row[place - gap]
                place -= gap
            keys[place], row[place] = key, own
        gap //= 3


@njit(cache=True, error_model="numpy")
def send_row(pathway, k, end, w, off, window, q, control, heap, free, flights, offsets):
    """Send a spike along the synapses [k, end), whose delays are in ``keys``."""
    n = end - k
    if n == 0:
        return
    for j in range(n):
        q.row[j] = k + j
    by_delay(n, q.keys, q.row)
    entry = np.int32(-1)
    left = control[ENTRIES]
    for j in range(n - 1, -1, -1):
        left -= 1
        before = q.spare[left]
        q.delays[before], q.places[before], q.following[before] = q.keys[j], q.row[j], entry
        entry = before
    control[ENTRIES] = left
    k, end = np.int64(q.row[0]), np.int64(entry)
    take_off(pathway, k, end, w, off, q.keys[0], window, control, heap, free, flights, offsets)


@njit(cache=True, error_model="numpy")
def along_row(slot, flights, q):
    """Take what a flight reaches now from its list; return the end of those places, and the next delay or -1."""
    entry = flights[5 * slot + 3]
    stop, delay = flights[5 * slot + 2], q.delays[entry]
    while entry >= 0 and q.delays[entry] == delay and q.places[entry] == stop:
        q.spare[q.control[ENTRIES]] = entry
        q.control[ENTRIES] += 1
        entry = np.int64(q.following[entry])
        stop += 1
    if entry < 0:
        return stop, -1.0
    flights[5 * slot + 2], flights[5 * slot + 3] = q.places[entry], entry
    return stop, q.delays[entry]


class Rows:
    """The entries of an engine.

    Parameters
    ----------
    control : int64 array
        Of the engine.
    starts : list of int64 array
        Of each pathway whose delays change, where the rows of synapses begin.
    """

    def __init__(self, control: NDArray, starts: list[NDArray]) -> None:
        most = sum(int(each[-1]) for each in starts)
        longest = max((int(np.diff(each).max(initial=0)) for each in starts), default=0)
        self.control = control
        self.delays, self.places = np.empty(0), np.empty(0, np.int32)
        self.following, self.spare = np.empty(0, np.int32), np.empty(0, np.int32)
        self.keys, self.row = np.empty(longest), np.empty(longest, np.int32)
        control[ENTRIES], control[ROWS_LEAVING] = 0, most
        self.make_room(most)

    def make_room(self, wanted: int) -> None:
        """Make entries if there are fewer free ones than wanted."""
        free, old = int(self.control[ENTRIES]), len(self.spare)
        if free >= wanted:
            return
        more = max(old, 2 * wanted)
        self.delays = np.concatenate([self.delays, np.empty(more)])
        self.places = np.concatenate([self.places, np.empty(more, np.int32)])
        self.following = np.concatenate([self.following, np.empty(more, np.int32)])
        new = np.arange(old, old + more, dtype=np.int32)
        self.spare = np.concatenate([self.spare[:free], new, np.empty(old - free, np.int32)])
        self.control[ENTRIES] = free + more

    def read(self, entry: int) -> tuple[NDArray, NDArray]:
        """Return the places and delays [s] of a list."""
        found = []
        while entry >= 0:
            found.append(entry)
            entry = int(self.following[entry])
        return self.places[found].astype(np.int64), self.delays[found]

    def write(self, places: NDArray, delays: NDArray) -> int:
        """Make a list, and return its first entry."""
        self.make_room(len(places) + int(self.control[ROWS_LEAVING]))
        self.control[ENTRIES] -= len(places)
        entries = self.spare[self.control[ENTRIES] :][: len(places)]
        self.places[entries], self.delays[entries] = places, delays
        self.following[entries] = np.append(entries[1:], -1)
        return int(entries[0])
