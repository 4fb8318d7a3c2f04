"""Threads that run one loop together: where each one's elements begin, and who calls them.

Every thread runs the same printed loop on elements of its own. They meet in :mod:`bionet.spiking.engines.meeting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np

#: The places of ``meeting`` beside those of the barrier, in cache lines of their own: whether a thread has failed, and
#: the first of the places where threads tell each other what is to be done.
ABORT, WORDS = 16, 24
#: The size of ``meeting``.
MEETING = 32
# Ranges of elements begin at multiples of this, and so share few cache lines, where there are many elements.
_EVEN = 64


def border(n, thread, n_threads):
    """Return the first of the elements of a thread, of ``n`` in all; they end where those of the next begin.

    Examples
    --------
    >>> [border(1000, k, 3) for k in range(4)], [border(10, k, 3) for k in range(4)]
    ([0, 320, 640, 1000], [0, 3, 6, 10])
    """
    place = n * thread // n_threads
    return place - place % _EVEN if thread < n_threads and n >= 2 * _EVEN * n_threads else place


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
