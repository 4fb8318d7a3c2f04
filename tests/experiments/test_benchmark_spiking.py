"""The spiking benchmark: its command lines say what is meant, and a simulator does what it is told."""

import json
import subprocess
import sys
from array import array
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.benchmarks import spiking
from experiments.benchmarks.simulators.binary import _count_after
from experiments.benchmarks.simulators.task import Task, parsed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("quick", [False, True])
def test_every_entrant_of_a_contest_has_the_same_task(quick, tmp_path):
    for contest in spiking.contests(quick):
        tasks = [parsed(each.command(tmp_path)[3:]) for each in contest.entrants]
        shared = {(each.network, each.n, each.seconds, each.settle, each.fresh, each.once) for each in tasks}
        assert len(shared) == 1, contest.name
        (only,) = shared
        assert contest.per == (1.0 if only[-1] else only[2])
        assert {each.simulator for each in tasks} == {"bionet", "cpp", "cython", "numpy", "nest"}
        for reach in contest.reaches:
            assert reach.against in {None, *(each.name for each in contest.entrants)}


@pytest.mark.parametrize("threads", [None, 2])
@pytest.mark.parametrize("fresh", [True, False])
def test_a_task_is_read_as_it_was_written(tmp_path, fresh, threads):
    task = Task("cython", "cuba", 4000, 0.25, 0.0, threads, tmp_path, fresh, not fresh)
    assert parsed(task.arguments()) == task


def test_spikes_of_the_settling_are_not_counted(tmp_path):
    (tmp_path / "t").write_bytes(array("d", [0.0, 0.0999, 0.1, 0.1, 0.2]).tobytes())
    assert _count_after(tmp_path / "t", 0.1) == 3
    assert _count_after(tmp_path / "t", 0.0) == 5


@pytest.mark.parametrize(
    "module", ["with_brian numpy", "with_nest nest", pytest.param("with_brian bionet", marks=pytest.mark.slow)]
)
def test_a_simulator_runs_when_told_to_and_says_what_came_of_it(module, tmp_path):
    name, simulator = module.split()
    if simulator == "nest" and find_spec("nest") is None:
        pytest.skip("NEST is not installed")
    task = Task(simulator, "cuba", 500, 0.1, 0.05, None, tmp_path, fresh=True, once=False)
    command = [sys.executable, "-m", f"experiments.benchmarks.simulators.{name}", *task.arguments()]
    done = subprocess.run(command, input="go\ngo\n", capture_output=True, text=True, cwd=ROOT, check=True)
    ready, *turns = map(json.loads, done.stdout.splitlines())
    assert ready["ready"]["build_s"] > 0.0
    assert len(turns) == 2
    for turn in turns:
        assert turn["spikes"] > 0
        assert turn["answer"] == pytest.approx(turn["spikes"] / 500 / 0.1)
        assert 0.0 < turn["simulate_s"] <= turn["call_s"]
        assert turn["cpu_s"] > 0.0
        assert turn["memory_mib"] > 20.0


def test_a_simulator_that_is_not_here_says_so(tmp_path):
    hidden = "import sys; sys.modules['nest'] = None; sys.argv[1:] = ['nest', 'cuba', '10']\n"
    run = "from experiments.benchmarks.simulators.with_nest import main; main()"
    done = subprocess.run([sys.executable, "-c", hidden + run], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "pip install nest-simulator" in json.loads(done.stdout)["absent"]
