"""The convolutional restricted Boltzmann machine: a few small filters, looked for everywhere in a picture."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.energy.inputs import check_choice, check_device, check_number, check_whole
from bionet.energy.partition import Interval, log_partition
from bionet.energy.storage import Stored, draft
from bionet.energy.units import visible_units
from bionet.errors import BionetError, InputError
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]


class ConvolutionalRBM(Stored, TransformerMixin, BaseEstimator):
    r"""A restricted Boltzmann machine whose hidden units share filters, in groups of which one at most is on.

    .. math:: E(v, h) = -\sum_k \sum_{ij} h^k_{ij} \Big( (w^k \star v)_{ij} + b_k \Big) - c \sum_{ij} v_{ij}

    with :math:`\star` the correlation of the picture with the filter, where it fits. The hidden units of a filter lie
    in blocks of ``pool`` x ``pool``, in each of which one unit at most is on: with the field I,
    :math:`p(h_i = 1 \mid v) = e^{I_i} / (1 + \sum_{block} e^{I_j})`. A block's pooling unit is on if one of its units
    is [1]_. With ``pool=1`` the hidden units are independent.

    Parameters
    ----------
    n_filters, filter_size : int
        Filters, and pixels of their side.
    pool : int
        Side of a block; it must divide what is left of the picture's sides, ``side - filter_size + 1``.
    image_shape : tuple of int or None
        Rows and columns of a picture; None for square ones.
    learning_rate : float
        Dimensionless, for each place that a filter is looked for at.
    batch_size, n_iter, k : int
        As in :class:`RBM`; contrastive divergence.
    sparsity_target, sparsity_cost : float
        What the mean of each group is drawn to by its bias, and how strongly.
    visible : {"bernoulli", "gaussian"}
    device : {"cpu"}
        There is no way yet to run on a GPU.
    seed : int

    Attributes
    ----------
    filters_ : float array, shape (n_filters, filter_size, filter_size)
    hidden_bias_ : float array, shape (n_filters,)
    visible_bias_ : float
    n_iter_ : int
        Passes made.

    References
    ----------
    .. [1] H. Lee, R. Grosse, R. Ranganath, A. Y. Ng, "Convolutional deep belief networks for scalable unsupervised
       learning of hierarchical representations", ICML (2009).

    Examples
    --------
    >>> rbm = ConvolutionalRBM(2, 2, n_iter=5).fit(np.eye(9))
    >>> rbm.transform(np.eye(9)).shape
    (9, 8)
    """

    def __init__(
        self,
        n_filters: int = 8,
        filter_size: int = 5,
        pool: int = 1,
        image_shape: tuple[int, int] | None = None,
        learning_rate: float = 0.01,
        batch_size: int = 20,
        n_iter: int = 20,
        k: int = 1,
        sparsity_target: float = 0.05,
        sparsity_cost: float = 0.0,
        visible: str = "bernoulli",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.n_filters = n_filters
        self.filter_size = filter_size
        self.pool = pool
        self.image_shape = image_shape
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.k = k
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.visible = visible
        self.device = device
        self.seed = seed

    def fit(self, X: ArrayLike, y: None = None, progress: Progress | None = None) -> Self:
        """Learn from X, shape (n_samples, n_pixels)."""
        self._check()
        X = self._data(X, reset=True)
        shape = self.n_filters, self.filter_size, self.filter_size
        self.filters_ = 0.01 * Stream(self.seed, "convolutional/weights").normal(shape)
        self.hidden_bias_ = np.zeros(self.n_filters)
        self.visible_bias_ = self._units().bias(np.array([X.mean()]), X.size)[0]
        self.n_iter_ = 0
        return self._go_on(X, progress)

    def resume(self, X: ArrayLike, progress: Progress | None = None) -> Self:
        """Go on with a :meth:`fit` to the same X after its last whole epoch, or whose ``n_iter`` has been raised."""
        check_is_fitted(self)
        self._check()
        return self._go_on(self._data(X), progress)

    def _go_on(self, X: Floats, progress: Progress | None) -> Self:
        order, draws = Stream(self.seed, "convolutional/order"), Stream(self.seed, "convolutional/gibbs")
        starts = range(0, len(X), self.batch_size)
        for epoch in (progress or Progress())(range(self.n_iter_, self.n_iter), "convolutional RBM"):
            with draft(self) as machine:
                rows = order.permutation(len(X), epoch)
                for count, start in enumerate(starts, epoch * len(starts)):
                    machine._climb(X[rows[start : start + self.batch_size]], draws, self.k * count)
                if not np.abs(machine.filters_).max() < 1e4:
                    raise BionetError(
                        f"ConvolutionalRBM.learning_rate: learning diverged in epoch {epoch + 1} at "
                        f"{self.learning_rate:g}; take a smaller one, such as {self.learning_rate / 10:g}"
                    )
                machine.n_iter_ = epoch + 1
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """Return the probability that each pooling unit is on, shape (n_samples, n_filters * n_blocks)."""
        check_is_fitted(self)
        fields = self.fields(self._data(X))
        blocks = self._blocks(self._means(fields)).sum(axis=-1)
        return blocks.reshape(len(blocks), -1)

    def fields(self, X: Floats) -> Floats:
        """Return the field on every hidden unit, shape (n_samples, n_filters, n_rows, n_columns)."""
        windows = _windows(X.reshape(-1, *self._shape()), self.filters_.shape[1:])
        found = np.tensordot(windows, self.filters_, axes=((3, 4), (1, 2)))
        return np.moveaxis(found, -1, 1) + self.hidden_bias_[:, None, None]

    def free_energy(self, X: ArrayLike) -> Floats:
        """Return F(v) of each row, the hidden units summed out block by block, in nats, shape (n_samples,)."""
        v = np.asarray(X, dtype=np.float64)
        blocks = self._blocks(self.fields(v))
        summed = np.logaddexp(0.0, np.logaddexp.reduce(blocks, axis=-1)).reshape(len(v), -1).sum(axis=1)
        return self._units().own_energy(v) - self.visible_bias_ * v.sum(axis=1) - summed

    def log_partition(self) -> Interval:
        """Return log Z, exactly, by a sum over all pictures of at most 25 pixels."""
        check_is_fitted(self)
        if self.visible != "bernoulli":
            raise InputError("ConvolutionalRBM.log_partition: pictures of gaussian units cannot be counted")
        return Interval.exact(log_partition(lambda states: -self.free_energy(states), self.n_features_in_))

    @available_if(lambda self: self.visible == "bernoulli")
    def score_samples(self, X: ArrayLike) -> Floats:
        """Return the exact log-likelihood of each row, in nats, for pictures of at most 25 pixels."""
        return -self.free_energy(self._data(X)) - self.log_partition().estimate

    def gibbs(self, visible: ArrayLike, n_sweeps: int = 1, seed: int = 0) -> Floats:
        """Return pictures after so many sweeps of hidden, then visible units, from ``visible``."""
        check_is_fitted(self)
        v, draws = self._data(visible), Stream(seed, "convolutional/sample")
        for sweep in range(n_sweeps):
            v = self._sweep(v, draws, sweep)
        return v

    def gradient(self, X: Floats) -> tuple[Floats, Floats, float]:
        """Return the means over rows of -dE/d(filters, hidden bias, visible bias), h by its means."""
        hidden = self._means(self.fields(X))
        windows = _windows(X.reshape(-1, *self._shape()), hidden.shape[2:])
        filters = np.einsum("nabij,nkij->kab", windows, hidden, optimize=True) / len(X)
        return filters, hidden.sum(axis=(2, 3)).mean(axis=0), float(X.sum(axis=1).mean())

    def _means(self, fields: Floats) -> Floats:
        """Return the probability of each hidden unit: a softmax over its block and "none"."""
        blocks = self._blocks(fields)
        top = np.maximum(blocks.max(axis=-1, keepdims=True), 0.0)
        p = np.exp(blocks - top)
        return self._unblocked(p / (np.exp(-top) + p.sum(axis=-1, keepdims=True)))

    def _blocks(self, units: Floats) -> Floats:
        """Bring the units of a block together on the last axis."""
        n, k, rows, columns = units.shape
        apart = units.reshape(n, k, rows // self.pool, self.pool, columns // self.pool, self.pool)
        return apart.transpose(0, 1, 2, 4, 3, 5).reshape(n, k, rows // self.pool, columns // self.pool, -1)

    def _unblocked(self, blocks: Floats) -> Floats:
        n, k, rows, columns, _ = blocks.shape
        apart = blocks.reshape(n, k, rows, columns, self.pool, self.pool).transpose(0, 1, 2, 4, 3, 5)
        return apart.reshape(n, k, rows * self.pool, columns * self.pool)

    def _sweep(self, v: Floats, draws: Stream, step: int) -> Floats:
        below = self._blocks(self._means(self.fields(v))).cumsum(axis=-1)
        pick = (draws.uniform(below.shape[:-1], 2 * step)[..., None] >= below).sum(axis=-1)
        hidden = self._unblocked(np.eye(self.pool**2 + 1)[pick][..., :-1])
        return self._units().sample(self._downward(hidden), draws, 2 * step + 1)

    def _downward(self, hidden: Floats) -> Floats:
        """Return the field on the pixels: the hidden units' filters laid over each other, shape (n, n_pixels)."""
        side = self.filter_size - 1
        padded = np.pad(hidden, ((0, 0), (0, 0), (side, side), (side, side)))
        windows = _windows(padded, self.filters_.shape[1:])
        turned = self.filters_[:, ::-1, ::-1]
        return (
            np.einsum("nkijab,kab->nij", windows, turned, optimize=True).reshape(len(hidden), -1) + self.visible_bias_
        )

    def _climb(self, batch: Floats, draws: Stream, update: int) -> None:
        positive = self.gradient(batch)
        v = batch
        for sweep in range(self.k):
            v = self._sweep(v, draws, update + sweep)
        negative = self.gradient(v)
        places = np.prod([side - self.filter_size + 1 for side in self._shape()])
        sparsity = self.sparsity_cost * (self.sparsity_target - positive[1] / places)
        self.filters_ += self.learning_rate * (positive[0] - negative[0])
        self.hidden_bias_ += self.learning_rate * (positive[1] - negative[1] + sparsity)
        self.visible_bias_ += self.learning_rate * (positive[2] - negative[2]) / places

    def _units(self):
        return visible_units("ConvolutionalRBM", self.visible, 2)

    def _shape(self) -> tuple[int, int]:
        if self.image_shape is not None:
            rows, columns = self.image_shape
            return int(rows), int(columns)
        side = round(np.sqrt(self.n_features_in_))
        return side, side

    def _check(self) -> None:
        check_whole(self, 8, n_filters=self.n_filters, filter_size=self.filter_size, pool=self.pool)
        check_whole(self, 20, batch_size=self.batch_size, n_iter=self.n_iter, k=self.k)
        check_number(self, 0.01, learning_rate=self.learning_rate)
        check_number(self, 0.05, zero=True, sparsity_target=self.sparsity_target, sparsity_cost=self.sparsity_cost)
        check_choice(self, ("bernoulli", "gaussian"), visible=self.visible)
        check_device(self, self.device)

    def _data(self, X: ArrayLike, reset: bool = False) -> Floats:
        try:
            pictures: Floats = validate_data(self, X, reset=reset, dtype=np.float64, order="C")
        except ValueError as error:
            raise InputError(f"ConvolutionalRBM.X: {error}") from error
        shape = self._shape()
        if np.prod(shape) != pictures.shape[1]:
            raise InputError(f"ConvolutionalRBM.image_shape: got {shape}; expected sides of {pictures.shape[1]} pixels")
        for side in shape:
            left = side - self.filter_size + 1
            if left < 1 or left % self.pool:
                raise InputError(
                    f"ConvolutionalRBM.filter_size: got {self.filter_size} on a side of {side}, which leaves {left}; "
                    f"expected a multiple of pool, {self.pool}"
                )
        self._units().check("ConvolutionalRBM.X", pictures)
        return pictures


def _windows(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Return all windows of a shape on the last two axes, as two axes more."""
    return sliding_window_view(values, shape, axis=(-2, -1))  # type: ignore[call-overload]
