"""The deep belief network against sums over all its states."""

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from bionet.datasets import load, split
from bionet.energy import DBN, RBM
from bionet.errors import InputError
from bionet.random import Stream
from tests.energy.enumerated import all_states, bars_and_stripes, chi_square

X = (Stream(0, "test/X").uniform((60, 4)) < np.array([0.2, 0.4, 0.6, 0.8])).astype(float)


def mirrored(seed=0):
    """A network of 4-3-4 units whose upper RBM is the lower one turned over."""
    net, draws = DBN((3, 4), n_iter=1).fit(X), Stream(seed, "test/dbn")
    weights, below, above = draws.normal((4, 3), 0), draws.normal(4, 1), draws.normal(3, 2)
    net.recognition_, net.generative_ = [(weights, above)], [(weights, below)]
    net.top_.weights_[:], net.top_.visible_bias_[:], net.top_.hidden_bias_[:] = weights.T, above, below
    rbm = RBM(3, n_iter=1).fit(X)
    rbm.weights_[:], rbm.visible_bias_[:], rbm.hidden_bias_[:] = weights, below, above
    return net, rbm


def exact_bound(net, v):
    """Return the bound with its mean over q summed, not sampled."""
    weights, bias = net.recognition_[0]
    p, h = expit(v @ weights + bias)[:, None], all_states(len(bias))
    q = np.prod(np.where(h == 1, p, 1 - p), axis=2)
    joint = net._log_generate(0, v[:, None], h) + net.top_.score_samples(h)
    return (q * (joint - np.log(q))).sum(axis=1)


def test_a_network_whose_top_mirrors_its_bottom_is_the_rbm():
    """Oracle E24."""
    net, rbm = mirrored()
    v = all_states(4)
    np.testing.assert_allclose(np.exp(net.score_samples(v)), np.exp(rbm.score_samples(v)), atol=1e-14)
    np.testing.assert_allclose(exact_bound(net, v), rbm.score_samples(v), atol=1e-12)


def test_learning_on_top_never_lowers_the_bound():
    """Oracle E24: exact gradient steps of the upper RBM, its data drawn from what the lower one recognises."""
    net, _ = mirrored()
    weights, bias = net.recognition_[0]
    h = all_states(3)
    p = expit(X @ weights + bias)[:, None]
    share = np.prod(np.where(h == 1, p, 1 - p), axis=2).mean(axis=0)
    bounds = []
    for _ in range(200):
        bounds.append(exact_bound(net, X).mean())
        hidden = net.top_.transform(h)
        model = net.top_.model_statistics()
        net.top_.weights_ += 0.05 * ((share[:, None] * h).T @ hidden - model.weights)
        net.top_.visible_bias_ += 0.05 * (share @ h - model.visible_bias)
        net.top_.hidden_bias_ += 0.05 * (share @ hidden - model.hidden_bias)
    assert (np.diff(bounds) > -1e-12).all()
    assert bounds[-1] > bounds[0] + 0.01
    assert (net.score_samples(X) > exact_bound(net, X) - 1e-12).all()


def test_probabilities_of_a_deep_network_add_up_and_are_those_of_its_samples():
    """Chi-square over 16 states of 4000 samples; fails one time in 10,000."""
    net = DBN((5, 4, 3), n_iter=60, learning_rate=0.3, seed=2).fit(bars_and_stripes(2))
    assert np.exp(net.score_samples(all_states(4))).sum() == pytest.approx(1, abs=1e-12)
    means = net.sample(4000, n_sweeps=100)
    drawn = Stream(0, "test/bits").bernoulli(means).astype(float)
    assert chi_square(drawn, all_states(4), net.score_samples(all_states(4))) > 1e-4


