"""The restricted Boltzmann machine, trained by centred contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.errors import InputError
from bionet.kernels.cpu.gibbs import sample
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[np.float64]

LARGEST_ENUMERATION = 25
"""Units of the smaller layer up to which the partition function is summed exactly: some ten minutes."""
SLIDING = 0.01
"""The share of each batch in the running offsets (Melchior et al. 2016)."""


@dataclass(frozen=True)
class Statistics:
    """Means over samples, or the difference of two such means: a gradient of the log-likelihood.

    Attributes
    ----------
    weights : float array, shape (n_visible, n_hidden)
        Mean of v h'.
    visible_bias : float array, shape (n_visible,)
        Mean of v.
    hidden_bias : float array, shape (n_hidden,)
        Mean of h.
    """

    weights: Floats
    visible_bias: Floats
    hidden_bias: Floats

    def __sub__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.weights - other.weights,
            self.visible_bias - other.visible_bias,
            self.hidden_bias - other.hidden_bias,
        )

    def centred(self, visible_offset: Floats, hidden_offset: Floats) -> Statistics:
        r"""Return the gradient of the centred machine, in the parameters of the plain one.

        .. math:: \Delta W = \langle (v-\mu)(h-\lambda)^\top \rangle_d - \langle (v-\mu)(h-\lambda)^\top \rangle_m,
                  \quad \Delta b = \Delta\langle v \rangle - \Delta W \lambda,
                  \quad \Delta c = \Delta\langle h \rangle - \Delta W^\top \mu

        Parameters
        ----------
        visible_offset, hidden_offset : float arrays
            :math:`\mu` and :math:`\lambda`; zero offsets change nothing.
        """
        weights = self.weights - np.outer(visible_offset, self.hidden_bias) - np.outer(self.visible_bias, hidden_offset)
        return Statistics(
            weights, self.visible_bias - weights @ hidden_offset, self.hidden_bias - visible_offset @ weights
        )


class RBM(TransformerMixin, BaseEstimator):
    r"""A Boltzmann machine of 0/1 units in two layers, with links between the layers only.

    .. math:: E(v, h) = -v^\top W h - b^\top v - c^\top h, \qquad p(v, h) = e^{-E(v, h)} / Z

    Contrastive divergence follows :math:`\langle v h^\top \rangle_{data} - \langle v h^\top \rangle_k`, the second
    mean taken after k sweeps of alternating, parallel Gibbs sampling.

    Parameters
    ----------
    n_components : int
        Hidden units.
    learning_rate : float
        Of the first update, dimensionless.
    rate_decay : float or None
        The rate after t updates is ``learning_rate / (1 + t / rate_decay)``; None keeps it as it is.
    batch_size : int
        Samples an update, and chains with ``persistent``.
    n_iter : int
        Passes through the data.
    k : int
        Gibbs sweeps an update.
    persistent : bool
        Whether the chains go on from update to update (Tieleman 2008) or start anew from the data.
    centered : bool
        Whether the gradient is the centred one [2]_: offsets start at the data's mean and 1/2, and slide.
    seed : int
        Of weights, order of samples and Gibbs sampling.

    Attributes
    ----------
    weights_ : float array, shape (n_visible, n_hidden)
        Dimensionless, started from N(0, 0.01).
    visible_bias_ : float array, shape (n_visible,)
        Started at log p / (1 - p) of the data's mean p.
    hidden_bias_ : float array, shape (n_hidden,)
        Started at 0.
    n_iter_ : int
        Passes made.
    history_ : dict of float arrays, shape (n_iter,)
        ``"reconstruction"``: mean squared difference between data and first reconstruction; a monitor, not a score.

    Raises
    ------
    InputError
        If a parameter is out of range, or X does not lie in [0, 1].

    Notes
    -----
    X holds bits, or grey levels taken as probabilities; which of the two decides what a likelihood means. Grey pictures
    are learnt better as bits, such as a :func:`bionet.coding.thermometer` code. Hidden probabilities, not samples,
    enter the statistics of both phases. With ``persistent``, a rate that does not decay
    ends in divergence after some thousand updates.

    References
    ----------
    .. [1] G. E. Hinton, "Training products of experts by minimizing contrastive divergence",
       Neural Computation 14 (2002).
    .. [2] J. Melchior, A. Fischer, L. Wiskott, "How to center deep Boltzmann machines", JMLR 17 (2016).

    Examples
    --------
    >>> X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 8, dtype=float)
    >>> rbm = RBM(n_components=4, n_iter=500, learning_rate=0.2, batch_size=16).fit(X)
    >>> float(np.exp(rbm.score_samples(X[:2])).sum()) > 0.8
    True
    """

    def __init__(
        self,
        n_components: int = 100,
        learning_rate: float = 0.1,
        rate_decay: float | None = 3000.0,
        batch_size: int = 20,
        n_iter: int = 40,
        k: int = 1,
        persistent: bool = False,
        centered: bool = True,
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.rate_decay = rate_decay
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.k = k
        self.persistent = persistent
        self.centered = centered
        self.seed = seed

    def fit(self, X: ArrayLike, y: None = None, progress: Progress | None = None) -> Self:
        """Learn from X, shape (n_samples, n_visible), in [0, 1]."""
        self._check()
        X = self._pictures(X, reset=True)
        self._start(X)
        offsets = X.mean(axis=0) * self.centered, np.full(self.n_components, 0.5 * self.centered)
        chains = Stream(self.seed, "rbm/chains").bernoulli(np.full((self.batch_size, X.shape[1]), 0.5)).astype(float)
        order, draws = Stream(self.seed, "rbm/order"), Stream(self.seed, "rbm/gibbs")
        error = np.zeros(self.n_iter)
        update = 0
        for epoch in (progress or Progress())(range(self.n_iter), "RBM"):
            shuffled = X[order.permutation(len(X), epoch)]
            for batch in (shuffled[i : i + self.batch_size] for i in range(0, len(X), self.batch_size)):
                positive = self.statistics(batch)
                chains = self._gibbs(chains if self.persistent else batch, self.k, draws, update * self.k)
                rate = self.learning_rate / (1.0 + update / self.rate_decay if self.rate_decay else 1.0)
                self._climb((positive - self.statistics(chains)).centred(*offsets), rate)
                if self.centered:
                    offsets = _slide(offsets[0], batch.mean(axis=0)), _slide(offsets[1], positive.hidden_bias)
                update += 1
            error[epoch] = ((X - self._visible(self._hidden(X))) ** 2).mean()
        self.n_iter_, self.history_ = self.n_iter, {"reconstruction": error}
        return self

    def transform(self, X: ArrayLike, alive: NDArray[np.bool_] | None = None) -> Floats:
        """Return the probability that each hidden unit is on, shape (n_samples, n_hidden).

        Parameters
        ----------
        X : array, shape (n_samples, n_visible)
            In [0, 1], dimensionless.
        alive : array of bool, shape (n_hidden,), optional
            False where a unit is silent: it is never on.
        """
        check_is_fitted(self)
        hidden = self._hidden(self._pictures(X))
        return hidden if alive is None else hidden * alive

    def energy(self, visible: ArrayLike, hidden: ArrayLike) -> Floats:
        """Return E(v, h) of each pair of rows, dimensionless, shape (n_samples,)."""
        v, h = np.asarray(visible, dtype=float), np.asarray(hidden, dtype=float)
        return -((v @ self.weights_) * h).sum(axis=-1) - v @ self.visible_bias_ - h @ self.hidden_bias_

    def free_energy(self, visible: ArrayLike) -> Floats:
        r"""Return :math:`F(v) = -b^\top v - \sum_j \log(1 + e^{c_j + (W^\top v)_j})`, shape (n_samples,), in nats."""
        v = np.asarray(visible, dtype=float)
        return -v @ self.visible_bias_ - np.logaddexp(0.0, v @ self.weights_ + self.hidden_bias_).sum(axis=-1)

    def log_partition(self) -> float:
        """Return log Z, exactly, by a sum over all states of the smaller layer.

        Raises
        ------
        InputError
            If the smaller layer has more than 25 units.
        """
        return self._sum_out()[0]

    def score_samples(self, X: ArrayLike) -> Floats:
        """Return the exact log-likelihood of each row of bits, -F(v) - log Z, in nats, shape (n_samples,)."""
        check_is_fitted(self)
        return -self.free_energy(self._pictures(X)) - self.log_partition()

    def statistics(self, visible: Floats) -> Statistics:
        """Return the means of v h', v and h over rows of the visible layer, h by its probabilities."""
        hidden = self._hidden(visible)
        return Statistics(visible.T @ hidden / len(visible), visible.mean(axis=0), hidden.mean(axis=0))

    def model_statistics(self) -> Statistics:
        """Return the exact means of v h', v and h under the model, by enumeration of the smaller layer."""
        return self._sum_out()[1]

    def gibbs(self, visible: ArrayLike, n_sweeps: int = 1, seed: int = 0) -> Floats:
        """Return the visible layer after alternating Gibbs sweeps from ``visible``, 0/1, of the same shape."""
        check_is_fitted(self)
        return self._gibbs(self._pictures(visible), n_sweeps, Stream(seed, "rbm/sample"), 0)

    def sample(self, n_samples: int, n_sweeps: int = 1000, seed: int = 0) -> Floats:
        """Return 0/1 pictures, each the end of its own chain that starts from fair coins."""
        check_is_fitted(self)
        start = Stream(seed, "rbm/start").bernoulli(np.full((n_samples, len(self.visible_bias_)), 0.5))
        return self._gibbs(start.astype(float), n_sweeps, Stream(seed, "rbm/sample"), 0)

    def _check(self) -> None:
        whole = {"n_components": 100, "batch_size": 20, "n_iter": 40, "k": 1}
        for name, example in whole.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"RBM.{name}: got {value!r}; expected a whole number above 0, such as {example}")
        for name, such in {"learning_rate": 0.05, "rate_decay": 3000.0}.items():
            value = getattr(self, name)
            if not (name == "rate_decay" and value is None) and not 0 < value < np.inf:
                raise InputError(f"RBM.{name}: got {value!r}; expected a positive number, such as {such:g}")

    def _pictures(self, X: ArrayLike, reset: bool = False) -> Floats:
        pictures: Floats = validate_data(self, X, reset=reset, dtype=np.float64)
        least, most = pictures.min(), pictures.max()
        if least < 0 or most > 1:
            raise InputError(f"RBM.X: got values from {least:g} to {most:g}; expected [0, 1], such as X / X.max()")
        return pictures

    def _start(self, X: Floats) -> None:
        shape = X.shape[1], self.n_components
        self.weights_ = 0.01 * Stream(self.seed, "rbm/weights").normal(shape)
        mean = (X.sum(axis=0) + 0.5) / (len(X) + 1.0)
        self.visible_bias_, self.hidden_bias_ = np.log(mean / (1.0 - mean)), np.zeros(self.n_components)

    def _climb(self, gradient: Statistics, rate: float) -> None:
        self.weights_ += rate * gradient.weights
        self.visible_bias_ += rate * gradient.visible_bias
        self.hidden_bias_ += rate * gradient.hidden_bias

    def _hidden(self, visible: Floats) -> Floats:
        return expit(visible @ self.weights_ + self.hidden_bias_)

    def _visible(self, hidden: Floats) -> Floats:
        return expit(hidden @ self.weights_.T + self.visible_bias_)

    def _gibbs(self, visible: Floats, n_sweeps: int, draws: Stream, step: int) -> Floats:
        """Sample hidden, then visible units, ``n_sweeps`` times; the draws are steps ``2 * step`` and on."""
        key = np.uint64(draws.key)
        for sweep in range(step, step + n_sweeps):
            hidden = sample(self._hidden(visible), key, np.uint64(2 * sweep))
            visible = sample(self._visible(hidden), key, np.uint64(2 * sweep + 1))
        return visible

    def _sum_out(self) -> tuple[float, Statistics]:
        """Return log Z and the model's means; of the two layers, the smaller one is enumerated."""
        check_is_fitted(self)
        if len(self.visible_bias_) <= len(self.hidden_bias_):
            return _enumerate(self.weights_, self.visible_bias_, self.hidden_bias_)
        log_z, turned = _enumerate(self.weights_.T, self.hidden_bias_, self.visible_bias_)
        return log_z, Statistics(turned.weights.T, turned.hidden_bias, turned.visible_bias)


