"""The question of depth: every machine answers, and every figure can be drawn."""

import dataclasses

import pytest
from matplotlib import pyplot

from bionet.progress import Silence
from bionet.results import stack
from experiments import deep_boltzmann as experiment

SMALL = dataclasses.replace(
    experiment.QUICK, n_lower=12, n_upper=8, n_epochs=5, n_epochs_pretrain=3, n_betas=60, n_train=500, n_test=100
)


@pytest.fixture(scope="module")
def tree():
    return experiment.run(SMALL, 1, Silence())


def test_every_machine_is_bounded(tree):
    scores = tree["scores"].to_dataset()
    assert list(scores["model"].values) == list(experiment.EXPECTED)
    for name in ("bound", "low", "high", "units"):
        assert scores[name].notnull().all(), name
    assert (scores["low"] <= scores["bound"]).all()
    assert (scores["bound"] <= scores["high"]).all()
    assert (scores["high"] < 0).all()
    assert scores["units"].values.tolist() == [12, 20, 20, 20]


def test_the_positive_phase_is_followed(tree):
    assert set(tree["learning"].children) == {"DBM", "DBM_pretrained"}
    assert (tree["learning/DBM"]["updates"] >= 2).all()


def test_figures_are_drawn_from_the_stacked_tree(tree):
    assert len(experiment.figures(stack({0: tree, 1: tree}))) == 4
    pyplot.close("all")
