"""Running an experiment: one process for each seed, one writer for the file, and an end that loses nothing.

The parent alone writes. Children send what they have over a pipe of their own, so one that is killed takes no
other down; when the parent dies they end too. Ctrl-C reaches the parent as a message, never in the middle of a write.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from bionet.app.experiment import Experiment, load, saying
from bionet.app.machine import THREADS, cores
from bionet.errors import BionetError, InputError
from bionet.progress import Progress
from bionet.results import ResultWriter

T = TypeVar("T")

_EVERY = 0.2  # seconds between two messages about the same bar


class StoppedError(BionetError):
    """The run was asked to stop; the exit code is 128 and the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the run was stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class SeedError(BionetError):
    """A seed failed, by an error in the experiment or by being killed."""


@dataclasses.dataclass(frozen=True)
class Run:
    """Everything a run is decided by.

    Attributes
    ----------
    experiment : Experiment
    parameters : object
        Of the experiment's ``Parameters``.
    seeds : list of int
    out : Path
        The result file.
    quick : bool
        Whether these are the experiment's ``QUICK`` parameters.
    jobs : int
        How many seeds run at a time.
    force : bool
        Whether a file at ``out`` may be replaced.
    """

    experiment: Experiment
    parameters: Any
    seeds: list[int]
    out: Path
    quick: bool = False
    jobs: int = 1
    force: bool = False

    @property
    def threads(self) -> int:
        """The threads of each process: what ``OMP_NUM_THREADS`` says, or a fair share of the cores."""
        asked = os.environ.get("OMP_NUM_THREADS", "")
        return int(asked) if asked.isdigit() and int(asked) > 0 else max(1, cores() // self.jobs)

    def attributes(self) -> dict[str, Any]:
        """Return what the file says of itself at its root."""
        return {
            "experiment": self.experiment.name,
            "experiment_sha256": self.experiment.sha256,
            "question": self.experiment.question,
            "parameters": json.dumps(dataclasses.asdict(self.parameters), default=str),
            "seeds_asked": self.seeds,
            "quick": int(self.quick),
            "device": "cpu",
            "threads": self.threads,
        }


def perform(run: Run) -> None:
    """Run every seed and write the result file; whatever happens, the file is finished and says how it ended.

    Raises
    ------
    InputError
        If the experiment refuses what it was given.
    SeedError
        If a seed fails or is killed.
    StoppedError
        If the run is told to stop by SIGINT, SIGTERM or SIGHUP.
    StorageError
        If the file cannot be written.
    """
    with _signals() as heard, _bars() as bars, ResultWriter(run.out, run.attributes(), force=run.force) as writer:
        try:
            _run_seeds(run, writer, bars, heard)
        except StoppedError as error:
            writer.finish(f"interrupted: {error}")
            raise
        except InputError:
            if not writer.seeds:
                writer.discard()  # what was refused before anything came of it leaves nothing behind
            raise


def _run_seeds(run: Run, writer: ResultWriter, bars: Bars, heard: int) -> None:
    """Keep ``jobs`` children at work until every seed is done; the first failure ends them all."""
    waiting = list(run.seeds)
    working: dict[Any, _Child] = {}  # by the line they speak over
    try:
        while waiting or working:
            while waiting and len(working) < run.jobs:
                seed = waiting.pop(0)
                child = _Child(run, seed, bars.add_task("starting", name=f"seed {seed}", total=1.0))
                working[child.line] = child
            for ready in wait([heard, *working]):
                if ready == heard:
                    raise StoppedError(os.read(heard, 1)[0])
                if not _hear(working[ready], writer, bars):
                    del working[ready]
    finally:
        for child in working.values():
            child.process.kill()
            child.process.join()


def _hear(child: _Child, writer: ResultWriter, bars: Bars) -> bool:
    """Take one message of a child; tell whether there will be more."""
    try:
        kind, content = child.line.recv()
    except (EOFError, OSError):
        child.process.join()
        if not child.done:
            raise SeedError(f"seed {child.seed}: {_ending(child.process.exitcode)}") from None
        return False
    if kind == "bar":
        label, done, anew = content
        if anew:
            bars.reset(child.bar, total=1.0, start=True)
        bars.update(child.bar, description=label, completed=done)
    elif kind in ("record", "done"):
        writer.put(content, child.seed)
        if kind == "done":
            child.done = True
            bars.update(child.bar, description="done", completed=1.0)
    else:
        sentence, trace = content
        error = InputError(sentence) if kind == "refused" else SeedError(f"seed {child.seed}: {sentence}")
        error.add_note(trace)
        raise error
    return True


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        why = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{why}"
    return f"its process ended with code {exit_code} and no result"


@contextmanager
def _signals() -> Iterator[int]:
    """Turn signals that ask to stop into bytes of a pipe, and yield its reading end."""
    hear, tell = os.pipe()
    asking = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    # What is ignored stays ignored: that is how nohup works.
    before = {each: signal.getsignal(each) for each in asking if signal.getsignal(each) != signal.SIG_IGN}
    for each in before:
        signal.signal(each, lambda number, frame: os.write(tell, bytes([number])) and None)
    try:
        yield hear
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        os.close(hear)
        os.close(tell)


def _bars() -> Bars:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[name]}"),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Bars(*columns, console=console, disable=not console.is_terminal)


