"""Oja's and Sanger's rules against the eigenvectors they must find, and one step against the paper's equation."""

import numpy as np
import pytest
from sklearn.base import clone

from bionet.errors import InputError
from bionet.hebbian import Oja, Sanger
from bionet.kernels.cpu.hebbian import sanger
from bionet.random import Stream

SPECTRUM = np.array([10.0, 6.0, 3.5, 2.0] + 16 * [0.3])


def gaussian(seed, n_samples):
    """Samples of the spectrum in a random basis, and the basis (columns)."""
    stream = Stream(seed, "tests/gaussian")
    basis, _ = np.linalg.qr(stream.normal((20, 20), step=1))
    return (stream.normal((n_samples, 20)) * np.sqrt(SPECTRUM)) @ basis.T, basis


def cosines(weights, basis):
    """Cosine of each column with the eigenvector of its rank, without the sign."""
    directions = weights / np.linalg.norm(weights, axis=0)
    return np.abs(np.sum(directions * basis[:, : weights.shape[1]], axis=0))


def test_kernel_is_the_matrix_form_of_the_rule():
    stream = Stream(1, "tests/step")
    X, weights = stream.normal((6, 5)), stream.normal((5, 3), step=1)
    expected = weights.copy()
    order = np.array([4, 0, 5])
    for t, sample in enumerate(order):
        x, y = X[sample], X[sample] @ expected
        rate = 0.02 / (1.0 + (7 + t) / 30.0)
        expected += rate * (np.outer(x, y) - expected @ np.triu(np.outer(y, y)))
    sanger(X, order, weights, 0.02, 30.0, 7)
    np.testing.assert_allclose(weights, expected, rtol=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_sanger_finds_the_eigenvectors_in_order(seed):
    X, basis = gaussian(seed, 100_000)
    assert cosines(Sanger(seed=seed).fit(X[:10_000]).weights_, basis).min() > 0.95
    learned = Sanger(seed=seed).fit(X)
    assert cosines(learned.weights_, basis).min() > 0.99
    np.testing.assert_allclose(np.linalg.norm(learned.weights_, axis=0), 1.0, atol=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_oja_finds_the_first_eigenvector(seed):
    X, basis = gaussian(seed, 100_000)
    learned = Oja(seed=seed).fit(X)
    assert cosines(learned.weights_, basis)[0] > 0.99
    assert np.linalg.norm(learned.weights_) == pytest.approx(1.0, abs=0.01)


def test_responses_are_uncorrelated_with_the_spectrum_as_variances():
    X, _ = gaussian(9, 100_000)
    covariance = np.cov(Sanger(seed=9).fit_transform(X).T)
    np.testing.assert_allclose(np.diag(covariance), SPECTRUM[:4], rtol=0.05)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0.0, atol=0.5)


def test_the_mean_of_the_data_does_not_matter():
    X, _ = gaussian(2, 1000)
    np.testing.assert_allclose(Sanger().fit(X + 3.0).weights_, Sanger().fit(X).weights_, atol=1e-9)


def test_passes_take_new_orders_and_the_seed_decides():
    X, _ = gaussian(3, 200)
    one, two = Sanger(n_iter=2, seed=4).fit(X), clone(Sanger(n_iter=2, seed=4)).fit(X)
    np.testing.assert_array_equal(one.weights_, two.weights_)
    assert not np.array_equal(one.weights_, Sanger(n_iter=2, seed=5).fit(X).weights_)
    assert not np.allclose(one.weights_, Sanger(n_iter=1, seed=4).fit(np.vstack([X, X])).weights_)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_components": 0}, "Sanger.n_components: got 0; expected a whole number above 0"),
        ({"n_iter": 1.5}, "Sanger.n_iter: got 1.5"),
        ({"learning_rate": float("nan")}, "Sanger.learning_rate: got nan; expected a positive number"),
        ({"decay": -1.0}, "Sanger.decay: got -1.0"),
        ({"learning_rate": 5.0}, "without bound; expected a smaller one, such as 0.5"),
        ({"seed": -1}, "Stream.seed: got -1"),
    ],
)
def test_bad_parameters_are_refused_by_name(changed, said):
    with pytest.raises(InputError, match=said):
        Sanger(**changed).fit(gaussian(0, 200)[0])


def test_bad_samples_are_refused():
    X, _ = gaussian(0, 50)
    with pytest.raises(InputError, match=r"Sanger\.fit: .*NaN"):
        Sanger().fit(np.where(X > 3, np.nan, X))
    with pytest.raises(InputError, match=r"Sanger\.transform: .*19 features"):
        Sanger().fit(X).transform(X[:, 1:])
