"""An experiment file: what is accepted, and what is refused with one sentence."""

import sys
from pathlib import Path

import pytest

from bionet.app.experiment import load
from bionet.errors import InputError, MissingExtraError

GOOD = '''"""A question."""
from bionet.parameters import Count, parameters
@parameters
class Parameters:
    n: Count = 1
def run(parameters, seed, progress): ...
def figures(tree): ...
'''


def test_what_a_file_says_of_itself(experiment):
    found = load(experiment("fast"))
    assert found.name == "fast"
    assert found.question == "Does <b>louder</b> mean more?\n\nA line of the question."
    assert (found.n_seeds(quick=False), found.n_seeds(quick=True)) == (1, 2)
    assert found.described()[:2] == [
        ("--n-hidden int", "Units of the hidden layer, dimensionless. [default: 10]"),
        ("--noise tuple[float, ...]", "Levels. [default: 0.0,0.5]"),
    ]


def test_quick_is_the_ground_and_what_is_given_stands_on_it(experiment):
    found = load(experiment("fast"))
    quick = found.parameters({"noise": "0.1,0.2"}, quick=True)
    assert (quick.n_hidden, quick.noise, quick.dropout) == (2, (0.1, 0.2), 0.25)
    assert found.parameters({}).n_hidden == 10


def test_the_source_that_was_read_is_the_one_that_runs(experiment):
    path = experiment("changing", GOOD)
    first = load(path)
    path.write_text(GOOD.replace("A question", "Another question"))
    assert load(path, first.source).question == "A question."
    assert load(path).question == "Another question."
    assert load(path).sha256 != first.sha256


def test_models_beside_experiments_can_be_imported(experiment, tmp_path, monkeypatch):
    (tmp_path / "models_of_this_test").mkdir()
    (tmp_path / "models_of_this_test" / "author_1999.py").write_text("TAU = 0.02")
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = load(experiment("neighbour", GOOD + "from models_of_this_test.author_1999 import TAU"))
    assert found.module.TAU == 0.02


@pytest.mark.parametrize(("mark", "ending"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"\xef\xbb\xbf", b"\r\n")])
def test_byte_order_marks_and_line_endings_of_other_systems_are_fine(experiment, mark, ending):
    path = experiment("windows", "")
    path.write_bytes(mark + GOOD.encode().replace(b"\n", ending))
    assert load(path).question == "A question."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "has no docstring"),
        (b"\x00\x01\x7fELF", "cannot be read as Python"),
        (b"\xff\xfe\xff", "line 1: not Python"),
        (b'"""Q."""\nx = (', "line 2: not Python"),
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
        (b'"""Q."""\nimport sys\nsys.exit(3)', r"fails while it is imported: SystemExit: 3 \(odd.py, line 3\)"),
        (b'"""Q."""\nnobody', r"NameError: name 'nobody' is not defined \(odd.py, line 2\)"),
        (b'"""Q."""\nimport nobody_wrote_this', "No module named 'nobody_wrote_this'"),
        (b'"""Q."""', "has no Parameters"),
        (b'"""Q."""\nParameters = 3', "has no Parameters"),
        (GOOD.replace("def run", "def walk").encode(), r"has no run; expected run\(parameters, seed, progress\)"),
        (GOOD.replace("def figures", "figures = 1; def x").encode(), "not Python"),
        (GOOD.replace("def figures(tree)", "def draw(tree)").encode(), "has no figures"),
        (GOOD.replace("seed, progress", "seed").encode(), "run takes other arguments"),
        (GOOD.encode() + b"QUICK = 3", "QUICK is not Parameters"),
        (GOOD.encode() + b"QUICK = Parameters(n=-1)", "Parameters.n: got -1"),
        (GOOD.encode() + b"SEEDS = 0", "SEEDS is 0"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused(experiment, content, expected):
    path = experiment("odd", "")
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected):
        load(path)


def test_a_file_that_is_not_there_brings_the_nearest_name(experiment):
    experiment("fast")
    with pytest.raises(InputError, match=r"fsat.py: there is no such file.*did you mean 'fast.py'"):
        load(Path("experiments/fsat.py"))
    with pytest.raises(InputError, match="is a folder"):
        load(Path("experiments"))


def test_a_missing_extra_is_named(experiment, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(MissingExtraError, match=r"needs pynwb; install it with: pip install 'bionet\[nwb\]'"):
        load(experiment("extra", '"""Q."""\nimport pynwb.file'))


def test_quick_without_quick_parameters_is_refused(experiment):
    with pytest.raises(InputError, match="has no QUICK parameters"):
        load(experiment("long", GOOD)).parameters({}, quick=True)
