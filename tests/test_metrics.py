"""Metrics against closed forms, plain sums and enumeration."""

import itertools

import numpy as np
import pytest
from scipy import integrate

from bionet import metrics
from bionet.errors import InputError
from bionet.random import Stream

SEEDS = [1, 2, 3, 4, 5]


def train(seed, n, name="train"):
    """``n`` spikes anywhere within a second."""
    return np.sort(Stream(seed, name).uniform(n))


def poisson_train(seed, n):
    return np.cumsum(-np.log1p(-Stream(seed, "intervals").uniform(n)))


def test_accuracy_and_confusion():
    y, answers = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]
    assert metrics.accuracy(y, answers) == pytest.approx(4 / 6)
    table = metrics.confusion(y, answers)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert np.trace(table) / table.sum() == pytest.approx(metrics.accuracy(y, answers))
    assert metrics.confusion(y, answers, n_classes=5).shape == (5, 5)
    assert metrics.accuracy(["a", "b"], ["a", "b"]) == 1.0
    assert type(metrics.accuracy(y, answers)) is float


@pytest.mark.parametrize("seed", SEEDS)
def test_a_decision_is_the_beginning_of_the_last_run(seed):
    answers = (Stream(seed, "answers").uniform((30, 200)) * 1.3).astype(int)
    times = np.cumsum(Stream(seed, "times").uniform(30))
    index = metrics.decision_index(answers)
    for sample, first in enumerate(index):
        assert (answers[first:, sample] == answers[-1, sample]).all()
        assert first == 0 or answers[first - 1, sample] != answers[-1, sample]
    assert np.array_equal(metrics.decision_time(answers, times), times[index])


def test_a_decision_at_once_and_at_the_end():
    assert metrics.decision_time([[3, 1], [3, 1], [3, 2]], [0.1, 0.2, 0.4]).tolist() == [0.1, 0.4]
    assert metrics.decision_time([[3, 1]], [0.1]).tolist() == [0.1, 0.1]


def test_energy_is_horowitz_table():
    assert metrics.energy(1, 0) == pytest.approx(4.6e-12)
    assert metrics.energy(0, 1) == pytest.approx(0.9e-12)
    assert np.allclose(metrics.energy([[10], [20]], [1, 2]), [[46.9e-12, 47.8e-12], [92.9e-12, 93.8e-12]], rtol=1e-12)


def test_overlaps():
    x = np.where(Stream(1, "patterns").uniform((5, 64)) < 0.5, -1, 1)
    assert np.array_equal(np.diag(metrics.overlaps(x, x)), np.ones(5))
    assert np.array_equal(metrics.overlaps(-x, x), -metrics.overlaps(x, x))
    flipped = x[0].copy()
    flipped[:16] *= -1
    assert metrics.overlaps(flipped, x[0]).tolist() == [[1 - 2 * 16 / 64]]


def test_firing_rates():
    i = np.repeat([0, 2, 3], [5, 1, 10])
    assert metrics.firing_rates(i, 5, 0.5).tolist() == [10.0, 0.0, 2.0, 20.0, 0.0]
    assert metrics.firing_rates([], 2, 0.5).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("measure", [metrics.cv, metrics.local_variation])
@pytest.mark.parametrize("seed", SEEDS)
def test_regular_is_0_and_poisson_is_1(measure, seed):
    n = 40_000
    assert measure(np.arange(100) * 0.125) == 0
    # Both have a standard error of at most sqrt(2.4 / n); 6 of them: error probability 2e-9.
    assert abs(measure(poisson_train(seed, n)) - 1) < 6 * np.sqrt(2.4 / n)


def test_variation_in_closed_form():
    t = np.cumsum(np.tile([1.0, 3.0], 50))
    intervals = np.diff(t)
    assert metrics.cv(t) == pytest.approx(intervals.std() / intervals.mean())
    assert metrics.local_variation(t) == pytest.approx(3 * (2 / 4) ** 2)


def test_local_variation_is_blind_to_a_slow_change_of_the_rate():
    slow = np.cumsum(np.repeat([1.0, 10.0], 1000))
    assert metrics.cv(slow) > 0.8
    assert metrics.local_variation(slow) < 0.01


@pytest.mark.parametrize("measure", [metrics.cv, metrics.local_variation])
@pytest.mark.parametrize("t", [[], [1.0], [1.0, 2.0], [1.0, 1.0, 1.0]])
def test_variation_of_too_few_intervals_is_not_a_number(measure, t):
    assert np.isnan(measure(t))


def pairs(t, u, tau):
    """The van Rossum distance as the plain double sum."""
    times, q = np.concatenate([t, u]), np.repeat([1.0, -1.0], [len(t), len(u)])
    return np.sqrt(q @ np.exp(-abs(times[:, None] - times) / tau) @ q / 2)


@pytest.mark.parametrize("shift", [0.0, 0.001, 0.01, 0.5])
def test_van_rossum_of_a_shifted_spike(shift):
    tau = 0.01
    assert metrics.van_rossum([0.1], [0.1 + shift], tau) ** 2 == pytest.approx(1 - np.exp(-shift / tau), abs=1e-12)


