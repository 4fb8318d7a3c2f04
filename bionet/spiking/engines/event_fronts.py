r"""Spikes as fronts: one that left at :math:`t_0` arrives when :math:`\int_{t_0}^t v(s)\,ds` is the length of its axon.

An *axon* is a synapse of a pathway whose spikes are fronts. While it has spikes it has a row, which holds when the
first of them arrives, and a distance: how far a front has come that set out when there was none on the axon, up to the
last change of the velocity. The spike that did set out then is in the row itself, which needs its length alone; those
behind it are a list in the order of departure, each with its start (that distance, at the departure) and length. So a
change of the velocity touches the row and the first spike alone, and no spike overtakes another.

The time at which the first spike of a row arrives is put down in a ring of windows, as all arrivals are
(:mod:`bionet.spiking.engines.event_arrivals`). Where the velocity has changed since, what was put down is not what the
row says any more, and is passed over. Rows that are free are used again, the last one first: so those in use are few
beside the axons, and stay in the cache.

A velocity that stands still between changes makes distances products. One that moves by itself, as equations say, is
integrated by Gauss and Kronrod's rule of 7 and 15 points [1]_ over stretches short enough, and the arrival found by
Newton's method within a bracket.

The functions below ``Queues`` are ordinary code, but not complete: ``queues``, ``velocity``, ``is_moving`` and
``axon_of`` are printed for each network, and the others compiled with them.

References
----------
.. [1] R. Piessens et al., "QUADPACK: a subroutine package for automatic integration", Springer (1983).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bionet.spiking.engines.event_arrivals import (
    BUCKETS,
    CHUNK,
    FARTHEST,
    IS_FRONT,
    PATHWAY,
    PLACES,
    agenda_of,
    approach,
    put,
)
from bionet.spiking.engines.event_queues import (
    FRONTS,
    HIGHEST,
    MOST_NEAR_FRONTS,
    NEAR,
    NEAR_FRONTS,
    NEVER,
    OPEN,
    SPARE,
    WHO,
    WINDOW,
    WRONG,
)

#: Columns of an axon's row, a line of the cache. FIRST is the length of the spike that set out when there was none;
#: below 0, it has arrived. In the place of the last column are two whole numbers, ``links``: the axon (-1: the row is
#: free), and the last spike of the list, behind which comes its first (-1: there is none).
DUE_W, DUE_OFF, SINCE_W, SINCE_OFF, DISTANCE, VELOCITY, FIRST = range(7)
AXON = 8
OWNER, TAIL = 14, 15
LINKS = 16
#: What is beside a row where velocities move by themselves. DISTANCE_NOW and VELOCITY_THEN, at the arrival, are put
#: there while code runs that may change the velocity. IS_UNSURE: there is no arrival yet, it is to be looked at again.
DISTANCE_NOW, VELOCITY_THEN, IS_UNSURE = range(3)
ASIDE = 3
#: Columns of a spike's row: the time of departure, start and length.
LEFT_W, LEFT_OFF, START, REACH = range(4)
SPIKE = 4
#: How far ahead an arrival is looked for where a velocity moves by itself [s].
AHEAD = 1.0
#: The difference between the two rules that a stretch may show, of its length; the finer rule errs far less.
TOLERANCE = 1e-13

_HALF = np.array([0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
                  0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
                  0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
                  0.207784955007898467600689403773245, 0.0])  # fmt: skip
_WEIGHTS = np.array([0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
                     0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
                     0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
                     0.204432940075298892414161999234649, 0.209482141084727828012999174891714])  # fmt: skip
_GAUSS = np.array([0.0, 0.129484966168869693270611432679082, 0.0, 0.279705391489276667901467771423780,
                   0.0, 0.381830050505118944950369775488975, 0.0, 0.417959183673469387755102040816327])  # fmt: skip
NODES = np.concatenate([-_HALF, _HALF[-2::-1]])
FINE, COARSE = np.concatenate([_WEIGHTS, _WEIGHTS[-2::-1]]), np.concatenate([_GAUSS, _GAUSS[-2::-1]])


class Queues(NamedTuple):
    """The arrays of fronts.

    Of each axon its row (``slots``; -1: none). The rows, the whole numbers in them, and what is beside them. Spikes and
    what follows each. Free rows and free places for spikes; the first axon of each pathway.
    """

    slots: NDArray
    axons: NDArray
    links: NDArray
    aside: NDArray
    spikes: NDArray
    following: NDArray
    free_rows: NDArray
    spare: NDArray
    bases: NDArray
    control: NDArray
    accuracy: NDArray


@njit(cache=True, error_model="numpy")
def append(spike, row, q):
    """Append a spike to the list of a row."""
    last = q.links[LINKS * row + TAIL]
    q.following[spike] = spike
    if last >= 0:
        q.following[spike], q.following[last] = q.following[last], spike
    q.links[LINKS * row + TAIL] = spike


@njit(cache=True, error_model="numpy")
def put_down(row, pathway, q, c):
    """Put down when the first spike of a row arrives, in the ring or with what is near."""
    r, base = AXON * row, c.control[WINDOW] + (c.control[OPEN] != 0)
    if q.axons[r + DUE_W] - base >= FARTHEST:
        return
    w, off = np.int64(q.axons[r + DUE_W]), q.axons[r + DUE_OFF]
    code = (pathway << PATHWAY) + (np.int64(q.links[LINKS * row + OWNER]) - q.bases[pathway])
    if w < base:
        c.control[NEAR_FRONTS] += 1
        approach(off, code, IS_FRONT, c)
    else:
        put(c.fronts, w, off, code, base)


# Printed for each network.
queues: Any = None
velocity: Any = None
is_moving: Any = None
axon_of: Any = None


def stretch(pathway, i, t, width, memory):
    """Return how far a front comes in a stretch of time, and how far the coarser rule differs; NaN if it goes back."""
    fine = coarse = 0.0
    for k in range(15):
        v = velocity(pathway, i, t + 0.5 * width * (1.0 + NODES[k]), memory)
        if not v >= 0.0:
            return np.nan, np.nan
        fine += FINE[k] * v
        coarse += COARSE[k] * v
    return 0.5 * width * fine, 0.5 * width * abs(fine - coarse)


def travelled(pathway, i, t, span, memory):
    """Return how far a front comes from a time on, where the velocity moves by itself."""
    h = total = 0.0
    width = span
    while h < span:
        width = min(width, span - h)
        piece, wrong = stretch(pathway, i, t + h, width, memory)
        if not wrong <= TOLERANCE * piece and width > 1e-9 * span:
            width *= 0.5
            continue
        total += piece
        h += width
        width *= 2.0
    return total


def reach(pathway, i, t, rest, accuracy, memory):
    """Return after what time a front has come far enough, where the velocity moves by itself, and 0.

    If it has not within AHEAD, or the velocity is none from some time on, return when to look again, and 1.
    """
    v = velocity(pathway, i, t, memory)
    width = min(1.25 * rest / v, AHEAD) if v > 0.0 else AHEAD / 1024
    shortest = 1e-9 * width
    h = total = error = 0.0
    while True:
        if h >= AHEAD:
            return h, 1.0
        piece, wrong = stretch(pathway, i, t + h, width, memory)
        if not wrong <= TOLERANCE * rest and width > shortest:
            width *= 0.5
            continue
        if not piece >= 0.0:
            return h, 1.0
        error += rest * min((200.0 * wrong / rest) ** 1.5, 1.0)
        if total + piece >= rest:
            break
        total += piece
        h += width
        width = min(2.0 * width, AHEAD)
    low, high, step = 0.0, width, width
    x = width * (rest - total) / piece
    for _ in range(60):
        miss = stretch(pathway, i, t + h, x, memory)[0] - (rest - total)
        if miss > 0.0:
            high = x
        else:
            low = x
        v = velocity(pathway, i, t + h + x, memory)
        new = x - miss / v if v > 0.0 else 0.5 * (low + high)
        if not low <= new <= high:
            new = 0.5 * (low + high)
        step = abs(new - x)
        x = new
        if step <= 2e-16 * (h + x):
            break
    accuracy[0] = max(accuracy[0], step, (2e-16 * rest + error) / v if v > 0.0 else high - low)
    return h + x, 0.0


def gone(row, pathway, i, w, off, window, memory):
    """Return how far a front has come since the last change of the velocity."""
    q = queues(memory)
    r = AXON * row
    span = (w - q.axons[r + SINCE_W]) * window + (off - q.axons[r + SINCE_OFF])
    if is_moving(pathway):
        return travelled(pathway, i, q.axons[r + SINCE_W] * window + q.axons[r + SINCE_OFF], span, memory)
    return q.axons[r + VELOCITY] * span


def aim_front(row, pathway, i, w, off, window, memory):
    """Set when the first spike of a row's axon arrives: not before (w, off)."""
    q = queues(memory)
    axons, spikes, r = q.axons, q.spikes, AXON * row
    start_w, start_off = axons[r + SINCE_W], axons[r + SINCE_OFF]
    rest = axons[r + FIRST] - axons[r + DISTANCE]
    if axons[r + FIRST] < 0.0:
        s = SPIKE * np.int64(q.following[q.links[LINKS * row + TAIL]])
        rest = spikes[s + START] + spikes[s + REACH] - axons[r + DISTANCE]
        if spikes[s + LEFT_W] > start_w or (spikes[s + LEFT_W] == start_w and spikes[s + LEFT_OFF] >= start_off):
            start_w, start_off, rest = spikes[s + LEFT_W], spikes[s + LEFT_OFF], spikes[s + REACH]
    if is_moving(pathway):
        q.aside[ASIDE * row + IS_UNSURE] = 0.0
    if rest <= 0.0:
        h = 0.0
    elif is_moving(pathway):
        h, q.aside[ASIDE * row + IS_UNSURE] = reach(pathway, i, start_w * window + start_off, rest, q.accuracy, memory)
    else:
        h = rest / axons[r + VELOCITY]
    later = start_off + h
    carry = np.floor(later / window)
    if not carry < 1e15:
        axons[r + DUE_W], axons[r + DUE_OFF] = np.float64(NEVER), 0.0
        return
    axons[r + DUE_W], axons[r + DUE_OFF] = start_w + carry, later - carry * window
    if axons[r + DUE_W] < w or (axons[r + DUE_W] == w and axons[r + DUE_OFF] < off):
        axons[r + DUE_W], axons[r + DUE_OFF] = w, off


