"""Where threads that run one loop meet: barriers made of atomic numbers, and what they do together there.

A parallel region of a library, opened anew for each step, costs more than a step of a small network. Who waits looks
for a while and then gives its core away at each look, so that threads get on where there are fewer cores than threads.

Threads that need not all be at one place tell each other how far they are: by numbers that each one publishes.
"""

from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from bionet.spiking.engines import threads
from bionet.spiking.engines.threads import ABORT

__all__ = ("border", "gather", "meet", "publish", "published", "wait_for")

# The places of ``meeting``, in cache lines of their own: who has come, and how often all have met.
_ARRIVED, _MET = 0, 8
# Some ten microseconds. The instruction that tells a core to wait takes longer than a meeting on virtual machines.
_LOOKS = 10_000
_GIVE_WAY = types.ExternalFunction("sched_yield", types.int32())


@intrinsic
def published(typing, array, place):
    """Read a number that another thread has published, and with it all that it wrote before."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_pointer(context, builder, signature, arguments), "acquire", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def publish(typing, array, place, value):
    """Write a number that other threads read, after all that was written before."""

    def generate(context, builder, signature, arguments):
        builder.store_atomic(arguments[2], _pointer(context, builder, signature, arguments), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate


@intrinsic
def _next(typing, array, place):
    """Add one to a number, and return what it was."""

    def generate(context, builder, signature, arguments):
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", _pointer(context, builder, signature, arguments), one, "acq_rel")

    return types.int64(array, types.intp), generate


def _pointer(context, builder, signature, arguments):
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return cgutils.get_item_pointer2(
        context, builder, array.data, [builder.extract_value(array.shape, 0)], [], "C", [arguments[1]]
    )


@njit(cache=True)
def meet(meeting, n_threads):
    """Wait until all threads are here; return whether one of them has failed and will not come.

    What any thread wrote before is what all threads read afterwards.
    """
    before = published(meeting, _MET)
    if _next(meeting, _ARRIVED) == n_threads - 1:
        publish(meeting, _ARRIVED, 0)
        publish(meeting, _MET, before + 1)
        return False
    looks = 0
    while published(meeting, _MET) == before:
        if published(meeting, ABORT) != 0:
            return True
        looks += 1
        if looks > _LOOKS:
            _GIVE_WAY()
    return False


@njit(cache=True)
def wait_for(numbers, place, least, meeting):
    """Wait until a number that another thread publishes is large enough, and return it; -1 if one has failed."""
    looks = 0
    while True:
        found = published(numbers, place)
        if found >= least:
            return found
        if published(meeting, ABORT) != 0:
            return -1
        looks += 1
        if looks > _LOOKS:
            _GIVE_WAY()


border = njit(cache=True)(threads.border)


@njit(cache=True)
def gather(events, segments, found, n_threads):
    """Put the events that each thread has found among its own elements into one list, in order."""
    n, place = events.size - 1, 0
    for thread in range(n_threads):
        first = border(n, thread, n_threads)
        for k in range(first, first + found[8 * thread]):
            events[place] = segments[k]
            place += 1
    events[n] = place