def test_the_bound_is_below_and_its_draws_are_without_bias():
    """The mean of 4000 draws within 4.5 standard errors of the sum."""
    net = DBN((5, 3), n_iter=30, learning_rate=0.3).fit(X)
    v, log_z = all_states(4), net.top_.log_partition().estimate
    draws = np.array([net.bound(v, log_z, n_draws=100, seed=seed) for seed in range(40)])
    np.testing.assert_array_less(
        np.abs(draws.mean(axis=0) - exact_bound(net, v)), 4.5 * draws.std(axis=0, ddof=1) / np.sqrt(40)
    )
    assert (exact_bound(net, v) < net.score_samples(v) + 1e-12).all()


def test_up_down_raises_the_likelihood_of_an_untrained_network():
    greedy, tuned = (
        DBN((8, 6), n_iter=1, n_iter_fine=n, fine_rate=0.1, batch_size=8, rate_decay=None).fit(bars_and_stripes(2))
        for n in (0, 5000)
    )
    assert np.abs(tuned.recognition_[0][0] - tuned.generative_[0][0]).max() > 0.01
    assert tuned.score_samples(bars_and_stripes(2)).mean() > greedy.score_samples(bars_and_stripes(2)).mean() + 0.3


def test_labels_are_learned_and_generate():
    digits = load("digits")
    pictures, y = (digits["X"].values >= 0.5).astype(float), digits["y"].values
    train, test = split(y, 0.2)
    net = DBN((100, 200), n_iter=60, learning_rate=0.3, rate_decay=None).fit(pictures[train], y[train])
    assert (net.predict(pictures[test]) == y[test]).mean() > 0.9
    np.testing.assert_allclose(net.predict_proba(pictures[test]).sum(axis=1), 1)
    dreamt = net.sample(50, n_sweeps=200, label=3)
    assert dreamt.shape == (50, 64)
    assert (net.predict(dreamt) == 3).mean() > 0.8


def test_the_stack_is_the_way_up():
    net = DBN((5, 3), n_iter=2).fit(X, [0, 1] * 30)
    rows = X
    for weights, bias in net.stack():
        rows = expit(rows @ weights + bias)
    np.testing.assert_allclose(rows, net.transform(X))
    assert [weights.shape for weights, _ in net.stack()] == [(4, 5), (5, 3)]


def test_what_is_read_is_what_was_written(tmp_path):
    net = DBN((5, 3), n_iter=2, n_iter_fine=1).fit(X, ["a", "b"] * 30)
    net.save(tmp_path / "dbn.h5")
    again = DBN.load(tmp_path / "dbn.h5")
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    np.testing.assert_array_equal(again.sample(3, 5, label="b"), net.sample(3, 5, label="b"))
    assert again.predict(X).tolist() == net.predict(X).tolist()


@pytest.mark.parametrize(
    ("wrong", "y", "message"),
    [
        ({"layers": ()}, None, "DBN.layers: got none"),
        ({"layers": (5, 0)}, None, r"DBN.layers\[1\]: got 0"),
        ({"fine_rate": -1.0}, None, r"DBN.fine_rate: got -1.0"),
        ({}, [1, 2], r"DBN.y: got shape \(2,\), 2 classes; expected \(60,\) labels"),
        ({}, [1] * 60, r"DBN.y: got shape \(60,\), 1 class; expected \(60,\) labels of two classes"),
    ],
)
def test_bad_input_is_one_sentence(wrong, y, message):
    with pytest.raises(InputError, match=message):
        DBN(**wrong).fit(X, y)


def test_what_was_not_learned_cannot_be_asked():
    net = DBN((3, 3), n_iter=1).fit(X)
    with pytest.raises(InputError, match=r"DBN.predict: this network was fitted without labels"):
        net.predict(X)
    with pytest.raises(InputError, match=r"DBN.label: got 7; expected one of \[\]"):
        net.sample(1, 1, label=7)
    with pytest.raises(InputError, match=r"DBN.X: got values from 0 to 1.7"):
        net.transform(X * 1.7)
    assert logsumexp(net.score_samples(all_states(4))) == pytest.approx(0, abs=1e-12)
