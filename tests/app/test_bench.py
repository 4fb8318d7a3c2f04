"""Benchmarks: turns alternate, ratios are those of the numbers, what does not count is not counted."""

import json
import os
import sys
import textwrap

import pytest

from bionet.app import bench, turns
from bionet.app.cli import main
from bionet.app.contest import Contest, Entrant, Reach
from bionet.app.standings import Standings, spread
from bionet.app.turns import Course, take_turns

CHILD = """
import json, os, sys, time
from pathlib import Path

def say(**facts):
    print(json.dumps(facts), flush=True)

def heard():
    for number, line in enumerate(sys.stdin):
        assert line == "go\\n"
        yield number
"""
TAKES_TURNS = """
say(ready={"version": "1.0"})
for number in heard():
    with open("../log", "a") as log:
        log.write("NAME ")
    say(simulate_s=TIME * (number + 1), cpu_s=0.0, call_s=9.0, memory_mib=100.0 * (number + 1), answer=ANSWER)
"""
ABSENT = "say(absent='needs a compiler, which is not here')"
DIES = """
say(ready={})
for number in heard():
    if number == 1:
        sys.exit("Segmentation\\nfault")
    say(simulate_s=1.0, cpu_s=0.0, answer=1.0)
"""
BABBLES = "print('Welcome!')"
CACHES = """
cache = Path(os.environ["XDG_CACHE_HOME"], "kernels")
say(ready={})
for number in heard():
    found = cache.exists()
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.touch()
    say(call_s=0.0, cpu_s=0.0, answer=float(found))
"""
LEAVES_NOTHING = """
say(ready={})
for number in heard():
    say(call_s=0.0, cpu_s=0.0, answer=1.0)
"""


def entrant(name, text=TAKES_TURNS, time=1.0, answer=1.0, **roles):
    text = CHILD + text.replace("NAME", name).replace("TIME", str(time)).replace("ANSWER", str(answer))

    def command(folder):
        return [sys.executable, "-S", "-c", f"import os; os.chdir({str(folder)!r})\n{text}"]

    return Entrant(name, command, folder=os.curdir, **roles)


def hold(tmp_path, *entrants, reaches=(), rounds=3, **settings):
    contest = Contest("demo", "A demonstration", entrants, tuple(reaches), **settings)
    return Standings(contest, take_turns(contest, range(rounds), tmp_path, patience=0.0))


def course(name, times, answer=1.0, memory=100.0, **roles):
    done = [time and {"simulate_s": time, "answer": answer, "memory_mib": memory} for time in times]
    return Course(Entrant(name, None, None, **roles), {}, done)


HALF = Reach(0.5)


def standings(*courses, reaches=(HALF,), **settings):
    return Standings(Contest("demo", "Demo", tuple(each.entrant for each in courses), reaches, **settings), courses)


def test_everyone_has_one_turn_a_round_and_begins_in_turn(tmp_path):
    hold(tmp_path, entrant("a", ours=True), entrant("b"), entrant("c"))
    assert (tmp_path / "demo" / "log").read_text() == "a b c b c a c a b "


def test_what_is_said_is_what_is_counted(tmp_path):
    held = hold(tmp_path, entrant("ours", time=0.5, ours=True), entrant("peer", time=2.0), per=2.0)
    ours, peer = held.courses
    assert [turn["simulate_s"] for turn in peer.turns] == [2.0, 4.0, 6.0]
    assert all(turn["wall_s"] > 0 for turn in peer.turns)
    assert peer.ready == {"version": "1.0"}
    assert held.typical(peer, "simulate_s").middle == 2.0  # divided by per
    assert held.ratio(peer, "simulate_s") == spread([0.25])
    assert held.typical(ours, "memory_mib").middle == 100.0  # of the first turn


