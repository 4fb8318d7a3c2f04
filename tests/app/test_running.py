"""Running an experiment to its end, and every way in which it may end before."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

from bionet.app.cli import main
from bionet.app.experiment import load
from bionet.app.running import Reporter, _work
from bionet.errors import StorageError
from bionet.results import ResultWriter, open_result


class Line:
    """What a child says, kept."""

    def __init__(self):
        self.said = []

    def send(self, message):
        self.said.append(message)


def test_a_run_leaves_a_file_a_page_and_tables(experiment, capsys, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    path = experiment("fast")
    assert (
        main(["run", str(path), "--quick", "--seed", "5", "--jobs", "2", "--noise=0.1,0.2", "--set", "dropout=1"]) == 0
    )
    said = capsys.readouterr()
    assert "The result is in fast.h5, the page in fast.html" in said.out
    assert "heard" in said.out
    assert said.err == ""
    tree = open_result("fast.h5")
    assert tree["scores/heard"].sel(model="MLP").values.tolist() == [7.0, 8.0]
    assert tree["scores"].seed.values.tolist() == [5, 6]
    attributes = tree.attrs
    assert (attributes["status"], attributes["experiment"], attributes["quick"]) == ("finished", "fast", 1)
    assert attributes["experiment_sha256"] == load(path).sha256
    assert attributes["engine"] == "ear"
    expected = {"n_hidden": 2, "noise": [0.1, 0.2], "dropout": 1.0, "shuffle": False}
    assert json.loads(attributes["parameters"]) == expected
    threads = str(attributes["threads"])
    assert tree["scores"].attrs["threads"] == ",".join([threads] * 4)
    assert "Figure 1." in Path("fast.html").read_text()
    assert main(["show", "fast.h5"]) == 0
    assert "Does <b>louder</b> mean more?" in capsys.readouterr().out
    assert "OMP_NUM_THREADS" not in os.environ
    with xr.open_datatree("fast.h5", engine="h5netcdf") as opened:
        assert opened["scores/heard"].attrs["long_name"] == "heard"


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("raises", 1, r"seed 0: ZeroDivisionError: division by zero \(raises.py, line \d+\)"),
        ("dies", 1, "seed 0: its process was ended by SIGKILL, perhaps because memory ran out"),
    ],
)
def test_a_seed_that_fails_is_one_sentence_and_what_it_recorded_is_kept(experiment, capsys, name, code, expected):
    assert main(["run", str(experiment(name))]) == code
    said = capsys.readouterr().err
    assert re.fullmatch(f"bionet: {expected}\n", said)
    tree = open_result(f"{name}.h5")
    assert re.fullmatch(f"failed: {expected}", tree.attrs["status"])
    assert tree["scores/heard"].values[0, 0] == 7


def test_what_an_experiment_refuses_leaves_nothing_behind(experiment, capsys):
    assert main(["run", str(experiment("refuses")), "--debug"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("bionet: digits.n_train: got 5000; expected at most 1437\n")
    assert "refuses.py" in said  # the traceback of the child
    assert [each.name for each in Path().iterdir()] == ["experiments"]


def test_what_an_experiment_refuses_leaves_an_older_result_as_it_was(experiment):
    path = experiment("refuses")
    older = path.parent / "refuses.h5"
    older.write_bytes(b"an older result")
    assert main(["run", str(path), "--out", str(older), "--force", "--no-report"]) == 2
    assert older.read_bytes() == b"an older result"
    assert [each.name for each in path.parent.iterdir() if each.suffix in (".partial", ".lock")] == []


def test_a_run_that_returns_no_tree_is_told_so(experiment):
    found, line = load(experiment("returns_nothing")), Line()
    _work(line, found.path, found.source, {}, seed=0)
    assert line.said[0][0] == "failed"
    assert "run returned NoneType; expected an xarray.DataTree" in line.said[0][1][0]


def test_a_disk_that_is_full_ends_the_run_with_a_sentence(experiment, capsys, monkeypatch):
    def full(writer, tree, seed):
        raise StorageError("sleeps.h5: writing failed (No space left on device)")

    monkeypatch.setattr(ResultWriter, "put", full)
    assert main(["run", str(experiment("sleeps"))]) == 1
    assert capsys.readouterr().err == "bionet: sleeps.h5: writing failed (No space left on device)\n"
    assert open_result("sleeps.h5").attrs["status"].startswith("failed: sleeps.h5: writing failed")


def begin(path, *more):
    """Start a run that sleeps, and wait until it has recorded; return it and the number of its child."""
    command = [sys.executable, "-m", "bionet", "run", str(path), "--no-report", *more]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child = int(running.stdout.readline().split()[1])
    deadline = time.monotonic() + 60
    while "scores" not in open_result("sleeps.h5.partial").children and time.monotonic() < deadline:
        time.sleep(0.05)
    return running, child


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(process, seconds=30):
    deadline = time.monotonic() + seconds
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_finishes_its_file(experiment, number):
    running, child = begin(experiment("sleeps"))
    os.kill(child, signal.SIGINT)  # a terminal sends Ctrl-C to the children too; they leave it to the parent
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert said == f"bionet: the run was stopped by {number.name}\n"
    assert wait_for_end(child)
    tree = open_result("sleeps.h5")
    assert tree.attrs["status"] == f"interrupted: the run was stopped by {number.name}"
    assert tree["scores/heard"].values[0, 0] == 1
    assert sorted(each.name for each in Path().iterdir()) == ["experiments", "sleeps.h5"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see whether a process lives")
def test_a_run_that_is_killed_leaves_a_readable_file_and_no_process(experiment):
    running, child = begin(experiment("sleeps"))
    running.kill()
    running.communicate(timeout=60)
    assert wait_for_end(child)
    tree = open_result("sleeps.h5.partial")
    assert tree["scores/heard"].values[0, 0] == 1
    assert "ended without finishing" in tree.attrs["status"]


def test_bars_inside_bars_add_up(monkeypatch):
    monkeypatch.setattr("bionet.app.running._EVERY", 0.0)
    line = Line()
    progress = Reporter(line)
    for _ in progress(range(2), "outer"):
        for _ in progress(iter("ab"), "inner", total=2):
            pass
    said = [content for kind, content in line.said if kind == "bar"]
    parts = [part for _, part, _ in said]
    assert parts == sorted(parts) == [0, 0, 0.25, 0.5, 0.5, 0.5, 0.75, 1, 1]
    assert [anew for _, _, anew in said] == [True] + [False] * 8
    assert said[2][0] == "outer · inner"


def test_bars_that_are_left_early_or_have_no_end(monkeypatch):
    monkeypatch.setattr("bionet.app.running._EVERY", 0.0)
    line = Line()
    progress = Reporter(line)
    for item in progress(range(10), "left"):
        if item == 3:
            break
    assert next(progress(iter([1]), "endless")) == 1
    assert line.said[-1] == ("bar", ("endless", 0.0, True))
    tree = xr.DataTree()
    progress.record(tree)
    assert line.said[-1] == ("record", tree)


def test_bars_are_told_a_few_times_a_second_only():
    line = Line()
    for _ in Reporter(line)(range(10_000), "fast"):
        pass
    assert len(line.said) < 100
