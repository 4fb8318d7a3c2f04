"""Processes that take turns: one runs while all others sleep, so that what the machine does besides falls on all alike.

A process says what it has prepared, ``{"ready": {...}}`` or ``{"absent": "why it cannot take part"}``, one JSON object
on a line of its standard output. Then for each line ``go`` that it reads it runs once and says what it measured:
``cpu_s`` [s], of the whole turn and all it started, ``answer``, and whatever its contest compares. It ends when its
standard input does.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from bionet.app.contest import Contest, Entrant
from bionet.errors import BionetError

_SILENCE = 600.0  # seconds; the longest wait for a line
_QUIET = 0.1  # cores; a machine on which others use less than this is quiet
_LOOK = 0.5  # seconds over which the load by others is measured
_REST = 0.25  # seconds before a turn; threads of some libraries go on looking for work, each on a core, for a while
_GRACE = 5.0  # seconds for a process to end by itself


class TroubleError(BionetError):
    """An entrant cannot take part, or not any longer."""


@dataclass
class Course:
    """How a contest went for one entrant.

    Attributes
    ----------
    entrant : Entrant
    ready : dict
        What it said when it was prepared; of the last process, where each turn has its own.
    turns : list of dict or None
        What was measured in each round; None where it did not run.
    trouble : str
        Why it does not run, or does so no longer; may be empty.
    """

    entrant: Entrant
    ready: dict[str, Any] = field(default_factory=dict)
    turns: list[dict[str, Any] | None] = field(default_factory=list)
    trouble: str = ""


def take_turns(contest: Contest, rounds: Iterable[int], scratch: Path, patience: float) -> list[Course]:
    """Let every entrant run once in each round, each time beginning with another one.

    Parameters
    ----------
    contest : Contest
    rounds : iterable of int
        The rounds, 0, 1, ...
    scratch : Path
        A folder in which each entrant gets one of its own.
    patience : float
        How long to wait for a quiet machine before each round, at most [s].

    Returns
    -------
    list of Course
        In the order of the entrants. An entrant that fails drops out; the others go on.
    """
    courses = [Course(each) for each in contest.entrants]
    lanes = [(_Kept if contest.processes == "kept" else _New)(contest, each, scratch) for each in courses]
    try:
        for lane in lanes:
            lane.attempt(lane.prepare)
        for number in rounds:
            quiet = wait_for_quiet(patience) if any(not each.trouble for each in courses) else None
            first = number % len(lanes)
            for lane in lanes[first:] + lanes[:first]:
                sleep(_REST)
                turn = lane.attempt(lane.turn)
                lane.course.turns.append(None if turn is None else {**turn, "round": number, "quiet": quiet})
    finally:
        for lane in lanes:
            lane.end()
    return courses


def wait_for_quiet(patience: float) -> bool | None:
    """Wait until other processes leave the machine alone; return whether they do, None where nobody looked."""
    if not patience:
        return None
    give_up = perf_counter() + patience
    while True:
        before, start = busy_seconds(), perf_counter()
        if before is None:
            return None
        sleep(_LOOK)
        if ((busy_seconds() or 0.0) - before) / (perf_counter() - start) < _QUIET:
            return True
        if perf_counter() >= give_up:
            return False


def busy_seconds() -> float | None:
    """Return the CPU time that all processes of this machine have used since it started [s], where Linux tells."""
    try:
        user, nice, system, _idle, _wait, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


class _Lane:
    """One entrant's way through a contest."""

    def __init__(self, contest: Contest, course: Course, scratch: Path) -> None:
        self.course = course
        self.cold = contest.processes == "cold"
        self.folder = scratch / contest.name / "".join(filter(str.isalnum, course.entrant.name))
        self.process: _Process | None = None

    def attempt(self, step: Callable[[], Any]) -> Any:
        """Take a step, unless there has been trouble; if it comes to trouble, note it and return None."""
        if self.course.trouble:
            return None
        try:
            return step()
        except TroubleError as error:
            self.course.trouble = str(error)
            self.end()
            return None

    def end(self) -> None:
        """End the process, if there is one."""
        if self.process:
            self.process.end()
            self.process = None

    def _timed(self, run: Callable[[], dict[str, Any]], cpu: Callable[[dict[str, Any]], float]) -> dict[str, Any]:
        """Run; add the wall time, and how many cores others kept busy meanwhile."""
        before, start = busy_seconds(), perf_counter()
        turn = run()
        wall = perf_counter() - start
        busy = busy_seconds()
        if before is not None and busy is not None:
            turn["others"] = max(0.0, busy - before - cpu(turn)) / (perf_counter() - start)
        return {"wall_s": wall, **turn}


