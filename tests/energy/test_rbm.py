"""The restricted Boltzmann machine against enumeration, and against published training runs of small ones."""

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.coding import thermometer
from bionet.datasets import load, split
from bionet.energy.rbm import RBM, Statistics
from bionet.errors import InputError
from bionet.kernels.cpu.gibbs import sample
from bionet.random import Stream


def all_states(n_units):
    return (np.arange(2**n_units)[:, None] >> np.arange(n_units) & 1).astype(float)


def bars_and_stripes(size):
    bars = all_states(size)
    return np.concatenate([np.repeat(bars, size, axis=1), np.tile(bars, (1, size))])


def random_rbm(n_visible, n_hidden, seed=0):
    """A fitted machine whose parameters are then replaced by random ones."""
    rbm = RBM(n_hidden, n_iter=1).fit(np.zeros((2, n_visible)))
    draws = Stream(seed, "test/rbm")
    rbm.weights_ = draws.normal((n_visible, n_hidden), 0)
    rbm.visible_bias_, rbm.hidden_bias_ = 0.5 * draws.normal(n_visible, 1), 0.5 * draws.normal(n_hidden, 2)
    return rbm


class ExactRBM(RBM):
    """Climbs the exact gradient: the model's own means stand for the chains."""

    def climb_exactly(self, X, n_steps, rate):
        self.fit(X)
        for _ in range(n_steps):
            self._climb(self.statistics(X) - self.model_statistics(), rate)
        return self


class WatchedRBM(RBM):
    """Notes the mean log-likelihood of the data every 1000 updates."""

    def fit(self, X, y=None, progress=None):
        self.watched, self.likelihood, self.updates = X, [], 0
        return super().fit(X, y, progress)

    def _climb(self, gradient, rate):
        super()._climb(gradient, rate)
        self.updates += 1
        if self.updates % 1000 == 0:
            self.likelihood.append(self.score_samples(self.watched).mean())


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_log_partition_is_the_sum_over_all_pairs_of_states(shape):
    rbm = random_rbm(*shape)
    v = np.repeat(all_states(shape[0]), 2 ** shape[1], axis=0)
    h = np.tile(all_states(shape[1]), (2 ** shape[0], 1))
    minus = -rbm.energy(v, h)
    assert rbm.log_partition() == pytest.approx(logsumexp(minus), abs=1e-12)
    law = np.exp(minus - logsumexp(minus))[:, None]
    model = rbm.model_statistics()
    np.testing.assert_allclose(model.weights, (law * v).T @ h, atol=1e-12)
    np.testing.assert_allclose(model.visible_bias, (law * v).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(model.hidden_bias, (law * h).sum(axis=0), atol=1e-12)


def test_log_partition_is_the_sum_over_the_visible_layer():
    rbm = random_rbm(14, 13)
    assert rbm.log_partition() == pytest.approx(logsumexp(-rbm.free_energy(all_states(14))), abs=1e-10)


def test_free_energy_sums_out_the_hidden_layer():
    rbm = random_rbm(4, 5)
    v = all_states(4)
    joint = np.array([-rbm.energy(v, np.broadcast_to(h, (16, 5))) for h in all_states(5)])
    np.testing.assert_allclose(rbm.free_energy(v), -logsumexp(joint, axis=0), atol=1e-12)


def test_likelihoods_of_all_pictures_add_up_to_one():
    assert np.exp(random_rbm(6, 4).score_samples(all_states(6))).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("parameter", ["weights", "visible_bias", "hidden_bias"])
def test_gradient_of_the_likelihood_equals_central_differences(parameter):
    rbm = random_rbm(5, 4)
    X = Stream(0, "test/X").bernoulli(np.full((7, 5), 0.5)).astype(float)
    gradient = getattr(rbm.statistics(X) - rbm.model_statistics(), parameter)
    array, slopes = getattr(rbm, parameter + "_"), np.empty_like(gradient)
    for place in np.ndindex(array.shape):
        start, ends = array[place], []
        for step in (1e-5, -1e-5):
            array[place] = start + step
            ends.append(rbm.score_samples(X).mean())
        array[place] = start
        slopes[place] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-9)


