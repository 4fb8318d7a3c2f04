"""How a contest stands: medians, ratios with their spread, and the tables that say so.

A ratio is formed within each round, between turns that lie seconds apart, so that a slow spell of the machine falls on
both; then come the median and the quartiles over the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from bionet.app.contest import Contest, Reach
from bionet.app.turns import Course
from bionet.compare.table import Table

_BUSY = 0.2  # cores; where others use more, the times are not those of this machine alone


@dataclass(frozen=True)
class Spread:
    """The median of some numbers and their quartiles."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        around = f" ({self.low:.3g}–{self.high:.3g})" if self.low < self.high else ""
        return f"{self.middle:.3g}{around}"


def spread(numbers: Iterable[float]) -> Spread | None:
    """Return the median and the quartiles, None of nothing.

    Examples
    --------
    >>> print(spread([4, 1, 3, 2, 5]))
    3 (2–4)
    """
    found = list(numbers)
    if not found:
        return None
    low, middle, high = quantiles(found, method="inclusive") if len(found) > 1 else found * 3
    return Spread(middle, low, high)


@dataclass(frozen=True)
class Verdict:
    """What came of one aim.

    Attributes
    ----------
    contest : Contest
    reach : Reach
    ours, theirs : float or None
        Medians of what is compared; times are divided by ``Contest.per``.
    peer : str
        Whom it is compared with.
    ratio : Spread or None
        Ours to theirs.
    reached : bool or None
        None where it could not be measured.
    """

    contest: Contest
    reach: Reach
    ours: float | None
    theirs: float | None
    peer: str
    ratio: Spread | None
    reached: bool | None


class Standings:
    """A contest that has been held.

    Parameters
    ----------
    contest : Contest
    courses : list of Course
        One for each entrant, in order.
    """

    def __init__(self, contest: Contest, courses: list[Course]) -> None:
        self.contest, self.courses = contest, courses
        self._ours = next(each for each in courses if each.entrant.ours)

    def typical(self, course: Course, measure: str) -> Spread | None:
        """Return a measure over the turns of an entrant; times are divided by ``Contest.per``."""
        per = self.contest.per if measure.endswith("_s") else 1.0
        return spread(turn[measure] / per for turn in _counted(course, measure) if turn and measure in turn)

    def ratio(self, course: Course, measure: str) -> Spread | None:
        """Return ours to theirs."""
        pairs = zip(_counted(self._ours, measure), _counted(course, measure), strict=True)
        return spread(ours[measure] / theirs[measure] for ours, theirs in pairs if ours and theirs)

    def deviates(self, course: Course) -> bool:
        """Tell whether an entrant comes to another answer than the standard ones: then it did something else."""
        known = [self.typical(each, "answer") for each in self.courses if each.entrant.standard]
        own = self.typical(course, "answer")
        if own is None or not any(known):
            return False
        standard = median(each.middle for each in known if each)
        return abs(own.middle - standard) > self.contest.tolerance * abs(standard)

    def best_peer(self, measure: str) -> Course | None:
        """Return the peer with the smallest median among those that did the same, if there is one."""
        peers = [
            (found.middle, index)
            for index, each in enumerate(self.courses)
            if not (each.entrant.ours or each.entrant.similar or each.entrant.bound or self.deviates(each))
            and (found := self.typical(each, measure))
        ]
        return self.courses[min(peers)[1]] if peers else None

    def verdicts(self) -> list[Verdict]:
        """Return what came of each aim."""
        return [self._verdict(each) for each in self.contest.reaches]

    def _verdict(self, reach: Reach) -> Verdict:
        named = [each for each in self.courses if each.entrant.name == reach.against]
        peer = named[0] if named else self.best_peer(reach.measure)
        ours = self.typical(self._ours, reach.measure)
        theirs = self.typical(peer, reach.measure) if peer else None
        ratio = self.ratio(peer, reach.measure) if peer else None
        decisive = ours if reach.absolute else ratio
        reached = None if decisive is None or self.deviates(self._ours) else decisive.middle <= reach.at_most
        return Verdict(
            self.contest,
            reach,
            _middle(ours),
            _middle(theirs),
            peer.entrant.name if peer else "",
            ratio,
            reached,
        )

    def table(self) -> Table:
        """Return a row for each entrant: time, ratio, answer, memory, and how busy others were."""
        contest = self.contest
        kept = contest.processes == "kept"
        heads = [f"time [{contest.unit}]", f"whole run() [{contest.unit}]" if kept else "of it run() [s]"]
        heads += [f"{self._ours.entrant.name} / it", contest.answer, "memory [MiB]", "others busy [cores]", "remark"]
        notes = [f"Median (quartiles) over {len(self._ours.turns)} rounds."]
        if not kept:
            notes.append("Time is from the start of the process to its answer.")
        others = [found.middle for each in self.courses if (found := self.typical(each, "others"))]
        if others and max(others) > _BUSY:
            notes.append(f"Other processes kept up to {max(others):.1f} cores busy: not to be quoted.")
        return Table(contest.title, ["simulator", *heads], [self._row(each) for each in self.courses], " ".join(notes))

    def _row(self, course: Course) -> list[str]:
        measures = ("call_s", "answer", "memory_mib", "others")
        call, answer, memory, others = (self.typical(course, each) for each in measures)
        return [
            course.entrant.name,
            str(self.typical(course, self.contest.measure) or "–"),
            f"{call.middle:.3g}" if call else "–",
            str(self.ratio(course, self.contest.measure) or "–") if course is not self._ours else "1",
            f"{answer.middle:.3g}" if answer else "–",
            f"{memory.middle:,.0f}" if memory else "–",
            f"{others.middle:.2f}" if others else "–",
            self.remark(course),
        ]

    def remark(self, course: Course) -> str:
        """Return what must be known of an entrant: why it is not there, or why it does not count."""
        remarks = [course.trouble]
        if course.entrant.similar:
            remarks.append("a similar model, not the same; not counted")
        if course.entrant.bound:
            remarks.append("what this machine could do; no program, not counted")
        if self.deviates(course):
            remarks.append("another answer: this is another network; not counted")
        if course.entrant.ours and self.contest.processes == "cold" and not _left_files(course.turns):
            remarks.append("left no cache where caches were emptied: this may not have been cold")
        return "; ".join(filter(None, remarks))


