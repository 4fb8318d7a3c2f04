"""What a benchmark file declares: contests, who enters them, and what is aimed at.

A benchmark is a Python file with a function ``contests(quick) -> list[Contest]``. Each entrant is a command, run as a
process of its own that speaks as ``bionet/app/turns.py`` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entrant:
    """One program in a contest.

    Attributes
    ----------
    name : str
    command : callable
        Takes the folder that is this entrant's for build files and caches, and returns the command as a list of str.
    folder : Path
        Where the command is run.
    ours : bool
        Whether this is bionet. The first one of ours is what the others are compared with.
    standard : bool
        Whether its answer is one that the others' must agree with.
    similar : bool
        Whether it computes something like the others' task but not the same; then it is never the best peer.
    bound : bool
        Whether it does nothing of the task, but says in what time this machine could; then it is not one either.
    """

    name: str
    command: Callable[[Path], list[str]]
    folder: Path
    ours: bool = False
    standard: bool = False
    similar: bool = False
    bound: bool = False


@dataclass(frozen=True)
class Reach:
    """What is aimed at.

    Attributes
    ----------
    at_most : float
        The largest ratio of ours to the peer's; with ``absolute``, the largest value itself.
    measure : str
        What of a turn is compared: ``simulate_s``, ``wall_s`` or ``memory_mib``.
    against : str, optional
        The peer's name; the best peer if absent.
    absolute : bool
    """

    at_most: float
    measure: str = "simulate_s"
    against: str | None = None
    absolute: bool = False


@dataclass(frozen=True)
class Contest:
    """One task, and everyone who is set to it.

    Attributes
    ----------
    name, title : str
    entrants : tuple of Entrant
    reaches : tuple of Reach
    processes : str
        ``"kept"``: a process for each entrant, which prepares once and then takes turns; the time of a turn is what it
        says of itself (``simulate_s``). ``"warm"`` and ``"cold"``: a new process for each turn, timed from its start to
        its answer (``wall_s``), with the caches of the one before, or with empty ones.
    per : float
        What times are divided by to be shown, such as the biological seconds that were simulated.
    unit : str
        The unit of a time so divided.
    answer : str
        What the answer is, with its unit: every entrant must come to the same one.
    tolerance : float
        How far an answer may be from the standard ones, as a fraction of theirs.
    """

    name: str
    title: str
    entrants: tuple[Entrant, ...]
    reaches: tuple[Reach, ...]
    processes: str = "kept"
    per: float = 1.0
    unit: str = "s"
    answer: str = "rate [Hz]"
    tolerance: float = 0.1

    @property
    def measure(self) -> str:
        """The time that decides this contest."""
        return "simulate_s" if self.processes == "kept" else "wall_s"
