"""The loop of the ``event`` engine: what happens next, and everything that happens at one instant.

Its functions are compiled once for all networks; what is printed for each is called by address
(:mod:`bionet.spiking.engines.event_calls`). A time is (window, offset): windows are as long as a power of two of a
second, so that carrying over from one to the next is exact, and a time is as precise after an hour as after a
millisecond.

At one instant this is the order, in *generations* until no neuron fires: neurons and sources that fire, by unit; their
spikes recorded and sent off; synapses that are reached, by pathway, source and synapse; Poisson input; resets; a look
at the thresholds of all that has changed. A neuron fires once an instant at most.

A neuron is looked at when something reaches it, and in the windows in which it might fire. Until then it waits in a
list of the calendar and costs nothing.
"""

from __future__ import annotations

import numpy as np

from bionet.spiking.engines.event_calls import (
    MEMORY,
    advance,
    arrive,
    deliver,
    fetch,
    fire,
    foresee,
    front_at,
    inject,
    launch,
    next_front,
    onward,
    reset,
    search,
    silences,
)
from bionet.spiking.engines.event_queues import (
    BUCKETS,
    CROSSINGS,
    DRAW,
    EMISSION,
    FLIGHTS,
    FREE,
    FRONTS,
    INSTANT,
    KEEPS_ALL,
    LIMIT,
    NEVER,
    NOW,
    OPEN,
    STATUS,
    TOLD,
    TOLD_AT,
    WHO,
    WINDOW,
    WRONG,
    aim,
    ascending,
    link,
    put,
    room,
    sift_down,
    take,
    unlink,
)
from bionet.spiking.engines.runtime import view

inf = np.inf

#: The engine's arrays, as ``run`` takes them.
STATE = (
    *("control", "heap", "free", "flights", "offsets", "crossings", "at", "place_of", "due", "heads", "following"),
    *("preceding", "fired", "seen", "firing", "touched", "quiet", "wanted"),
    *("emission_windows", "emission_offsets", "emission_units", "emission_kinds", "told_units", "told_offsets"),
)
#: Why the loop came back; ``FULL`` is said by several threads between two windows.
DONE, ROOM, ENOUGH, AT_ONCE, ENDLESS, NO_DELAY, FULL = range(7)
MOST_GENERATIONS = 1000
#: Whether there are fronts; of the loop both kinds are compiled.
HAS_FRONTS = False
#: From so many neurons at one instant on it pays to treat them together.
MANY = 4


def window_in(ahead, w):
    """Return the window that is so many windows after the beginning of window ``w``; the next one at the earliest."""
    return NEVER if ahead >= NEVER else max(w + np.int64(ahead), w + 1)


def postpone(u, next_look, w, wanted, due, heads, following, preceding):
    """Have a neuron looked at in a window; if it is in the calendar for an earlier one, that decides then."""
    wanted[u] = next_look
    if next_look < due[u]:
        unlink(u, due, heads, following, preceding)
        if next_look < NEVER:
            link(u, min(next_look, w + BUCKETS - 1), due, heads, following, preceding)


def schedule(u, w, memory, control, crossings, at, place_of, wanted, due, heads, following, preceding, is_now):
    """Find out when a neuron fires in this window, or put off the question to another.

    Return whether it fires as it is, if that is asked for (``is_now``); else it is due then as at any other time.
    """
    off, next_look = search(u, w, memory)
    if is_now and next_look == NOW:
        return True
    if off < inf:
        put(u, off, control, crossings, at, place_of)
    else:
        postpone(u, next_look, w, wanted, due, heads, following, preceding)
    return False