def _middle(numbers: Spread | None) -> float | None:
    return None if numbers is None else numbers.middle


def _counted(course: Course, measure: str) -> list[dict[str, Any] | None]:
    """Return the turns that count: of memory the first one only, since recorded spikes pile up afterwards."""
    return course.turns[:1] if measure == "memory_mib" else course.turns


def _left_files(turns: Sequence[dict[str, Any] | None]) -> bool:
    done = [turn for turn in turns if turn]
    return not done or all(turn["files_left"] > 0 for turn in done)


def summary(verdicts: Sequence[Verdict]) -> Table:
    """Return a row for each aim: ours, the peer's, the ratio, and whether it is within reach."""
    heads = ["", "bionet", "compared with", "its", "bionet / it", "aim", ""]
    return Table("Summary", heads, [_summary_row(each) for each in verdicts])


def _summary_row(verdict: Verdict) -> list[str]:
    reach = verdict.reach
    memory = reach.measure == "memory_mib"
    unit = "MiB" if memory else verdict.contest.unit

    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:,.0f} {unit}" if memory else f"{value:.3g} {unit}"

    return [
        verdict.contest.title + (", peak memory" if memory else ""),
        shown(verdict.ours),
        verdict.peer or "–",
        shown(verdict.theirs),
        str(verdict.ratio or "–"),
        shown(reach.at_most) if reach.absolute else f"{reach.at_most:.2f}",
        {True: "reached", False: "missed", None: "not measured"}[verdict.reached],
    ]


def markdown(table: Table) -> str:
    """Return a table as Markdown, ready for a README."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"### {table.title}\n\n{body}\n" + (f"\n{table.note}\n" if table.note else "")
