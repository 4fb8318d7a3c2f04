"""Hopfield's network against its theory (capacity, energy) and independently computed counts."""

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads
from scipy.stats import chisquare
from sklearn.utils import check_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.energy import theory
from bionet.energy.hopfield import Hopfield, hebb, pseudo_inverse, recall, storkey
from bionet.energy.rules import RULES, SYMMETRIC
from bionet.errors import InputError
from bionet.random import Stream


def random_patterns(n_patterns, n_units, seed):
    return np.where(Stream(seed, "test/patterns").bernoulli(np.full((n_patterns, n_units), 0.5)), 1, -1)


def flipped(patterns, n_bits, seed):
    places = np.argsort(Stream(seed, "test/flips").uniform(patterns.shape), axis=1)[:, :n_bits]
    noisy = patterns.copy()
    np.put_along_axis(noisy, places, -np.take_along_axis(patterns, places, axis=1), axis=1)
    return noisy


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


@pytest.mark.parametrize("rule", SYMMETRIC)
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
    np.testing.assert_allclose(result.energies, energy, rtol=1e-9)
    np.testing.assert_array_equal(result.energy, result.energies[-1])
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


def one_by_one(network, states, sweeps):
    """Follow the fields as the definition has it: whole sums in double precision, a shuffled order for each sweep."""
    weights, states, n_units = network.weights_.astype(float), states.copy(), states.shape[1]
    stream, units = Stream(network.seed, "hopfield/order"), np.arange(n_units)
    for sweep in range(sweeps):
        luck = stream.uniform(n_units, sweep)
        for last in reversed(range(n_units)):
            pick = int(luck[last] * (last + 1))
            units[[pick, last]] = units[[last, pick]]
            field = states @ weights[:, units[last]]
            states[:, units[last]] = np.where(np.abs(field) < 1e-6, states[:, units[last]], np.sign(field))
    return states


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("n_units", "n_patterns", "n_states"), [(60, 5, 3), (300, 50, 40), (700, 96, 7), (600, 300, 9)]
)
def test_blocks_of_units_come_to_what_units_one_by_one_come_to(n_units, n_patterns, n_states, dtype):
    """Bit for bit after each sweep; fields are whole multiples of 1 / n_units, so what is smaller is a tie.

    Whether units follow sums over the patterns, as they do here, or over the weights, which know no patterns.
    """
    network = Hopfield(dtype=dtype, seed=4).fit(random_patterns(n_patterns, n_units, 0))
    start, free = random_patterns(n_states, n_units, 1), np.ones(n_units, dtype=bool)
    for sweeps in (1, 3):
        expected, stream = one_by_one(network, start, sweeps), Stream(4, "hopfield/order")
        by_weights = recall(start, network.weights_, network.bias_, free, sweeps, stream)
        for found in (network.recall(start, max_sweeps=sweeps), by_weights):
            np.testing.assert_array_equal(found.states, expected)
            np.testing.assert_allclose(found.energy, network.energy(found.states), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
def test_hebbs_weights_are_the_mean_products_whatever_squares_they_are_computed_in(dtype):
    patterns = random_patterns(9, 1300, 0)
    weights = hebb(patterns.astype(dtype))
    expected = (patterns.T @ patterns).astype(weights.dtype) / weights.dtype.type(1300)
    np.testing.assert_array_equal(weights, expected)
    np.testing.assert_array_equal(weights, weights.T)


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
    assert np.mean(overlaps) == pytest.approx(float(theory.overlap(load)), abs=0.004)


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
    assert np.mean(found) == pytest.approx(float(theory.share_without_error(n_patterns, 1000)), abs=0.09)


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
    [(5, [0.33, 0.33, 0.24]), (10, [0.38, 0.38, 0.11]), (25, [0.12, 0.12, 0.01]), (50, [0, 0, 0])],
)
def test_recall_ends_on_stored_reversed_mixed_and_other_states(n_patterns, shares):
    """10 networks vary by 5 points; 60 of them keep within 8 with an error probability below 1e-4."""
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
    end = network.recall(np.array([patterns[3], -patterns[4]]))
    assert end.kind.tolist() == ["stored", "reversed"]
    assert end.pattern.tolist() == [3, 4]
    np.testing.assert_allclose(network.overlap(ends)[2, :3], 0.5, atol=0.08)


@pytest.mark.parametrize(
    ("n_patterns", "overlap", "share"),
    [(25, 0.2, 1.0), (25, 0.6, 0.4), (25, 0.8, 0.0), (10, 0.5, 1.0), (10, 0.8, 0.35)],
)
def test_patterns_that_are_much_alike_merge(n_patterns, overlap, share):
    """20 networks, two states each: the mean is within 0.2 of the share, four standard errors at most."""
    kept = []
    for seed in range(20):
        patterns = random_patterns(n_patterns, 500, seed)
        patterns[1] = flipped(patterns[:1], round((1 - overlap) / 2 * 500), seed)[0]
        ends = Hopfield(seed=seed).fit(patterns).recall(patterns[:2]).states
        kept += list((ends * patterns[:2]).mean(axis=1) > 0.98)
    assert np.mean(kept) == pytest.approx(share, abs=0.2)


