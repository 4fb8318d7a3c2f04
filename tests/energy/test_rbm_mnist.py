"""Machines of MNIST's size: likelihoods that others have published, and what centring does for them."""

from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from bionet.datasets import load
from bionet.energy import RBM
from bionet.energy.partition import Interval

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@cache
def binarised(flipped=False):
    """Return the training and the test pictures as bits, 1 where a pixel is at least 1/2 (or is not, if flipped)."""
    data = load("mnist")
    pictures, part = data["X"].values >= 0.5, data["split"].values == "test"
    bits = (pictures ^ flipped).astype(np.float32)
    return bits[~part], bits[part]


@cache
def course(gradient="pcd", centered=True, flipped=False, epochs=50):
    """Return the test and the training likelihood after every tenth epoch, of 784-16 units, batches of 100 in order."""
    train, test = binarised(flipped)
    rbm = RBM(
        16,
        learning_rate=0.01,
        rate_decay=None,
        batch_size=100,
        gradient=gradient,
        centered=centered,
        dtype="float32",
    )
    found = []
    for epoch in range(epochs):
        rbm.partial_fit(train)
        if epoch % 10 == 9:
            log_z = rbm.log_partition().estimate
            found.append([-rbm.free_energy(part).mean(dtype=float) - log_z for part in (test, train)])
    return np.array(found)


def test_sixteen_hidden_units_as_published():
    """Oracle G1; published -142.56 (test) and -143.15 (train) by a run of the same rules and other draws."""
    test, train = course()[-1]
    assert test == pytest.approx(-142.5, abs=1.5)
    assert 0.2 < test - train < 1.5


def test_centring_helps_and_forgets_what_is_called_black():
    """Oracle G2; published: not centred -149.05; flipped pictures, centred -142.09, not centred -183.36.

    Measured here: -147.25, -140.84, -192.73. The last one swings: -185, -185, -174, -165, -193 after every tenth pass.
    The published run started from weights that are 20 times as large, uniform to +-0.35; the likelihood after so many
    passes says little where it swings so, and only orders are tested.
    """
    plain, flipped = course(centered=False), course(centered=False, flipped=True)
    centred, centred_flipped = course(), course(flipped=True)
    assert (centred[:, 0] > plain[:, 0] + 3).sum() >= 4
    assert (centred_flipped[:, 0] > flipped[:, 0] + 5).all()
    assert abs(centred[-1, 0] - centred_flipped[-1, 0]) < 3


def test_persistent_chains_beat_those_that_start_anew():
    """Oracle G5: the same number of products, so the same processor time."""
    assert course()[-1, 0] > course("cd")[-1, 0] + 3


@pytest.mark.published
def test_five_hundred_hidden_units_as_published():
    """Oracle G3; published: AIS -84.86, reverse AIS -96.61 (test): quote both. A quarter of an hour."""
    train, test = binarised()
    rbm = RBM(
        500, learning_rate=0.01, rate_decay=None, batch_size=100, n_iter=200, gradient="pcd", dtype="float32"
    ).fit(train)
    betas = np.concatenate([np.linspace(0, 0.5, 500), np.linspace(0.5, 0.9, 4000), np.linspace(0.9, 1, 10_000)])
    found = rbm.log_likelihood(test, n_runs=100, betas=betas)
    forward, reverse = found.parts
    assert isinstance(found, Interval)
    assert forward.estimate == pytest.approx(-84.86, abs=5)
    assert reverse.estimate < forward.estimate


@pytest.mark.published
def test_hidden_units_are_features_as_published():
    """Oracle G9; published after 120 passes: k nearest neighbours 2.88 % wrong, logistic regression 1.83 %.

    Measured here after 20: 2.75 % and 2.05 %. With samples for visible units, as the published run has them not, the
    hidden units are far sparser, and 3.7 % and 2.6 % after 120.
    """
    data = load("mnist")
    pictures, digits, part = data["X"].values.astype(np.float32), data["y"].values, data["split"].values == "test"
    rbm = RBM(
        1024,
        learning_rate=0.05,
        rate_decay=None,
        batch_size=10,
        n_iter=20,
        reconstruction="mean",
        centered=False,
        momentum=0.9,
        weight_decay=1e-5,
        dtype="float32",
    ).fit(pictures[~part][:55_000])
    learned, asked = rbm.transform(pictures[~part][:55_000]), rbm.transform(pictures[part])
    for classifier, published in (
        (KNeighborsClassifier(3, algorithm="brute"), 0.0288),
        (LogisticRegression(C=0.1, max_iter=300), 0.0183),
    ):
        wrong = 1 - classifier.fit(learned, digits[~part][:55_000]).score(asked, digits[part])
        assert wrong == pytest.approx(published, abs=0.003)
