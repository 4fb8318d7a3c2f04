"""The general Boltzmann machine against enumeration; what it solves against brute force."""

from itertools import permutations

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads
from scipy.special import expit, logsumexp
from scipy.stats import chisquare
from sklearn.utils import check_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.energy import DBM, RBM, BoltzmannMachine, Hopfield
from bionet.energy.boltzmann import layers
from bionet.energy.optimization import max_cut, tours, travelling_salesman
from bionet.energy.pairwise import Annealing
from bionet.energy.partition import interval
from bionet.errors import BionetError, InputError
from bionet.kernels.cpu import boltzmann as kernel
from bionet.kernels.gpu.arrays import layer
from bionet.random import Stream


def all_states(n_units):
    return np.arange(2**n_units)[:, None] >> np.arange(n_units) & 1


def code(states):
    return states.astype(int) @ (1 << np.arange(states.shape[1]))


def random_machine(n_visible, n_hidden=0, seed=0, mask=None, scale=1.0):
    n_units, draws = n_visible + n_hidden, Stream(seed, "test/machine")
    weights = np.triu(scale * draws.normal((n_units, n_units), 0), 1)
    weights = weights if mask is None else weights * mask
    return BoltzmannMachine.of(weights + weights.T, 0.5 * draws.normal(n_units, 1), n_hidden)


def law(machine):
    weight = np.exp(-machine.energy(all_states(len(machine.bias_))))
    return weight / weight.sum()


def bits(n_samples, n_features, seed=0):
    p = Stream(seed, "test/p").uniform(n_features)
    return Stream(seed, "test/bits").bernoulli(np.tile(p, (n_samples, 1))).astype(float)


def test_energy_is_the_double_sum():
    machine = random_machine(4, 2)
    s = np.array([1, 0, 1, 1, 0, 1])
    pairs = sum(machine.weights_[i, j] * s[i] * s[j] for i in range(6) for j in range(i))
    assert machine.energy([s])[0] == pytest.approx(-pairs - machine.bias_ @ s)


@pytest.mark.parametrize("mask", [None, layers(4, 3)])
def test_free_energy_log_partition_and_means_are_sums_over_all_states(mask):
    machine = random_machine(4, 3, mask=mask)
    states, p = all_states(7), law(machine)
    assert machine.log_partition().estimate == pytest.approx(logsumexp(-machine.energy(states)), abs=1e-12)
    assert machine.log_partition().width == 0
    v = all_states(4)
    joint = -machine.energy(np.concatenate([np.tile(v, (8, 1)), np.repeat(all_states(3), 16, axis=0)], axis=1))
    np.testing.assert_allclose(machine.free_energy(v), -logsumexp(joint.reshape(8, 16), axis=0), atol=1e-12)
    assert np.exp(machine.score_samples(v)).sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(machine.moments().pairs, (p[:, None] * states).T @ states, atol=1e-12)
    np.testing.assert_allclose(machine.moments().units, p @ states, atol=1e-12)
    posterior = np.exp(joint.reshape(8, 16) - logsumexp(joint.reshape(8, 16), axis=0))
    np.testing.assert_allclose(machine.transform(v), posterior.T @ all_states(3), atol=1e-12)


@pytest.mark.parametrize("mask", [None, layers(5, 3), layers(5, 2, 1)])
def test_correlation_difference_is_the_gradient_of_the_likelihood(mask):
    """Nothing is propagated backwards: the claim that a Boltzmann machine learns by backprop is wrong."""
    machine, X = random_machine(5, 3, mask=mask), bits(9, 5)
    gradient = machine.held_moments(X).minus(machine.moments())
    for i in range(8):
        for j in range(i + 1):
            ends = []
            for step in (1e-5, -1e-5):
                moved = BoltzmannMachine.of(machine.weights_, machine.bias_, 3)
                if i == j:
                    moved.bias_[i] += step
                else:
                    moved.weights_[i, j] += step
                    moved.weights_[j, i] += step
                ends.append(moved.score(X))
            exact = gradient.units[i] if i == j else gradient.pairs[i, j]
            assert exact == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sampled_histogram_is_the_law(dtype):
    """Chi-square over the 128 states, 20,000 independent chains; error probability 1e-4."""
    machine = random_machine(5, 2, scale=0.7)
    machine.dtype = dtype
    start = Stream(0, "test/start").bernoulli(np.full((20_000, 7), 0.5))
    counts = np.bincount(code(machine.gibbs(start, 50)), minlength=128)
    assert chisquare(counts, 20_000 * law(machine)).pvalue > 1e-4
    hot = random_machine(5, 2, scale=0.7)
    hot.weights_, hot.bias_ = 0.5 * hot.weights_, 0.5 * hot.bias_
    counts = np.bincount(code(machine.gibbs(start, 50, beta=0.5)), minlength=128)
    assert chisquare(counts, 20_000 * law(hot)).pvalue > 1e-4