class _Kept(_Lane):
    """A process that prepares once and takes all the turns."""

    def prepare(self) -> None:
        self.process = _Process(self.course.entrant, self.folder)
        self.course.ready = self.process.hear_ready()

    def turn(self) -> dict[str, Any]:
        assert self.process is not None
        self.process.go()
        return self._timed(self.process.hear, lambda turn: turn["cpu_s"])


class _New(_Lane):
    """A new process for each turn; before warm ones, one that is not counted fills the caches."""

    def prepare(self) -> None:
        if not self.cold:
            self.turn()

    def turn(self) -> dict[str, Any]:
        if self.cold:
            shutil.rmtree(self.folder, ignore_errors=True)
        before = _cpu_of_ended()
        return self._timed(self._whole, lambda turn: _cpu_of_ended() - before)

    def _whole(self) -> dict[str, Any]:
        start = perf_counter()
        self.process = _Process(self.course.entrant, self.folder)
        self.process.go()
        self.course.ready = self.process.hear_ready()
        turn = self.process.hear()
        turn["wall_s"] = perf_counter() - start
        self.end()
        turn["files_left"] = sum(each.is_file() for each in self.folder.rglob("*")) - 1  # all but what it complained
        return turn


class _Process:
    """A process and the line to it."""

    def __init__(self, entrant: Entrant, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._complaints = folder / "stderr.txt"
        with self._complaints.open("wb") as errors:
            self._process = subprocess.Popen(
                entrant.command(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=entrant.folder,
                env=_environment(folder),
                bufsize=0,
                start_new_session=True,  # so that what it started can be ended with it
            )

    def go(self) -> None:
        """Tell it to run."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended; why is heard next
            self._process.stdin.write(b"go\n")

    def hear_ready(self) -> dict[str, Any]:
        """Return what it says of its preparations."""
        said = self.hear()
        if "absent" in said:
            raise TroubleError(str(said["absent"]))
        return said["ready"]

    def hear(self) -> dict[str, Any]:
        """Return the next thing it says."""
        out = self._process.stdout
        assert out is not None
        if not select.select([out], [], [], _SILENCE)[0]:
            raise TroubleError(f"said nothing for {_SILENCE:.0f} s")
        line = out.readline()
        if not line:
            raise TroubleError(self._last_words())
        try:
            return json.loads(line)
        except ValueError:
            raise TroubleError(f"said what is not JSON: {line[:100]!r}") from None

    def end(self) -> None:
        """Let it end by itself if it will, else end it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()

    def _last_words(self) -> str:
        code = self._process.wait()
        lines = self._complaints.read_text(errors="replace").strip().splitlines()
        return f"ended with code {code}" + (f": {lines[-1][:300]}" if lines else "")


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which caches of compiled code lie in the folder; fonts are cached where they were."""
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    fonts = os.environ.get("MPLCONFIGDIR") or str(Path(caches, "matplotlib"))
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "NUMBA_CACHE_DIR": str(folder / "numba"), "MPLCONFIGDIR": fonts}
    return {**os.environ, **own}


def _cpu_of_ended() -> float:
    """Return the CPU time of all child processes that have ended [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