def test_gibbs_sampling_with_many_sweeps_gives_the_exact_means():
    rbm = random_rbm(6, 5)
    rbm.weights_ *= 0.5
    drawn = rbm.sample(10_000, n_sweeps=100)
    hidden = expit(drawn @ rbm.weights_ + rbm.hidden_bias_)
    found, exact = rbm.statistics(drawn), rbm.model_statistics()
    for mean, truth, samples in [
        (found.visible_bias, exact.visible_bias, drawn),
        (found.hidden_bias, exact.hidden_bias, hidden),
        (found.weights, exact.weights, drawn[:, :, None] * hidden[:, None, :]),
    ]:
        assert (np.abs(mean - truth) < 4.5 * samples.std(axis=0) / 100).all()


def test_draws_are_those_of_the_stream():
    draws = Stream(4, "test/gibbs")
    p = draws.uniform((3, 7), 1)
    np.testing.assert_array_equal(sample(p, np.uint64(draws.key), np.uint64(5)), draws.bernoulli(p, 5))


@pytest.mark.slow
def test_contrastive_divergence_with_a_thousand_sweeps_is_the_exact_gradient():
    rbm = random_rbm(8, 8, seed=1)
    X = np.repeat(Stream(1, "test/X").bernoulli(np.full((10, 8), 0.5)).astype(float), 1000, axis=0)
    drawn = rbm.gibbs(X, n_sweeps=1000)
    hidden = expit(drawn @ rbm.weights_ + rbm.hidden_bias_)
    error = (rbm.statistics(X) - rbm.statistics(drawn)).weights - (rbm.statistics(X) - rbm.model_statistics()).weights
    assert (np.abs(error) < 4.5 * (drawn[:, :, None] * hidden[:, None, :]).std(axis=0) / 100).all()


def test_centred_gradient_is_that_of_shifted_units_and_offsets_of_zero_change_nothing():
    draws = Stream(0, "test/centred")
    v, h, v_model, h_model = (draws.uniform((9, n), step) for step, n in enumerate((4, 3, 4, 3)))

    def means(v, h):
        return Statistics(v.T @ h / len(v), v.mean(axis=0), h.mean(axis=0))

    mu, lam = draws.uniform(4, 4), draws.uniform(3, 5)
    plain = means(v, h) - means(v_model, h_model)
    centred, shifted = plain.centred(mu, lam), means(v - mu, h - lam) - means(v_model - mu, h_model - lam)
    np.testing.assert_allclose(centred.weights, shifted.weights, atol=1e-14)
    np.testing.assert_allclose(centred.visible_bias, shifted.visible_bias - shifted.weights @ lam, atol=1e-14)
    np.testing.assert_allclose(centred.hidden_bias, shifted.hidden_bias - shifted.weights.T @ mu, atol=1e-14)
    for name in ("weights", "visible_bias", "hidden_bias"):
        np.testing.assert_array_equal(getattr(plain.centred(0 * mu, 0 * lam), name), getattr(plain, name))


@pytest.mark.parametrize(("size", "best", "rows"), [(2, -13.863, 8), (3, -41.589, 16), (4, -108.131, 32)])
def test_no_machine_beats_the_entropy_of_bars_and_stripes(size, best, rows):
    X = bars_and_stripes(size)
    _, count = np.unique(X, axis=0, return_counts=True)
    assert (count * np.log(count / rows)).sum() == pytest.approx(best, abs=1e-3)
    rbm = RBM(8, n_iter=400, batch_size=rows, learning_rate=0.2).fit(X)
    start = RBM(8, n_iter=1, batch_size=rows, learning_rate=1e-9).fit(X)
    assert start.score_samples(X).sum() < rbm.score_samples(X).sum() < best


def test_training_starts_as_hinton_says():
    X = np.repeat([[1.0, 0.0, 0.5]], 99, axis=0)
    rbm = RBM(200, n_iter=1, batch_size=99, learning_rate=1e-12).fit(X)
    np.testing.assert_allclose(expit(rbm.visible_bias_), [0.995, 0.005, 0.5], atol=1e-9)
    np.testing.assert_allclose(rbm.hidden_bias_, 0, atol=1e-9)
    assert rbm.weights_.std() == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize("persistent", [False, True])
