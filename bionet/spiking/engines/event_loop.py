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

from bionet.spiking.engines.event_arrivals import (
    ALONE,
    BUCKETS,
    CHUNK,
    ONE_ROUND,
    PATHWAY,
    PLACES,
    agenda_of,
    next_at,
    put,
    sort_agenda,
    take_nearest,
)
from bionet.spiking.engines.event_calls import (
    MEMORY,
    advance,
    arrive,
    deliver,
    fetch,
    fire,
    inject,
    launch,
    onward,
    reset,
    search,
    silences,
    unfold,
)
from bionet.spiking.engines.event_queues import (
    ARRIVALS,
    ARRIVED,
    CHAIN,
    CHAINED,
    CLOSED,
    CROSSINGS,
    DRAW,
    EMISSION,
    INSTANT,
    KEEPS_ALL,
    LIMIT,
    LOOKED,
    NEAR,
    NEAR_FRONTS,
    NEVER,
    NOW,
    OPEN,
    READY,
    RECORDS,
    STATUS,
    TAKING_FRONTS,
    TOLD,
    UNFOLDING,
    WHO,
    WINDOW,
    WRONG,
    ascending,
    await_crossing,
    link,
    room,
    take,
    unlink,
)
from bionet.spiking.engines.runtime import view

inf = np.inf

#: The engine's arrays, as ``run`` takes them.
STATE = (
    *("control", "crossings", "at", "place_of", "due", "heads", "following", "preceding", "fired", "seen", "firing"),
    *("touched", "quiet", "wanted"),
    *("emission_windows", "emission_offsets", "emission_units", "emission_kinds"),
    *("told_units", "told_windows", "told_offsets"),
)
#: Why the loop came back. Of several threads: all have before one window, and their records can be handed over in order
#: (``FULL``); or another one has, and this one where it was (``LEFT``).
DONE, ROOM, ENOUGH, AT_ONCE, ENDLESS, NO_DELAY, FULL, LEFT = range(8)
MOST_GENERATIONS = 1000
#: Whether there are fronts; of the loop both kinds are compiled.
HAS_FRONTS = False
#: From so many neurons at one instant on it pays to treat them together.
MANY = 4
#: So many arrivals ahead, memory is fetched that they need; twice as many, what says where that is.
FORESIGHT = 8


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
        await_crossing(u, off, control, crossings, at, place_of)
    else:
        postpone(u, next_look, w, wanted, due, heads, following, preceding)
    return False


def run(memory, addresses, sizes, until):
    """Run until ``until``: (window, offset, whether what happens right then is still run).

    The engine's arrays come as addresses and sizes, in the order of ``STATE``: to views of them nobody counts
    references, which would take longer than all the rest.
    """
    control, crossings = view(addresses[0], sizes[0], np.int64), view(addresses[1], sizes[1], np.int32)
    at, place_of = view(addresses[2], sizes[2], np.float64), view(addresses[3], sizes[3], np.int32)
    due, heads = view(addresses[4], sizes[4], np.int64), view(addresses[5], sizes[5], np.int32)
    following, preceding = view(addresses[6], sizes[6], np.int32), view(addresses[7], sizes[7], np.int32)
    fired, seen = view(addresses[8], sizes[8], np.int64), view(addresses[9], sizes[9], np.bool_)
    firing, touched = view(addresses[10], sizes[10], np.int32), view(addresses[11], sizes[11], np.int32)
    quiet, wanted = view(addresses[12], sizes[12], np.float64), view(addresses[13], sizes[13], np.int64)
    emission_windows = view(addresses[14], sizes[14], np.int64)
    emission_offsets = view(addresses[15], sizes[15], np.float64)
    emission_units, emission_kinds = view(addresses[16], sizes[16], np.int32), view(addresses[17], sizes[17], np.int32)
    told_units, told_windows = view(addresses[18], sizes[18], np.int32), view(addresses[19], sizes[19], np.int64)
    told_offsets = view(addresses[20], sizes[20], np.float64)
    window = view(memory, MEMORY, np.float64)[5]
    last_w, last_off, inclusive = np.int64(until[0]), until[1], until[2] > 0
    n_emissions = emission_windows.size
    c = agenda_of(memory)
    w = control[WINDOW]
    steps = 0
    while True:
        if w == last_w and last_off == 0.0 and not inclusive:
            control[STATUS] = DONE
            break
        if control[OPEN] != READY and not open_window(w, window, memory, c):
            control[STATUS] = ROOM
            break
        if not control[LOOKED]:
            control[LOOKED] = 1
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
        if control[ARRIVED] < control[ARRIVALS]:
            off = min(off, c.when[control[ARRIVED]])
        if control[NEAR]:
            off = min(off, c.near_when[0])
        e = control[EMISSION]
        if e < n_emissions and emission_windows[e] == w:
            off = min(off, emission_offsets[e])
        if w == last_w and (off > last_off or (off == last_off and not inclusive)):
            control[STATUS] = DONE
            break
        steps += 1
        if steps > control[LIMIT]:
            control[STATUS] = ENOUGH
            break
        if off == inf:
            following_w = min(last_w, w + BUCKETS - 1)
            if e < n_emissions:
                following_w = min(following_w, emission_windows[e])
            w += 1
            while w < following_w and heads[w % BUCKETS] < 0 and c.ring.filled[w % BUCKETS] == 0:
                if HAS_FRONTS and c.fronts.filled[w % BUCKETS]:
                    break
                w += 1
            control[WINDOW], control[OPEN], control[LOOKED] = w, CLOSED, 0
            continue
        if not room(control):
            control[STATUS] = ROOM
            break
        status = instant(
            w, off, window, memory, c, control, crossings, at, place_of, wanted, due, heads, following, preceding,
            fired, seen, firing, touched, quiet, emission_windows, emission_offsets, emission_units, emission_kinds,
            told_units, told_windows, told_offsets,
        )  # fmt: skip
        if control[WRONG]:
            status = NO_DELAY
        if status != DONE:
            control[STATUS] = status
            break