def announce_all(memory):
    """Put down anew when the first spikes of all rows arrive."""
    q, c = queues(memory), agenda_of(memory)
    n = c.control[NEAR]
    c.control[NEAR] = c.control[NEAR_FRONTS] = 0
    for k in range(n):
        if c.near_flight[k] != IS_FRONT:
            approach(c.near_when[k], c.near_what[k], c.near_flight[k], c)
    for bucket in range(BUCKETS):
        while c.fronts.filled[bucket] > 0:
            chunk = c.fronts.tails[bucket]
            c.fronts.spare[c.fronts.left[0]] = chunk
            c.fronts.left[0] += 1
            c.fronts.tails[bucket] = c.fronts.before[chunk]
            c.fronts.filled[bucket] = (c.fronts.filled[bucket] - 1) // CHUNK * CHUNK
    for row in range(q.control[HIGHEST]):
        if q.links[LINKS * row + OWNER] >= 0:
            number, _, _ = axon_of(np.int64(q.links[LINKS * row + OWNER]), memory)
            put_down(row, number, q, c)


def announce(row, pathway, memory):
    """Put down when the first spike of a row arrives; where there is no room for it, what is out of date makes some."""
    q, c = queues(memory), agenda_of(memory)
    if c.fronts.left[0] > 0 and c.control[NEAR_FRONTS] < c.control[MOST_NEAR_FRONTS]:
        put_down(row, pathway, q, c)
        return
    announce_all(memory)


