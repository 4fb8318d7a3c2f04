r"""Spikes as fronts: one that left at :math:`t_0` arrives when :math:`\int_{t_0}^t v(s)\,ds` is the length of its axon.

An *axon* is a synapse of a pathway whose spikes are fronts. While it has spikes it has a row, which holds when the
first of them arrives, and a distance: how far a front has come that set out when there was none on the axon, up to the
last change of the velocity. Its spikes are a list in the order of departure, each with its start (that distance, at the
departure) and length; so a change of the velocity touches the row and the first spike alone, and no spike overtakes
another. Rows in use are a heap by the time at which the first spike arrives, the times within it. Behind them the heap
lists the rows that are free, the last one used first: so those in use are few beside the axons, and stay in the cache.

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

from bionet.spiking.engines.event_queues import FRONTS, NEVER, SPARE, WHO, WRONG
from bionet.spiking.engines.runtime import fetch_line

#: Columns of an axon's row, a line of the cache; in the place of the last two are four whole numbers, ``links``: its
#: first and last spike, its axon, and its place in the heap.
DUE_W, DUE_OFF, SINCE_W, SINCE_OFF, DISTANCE, VELOCITY = range(6)
AXON = 8
HEAD, TAIL, OWNER, PLACE = range(12, 16)
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
    what follows each; the heap, and the times in it: rounded, so that where two are equal the rows tell.
    """

    slots: NDArray
    axons: NDArray
    links: NDArray
    aside: NDArray
    spikes: NDArray
    following: NDArray
    heap: NDArray
    due: NDArray
    spare: NDArray
    control: NDArray
    accuracy: NDArray


@njit(cache=True, error_model="numpy")
def precedes(row, other, axons, links):
    """Return whether the first spike of a row arrives before that of another; at one time, in the order of axons."""
    a, b = AXON * np.int64(row), AXON * np.int64(other)
    if axons[a + DUE_W] != axons[b + DUE_W]:
        return axons[a + DUE_W] < axons[b + DUE_W]
    if axons[a + DUE_OFF] != axons[b + DUE_OFF]:
        return axons[a + DUE_OFF] < axons[b + DUE_OFF]
    return links[LINKS * np.int64(row) + OWNER] < links[LINKS * np.int64(other) + OWNER]


@njit(cache=True, error_model="numpy", forceinline=True)
def is_before(due, row, place, q):
    """Return whether a row, whose first spike arrives at ``due``, comes before the one at a place of the heap."""
    if due == q.due[place]:
        return precedes(row, q.heap[place], q.axons, q.links)
    return due < q.due[place]


@njit(cache=True, error_model="numpy", forceinline=True)
def sooner(a, b, q):
    """Return which of two places of the heap comes first."""
    if q.due[a] == q.due[b]:
        return b if precedes(q.heap[b], q.heap[a], q.axons, q.links) else a
    # Without a branch: nobody could predict it.
    return b if q.due[b] < q.due[a] else a


@njit(cache=True, error_model="numpy")
def settle(row, place, n, window, q):
    """Move a row from a place of the heap to the one it belongs to.

    Each place has eight below it; those below them are fetched from memory while the eight are compared.
    """
    heap, due, links = q.heap, q.due, q.links
    own = q.axons[AXON * row + DUE_W] * window + q.axons[AXON * row + DUE_OFF]
    while place > 0:
        other = (place - 1) >> 3
        if not is_before(own, row, other, q):
            break
        heap[place], due[place] = heap[other], due[other]
        links[LINKS * np.int64(heap[place]) + PLACE] = place
        place = other
    while True:
        first = 8 * place + 1
        if first >= n:
            break
        below = 8 * first + 1
        if below < n:
            for child in range(8):
                fetch_line(due, below + 8 * child)
        if first + 7 < n:
            a, b = sooner(first, first + 1, q), sooner(first + 2, first + 3, q)
            c, d = sooner(first + 4, first + 5, q), sooner(first + 6, first + 7, q)
            best = sooner(sooner(a, b, q), sooner(c, d, q), q)
        else:
            best = first
            for child in range(first + 1, n):
                best = sooner(best, child, q)
        if is_before(own, row, best, q):
            break
        heap[place], due[place] = heap[best], due[best]
        links[LINKS * np.int64(heap[place]) + PLACE] = place
        place = best
    heap[place], due[place] = row, own
    links[LINKS * row + PLACE] = place


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
    axons, spikes = q.axons, q.spikes
    r, s = AXON * row, SPIKE * np.int64(q.links[LINKS * row + HEAD])
    start_w, start_off, rest = spikes[s + LEFT_W], spikes[s + LEFT_OFF], spikes[s + REACH]
    if start_w < axons[r + SINCE_W] or (start_w == axons[r + SINCE_W] and start_off < axons[r + SINCE_OFF]):
        start_w, start_off = axons[r + SINCE_W], axons[r + SINCE_OFF]
        rest = spikes[s + START] + rest - axons[r + DISTANCE]
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


def check_velocity(v, pathway, i, control):
    """Note a velocity that is none."""
    if not (0.0 <= v < np.inf):
        control[WRONG], control[WHO] = pathway + 1, i


