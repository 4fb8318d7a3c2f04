"""The command line: what is refused, with which exit code, and that nothing is left behind."""

import subprocess
import sys
from pathlib import Path

import pytest

import bionet
from bionet.app.cli import main


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{bionet.__version__}\n"
    assert main([]) == main(["--help"]) == 0
    for command in ("run", "show", "report", "doctor"):
        assert f"\n  {command} " in capsys.readouterr().out or main([command, "--help"]) == 0


def test_help_is_there_without_anything_heavy():
    code = "import sys; from bionet.app.cli import main; main(['--help']); print(sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = found.stdout[found.stdout.index("[") :]
    for heavy in ("numpy", "xarray", "matplotlib", "h5py", "rich.table", "pydantic", "brian2", "torch"):
        assert f"'{heavy}'" not in modules


def test_help_of_a_run_lists_the_parameters(experiment, capsys):
    assert main(["run", str(experiment("fast")), "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Parameters of fast:" in text
    assert "--n-hidden int Units of the hidden layer, dimensionless. [default: 10]" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--n-hiden", "3"], "--n-hiden: neither an option nor a parameter; did you mean '--n-hidden'?"),
        (["--sed=3"], "did you mean '--seed'?"),
        (["--set", "n_hiden=3"], "Parameters.n_hiden: there is no such parameter; did you mean 'n_hidden'?"),
        (["--set", "n_hidden"], "--set n_hidden: expected NAME=VALUE"),
        (["--n-hidden", "many"], "Parameters.n_hidden: got 'many'; expected a whole number; the default is 10"),
        (["--n-hidden", "2.5"], "expected a whole number"),
        (["--n-hidden=-3"], "got '-3'; expected a number of at least 1"),
        (["--n-hidden", "-3"], "got '-3'; expected a number of at least 1"),
        (["--noise", "0.1,nan"], "expected a finite number"),
        (["--noise", "0.1,-1"], "expected a number of at least 0"),
        (["--dropout", "1.5"], "got '1.5'; expected a number of at most 1"),
        (["--shuffle", "perhaps"], "expected true or false"),
        (["--n-hidden"], "--n-hidden: expected a value after it"),
        (["--n-hidden", "3", "--set", "n_hidden=4"], "n_hidden: given 2 times"),
        (["another.py"], "another.py: expected --name value"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--seeds", "0"], "Invalid value for '--seeds'"),
        (["--jobs", "two"], "Invalid value for '--jobs'"),
        (["--out", "experiments"], "experiments: is a folder"),
        (["--out", "page.html"], "expected the name of a result file, such as page.h5"),
        (["--out", "/proc/nowhere/out.h5", "--no-report"], "cannot be"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(experiment, capsys, arguments, expected):
    path = experiment("fast")
    before = sorted(Path().rglob("*.*"))
    assert main(["run", str(path), *arguments]) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.startswith("bionet: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert [each for each in sorted(Path().rglob("*.*")) if "__pycache__" not in each.parts] == before


@pytest.mark.parametrize("there", ["fast.h5", "fast.html"])
def test_what_is_there_already_is_left_alone(experiment, capsys, there):
    Path(there).write_text("precious")
    assert main(["run", str(experiment("fast"))]) == 2
    assert (
        f"{there}: is there already; choose another name with --out, or replace it with --force"
        in capsys.readouterr().err
    )
    assert Path(there).read_text() == "precious"


def test_an_option_before_the_experiment_is_told_its_place(experiment, capsys):
    assert main(["run", "--n-hidden", "3", str(experiment("fast"))]) == 2
    assert "name the experiment first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["shwo"], "No such command 'shwo'"),
        (["show"], "Missing argument"),
        (["show", "nothing.h5"], "nothing.h5: "),
        (["show", "text.h5"], "not an HDF5 file"),
        (["report", "nothing.h5"], "nothing.h5: "),
        (["report", "text.h5", "--experiment", "nobody.py"], "nobody.py"),
        (["run"], "Missing argument"),
        (["run", "nobody.py"], "nobody.py: there is no such file"),
    ],
)
def test_commands_and_files_that_are_not_there(experiment, capsys, arguments, expected):
    Path("text.h5").write_text("hello")
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("bionet: ") == said.count("\n") == 1


def test_debug_shows_the_traceback_and_nothing_else_does(experiment, capsys):
    experiment("odd", "nobody")
    assert main(["run", "experiments/odd.py"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main(["run", "experiments/odd.py", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_what_would_steer_a_terminal_is_made_visible(experiment, capsys):
    assert main(["show", "\x1b]0;title\x07.h5"]) == 2
    assert capsys.readouterr().err.startswith("bionet: �]0;title�.h5")
