"""Recall by sums over patterns against sums over weights; weights that are Hebb's against those that are not."""

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads

from bionet.energy import settling
from bionet.energy.damage import clip, lesion
from bionet.energy.hopfield import Hopfield, hebb, recall
from bionet.energy.settling import are_those_of
from bionet.random import Stream
from tests.energy.test_hopfield import one_by_one, random_patterns


@pytest.fixture
def ways(monkeypatch):
    """Note which way states settle."""
    taken = []
    for name, own in {name: getattr(settling, name) for name in ("_by_overlaps", "_one_at_a_time")}.items():

        def noted(*arguments, own=own, name=name):
            taken.append(name)
            return own(*arguments)

        monkeypatch.setattr(settling, name, noted)
    return taken


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(
    ("n_units", "n_patterns", "n_states"), [(2, 1, 1), (33, 1, 2), (130, 65, 5), (301, 31, 70), (190, 64, 3)]
)
@pytest.mark.parametrize("how", [{}, {"temperature": 0.3}])
@pytest.mark.parametrize("single", [0, 2**24])
def test_sums_over_patterns_lead_where_sums_over_weights_do(
    n_units, n_patterns, n_states, diagonal, how, single, ways, monkeypatch
):
    """With noise, a draw within rounding of its probability could tell them apart: in one of 1e9 runs."""
    monkeypatch.setattr(settling, "SINGLE", single)
    network = Hopfield(diagonal=diagonal, seed=5).fit(random_patterns(n_patterns, n_units, 0))
    start, clamp = random_patterns(n_states, n_units, 1), np.arange(n_units) % 7 == 1
    stream, threads = Stream(5, "hopfield/order"), get_num_threads()
    try:
        for number in (threads, 1):
            set_num_threads(number)
            one = network.recall(start, clamp, 6, record=True, **how)
            other = recall(start, network.weights_, network.bias_, ~clamp, 6, stream, True, **how)
            np.testing.assert_array_equal(one.trajectory, other.trajectory)
            np.testing.assert_array_equal(one.sweeps, other.sweeps)
            np.testing.assert_array_equal(one.period, other.period)
            np.testing.assert_allclose(one.energies, other.energies, rtol=1e-12, atol=1e-13)
    finally:
        set_num_threads(threads)
    assert ways == ["_by_overlaps", "_one_at_a_time"] * 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", [(0, 1), (0, 0), (299, 298), (150, 150), (299, 299), (257, 3)])
def test_recall_follows_weights_that_have_been_changed(dtype, place, ways):
    """One weight in its last bit; all of them, rounded or cut; a bias."""
    network = Hopfield(dtype=dtype).fit(random_patterns(20, 300, 0))
    start = random_patterns(3, 300, 1)
    network.recall(start)
    kept, network.weights_[place] = network.weights_[place], np.nextafter(network.weights_[place], 1, dtype=dtype)
    network.recall(start)
    network.weights_[place] = kept
    network.recall(start)
    assert ways == ["_by_overlaps", "_one_at_a_time", "_by_overlaps"]
    whole = network.weights_
    for changed in (clip(whole), lesion(whole, 0.5), np.zeros_like(whole)):
        network.weights_ = changed
        np.testing.assert_array_equal(network.recall(start, max_sweeps=2).states, one_by_one(network, start, 2))
    network.weights_, network.bias_ = whole, np.full(300, 9.0)
    assert (network.recall(start).states == 1).all()
    assert ways[3:] == ["_one_at_a_time"] * 4
    np.testing.assert_array_equal(network.recall(start, update="synchronous").states, 1)


def test_weights_of_all_sorts_are_told_from_hebbs():
    patterns = random_patterns(3, 70, 0).astype(np.int8)
    stream, weights = Stream(0, "probes"), hebb(patterns.astype(float))
    assert are_those_of(weights, patterns, stream)
    kept = weights[69, 0]
    # Not a number; too much; whole numbers over the number of units, of other patterns; and all but one.
    for wrong in (np.nan, np.inf, kept + 6 / 70, kept + 2 / 70, np.nextafter(kept, 1)):
        weights[69, 0] = wrong
        assert not are_those_of(weights, patterns, stream)
    weights[69, 0] = kept
    assert are_those_of(weights, patterns, stream)
    assert not are_those_of(weights, -patterns * patterns[0], stream)
    np.fill_diagonal(weights, 0.0)
    assert are_those_of(weights, patterns, stream)
    weights[3, 3] = 3 / 70
    assert not are_those_of(weights, patterns, stream)


def test_probes_tell_any_two_tables_of_counts_apart():
    """Of 2000 tables with a few weights in each other's places, those that differ are seen to."""
    patterns, draws = random_patterns(5, 40, 0).astype(np.int8), np.random.default_rng(0)
    weights = hebb(patterns.astype(np.float32))
    for number in range(2000):
        wrong = weights.copy()
        for _ in range(1 + number % 3):
            i, j, k = draws.integers(40, size=3)
            if j != k:
                wrong[i, j], wrong[i, k] = wrong[i, k], wrong[i, j]
        assert are_those_of(wrong, patterns, Stream(number, "probes")) == np.array_equal(wrong, weights)
