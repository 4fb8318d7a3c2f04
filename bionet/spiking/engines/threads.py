"""Threads that run one loop together: where each one's elements begin, where all of them meet, and who calls them.

Every thread runs the same printed loop on elements of its own. They meet at barriers made of atomic numbers: a parallel
region of a library, opened anew for each step, costs more than a step of a small network. Who waits looks for a while
and then gives its core away at each look, so that threads get on where there are fewer cores than threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ("ABORT", "MEETING", "border", "gather", "meet")

#: The places of ``meeting``, in cache lines of their own: who has come, how often all have met, whether one has failed,
#: and the first of the places where threads tell each other what is to be done.
ARRIVED, MET, ABORT, WORDS = 0, 8, 16, 24
#: The size of ``meeting``.
MEETING = 32
#: Ranges of elements begin at multiples of this, and so share few cache lines, where there are many elements.
_EVEN = 64
# Some ten microseconds. The instruction that tells a core to wait takes longer than a meeting on virtual machines.
_LOOKS = 10_000
_GIVE_WAY = types.ExternalFunction("sched_yield", types.int32())


@intrinsic
def _load(typing, array, place):
    """Read a number that other threads write."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_pointer(context, builder, signature, arguments), "acquire", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def _store(typing, array, place, value):
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
    before = _load(meeting, MET)
    if _next(meeting, ARRIVED) == n_threads - 1:
        _store(meeting, ARRIVED, 0)
        _store(meeting, MET, before + 1)
        return False
    looks = 0
    while _load(meeting, MET) == before:
        if _load(meeting, ABORT) != 0:
            return True
        looks += 1
        if looks > _LOOKS:
            _GIVE_WAY()
    return False


@njit(cache=True)
def border(n, thread, n_threads):
    """Return the first of the elements of a thread, of ``n`` in all; they end where those of the next begin.

    Examples
    --------
    >>> [border(1000, k, 3) for k in range(4)], [border(10, k, 3) for k in range(4)]
    ([0, 320, 640, 1000], [0, 3, 6, 10])
    """
    place = n * thread // n_threads
    return place - place % _EVEN if thread < n_threads and n >= 2 * _EVEN * n_threads else place


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


class Crew:
    """Threads that run a kernel together.

    Parameters
    ----------
    n_threads : int
        The one that calls is the first of them.

    Attributes
    ----------
    meeting : array of int64, shape (MEETING,)
        Where they meet.
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self.meeting = np.zeros(MEETING, np.int64)
        self.others = ThreadPoolExecutor(n_threads - 1, thread_name_prefix="bionet")

    def run(self, kernel: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
        """Run a kernel in each thread, with arguments of its own.

        The kernel begins with a meeting: where not all threads come to it, none has done anything.
        """
        self.meeting[:] = 0
        futures = []
        try:
            futures += [self.others.submit(self._run, kernel, each) for each in arguments[1:]]
            self._run(kernel, arguments[0])
        except BaseException:
            self.meeting[ABORT] = 1
            raise
        finally:
            wait(futures)
        for each in futures:
            each.result()

    def _run(self, kernel: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            kernel(*arguments)
        except BaseException:
            self.meeting[ABORT] = 1
            raise

    def leave(self) -> None:
        """Let the other threads go."""
        self.others.shutdown()