def depart(a, pathway, i, w, off, window, length, memory):
    """Send a spike along an axon."""
    q = queues(memory)
    if not (0.0 <= length < np.inf):
        q.control[WRONG], q.control[WHO] = pathway + 1, i
    q.control[SPARE] -= 1
    spike = q.spare[q.control[SPARE]]
    s = SPIKE * np.int64(spike)
    q.spikes[s + LEFT_W], q.spikes[s + LEFT_OFF], q.spikes[s + START], q.spikes[s + REACH] = w, off, 0.0, length
    q.following[spike] = -1
    row = np.int64(q.slots[a])
    if row >= 0:
        q.spikes[s + START] = q.axons[AXON * row + DISTANCE] + gone(row, pathway, i, w, off, window, memory)
        q.following[q.links[LINKS * row + TAIL]] = spike
        q.links[LINKS * row + TAIL] = spike
        return
    n = q.control[FRONTS]
    row = np.int64(q.heap[n])
    r = AXON * row
    q.slots[a] = row
    q.links[LINKS * row + HEAD] = q.links[LINKS * row + TAIL] = spike
    q.links[LINKS * row + OWNER] = a
    v = velocity(pathway, i, w * window + off, memory)
    check_velocity(v, pathway, i, q.control)
    q.axons[r + SINCE_W], q.axons[r + SINCE_OFF], q.axons[r + DISTANCE], q.axons[r + VELOCITY] = w, off, 0.0, v
    aim_front(row, pathway, i, w, off, window, memory)
    q.control[FRONTS] = n + 1
    settle(row, n, n + 1, window, q)


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
    aim_front(row, pathway, i, w, off, window, memory)
    settle(row, np.int64(q.links[LINKS * row + PLACE]), q.control[FRONTS], window, q)


def before_changes(w, off, window, memory):
    """Do that for all axons with spikes."""
    q = queues(memory)
    for k in range(q.control[FRONTS]):
        a = np.int64(q.links[LINKS * np.int64(q.heap[k]) + OWNER])
        pathway, _, i = axon_of(a, memory)
        before_change(a, pathway, i, w, off, window, memory)


def after_changes(w, off, window, memory):
    """Do that for all axons with spikes."""
    q = queues(memory)
    rows = q.heap[: q.control[FRONTS]].copy()
    for row in rows:
        a = np.int64(q.links[LINKS * np.int64(row) + OWNER])
        pathway, _, i = axon_of(a, memory)
        after_change(a, pathway, i, w, off, window, memory)


def next_front(memory):
    """Return when the next front arrives."""
    q = queues(memory)
    if q.control[FRONTS] == 0:
        return NEVER, np.inf
    r = AXON * np.int64(q.heap[0])
    return np.int64(q.axons[r + DUE_W]), q.axons[r + DUE_OFF]


def front_at(w, off, window, memory):
    """Return a pathway and a place of it that a front reaches at a time; the pathway is below 0 if there is none."""
    q = queues(memory)
    while q.control[FRONTS]:
        row = np.int64(q.heap[0])
        r, a = AXON * row, np.int64(q.links[LINKS * row + OWNER])
        if q.axons[r + DUE_W] != w or q.axons[r + DUE_OFF] != off:
            break
        pathway, k, i = axon_of(a, memory)
        if not is_moving(pathway) or q.aside[ASIDE * row + IS_UNSURE] == 0.0:
            return pathway, k
        before_change(a, pathway, i, w, off, window, memory)
        q.axons[r + SINCE_W], q.axons[r + SINCE_OFF], q.axons[r + DISTANCE] = (
            w,
            off,
            q.aside[ASIDE * row + DISTANCE_NOW],
        )
        aim_front(row, pathway, i, w, off, window, memory)
        if q.aside[ASIDE * row + IS_UNSURE] > 0.0 and q.axons[r + DUE_W] == w and q.axons[r + DUE_OFF] == off:
            q.control[WRONG], q.control[WHO] = pathway + 1, i
            q.axons[r + DUE_W] = np.float64(NEVER)
        settle(row, 0, q.control[FRONTS], window, q)
    return np.int64(-1), np.int64(0)


def arrive(w, off, window, memory):
    """Take the spike that arrives next from its axon."""
    q = queues(memory)
    row = np.int64(q.heap[0])
    a, spike = np.int64(q.links[LINKS * row + OWNER]), q.links[LINKS * row + HEAD]
    q.spare[q.control[SPARE]] = spike
    q.control[SPARE] += 1
    q.links[LINKS * row + HEAD] = q.following[spike]
    if q.links[LINKS * row + HEAD] >= 0:
        pathway, _, i = axon_of(a, memory)
        aim_front(row, pathway, i, w, off, window, memory)
        settle(row, 0, q.control[FRONTS], window, q)
        return
    q.slots[a] = -1
    n = q.control[FRONTS] - 1
    q.control[FRONTS] = n
    last = np.int64(q.heap[n])
    q.heap[n] = row
    if n > 0:
        settle(last, 0, n, window, q)


def foresee(memory):
    """Begin to fetch what the next arrivals need; return the pathway and place of the very next, or -1."""
    q = queues(memory)
    n = q.control[FRONTS]
    if n == 0:
        return np.int64(-1), np.int64(0)
    for place in range(1, min(n, 9)):
        fetch_line(q.axons, AXON * np.int64(q.heap[place]))
    first = LINKS * np.int64(q.heap[0])
    a = np.int64(q.links[first + OWNER])
    fetch_line(q.spikes, SPIKE * np.int64(q.links[first + HEAD]))
    fetch_line(q.slots, a)
    pathway, k, _ = axon_of(a, memory)
    return pathway, k


#: In the order in which they call each other; the first three are there for velocities that move by themselves.
MOVING = (stretch, travelled, reach)
FUNCTIONS = (
    *(gone, aim_front, check_velocity, depart, before_change, after_change, before_changes, after_changes),
    *(next_front, front_at, arrive, foresee),
)
