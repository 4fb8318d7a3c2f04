"""A script runs as Python would run it, and bionet runs its networks."""

import subprocess
import sys
from pathlib import Path

import brian2
import pytest
from brian2.core.magic import start_scope
from brian2.devices.device import get_device, reset_device

from bionet.app.cli import main


@pytest.fixture(autouse=True)
def _as_it_was():
    target = brian2.prefs.codegen.target
    yield
    vars(get_device()).pop("network_before_run", None)
    reset_device()
    brian2.prefs.codegen.target = target
    start_scope()


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Write a script into a folder beside the current one, and return its path."""
    (tmp_path / "here").mkdir()
    (tmp_path / "scripts").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def write(text, name="script.py"):
        (tmp_path / "scripts" / name).write_text(text)
        return str(Path("..", "scripts", name))

    return write


SURROUNDINGS = '''"""A script."""
import sys, os, neighbour
def typed(x: 1 + 1): pass
print(sys.argv, __name__, __doc__, neighbour.x, typed.__annotations__, __file__, sys.path[0], os.getcwd())
print(sys.modules["__main__"].typed is typed)
'''


def test_a_script_finds_what_it_finds_under_python(script, capsys):
    script("x = 7", "neighbour.py")
    path = script(SURROUNDINGS)
    arguments = ["5", "--n", "3", "--debug", "--help", "--seed"]
    there = sys.argv, sys.path[:], sys.modules["__main__"]
    assert main(["brian", path, "5", "--", *arguments[1:]]) == 0
    assert (sys.argv, sys.path, sys.modules["__main__"]) == there
    run = subprocess.run([sys.executable, path, *arguments], capture_output=True, text=True, check=True)
    assert capsys.readouterr().out == run.stdout


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit()",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('sorry')",
        "def f():\n    return 1/0\nf()",
        "try:\n    1/0\nexcept ZeroDivisionError as error:\n    raise ValueError('two') from error",
        "def f(:\n",
        "raise EOFError('enough')",
        "import os; raise BrokenPipeError(32, 'gone')",
        "# -*- coding: latin-1 -*-\nraise KeyError('\xe9')",
    ],
)
def test_an_end_is_that_of_python(script, capsys, monkeypatch, text):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    path = script(text)
    code = main(["brian", path])
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert (code, capsys.readouterr().err) == (run.returncode, run.stderr)


def test_ctrl_c_is_130(script, capsys):
    assert main(["brian", script("raise KeyboardInterrupt")]) == 130
    assert capsys.readouterr().err == ""


NOISY = """
from brian2 import *
prefs.codegen.target = "numpy"
equations = "dv/dt = (1 - v)/(5*ms) + 0.3*xi/sqrt(5*ms) : 1"
cells = NeuronGroup(5, equations, threshold="v > 1", reset="v = 0", method="euler", name="cells")
cells.v = "rand()"
spikes = SpikeMonitor(cells)
run(10*ms)
run(10*ms)
print(type(get_device()).__name__, list(spikes.i), list(spikes.t_))
"""


def test_networks_are_run_by_bionet_with_the_seed_given(script, capsys):
    noisy, seeded = script(NOISY), script(NOISY.replace("prefs", "seed(4)\nprefs", 1), "seeded.py")
    said = []
    for arguments in ([seeded], [noisy, "--seed", "4"], ["--seed", "5", noisy]):
        assert main(["brian", *arguments]) == 0
        said.append(capsys.readouterr().out)
    assert said[0].startswith("BionetDevice [")
    assert said[0] == said[1] != said[2]


def test_explain_says_it_once_for_each_network(script, capsys):
    other = "other = NeuronGroup(1, 'v : 1', threshold='v > 1', reset='', name='other')"
    again = f"{NOISY}\ndel cells, spikes\n{other}\nrun(0*ms)\n"
    assert main(["brian", script(again), "--explain"]) == 0
    said = capsys.readouterr().err
    assert said.count("objects run in one compiled loop") == 2
    assert said.count("cells_stateupdater") == said.count("other_spike_thresholder") == 1
    assert main(["brian", script(NOISY)]) == 0
    assert "compiled loop" not in capsys.readouterr().err


def test_a_script_that_chooses_a_device_is_left_its_choice(script, capsys):
    path = script(
        "from brian2 import *\nset_device('runtime')\nprint(type(get_device()).__name__)\nraise SystemExit(4)"
    )
    assert main(["brian", path]) == 4
    said = capsys.readouterr()
    assert said.out == "RuntimeDevice\n"
    assert said.err == f"bionet: {path} chose the device 'runtime' itself; bionet has run nothing since then\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Missing argument"),
        (["nobody.py"], "nobody.py: cannot be read (No such file"),
        (["."], ".: cannot be read (Is a directory)"),
        (["SCRIPT", "--engine", "girд"], "engine: got 'girд'; expected one of 'grid'"),
        (["SCRIPT", "--threads", "0"], "Invalid value for '--threads'"),
        (["SCRIPT", "--seed", "-1"], "Invalid value for '--seed'"),
        (["SCRIPT", "--sed", "1"], "--sed: not an option of bionet brian; did you mean '--seed'?"),
        (["SCRIPT", "--n", "1"], "stands behind two dashes: bionet brian SCRIPT.py -- --n ..."),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(script, capsys, arguments, expected):
    path = script("print('ran')")
    assert main(["brian", *(path if each == "SCRIPT" else each for each in arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert expected in said.err
    assert said.err.startswith("bionet: ")
    assert said.err.count("\n") == 1


def test_a_strangers_preferences_are_not_run(script):
    path = script("print('ran')")
    Path("brian_preferences").write_text("open('touched', 'w')")
    run = subprocess.run([sys.executable, "-m", "bionet", "brian", path], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("bionet: brian_preferences: found in ")
    assert run.stderr.count("\n") == 1
    assert not Path("touched").exists()
