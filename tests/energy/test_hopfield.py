"""Hopfield's network against its theory (capacity, energy) and independently computed counts."""

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads
from scipy.optimize import brentq
from scipy.special import erf, erfc

from bionet.energy.hopfield import RULES, Hopfield, hebb, pseudo_inverse, recall, storkey
from bionet.errors import InputError
from bionet.random import Stream


def random_patterns(n_patterns, n_units, seed):
    return np.where(Stream(seed, "test/patterns").bernoulli(np.full((n_patterns, n_units), 0.5)), 1, -1)


def flipped(patterns, n_bits, seed):
    places = np.argsort(Stream(seed, "test/flips").uniform(patterns.shape), axis=1)[:, :n_bits]
    noisy = patterns.copy()
    np.put_along_axis(noisy, places, -np.take_along_axis(patterns, places, axis=1), axis=1)
    return noisy


def theory(load):
    """Overlap of Hebb's network of infinite size, temperature 0 (Amit, Gutfreund and Sompolinsky 1985)."""
    root = brentq(lambda y: (erf(y) / y - 2 / np.sqrt(np.pi) * np.exp(-(y**2))) ** 2 / 2 - load, 1.513, 10)
    return erf(root)


@pytest.mark.parametrize("rule", RULES)
def test_one_pattern_is_stored_alike_by_every_rule(rule):
    x = random_patterns(1, 12, 0)
    np.testing.assert_allclose(RULES[rule](x.astype(float)), x.T @ x / 12, atol=1e-14)


def test_storkey_is_the_sum_over_fields_without_both_units():
    patterns = random_patterns(6, 9, 0).astype(float)
    expected = np.zeros((9, 9))
    for x in patterns:
        h = np.array(
            [[sum(expected[i, k] * x[k] for k in range(9) if k not in (i, j)) for j in range(9)] for i in range(9)]
        )
        expected = expected + (np.outer(x, x) - x[:, None] * h.T - h * x[None, :]) / 9
    np.testing.assert_allclose(storkey(patterns), expected, atol=1e-14)


def test_storkey_unlearns_what_it_is_taught_twice():
    x = random_patterns(1, 50, 0).astype(float)
    np.testing.assert_allclose(storkey(np.concatenate([x, x])), 4 / 50 * hebb(x) - 2 / 50**2 * np.eye(50), atol=1e-14)


def test_pseudo_inverse_is_the_projector_on_the_patterns():
    patterns = random_patterns(7, 20, 0).astype(float)
    weights = pseudo_inverse(np.concatenate([patterns, patterns[:2]]))
    np.testing.assert_allclose(weights @ weights, weights, atol=1e-12)
    np.testing.assert_allclose(patterns @ weights, patterns, atol=1e-12)
    assert np.trace(weights) == pytest.approx(7)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("diagonal", [False, True])
def test_energy_falls_with_every_sweep_that_changes_something(rule, diagonal):
    network = Hopfield(rule, diagonal).fit(random_patterns(20, 80, 0))
    before = network.weights_.copy()
    result = network.recall(random_patterns(40, 80, 1), record=True)
    energy = np.array([network.energy(states) for states in result.trajectory])
    moved = (np.diff(result.trajectory.astype(int), axis=0) != 0).any(axis=2)
    assert result.settled.all()
    assert moved.any()
    assert (np.diff(energy, axis=0)[moved] < 0).all()
    assert (result.sweeps == 1 + moved.sum(axis=0)).all()
    np.testing.assert_allclose(result.energy, energy[-1])
    np.testing.assert_array_equal(network.weights_, before)
    fields = network.field(result.states) * result.states
    assert (fields > -1e-12).all()


def test_energy_is_the_double_sum():
    network = Hopfield().fit(random_patterns(3, 6, 0))
    network.bias_ = np.linspace(-1, 1, 6)
    s = random_patterns(1, 6, 1)[0]
    pairs = sum(network.weights_[i, j] * s[i] * s[j] for i in range(6) for j in range(i))
    assert network.energy([s])[0] == pytest.approx(-pairs - network.bias_ @ s)


def test_zero_field_keeps_the_state():
    patterns = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1]])
    network = Hopfield().fit(patterns)
    np.testing.assert_array_equal(network.field(patterns), 0)
    np.testing.assert_array_equal(network.recall(patterns).states, patterns)


