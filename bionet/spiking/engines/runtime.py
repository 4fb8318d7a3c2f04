"""What printed source calls beside the functions of the language.

Arrays are made inside compiled code from addresses: one table of numbers is cheaper to hand over than fifty arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from bionet.spiking.machine_code import address as address

#: Compiles what only compiled code calls: what Python would need to call it is half of the work.
within = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

__all__ = (
    "cube",
    "events_within",
    "finite",
    "listed",
    "make_refractory",
    "push_groups",
    "push_sources",
    "replay",
    "square",
    "table_row",
    "view",
    "wide",
)


@intrinsic
def view(typing, address, size, dtype):
    """Return the array of ``size`` elements of a type that begins at an address."""
    result = types.Array(dtype.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        return _viewed(context, builder, result, *arguments[:2])

    return result(types.int64, types.int64, dtype), generate


@intrinsic
def listed(typing, table, sizes, k, dtype):
    """Return the array whose address and size are number ``k`` of two lists: ``view(table[k], sizes[k], dtype)``.

    A loop has dozens of arrays, and to compile this takes a third of the time.
    """
    result = types.Array(dtype.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        lists = [make_array(each)(context, builder, value) for each, value in zip(signature.args[:2], arguments[:2])]
        numbers = [builder.load(builder.gep(each.data, [arguments[2]])) for each in lists]
        return _viewed(context, builder, result, *numbers)

    return result(table, sizes, types.int64, dtype), generate


def _viewed(context, builder, result, address, size):
    array = make_array(result)(context, builder)
    itemsize = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(result.dtype)))
    populate_array(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=cgutils.pack_array(builder, [size]),
        strides=cgutils.pack_array(builder, [itemsize]),
        itemsize=itemsize,
        meminfo=None,
    )
    return array._getvalue()


@intrinsic
def wide(typing):
    """Let the loops of the function at hand take vectors of 512 bits where the processor has them.

    LLVM prefers 256 bits, for the sake of processors that slow down; what is computed here takes long enough to gain.
    """

    def generate(context, builder, signature, arguments):
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


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
def make_refractory(events, n, not_refractory, last_spike, t):
    """Begin the refractory period of the elements that had an event."""
    for k in range(n):
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
