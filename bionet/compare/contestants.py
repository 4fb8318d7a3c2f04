"""The contestants: networks of every room, each told to the probes in the same words."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bionet.bridges.to_spiking import to_spiking
from bionet.compare.question import Contestant, Decision, Question, Weights
from bionet.energy import RBM, AssociativeClassifier
from bionet.hebbian import SoftHebb
from bionet.progress import Progress
from bionet.rate import RateClassifier, count_hidden, multiply_accumulates
from bionet.rate.sequence import outputs

Alive = NDArray[np.bool_] | None


class Logistic(Contestant):
    """The baseline: multinomial logistic regression on the pixels. Its lesion removes pixels."""

    name, family = "logistic regression", "baseline"
    expected, source = (0.95, 0.98), "scikit-learn's documentation, linear models on these digits"

    def fit(self, question: Question, progress: Progress) -> Self:
        """Fit the regression (L-BFGS, C = 1)."""
        self._readout = LogisticRegression(max_iter=2000).fit(question.X_train, question.y_train)
        self.weights, self.n_units = {"readout": self._readout.coef_.T}, question.X_train.shape[1]
        self.samples_seen = question.y_train.size * int(self._readout.n_iter_.max())
        self.labels_used = question.y_train.size
        return self

    def decide(self, X: NDArray[np.float64], weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Add up the pixels, with their weights."""
        w = (weights or self.weights)["readout"]
        labels = ((X if alive is None else X * alive) @ w + self._readout.intercept_).argmax(axis=1)
        return Decision.at_once(labels, 1, w.size)

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the weights of each class."""
        return {"fields": _fields(self.weights["readout"], question)}


class Backprop(Contestant):
    """A rate network trained by backprop."""

    family = "rate"

    def __init__(self, name: str, expected: tuple[float, float], source: str, learner: RateClassifier) -> None:
        self.name, self.expected, self.source, self.learner = name, expected, source, learner

    def fit(self, question: Question, progress: Progress) -> Self:
        """Train the module on the labels."""
        self.learner.fit(question.X_train, question.y_train, progress)
        self.weights, shape = self.learner.weights_, question.X_train.shape[1:]
        self.n_units = count_hidden(self.learner.module_, shape)
        self._work = multiply_accumulates(self.learner.module_, shape)
        self.labels_used = question.y_train.size
        self.samples_seen = self.labels_used * self.learner.n_epochs
        return self

    def decide(self, X: NDArray[np.float64], weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Run the network forward once."""
        return Decision.at_once(self.learner.predict(X, weights, alive), len(self.weights), self._work)

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the loss by epoch, and what each first-layer unit, or output for kernels too small to see, looks for."""
        history = {name: ("epoch", values, _about(name)) for name, values in self.learner.history_.items()}
        epochs = {"epoch": ("epoch", np.arange(1, self.learner.n_epochs + 1), _about("epoch"))}
        first = next(iter(self.weights.values()))
        if first.ndim == 2:
            fields = _fields(first, question)
        else:
            fields = _pictures(first[0].astype(float))
        return {"learning": xr.Dataset(history, epochs), "fields": fields}