def test_held_units_stay_and_the_others_have_the_conditional_law():
    machine = random_machine(5, 0)
    drawn = machine.sample(20_000, 50, clamp=[np.nan, 1, np.nan, 0, np.nan])
    assert (drawn[:, 1] == 1).all()
    assert (drawn[:, 3] == 0).all()
    fits = (all_states(5)[:, 1] == 1) & (all_states(5)[:, 3] == 0)
    p = law(machine)[fits] / law(machine)[fits].sum()
    assert chisquare(np.bincount(code(drawn), minlength=32)[fits], 20_000 * p).pvalue > 1e-4


def test_one_weight_matrix_has_one_law_whatever_machine_it_is_given_to():
    """Layers of 2, 2 and 1 units: a general machine, an RBM with the middle layer hidden, spins at temperature 1.

    Chi-square over 32 states, 10,000 independent chains each; error probability 1e-4 a machine.
    """
    mask, draws = layers(2, 2, 1), Stream(0, "test/one")
    weights = np.triu(draws.normal((5, 5), 0) * mask, 1)
    weights, bias = weights + weights.T, 0.5 * draws.normal(5, 1)
    general = BoltzmannMachine.of(weights, bias)
    p, start = law(general), draws.bernoulli(np.full((10_000, 5), 0.5), 2)
    outer, middle = [0, 1, 4], [2, 3]
    rbm = RBM(2, n_iter=1).fit(np.eye(3))
    rbm.weights_, rbm.visible_bias_, rbm.hidden_bias_ = weights[np.ix_(outer, middle)], bias[outer], bias[middle]
    v = rbm.gibbs(start[:, outer].astype(float), 100)
    h = draws.bernoulli(expit(v @ rbm.weights_ + rbm.hidden_bias_), 3)
    spins = Hopfield().fit(np.ones((1, 5)))
    # s = 2x - 1, so J = W / 4 and b' = b / 2 + sum of J.
    spins.weights_, spins.bias_ = weights / 4, bias / 2 + weights.sum(axis=1) / 4
    for states in (
        general.gibbs(start, 100),
        np.stack([v[:, 0], v[:, 1], h[:, 0], h[:, 1], v[:, 2]], axis=1),
        (spins.sample(10_000, 100) + 1) // 2,
    ):
        assert chisquare(np.bincount(code(states), minlength=32), 10_000 * p).pvalue > 1e-4
    again = BoltzmannMachine.of_spins(spins.weights_, spins.bias_)
    np.testing.assert_allclose(again.weights_, weights, atol=1e-12)
    np.testing.assert_allclose(again.bias_, bias, atol=1e-12)
    masked = BoltzmannMachine.of(weights[np.ix_(outer + middle, outer + middle)], bias[outer + middle], 2)
    np.testing.assert_allclose(masked.free_energy(all_states(3)), rbm.free_energy(all_states(3)), atol=1e-10)


def test_a_deep_machine_is_a_general_one_with_masked_links():
    """Likelihoods to rounding; visible samples by a chi-square over 4 states, 10,000 chains, error probability 1e-4."""
    machine = random_machine(2, 3, mask=layers(2, 2, 1))
    dbm = DBM((2, 1), n_iter=1).fit(np.eye(2))
    for place, values in (
        (dbm.weights_[0], machine.weights_[:2, 2:4]),
        (dbm.weights_[1], machine.weights_[2:4, 4:]),
        (dbm.biases_[0], machine.bias_[:2]),
        (dbm.biases_[1], machine.bias_[2:4]),
        (dbm.biases_[2], machine.bias_[4:]),
    ):
        place[:] = values
    v = all_states(2)
    np.testing.assert_allclose(dbm.score_samples(v), machine.score_samples(v), atol=1e-10)
    for drawn in (dbm.sample(10_000, 100), machine.sample(10_000, 100)):
        counts = np.bincount(code(drawn), minlength=4)
        assert chisquare(counts, 10_000 * np.exp(machine.score_samples(v))).pvalue > 1e-4