def open_window(w, window, memory, c):
    """Put all that arrives in a window on the agenda; return whether there was room, to be called again with more."""
    control = c.control
    if control[OPEN] == CLOSED:
        control[ARRIVED] = control[ARRIVALS] = 0
        take_list(w, c.ring, control)
        control[OPEN] = UNFOLDING
    if control[OPEN] == UNFOLDING:
        if not take_out(w, c.ring, 1, window, memory, c):
            return False
        if HAS_FRONTS:
            take_list(w, c.fronts, control)
        control[OPEN] = TAKING_FRONTS
    if HAS_FRONTS and not take_out(w, c.fronts, 0, window, memory, c):
        return False
    sort_agenda(control[ARRIVALS], window, c)
    control[OPEN] = READY
    return True


def take_list(w, ring, control):
    """Take the list of a window out of a ring."""
    bucket = w % BUCKETS
    control[CHAIN], control[CHAINED] = ring.tails[bucket], (ring.filled[bucket] - 1) % CHUNK + 1
    ring.tails[bucket], ring.filled[bucket] = -1, 0


def take_out(w, ring, counted, window, memory, c):
    """Put what the list says on the agenda; return whether there was room. Records are counted, or not: 1 or 0."""
    control = c.control
    n, chunk, left = control[ARRIVALS], control[CHAIN], control[CHAINED]
    while chunk >= 0:
        at = CHUNK * chunk + left - 1
        what = ring.what[at]
        flight = -1 - what
        if n + (c.flights[4 * flight + 2] - c.flights[4 * flight + 1] if flight >= 0 else 1) > c.when.size:
            break
        control[RECORDS] += counted
        if flight >= 0:
            n = unfold(flight, n, w, window, memory)
        elif what >= ONE_ROUND:
            control[RECORDS] -= counted
            put(ring, w + what // ONE_ROUND * BUCKETS, ring.when[at], what % ONE_ROUND, w + 1)
        else:
            c.when[n], c.what[n] = ring.when[at], what
            n += 1
        left -= 1
        if left == 0:
            ring.spare[ring.left[0]] = chunk
            ring.left[0] += 1
            chunk, left = np.int64(ring.before[chunk]), CHUNK
    control[ARRIVALS], control[CHAIN], control[CHAINED] = n, chunk, left
    return chunk < 0


def instant(
    w, off, window, memory, c, control, crossings, at, place_of, wanted, due, heads, following, preceding, fired, seen,
    firing, touched, quiet, emission_windows, emission_offsets, emission_units, emission_kinds, told_units,
    told_windows, told_offsets,
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
            launch(u, w, off, window, memory)
            if u < n_units and told_units.size:
                place = control[TOLD]
                told_units[place], told_windows[place], told_offsets[place] = u, w, off
                control[TOLD] = place + 1
        n_touched = 0
        while True:
            what = next_at(off, c)
            if what < 0:
                break
            take_next(what, off, window, seen, place_of, due, wanted, memory, c)
            pathway, k = what >> PATHWAY, what & PLACES
            stop = k + 1
            if HAS_FRONTS and c.is_front[pathway]:
                if not arrive(what, w, off, window, memory):
                    continue
            else:
                while next_at(off, c) == what + 1:
                    what += 1
                    stop += 1
                    take_next(what, off, window, seen, place_of, due, wanted, memory, c)
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


def take_next(what, off, window, seen, place_of, due, wanted, memory, c):
    """Take the arrival that is next, and begin to fetch what one of those after it needs."""
    control = c.control
    k = control[ARRIVED]
    if k < control[ARRIVALS] and c.when[k] == off and c.what[k] == what:
        control[ARRIVED] = k + 1
        if k + FORESIGHT < control[ARRIVALS]:
            soon, later = c.what[k + FORESIGHT], c.what[min(k + 2 * FORESIGHT, control[ARRIVALS] - 1)]
            if later >> PATHWAY != soon >> PATHWAY:
                later = soon
            fetch(soon >> PATHWAY, soon & PLACES, later & PLACES, seen, place_of, due, wanted, memory)
        return
    flight = take_nearest(c)
    if flight >= 0:
        onward(flight, window, memory)
    elif flight == ALONE:
        control[RECORDS] += 1
    else:
        control[NEAR_FRONTS] -= 1


#: In the order in which they call each other.
FUNCTIONS = (
    *(window_in, postpone, schedule, take_list, take_out, open_window),
    *(take_next, instant, run),
)
