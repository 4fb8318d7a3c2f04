"""What printed source calls beside the functions of the language.

Memory is found inside compiled code by its address: one table of numbers is cheaper to hand over than fifty arrays.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from bionet.kernels.cpu.vectors import wide
from bionet.spiking.engines.plain_memory import listed, memory, span, view, whole
from bionet.spiking.machine_code import address as address

#: Compiles what only compiled code calls: what Python would need to call it is half of the work.
within = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

__all__ = (
    "cube",
    "events_within",
    "fetch_line",
    "finite",
    "listed",
    "make_refractory",
    "memory",
    "push_groups",
    "push_sources",
    "replay",
    "span",
    "square",
    "table_row",
    "view",
    "whole",
    "wide",
)


@intrinsic
def fetch_line(typing, array, place):
    """Begin to fetch the line of the cache that an element of an array lies in, for whoever needs it soon."""

    def generate(context, builder, signature, arguments):
        own = make_array(signature.args[0])(context, builder, arguments[0])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        line = builder.bitcast(builder.gep(own.data, [arguments[1]]), byte)
        # To be read, to be kept in all caches, data.
        builder.call(prefetch, [line, *(ir.Constant(flag, each) for each in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.uint64), generate


@njit(inline="always")
def square(x):
    """Return x times x."""
    return x * x


@njit(inline="always")
def cube(x):
    """Return x times x times x."""
    return x * x * x


@njit(inline="always")
def table_row(t, epsilon, k, rows):
    """Return the row of a table at time ``t`` (seconds), as Brian2's ``TimedArray`` rounds it, as an index."""
    return np.uint64(min(max(int(np.rint(t / epsilon) / k), 0), rows - 1))


@within
def finite(values):
    """Return whether no number is NaN or infinite."""
    bad = False
    for k in range(values.size):
        bad |= not abs(values[k]) <= 1.7976931348623157e308
    return not bad


@within
def make_refractory(events, first, end, not_refractory, last_spike, t):
    """Begin the refractory period of the elements that had the events from number ``first`` to ``end``."""
    for k in range(first, end):
        not_refractory[events[k]] = False
        last_spike[events[k]] = t[0]


@within
def events_within(events, n, start, stop):
    """Return how many of ``n`` events are of elements in [start, stop)."""
    found = 0
    for k in range(n):
        found += start <= events[k] < stop
    return found


@within
def push_sources(events, n, bounds, ring, fill, shape):
    """Put events into the ring of a pathway with one delay: the sources themselves, all in one slot."""
    slot = shape[3] + shape[2]
    if slot >= shape[0]:
        slot -= shape[0]
    place = slot * shape[1] + fill[slot]
    first = place
    for k in range(n):
        if bounds[0] <= events[k] < bounds[1]:
            ring[place] = events[k] - bounds[0]
            place += np.uint64(1)
    fill[slot] += place - first


@within
def push_groups(events, n, bounds, ring, fill, shape, first, delay):
    """Put events into the ring of a pathway with several delays: each group of a source in a slot of its own."""
    for k in range(n):
        if bounds[0] <= events[k] < bounds[1]:
            source = events[k] - bounds[0]
            for group in range(first[source], first[source + np.uint64(1)]):
                slot = shape[3] + delay[group]
                if slot >= shape[0]:
                    slot -= shape[0]
                ring[slot * shape[1] + fill[slot]] = group
                fill[slot] += np.uint64(1)
                shape[4] = max(shape[4], fill[slot])


@within
def replay(events, indices, bins, last, period, timestep):
    """Put the given spikes of this step into ``events``, as Brian2's SpikeGeneratorGroup finds them."""
    now, place = timestep[0], last[0]
    if period[0] > 0:
        now %= period[0]
        if place > 0 and bins[place - 1] >= now:
            place = 0
    found = 0
    while place < bins.size and bins[place] <= now:
        events[found] = indices[place]
        found += 1
        place += 1
    last[0] = place
    events[events.size - 1] = found