def run(memory, addresses, sizes, until):
    """Run until ``until``: (window, offset, whether what happens right then is still run).

    The engine's arrays come as addresses and sizes, in the order of ``STATE``: to views of them nobody counts
    references, which would take longer than all the rest.
    """
    control = view(addresses[0], sizes[0], np.int64)
    heap, free = view(addresses[1], sizes[1], np.int32), view(addresses[2], sizes[2], np.int32)
    flights, offsets = view(addresses[3], sizes[3], np.int64), view(addresses[4], sizes[4], np.float64)
    crossings, at = view(addresses[5], sizes[5], np.int32), view(addresses[6], sizes[6], np.float64)
    place_of, due = view(addresses[7], sizes[7], np.int32), view(addresses[8], sizes[8], np.int64)
    heads, following = view(addresses[9], sizes[9], np.int32), view(addresses[10], sizes[10], np.int32)
    preceding, fired = view(addresses[11], sizes[11], np.int32), view(addresses[12], sizes[12], np.int64)
    seen, firing = view(addresses[13], sizes[13], np.bool_), view(addresses[14], sizes[14], np.int32)
    touched, quiet = view(addresses[15], sizes[15], np.int32), view(addresses[16], sizes[16], np.float64)
    wanted = view(addresses[17], sizes[17], np.int64)
    emission_windows = view(addresses[18], sizes[18], np.int64)
    emission_offsets = view(addresses[19], sizes[19], np.float64)
    emission_units = view(addresses[20], sizes[20], np.int32)
    emission_kinds = view(addresses[21], sizes[21], np.int32)
    told_units, told_offsets = view(addresses[22], sizes[22], np.int32), view(addresses[23], sizes[23], np.float64)
    window = view(memory, MEMORY, np.float64)[5]
    last_w, last_off, inclusive = np.int64(until[0]), until[1], until[2] > 0
    n_emissions = emission_windows.size
    w = control[WINDOW]
    steps = 0
    while True:
        if not control[OPEN]:
            control[OPEN] = 1
            u = heads[w % BUCKETS]
            heads[w % BUCKETS] = -1
            while u >= 0:
                after = following[u]
                due[u] = NEVER
                if wanted[u] > w:
                    postpone(u, wanted[u], w, wanted, due, heads, following, preceding)
                elif place_of[u] < 0:
                    schedule(
                        u, w, memory, control, crossings, at, place_of, wanted, due, heads, following, preceding, False
                    )
                u = after
        off = inf
        if control[CROSSINGS]:
            off = at[crossings[0]]
        if control[FLIGHTS]:
            slot = heap[0]
            if flights[5 * slot + 0] == w and offsets[2 * slot + 0] < off:
                off = offsets[2 * slot + 0]
        front_w, front_off = NEVER, inf
        if HAS_FRONTS and control[FRONTS]:
            front_w, front_off = next_front(memory)
        if front_w == w and front_off < off:
            off = front_off
        e = control[EMISSION]
        if e < n_emissions and emission_windows[e] == w and emission_offsets[e] < off:
            off = emission_offsets[e]
        if w == last_w and (off > last_off or (off == last_off and not inclusive)):
            control[STATUS] = DONE
            break
        steps += 1
        if steps > control[LIMIT]:
            control[STATUS] = ENOUGH
            break
        if off == inf:
            following_w = min(last_w, w + BUCKETS - 1, front_w)
            if control[FLIGHTS]:
                following_w = min(following_w, flights[5 * heap[0] + 0])
            if e < n_emissions:
                following_w = min(following_w, emission_windows[e])
            w += 1
            while w < following_w and heads[w % BUCKETS] < 0:
                w += 1
            control[WINDOW], control[OPEN] = w, 0
            continue
        if not room(control, free):
            control[STATUS] = ROOM
            break
        status = instant(
            w, off, window, memory, control, heap, free, flights, offsets, crossings, at, place_of, wanted, due, heads,
            following, preceding, fired, seen, firing, touched, quiet, emission_windows, emission_offsets,
            emission_units, emission_kinds, told_units, told_offsets,
        )  # fmt: skip
        if control[WRONG]:
            status = NO_DELAY
        if status != DONE:
            control[STATUS] = status
            break


