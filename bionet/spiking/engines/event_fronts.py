r"""Spikes as fronts: one that left at :math:`t_0` arrives when :math:`\int_{t_0}^t v(s)\,ds` is the length of its axon.

An *axon* is a synapse of a pathway whose spikes are fronts. Its row holds when the first of its spikes arrives, and a
distance: how far a front has come that set out when there was none on the axon, up to the last change of the velocity.
Its spikes are a list in the order of departure, each with its start (that distance, at the departure) and length; so a
change of the velocity touches the row and the first spike alone, and no spike overtakes another. Axons that have spikes
are a heap by the time at which the first arrives, the times within it.

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

#: Columns of an axon's row. DISTANCE_NOW, VELOCITY (where it moves) and VELOCITY_THEN, at the arrival, are put aside
#: while code runs that may change the velocity. IS_UNSURE: there is no arrival yet, it is to be looked at again.
DUE_W, DUE_OFF, SINCE_W, SINCE_OFF, DISTANCE, VELOCITY, DISTANCE_NOW, VELOCITY_THEN, IS_UNSURE = range(9)
AXON = 9
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
    """The arrays of all axons: rows, spikes and what follows each; first and last spike; the heap, times and places."""

    axons: NDArray
    spikes: NDArray
    following: NDArray
    heads: NDArray
    tails: NDArray
    heap: NDArray
    due: NDArray
    places: NDArray
    spare: NDArray
    control: NDArray
    accuracy: NDArray


@njit(cache=True, error_model="numpy")
def is_before(w, off, a, place, due, heap):
    """Return whether axon a, whose first spike arrives at (w, off), comes before the one at a place of the heap."""
    if w != due[2 * place]:
        return w < due[2 * place]
    if off != due[2 * place + 1]:
        return off < due[2 * place + 1]
    return a < heap[place]


@njit(cache=True, error_model="numpy")
def settle(a, place, n, q):
    """Move an axon from a place of the heap, of which each has four below it, to the one it belongs to."""
    heap, due, places = q.heap, q.due, q.places
    w, off = q.axons[AXON * a + DUE_W], q.axons[AXON * a + DUE_OFF]
    while place > 0:
        other = (place - 1) >> 2
        if not is_before(w, off, a, other, due, heap):
            break
        heap[place], due[2 * place], due[2 * place + 1] = heap[other], due[2 * other], due[2 * other + 1]
        places[heap[place]] = place
        place = other
    while True:
        first = 4 * place + 1
        if first >= n:
            break
        best = first
        for child in range(first + 1, min(first + 4, n)):
            if is_before(due[2 * child], due[2 * child + 1], heap[child], best, due, heap):
                best = child
        if is_before(w, off, a, best, due, heap):
            break
        heap[place], due[2 * place], due[2 * place + 1] = heap[best], due[2 * best], due[2 * best + 1]
        places[heap[place]] = place
        place = best
    heap[place], due[2 * place], due[2 * place + 1] = a, w, off
    places[a] = place


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


def gone(a, pathway, i, w, off, window, memory):
    """Return how far a front has come since the last change of the velocity."""
    q = queues(memory)
    r = AXON * a
    span = (w - q.axons[r + SINCE_W]) * window + (off - q.axons[r + SINCE_OFF])
    if is_moving(pathway):
        return travelled(pathway, i, q.axons[r + SINCE_W] * window + q.axons[r + SINCE_OFF], span, memory)
    return q.axons[r + VELOCITY] * span


def aim_front(a, pathway, i, w, off, window, memory):
    """Set when the first spike of an axon arrives: not before (w, off)."""
    q = queues(memory)
    axons, spikes = q.axons, q.spikes
    r, s = AXON * a, SPIKE * np.int64(q.heads[a])
    start_w, start_off, rest = spikes[s + LEFT_W], spikes[s + LEFT_OFF], spikes[s + REACH]
    if start_w < axons[r + SINCE_W] or (start_w == axons[r + SINCE_W] and start_off < axons[r + SINCE_OFF]):
        start_w, start_off = axons[r + SINCE_W], axons[r + SINCE_OFF]
        rest = spikes[s + START] + rest - axons[r + DISTANCE]
    axons[r + IS_UNSURE] = 0.0
    if rest <= 0.0:
        h = 0.0
    elif is_moving(pathway):
        h, axons[r + IS_UNSURE] = reach(pathway, i, start_w * window + start_off, rest, q.accuracy, memory)
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
    r = AXON * a
    if not (0.0 <= length < np.inf):
        q.control[WRONG], q.control[WHO] = pathway + 1, i
    q.control[SPARE] -= 1
    spike = q.spare[q.control[SPARE]]
    s = SPIKE * np.int64(spike)
    q.spikes[s + LEFT_W], q.spikes[s + LEFT_OFF], q.spikes[s + START], q.spikes[s + REACH] = w, off, 0.0, length
    q.following[spike] = -1
    if q.heads[a] >= 0:
        q.spikes[s + START] = q.axons[r + DISTANCE] + gone(a, pathway, i, w, off, window, memory)
        q.following[q.tails[a]] = spike
        q.tails[a] = spike
        return
    q.heads[a] = q.tails[a] = spike
    v = velocity(pathway, i, w * window + off, memory)
    check_velocity(v, pathway, i, q.control)
    q.axons[r + SINCE_W], q.axons[r + SINCE_OFF], q.axons[r + DISTANCE], q.axons[r + VELOCITY] = w, off, 0.0, v
    aim_front(a, pathway, i, w, off, window, memory)
    n = q.control[FRONTS]
    q.control[FRONTS] = n + 1
    settle(a, n, n + 1, q)


def before_change(a, pathway, i, w, off, window, memory):
    """Put aside how far a front has come, before code runs that may change how its velocity moves."""
    q = queues(memory)
    if q.heads[a] >= 0 and is_moving(pathway):
        r = AXON * a
        q.axons[r + DISTANCE_NOW] = q.axons[r + DISTANCE] + gone(a, pathway, i, w, off, window, memory)
        q.axons[r + VELOCITY] = velocity(pathway, i, w * window + off, memory)
        q.axons[r + VELOCITY_THEN] = velocity(pathway, i, q.axons[r + DUE_W] * window + q.axons[r + DUE_OFF], memory)


def after_change(a, pathway, i, w, off, window, memory):
    """Aim anew where code has changed a velocity."""
    q = queues(memory)
    if q.heads[a] < 0:
        return
    r, axons = AXON * a, q.axons
    v = velocity(pathway, i, w * window + off, memory)
    check_velocity(v, pathway, i, q.control)
    if is_moving(pathway):
        then = axons[r + DUE_W] * window + axons[r + DUE_OFF]
        if v == axons[r + VELOCITY] and velocity(pathway, i, then, memory) == axons[r + VELOCITY_THEN]:
            return
        axons[r + DISTANCE] = axons[r + DISTANCE_NOW]
    else:
        if v == axons[r + VELOCITY]:
            return
        axons[r + DISTANCE] += gone(a, pathway, i, w, off, window, memory)
    axons[r + SINCE_W], axons[r + SINCE_OFF], axons[r + VELOCITY] = w, off, v
    aim_front(a, pathway, i, w, off, window, memory)
    settle(a, q.places[a], q.control[FRONTS], q)


def before_changes(w, off, window, memory):
    """Do that for all axons with spikes."""
    q = queues(memory)
    for k in range(q.control[FRONTS]):
        pathway, _, i = axon_of(q.heap[k], memory)
        before_change(np.int64(q.heap[k]), pathway, i, w, off, window, memory)


def after_changes(w, off, window, memory):
    """Do that for all axons with spikes."""
    q = queues(memory)
    with_spikes = q.heap[: q.control[FRONTS]].copy()
    for a in with_spikes:
        pathway, _, i = axon_of(a, memory)
        after_change(np.int64(a), pathway, i, w, off, window, memory)


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
        a = np.int64(q.heap[0])
        r = AXON * a
        if q.axons[r + DUE_W] != w or q.axons[r + DUE_OFF] != off:
            break
        pathway, k, i = axon_of(a, memory)
        if q.axons[r + IS_UNSURE] == 0.0:
            return pathway, k
        before_change(a, pathway, i, w, off, window, memory)
        q.axons[r + SINCE_W], q.axons[r + SINCE_OFF], q.axons[r + DISTANCE] = w, off, q.axons[r + DISTANCE_NOW]
        aim_front(a, pathway, i, w, off, window, memory)
        if q.axons[r + IS_UNSURE] > 0.0 and q.axons[r + DUE_W] == w and q.axons[r + DUE_OFF] == off:
            q.control[WRONG], q.control[WHO] = pathway + 1, i
            q.axons[r + DUE_W] = np.float64(NEVER)
        settle(a, 0, q.control[FRONTS], q)
    return np.int64(-1), np.int64(0)


def arrive(w, off, window, memory):
    """Take the spike that arrives next from its axon."""
    q = queues(memory)
    a = np.int64(q.heap[0])
    spike = q.heads[a]
    q.spare[q.control[SPARE]] = spike
    q.control[SPARE] += 1
    q.heads[a] = q.following[spike]
    if q.heads[a] >= 0:
        pathway, _, i = axon_of(a, memory)
        aim_front(a, pathway, i, w, off, window, memory)
        settle(a, 0, q.control[FRONTS], q)
        return
    n = q.control[FRONTS] - 1
    q.control[FRONTS] = n
    if n > 0:
        settle(q.heap[n], 0, n, q)


#: In the order in which they call each other; the first three are there for velocities that move by themselves.
MOVING = (stretch, travelled, reach)
FUNCTIONS = (
    *(gone, aim_front, check_velocity, depart, before_change, after_change, before_changes, after_changes),
    *(next_front, front_at, arrive),
)