def test_same_seed_same_machine(persistent):
    X = bars_and_stripes(3)
    one, same, other = (RBM(5, n_iter=5, persistent=persistent, seed=seed).fit(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weights_, same.weights_)
    assert (one.weights_ != other.weights_).all()
    assert one.history_["reconstruction"].shape == (one.n_iter_,)


def test_rate_decays_as_stated():
    rates = []

    class Rated(RBM):
        def _climb(self, gradient, rate):
            rates.append(rate)

    Rated(2, learning_rate=0.4, rate_decay=2.0, n_iter=2, batch_size=8).fit(bars_and_stripes(3))
    Rated(2, learning_rate=0.4, rate_decay=None, n_iter=1, batch_size=8).fit(bars_and_stripes(3))
    assert rates == [0.4, 0.4 / 1.5, 0.4 / 2, 0.4 / 2.5, 0.4, 0.4]


def test_contrastive_divergence_learns_bars_and_stripes():
    rbm = RBM(16, learning_rate=0.1, rate_decay=None, batch_size=16, n_iter=4000).fit(bars_and_stripes(3))
    assert -3.3 < rbm.score_samples(bars_and_stripes(3)).mean() < -2.599


@pytest.mark.slow
def test_exact_gradient_reaches_the_entropy():
    """The exact gradient, 30,000 steps at 0.05, ends at -2.61."""
    X = bars_and_stripes(3)
    rbm = ExactRBM(16, n_iter=1, learning_rate=1e-12, batch_size=16).climb_exactly(X, 30_000, 0.05)
    assert rbm.score_samples(X).mean() == pytest.approx(-2.61, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "peak", "late"),
    [
        ({"rate_decay": None}, -3.03, (-3.4, -3.0)),
        ({"rate_decay": None, "persistent": True}, -3.4, (-np.inf, -6.0)),
        ({"rate_decay": 3000.0, "persistent": True}, -2.84, (-3.1, -2.8)),
    ],
    ids=["CD-1", "PCD-1", "PCD-1, decaying"],
)
def test_thirty_thousand_updates_on_bars_and_stripes(wanted, peak, late):
    """CD peaks and wanders, persistent chains diverge unless the rate decays (Fischer and Igel 2010); three seeds."""
    X = bars_and_stripes(3)
    plain = {"learning_rate": 0.05, "batch_size": 16, "n_iter": 30_000, "centered": False}
    runs = np.array([WatchedRBM(16, seed=seed, **plain, **wanted).fit(X).likelihood for seed in range(3)])
    assert runs.max(axis=1).mean() == pytest.approx(peak, abs=0.15)
    assert late[0] < runs[:, 20:].mean() < late[1]


def test_transform_gives_the_conditional_probability():
    rbm = random_rbm(4, 1)
    v = all_states(4)
    joint = np.exp([-rbm.energy(v, np.full((16, 1), h)) for h in (0.0, 1.0)])
    np.testing.assert_allclose(rbm.transform(v)[:, 0], joint[1] / joint.sum(axis=0))


def test_hidden_features_of_real_digits_are_as_good_as_pixels():
    data = load("digits")
    y, bits = data["y"].values, 0.5 + thermometer(data["X"].values, 4) / 2
    train, test = split(y, 0.2)
    rbm = RBM().fit(bits[train])
    readout = LogisticRegression(max_iter=1000).fit(rbm.transform(bits[train]), y[train])
    assert readout.score(rbm.transform(bits[test]), y[test]) > 0.94


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learning_rate": -0.1}, r"RBM.learning_rate: got -0.1; expected a positive number, such as 0.05"),
        ({"learning_rate": float("nan")}, "RBM.learning_rate: got nan"),
        ({"rate_decay": 0}, "RBM.rate_decay: got 0"),
        ({"n_components": 0}, "RBM.n_components: got 0; expected a whole number"),
        ({"batch_size": 2.5}, "RBM.batch_size: got 2.5"),
        ({"k": 0}, "RBM.k: got 0"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_bad_parameter_is_one_sentence(wrong, message):
    with pytest.raises(InputError, match=message):
        RBM(**wrong).fit(np.zeros((3, 2)))


def test_bad_data_is_one_sentence():
    with pytest.raises(InputError, match=r"RBM.X: got values from 0 to 16; expected \[0, 1\]"):
        RBM().fit([[0.0, 16.0]])
    with pytest.raises(ValueError, match="NaN"):
        RBM().fit([[0.0, np.nan]])
    with pytest.raises(InputError, match=r"RBM.log_partition: got 26 units"):
        RBM(26, n_iter=1).fit(np.zeros((2, 30))).log_partition()


class AnyRangeRBM(RBM):
    """Squeezes what the general checks feed, which is not made of probabilities, into [0, 1]."""

    def _pictures(self, X, reset=False):
        try:
            return super()._pictures(X, reset)
        except InputError:
            return expit(np.asarray(X, dtype=float))


@parametrize_with_checks([AnyRangeRBM(n_components=3, n_iter=2)])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
