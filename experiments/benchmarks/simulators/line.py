"""The line between a simulator and the benchmark that tells it when to run; see ``bionet/app/turns.py``.

Only the standard library, and little of it: the process that starts a C++ binary must be small, since Linux counts
what the starting process held into the peak memory of the started one.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from time import perf_counter


class Line:
    """One JSON object a line on standard output, one word a line on standard input.

    Parameters
    ----------
    out : int, optional
        The file descriptor to speak over. If absent, it is standard output, and whatever else the process prints goes
        to standard error from now on.
    """

    def __init__(self, out: int | None = None) -> None:
        self.out = out
        if out is None:
            self.out = os.dup(1)
            os.dup2(2, 1)

    def say(self, **facts: object) -> None:
        """Send the facts."""
        os.write(self.out, (json.dumps(facts) + "\n").encode())

    def serve(self, turn: Callable[[], dict]) -> None:
        """Take one turn each time "go" is heard, and send what it says; end when the other side has gone."""
        while sys.stdin.readline() == "go\n":
            self.say(**turn())


class Watch:
    """Wall and CPU seconds since it was made; CPU seconds include those of children that have ended."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), _cpu_seconds()

    def wall(self) -> float:
        """Return the wall time [s]."""
        return perf_counter() - self._wall

    def cpu(self) -> float:
        """Return the CPU time of all threads [s]."""
        return _cpu_seconds() - self._cpu


def peak_memory() -> float:
    """Return the largest memory this process has held [MiB]."""
    try:
        with open("/proc/self/status") as status:
            kib = next(line.split()[1] for line in status if line.startswith("VmHWM"))
        return int(kib) / 1024
    except (OSError, StopIteration):
        return mebibytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def mebibytes(maxrss: int) -> float:
    """Convert ``ru_maxrss``: bytes on macOS, KiB elsewhere."""
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _cpu_seconds() -> float:
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
