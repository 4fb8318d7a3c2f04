"""Kinds of units: means, draws and sums against quadrature; two layers of each kind against enumeration."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import kstest, norm

from bionet.energy.harmonium import Harmonium
from bionet.energy.sampling import gibbs
from bionet.energy.units import Bernoulli, Gaussian, Labelled, Rectified, Softmax, Spin, hidden_units, visible_units
from bionet.errors import InputError
from bionet.random import Stream
from tests.energy.enumerated import chi_square, slopes

COUNTED = [Bernoulli(), Spin(), Softmax(3), Labelled(2)]
EVERY = [*COUNTED, Gaussian(), Rectified()]


def random_pair(visible, hidden, shape=(6, 4), seed=0, scale=0.7):
    draws = Stream(seed, "test/units")
    weights = scale * draws.normal(shape, 0)
    return Harmonium(weights, 0.5 * draws.normal(shape[0], 1), 0.5 * draws.normal(shape[1], 2), visible, hidden)


@pytest.mark.parametrize("units", COUNTED, ids=lambda each: each.name)
def test_the_sum_over_states_is_the_sum_and_the_mean_its_slope(units):
    field = Stream(0, "test/field").normal((1, 6))
    states = np.concatenate(list(units.states(6)))
    assert len(states) == pytest.approx(2 ** units.n_bits(6))
    log_weight = states @ field[0]
    assert units.log_sum(field)[0] == pytest.approx(logsumexp(log_weight), abs=1e-12)
    law = np.exp(log_weight - logsumexp(log_weight))
    np.testing.assert_allclose(units.mean(field)[0], law @ states, atol=1e-12)


@pytest.mark.parametrize("a", [-40.0, -3.0, 0.0, 2.0, 30.0])
def test_the_integral_of_a_rectified_unit_and_its_mean(a):
    top = max(a, 0.0)
    shifted = lambda x: np.exp(a * x - x * x / 2 - (a * top - top * top / 2))  # noqa: E731
    ends = {"epsabs": 0, "epsrel": 1e-12, "limit": 200}
    high = top + 12
    total = quad(shifted, 0, high, **ends, points=[top, min(1 / (1 + abs(a)), high)])[0]
    first = quad(lambda x: x * shifted(x), 0, high, **ends, points=[top, min(1 / (1 + abs(a)), high)])[0]
    field = np.array([[a]])
    assert Rectified().log_sum(field)[0] == pytest.approx(np.log(total) + a * top - top * top / 2, rel=1e-9, abs=1e-9)
    assert Rectified().mean(field)[0, 0] == pytest.approx(first / total, rel=1e-7)


@pytest.mark.parametrize("a", [-8.0, 0.0, 3.0])
def test_draws_of_continuous_units_have_the_law(a):
    """Kolmogorov and Smirnov, 20,000 draws; each of the six fails one time in 10,000."""
    field = np.full((20_000, 1), a)
    below = lambda x: 1 - norm.sf(x - a) / norm.cdf(a)  # noqa: E731
    assert kstest(Rectified().sample(field, Stream(3, "test/relu"), 0)[:, 0], below).pvalue > 1e-4
    assert kstest(Gaussian().sample(field, Stream(3, "test/normal"), 0)[:, 0], norm(a).cdf).pvalue > 1e-4


@pytest.mark.parametrize("units", [Bernoulli(), Spin()], ids=lambda each: each.name)
def test_the_bias_gives_the_mean(units):
    mean = np.array([0.25, 0.5])
    np.testing.assert_allclose(units.mean(units.bias(mean, 10**9)), mean, atol=1e-8)
    assert np.isfinite(units.bias(np.array([1.0]), 10)).all()


@pytest.mark.parametrize("hidden", EVERY, ids=lambda each: each.name)
@pytest.mark.parametrize("visible", COUNTED, ids=lambda each: each.name)
def test_sampled_states_have_the_enumerated_law(visible, hidden):
    """Chi-square over up to 64 states, 6000 independent chains; each of the 24 fails one time in 10,000."""
    pair = random_pair(visible, hidden, shape=(6, 3), scale=0.4)
    start = visible.sample(np.zeros((6000, 6)), Stream(1, "test/start"), 0)
    drawn, _ = gibbs(pair, start, 60, Stream(1, "test/chains"))
    states = np.concatenate(list(visible.states(6)))
    assert chi_square(drawn, states, -pair.free_energy(states)) > 1e-4


@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("hidden", [Bernoulli(), Spin(), Rectified()], ids=lambda each: each.name)
def test_inverse_temperature_multiplies_weights_and_biases(hidden, beta):
    """Chi-square over 16 states; each of the 6 fails one time in 10,000."""
    pair = random_pair(Bernoulli(), hidden, shape=(4, 3))
    cooler = Harmonium(beta * pair.weights, beta * pair.visible_bias, beta * pair.hidden_bias, Bernoulli(), hidden)
    drawn, _ = gibbs(pair, np.zeros((6000, 4)), 40, Stream(1, "test/chains"), beta=beta)
    states = np.concatenate(list(Bernoulli().states(4)))
    assert chi_square(drawn, states, -cooler.free_energy(states)) > 1e-4


@pytest.mark.parametrize("hidden", EVERY, ids=lambda each: each.name)
@pytest.mark.parametrize("visible", COUNTED, ids=lambda each: each.name)
def test_moments_are_the_slopes_of_log_z(visible, hidden):
    pair = random_pair(visible, hidden, shape=(6, 3))
    moments = pair.sum_out()[1]
    for array, found in [
        (pair.weights, moments.weights),
        (pair.visible_bias, moments.visible_bias),
        (pair.hidden_bias, moments.hidden_bias),
    ]:
        np.testing.assert_allclose(found, slopes(pair.log_partition, array), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("visible", EVERY, ids=lambda each: each.name)
def test_either_layer_may_be_enumerated(visible):
    pair = random_pair(visible, Bernoulli(), shape=(6, 6))
    assert pair.turned().log_partition() == pytest.approx(pair.log_partition(), abs=1e-10)


def test_a_free_energy_of_continuous_units_integrates_to_z():
    pair = random_pair(Gaussian(), Bernoulli(), shape=(1, 3))
    total = quad(lambda x: np.exp(-pair.free_energy(np.array([[x]]))[0]), -15, 15, epsabs=0, epsrel=1e-11)[0]
    assert np.log(total) == pytest.approx(pair.log_partition(), abs=1e-9)


def test_energy_and_free_energy_agree():
    pair = random_pair(Gaussian(), Spin(), shape=(3, 4))
    v = Stream(0, "test/v").normal((5, 3))
    states = np.concatenate(list(Spin().states(4)))
    minus = [-pair.energy(v, np.broadcast_to(h, (5, 4))) for h in states]
    np.testing.assert_allclose(pair.free_energy(v), -logsumexp(minus, axis=0), atol=1e-12)


@pytest.mark.parametrize(
    ("units", "states", "message"),
    [
        (Bernoulli(), [[0.3, 1.7]], r"X: got values from 0.3 to 1.7; expected \[0, 1\]"),
        (Spin(), [[-2.0, 1.0]], r"X: got values from -2 to 1; expected \[-1, 1\]"),
        (Softmax(2), [[0.5, 0.4]], "X: got the 2 columns of a unit adding up to 0.9; expected 1"),
        (Softmax(2), [[1.0, 0.0, 1.0]], "X: got 3 columns; expected a multiple of n_states, 2"),
        (Rectified(), [[-1.0]], "X: got -1; expected numbers of at least 0"),
    ],
)
def test_what_a_unit_cannot_be_is_one_sentence(units, states, message):
    with pytest.raises(InputError, match=message):
        units.check("X", np.array(states))


def test_unknown_kinds_are_one_sentence():
    with pytest.raises(InputError, match=r"RBM.visible: got 'binary'"):
        visible_units("RBM", "binary", 2)
    with pytest.raises(InputError, match=r"RBM.n_states: got 1"):
        visible_units("RBM", "softmax", 1)
    with pytest.raises(InputError, match=r"RBM.hidden: got 'gaussian'"):
        hidden_units("RBM", "gaussian")
