"""What the ``event`` engine's loop waits for, in order of time.

Arrays only, changed in place. A *flight* is a spike on its way along a row of synapses: five whole numbers (the window
of its next arrival, the pathway, the next synapse, the end of the row, the window of departure) and two offsets [s], of
arrival and of departure. Flights, and the neurons that fire in the present window, are binary heaps; the calendar of
windows in which neurons are to be looked at is a ring of lists.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Places in ``control``.
STATUS, WINDOW, OPEN, CROSSINGS, FLIGHTS, FREE, EMISSION, DRAW, INSTANT, WHO, LIMIT, DEPARTURES, WRONG = range(13)
#: Axons that have spikes, free places for spikes on axons, and how many may leave at one instant.
FRONTS, SPARE, SETTING_OUT = range(13, 16)
#: Free entries of rows whose delays change, and how many may be taken at one instant.
ENTRIES, ROWS_LEAVING = range(16, 18)
#: Of several threads: spikes to be told to the others, as many as there is room for, the window all are in, whether
#: this one keeps the records of sources, and where the spikes of this window are told.
TOLD, MOST_TOLD, PIECE, KEEPS_ALL, TOLD_AT = range(18, 23)
#: Where monitors' counters begin in ``control``.
FIRST_MONITOR = 23
#: Lists of the calendar.
BUCKETS = 1024
NEVER = 1 << 60
#: What a search says in place of the window to look again: the neuron fires as it is.
NOW = -1


@njit(cache=True, error_model="numpy")
def is_earlier(a, b, flights, offsets):
    """Return whether flight a comes before flight b: by time, then pathway, then place among the synapses."""
    if flights[5 * a + 0] != flights[5 * b + 0]:
        return flights[5 * a + 0] < flights[5 * b + 0]
    if offsets[2 * a + 0] != offsets[2 * b + 0]:
        return offsets[2 * a + 0] < offsets[2 * b + 0]
    if flights[5 * a + 1] != flights[5 * b + 1]:
        return flights[5 * a + 1] < flights[5 * b + 1]
    return flights[5 * a + 2] < flights[5 * b + 2]


@njit(cache=True, error_model="numpy")
def sift_down(heap, n, flights, offsets):
    """Move the first flight of the heap down to its place."""
    place, slot = 0, heap[0]
    while True:
        child = 2 * place + 1
        if child >= n:
            break
        if child + 1 < n and is_earlier(heap[child + 1], heap[child], flights, offsets):
            child += 1
        if not is_earlier(heap[child], slot, flights, offsets):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = slot


@njit(cache=True, error_model="numpy")
def aim(slot, delay, window, flights, offsets):
    """Set when a flight arrives: ``delay`` after it has left."""
    later = offsets[2 * slot + 1] + delay
    carry = np.floor(later / window)
    flights[5 * slot + 0] = flights[5 * slot + 4] + np.int64(carry)
    offsets[2 * slot + 0] = later - carry * window


@njit(cache=True, error_model="numpy")
def take_off(pathway, k, end, w, off, delay, window, control, heap, free, flights, offsets):
    """Send a spike along the synapses [k, end) of a row; ``delay`` is that of the first."""
    control[FREE] -= 1
    slot = free[control[FREE]]
    flights[5 * slot + 1], flights[5 * slot + 2], flights[5 * slot + 3], flights[5 * slot + 4] = pathway, k, end, w
    offsets[2 * slot + 1] = off
    aim(slot, delay, window, flights, offsets)
    climb(slot, control, heap, flights, offsets)


@njit(cache=True, error_model="numpy")
def climb(slot, control, heap, flights, offsets):
    """Put a flight into the heap."""
    place = control[FLIGHTS]
    control[FLIGHTS] = place + 1
    while place > 0:
        parent = (place - 1) >> 1
        if not is_earlier(slot, heap[parent], flights, offsets):
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = slot


@njit(cache=True, error_model="numpy", forceinline=True)
def put(u, off, control, crossings, at, place_of):
    """Put a neuron that will fire in this window into the heap of crossings."""
    place = control[CROSSINGS]
    control[CROSSINGS] = place + 1
    at[u] = off
    rise(u, place, crossings, at, place_of)


@njit(cache=True, error_model="numpy", forceinline=True)
def rise(u, place, crossings, at, place_of):
    """Move a neuron up to its place in the heap of crossings."""
    while place > 0:
        parent = (place - 1) >> 1
        other = crossings[parent]
        if at[other] < at[u] or (at[other] == at[u] and other < u):
            break
        crossings[place] = other
        place_of[other] = place
        place = parent
    crossings[place] = u
    place_of[u] = place


@njit(cache=True, error_model="numpy", forceinline=True)
def take(u, control, crossings, at, place_of):
    """Take a neuron out of the heap of crossings."""
    place = place_of[u]
    place_of[u] = -1
    n = control[CROSSINGS] - 1
    control[CROSSINGS] = n
    if place == n:
        return
    last = crossings[n]
    while True:
        child = 2 * place + 1
        if child >= n:
            break
        a = crossings[child]
        if child + 1 < n:
            b = crossings[child + 1]
            if at[b] < at[a] or (at[b] == at[a] and b < a):
                child, a = child + 1, b
        if at[last] < at[a] or (at[last] == at[a] and last < a):
            break
        crossings[place] = a
        place_of[a] = place
        place = child
    rise(last, place, crossings, at, place_of)


@njit(cache=True, error_model="numpy", forceinline=True)
def unlink(u, due, heads, following, preceding):
    """Take a neuron out of the calendar."""
    if due[u] == NEVER:
        return
    before, after = preceding[u], following[u]
    if before >= 0:
        following[before] = after
    else:
        heads[due[u] % BUCKETS] = after
    if after >= 0:
        preceding[after] = before
    due[u] = NEVER


@njit(cache=True, error_model="numpy", forceinline=True)
def link(u, window, due, heads, following, preceding):
    """Put a neuron into the calendar, to be looked at in a window."""
    due[u] = window
    first = heads[window % BUCKETS]
    following[u], preceding[u] = first, -1
    if first >= 0:
        preceding[first] = u
    heads[window % BUCKETS] = u


@njit(cache=True)
def room(control, free):
    """Return whether the buffers hold whatever one more instant may bring."""
    if control[FREE] < control[DEPARTURES] or control[SPARE] < control[SETTING_OUT]:
        return False
    if control[TOLD] > control[MOST_TOLD] or control[ENTRIES] < control[ROWS_LEAVING]:
        return False
    k = FIRST_MONITOR
    while k + 2 < control.size:
        if control[k] + control[k + 2] > control[k + 1]:
            return False
        k += 3
    return True


@njit(cache=True)
def ascending(values, n):
    """Sort the first n values (Shell's sort: few are to be sorted, and nothing is to be compiled for it)."""
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(gap, n):
            value = values[k]
            place = k
            while place >= gap and values[place - gap] > value:
                values[place] = values[place - gap]
                place -= gap
            values[place] = value
        gap //= 3