@pytest.mark.parametrize("cue", [1, -1])
def test_a_cube_of_lines_has_two_readings_and_a_clamped_cue_favours_one(cue):
    """Necker's cube: eight hidden units say whether a corner is near or far; corners of a face agree, ends of an edge
    in depth differ. A visible unit, clamped, is a cue to the depth of one corner.

    Both readings are reached, the one of the cue more often (four standard errors of 600 chains are 8 %), and every
    other rest has a higher energy than either.
    """
    corner = all_states(3)
    differ = np.abs(corner[:, None] - corner).sum(axis=2) == 1
    in_depth = differ & (corner[:, None, 2] != corner[:, 2])
    network = Hopfield().fit(np.ones((1, 9)))
    network.weights_ = np.zeros((9, 9))
    network.weights_[1:, 1:] = np.where(in_depth, -1.0, np.where(differ, 1.0, 0.0))
    network.weights_[0, 1] = network.weights_[1, 0] = 1.0
    start = np.where(Stream(0, "test/cube").bernoulli(np.full((600, 9), 0.5)), 1, -1)
    start[:, 0] = cue
    clamp = np.arange(9) == 0
    cooled = network.recall(start, clamp, max_sweeps=20, temperature=2.0).states
    end = network.recall(cooled, clamp)
    assert (end.states[:, 0] == cue).all()
    near = 1 - 2 * corner[:, 2]
    cued, other = (end.states[:, 1:] == cue * near).all(axis=1), (end.states[:, 1:] == -cue * near).all(axis=1)
    assert cued.mean() > other.mean() + 0.08
    assert other.mean() > 0.05
    np.testing.assert_allclose(end.energy[cued], -13.0)
    np.testing.assert_allclose(end.energy[other], -11.0)
    assert (end.energy[~(cued | other)] > -11.0).all()


def test_draws_are_the_same_for_any_number_of_threads_and_any_company():
    """A few chains are summed one by one, many by tables."""
    machine, start = random_machine(40), Stream(0, "test/start").bernoulli(np.full((100, 40), 0.5))
    threads, together = get_num_threads(), machine.gibbs(start, 7)
    try:
        set_num_threads(1)
        np.testing.assert_array_equal(machine.gibbs(start, 7), together)
    finally:
        set_num_threads(threads)
    for n_chains in (33, 7):
        np.testing.assert_array_equal(machine.gibbs(start[:n_chains], 7), together[:n_chains])
    stream = Stream(0, "test/pieces")
    halves = machine.gibbs(machine.gibbs(start, 3, stream=stream), 4, stream=stream, step=3)
    np.testing.assert_array_equal(halves, machine.gibbs(start, 7, stream=stream))


def one_by_one(machine, states, n_sweeps, free, beta):
    """Sweep as the definition has it, in double precision."""
    states, stream = states.copy(), Stream(0, "boltzmann/gibbs")
    places, weights = np.flatnonzero(free), machine.weights_.astype(machine.dtype)
    for k in range(n_sweeps):
        luck = layer(np, stream.key, k, states.shape) + 2.0**-33
        for i in places[stream.child("order").permutation(len(places), k)]:
            field = states @ weights[i].astype(float) + machine.bias_[i]
            states[:, i] = luck[:, i] < expit(beta * field)
    return states


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("n_units", "n_chains", "scale", "beta"),
    [(1, 1, 1.0, 1.0), (64, 3, 0.3, 1.0), (150, 70, 0.1, 2.0), (601, 21, 0.05, 1.0), (300, 9, 50.0, 1.0)]
    + [(130, 8, 1.0, 1e7), (90, 5, 0.1, 0.0), (200, 4, 1e-40, 1e39)],
)
@pytest.mark.parametrize("few", [0, 1000])
def test_blocks_of_units_come_to_what_units_one_by_one_come_to(n_units, n_chains, scale, beta, dtype, few, monkeypatch):
    """Bit for bit, also where rounded weights err by more than the draws can bear: with large ones, and in the cold."""
    monkeypatch.setattr(kernel, "FEW", few)
    machine = random_machine(n_units, scale=scale)
    machine.dtype, machine.bias_ = dtype, scale * machine.bias_
    start = Stream(0, "test/start").bernoulli(np.full((n_chains, n_units), 0.5)).astype(float)
    for free in (np.ones(n_units, dtype=bool), np.arange(n_units) % 3 > 0):
        expected = one_by_one(machine, start, 4, free, beta)
        np.testing.assert_array_equal(machine.gibbs(start, 4, free, beta), expected)


