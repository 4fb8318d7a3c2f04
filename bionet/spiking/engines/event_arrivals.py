"""What is on its way to synapses in the ``event`` engine, in order of time.

An *arrival* is an offset into a window [s] and a *code*: the number of a pathway and a place there. The place is that
of a synapse, or of a whole row of synapses where all of a pathway have one delay.

Arrivals of windows to come lie in a *ring* of lists, one for each window, as they were sent; of what comes later than
the ring goes round, the code says how many rounds it is to wait. When a window opens, its list becomes the *agenda*,
sorted. What is sent off for the very window that is open is *near*: it waits in a heap.

A spike along a row of synapses with delays of their own, which stay as they are, is one record of the ring, however
many it reaches: a *flight*, whose number, taken from -1, is in place of a code. It unfolds as windows open. Of each
flight there are four whole numbers (pathway, next synapse, end of the row, window of departure) and the offset of its
departure.

``unfold`` and ``onward`` are ordinary code, but not complete: ``delays_of`` is printed for each network, and they are
compiled with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bionet.spiking.engines.event_queues import (
    ARRIVALS,
    ARRIVED,
    BUCKETS,
    FREE,
    NEAR,
    OPEN,
    RECORDS,
    WINDOW,
)
from bionet.spiking.engines.plain_memory import memory as stretch_of

#: Of the words of a thread's memory the one that is the address of the table of arrays.
TABLE = 8
#: Records of a ring that lie together: two lines of the cache of offsets, and of codes.
CHUNK = 16
#: Bits of a code: the place, from here on the pathway, from here on the rounds.
PATHWAY, ROUNDS = 31, 43
PLACES, PATHWAYS, ONE_ROUND = (1 << PATHWAY) - 1, 1 << (ROUNDS - PATHWAY), 1 << ROUNDS
#: In so many windows, counted from now, something may arrive.
FARTHEST = BUCKETS << (62 - ROUNDS)
#: In place of the number of a flight: what is near arrives by itself, or is a front.
ALONE, IS_FRONT = -1, -2
#: So many arrivals are sorted at once; of more each goes to its part of the window first.
FEW, MOST_PARTS = 24, 1 << 16


class Ring(NamedTuple):
    """Lists of records, one for each window.

    Of each window the last chunk, and how many records there are; what comes before a chunk; the chunks that are free,
    and how many; the records' offsets and codes.
    """

    tails: NDArray
    filled: NDArray
    before: NDArray
    spare: NDArray
    left: NDArray
    when: NDArray
    what: NDArray


class Agenda(NamedTuple):
    """All that is on its way.

    The control of the loop; the ring, and that of fronts; the agenda, and room to sort it; what is near; flights, and
    those that are free; which pathways' spikes are fronts.
    """

    control: NDArray
    ring: Ring
    fronts: Ring
    when: NDArray
    what: NDArray
    other_when: NDArray
    other_what: NDArray
    parts: NDArray
    near_when: NDArray
    near_what: NDArray
    near_flight: NDArray
    flights: NDArray
    left: NDArray
    free: NDArray
    is_front: NDArray


@njit(cache=True, error_model="numpy", forceinline=True)
def _ring_at(t, k):
    n = 1 << 40
    return Ring(
        *(stretch_of(t[k], n, np.int32), stretch_of(t[k + 1], n, np.int64), stretch_of(t[k + 2], n, np.int32)),
        *(stretch_of(t[k + 3], n, np.int32), stretch_of(t[k + 4], n, np.int64), stretch_of(t[k + 5], n, np.float64)),
        stretch_of(t[k + 6], n, np.int64),
    )


@njit(cache=True, error_model="numpy", forceinline=True)
def agenda_of(memory):
    """Return the arrays of a thread: a table has their addresses, in order, and then the agenda's size."""
    t, n = stretch_of(stretch_of(memory, TABLE + 1, np.int64)[TABLE], 28, np.int64), 1 << 40
    return Agenda(
        *(stretch_of(t[0], n, np.int64), _ring_at(t, 1), _ring_at(t, 8)),
        *(stretch_of(t[15], t[27], np.float64), stretch_of(t[16], n, np.int64)),
        *(stretch_of(t[17], n, np.float64), stretch_of(t[18], n, np.int64), stretch_of(t[19], n, np.int32)),
        *(stretch_of(t[20], n, np.float64), stretch_of(t[21], n, np.int64), stretch_of(t[22], n, np.int32)),
        *(stretch_of(t[23], n, np.int64), stretch_of(t[24], n, np.float64), stretch_of(t[25], n, np.int32)),
        stretch_of(t[26], n, np.bool_),
    )


