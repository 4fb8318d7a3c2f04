"""The associative classifier on real digits, against the nearest of its own prototypes."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.coding import thermometer
from bionet.datasets import load, split
from bionet.energy import AssociativeClassifier
from bionet.errors import InputError


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    X, y = data["X"].values, data["y"].values
    train, test = split(y, 0.2, seed=0)
    return X[train], y[train], X[test], y[test]


@pytest.fixture(scope="module")
def memory(digits):
    return AssociativeClassifier().fit(digits[0], digits[1])


def test_prototypes_are_stable_and_named_rightly(memory):
    answer = memory.recall(memory.prototypes_)
    pixels = thermometer(memory.prototypes_, 16)
    np.testing.assert_array_equal(answer.labels[-1], memory.prototype_labels_)
    np.testing.assert_array_equal(thermometer(answer.pictures, 16), pixels)


def test_accuracy_is_close_to_that_of_the_nearest_prototype(memory, digits):
    X, y = digits[2:]
    distance = ((X[:, None] - memory.prototypes_) ** 2).sum(axis=2)
    nearest = (memory.prototype_labels_[distance.argmin(axis=1)] == y).mean()
    assert 0.92 < memory.score(X, y) <= nearest + 0.01


@pytest.mark.parametrize("rule", ["hebb", "storkey"])
def test_correlated_pictures_are_too_much_for_the_local_rules(rule, digits):
    assert AssociativeClassifier(rule).fit(digits[0], digits[1]).score(digits[2], digits[3]) < 0.25


def test_free_pixels_settle_to_a_cleaner_picture_and_a_better_label(memory, digits):
    X, y = digits[2:]
    answer = memory.recall(X)
    assert (answer.labels[-1] == y).mean() > (answer.labels[0] == y).mean()
    before, after = (
        ((pictures[:, None] - memory.prototypes_) ** 2).sum(axis=2).min(axis=1).mean()
        for pictures in (X, answer.pictures)
    )
    assert after < before


def test_half_a_picture_calls_up_the_rest(memory):
    pictures = memory.prototypes_.copy()
    pictures[:, 48:] = 0.0
    settled = memory.recall(pictures).pictures
    stored = np.round(memory.prototypes_ * 16) / 16
    assert np.abs(settled - stored)[:, 48:].mean() < 0.5 * np.abs(pictures - stored)[:, 48:].mean()


def test_labels_stay_after_the_last_sweep(memory, digits):
    answer = memory.recall(digits[2][:50])
    assert answer.labels.shape == (answer.sweeps.max(), 50)
    assert answer.pictures.shape == (50, 64)
    for sample, last in enumerate(answer.sweeps):
        assert (answer.labels[last - 1 :, sample] == answer.labels[-1, sample]).all()
    np.testing.assert_array_equal(memory.recall(digits[2][7:8]).labels[-1], answer.labels[-1, 7])


def test_weights_can_be_replaced_without_being_changed(memory, digits):
    before = memory.weights_.copy()
    blank = memory.recall(digits[2], weights=np.zeros_like(before))
    assert (blank.labels == memory.classes_[0]).all()
    np.testing.assert_array_equal(memory.weights_, before)


def test_dead_units_do_nothing(memory, digits):
    X = digits[2][:40]
    alive = np.arange(1024) % 3 > 0
    intact, damaged = memory.recall(X, alive=alive), memory.weights_.copy()
    damaged[:1024][~alive] = damaged[:, :1024][:, ~alive] = 9.0
    again = memory.recall(X, weights=damaged, alive=alive)
    np.testing.assert_array_equal(again.labels, intact.labels)
    np.testing.assert_array_equal(again.pictures, intact.pictures)
    dead = memory.recall(X, alive=np.zeros(1024, dtype=bool))
    assert len(np.unique(dead.labels[-1])) == 1
    assert (dead.pictures == 0).all()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: AssociativeClassifier(levels=0), "AssociativeClassifier.levels: got 0; expected a whole number"),
        (lambda: AssociativeClassifier(n_prototypes=1.5), "AssociativeClassifier.n_prototypes: got 1.5"),
        (lambda: AssociativeClassifier("hebbian"), "did you mean 'hebb'"),
    ],
)
def test_bad_parameter_is_one_sentence(act, message):
    with pytest.raises(InputError, match=message):
        act().fit(np.eye(2), [0, 1])


def test_bad_damage_is_one_sentence(memory):
    with pytest.raises(InputError, match=r"AssociativeClassifier.alive: got int64 of shape \(2,\); expected bool"):
        memory.recall(memory.prototypes_, alive=[0, 1])
    with pytest.raises(InputError, match=r"AssociativeClassifier.weights: got float64 of shape \(2, 2\)"):
        memory.recall(memory.prototypes_, weights=np.eye(2))
    with pytest.raises(InputError, match="expected numbers from 0 to 1"):
        memory.predict(16 * memory.prototypes_)


class AnyRangeClassifier(AssociativeClassifier):
    """Squeezes what the general checks feed, which is not made of grey levels, into [0, 1]."""

    def _pixels(self, X):
        return super()._pixels(expit(X))


@parametrize_with_checks([AnyRangeClassifier(n_prototypes=3)])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