def test_at_temperature_zero_it_recalls_as_hopfields_network_does():
    patterns = np.where(Stream(0, "test/x").bernoulli(np.full((3, 60), 0.5)), 1, -1)
    network = Hopfield().fit(patterns)
    noisy = patterns.copy()
    noisy[:, :8] *= -1
    cold = BoltzmannMachine.of_spins(network.weights_, network.bias_, beta=1e6)
    np.testing.assert_array_equal(2 * cold.gibbs((noisy + 1) // 2, 10) - 1, network.recall(noisy).states)


def test_exact_fit_of_visible_units_reproduces_means_and_correlations():
    X = Stream(1, "test/bits").bernoulli(np.tile(np.linspace(0.2, 0.8, 6), (400, 1))).astype(float)
    X[:, 0] = X[:, 1] * (np.arange(400) % 3 > 0)
    machine = BoltzmannMachine().fit(X)
    np.testing.assert_allclose(machine.moments().units, X.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(machine.moments().pairs, X.T @ X / 400, atol=1e-6)
    assert machine.score(X) > BoltzmannMachine(mask=np.zeros((6, 6), dtype=bool)).fit(X).score(X)


def test_hidden_units_learn_what_pairs_cannot_tell():
    """Parity of three bits has no means and no pairwise correlations."""
    X = all_states(3)[all_states(3).sum(axis=1) % 2 == 0]
    assert BoltzmannMachine().fit(X).score(X) == pytest.approx(-3 * np.log(2), abs=1e-6)
    assert BoltzmannMachine(4, seed=1).fit(X).score(X) > -1.6


def test_sampled_fit_comes_near_the_exact_one():
    X = bits(300, 6)
    X[:, 1], X[:, 3] = X[:, 0], np.where(np.arange(300) % 4 > 0, X[:, 2], X[:, 3])
    exact = BoltzmannMachine(weight_decay=0.01).fit(X)
    machine = BoltzmannMachine(method="sampled", weight_decay=0.01, n_iter=1500, learning_rate=0.5).fit(X)
    assert exact.score(X) - 0.03 < machine.score(X) <= exact.score(X) + 0.03
    assert machine.chains_.shape == (500, 6)
    assert machine.history_["gradient"].shape == (1500,)


def test_sampled_fit_learns_through_hidden_units_and_grey_levels():
    """Two pictures, linked through hidden units alone: log 2 is the least that they can cost, 4 log 2 a coin each."""
    pictures = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    machine = BoltzmannMachine(3, mask=layers(4, 3), method="sampled", n_iter=1000, learning_rate=0.3, seed=1)
    machine.fit(np.tile(pictures, (20, 1)) * 0.98 + 0.01)
    assert machine.score(pictures) > -1.3
    assert not machine.weights_[:4, :4].any()


def test_interval_holds_the_truth():
    """20 machines: three misses or more have a probability below 0.08 if each interval holds with 95 %."""
    missed = 0
    for seed in range(20):
        machine = random_machine(10, seed=seed, scale=1.0)
        found = interval(Annealing(machine.weights_, machine.bias_), 100, 30, seed)
        missed += machine.log_partition().estimate not in found
    assert missed < 3


def test_large_machine_has_an_interval():
    machine = BoltzmannMachine.of(np.zeros((60, 60)), np.linspace(-1, 1, 60))
    found = machine.log_partition(n_betas=10, n_runs=5)
    assert found.estimate == pytest.approx(np.logaddexp(0, machine.bias_).sum())
    assert "AIS" in found.method
    assert (machine.log_likelihood(bits(5, 60))).high < 0


@pytest.mark.parametrize("seed", range(5))
def test_annealing_finds_the_largest_cut(seed):
    """16 nodes, random weights. One chain finds it with 0.99; none of 20 misses it but with 1e-40."""
    upper = np.triu(Stream(seed, "test/graph").uniform((16, 16)), 1)
    machine = max_cut(upper + upper.T)
    states = all_states(16)
    best = machine.energy(states).min()
    sides = states[machine.energy(states).argmin()]
    assert best == pytest.approx(-(upper * (sides[:, None] != sides)).sum())
    found = machine.anneal(n_chains=20, seed=seed)
    assert (found.energy < best + 1e-9).mean() >= 0.5
    np.testing.assert_allclose(machine.energy(found.states), found.energy)


def test_annealing_finds_the_shortest_tour():
    """7 cities; a chain finds it with a probability of about 0.2, so that none of 300 does has one of 1e-29."""
    places = Stream(0, "test/cities").uniform((7, 2))
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    distances = (distances + distances.T) / 2
    length = {order: distances[(0, *order), (*order, 0)].sum() for order in permutations(range(1, 7))}
    machine = travelling_salesman(distances)
    found = machine.anneal(n_chains=300)
    ways = tours(found.states)
    valid = ways[:, 0] == 0
    lengths = distances[ways[valid], np.roll(ways[valid], -1, axis=1)].sum(axis=1)
    assert lengths.min() == pytest.approx(min(length.values()))
    np.testing.assert_allclose(found.energy[valid] + 2 * 1.01 * distances.max() * 6, lengths)
    assert (tours(np.zeros((1, 36))) == -1).all()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: BoltzmannMachine(-1).fit(np.eye(3)), "BoltzmannMachine.n_hidden: got -1"),
        (lambda: BoltzmannMachine(method="exat").fit(np.eye(3)), "BoltzmannMachine.method.*did you mean 'exact'"),
        (lambda: BoltzmannMachine().fit(np.eye(26)), "BoltzmannMachine.method: got 'exact' for 26 units"),
        (lambda: BoltzmannMachine().fit([[1.7, 0.0]]), "BoltzmannMachine.X: got values from 0 to 1.7"),
        (lambda: BoltzmannMachine().fit([[np.nan, 0.0]]), "BoltzmannMachine.X: got NaN"),
        (lambda: BoltzmannMachine(mask=np.ones((2, 2))).fit(np.eye(2)), "BoltzmannMachine.mask: got float64"),
        (lambda: BoltzmannMachine(10**6, method="sampled").fit(np.eye(2)), "machine of 1000002 units would take"),
        (lambda: BoltzmannMachine.of([[0, 1], [2, 0]], [0, 0]), "expected symmetric weights of zero diagonal"),
        (lambda: BoltzmannMachine.of([[0, 1]], [0, 0]), r"BoltzmannMachine.weights: got shape \(1, 2\)"),
        (lambda: BoltzmannMachine.of([[0, np.nan], [np.nan, 0]], [0, 0]), "BoltzmannMachine.weights: got NaN"),
        (lambda: random_machine(3).sample(2, clamp=[0.3, 1, 0]), "BoltzmannMachine.clamp: expected 0 or 1"),
        (lambda: random_machine(3).sample(2, clamp=[1, 0]), r"BoltzmannMachine.clamp: got shape \(2,\)"),
        (lambda: max_cut([[0, 1]]), r"max_cut.adjacency: got shape \(1, 2\)"),
        (lambda: travelling_salesman(np.ones((3, 3))), "travelling_salesman.distances: got 3 cities"),
    ],
)
def test_bad_input_is_one_sentence(act, message):
    with pytest.raises(InputError, match=message):
        act()