def test_single_precision_finds_the_same_states():
    patterns, start = random_patterns(60, 400, 0), random_patterns(40, 400, 1)
    single, double = (Hopfield(dtype=dtype).fit(patterns) for dtype in ("float32", "float64"))
    assert single.weights_.dtype == np.float32
    same = (single.recall(start).states == double.recall(start).states).all(axis=1)
    assert same.mean() > 0.9


def test_all_at_once_ends_in_a_point_or_in_two_states_that_take_turns():
    network = Hopfield().fit(random_patterns(40, 100, 0))
    result = network.recall(random_patterns(200, 100, 1), update="synchronous", record=True)
    assert set(result.period.tolist()) == {1, 2}
    after = np.where(network.field(result.states) > 0, 1, -1)
    fixed = (after == result.states).all(axis=1)
    np.testing.assert_array_equal(fixed, result.settled)
    again = np.where(network.field(after) > 0, 1, -1)
    np.testing.assert_array_equal(again, result.states)
    np.testing.assert_allclose(result.energies, [network.energy(each) for each in result.trajectory])


def test_two_units_that_excite_each_other_swap_for_ever_when_updated_at_once():
    network = Hopfield().fit([[1, 1]])
    result = network.recall([[1, -1]], update="synchronous")
    assert result.period.tolist() == [2]
    assert network.recall([[1, -1]]).settled.all()


@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_overlap_at_a_temperature_is_that_of_mean_field(update):
    """One pattern: m = tanh(m / T). 50 chains of 1000 units: standard error below 0.005."""
    pattern = random_patterns(1, 1000, 0)
    for temperature in (0.4, 0.7):
        m = 1.0
        for _ in range(1000):
            m = np.tanh(m / temperature)
        start = np.repeat(pattern, 50, axis=0)
        end = Hopfield().fit(pattern).recall(start, max_sweeps=40, update=update, temperature=temperature)
        assert (end.period == 0).all()
        assert (end.states * pattern).mean() == pytest.approx(m, abs=0.02)