@njit(cache=True, error_model="numpy", forceinline=True)
def put(ring, w, off, what, base):
    """Put a record into the list of a window; ``base`` is the first window whose list is still to be taken out."""
    ahead = w - base
    bucket = w % BUCKETS
    n = ring.filled[bucket]
    if n % CHUNK == 0:
        ring.left[0] -= 1
        chunk = ring.spare[ring.left[0]]
        ring.before[chunk] = ring.tails[bucket]
        ring.tails[bucket] = chunk
    at = CHUNK * np.int64(ring.tails[bucket]) + n % CHUNK
    ring.when[at] = off
    ring.what[at] = what + ahead // BUCKETS * ONE_ROUND
    ring.filled[bucket] = n + 1


@njit(cache=True, error_model="numpy", forceinline=True)
def approach(off, what, flight, c):
    """Put what arrives in the window that is open into the heap of what is near."""
    place = c.control[NEAR]
    c.control[NEAR] = place + 1
    while place > 0:
        parent = (place - 1) >> 1
        if c.near_when[parent] < off or (c.near_when[parent] == off and c.near_what[parent] <= what):
            break
        c.near_when[place], c.near_what[place] = c.near_when[parent], c.near_what[parent]
        c.near_flight[place] = c.near_flight[parent]
        place = parent
    c.near_when[place], c.near_what[place], c.near_flight[place] = off, what, flight


@njit(cache=True, error_model="numpy", forceinline=True)
def take_nearest(c):
    """Take the first of what is near out of the heap; return its flight."""
    flight = np.int64(c.near_flight[0])
    n = c.control[NEAR] - 1
    c.control[NEAR] = n
    off, last = c.near_when[n], c.near_what[n]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= n:
            break
        if child + 1 < n:
            a, b = c.near_when[child], c.near_when[child + 1]
            if b < a or (b == a and c.near_what[child + 1] < c.near_what[child]):
                child += 1
        if not (c.near_when[child] < off or (c.near_when[child] == off and c.near_what[child] < last)):
            break
        c.near_when[place], c.near_what[place] = c.near_when[child], c.near_what[child]
        c.near_flight[place] = c.near_flight[child]
        place = child
    if n > 0:
        c.near_when[place], c.near_what[place], c.near_flight[place] = off, last, c.near_flight[n]
    return flight


@njit(cache=True, error_model="numpy", forceinline=True)
def expect(w, off, what, flight, c):
    """Note an arrival at a time, by itself or the next one of a flight."""
    base = c.control[WINDOW] + (c.control[OPEN] != 0)
    if w < base:
        approach(off, what, flight, c)
    elif flight >= 0:
        put(c.ring, min(w, base + BUCKETS - 1), 0.0, -1 - flight, base)
    else:
        put(c.ring, w, off, what, base)


@njit(cache=True, error_model="numpy", forceinline=True)
def after_delay(w, off, delay, window):
    """Return the window and offset that are so long after a time."""
    later = off + delay
    carry = np.floor(later / window)
    return w + np.int64(carry), later - carry * window


@njit(cache=True, error_model="numpy", forceinline=True)
def send(pathway, place, w, off, delay, window, c):
    """Send a spike off to a place of a pathway."""
    arrives_w, arrives_off = after_delay(w, off, delay, window)
    c.control[RECORDS] -= 1
    expect(arrives_w, arrives_off, (pathway << PATHWAY) + place, ALONE, c)


@njit(cache=True, error_model="numpy", forceinline=True)
def take_off(pathway, k, end, w, off, delay, window, c):
    """Send a spike off along the synapses [k, end) of a row; ``delay`` is that of the first."""
    arrives_w, arrives_off = after_delay(w, off, delay, window)
    c.control[RECORDS] -= 1
    c.control[FREE] -= 1
    flight = np.int64(c.free[c.control[FREE]])
    f = 4 * flight
    c.flights[f], c.flights[f + 1], c.flights[f + 2], c.flights[f + 3], c.left[flight] = pathway, k, end, w, off
    expect(arrives_w, arrives_off, (pathway << PATHWAY) + k, flight, c)