def check_velocity(v, pathway, i, control):
    """Note a velocity that is none."""
    if not (0.0 <= v < np.inf):
        control[WRONG], control[WHO] = pathway + 1, i


def depart(a, pathway, i, w, off, window, length, memory):
    """Send a spike along an axon."""
    q = queues(memory)
    if not (0.0 <= length < np.inf):
        q.control[WRONG], q.control[WHO] = pathway + 1, i
    row = np.int64(q.slots[a])
    if row >= 0:
        q.control[SPARE] -= 1
        spike = q.spare[q.control[SPARE]]
        s = SPIKE * np.int64(spike)
        q.spikes[s + LEFT_W], q.spikes[s + LEFT_OFF], q.spikes[s + REACH] = w, off, length
        q.spikes[s + START] = q.axons[AXON * row + DISTANCE] + gone(row, pathway, i, w, off, window, memory)
        append(spike, row, q)
        return
    row = np.int64(q.free_rows[q.control[FRONTS]])
    q.control[FRONTS] += 1
    q.control[HIGHEST] = max(q.control[HIGHEST], row + 1)
    r = AXON * row
    q.slots[a] = row
    q.links[LINKS * row + OWNER], q.links[LINKS * row + TAIL] = a, -1
    v = velocity(pathway, i, w * window + off, memory)
    check_velocity(v, pathway, i, q.control)
    q.axons[r + SINCE_W], q.axons[r + SINCE_OFF], q.axons[r + DISTANCE], q.axons[r + VELOCITY] = w, off, 0.0, v
    q.axons[r + FIRST] = length
    aim_front(row, pathway, i, w, off, window, memory)
    announce(row, pathway, memory)


