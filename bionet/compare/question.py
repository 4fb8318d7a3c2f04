"""One question, those who answer it, and what an answer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bionet import datasets
from bionet.errors import InputError
from bionet.progress import Progress

Weights = dict[str, NDArray[Any]]
"""The learned connections of a contestant by name, each array (pre, post) or as its room has it."""


@dataclass(frozen=True)
class Question:
    """A classification task with a fixed split: all contestants are given exactly these arrays.

    Attributes
    ----------
    X_train, X_test : array, shape (n_samples, n_features)
        Inputs from 0 to 1, dimensionless.
    y_train, y_test : array of int, shape (n_samples,)
        Class labels 0 to n_classes - 1.
    shape : tuple of int
        The picture's height and width; their product is n_features.
    """

    X_train: NDArray[np.float64]
    y_train: NDArray[np.int64]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.int64]
    shape: tuple[int, int]

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return int(self.y_train.max()) + 1


def digits(seed: int, test_fraction: float = 0.2, n_train: int | None = None, n_test: int | None = None) -> Question:
    """Ask who wrote which digit: scikit-learn's 1,797 real handwritten digits, 8 x 8 pixels.

    Parameters
    ----------
    seed : int
        Decides the split; stratified by class.
    test_fraction : float
        The part held out, dimensionless.
    n_train, n_test : int, optional
        Keep only so many of each part, for quick runs.

    Raises
    ------
    InputError
        If more samples are asked for than there are.

    Examples
    --------
    >>> digits(seed=0).X_test.shape
    (360, 64)
    """
    data = datasets.load("digits")
    X, y = data["X"].values.astype(float), data["y"].values.astype(int)
    train, test = datasets.split(y, test_fraction, seed)
    for name, asked, there in (("n_train", n_train, train.size), ("n_test", n_test, test.size)):
        if asked is not None and not 1 <= asked <= there:
            raise InputError(f"digits.{name}: got {asked}; expected 1 to {there}, with test_fraction={test_fraction}")
    train, test = train[:n_train], test[:n_test]
    return Question(X[train], y[train], X[test], y[test], shape=(8, 8))


@dataclass(frozen=True)
class Decision:
    """What a contestant answered, how the answer came about, and what it took.

    Attributes
    ----------
    times : array, shape (n_times,)
        When the running answers below were read off, in ``unit``.
    unit : {"s", "sweep", "layer"}
        Biological seconds of a spiking network, sweeps of a settling one, layers of a feed-forward one.
    answers : array of int, shape (n_times, n_samples)
        The label that would be given at each time.
    multiply_accumulates : array, shape (n_times, n_samples)
        Multiply-accumulates spent until then, dimensionless.
    events : array, shape (n_times, n_samples)
        Synaptic events (a spike or a flipped unit meeting a connection: one addition) until then, dimensionless.
    spikes : array, shape (n_times, n_samples), or None
        Spikes fired until then; None where nothing spikes.
    """

    times: NDArray[np.float64]
    unit: Literal["s", "sweep", "layer"]
    answers: NDArray[np.int64]
    multiply_accumulates: NDArray[Any]
    events: NDArray[Any]
    spikes: NDArray[Any] | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """The final answers, shape (n_samples,)."""
        return self.answers[-1]

    @classmethod
    def at_once(cls, labels: NDArray[np.int64], n_layers: int, multiply_accumulates: float) -> Decision:
        """Describe a feed-forward pass: one answer after ``n_layers`` layers, the same work for every sample."""
        work = np.full((1, labels.size), float(multiply_accumulates))
        return cls(np.array([float(n_layers)]), "layer", labels[None], work, np.zeros_like(work))


class Contestant(ABC):
    """A network that learns a question and then decides; the probes know nothing else of it.

    Parameters
    ----------
    name : str
        A short name, the label of its row.
    expected : tuple of float
        The accuracy, from lowest to highest, that the literature or a stated reason leads one to expect.
    source : str
        That reason.

    Attributes
    ----------
    family : str
        ``"rate"``, ``"spiking"``, ``"energy"``, ``"hebbian"`` or ``"baseline"``.
    weights : dict of str to array
        What :func:`bionet.compare.probes.quantised` rounds; biases and thresholds keep full precision.
    n_units : int
        How many units :func:`bionet.compare.probes.survivors` chooses from.
    samples_seen, labels_used : int
        What learning took.
    """

    family: str
    weights: Weights
    n_units: int
    samples_seen: int
    labels_used: int

    def __init__(self, name: str, expected: tuple[float, float], source: str) -> None:
        self.name, self.expected, self.source = name, expected, source

    @abstractmethod
    def fit(self, question: Question, progress: Progress) -> Contestant:
        """Learn from the training part of the question alone; return self."""

    @abstractmethod
    def decide(
        self, X: NDArray[np.float64], weights: Weights | None = None, alive: NDArray[np.bool_] | None = None
    ) -> Decision:
        """Classify ``X`` (n_samples, n_features), with other weights or with dead units where given.

        ``alive`` has ``n_units`` entries; a dead unit is silent, and nothing is learned anew.
        """

    def records(self, question: Question) -> dict[str, xr.Dataset]:
        """Return what else is worth keeping, by group of the result: ``fields``, ``learning``, ``spikes``, ``recall``.

        ``fields`` holds ``field`` (unit, row, column): what a unit is driven by, in its own scale.
        """
        return {}
