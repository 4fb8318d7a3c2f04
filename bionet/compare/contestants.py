"""The contestants: networks of every room, each told to the probes in the same words."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from bionet.bridges.to_spiking import to_spiking
from bionet.coding import thermometer
from bionet.compare.question import Contestant, Decision, Question, Weights
from bionet.energy import AssociativeClassifier
from bionet.progress import Progress
from bionet.rate import RateClassifier, count_hidden, multiply_accumulates

N_RASTER = 10
"""How many held-out digits are shown in a raster of spikes."""

Pictures = NDArray[np.float64]
Alive = NDArray[np.bool_] | None


class Logistic(Contestant):
    """The baseline: multinomial logistic regression on the pixels. Its lesion removes pixels."""

    family = "baseline"

    def fit(self, question: Question, progress: Progress) -> Self:
        """Fit the regression."""
        self._readout = _Readout(question.X_train, question.y_train)
        self.weights, self.n_units = {"readout": self._readout.weights}, question.X_train.shape[1]
        self.labels_used, self.samples_seen = question.y_train.size, self._readout.samples_seen
        return self

    def decide(self, X: Pictures, weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Add up the pixels with their weights."""
        w = (weights or self.weights)["readout"]
        return Decision.at_once(self._readout.labels(X if alive is None else X * alive, w), 1, w.size)

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the weights of each class."""
        return {"fields": _fields(self.weights["readout"], question)}


class Backprop(Contestant):
    """A rate network trained by backprop.

    Parameters
    ----------
    name, expected, source
        As in :class:`bionet.compare.question.Contestant`.
    learner : RateClassifier
        Not yet fitted.
    """

    family = "rate"

    def __init__(self, name: str, expected: tuple[float, float], source: str, learner: RateClassifier) -> None:
        super().__init__(name, expected, source)
        self.learner = learner

    def fit(self, question: Question, progress: Progress) -> Self:
        """Train the network on the labels."""
        self.learner.fit(question.X_train, question.y_train, progress)
        self.weights, shape = self.learner.weights_, question.X_train.shape[1:]
        self.n_units = count_hidden(self.learner.module_, shape)
        self._work = multiply_accumulates(self.learner.module_, shape)
        self.labels_used = question.y_train.size
        self.samples_seen = self.labels_used * self.learner.n_epochs
        return self

    def decide(self, X: Pictures, weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Run the network forward once."""
        return Decision.at_once(self.learner.predict(X, weights, alive), len(self.weights), self._work)

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the loss by epoch, and the weights onto the first layer's units, or its kernels."""
        first = next(iter(self.weights.values()))
        fields = _fields(first, question) if first.ndim == 2 else _pictures(first[0])
        return {"learning": _learning(self.learner.history_, {"loss": "nat", "accuracy": "1"}), "fields": fields}


