"""What the printed loop calls where neurons wait: the list of those who are due.

Of each neuron two numbers lie side by side in ``pair``: the step up to which it has been advanced, and the step in
which it is to be looked at again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bionet.spiking.engines.event_queues import ascending

__all__ = ("all_from_now", "ascending", "those_due")


@njit(cache=True)
def all_from_now(pair, now):
    """Let all neurons be advanced up to now, and be looked at."""
    for k in range(pair.size):
        pair[k] = now


@njit(cache=True)
def those_due(pair, waiting, page):
    """List the neurons that are to be looked at before step ``page``; return how many."""
    found = np.uint64(0)
    for k in range(waiting.size):
        if pair[2 * k + 1] < page:
            waiting[found] = k
            found += np.uint64(1)
    return found
