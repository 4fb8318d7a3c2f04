"""The loop of one of several threads of the ``event`` engine: its own neurons, window after window.

What a neuron does in a window reaches other ones no earlier than some windows later: as many as the shortest delay
between neurons holds, the *lead*. So a thread waits for others only if it is so far ahead of them. Each tells who has
fired, and each sends the spikes of all along the synapses onto its own neurons. Of each neuron the same happens in the
same order as on one thread.
"""

from __future__ import annotations

import numpy as np

from bionet.spiking.engines.event_calls import MEMORY, launch
from bionet.spiking.engines.event_loop import DONE, FULL, LEFT, ROOM, run
from bionet.spiking.engines.event_queues import (
    FIRST_MONITOR,
    INSTANT,
    LIMIT,
    MOST_TOLD,
    PIECE,
    RECORDS,
    STATUS,
    TOLD,
)
from bionet.spiking.engines.meeting import meet, publish, published, wait_for
from bionet.spiking.engines.runtime import view
from bionet.spiking.engines.threads import ABORT, WORDS

#: What each thread publishes, on a page of its own: how many spikes it has told, and the first window that it has not
#: run yet.
TELLS, HERE, PAGE = 0, 1, 16
#: Where in ``meeting`` anyone asks all to return, and the first thread answers before which window they do.
ASKED, RETURN = WORDS, WORDS + 1


def hear(least, control, memory, me, meeting, pages, told, heard, busiest):
    """Wait until all others have come to a window, and send off what they have told.

    Return ``DONE``, ``ROOM`` if there is none for it, or ``LEFT`` if one of them will not come.
    """
    window = view(memory, MEMORY, np.float64)[5]
    for k in range(heard.shape[1]):
        if k == me or heard[1, k] >= least:
            continue
        here = wait_for(pages, PAGE * k + HERE, least, meeting)
        if here < 0:
            return LEFT
        n = published(pages, PAGE * k + TELLS)
        units, offsets = view(told[3 * k], n, np.int32), view(told[3 * k + 2], n, np.float64)
        windows = view(told[3 * k + 1], n, np.int64)
        for e in range(heard[0, k], n):
            if control[RECORDS] < busiest:
                return ROOM
            launch(units[e], windows[e], offsets[e], window, memory)
            heard[0, k] = e + 1
        heard[1, k] = here
    return DONE


def crew(memory, addresses, sizes, until, me, meeting, pages, told, heard, lead, busiest):
    """Run until ``until``, with others.

    Parameters
    ----------
    memory, addresses, sizes, until
        As :func:`bionet.spiking.engines.event_loop.run` takes them.
    me : int
        The number of this thread.
    meeting, pages : int64 arrays
        Where they meet, and what they publish.
    told : int64 array, shape (3 * n_threads,)
        Addresses of the spikes that each one tells: units, windows and offsets.
    heard : int64 array, shape (2, n_threads)
        How many spikes of each one this thread has heard of, and before which window it has heard of all.
    lead : int
        How many windows pass, at least, from a neuron's spike to its arrival at another one.
    busiest : int
        Along how many pathways a spike may leave.
    """
    control = view(addresses[0], sizes[0], np.int64)
    last_w = np.int64(until[0])
    began = control[INSTANT] + control[PIECE]
    piece = np.zeros(3)
    heard[1] = 0
    publish(pages, PAGE * me + TELLS, control[TOLD])
    publish(pages, PAGE * me + HERE, control[PIECE])
    if meet(meeting, heard.shape[1]):
        return
    while True:
        w = control[PIECE]
        status = hear(w - lead + 1, control, memory, me, meeting, pages, told, heard, busiest)
        at = published(meeting, RETURN)
        if status != DONE or w >= at > 0:
            break
        if me == 0 and at == 0 and published(meeting, ASKED) != 0:
            # Nobody is there yet: they cannot be before they hear that this thread has run the present window.
            publish(meeting, RETURN, w + lead)
        if w < last_w:
            piece[0] = w + 1
        else:
            piece[:] = until
        run(memory, addresses, sizes, piece)
        status = control[STATUS]
        if status != DONE:
            break
        is_time = control[INSTANT] + w - began > control[LIMIT] or 2 * control[TOLD] > control[MOST_TOLD]
        for k in range(FIRST_MONITOR, control.size - 2, 3):
            is_time |= 2 * control[k] > control[k + 1]
        if is_time and published(meeting, ASKED) == 0:
            publish(meeting, ASKED, 1)
        publish(pages, PAGE * me + TELLS, control[TOLD])
        publish(pages, PAGE * me + HERE, w + 1)
        if w == last_w:
            break
        control[PIECE] = w + 1
    if status == DONE:
        here = published(pages, PAGE * me + HERE)
        status = hear(here, control, memory, me, meeting, pages, told, heard, busiest)
        if status == DONE and here <= last_w:
            status = FULL
    if status != DONE and status != FULL:
        publish(meeting, ABORT, 1)
    control[STATUS] = status


#: In the order in which they call each other.
FUNCTIONS = (hear, crew)
#: Their numbers.
CONSTANTS = ("TELLS", "HERE", "PAGE", "ASKED", "RETURN", "ABORT")