class Converted(Contestant):
    """A trained rate network carried over to integrate-and-fire neurons; it learns nothing of its own.

    Parameters
    ----------
    name, expected, source
        As in :class:`bionet.compare.question.Contestant`.
    origin : Backprop
        The network, a contestant itself, trained before this one.
    duration : float
        How long a digit is shown [s].
    """

    family = "spiking"

    def __init__(
        self, name: str, expected: tuple[float, float], source: str, origin: Backprop, duration: float
    ) -> None:
        super().__init__(name, expected, source)
        self.origin, self.duration = origin, duration

    def fit(self, question: Question, progress: Progress) -> Self:
        """Normalise the weights on the training digits."""
        self.network = to_spiking(self.origin.learner.module_, question.X_train)
        self.weights, self.n_units = self.network.weights_, self.origin.n_units
        self.samples_seen, self.labels_used = question.y_train.size, 0
        return self

    def decide(self, X: Pictures, weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Show the digits for their time; the answer is the largest potential of the output neurons."""
        response = self.network.respond(X, self.duration, weights=weights, alive=alive)
        work = response.input_macs + response.updates * response.times / response.times[-1]
        macs = np.broadcast_to(work[:, None], response.events.shape)
        return Decision(response.times, "s", response.decision, macs, response.events, response.spike_counts)

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the spikes of the first held-out digits, one after another."""
        response = self.network.respond(question.X_test[:N_RASTER], self.duration, record=True)
        return {"spikes": _raster(response, self.duration, question)}


class SelfOrganised(Contestant):
    """A spiking network that learns without labels, by STDP (Diehl and Cook 2015).

    Parameters
    ----------
    name, expected, source
        As in :class:`bionet.compare.question.Contestant`.
    model : estimator
        Such as ``models.diehl_cook_2015.DiehlCook``, not yet fitted.
    """

    family = "spiking"

    def __init__(self, name: str, expected: tuple[float, float], source: str, model: Any) -> None:
        super().__init__(name, expected, source)
        self.model = model

    def fit(self, question: Question, progress: Progress) -> Self:
        """Learn from the digits, then name the neurons by their answers to the same digits."""
        self.model.fit(question.X_train, question.y_train, progress=progress)
        self.weights, self.n_units = {"input": self.model.weights_}, self.model.n_neurons
        self.labels_used = question.y_train.size
        self.samples_seen = self.labels_used * (self.model.n_iter + 1)
        return self

    def decide(self, X: Pictures, weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Show the digits; the answer is the class whose neurons have fired most on average."""
        response = self.model.respond(X, weights=(weights or self.weights)["input"], alive=alive)
        answers = self.model.votes(response.counts).argmax(axis=2)
        updates = response.updates * response.times / response.times[-1]
        macs = np.broadcast_to(updates[:, None], response.events.shape)
        return Decision(response.times, "s", answers, macs, response.events, response.counts.sum(axis=2))

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the receptive fields, and the spikes of the first held-out digits, one after another."""
        response = self.model.respond(question.X_test[:N_RASTER], record=True)
        return {
            "fields": _fields(self.model.weights_, question),
            "spikes": _raster(response, self.model.duration, question),
        }


class Features(Contestant):
    """A layer that learns without labels, and a logistic regression that reads it.

    Parameters
    ----------
    name, expected, source, family
        As in :class:`bionet.compare.question.Contestant`.
    learner : transformer
        Such as ``RBM`` or ``SoftHebb``, not yet fitted; its ``transform(X, alive)`` reads its ``weights_``.
    levels : int, optional
        Give each pixel to the learner as so many bits (:func:`bionet.coding.thermometer`) instead of a grey level.
    """

    def __init__(
        self,
        name: str,
        expected: tuple[float, float],
        source: str,
        family: str,
        learner: Any,
        levels: int | None = None,
    ) -> None:
        super().__init__(name, expected, source)
        self.family, self.learner, self.levels = family, learner, levels

    def fit(self, question: Question, progress: Progress) -> Self:
        """Learn the features from the digits alone, then the read-out from their labels."""
        X = self._coded(question.X_train)
        self.learner.fit(X, progress=progress)
        self._readout = _Readout(self.learner.transform(X), question.y_train)
        self.weights = {"features": self.learner.weights_, "readout": self._readout.weights}
        self.n_units, self.labels_used = self.learner.n_components, question.y_train.size
        self.samples_seen = self.labels_used * self.learner.n_iter + self._readout.samples_seen
        return self

    def decide(self, X: Pictures, weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Compute the features, and read them."""
        weights, learner = weights or self.weights, copy(self.learner)
        learner.weights_ = weights["features"]
        labels = self._readout.labels(learner.transform(self._coded(X), alive=alive), weights["readout"])
        return Decision.at_once(labels, 2, sum(each.size for each in weights.values()))

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return the receptive fields, summed over the bits of a pixel."""
        weights = self.learner.weights_
        return {"fields": _fields(weights.reshape(question.X_train.shape[1], -1, self.n_units).sum(axis=1), question)}

    def _coded(self, X: Pictures) -> Pictures:
        return X if self.levels is None else (thermometer(X, self.levels) + 1) / 2


class Associative(Contestant):
    """A Hopfield network that completes a digit with its class units. Its lesion removes pixels.

    Parameters
    ----------
    name, expected, source
        As in :class:`bionet.compare.question.Contestant`.
    learner : AssociativeClassifier
        Not yet fitted.
    """

    family = "energy"

    def __init__(self, name: str, expected: tuple[float, float], source: str, learner: AssociativeClassifier) -> None:
        super().__init__(name, expected, source)
        self.learner = learner

    def fit(self, question: Question, progress: Progress) -> Self:
        """Store the prototypes of the training digits."""
        self.learner.fit(question.X_train, question.y_train)
        self.weights, self.n_units = {"memory": self.learner.weights_}, question.X_train.shape[1]
        self.samples_seen = self.labels_used = question.y_train.size
        return self

    def decide(self, X: Pictures, weights: Weights | None = None, alive: Alive = None) -> Decision:
        """Settle; a sweep adds up, for each unit that is free in it, the states of all the others."""
        pixels = None if alive is None else alive.repeat(self.learner.levels)
        found = self.learner.recall(X, (weights or self.weights)["memory"], pixels)
        n_units = len(self.weights["memory"])
        n_class_units = n_units - self.n_units * self.learner.levels
        sweep = np.arange(1, len(found.labels) + 1)[:, None]
        held, freed = np.minimum(sweep, found.held), np.clip(sweep - found.held, 0, found.sweeps - found.held)
        events = (n_units - 1.0) * (n_class_units * held + n_units * freed)
        return Decision(sweep[:, 0].astype(float), "sweep", found.labels, np.zeros_like(events), events)

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return what digits are settled to, and the first of the prototypes that were stored for each class."""
        _, first = np.unique(self.learner.prototype_labels_, return_index=True)
        given = question.X_test[:12]
        settled = self.learner.recall(given).pictures
        stages = np.stack([given, settled]).reshape(2, len(given), *question.shape)
        picture = (("stage", "digit", "row", "column"), stages, _about("grey level"))
        stage = ("stage", ["as given", "as settled"], _about("stage of recall"))
        return {
            "recall": xr.Dataset({"picture": picture}, {"stage": stage}),
            "fields": _fields(self.learner.prototypes_[first].T, question),
        }


class _Readout:
    """Multinomial logistic regression, with weights that can be replaced.

    Its C is the one of 0.1, 1, 10 and 100 that does best in three-fold cross-validation on what it is given.
    """

    def __init__(self, X: Pictures, y: NDArray[np.int64]) -> None:
        search = GridSearchCV(LogisticRegression(max_iter=5000), {"C": [0.1, 1.0, 10.0, 100.0]}, cv=3)
        fitted = search.fit(X, y).best_estimator_
        self.weights, self._bias = fitted.coef_.T, fitted.intercept_
        self.samples_seen = y.size * int(fitted.n_iter_.max())

    def labels(self, X: Pictures, weights: NDArray[np.floating]) -> NDArray[np.int64]:
        return (X @ weights + self._bias).argmax(axis=1)


def _about(long_name: str, units: str = "1") -> dict[str, str]:
    return {"units": units, "long_name": long_name}


def _fields(weights: NDArray[np.floating], question: Question) -> xr.Dataset:
    """Show the weights onto each unit, (n_features, n_units), as pictures."""
    return _pictures(weights.T.reshape(-1, *question.shape))


def _pictures(pictures: NDArray[np.floating]) -> xr.Dataset:
    return xr.Dataset({"field": (("unit", "row", "column"), pictures.astype(float), _about("receptive field"))})


def _learning(history: dict[str, NDArray[np.float64]], units: dict[str, str]) -> xr.Dataset:
    epochs = np.arange(1, len(next(iter(history.values()))) + 1)
    values = {name: ("epoch", each, _about(name, units[name])) for name, each in history.items()}
    return xr.Dataset(values, {"epoch": ("epoch", epochs, _about("epoch"))})


def _raster(response: Any, duration: float, question: Question) -> xr.Dataset:
    """Put the recorded spikes of several digits, each shown for ``duration`` [s], into one row of time."""
    t = response.t + response.sample * duration
    order = np.argsort(t, kind="stable")
    spikes = {
        "t": ("spike", t[order], _about("time of the spike", "s")),
        "i": ("spike", response.i[order], _about("neuron")),
    }
    digits = " ".join(map(str, question.y_test[:N_RASTER]))
    return xr.Dataset(spikes, attrs={"digits": digits, "duration": duration})
