"""Running a benchmark: every contest in turn, a table after each, and at the end what came of the aims."""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bionet
from bionet.app.contest import Contest
from bionet.app.machine import described
from bionet.app.standings import Standings, Verdict, markdown, summary
from bionet.app.terminal import print_tables
from bionet.app.turns import take_turns
from bionet.compare.table import Table
from bionet.errors import InputError, StorageError, suggest
from bionet.progress import Progress
from bionet.results.provenance import provenance

_FOLDER = Path("experiments", "benchmarks")


@dataclass(frozen=True)
class Settings:
    """How a benchmark is run.

    Attributes
    ----------
    only : list of str
        The names of the contests to hold; all of them, if empty.
    repeats : int
        How many rounds each contest has.
    quick : bool
        Whether to take short contests: enough to see that everything runs, too short to be quoted.
    out : Path or None
        A JSON file to write; a Markdown file of the same name is written beside it.
    patience : float
        How long to wait for a quiet machine before each round, at most [s].
    """

    only: list[str]
    repeats: int
    quick: bool = False
    out: Path | None = None
    patience: float = 20.0


def find(name: str) -> Path:
    """Return the file of a benchmark, given its path or its name.

    Parameters
    ----------
    name : str
        A path that ends in ``.py``, or a name such as ``"spiking"``, which is looked for in ``experiments/benchmarks``
        of the present folder and of the checkout that bionet is imported from.

    Raises
    ------
    InputError
        If there is no such file.
    """
    folders = [_FOLDER, Path(bionet.__file__).parents[1] / _FOLDER]
    for path in [Path(name)] if name.endswith(".py") else [folder / f"{name}.py" for folder in folders]:
        if path.is_file():
            return path
    known = {path.stem for folder in folders for path in folder.glob("*.py")}
    if name.endswith(".py") or known:
        raise InputError(f"{name}: there is no such benchmark{suggest(name, known)}")
    raise InputError(
        f"{name}: an installed bionet does not hold the benchmarks; they are in {_FOLDER} of its source: run this there"
    )


def contests(path: Path, only: list[str], quick: bool = False) -> list[Contest]:
    """Return the contests that a benchmark file declares.

    Parameters
    ----------
    path : Path
        The file.
    only : list of str
        The names of those wanted; all of them, if empty.
    quick : bool
        Whether to take short ones.

    Raises
    ------
    InputError
        If the file declares no contests, or none of such a name.
    """
    names = runpy.run_path(str(path), run_name="benchmark")
    if "contests" not in names:
        raise InputError(f"{path}: has no contests(quick); run it with: python {path}")
    found = {each.name: each for each in names["contests"](quick)}
    for name in only:
        if name not in found:
            raise InputError(f"--only {name}: there is no such contest{suggest(name, found)}")
    return [each for name, each in found.items() if not only or name in only]


def perform(path: Path, settings: Settings) -> list[Verdict]:
    """Hold the contests of a benchmark, print their tables, and return what came of their aims.

    What is written to ``settings.out`` is written anew after each contest, so that an interruption loses one at most.

    Raises
    ------
    InputError
        If the file or a name in ``only`` cannot be used.
    StorageError
        If the results cannot be written.
    """
    chosen = contests(path, settings.only, settings.quick)
    _write(settings, path, [])
    held: list[Standings] = []
    print_tables([_conditions(settings, path)])
    with tempfile.TemporaryDirectory(prefix="bionet_bench_") as scratch:
        for contest in chosen:
            rounds = Progress()(range(settings.repeats), contest.title)
            held.append(Standings(contest, take_turns(contest, rounds, Path(scratch), settings.patience)))
            print_tables([held[-1].table()])
            sys.stdout.flush()
            _write(settings, path, held)
    print_tables([_versions(held), summary(_verdicts(held))])
    return _verdicts(held)


def _verdicts(held: list[Standings]) -> list[Verdict]:
    return [verdict for each in held for verdict in each.verdicts()]


def _conditions(settings: Settings, path: Path) -> Table:
    facts = provenance()
    rows = [
        ["machine", described()],
        ["software", f"bionet {facts['bionet_version']} ({facts['revision']}), Python {facts['python']}"],
        ["when", str(facts["created_at"])],
        ["rounds", f"{settings.repeats}" + ", short: not to be quoted" * settings.quick],
    ]
    return Table(f"Benchmark {path.stem}", ["", ""], rows)


def _versions(held: list[Standings]) -> Table:
    """Return what each entrant said it was."""
    said = {each.entrant.name: each.ready.get("version") for one in held for each in one.courses if each.ready}
    return Table("Versions", ["", ""], [[name, str(version)] for name, version in said.items() if version])


def _write(settings: Settings, path: Path, held: list[Standings]) -> None:
    if settings.out is None:
        return
    tables = [_conditions(settings, path), summary(_verdicts(held)), *(each.table() for each in held), _versions(held)]
    facts = {
        "benchmark": path.stem,
        **provenance(),
        "machine": described(),
        "repeats": settings.repeats,
        "quick": settings.quick,
        "contests": [_record(each) for each in held],
    }
    try:
        settings.out.write_text(json.dumps(facts, indent=1) + "\n")
        settings.out.with_suffix(".md").write_text("\n".join(map(markdown, tables)))
    except OSError as error:
        raise StorageError(f"{settings.out}: cannot be written: {error.strerror}") from error


def _record(standings: Standings) -> dict[str, Any]:
    contest = standings.contest
    return {
        **{"name": contest.name, "title": contest.title, "processes": contest.processes},
        **{"per": contest.per, "unit": contest.unit},
        "entrants": {
            each.entrant.name: {"ready": each.ready, "turns": each.turns, "remark": standings.remark(each)}
            for each in standings.courses
        },
        "verdicts": [
            {
                **{"measure": each.reach.measure, "at_most": each.reach.at_most, "absolute": each.reach.absolute},
                **{"ours": each.ours, "theirs": each.theirs, "peer": each.peer, "reached": each.reached},
                "ratio": each.ratio and [each.ratio.low, each.ratio.middle, each.ratio.high],
            }
            for each in standings.verdicts()
        ],
    }
