"""Hopfield's figures of 1982, by as many networks as make their spread small beside the tolerance."""

import numpy as np
import pytest

from models.hopfield_1982 import PUBLISHED, REPRODUCED, build, error, memories


def errors(n_patterns, n_units=100, biased=True, n_networks=60):
    """Return how many bits of each memory are wrong when the network that was started on it has settled."""
    wrong = []
    for seed in range(n_networks):
        x = memories(n_patterns, n_units, seed)
        network = build(x, seed)
        network.bias_ *= biased
        wrong += list((network.recall(x).states != x).sum(axis=1))
    return np.array(wrong)


def test_units_of_zero_and_one_have_the_signs_of_the_papers_sums():
    x = memories(7, 30, 3)
    links = x.T.astype(int) @ x
    np.fill_diagonal(links, 0)
    start = memories(20, 30, 4)
    sums = (start + 1) // 2 @ links
    np.testing.assert_allclose(build(x).field(start), 2 / 30 * sums, atol=1e-12)


def test_an_error_of_a_bit_is_as_likely_as_published():
    assert error(10, 100) == pytest.approx(PUBLISHED["error of a bit, 10 in 100"], abs=2e-4)
    assert np.exp(-100 * error(10, 100)) == pytest.approx(PUBLISHED["no error, 10 in 100, estimated"], abs=0.005)


def test_five_memories_are_almost_always_stable():
    assert (errors(5) == 0).mean() > 0.97


def test_ten_memories_are_without_error_as_often_as_published():
    """600 memories; those of one network err together: one standard deviation is 0.03, measured over networks."""
    assert (errors(10) == 0).mean() == pytest.approx(PUBLISHED["no error, 10 in 100"], abs=0.12)


def test_half_of_fifteen_memories_lies_between_both_kinds_of_units():
    """900 memories; the figures are 8 and more standard deviations away from one half."""
    name = "fewer than 5 errors, 15 in 100"
    with_bias, without = ((errors(15, biased=each) < 5).mean() for each in (True, False))
    assert with_bias < PUBLISHED[name] < without
    np.testing.assert_allclose([with_bias, without], REPRODUCED[name], atol=0.12)


def test_random_starts_end_on_near_and_far_from_memories():
    """6000 starts in 120 networks: one standard deviation is 0.023, measured over networks."""
    found = np.zeros(3)
    for seed in range(120):
        x = memories(5, 30, seed)
        ends = build(x, seed).recall(memories(50, 30, 1000 + seed)).states
        off = (ends[:, None] != np.concatenate([x, -x])).sum(axis=2).min(axis=1)
        found += [(off == 0).mean() / 120, ((off > 0) & (off <= 3)).mean() / 120, (off > 3).mean() / 120]
    names = ("on a memory", "near a memory", "elsewhere")
    np.testing.assert_allclose(
        found, [REPRODUCED[f"a random start ends {each}, 5 in 30"][0] for each in names], atol=0.1
    )
    assert found.sum() == pytest.approx(1)
