"""How many threads a network is worth on the grid: as many as pay, judged by what its steps are known to take."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median

import bionet.spiking.program as p
from bionet.spiking.engines.sharing import ALONE, OWN, Sharing
from bionet.spiking.explanation import update_cost
from bionet.spiking.memory import control_groups
from bionet.spiking.reading import Reading

# What a step costs beside its work [s]: two or three meetings, and more for each thread that has to come. Measured; and
# what it costs to call all threads again, where something outside the loop is due.
_MEETINGS, _COMING, _CALL = 4e-6, 1e-6, 1e-4
# What the second thread has to save of a step, and what each further one.
_SECOND, _FURTHER = 0.25, 0.1
_ANY = 1e6
# Where Linux says what runs; how often, and how long after one another [s], that is looked at.
_LOAD = Path("/proc/loadavg")
_LOOKS, _PAUSE = 5, 1e-3


@dataclass(frozen=True)
class Threads:
    """How many threads run a network, and why."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"threads: {self.number}, {self.reason}"


def how_many(reading: Reading, asked: int | None) -> Threads:
    """Return how many threads run a network.

    Parameters
    ----------
    reading : Reading
        The network, prepared for a run.
    asked : int or None
        What the user asked for; if None, as many as pay.

    Notes
    -----
    What counts is the update of states that threads can share, as it is known before a run; spikes to be delivered come
    on top of it. With n threads a step takes 1/n of that and their meetings.
    """
    program = reading.program
    updates = [each for each in program.operations if isinstance(each, p.Update)]
    dt = [clock.dt_ for clock in reading.clocks]
    step = min(dt, default=0.0)
    if asked is not None:
        return Threads(asked, "as asked for" + (_left(_sharing(reading)) if asked > 1 else ""))
    most, n_cores = sum(update_cost(each, program) * step / dt[each.clock] for each in updates), free_cores()
    if n_cores == 1 or _best(most, 0.0, n_cores) == 1:
        return Threads(1, _too_little(most) if n_cores > 1 else "as no second core is free")
    sharing = _sharing(reading)
    own = [each for each in sharing.done_by(OWN) if isinstance(each, p.Update)]
    work = sum(update_cost(each, program) * step / dt[each.clock] for each in own)
    calls = sum(_CALL * step / dt[each.clock] for each in program.outside())
    number = _best(work, calls, n_cores)
    if number == 1:
        return Threads(1, _too_little(work, calls))
    return Threads(number, f"as they share updates that take about {work * 1e6:.0f} us in a step{_left(sharing)}")


def _best(work: float, calls: float, n_cores: int) -> int:
    def takes(n: int) -> float:
        return work / n + (_MEETINGS + _COMING * n + calls if n > 1 else 0.0)

    if n_cores == 1 or takes(2) > (1 - _SECOND) * work:
        return 1
    pays = (n for n in range(2, n_cores) if takes(n + 1) > (1 - _FURTHER) * takes(n))
    return next(pays, n_cores)


def _too_little(work: float, calls: float = 0.0) -> str:
    sentence = f"as updates that threads could share take only about {work * 1e6:.2g} us in a step"
    return sentence + (f", and calling them again takes {calls * 1e6:.0f} us" if calls else "")


def _left(sharing: Sharing) -> str:
    """Say what is left to the first thread and takes time."""
    kinds = p.Update | p.Deliver | p.Sum
    names = [each.name for each in sharing.done_by(ALONE) if isinstance(each, kinds)]
    return f"; one thread alone does {', '.join(names)}" if names else ""


def _sharing(reading: Reading) -> Sharing:
    queues = [each.queue for each in reading.pathways]
    return Sharing(reading.program, [each.size for each in reading.values()], [int(each.begin[-1]) for each in queues])


def free_cores() -> int:
    """Return how many cores are there for threads: no more than Numba may take, and than others leave idle.

    Numba takes what the process may use, or fewer if ``NUMBA_NUM_THREADS`` says so.
    """
    usable = _usable()
    idle = round((os.cpu_count() or usable) - _others())
    return max(1, min(usable, idle, *(int(_allotted(each)) for each in control_groups("cpu"))))


def _usable() -> int:
    return int(os.environ.get("NUMBA_NUM_THREADS") or len(os.sched_getaffinity(0)))


def _others() -> float:
    """Return how many cores others keep busy: by the mean of the last minute or by what runs now, what is less.

    The mean remembers who has gone, this process among them; what runs now is the median of a few looks.
    """
    running = []
    for look in range(_LOOKS):
        time.sleep(_PAUSE * (look > 0))
        try:
            running.append(int(_LOAD.read_text().split()[3].partition("/")[0]))
        except (OSError, ValueError, IndexError):
            break
    return max(min(os.getloadavg()[0], median(running or [inf])) - 1.0, 0.0)


def _allotted(folder: Path) -> float:
    """Return how many cores a control group may keep busy all the time."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{each}_us").read_text() for each in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else _ANY
    except (OSError, ValueError):
        return _ANY
