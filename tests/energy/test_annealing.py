"""Annealed importance sampling of two layers, against the exact partition function."""

import numpy as np
import pytest

from bionet.energy import RBM
from bionet.energy.annealing import AnnealedHarmonium
from bionet.energy.harmonium import Harmonium
from bionet.energy.partition import ais, interval
from bionet.energy.units import Bernoulli, Gaussian, Rectified, Softmax, Spin
from bionet.random import Stream
from tests.energy.test_units import random_pair

KINDS = [
    (Bernoulli(), Bernoulli()),
    (Spin(), Bernoulli()),
    (Bernoulli(), Spin()),
    (Bernoulli(), Rectified()),
    (Softmax(3), Bernoulli()),
    (Gaussian(), Bernoulli()),
]


def names(kinds):
    return "-".join(each.name for each in kinds)


def annealed(seed):
    """Return log w - log Z of 200 runs of a random machine of 10 x 10 units, weights sd 1, biases sd 0.5."""
    draws = Stream(seed, "test/ais")
    pair = Harmonium(draws.normal((10, 10), 0), 0.5 * draws.normal(10, 1), 0.5 * draws.normal(10, 2))
    works = ais(AnnealedHarmonium(pair, np.zeros(10)), np.linspace(0, 1, 200), 200, draws)
    return works.log_weights - pair.log_partition()


def test_the_mean_weight_is_z():
    """Oracle E15, 60 machines: z-scores of the mean of w / Z have mean 0 and sd 1; fails one time in 1000."""
    excess = np.array([annealed(seed) for seed in range(60)])
    ratio = np.exp(excess)
    z = (ratio.mean(axis=1) - 1) / (ratio.std(axis=1, ddof=1) / np.sqrt(200))
    assert abs(z.mean()) < 3.5 / np.sqrt(60)
    assert 0.65 < z.std() < 1.4
    error = np.abs(np.log(ratio.mean(axis=1)))
    assert np.median(error) < 0.02
    assert error.max() < 0.1


@pytest.mark.parametrize("kinds", KINDS, ids=names)
def test_every_kind_of_units_is_annealed_to_its_own_z(kinds):
    """The interval has 95 %; twice its width on both sides misses far less than one time in 1000."""
    pair = random_pair(*kinds, shape=(6, 4))
    found = interval(AnnealedHarmonium(pair, 0.3 * np.ones(6)), n_betas=300, seed=5)
    assert abs(found.estimate - pair.log_partition()) < 2 * found.width
    assert found.width < 0.5


@pytest.mark.parametrize("kinds", KINDS, ids=names)
def test_a_step_gains_what_it_says(kinds):
    """log f(v; to) - log f(v; beta), with f written out."""
    pair, base = random_pair(*kinds, shape=(6, 4)), 0.3 * np.ones(6)
    path = AnnealedHarmonium(pair, base)
    v = path.start(5, Stream(0, "test/start"))

    def log_f(beta):
        field = beta * (v @ pair.weights + pair.hidden_bias)
        own = -np.asarray(pair.visible.own_energy(v)) + v @ ((1 - beta) * base + beta * pair.visible_bias)
        return own + pair.hidden.log_sum(field)

    gain = path.step(v, 0.2, 0.7, Stream(0, "test/step"), 0)[1]
    np.testing.assert_allclose(gain, log_f(0.7) - log_f(0.2), atol=1e-12)


def test_single_precision_anneals_to_the_same():
    pair = random_pair(Bernoulli(), Bernoulli(), shape=(12, 9))
    single = Harmonium(*(each.astype(np.float32) for each in (pair.weights, pair.visible_bias, pair.hidden_bias)))
    found = interval(AnnealedHarmonium(single, np.zeros(12)), n_betas=300)
    assert abs(found.estimate - pair.log_partition()) < 2 * found.width


def test_a_likelihood_that_cannot_be_summed_is_an_interval():
    X = Stream(0, "test/X").bernoulli(np.full((100, 24), 0.3)).astype(float)
    rbm = RBM(21, n_iter=3).fit(X)
    found = rbm.log_likelihood(X, n_betas=300)
    exact = rbm.score_samples(X).mean()
    assert found.method == "AIS and reverse AIS"
    assert abs(found.estimate - exact) < 2 * found.width
    assert rbm.score(X) == rbm.log_likelihood(X).estimate
    few = RBM(5, n_iter=3).fit(X).log_likelihood(X)
    assert few.method == "exact"
    assert few.width == 0