def test_rounding_does_not_break_a_tie():
    weights = np.array([[0, 0, 0, 0.1], [0, 0, 0, 0.2], [0, 0, 0, -0.3], [0.1, 0.2, -0.3, 0]])
    start = np.array([[1, 1, 1, -1], [1, 1, 1, 1]])
    assert start[0] @ weights[:, 3] != 0
    free = np.array([False, False, False, True])
    np.testing.assert_array_equal(recall(start, weights, np.zeros(4), free, 9, Stream(0, "order")).states, start)


def test_clamped_units_stay_and_pull_the_rest():
    patterns = random_patterns(3, 60, 0)
    clamp = np.arange(60) < 30
    start = np.where(clamp, patterns, -1)
    result = Hopfield().fit(patterns).recall(start, clamp=clamp)
    np.testing.assert_array_equal(result.states[:, clamp], start[:, clamp])
    np.testing.assert_array_equal(result.states, patterns)


def test_recall_is_the_same_for_any_number_of_threads_and_any_company():
    network = Hopfield(seed=3).fit(random_patterns(40, 100, 0))
    start = random_patterns(30, 100, 1)
    threads = get_num_threads()
    together = network.recall(start)
    try:
        set_num_threads(1)
        single = network.recall(start)
    finally:
        set_num_threads(threads)
    np.testing.assert_array_equal(together.states, single.states)
    np.testing.assert_array_equal(network.recall(start[7:8]).states[0], together.states[7])


def test_order_of_updates_follows_the_seed():
    patterns, start = random_patterns(40, 100, 0), random_patterns(30, 100, 1)
    one, other = (Hopfield(seed=seed).fit(patterns).recall(start).states for seed in (1, 2))
    assert (one != other).any()


def test_sweeps_can_run_out():
    result = Hopfield().fit(random_patterns(60, 200, 0)).recall(random_patterns(5, 200, 1), max_sweeps=1)
    assert (result.sweeps == 1).all()
    assert not result.settled.any()


def test_silent_units_contribute_nothing():
    weights = hebb(random_patterns(3, 20, 0).astype(float))
    np.fill_diagonal(weights, 0)
    start = random_patterns(4, 20, 1)
    start[:, :5] = 0
    free = np.arange(20) >= 5
    whole = recall(start, weights, np.zeros(20), free, 50, Stream(0, "order")).states
    part = weights[5:, 5:]
    assert (whole[:, :5] == 0).all()
    assert (whole[:, 5:] * (whole[:, 5:] @ part) > -1e-12).all()


@pytest.mark.parametrize("load", [0.05, 0.10, 0.12])
def test_overlap_below_capacity_is_that_of_the_theory(load):
    n_units = 2000
    overlaps = []
    for seed in range(3):
        patterns = random_patterns(int(load * n_units), n_units, seed)
        ends = Hopfield(seed=seed).fit(patterns).recall(patterns[:20]).states
        overlaps += list((ends * patterns[:20]).mean(axis=1))
    assert np.mean(overlaps) == pytest.approx(theory(load), abs=0.004)


def test_nothing_is_remembered_above_capacity():
    patterns = random_patterns(400, 2000, 0)
    ends = Hopfield().fit(patterns).recall(patterns[:20]).states
    assert 0.2 < (ends * patterns[:20]).mean() < 0.45


@pytest.mark.parametrize(("n_patterns", "share"), [(36, 1.0), (72, 0.92), (110, 0.35)])
def test_share_of_patterns_stored_without_error(n_patterns, share):
    found = []
    for seed in range(20):
        patterns = random_patterns(n_patterns, 1000, seed)
        found.append((Hopfield().fit(patterns).field(patterns) * patterns > 0).all(axis=1).mean())
    assert np.mean(found) == pytest.approx(share, abs=0.04)
    formula = (1 - erfc(np.sqrt(1000 / 2 / n_patterns)) / 2) ** 1000
    assert np.mean(found) == pytest.approx(formula, abs=0.09)


