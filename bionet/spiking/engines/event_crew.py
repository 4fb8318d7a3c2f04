"""The loop of one of several threads of the ``event`` engine: its own neurons, window after window.

No window is longer than the shortest delay between neurons. So whatever reaches a neuron in a window has left before
it, and threads need to meet only between windows, to tell each other who has fired: each sends the spikes of all along
the synapses onto its own neurons. Of each neuron the same happens in the same order as on one thread.
"""

from __future__ import annotations

import numpy as np

from bionet.spiking.engines.event_calls import MEMORY, launch
from bionet.spiking.engines.event_loop import DONE, FULL, ROOM, run
from bionet.spiking.engines.event_queues import (
    DEPARTURES,
    FIRST_MONITOR,
    INSTANT,
    LIMIT,
    PIECE,
    RECORDS,
    STATUS,
    TOLD,
    TOLD_AT,
)
from bionet.spiking.engines.meeting import meet
from bionet.spiking.engines.runtime import view

#: What each thread says to all at the end of a window, in a line of the cache of its own: its status, how many spikes
#: it tells, for how many departures it has room, how much it has done, and whether its records are nearly full. Of what
#: they say and tell there are two halves: one is read while the next window fills the other, and so they meet once.
SAID = 8


def crew(memory, addresses, sizes, until, mine, meeting, said, told, busiest):
    """Run until ``until``, with others.

    Parameters
    ----------
    memory, addresses, sizes, until
        As :func:`bionet.spiking.engines.event_loop.run` takes them.
    mine : int64 array
        The number of this thread, and how many there are.
    meeting, said : int64 arrays
        Where they meet, and what they say there: of each thread two lines.
    told : int64 array, shape (4 * n_threads,)
        Addresses and sizes of the spikes that each one tells: units and offsets, in two halves.
    busiest : int
        Along how many pathways a spike may leave.
    """
    me, n_threads = mine[0], mine[1]
    control = view(addresses[0], sizes[0], np.int64)
    window = view(memory, MEMORY, np.float64)[5]
    last_w = np.int64(until[0])
    before = control[INSTANT]
    piece = np.zeros(3)
    if meet(meeting, n_threads):
        return
    while True:
        w = control[PIECE]
        half = w % 2
        control[TOLD_AT] = half * (told[4 * me + 1] // 2)
        if w < last_w:
            piece[0] = w + 1
        else:
            piece[:] = until
        run(memory, addresses, sizes, piece)
        own = 8 * (2 * me + half)
        said[own] = control[STATUS]
        said[own + 1] = control[TOLD]
        said[own + 2] = control[RECORDS] - control[DEPARTURES]
        said[own + 3] = control[INSTANT] - before
        said[own + 4] = 0
        for k in range(FIRST_MONITOR, control.size - 2, 3):
            said[own + 4] |= 2 * control[k] > control[k + 1]
        if meet(meeting, n_threads):
            break
        total, is_done, is_lacking, is_time = 0, True, False, False
        for k in range(n_threads):
            line = 8 * (2 * k + half)
            total += said[line + 1]
            is_done &= said[line] == DONE
            is_time |= said[line + 3] > control[LIMIT] or said[line + 4] != 0
        for k in range(n_threads):
            line = 8 * (2 * k + half)
            is_lacking |= (total - said[line + 1]) * busiest > said[line + 2]
        if not is_done or is_lacking:
            if is_done and (total - said[own + 1]) * busiest > said[own + 2]:
                control[STATUS] = ROOM
            break
        for k in range(n_threads):
            if k != me:
                units = view(told[4 * k], told[4 * k + 1], np.int32)
                times = view(told[4 * k + 2], told[4 * k + 3], np.float64)
                first = half * (told[4 * k + 1] // 2)
                for e in range(first, first + said[8 * (2 * k + half) + 1]):
                    launch(units[e], w, times[e], window, memory)
        control[TOLD] = 0
        if w >= last_w:
            break
        control[PIECE] = w + 1
        if is_time:
            control[STATUS] = FULL
            break


FUNCTIONS = (crew,)
