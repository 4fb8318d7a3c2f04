"""The question of the likelihood: every machine answers, and every figure can be drawn."""

import dataclasses

import numpy as np
import pytest
from matplotlib import pyplot

from bionet.progress import Silence
from bionet.results import stack
from experiments import rbm_mnist as experiment

SMALL = dataclasses.replace(experiment.QUICK, n_epochs=4, n_epochs_large=4, every=2, n_large=21, n_betas=50)


@pytest.fixture(scope="module")
def tree():
    return experiment.run(SMALL, 1, Silence())


def test_every_machine_has_likelihoods(tree):
    scores = tree["scores"].to_dataset()
    assert list(scores["model"].values) == [each.name for each in experiment.MACHINES]
    for name in ("test", "low", "high", "forward", "train"):
        assert scores[name].notnull().all(), name
    assert (scores["low"] <= scores["test"]).all()
    assert (scores["test"] <= scores["high"]).all()
    summed = [each.name for each in experiment.MACHINES if not each.large]
    np.testing.assert_array_equal(scores["low"].sel(model=summed), scores["high"].sel(model=summed))
    assert tree["learning/centred"]["test"].sizes == {"epoch": 2}


def test_flipped_pictures_are_as_likely_to_a_centred_machine(tree):
    scores = tree["scores"]["test"]
    assert abs(float(scores.sel(model="centred")) - float(scores.sel(model="centred, flipped"))) < 1


def test_independent_pixels_are_a_floor_that_learning_rises_from(tree):
    assert -32 < tree.attrs["independent_pixels"] < -20


def test_held_pixels_stay_as_they_were(tree):
    given, _, whole = np.split(tree["inpainting"]["picture"].values, 3)
    np.testing.assert_array_equal(whole[:, :4], given[:, :4])


def test_figures_are_drawn_from_the_stacked_tree(tree):
    drawn = experiment.figures(stack({0: tree, 1: tree}))
    assert len(drawn) == 4
    pyplot.close("all")
