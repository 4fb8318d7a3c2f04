"""The energy benchmark: its command lines say what is meant, and a learner does what it is told."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.benchmarks import energy
from experiments.benchmarks.learners.task import FLOPS, Task, parsed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("quick", [False, True])
def test_every_entrant_of_a_contest_has_the_same_task(quick, tmp_path):
    for contest in energy.contests(quick):
        tasks = {parsed(each.command(tmp_path)[3:]) for each in contest.entrants}
        assert len(tasks) == 1, contest.name
        assert [each.name for each in contest.entrants if each.ours] == ["bionet"]
        for reach in contest.reaches:
            assert reach.against in {None, *(each.name for each in contest.entrants)}


def test_a_task_is_read_as_it_was_written():
    task = Task("pcd", 1200, k=3, chains=500)
    assert parsed(task.arguments()) == task


def test_products_are_counted():
    """Five of a batch for one sweep of contrastive divergence, as in oracle and issue: 235 GFLOP an epoch."""
    assert Task("cd", 60_000).flops == 5 * 60_000 * FLOPS
    assert Task("cd", 60_000).flops == pytest.approx(235.2e9)
    assert Task("cd", 100, k=25).flops == 53 * 100 * FLOPS
    assert Task("pcd", 100, chains=500).flops == (100 + 1000 + 600) * FLOPS
    assert Task("tempering", 100).flops == (100 + 2000 + 300) * FLOPS


@pytest.mark.parametrize(
    ("module", "task"),
    [
        ("with_bionet", Task("cd", 200)),
        ("with_bionet", Task("tempering", 100)),
        ("with_bionet", Task("ais", 10)),
        ("with_bionet", Task("hopfield", 200)),
        ("with_bionet", Task("capacity", 100)),
        ("with_bionet", Task("boltzmann", 20)),
        ("with_sklearn", Task("cd", 200)),
        ("with_numpy", Task("hopfield", 200)),
        ("with_numpy", Task("boltzmann", 20)),
        ("with_numpy", Task("cd", 200)),
        ("with_torch", Task("cd", 200)),
    ],
    ids=lambda each: each if isinstance(each, str) else each.work,
)
def test_a_learner_runs_when_told_to_and_says_what_came_of_it(module, task):
    if module == "with_torch" and find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    command = [sys.executable, "-m", f"experiments.benchmarks.learners.{module}", *task.arguments()]
    done = subprocess.run(command, input="go\ngo\n", capture_output=True, text=True, cwd=ROOT, check=True)
    ready, *turns = map(json.loads, done.stdout.splitlines())
    assert ready["ready"]["version"]
    assert len(turns) == 2
    for turn in turns:
        assert turn["simulate_s"] > 0
    if task.work == "cd" and "answer" in turns[0]:
        assert 0.05 < turns[0]["answer"] < 0.26
    if task.work == "hopfield":
        assert turns[0]["answer"] > 0.97
