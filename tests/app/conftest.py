"""Small experiments, each a file of its own, as a user would write it."""

import textwrap

import pytest

HEAD = '''
"""Does <b>louder</b> mean more?

A line of the question.
"""
import os, time
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from bionet.errors import InputError
from bionet.parameters import Count, Fraction, NonNegative, parameters

@parameters
class Parameters:
    """What can be asked.

    Parameters
    ----------
    n_hidden : int
        Units of the hidden layer,
        dimensionless.
    noise : tuple of float
        Levels.
    """

    n_hidden: Count = 10
    noise: tuple[NonNegative, ...] = (0.0, 0.5)
    dropout: Fraction = 0.5
    shuffle: bool = False

QUICK = Parameters(n_hidden=2, dropout=0.25)
QUICK_SEEDS = 2

def answer(value):
    heard = ("model", [value, np.nan], {"units": "1", "long_name": "heard"})
    models = ("model", ["MLP", "<script>alert(1)</script>"], {"units": "1", "long_name": "contestant"})
    tree = xr.DataTree.from_dict({"/scores": xr.Dataset({"heard": heard}, {"model": models})})
    tree.attrs["engine"] = "ear"
    return tree

def figures(tree):
    figure = Figure()
    figure.subplots().plot(tree["scores/heard"].mean("seed").values)
    return {"Heard & <seen>.": figure}
'''

RUNS = {
    "fast": """
        def run(parameters, seed, progress):
            for _ in progress(range(3), "listening"):
                pass
            threads = [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")]
            tree = answer(seed + parameters.n_hidden)
            tree["scores"].attrs["threads"] = ",".join(threads)
            return tree
        """,
    "sleeps": """
        def run(parameters, seed, progress):
            progress.record(answer(seed + 1))
            print("pid", os.getpid(), flush=True)
            time.sleep(60)
        """,
    "raises": """
        def run(parameters, seed, progress):
            progress.record(answer(7))
            return 1 / (seed - seed)
        """,
    "refuses": """
        def run(parameters, seed, progress):
            raise InputError("digits.n_train: got 5000; expected at most 1437")
        """,
    "dies": """
        def run(parameters, seed, progress):
            progress.record(answer(7))
            os.kill(os.getpid(), 9)
        """,
    "returns_nothing": """
        def run(parameters, seed, progress):
            pass
        """,
}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Write an experiment by its name, or with a text of its own, into ./experiments, and return its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()

    def write(name, text=None):
        path = tmp_path / "experiments" / f"{name}.py"
        path.write_text(HEAD.lstrip() + textwrap.dedent(RUNS[name]) if text is None else text)
        return path.relative_to(tmp_path)

    return write