def _slide(offset: Floats, mean: Floats) -> Floats:
    return (1.0 - SLIDING) * offset + SLIDING * mean


def _enumerate(weights: Floats, bias: Floats, other_bias: Floats, rows: int = 1 << 12) -> tuple[float, Statistics]:
    """Sum over all states of the layer of ``bias``, the other layer summed out in closed form."""
    n_units = len(bias)
    if n_units > LARGEST_ENUMERATION:
        raise InputError(
            f"RBM.log_partition: got {n_units} units in the smaller layer; expected at most {LARGEST_ENUMERATION}"
        )
    log_z = -np.inf
    total = Statistics(np.zeros_like(weights), np.zeros_like(bias), np.zeros_like(other_bias))
    for start in range(0, 1 << n_units, rows):
        codes = np.arange(start, min(start + rows, 1 << n_units))
        states = (codes[:, None] >> np.arange(n_units) & 1).astype(float)
        field = states @ weights + other_bias
        log_weight = states @ bias + np.logaddexp(0.0, field).sum(axis=1)
        before, log_z = log_z, np.logaddexp(log_z, _log_sum(log_weight))
        share, old = np.exp(log_weight - log_z)[:, None], np.exp(before - log_z)
        other = expit(field)
        total = Statistics(
            old * total.weights + (share * states).T @ other,
            old * total.visible_bias + (share * states).sum(axis=0),
            old * total.hidden_bias + (share * other).sum(axis=0),
        )
    return float(log_z), total


def _log_sum(log_weight: Floats) -> float:
    top = log_weight.max()
    return float(top + np.log(np.exp(log_weight - top).sum()))