def test_saved_and_loaded_it_scores_the_same_to_the_last_bit(tmp_path):
    machine = BoltzmannMachine(2, (3, 2), "sampled", n_iter=5).fit(np.eye(3))
    machine.save(tmp_path / "machine.h5")
    again = BoltzmannMachine.load(tmp_path / "machine.h5")
    assert again.score(np.eye(3)) == machine.score(np.eye(3))
    np.testing.assert_array_equal(again.chains_, machine.chains_)
    np.testing.assert_array_equal(again.weights_[:3, :3], 0)
    np.testing.assert_array_equal(again.fit(np.eye(3)).weights_, machine.weights_)


def test_a_rate_that_diverges_is_named_with_its_update():
    with pytest.raises(BionetError, match="weights diverged at update"):
        BoltzmannMachine(method="sampled", learning_rate=1e5, rate_decay=None, n_iter=50).fit(
            np.tile([0, 1, 1], (4, 1))
        )


class AnyRangeMachine(BoltzmannMachine):
    """Squeezes what the general checks feed, which is not made of bits, into [0, 1]."""

    def fit(self, X, y=None, progress=None):
        return super().fit(squeezed(X))

    def _visible(self, X):
        return super()._visible(squeezed(X))


def squeezed(X):
    """Leave what is no table of finite numbers as it is, for the machine to refuse."""
    try:
        return expit(check_array(X, dtype=float))
    except (ValueError, TypeError):
        return X


@parametrize_with_checks([AnyRangeMachine(2, n_iter=5)])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