def test_van_rossum_limits():
    t, u = train(1, 30), train(2, 40)
    assert metrics.van_rossum(t, t, 0.01) == pytest.approx(0, abs=1e-7)
    assert metrics.van_rossum([], [], 0.01) == 0
    assert metrics.van_rossum(t, u, 1e-9) ** 2 == pytest.approx((30 + 40) / 2, rel=1e-6)
    assert metrics.van_rossum(t, u, 1e9) == pytest.approx((40 - 30) / np.sqrt(2), rel=1e-6)


@pytest.mark.parametrize("tau", [0.003, 0.03, 0.3])
@pytest.mark.parametrize("seed", SEEDS)
def test_van_rossum_is_the_double_sum(seed, tau):
    t, u = train(seed, 37), np.sort(np.append(train(seed, 52, "other"), train(seed, 37)[:5]))
    assert metrics.van_rossum(t, u, tau) == pytest.approx(pairs(t, u, tau), rel=1e-10)
    assert metrics.van_rossum(u, t, tau) == pytest.approx(pairs(t, u, tau), rel=1e-10)


def test_van_rossum_is_the_integral():
    t, u, tau = np.array([0.1, 0.15, 0.3]), np.array([0.12, 0.5]), 0.05

    def difference(s):
        f = sum(np.exp(-(s - each) / tau) for each in t if s > each)
        return (f - sum(np.exp(-(s - each) / tau) for each in u if s > each)) ** 2 / tau

    edges = [*np.sort(np.concatenate([t, u])), 3.0]
    total = sum(integrate.quad(difference, a, b)[0] for a, b in itertools.pairwise(edges))
    assert metrics.van_rossum(t, u, tau) ** 2 == pytest.approx(total, rel=1e-6)


def every_matching(t, u, cost):
    """The Victor-Purpura distance by trying every way to pair spikes."""
    best = np.inf
    for k in range(min(len(t), len(u)) + 1):
        for some in itertools.combinations(t, k):
            for others in itertools.permutations(u, k):
                moved = sum(abs(a - b) for a, b in zip(some, others, strict=True))
                best = min(best, len(t) + len(u) - 2 * k + cost * moved)
    return best


@pytest.mark.parametrize("shift", [0.0, 0.001, 0.02, 0.5])
def test_victor_purpura_of_a_shifted_spike(shift):
    assert metrics.victor_purpura([0.1], [0.1 + shift], 50.0) == pytest.approx(min(50.0 * shift, 2.0), abs=1e-12)


@pytest.mark.parametrize("cost", [0.0, 1.0, 5.0, 30.0, 1e6])
@pytest.mark.parametrize("seed", SEEDS)
def test_victor_purpura_is_the_best_of_all_matchings(seed, cost):
    for n, m in ((0, 0), (0, 3), (3, 0), (1, 4), (4, 4), (5, 3)):
        t, u = train(seed, n), train(seed, m, "other")
        assert metrics.victor_purpura(t, u, cost) == pytest.approx(every_matching(t, u, cost), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_victor_purpura_limits_and_metric(seed):
    t, u, w = train(seed, 60), train(seed, 45, "u"), train(seed, 70, "w")

    def distance(a, b):
        return metrics.victor_purpura(a, b, 20.0)

    assert distance(t, t) == 0
    assert distance(t, u) == pytest.approx(distance(u, t), rel=1e-12)
    assert distance(t, w) <= distance(t, u) + distance(u, w) + 1e-9
    assert metrics.victor_purpura(t, u, 0.0) == 15
    assert metrics.victor_purpura(t, u, 1e12) == 105


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: metrics.accuracy([0, 1], [0]), "accuracy: got shapes (2,) and (1,); expected twice (n_samples,)"),
        (lambda: metrics.accuracy([], []), "accuracy: got shapes (0,) and (0,); expected twice (n_samples,), not"),
        (lambda: metrics.confusion([0, -1], [0, 1]), "confusion: got labels outside 0 to 1"),
        (lambda: metrics.confusion([0, 3], [0, 1], 3), "confusion: got labels outside 0 to 2"),
        (lambda: metrics.decision_index([1, 2]), "decision_index: got answers of shape (2,); expected (n_times,"),
        (lambda: metrics.decision_index(np.empty((0, 3))), "decision_index: got answers of shape (0, 3)"),
        (lambda: metrics.decision_time([[1], [2]], [0.1]), "decision_time: got times of shape (1,); expected (2,)"),
        (lambda: metrics.overlaps([1, 1], [1, 1, 1]), "overlaps: got states of 2 and patterns of 3 units"),
        (lambda: metrics.firing_rates([0], 1, 0.0), "firing_rates.duration: got 0.0; expected a positive number"),
        (lambda: metrics.firing_rates([3], 3, 1.0), "firing_rates.i: got neurons 3 to 3; expected 0 to 2"),
        (lambda: metrics.cv([2.0, 1.0]), "cv: got a train that is not finite times in increasing order"),
        (lambda: metrics.local_variation([[1.0]]), "local_variation: got a train that is not"),
        (lambda: metrics.van_rossum([np.nan], [], 0.1), "van_rossum: got a train that is not finite times"),
        (lambda: metrics.van_rossum([], [], 0.0), "van_rossum.tau: got 0.0; expected a positive number"),
        (lambda: metrics.victor_purpura([], [], -1.0), "victor_purpura.cost: got -1.0; expected a number of at least"),
        (lambda: metrics.victor_purpura([], [], np.nan), "victor_purpura.cost: got nan; expected a number of at least"),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InputError) as refusal:
        call()
    assert str(refusal.value).startswith(sentence)