def test_who_cannot_take_part_says_why_and_the_others_go_on(tmp_path):
    rivals = [entrant("absent", ABSENT), entrant("dies", DIES), entrant("babbles", BABBLES)]
    held = hold(tmp_path, entrant("ours", ours=True), *rivals)
    ours, absent, dies, babbles = held.courses
    assert [turn["simulate_s"] for turn in ours.turns] == [1.0, 2.0, 3.0]
    assert held.remark(absent) == "needs a compiler, which is not here"
    assert absent.turns == [None, None, None]
    assert dies.turns[1:] == [None, None]
    assert held.remark(dies) == "ended with code 1: fault"
    assert "said what is not JSON" in held.remark(babbles)
    assert held.ratio(dies, "simulate_s") == spread([1.0])
    assert [row[-1] for row in held.table().rows] == ["", *map(held.remark, held.courses[1:])]


def test_nobody_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_GRACE", 0.05)
    stubborn = (
        "say(ready={})\nPath('pid').write_text(str(os.getpid()))\nfor _ in heard(): say(cpu_s=0.0)\ntime.sleep(60)"
    )
    hold(tmp_path, entrant("stubborn", stubborn, ours=True), rounds=1)
    pid = int((tmp_path / "demo" / "stubborn" / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(("processes", "found"), [("cold", 0.0), ("warm", 1.0)])
def test_caches_are_empty_or_those_of_the_process_before(tmp_path, processes, found):
    held = hold(tmp_path, entrant("ours", LEAVES_NOTHING, ours=True), entrant("peer", CACHES), processes=processes)
    assert [turn["answer"] for turn in held.courses[1].turns] == [found] * 3
    assert ("may not have been cold" in held.remark(held.courses[0])) == (processes == "cold")
    assert held.remark(held.courses[1]) == ""
    assert held.contest.measure == "wall_s"
    assert all(turn["wall_s"] > 0.0 for turn in held.courses[1].turns)


def test_ratios_are_formed_within_rounds():
    # The machine is eight times slower in the second round, for both.
    held = standings(course("bionet", [1.0, 8.0, 4.0], ours=True), course("peer", [4.0, 32.0, 8.0]))
    (verdict,) = held.verdicts()
    assert verdict.ratio == spread([0.25, 0.25, 0.5])
    assert (verdict.ours, verdict.theirs, verdict.peer, verdict.reached) == (4.0, 8.0, "peer", True)


def test_the_best_peer_is_the_fastest_that_does_the_same():
    held = standings(
        course("bionet", [1.0, 1.0], ours=True),
        course("bionet, 1 thread", [0.1, 0.1], ours=True),
        course("slow", [3.0, 3.0], standard=True),
        course("fast", [1.5, 1.5], answer=1.09),
        course("cheat", [0.5, 0.5], answer=1.11),
        course("cousin", [0.5, 0.5], similar=True),
        course("absent", [None, None]),
    )
    (verdict,) = held.verdicts()
    assert (verdict.peer, verdict.reached) == ("fast", False)
    assert verdict.ratio.middle == pytest.approx(2 / 3)
    assert "another network" in held.remark(held.courses[4])
    assert "not counted" in held.remark(held.courses[5])
    assert held.remark(held.courses[3]) == ""


def test_a_bound_is_a_peer_only_to_an_aim_that_names_it():
    bound = course("peak", [0.5, 0.5], bound=True)
    bound.turns = [{"simulate_s": turn["simulate_s"]} for turn in bound.turns]
    courses = course("bionet", [1.0, 1.0], ours=True), course("peer", [2.0, 2.0], standard=True), bound
    held = standings(*courses, reaches=(Reach(0.7), Reach(1.5, against="peak")))
    best, named = held.verdicts()
    assert (best.peer, best.ratio.middle, best.reached) == ("peer", 0.5, True)
    assert (named.peer, named.ratio.middle, named.reached) == ("peak", 2.0, False)
    assert "no program" in held.remark(bound)


def test_nothing_is_reached_by_doing_something_else():
    held = standings(course("bionet", [0.1], answer=0.5, ours=True), course("peer", [1.0], standard=True))
    assert held.verdicts()[0].reached is None


def test_aims_in_seconds_and_in_memory_against_a_named_peer():
    held = standings(
        course("bionet", [1.0], memory=90.0, ours=True),
        course("small", [1.0], memory=50.0),
        course("C++", [5.0], memory=100.0),
        reaches=(Reach(1.0, "memory_mib", against="C++"), Reach(0.3, absolute=True)),
        per=2.0,
    )
    memory, seconds = held.verdicts()
    assert (memory.ours, memory.theirs, memory.reached) == (90.0, 100.0, True)
    assert (seconds.ours, seconds.reached) == (0.5, False)


def test_without_ours_nothing_is_claimed():
    held = standings(course("bionet", [None], ours=True), course("peer", [1.0]))
    (verdict,) = held.verdicts()
    assert (verdict.ours, verdict.theirs, verdict.ratio, verdict.reached) == (None, 1.0, None, None)


def test_a_busy_machine_is_said():
    peer = course("peer", [1.0, 1.0])
    held = standings(course("bionet", [1.0, 1.0], ours=True), peer)
    assert "not to be quoted" not in held.table().note
    peer.turns = [{**turn, "others": 1.5} for turn in peer.turns]
    assert "kept up to 1.5 cores busy: not to be quoted" in held.table().note


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """A benchmark of two contests in experiments/benchmarks of the present folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "experiments" / "benchmarks"
    folder.mkdir(parents=True)
    text = f"""
    import sys
    from pathlib import Path
    from bionet.app.contest import Contest, Entrant, Reach

    def contests(quick):
        def entrant(name, time, **roles):
            text = {CHILD + TAKES_TURNS!r}.replace("TIME", str(time)).replace("ANSWER", "3.0").replace("../log", "log")
            return Entrant(name, lambda folder: [sys.executable, "-S", "-c", text], Path.cwd(), **roles)

        both = (entrant("bionet", 1.0, ours=True), entrant("a | b", 4.0, standard=True))
        return [Contest(name, name.title(), both, (Reach(0.2),), per=0.5 if quick else 1.0) for name in ("one", "two")]
    """
    (folder / "toy.py").write_text(textwrap.dedent(text))
    (folder / "other.py").write_text("'''Nothing.'''\n")


def test_the_command_prints_and_writes_what_was_measured(benchmark, tmp_path, capsys):
    assert main(["bench", "toy", "--only", "two", "--quick", "--patience", "0", "--out", "toy.json"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    facts = json.loads((tmp_path / "toy.json").read_text())
    (contest,) = facts["contests"]
    assert (contest["name"], facts["repeats"], facts["quick"]) == ("two", 2, True)
    assert [turn["simulate_s"] for turn in contest["entrants"]["a | b"]["turns"]] == [4.0, 8.0]
    assert contest["verdicts"][0]["ratio"] == [0.25, 0.25, 0.25]
    assert contest["verdicts"][0]["reached"] is False
    assert "Two 3 s a | b 12 s 0.25 0.20 missed" in printed  # medians of 1, 2 and of 4, 8, by half a second
    assert "| Two | 3 s | a \\| b | 12 s | 0.25 | 0.20 | missed |" in (tmp_path / "toy.md").read_text()
    assert "short: not to be quoted" in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["toi"], "toi: there is no such benchmark; did you mean 'toy'?"),
        (["nowhere.py"], "nowhere.py: there is no such benchmark"),
        (["other"], "has no contests(quick)"),
        (["toy", "--only", "three"], "--only three: there is no such contest. Known: one, two"),
        (["toy", "--only", "tow"], "did you mean 'two'?"),
        (["toy", "--out", "toy.txt"], "expected the name of a JSON file, such as toy.json"),
        (["toy", "--out", "there.json"], "there.md: is there already"),
        (["toy", "--out", "none/toy.json"], "none/toy.json: cannot be written"),
        (["toy", "--repeats", "0"], "Invalid value for '--repeats'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(benchmark, tmp_path, capsys, arguments, expected):
    (tmp_path / "there.md").write_text("precious")
    assert main(["bench", *arguments]) in (1, 2)
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert (tmp_path / "there.md").read_text() == "precious"


def test_an_installed_bionet_says_where_benchmarks_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench.bionet, "__file__", str(tmp_path / "site-packages" / "bionet" / "__init__.py"))
    assert main(["bench", "spiking"]) == 2
    assert "an installed bionet does not hold the benchmarks" in capsys.readouterr().err