@njit(cache=True, error_model="numpy", forceinline=True)
def next_at(off, c):
    """Return the code of what arrives next, if it does so at a time and nothing else comes before; else -1."""
    what = np.int64(-1)
    if c.control[ARRIVED] < c.control[ARRIVALS] and c.when[c.control[ARRIVED]] == off:
        what = c.what[c.control[ARRIVED]]
    if c.control[NEAR] and c.near_when[0] == off and (what < 0 or c.near_what[0] < what):
        what = c.near_what[0]
    return what


@njit(cache=True, error_model="numpy", forceinline=True)
def in_order(low, high, when, what):
    """Sort the arrivals [low, high) by offset and code (Shell's sort)."""
    gap = 1
    while gap < (high - low) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(low + gap, high):
            off, code = when[k], what[k]
            place = k
            while place >= low + gap:
                other = when[place - gap]
                if other < off or (other == off and what[place - gap] <= code):
                    break
                when[place], what[place] = other, what[place - gap]
                place -= gap
            when[place], what[place] = off, code
        gap //= 3


@njit(cache=True, error_model="numpy", forceinline=True)
def sort_agenda(n, window, c):
    """Sort the n arrivals of the agenda: by their part of the window first, as even parts as there are arrivals."""
    if n <= FEW:
        in_order(0, n, c.when, c.what)
        return
    n_parts = 32
    while n_parts < n and n_parts < MOST_PARTS:
        n_parts *= 2
    scale = n_parts / window
    for part in range(n_parts + 1):
        c.parts[part] = 0
    for k in range(n):
        c.parts[np.int64(c.when[k] * scale) + 1] += 1
    for part in range(n_parts):
        c.parts[part + 1] += c.parts[part]
    for k in range(n):
        own = np.int64(c.when[k] * scale)
        place = c.parts[own]
        c.parts[own] = place + 1
        c.other_when[place], c.other_what[place] = c.when[k], c.what[k]
    low = np.int32(0)
    for part in range(n_parts):
        high = c.parts[part]
        if high > low + 1:
            in_order(low, high, c.other_when, c.other_what)
        low = high
    for k in range(n):
        c.when[k], c.what[k] = c.other_when[k], c.other_what[k]


@njit(cache=True, error_model="numpy")
def expect_all(windows, offsets, codes, memory):
    """Note arrivals, all by themselves."""
    c = agenda_of(memory)
    for k in range(codes.size):
        c.control[RECORDS] -= 1
        expect(windows[k], offsets[k], codes[k], ALONE, c)


# Printed for each network.
delays_of: Any = None


def unfold(flight, n, w, window, memory):
    """Add what a flight reaches in a window to the agenda's n arrivals, and put it down for a later window.

    Return how many arrivals there are now.
    """
    c = agenda_of(memory)
    f, left = 4 * flight, c.left[flight]
    pathway, k, end, left_w = c.flights[f], c.flights[f + 1], c.flights[f + 2], c.flights[f + 3]
    delay = delays_of(pathway, memory)
    while k < end:
        arrives_w, arrives_off = after_delay(left_w, left, delay[k], window)
        if arrives_w > w:
            put(c.ring, min(arrives_w, w + BUCKETS), 0.0, -1 - flight, w + 1)
            c.control[RECORDS] -= 1
            c.flights[f + 1] = k
            return n
        c.when[n], c.what[n] = arrives_off, (pathway << PATHWAY) + k
        n += 1
        k += 1
    c.free[c.control[FREE]] = flight
    c.control[FREE] += 1
    return n


def onward(flight, window, memory):
    """Let a flight that was near go on to its next synapse."""
    c = agenda_of(memory)
    f = 4 * flight
    pathway, k = c.flights[f], c.flights[f + 1] + 1
    if k < c.flights[f + 2]:
        c.flights[f + 1] = k
        delay = delays_of(pathway, memory)[k]
        arrives_w, arrives_off = after_delay(c.flights[f + 3], c.left[flight], delay, window)
        expect(arrives_w, arrives_off, (pathway << PATHWAY) + k, flight, c)
        return
    c.free[c.control[FREE]] = flight
    c.control[FREE] += 1
    c.control[RECORDS] += 1


FUNCTIONS = (unfold, onward)
