"""Oja's and Sanger's rules: one neuron, or a chain of them, that learns principal components."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from bionet.hebbian.samples import check_bounded, check_count, check_positive, learning_samples, more_samples
from bionet.kernels.cpu.hebbian import sanger
from bionet.progress import Progress
from bionet.random import Stream


class Sanger(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Linear neurons in a row that learn the principal components in order, one sample at a time [1]_.

    ``y = x W``, ``dW[i, j] = rate * y[j] * (x[i] - sum_(k <= j) y[k] W[i, k])``,
    ``rate = learning_rate / (1 + t / decay)`` at sample t.

    Parameters
    ----------
    n_components : int
        Neurons.
    learning_rate : float
        Of the first sample, in inverse squared units of the input. Stable while below about 1 over the mean of
        ``|x|**2``.
    decay : float
        Samples after which the rate has fallen to half.
    n_iter : int
        Passes through the data, each in a new order.
    seed : int
        Of the first weights, N(0, 0.1**2), and of the order.

    Attributes
    ----------
    weights_ : array, shape (n_features, n_components)
        The weights, (pre, post), dimensionless; each column of norm 1 once learned.
    mean_ : array, shape (n_features,)
        The mean of the training data, which is taken from every input.
    n_features_in_ : int
        Features of a sample.

    Raises
    ------
    InputError
        From ``fit``, if a parameter or the data cannot be used, or the weights grow without bound.

    Notes
    -----
    The columns converge to the eigenvectors of the covariance, up to their signs, if its first eigenvalues differ.
    The rule is local but for the sum over k, which neuron j must be told by the neurons before it.

    References
    ----------
    .. [1] T. D. Sanger, "Optimal unsupervised learning in a single-layer linear feedforward neural network",
       Neural Networks 2 (1989).

    Examples
    --------
    >>> X = Stream(1, "data").normal((5000, 3)) * [3.0, 1.0, 0.3]
    >>> np.abs(Sanger(n_components=2, learning_rate=0.01, decay=1000).fit(X).weights_).round(1)
    array([[1., 0.],
           [0., 1.],
           [0., 0.]])
    """

    def __init__(
        self,
        n_components: int = 4,
        learning_rate: float = 0.002,
        decay: float = 20_000.0,
        n_iter: int = 1,
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.decay = decay
        self.n_iter = n_iter
        self.seed = seed

    def fit(self, X: ArrayLike, y: object = None, progress: Progress | None = None) -> Self:
        """Learn from the samples.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Inputs, dimensionless.
        y : ignored
            The rule needs no labels.
        progress : Progress, optional
            Shows the passes; a bar by default.

        Raises
        ------
        InputError
            If a parameter or the data cannot be used, or the weights grow without bound.
        """
        for name in ("n_components", "n_iter"):
            check_count(self, name)
        for name in ("learning_rate", "decay"):
            check_positive(self, name)
        samples = learning_samples(self, X)
        self.mean_ = samples.mean(axis=0)
        x = samples - self.mean_
        stream = Stream(self.seed, type(self).__name__.lower())
        weights = 0.1 * stream.normal((x.shape[1], self.n_components))
        for epoch in (progress or Progress())(range(self.n_iter), type(self).__name__):
            order = stream.child("order").permutation(len(x), epoch)
            sanger(x, order, weights, float(self.learning_rate), float(self.decay), epoch * len(x))
        check_bounded(self, weights)
        self.weights_ = weights
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the responses ``(X - mean_) @ weights_``.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Inputs, dimensionless.

        Returns
        -------
        array, shape (n_samples, n_components)
            In units of the input.

        Raises
        ------
        InputError
            If the data cannot be used.
        """
        check_is_fitted(self)
        return (more_samples(self, X) - self.mean_) @ self.weights_

    @property
    def _n_features_out(self) -> int:
        """Tell scikit-learn how many features there are to name."""
        return self.weights_.shape[1]


class Oja(Sanger):
    """One linear neuron that learns the first principal component, one sample at a time [1]_.

    ``y = x w``, ``dw = rate * y * (x - y w)``, ``rate = learning_rate / (1 + t / decay)`` at sample t.

    Parameters
    ----------
    learning_rate : float
        Of the first sample, in inverse squared units of the input. Stable while below about 1 over the mean of
        ``|x|**2``.
    decay : float
        Samples after which the rate has fallen to half.
    n_iter : int
        Passes through the data, each in a new order.
    seed : int
        Of the first weights, N(0, 0.1**2), and of the order.

    Attributes
    ----------
    weights_ : array, shape (n_features, 1)
        The weights, (pre, post), dimensionless; of norm 1 once learned.
    mean_ : array, shape (n_features,)
        The mean of the training data, which is taken from every input.
    n_features_in_ : int
        Features of a sample.

    Raises
    ------
    InputError
        From ``fit``, if a parameter or the data cannot be used, or the weights grow without bound.

    Notes
    -----
    It is Sanger's rule with one neuron: the rule is local.

    References
    ----------
    .. [1] E. Oja, "A simplified neuron model as a principal component analyzer", J. Math. Biol. 15 (1982).

    Examples
    --------
    >>> X = Stream(1, "data").normal((5000, 3)) * [3.0, 1.0, 0.3]
    >>> np.abs(Oja(learning_rate=0.01, decay=1000).fit(X).weights_[:, 0]).round(1)
    array([1., 0., 0.])
    """

    n_components = 1

    def __init__(self, learning_rate: float = 0.002, decay: float = 20_000.0, n_iter: int = 1, seed: int = 0) -> None:
        self.learning_rate = learning_rate
        self.decay = decay
        self.n_iter = n_iter
        self.seed = seed