class _Child:
    """A process at work on one seed, and the line it speaks over."""

    def __init__(self, run: Run, seed: int, bar: Any) -> None:
        self.seed, self.bar, self.done = seed, bar, False
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe(duplex=False)
        values = dataclasses.asdict(run.parameters)
        arguments = (theirs, run.experiment.path, run.experiment.source, values, seed)
        self.process = context.Process(target=_work, args=arguments, name=f"seed {seed}")
        with _born_into({**dict.fromkeys(THREADS, str(run.threads)), "MPLBACKEND": "Agg"}):
            self.process.start()
        theirs.close()


@contextmanager
def _born_into(environment: dict[str, str]) -> Iterator[None]:
    """Let a child begin with these variables, and deaf to Ctrl-C: the parent alone decides what it means."""
    before = dict(os.environ)
    resource_tracker.ensure_running()  # it would unblock the signal again
    os.environ.update(environment)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        os.environ.clear()
        os.environ.update(before)


def _work(line: Connection, path: Path, source: bytes, values: dict[str, Any], seed: int) -> None:
    """Run one seed, in a child."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        experiment = load(path, source)
        tree = experiment.module.run(experiment.module.Parameters(**values), seed, Reporter(line))
        if not isinstance(tree, xr.DataTree):
            raise TypeError(f"run returned {type(tree).__name__}; expected an xarray.DataTree")
        line.send(("done", tree))
    except InputError as error:
        line.send(("refused", (str(error), traceback.format_exc())))
    except (Exception, SystemExit) as error:
        line.send(("failed", (saying(error, path), traceback.format_exc())))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Reporter(Progress):
    """Progress that is told to the parent: bars inside bars add up to one, records are sent at once.

    Parameters
    ----------
    line : Connection
        The way to the parent.
    """

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._open: list[_Bar] = []
        self._told = 0.0

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items, and tell how many of them are done."""
        bar = _Bar(label, len(items) if total is None and isinstance(items, Sized) else total)
        self._open.append(bar)
        self._tell(anew=len(self._open) == 1)
        try:
            for item in items:
                yield item
                bar.done += 1
                self._tell()
        finally:
            self._open.remove(bar)

    def record(self, tree: xr.DataTree) -> None:
        """Hand over the result tree as it stands."""
        self._line.send(("record", tree))

    def _tell(self, anew: bool = False) -> None:
        now = time.monotonic()
        if anew or now - self._told >= _EVERY:
            self._told = now
            label = " · ".join(bar.label for bar in self._open)
            self._line.send(("bar", (label, _part_done(self._open), anew)))


@dataclasses.dataclass(eq=False)
class _Bar:
    label: str
    total: int | None
    done: int = 0


def _part_done(bars: list[_Bar]) -> float:
    """Return how much of the outermost bar is done, counting what the inner ones did of its present item."""
    part, share = 0.0, 1.0
    for bar in bars:
        if not bar.total:
            break
        part += share * min(bar.done, bar.total) / bar.total
        share /= bar.total
    return part
