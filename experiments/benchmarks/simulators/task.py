"""What a simulator is told on its command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One network for one simulator.

    Attributes
    ----------
    simulator : str
        "numpy", "cython", "cpp", or "bionet" with what follows for its options, of ``with_brian.py``; "nest" of
        ``with_nest.py``.
    network : str
        A name in ``networks.NETWORKS``.
    n : int
        How many cells, or inputs.
    seconds, settle : float
        Biological time of a turn, and before the first one [s].
    threads : int or None
        As many as the simulator takes by itself, if None.
    scratch : Path
        A folder for build files and caches.
    fresh : bool
        Build the network anew for every turn: its rate changes while it learns.
    once : bool
        The process is for one turn: the run comes at once, as in a script of a user's, and compiles what it needs.
    """

    simulator: str
    network: str
    n: int
    seconds: float
    settle: float
    threads: int | None
    scratch: Path
    fresh: bool
    once: bool

    def arguments(self) -> list[str]:
        """Return the command line that :func:`parsed` reads as this task."""
        return [
            *(self.simulator, self.network, str(self.n), f"--seconds={self.seconds}", f"--settle={self.settle}"),
            *([f"--threads={self.threads}"] if self.threads else []),
            *(f"--scratch={self.scratch}", *["--fresh"] * self.fresh, *["--once"] * self.once),
        ]

    def result(self, spikes: int, cells: int, **measured: float) -> dict:
        """Return what is said of a turn: what was measured, the spikes, and their rate [Hz]."""
        return {**measured, "spikes": spikes, "answer": spikes / cells / self.seconds}


def parsed(arguments: Sequence[str] | None = None) -> Task:
    """Read a command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("simulator")
    parser.add_argument("network")
    parser.add_argument("n", type=int)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--settle", type=float, default=0.5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--scratch", type=Path, default=Path("scratch"))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--once", action="store_true")
    return Task(**vars(parser.parse_args(arguments)))
