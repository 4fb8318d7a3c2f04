"""A Hopfield network that names what it sees: pixel units and class units in one memory."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.coding import from_thermometer, thermometer
from bionet.energy.hopfield import Hopfield, recall
from bionet.energy.inputs import check_device
from bionet.energy.storage import Stored
from bionet.errors import InputError
from bionet.random import Stream

Floats = NDArray[np.float64]
MAX_SWEEPS = 100


class Association(NamedTuple):
    """What a picture called up.

    Attributes
    ----------
    labels : array, shape (n_sweeps, n_samples)
        The class named after each sweep; after a sample's last sweep it stays.
    sweeps : int64 array, shape (n_samples,)
        Sweeps made in both stages, the last ones, which changed nothing, included.
    held : int64 array, shape (n_samples,)
        Those of the first stage, in which the class units alone were free.
    pictures : float array, shape (n_samples, n_features)
        What the pixel units settled to, in [0, 1].
    """

    labels: NDArray
    sweeps: NDArray[np.int64]
    held: NDArray[np.int64]
    pictures: Floats


class AssociativeClassifier(Stored, ClassifierMixin, BaseEstimator):
    r"""A Hopfield network that stores labelled prototypes and completes a picture with its label.

    A pattern is a prototype in a thermometer code beside its class in a block code: the units of its own class are
    +1, those of the others -1. Recall has two stages: the pixel units are held at the picture while the class units,
    silent at first, settle; then every unit is free and the network settles to what it remembers. The class named is
    the one whose units receive the largest summed field, the first of equals.

    Parameters
    ----------
    rule : {"hebb", "storkey", "pseudo-inverse"}
        How the weights follow from the patterns, as in :class:`bionet.energy.Hopfield`.
    levels : int
        Pixel units for each feature.
    n_prototypes : int
        Prototypes for each class, the centres k-means finds among its training samples.
    n_class_units : int
        Units for each class.
    device : {"cpu"}
        There is no way yet to run on a GPU.
    seed : int
        Of k-means and of the order of updates.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
    prototypes_ : float array, shape (n_patterns, n_features)
        In [0, 1].
    prototype_labels_ : array, shape (n_patterns,)
    weights_ : float array, shape (n_units, n_units)
        Dimensionless, symmetric, zero diagonal; ``n_features * levels`` pixel units first, then the class units.

    Raises
    ------
    InputError
        If a parameter is out of range, or X does not lie in [0, 1].

    Notes
    -----
    Pictures have much in common, and that is all that Hebb's rule keeps of them: whatever the picture, the network
    settles to the same mixture of all patterns. Storkey's rule unlearns what patterns share, and fails as well. The
    pseudo-inverse makes every prototype stable as long as there are fewer of them than units; what limits it is
    the width of the valleys. No memory of these prototypes can be expected to beat the nearest of them.

    References
    ----------
    L. Personnaz, I. Guyon, G. Dreyfus, "Collective computational properties of neural networks: new learning
    mechanisms", Phys. Rev. A 34 (1986).

    Examples
    --------
    >>> X = np.eye(3).repeat(4, axis=1)
    >>> AssociativeClassifier(levels=2, n_prototypes=1).fit(X, ["a", "b", "c"]).predict(0.8 * X).tolist()
    ['a', 'b', 'c']
    """

    def __init__(
        self,
        rule: str = "pseudo-inverse",
        levels: int = 16,
        n_prototypes: int = 8,
        n_class_units: int = 4,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.rule = rule
        self.levels = levels
        self.n_prototypes = n_prototypes
        self.n_class_units = n_class_units
        self.device = device
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Store prototypes of X, shape (n_samples, n_features), in [0, 1], with their labels y."""
        for name, example in {"levels": 16, "n_prototypes": 8, "n_class_units": 4}.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise InputError(
                    f"AssociativeClassifier.{name}: got {value!r}; expected a whole number above 0, such as {example}"
                )
        check_device(self, self.device)
        pictures, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, which = np.unique(labels, return_inverse=True)
        centres = [self._prototypes(pictures[which == k]) for k in range(len(self.classes_))]
        owner = np.repeat(np.arange(len(centres)), [len(each) for each in centres])
        self.prototypes_, self.prototype_labels_ = np.concatenate(centres), self.classes_[owner]
        block = np.where(np.eye(len(self.classes_)), 1.0, -1.0).repeat(self.n_class_units, axis=1)
        patterns = np.concatenate([self._pixels(self.prototypes_), block[owner]], axis=1)
        self.weights_ = Hopfield(rule=self.rule).fit(patterns).weights_
        return self

    def recall(self, X: ArrayLike, weights: Floats | None = None, alive: ArrayLike | None = None) -> Association:
        """Show pictures, and let the network settle.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            In [0, 1].
        weights : float array, shape (n_units, n_units), optional
            Used instead of ``weights_``: damaged or rounded ones.
        alive : bool array, shape (n_features * levels,), optional
            The pixel units that work; the others are silent, contribute nothing, and are dark in the pictures.
        """
        check_is_fitted(self)
        pixels = self._pixels(validate_data(self, X, reset=False, dtype=np.float64))
        weights = self.weights_ if weights is None else self._expect("weights", weights, self.weights_.shape, float)
        n_pixels = pixels.shape[1]
        alive = np.ones(n_pixels, dtype=bool) if alive is None else self._expect("alive", alive, (n_pixels,), bool)
        working = np.concatenate([alive, np.ones(len(weights) - n_pixels, dtype=bool)])
        states = np.concatenate([pixels * alive, np.zeros((len(pixels), len(weights) - n_pixels))], axis=1)
        bias, order = np.zeros(len(weights)), Stream(self.seed, "associative/order")
        free = working & (np.arange(len(weights)) >= n_pixels)
        held = recall(states, weights, bias, free, MAX_SWEEPS, order.child("held"), record=True)
        freed = recall(held.states, weights, bias, working, MAX_SWEEPS, order.child("freed"), record=True)
        first, second = (self._name(stage.trajectory[1:], weights, n_pixels) for stage in (held, freed))  # type: ignore[index]
        sweeps = held.sweeps + freed.sweeps
        pictures = from_thermometer(freed.states[:, :n_pixels], self.levels)
        named = self.classes_[_one_after_the_other(first, second, held.sweeps, sweeps)]
        return Association(named, sweeps, held.sweeps, pictures)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each row of X that the network names when it has settled."""
        return self.recall(X).labels[-1]

    def _prototypes(self, X: Floats) -> Floats:
        n_clusters = min(self.n_prototypes, len(np.unique(X, axis=0)))
        seed = Stream(self.seed, "associative/prototypes").key % 2**32
        return np.clip(KMeans(n_clusters, n_init=3, random_state=seed).fit(X).cluster_centers_, X.min(), X.max())

    def _pixels(self, X: Floats) -> Floats:
        return thermometer(X, self.levels)

    def _name(self, trajectory: NDArray[np.int8], weights: Floats, n_pixels: int) -> NDArray[np.intp]:
        """Return the place of the class with the largest summed field, shape (n_sweeps, n_samples)."""
        towards = weights[:, n_pixels:].reshape(len(weights), len(self.classes_), -1).sum(axis=2)
        return np.array([(states @ towards).argmax(axis=1) for states in trajectory])

    def _expect(self, name: str, value: ArrayLike, shape: tuple[int, ...], kind: type) -> NDArray:
        array = np.asarray(value)
        if array.shape != shape or not np.can_cast(array.dtype, kind):
            raise InputError(
                f"AssociativeClassifier.{name}: got {array.dtype} of shape {array.shape}; "
                f"expected {kind.__name__} of shape {shape}"
            )
        return array


def _one_after_the_other(
    held: NDArray[np.intp], freed: NDArray[np.intp], turn: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Join two stages, shape (n_sweeps, n_samples) each; a sample goes from one to the other at its own ``turn``."""
    sweep = np.arange(end.max())[:, None]
    first = np.take_along_axis(held, np.minimum(sweep, len(held) - 1) + 0 * turn, axis=0)
    second = np.take_along_axis(freed, np.clip(sweep - turn, 0, len(freed) - 1), axis=0)
    return np.where(sweep < turn, first, second)
