"""The convolutional machine against sums over all pictures, and against the dense machine it is a case of."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from bionet.energy import ConvolutionalRBM
from bionet.energy.harmonium import Harmonium
from bionet.errors import BionetError, InputError
from bionet.random import Stream
from tests.energy.enumerated import all_states, bars_and_stripes, chi_square, slopes


def random_machine(pool=1, shape=(3, 3), filters=2, size=2):
    draws = Stream(0, "test/convolutional")
    rbm = ConvolutionalRBM(filters, size, pool, shape, n_iter=1).fit(np.zeros((2, shape[0] * shape[1])))
    rbm.filters_ = draws.normal(rbm.filters_.shape, 0)
    rbm.hidden_bias_, rbm.visible_bias_ = 0.5 * draws.normal(filters, 1), 0.3
    return rbm


def dense(rbm, shape):
    """Return weights from pixels to hidden units, written out place by place."""
    k, size, _ = rbm.filters_.shape
    rows, columns = shape[0] - size + 1, shape[1] - size + 1
    weights = np.zeros((*shape, k, rows, columns))
    for i in range(rows):
        for j in range(columns):
            weights[i : i + size, j : j + size, :, i, j] = rbm.filters_.transpose(1, 2, 0)
    return weights.reshape(shape[0] * shape[1], -1), np.repeat(rbm.hidden_bias_, rows * columns)


@pytest.mark.parametrize("shape", [(3, 3), (3, 4)])
def test_it_is_the_dense_machine_of_tied_and_missing_weights(shape):
    rbm = random_machine(shape=shape)
    weights, bias = dense(rbm, shape)
    pair = Harmonium(weights, np.full(len(weights), rbm.visible_bias_), bias)
    v = all_states(len(weights))[::7]
    np.testing.assert_allclose(rbm.free_energy(v), pair.free_energy(v), atol=1e-10)
    np.testing.assert_allclose(rbm.transform(v), pair.given_visible(v), atol=1e-12)
    hidden = Stream(1, "test/h").uniform((5, len(bias)))
    field = rbm._downward(hidden.reshape(5, 2, shape[0] - 1, shape[1] - 1))
    np.testing.assert_allclose(field, hidden @ weights.T + rbm.visible_bias_, atol=1e-12)


def test_pooled_units_are_summed_over_what_a_block_can_be():
    rbm = random_machine(pool=2)
    weights, bias = dense(rbm, (3, 3))
    block = np.vstack([np.zeros(4), np.eye(4)])
    hidden = np.array([np.concatenate([a, b]) for a in block for b in block])
    v = all_states(9)[::5]
    log_weight = (v @ weights + bias) @ hidden.T + rbm.visible_bias_ * v.sum(axis=1)[:, None]
    np.testing.assert_allclose(rbm.free_energy(v), -logsumexp(log_weight, axis=1), atol=1e-10)
    law = np.exp(log_weight - logsumexp(log_weight, axis=1, keepdims=True))
    on = np.stack([hidden[:, :4].sum(axis=1), hidden[:, 4:].sum(axis=1)], axis=1)
    np.testing.assert_allclose(rbm.transform(v), law @ on, atol=1e-12)


@pytest.mark.parametrize("pool", [1, 2])
def test_the_gradient_is_the_slope(pool):
    rbm, X = random_machine(pool), bars_and_stripes(3)
    every = all_states(9)
    law = np.exp(rbm.score_samples(every))
    model = [np.tensordot(law, [rbm.gradient(v[None])[part] for v in every], 1) for part in range(3)]
    data = rbm.gradient(X)
    for part, array in ((0, rbm.filters_), (1, rbm.hidden_bias_)):
        found = slopes(lambda: rbm.score_samples(X).mean(), array)
        np.testing.assert_allclose(data[part] - model[part], found, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("pool", [1, 2])
def test_sampled_pictures_have_the_law(pool):
    """Chi-square over 512 states of 5000 chains; each of the two fails one time in 10,000."""
    rbm = random_machine(pool)
    rbm.filters_ *= 0.5
    drawn = rbm.gibbs(np.zeros((5000, 9)), 60)
    assert chi_square(drawn, all_states(9), rbm.score_samples(all_states(9))) > 1e-4


def test_learning_raises_the_likelihood():
    X = bars_and_stripes(3)
    wanted = {"batch_size": 16, "learning_rate": 0.02}
    start, end = (ConvolutionalRBM(4, 2, n_iter=n, **wanted).fit(X) for n in (1, 3000))
    assert end.score_samples(X).mean() > start.score_samples(X).mean() + 0.5


def test_sparsity_draws_groups_to_their_target():
    X = Stream(0, "test/X").bernoulli(np.full((100, 36), 0.4)).astype(float)
    wanted = {"n_iter": 60, "learning_rate": 0.02, "sparsity_target": 0.1}
    free, sparse = (ConvolutionalRBM(3, 3, sparsity_cost=cost, **wanted).fit(X).transform(X).mean() for cost in (0, 30))
    assert abs(sparse - 0.1) < 0.1 < abs(free - 0.1)


def test_gaussian_pictures_are_drawn_about_their_field():
    rbm = ConvolutionalRBM(2, 2, visible="gaussian", n_iter=1).fit(np.zeros((2, 9)))
    rbm.filters_ *= 0
    drawn = rbm.gibbs(np.zeros((4000, 9)), 1)
    assert abs(drawn.mean() - rbm.visible_bias_) < 4.5 / np.sqrt(36_000)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    assert norm.cdf(0) == 0.5


def test_bad_input_is_one_sentence():
    X = np.zeros((2, 9))
    for wrong, message in [
        ({"filter_size": 4}, r"filter_size: got 4 on a side of 3, which leaves 0"),
        ({"filter_size": 1, "pool": 2}, r"filter_size: got 1 on a side of 3, which leaves 3; expected a multiple of"),
        ({"image_shape": (2, 4)}, r"image_shape: got \(2, 4\); expected sides of 9 pixels"),
        ({"n_filters": 0}, r"n_filters: got 0"),
        ({"visible": "spin"}, r"visible: got 'spin'"),
    ]:
        with pytest.raises(InputError, match=r"ConvolutionalRBM\." + message):
            ConvolutionalRBM(**{"n_filters": 2, "filter_size": 2, **wrong}).fit(X)
    with pytest.raises(InputError, match=r"ConvolutionalRBM.X: got values from 0 to 1.7"):
        ConvolutionalRBM(2, 2).fit(np.linspace(0, 1.7, 9)[None])
    with pytest.raises(BionetError, match=r"learning diverged in epoch 1"):
        ConvolutionalRBM(2, 2, learning_rate=1e6).fit(bars_and_stripes(3))