def instant(
    w, off, window, memory, control, heap, free, flights, offsets, crossings, at, place_of, wanted, due, heads,
    following, preceding, fired, seen, firing, touched, quiet, emission_windows, emission_offsets, emission_units,
    emission_kinds, told_units, told_offsets,
):  # fmt: skip
    """Do all that happens at one time."""
    now = np.float64(w) * window + off
    control[INSTANT] += 1
    number = control[INSTANT]
    per_window = 1.0 / window
    n_units = due.size
    n_firing = 0
    while control[CROSSINGS] and at[crossings[0]] == off:
        u = crossings[0]
        take(u, control, crossings, at, place_of)
        advance(u, w, off, memory)
        firing[n_firing] = u
        n_firing += 1
    first_emission = control[EMISSION]
    e = first_emission
    while e < emission_windows.size and emission_windows[e] == w and emission_offsets[e] == off:
        if emission_kinds[e] < 0:
            firing[n_firing] = emission_units[e]
            n_firing += 1
        e += 1
    control[EMISSION] = e
    generation = 0
    while True:
        ascending(firing, n_firing)
        for k in range(n_firing):
            u = firing[k]
            if u < n_units:
                fired[u] = number
            control[DRAW] += 1
            if u < n_units or control[KEEPS_ALL]:
                fire(u, w, off, now, control, memory)
            launch(u, w, off, window, memory, control, heap, free, flights, offsets)
            if u < n_units and told_units.size:
                told_units[control[TOLD_AT] + control[TOLD]], told_offsets[control[TOLD_AT] + control[TOLD]] = u, off
                control[TOLD] += 1
        n_touched = 0
        while True:
            pathway, k = -1, 0
            if HAS_FRONTS and control[FRONTS]:
                pathway, k = front_at(w, off, window, memory)
            stop, is_front = k + 1, pathway >= 0
            if control[FLIGHTS]:
                slot = heap[0]
                is_now = flights[5 * slot + 0] == w and offsets[2 * slot + 0] == off
                if is_now and not (is_front and pathway < flights[5 * slot + 1]):
                    is_front = False
                    pathway, k = flights[5 * slot + 1], flights[5 * slot + 2]
            if pathway < 0:
                break
            if is_front:
                arrive(w, off, window, memory)
                after, place = foresee(memory)
                if after >= 0:
                    fetch(after, place, seen, place_of, due, wanted, memory)
            else:
                stop, delay = onward(pathway, slot, flights, memory)
                if delay >= 0.0:
                    aim(slot, delay, window, flights, offsets)
                else:
                    free[control[FREE]] = slot
                    control[FREE] += 1
                    control[FLIGHTS] -= 1
                    heap[0] = heap[control[FLIGHTS]]
                if control[FLIGHTS] > 1:
                    sift_down(heap, control[FLIGHTS], flights, offsets)
                if control[FLIGHTS]:
                    after = 5 * heap[0]
                    fetch(flights[after + 1], flights[after + 2], seen, place_of, due, wanted, memory)
            control[DRAW] += 1
            n_touched = deliver(pathway, k, stop, w, off, now, control[DRAW], touched, n_touched, seen, memory)
        if generation == 0:
            for e in range(first_emission, control[EMISSION]):
                if emission_kinds[e] >= 0:
                    control[DRAW] += 1
                    kind, u = emission_kinds[e], emission_units[e]
                    n_touched = inject(kind, u, w, off, now, control[DRAW], touched, n_touched, seen, memory)
        for k in range(n_firing):
            u = firing[k]
            if u < n_units:
                control[DRAW] += 1
                reset(u, w, off, now, control[DRAW], memory)
                if not seen[u]:
                    seen[u] = True
                    touched[n_touched] = u
                    n_touched += 1
        n_firing = 0
        are_many = n_touched >= MANY
        if are_many:
            silences(touched, n_touched, quiet, w, off, memory)
        for k in range(n_touched):
            u = touched[k]
            seen[u] = False
            if place_of[u] >= 0:
                take(u, control, crossings, at, place_of)
            if are_many and quiet[k] >= window - off:
                postpone(u, window_in((off + quiet[k]) * per_window, w), w, wanted, due, heads, following, preceding)
            elif schedule(
                u, w, memory, control, crossings, at, place_of, wanted, due, heads, following, preceding, True
            ):
                if fired[u] == number:
                    control[WHO] = u
                    return AT_ONCE
                firing[n_firing] = u
                n_firing += 1
        if n_firing == 0:
            return DONE
        generation += 1
        if generation > MOST_GENERATIONS:
            control[WHO] = firing[0]
            return ENDLESS


#: In the order in which they call each other.
FUNCTIONS = (window_in, postpone, schedule, instant, run)