@pytest.mark.parametrize(
    ("rule", "n_patterns", "stable", "recovered"),
    [
        ("hebb", 10, 0.97, None),
        ("hebb", 15, 0.73, None),
        ("hebb", 20, 0.40, None),
        ("hebb", 30, 0.05, None),
        ("storkey", 20, 1.0, None),
        ("storkey", 30, 0.99, 0.92),
        ("storkey", 40, 0.90, 0.50),
        ("storkey", 50, 0.60, 0.10),
        ("storkey", 70, 0.21, None),
        ("pseudo-inverse", 30, 1.0, 1.0),
        ("pseudo-inverse", 50, 1.0, 0.51),
        ("pseudo-inverse", 70, 1.0, 0.01),
        ("pseudo-inverse", 99, 1.0, None),
    ],
)
def test_rules_store_and_recover_as_many_patterns_as_they_should(rule, n_patterns, stable, recovered):
    """N 100, 20 networks; recovered: the first 20 patterns, from 10 flipped bits."""
    held, found = [], []
    for seed in range(20):
        patterns = random_patterns(n_patterns, 100, seed)
        network = Hopfield(rule, seed=seed).fit(patterns)
        held.append((network.field(patterns) * patterns > 1e-12).all(axis=1).mean())
        first = patterns[:20]
        found.append((network.recall(flipped(first, 10, seed)).states == first).all(axis=1).mean())
    assert np.mean(held) == pytest.approx(stable, abs=0.06)
    if recovered is not None:
        assert np.mean(found) == pytest.approx(recovered, abs=0.06)


@pytest.mark.parametrize(
    ("diagonal", "errors"),
    [(True, [0.0008, 0.007, 0.022, 0.004, 0.0]), (False, [0.002, 0.023, 0.16, 0.33, 0.41])],
)
def test_kept_diagonal_freezes_every_state_instead_of_storing_it(diagonal, errors):
    for n_patterns, expected in zip([20, 50, 200, 1000, 4000], errors, strict=True):
        wrong = []
        for seed in range(5):
            patterns = random_patterns(n_patterns, 200, seed)
            wrong.append((Hopfield(diagonal=diagonal).fit(patterns).field(patterns) * patterns < 0).mean())
        assert np.mean(wrong) == pytest.approx(expected, abs=0.002 + 0.05 * expected)
    if diagonal:
        noise = random_patterns(50, 200, 99)
        assert (Hopfield(diagonal=True).fit(patterns).recall(noise).states == noise).mean() > 0.99


@pytest.mark.parametrize(
    ("n_patterns", "shares"),
    [(5, [0.29, 0.31, 0.29]), (10, [0.38, 0.38, 0.12]), (25, [0.13, 0.12, 0.02]), (50, [0, 0, 0])],
)
def test_recall_ends_on_stored_reversed_mixed_and_other_states(n_patterns, shares):
    kinds = []
    for seed in range(60):
        network = Hopfield(seed=seed).fit(random_patterns(n_patterns, 500, seed))
        kinds += list(network.kind(network.recall(random_patterns(30, 500, 1000 + seed)).states))
    found = [kinds.count(kind) / len(kinds) for kind in ("stored", "reversed", "mixture")]
    np.testing.assert_allclose(found, shares, atol=0.08)


def test_reverse_and_mixture_are_stable_and_told_apart():
    patterns = random_patterns(5, 2000, 0)
    network = Hopfield().fit(patterns)
    mixture = np.sign(patterns[:3].sum(axis=0))
    ends = network.recall(np.array([patterns[0], -patterns[0], mixture])).states
    assert network.kind(ends).tolist() == ["stored", "reversed", "mixture"]
    np.testing.assert_allclose(network.overlap(ends)[2, :3], 0.5, atol=0.08)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Hopfield("heb").fit([[1, -1]]), "Hopfield.rule.*did you mean 'hebb'"),
        (lambda: Hopfield().fit([[0, 1]]), "Hopfield.patterns.*-1 and"),
        (lambda: Hopfield().fit([[np.nan, 1]]), "Hopfield.patterns.*-1 and"),
        (lambda: Hopfield().fit([1, -1]), "Hopfield.patterns.*shape"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1, 1]]), "Hopfield.states: got 3 units"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1]], clamp=[1, 0]), "Hopfield.clamp"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1]], max_sweeps=0), "Hopfield.max_sweeps"),
    ],
)
def test_bad_input_is_one_sentence(act, message):
    with pytest.raises(InputError, match=message):
        act()