def test_glauber_samples_have_the_law_of_the_energy():
    """Chi-square over the 32 states, 4000 independent chains; error probability 1e-4."""
    network = Hopfield().fit(random_patterns(2, 5, 3))
    network.bias_ = np.linspace(-0.3, 0.4, 5)
    states = 2 * (np.arange(32)[:, None] >> np.arange(5) & 1) - 1
    law = np.exp(-1.3 * network.energy(states))
    drawn = network.sample(4000, n_sweeps=60, beta=1.3)
    counts = np.bincount(((drawn + 1) // 2) @ (1 << np.arange(5)), minlength=32)
    assert chisquare(counts, 4000 * law / law.sum()).pvalue > 1e-4
    clamp = np.array([np.nan, 1, np.nan, np.nan, -1])
    held = network.sample(4000, n_sweeps=60, clamp=clamp, beta=1.3)
    fits = (states[:, 1] == 1) & (states[:, 4] == -1)
    counts = np.bincount(((held + 1) // 2) @ (1 << np.arange(5)), minlength=32)
    assert chisquare(counts[fits], 4000 * law[fits] / law[fits].sum()).pvalue > 1e-4


def test_a_sequence_is_gone_through_step_by_step():
    patterns = random_patterns(12, 400, 0)
    network = Hopfield("sequence").fit(patterns)
    result = network.recall(flipped(patterns[:1], 60, 0), update="synchronous", max_sweeps=30, record=True)
    steps = [int(network.overlap(states)[0].argmax()) for states in result.trajectory]
    assert steps == [k % 12 for k in range(31)]
    np.testing.assert_array_equal(result.trajectory[30, 0], patterns[30 % 12])


def test_sequences_are_held_up_to_their_own_capacity():
    """Below 0.269 N the overlap is the theory's, standard error of 3 networks below 0.005; above, nothing is left."""
    overlaps = {}
    for load in (0.2, 0.3):
        last = []
        for seed in range(3):
            patterns = random_patterns(int(load * 2000), 2000, seed)
            end = Hopfield("sequence").fit(patterns).recall(patterns[:5], update="synchronous", max_sweeps=60)
            last += list((end.states * patterns[60:65]).mean(axis=1))
        overlaps[load] = np.mean(last)
    assert overlaps[0.2] == pytest.approx(float(theory.sequence_overlap(0.2)), abs=0.02)
    assert overlaps[0.3] < 0.3


def test_graded_units_lower_their_energy_and_come_to_rest():
    network = Hopfield().fit(random_patterns(5, 100, 0))
    start = np.clip(0.3 * Stream(0, "test/graded").normal((20, 100)), -0.9, 0.9)
    end = network.flow(start, gain=5.0)
    assert end.settled.all()
    assert (np.diff(end.energies, axis=0) < 1e-12).all()
    np.testing.assert_allclose(end.states, np.tanh(5.0 * network_pull(network, end.states)), atol=1e-9)


def network_pull(network, states):
    return states @ network.weights_ + network.bias_


def test_graded_units_of_high_gain_rest_where_two_valued_ones_do():
    patterns = random_patterns(5, 200, 0)
    network = Hopfield().fit(patterns)
    end = network.flow(0.6 * patterns, gain=50.0)
    np.testing.assert_array_equal(np.sign(end.states), network.recall(patterns).states)
    assert np.abs(end.states).min() > 0.99


def test_graded_units_of_low_gain_forget_everything():
    network = Hopfield().fit(random_patterns(5, 100, 0))
    gain = 0.9 / np.linalg.eigvalsh(network.weights_).max()
    assert np.abs(network.flow(network.patterns_, gain=gain).states).max() < 1e-6


def test_score_is_the_overlap_with_what_is_recalled():
    patterns = random_patterns(5, 300, 0)
    network = Hopfield().fit(patterns)
    assert network.score(patterns) == 1.0
    assert network.score(flipped(patterns, 60, 0)) == pytest.approx(0.6)


def test_saved_and_loaded_it_recalls_the_same(tmp_path):
    network = Hopfield("storkey", seed=3, dtype="float32").fit(random_patterns(5, 40, 0))
    network.save(tmp_path / "network.h5")
    again = Hopfield.load(tmp_path / "network.h5")
    assert again.get_params() == network.get_params()
    start = random_patterns(9, 40, 1)
    np.testing.assert_array_equal(again.recall(start).states, network.recall(start).states)
    assert (again.recall(start).kind == network.recall(start).kind).all()


def test_the_claim_that_a_stored_pattern_is_always_recalled_is_wrong():
    """Nor is a settled state a stored one: reverses and mixtures are as stable."""
    patterns = random_patterns(10, 500, 0)
    network = Hopfield().fit(patterns)
    assert (network.recall(-patterns).kind == "reversed").all()
    reached = network.recall(random_patterns(200, 500, 1))
    assert reached.settled.all()
    # 38 % are expected; the error probability of more than 60 % is below 1e-6.
    assert (reached.kind == "stored").mean() < 0.6


def test_the_claim_of_fifteen_percent_is_wrong():
    """At 0.15 N patterns the theory has no memory; 2000 units hold what is left of finite size, 0.138 N holds more."""
    assert theory.overlap(0.15) == 0
    assert theory.capacity().load == pytest.approx(0.1379, abs=1e-4)
    patterns = random_patterns(300, 2000, 0)
    ends = Hopfield().fit(patterns).recall(patterns[:40]).states
    assert (ends * patterns[:40]).mean() < 0.9


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Hopfield("heb").fit([[1, -1]]), "Hopfield.rule.*did you mean 'hebb'"),
        (lambda: Hopfield().fit([[0, 1]]), "Hopfield.patterns.*-1 and"),
        (lambda: hebb(np.array([[1.0, 0.0]])), "hebb.patterns: got other values than -1 and"),
        (lambda: Hopfield().fit([[np.nan, 1]]), "Hopfield.patterns: got NaN"),
        (lambda: Hopfield().fit(np.empty((0, 3))), "Hopfield.patterns: Found array with 0 sample"),
        (lambda: Hopfield(dtype="float16").fit([[1, -1]]), "Hopfield.dtype.*float32"),
        (lambda: Hopfield().fit(np.ones((1, 10_000_000), dtype=np.int8)), "Hopfield: weights of 10000000 units"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1]], update="parallel"), "Hopfield.update.*synchronous"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1]], temperature=-1), "Hopfield.temperature: got -1"),
        (lambda: Hopfield().fit([[1, -1]]).sample(2, clamp=[0.5, np.nan]), "Hopfield.clamp: expected -1 or 1"),
        (lambda: Hopfield().fit([[1, -1]]).sample(2, beta=np.inf), "Hopfield.beta"),
        (lambda: Hopfield().fit([1, -1]), "Hopfield.patterns: Expected 2D array"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1, 1]]), "Hopfield.states: X has 3 features"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1]], clamp=[1, 0]), "Hopfield.clamp"),
        (lambda: Hopfield().fit([[1, -1]]).recall([[1, -1]], max_sweeps=0), "Hopfield.max_sweeps"),
    ],
)
def test_bad_input_is_one_sentence(act, message):
    with pytest.raises(InputError, match=message):
        act()


class SignHopfield(Hopfield):
    """Takes the signs of what the general checks feed, which is not made of -1 and +1."""

    def fit(self, patterns, y=None):
        return super().fit(as_signs(patterns))

    def predict(self, X):
        return super().predict(as_signs(X))

    def score(self, X, y=None):
        return super().score(as_signs(X))


def as_signs(X):
    """Leave what is no table of finite numbers as it is, for the network to refuse."""
    try:
        table = check_array(X)
    except (ValueError, TypeError):
        return X
    return np.where(table > 0, 1, -1)


@parametrize_with_checks([SignHopfield()])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
