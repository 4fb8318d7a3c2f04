"""Soft winner-take-all: a layer of neurons that compete softly and learn by a local Hebbian rule."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from bionet.errors import InputError
from bionet.hebbian.samples import check_bounded, check_count, check_positive, learning_samples, more_samples
from bionet.kernels.cpu.hebbian import soft_competition
from bionet.progress import Progress
from bionet.random import Stream


class SoftHebb(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Neurons that inhibit each other softly and learn without labels, each a part of a mixture model [1]_.

    ``u = x W``, ``y = softmax(u / temperature)``, ``dW[i, j] = rate * y[j] * (x[i] - u[j] W[i, j])``. The input is
    centred and scaled: ``x = (X - mean_) / |X - mean_|``; the rate falls linearly from ``learning_rate`` to 0.

    Parameters
    ----------
    n_components : int
        Neurons.
    temperature : float
        Of the competition, dimensionless; towards 0 one winner takes all.
    learning_rate : float
        Of the first sample, dimensionless.
    n_iter : int
        Passes through the data, each in a new order.
    seed : int
        Of the first weights, random directions of norm 1, and of the order.

    Attributes
    ----------
    weights_ : array, shape (n_features, n_components)
        The weights, (pre, post), dimensionless; each column near norm 1.
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
    The rule is local: a weight needs its own input, its neuron's drive u and its neuron's activity y; the softmax is
    what lateral inhibition computes. At unit norms y is the posterior probability of each neuron's cause under a
    mixture of von Mises-Fisher laws with equal priors; the bias of [1]_, which learns unequal priors, is left out.
    Without centring, all inputs of an image set point the same way and the competition has few winners.

    References
    ----------
    .. [1] T. Moraitis, D. Toichkin, A. Journé, Y. Chua, Q. Guo, "SoftHebb: Bayesian inference in unsupervised Hebbian
       soft winner-take-all networks", Neuromorphic Computing and Engineering 2 (2022).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16.0
    >>> layer = SoftHebb(n_components=20, n_iter=2).fit(X)
    >>> layer.weights_.shape, layer.transform(X[:5]).sum(axis=1).round(6).tolist()
    ((64, 20), [1.0, 1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self,
        n_components: int = 100,
        temperature: float = 0.08,
        learning_rate: float = 0.1,
        n_iter: int = 50,
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.temperature = temperature
        self.learning_rate = learning_rate
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
        for name in ("temperature", "learning_rate"):
            check_positive(self, name)
        samples = learning_samples(self, X)
        self.mean_ = samples.mean(axis=0)
        x = self._directions(samples)
        stream = Stream(self.seed, "softhebb")
        weights = stream.normal((x.shape[1], self.n_components))
        weights /= np.linalg.norm(weights, axis=0)
        rate, temperature, total = float(self.learning_rate), float(self.temperature), self.n_iter * len(x)
        for epoch in (progress or Progress())(range(self.n_iter), "soft winner-take-all"):
            order = stream.child("order").permutation(len(x), epoch)
            soft_competition(x, order, weights, rate, temperature, epoch * len(x), total)
        check_bounded(self, weights)
        self.weights_ = weights
        return self

    def transform(self, X: ArrayLike, alive: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the activities after the competition, ``softmax(x W / temperature)``.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Inputs, dimensionless.
        alive : array of bool, shape (n_components,), optional
            False where a neuron is silent: it is 0 and inhibits nobody.

        Returns
        -------
        array, shape (n_samples, n_components)
            Dimensionless; the sum over the neurons alive is 1.

        Raises
        ------
        InputError
            If an argument cannot be used.
        """
        check_is_fitted(self)
        x = self._directions(more_samples(self, X))
        drive = x @ self.weights_ / float(self.temperature)
        if alive is None:
            return softmax(drive, axis=1)
        alive = np.asarray(alive)
        if alive.shape != (drive.shape[1],) or alive.dtype != bool:
            raise InputError(
                f"SoftHebb.alive: got {alive.dtype} of shape {alive.shape}; expected bool of shape ({drive.shape[1]},)"
            )
        activity = np.zeros_like(drive)
        if alive.any():
            activity[:, alive] = softmax(drive[:, alive], axis=1)
        return activity

    def _directions(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the inputs centred and of norm 1; an input equal to the mean stays 0."""
        x = X - self.mean_
        norm = np.linalg.norm(x, axis=1, keepdims=True)
        return np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)

    @property
    def _n_features_out(self) -> int:
        """Tell scikit-learn how many features there are to name."""
        return self.weights_.shape[1]
