"""The benchmark of the event engine: its command lines say what is meant, and its simulators do what they are told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.benchmarks import event
from experiments.benchmarks.simulators.task import Task, parsed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("quick", [False, True])
def test_every_entrant_of_a_contest_has_the_same_task(quick, tmp_path):
    for contest in event.contests(quick):
        tasks = [parsed(each.command(tmp_path)[3:]) for each in contest.entrants]
        shared = {(each.network, each.n, each.seconds, each.settle, each.fresh) for each in tasks}
        assert len(shared) == 1, contest.name
        assert contest.per == next(iter(shared))[2]
        kinds = [(each.simulator, each.threads) for each in tasks]
        assert kinds[:2] == [("bionet_event", 1), ("bionet_dense", 1)]
        assert len(kinds) == 2 or kinds[2:4] == [("bionet_lazy", 1), ("bionet_event", 2)]
        for reach in contest.reaches:
            assert reach.against in {None, *(each.name for each in contest.entrants)}


def test_the_sparse_network_fires_at_the_rate_of_its_sources(tmp_path):
    task = Task("bionet_event", "sparse", 400, 20.0, 0.1, 1, tmp_path, fresh=False, once=False)
    command = [sys.executable, "-m", "experiments.benchmarks.simulators.with_brian", *task.arguments()]
    done = subprocess.run(command, input="go\n", capture_output=True, text=True, cwd=ROOT, check=True)
    _, turn = map(json.loads, done.stdout.splitlines())
    # 800 events of a Poisson process: five standard deviations.
    assert turn["answer"] == pytest.approx(0.1, abs=5 * 0.1 / 800**0.5)
