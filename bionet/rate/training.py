"""Training a rate network by backprop, with scikit-learn's contract."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from math import isfinite, isqrt
from numbers import Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from bionet.errors import InputError, suggest
from bionet.progress import Progress
from bionet.random import Stream
from bionet.rate.cnn import CNN
from bionet.rate.mlp import MLP
from bionet.rate.sequence import outputs
from bionet.rate.threads import one_thread
from bionet.rate.weights import layer_sizes, weights_of, with_weights

KINDS = {"mlp": "a multilayer perceptron", "cnn": "a convolutional network on a square image"}


class RateClassifier(ClassifierMixin, BaseEstimator):
    """A network of rate units trained by backprop: mini-batches, cross-entropy, Adam with decoupled decay [1]_ [2]_.

    The loss of a sample of class c with outputs z is ``log(sum_k exp(z_k)) - z_c``.

    Parameters
    ----------
    kind : str
        ``"mlp"`` (:class:`bionet.rate.MLP`) or ``"cnn"`` (:class:`bionet.rate.CNN`, on images of equal sides).
    hidden : sequence of int
        Units of each hidden layer, or maps of each convolution.
    activation : str
        ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
    n_epochs : int
        Passes through the training data.
    batch_size : int
        Samples of a mini-batch.
    learning_rate : float
        Adam's step, dimensionless.
    weight_decay : float
        Fraction of a parameter lost in a step, in units of the learning rate, dimensionless.
    seed : int
        Of the first weights and of the order of the samples.

    Attributes
    ----------
    module_ : torch.nn.Sequential
        The trained network.
    classes_ : array, shape (n_classes,)
        The labels, in the order of the outputs.
    history_ : dict of str to array, shape (n_epochs,)
        ``"loss"`` [nat] and ``"accuracy"`` [1] on the training data: means over the mini-batches of an epoch, each
        taken before its step.
    n_features_in_ : int
        Features of a sample.

    Raises
    ------
    InputError
        From ``fit``, if a parameter or the data cannot be used.

    Notes
    -----
    PyTorch's global generator and number of threads are left as they were; weights and the order of samples come from
    :class:`bionet.random.Stream` and the work is done on one thread, so that two fits are equal on any number of cores.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR (2015).
    .. [2] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR (2019).

    Examples
    --------
    >>> X, y = np.eye(4), np.arange(4)
    >>> RateClassifier(hidden=(20,), n_epochs=100, batch_size=2).fit(X, y).predict(X)
    array([0, 1, 2, 3])
    """

    def __init__(
        self,
        kind: str = "mlp",
        hidden: tuple[int, ...] = (100,),
        activation: str = "relu",
        n_epochs: int = 30,
        batch_size: int = 64,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.kind = kind
        self.hidden = hidden
        self.activation = activation
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed

    @property
    def weights_(self) -> dict[str, NDArray[np.float32]]:
        """Layer name to weights, copies: (pre, post), or (pre maps, post maps, height, width) for a convolution."""
        check_is_fitted(self)
        return weights_of(self.module_)

    def fit(
        self, X: ArrayLike, y: ArrayLike, progress: Progress | None = None, start: nn.Sequential | None = None
    ) -> Self:
        """Train a new network, or a copy of one.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Inputs, best from 0 to 1, dimensionless.
        y : array, shape (n_samples,)
            Labels.
        progress : Progress, optional
            Shows the epochs; a bar by default.
        start : torch.nn.Sequential, optional
            Where to start instead of at new weights, such as :func:`bionet.bridges.to_mlp.to_mlp` returns; it is left
            as it is, and takes the place of ``kind``, ``hidden`` and ``activation``.

        Raises
        ------
        InputError
            If a parameter or the data cannot be used, or the training diverges.
        """
        self._check()
        try:
            inputs, targets = validate_data(self, X, y, dtype=np.float32)
            check_classification_targets(targets)
        except ValueError as error:
            raise InputError(f"RateClassifier.fit: {error}") from error
        self.classes_, labels = np.unique(targets, return_inverse=True)
        n_features, n_classes = inputs.shape[1], len(self.classes_)
        self.module_ = self._build(n_features, n_classes) if start is None else _copied(start, n_features, n_classes)
        with one_thread():
            self.history_ = self._train(torch.tensor(inputs), torch.tensor(labels), progress or Progress())
        return self

    def logits(
        self, X: ArrayLike, weights: Mapping[str, ArrayLike] | None = None, alive: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Return the outputs of the network before the softmax.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Inputs, dimensionless.
        weights : mapping of str to array, optional
            Weights to use instead of the learned ones, as ``weights_`` gives them; biases stay.
        alive : array of bool, shape (n_hidden,), optional
            False where a hidden unit is silent, as in :func:`bionet.rate.outputs`.

        Returns
        -------
        array, shape (n_samples, n_classes)
            Dimensionless.

        Raises
        ------
        InputError
            If an argument cannot be used.
        """
        check_is_fitted(self)
        try:
            inputs = validate_data(self, X, dtype=np.float32, reset=False)
        except ValueError as error:
            raise InputError(f"RateClassifier.predict: {error}") from error
        return outputs(self.module_ if weights is None else with_weights(self.module_, weights), inputs, alive)

    def predict(
        self, X: ArrayLike, weights: Mapping[str, ArrayLike] | None = None, alive: ArrayLike | None = None
    ) -> NDArray:
        """Return the label of the largest output; arguments as :meth:`logits`."""
        decided = self.logits(X, weights, alive).argmax(axis=1)
        return self.classes_[decided]

    def predict_proba(
        self, X: ArrayLike, weights: Mapping[str, ArrayLike] | None = None, alive: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return the softmax of the outputs; arguments as :meth:`logits`."""
        return softmax(self.logits(X, weights, alive).astype(np.float64), axis=1)

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"RateClassifier.kind: there is no {self.kind!r}{suggest(str(self.kind), KINDS)}")
        layer_sizes("RateClassifier", "hidden", self.hidden, least=1 if self.kind == "cnn" else 0)
        for name in ("n_epochs", "batch_size"):
            layer_sizes("RateClassifier", name, [getattr(self, name)], least=1)
        for name, least in (("learning_rate", "above 0"), ("weight_decay", "of at least 0")):
            value = getattr(self, name)
            usable = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
            if not usable or value < 0 or (value == 0 and least == "above 0"):
                raise InputError(
                    f"RateClassifier.{name}: got {value!r}; expected a finite number {least}, such as 0.01"
                )

    def _build(self, n_features: int, n_classes: int) -> nn.Sequential:
        if self.kind == "mlp":
            return MLP((n_features, *self.hidden, n_classes), self.activation, self.seed)
        side = isqrt(n_features)
        if side * side != n_features:
            raise InputError(f"RateClassifier.X: got {n_features} features; a cnn expects a square image, such as 64")
        return CNN((side, side), self.hidden, n_classes, self.activation, self.seed)

    def _train(self, X: torch.Tensor, labels: torch.Tensor, progress: Progress) -> dict[str, NDArray[np.float64]]:
        order = Stream(self.seed, "backprop/order")
        optimiser = torch.optim.AdamW(
            self.module_.parameters(), lr=float(self.learning_rate), weight_decay=float(self.weight_decay)
        )
        history = np.zeros((2, self.n_epochs))
        for epoch in progress(range(self.n_epochs), f"training the {self.kind}"):
            for batch in torch.from_numpy(order.permutation(len(X), epoch)).split(self.batch_size):
                z = self.module_(X[batch])
                loss = nn.functional.cross_entropy(z, labels[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                right = (z.argmax(dim=1) == labels[batch]).sum()
                history[:, epoch] += loss.item() * len(batch) / len(X), right.item() / len(X)
            if not np.isfinite(history[0, epoch]):
                raise InputError(
                    f"RateClassifier.learning_rate: got {self.learning_rate!r}, with which the loss became "
                    f"{history[0, epoch]} in epoch {epoch + 1}; expected a smaller one, such as 0.001"
                )
        return dict(zip(("loss", "accuracy"), history, strict=True))


def _copied(module: nn.Sequential, n_features: int, n_classes: int) -> nn.Sequential:
    """Return a copy of the module, which must take so many features and have an output for each class."""
    try:
        with torch.no_grad():
            n_outputs = module(torch.zeros(1, n_features)).shape[-1]
    except RuntimeError as error:
        raise InputError(f"RateClassifier.start: it does not take {n_features} features: {error}") from error
    if n_outputs != n_classes:
        raise InputError(f"RateClassifier.start: got {n_outputs} outputs; expected one for each of {n_classes} classes")
    return copy.deepcopy(module)
