"""The probes, put to contestants whose answers are known."""

from itertools import pairwise

import numpy as np
import pytest

from bionet.compare import probes
from bionet.compare.question import Contestant, Decision, Question
from bionet.progress import Silence
from bionet.random import Stream


class Threshold(Contestant):
    """Says 1 when the first pixel times its weight is above one half; its second unit does nothing."""

    family, n_units = "baseline", 2

    def __init__(self):
        super().__init__("threshold", (1.0, 1.0), "by construction")

    def fit(self, question, progress):
        self.weights = {"w": np.array([[1.0], [0.0]])}
        self.samples_seen, self.labels_used = len(question.y_train), 0
        return self

    def decide(self, X, weights=None, alive=None):
        w = (weights or self.weights)["w"][:, 0] * (True if alive is None else alive)
        return Decision.at_once((X @ w > 0.5).astype(int), n_layers=1, multiply_accumulates=2)


@pytest.fixture
def question():
    X = np.column_stack([np.tile([0.0, 1.0], 500), np.full(1000, 0.5)])
    return Question(X, X[:, 0].astype(int), X, X[:, 0].astype(int), shape=(1, 2))


@pytest.fixture
def contestant(question):
    return Threshold().fit(question, Silence())


def test_quantising_keeps_weights_that_already_lie_on_the_levels():
    weights = np.tile(np.linspace(-1.5, 1.5, 4), 10)
    assert np.allclose(probes.quantised(weights, bits=2), weights)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_quantised_weights_have_at_most_two_to_the_bits_values_and_the_error_of_a_good_uniform_quantiser(bits):
    # Max (1960), table II: mean squared error of the best uniform quantiser of a unit normal variable.
    best = {1: 0.3634, 2: 0.1188, 3: 0.03744, 4: 0.01154}[bits]
    weights = Stream(1, "weights").normal(100_000)
    rounded = probes.quantised(weights, bits)
    assert np.unique(rounded).size <= 2**bits
    assert np.mean((rounded - weights) ** 2) == pytest.approx(best, rel=0.05)


def test_a_larger_lesion_contains_the_smaller_one_and_removes_the_stated_number():
    alive = [probes.survivors(50, fraction, Stream(3, "lesion")) for fraction in (0.0, 0.2, 0.5, 1.0)]
    assert [each.sum() for each in alive] == [50, 40, 25, 0]
    assert all(np.all(later <= earlier) for earlier, later in pairwise(alive))


def test_noise_of_level_zero_changes_nothing_and_noise_stays_within_the_pixels_range(question):
    assert np.array_equal(probes.noisy(question.X_test, 0.0, Stream(1, "noise")), question.X_test)
    loud = probes.noisy(question.X_test, 5.0, Stream(1, "noise"))
    assert loud.min() == 0.0
    assert loud.max() == 1.0


def test_the_curves_of_a_contestant_with_known_answers(contestant, question):
    assert probes.along("bits", contestant, question, (2, 8), seed=0, progress=Silence()) == [1.0, 1.0]
    assert probes.along("lesion", contestant, question, (0.0, 1.0), seed=0, progress=Silence()) == [1.0, 0.5]
    # Noise of deviation s on a pixel of 0 or 1 crosses 1/2 with probability Phi(-0.5/s); 5 standard errors of 1000.
    (accuracy,) = probes.along("noise", contestant, question, (0.5,), seed=0, progress=Silence())
    assert accuracy == pytest.approx(0.841, abs=5 * np.sqrt(0.841 * 0.159 / 1000))


def test_judging_a_decision_reads_time_spikes_and_work_where_the_answer_becomes_stable():
    answers = np.array([[0, 1], [1, 1], [1, 1]])
    grow = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    decision = Decision(np.array([0.01, 0.02, 0.03]), "s", answers, 0 * grow, grow, grow)
    found = probes.judge(decision, np.array([1, 0]))
    assert found["accuracy"] == 0.5
    assert found["decision_s"] == pytest.approx(0.015)
    assert found["decision_spikes"] == 6.0
    assert found["events"] == 16.5
    assert found["energy"] == pytest.approx(16.5 * 0.9e-12)
    assert found["energy_to_decision"] == pytest.approx((2 + 10) / 2 * 0.9e-12)


def test_training_reports_what_it_took(question):
    cost = probes.train(Threshold(), question, Silence())
    assert (cost["samples_seen"], cost["labels_used"]) == (1000, 0)
    assert cost["training_time"] >= 0
