"""Which neurons the ``event`` engine's loop waits for.

Arrays only, changed in place. The neurons that fire in the present window are a binary heap; the calendar of windows in
which neurons are to be looked at is a ring of lists. What is on its way to synapses is in
:mod:`bionet.spiking.engines.event_arrivals`.
"""

from __future__ import annotations

from numba import njit

#: Places in ``control``: whether the window is open, by stages, and whether the neurons that were to be looked at in it
#: have been; how many records may still be put down, and how many
#: one instant may bring; the unit or synapse that something is wrong with.
STATUS, WINDOW, OPEN, LOOKED, CROSSINGS, EMISSION, DRAW, INSTANT, LIMIT = range(9)
RECORDS, DEPARTURES, FREE, WRONG, WHO = range(9, 14)
#: Of the agenda how many arrivals are over, and how many there are; how many are near; the chunk that is being taken
#: out of a ring, and what is left in it.
ARRIVED, ARRIVALS, NEAR, CHAIN, CHAINED = range(14, 19)
#: Axons that have spikes, one more than the last row used, free places for spikes on axons, how many may leave at one
#: instant, how many fronts are near, some of them out of date, and how many may be.
FRONTS, HIGHEST, SPARE, SETTING_OUT, NEAR_FRONTS, MOST_NEAR_FRONTS = range(19, 25)
#: Of several threads: spikes to be told to the others, as many as there is room for, the window this one is in, and
#: whether it keeps the records of sources.
TOLD, MOST_TOLD, PIECE, KEEPS_ALL = range(25, 29)
#: Where monitors' counters begin in ``control``.
FIRST_MONITOR = 29
#: Lists of the calendar, and of what is on its way.
BUCKETS = 1024
NEVER = 1 << 60
#: A window is closed; what arrives in it is taken out of the ring, then what arrives of fronts; it is open.
CLOSED, UNFOLDING, TAKING_FRONTS, READY = range(4)
#: What a search says in place of the window to look again: the neuron fires as it is.
NOW = -1


@njit(cache=True, error_model="numpy", forceinline=True)
def await_crossing(u, off, control, crossings, at, place_of):
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
def room(control):
    """Return whether the buffers hold whatever one more instant may bring."""
    if control[RECORDS] < control[DEPARTURES] or control[SPARE] < control[SETTING_OUT]:
        return False
    if control[TOLD] > control[MOST_TOLD]:
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