def before_change(a, pathway, i, w, off, window, memory):
    """Put aside how far a front has come, before code runs that may change how its velocity moves."""
    q = queues(memory)
    row = np.int64(q.slots[a])
    if row >= 0 and is_moving(pathway):
        r, beside = AXON * row, ASIDE * row
        q.aside[beside + DISTANCE_NOW] = q.axons[r + DISTANCE] + gone(row, pathway, i, w, off, window, memory)
        q.axons[r + VELOCITY] = velocity(pathway, i, w * window + off, memory)
        then = q.axons[r + DUE_W] * window + q.axons[r + DUE_OFF]
        q.aside[beside + VELOCITY_THEN] = velocity(pathway, i, then, memory)


def after_change(a, pathway, i, w, off, window, memory):
    """Aim anew where code has changed a velocity."""
    q = queues(memory)
    row = np.int64(q.slots[a])
    if row < 0:
        return
    r, beside, axons = AXON * row, ASIDE * row, q.axons
    v = velocity(pathway, i, w * window + off, memory)
    check_velocity(v, pathway, i, q.control)
    if is_moving(pathway):
        then = axons[r + DUE_W] * window + axons[r + DUE_OFF]
        if v == axons[r + VELOCITY] and velocity(pathway, i, then, memory) == q.aside[beside + VELOCITY_THEN]:
            return
        axons[r + DISTANCE] = q.aside[beside + DISTANCE_NOW]
    else:
        if v == axons[r + VELOCITY]:
            return
        axons[r + DISTANCE] += gone(row, pathway, i, w, off, window, memory)
    axons[r + SINCE_W], axons[r + SINCE_OFF], axons[r + VELOCITY] = w, off, v
    due_w, due_off = axons[r + DUE_W], axons[r + DUE_OFF]
    aim_front(row, pathway, i, w, off, window, memory)
    if axons[r + DUE_W] != due_w or axons[r + DUE_OFF] != due_off:
        announce(row, pathway, memory)


def before_changes(w, off, window, memory):
    """Do that for all axons with spikes."""
    q = queues(memory)
    for row in range(q.control[HIGHEST]):
        a = np.int64(q.links[LINKS * row + OWNER])
        if a >= 0:
            pathway, _, i = axon_of(a, memory)
            before_change(a, pathway, i, w, off, window, memory)


def after_changes(w, off, window, memory):
    """Do that for all axons with spikes."""
    q = queues(memory)
    for row in range(q.control[HIGHEST]):
        a = np.int64(q.links[LINKS * row + OWNER])
        if a >= 0:
            pathway, _, i = axon_of(a, memory)
            after_change(a, pathway, i, w, off, window, memory)


def arrive(what, w, off, window, memory):
    """Take the spike that arrives from its axon; return whether there is one."""
    q = queues(memory)
    pathway = what >> PATHWAY
    a = q.bases[pathway] + (what & PLACES)
    row = np.int64(q.slots[a])
    if row < 0 or q.axons[AXON * row + DUE_W] != w or q.axons[AXON * row + DUE_OFF] != off:
        return False
    _, _, i = axon_of(a, memory)
    r, own = AXON * row, LINKS * row
    if is_moving(pathway) and q.aside[ASIDE * row + IS_UNSURE] > 0.0:
        before_change(a, pathway, i, w, off, window, memory)
        q.axons[r + SINCE_W], q.axons[r + SINCE_OFF] = w, off
        q.axons[r + DISTANCE] = q.aside[ASIDE * row + DISTANCE_NOW]
        aim_front(row, pathway, i, w, off, window, memory)
        if q.aside[ASIDE * row + IS_UNSURE] > 0.0 and q.axons[r + DUE_W] == w and q.axons[r + DUE_OFF] == off:
            q.control[WRONG], q.control[WHO] = pathway + 1, i
            q.axons[r + DUE_W] = np.float64(NEVER)
        announce(row, pathway, memory)
        return False
    last = q.links[own + TAIL]
    if q.axons[r + FIRST] >= 0.0:
        q.axons[r + FIRST] = -1.0
    else:
        spike = q.following[last]
        q.spare[q.control[SPARE]] = spike
        q.control[SPARE] += 1
        q.following[last] = q.following[spike]
        if spike == last:
            q.links[own + TAIL] = last = np.int32(-1)
    if last >= 0:
        aim_front(row, pathway, i, w, off, window, memory)
        announce(row, pathway, memory)
        return True
    q.slots[a], q.links[own + OWNER] = -1, -1
    q.control[FRONTS] -= 1
    q.free_rows[q.control[FRONTS]] = row
    return True


#: In the order in which they call each other; the first three are there for velocities that move by themselves.
MOVING = (stretch, travelled, reach)
FUNCTIONS = (
    *(gone, aim_front, announce_all, announce, check_velocity, depart, before_change, after_change),
    *(before_changes, after_changes, arrive),
)
