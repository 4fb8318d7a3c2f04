"""Equilibrium propagation: a layered energy settles twice, and the difference of two local products is the gradient."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.energy.inputs import check_choice, check_device, check_number, check_table, check_whole
from bionet.energy.storage import Stored, draft
from bionet.errors import BionetError, InputError
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[np.float64]
Layers = list[Floats]
NUDGES = ("symmetric", "one-sided", "contrastive")


class Activation(NamedTuple):
    """How a unit's output r follows from its state s.

    Attributes
    ----------
    output, slope : callable
        r(s), and its derivative.
    low, high : float
        Where states are kept.
    """

    output: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    low: float
    high: float


ACTIVATIONS = {
    "hard sigmoid": Activation(lambda s: s, np.ones_like, 0.0, 1.0),
    "tanh": Activation(np.tanh, lambda s: 1.0 / np.cosh(s) ** 2, -np.inf, np.inf),
}
"""Of hidden units. The hard sigmoid keeps states between 0 and 1, where the output is the state itself."""
LINEAR = Activation(lambda s: s, np.ones_like, -np.inf, np.inf)
"""Of the last layer: an output at the end of a range could not be nudged."""


class Gradient(NamedTuple):
    """What each layer's weights and biases are to be moved by, to lower the cost.

    Attributes
    ----------
    weights, biases : lists of float arrays
        From the input on.
    """

    weights: Layers
    biases: Layers


class EquilibriumPropagation(Stored, ClassifierMixin, BaseEstimator):
    r"""A layered Hopfield network of graded units that learns to classify by being nudged towards the answer.

    .. math:: E = \tfrac12 \sum_l |s_l|^2 - \sum_l r_{l-1}^\top W_l r_l - \sum_l b_l^\top r_l, \quad r_l = \rho(s_l),
              \quad r_0 = x, \quad r_L = s_L, \qquad C = \tfrac12 |s_L - y|^2

    Shown x, the network settles at a minimum of E; nudged, at one of :math:`E + \beta C`. The gradient of the cost is
    a difference of the local products :math:`r_{l-1} r_l^\top` at two rests:

    .. math:: -\frac{dC}{dW_l} = \lim_{\beta \to 0}
              \frac{[r_{l-1} r_l^\top]_{\beta} - [r_{l-1} r_l^\top]_{-\beta}}{2\beta}

    Parameters
    ----------
    hidden : tuple of int
        Units of each hidden layer.
    activation : {"hard sigmoid", "tanh"}
    nudging : {"symmetric", "one-sided", "contrastive"}
        Towards and away from the answer, off by beta squared [2]_; towards it against free, off by beta [1]_; outputs
        held at the answer against free: contrastive Hebbian learning [3]_, whose limit of infinite beta that is.
    beta : float
        Strength of the nudge, dimensionless.
    n_steps, n_nudged_steps : int
        Steps of gradient descent on the energy, without and with the nudge.
    step : float
        Their size, in units of the time constant.
    learning_rate : float
    batch_size, n_epochs : int
    device : {"cpu"}
        There is no way yet to run on a GPU.
    seed : int
        Of weights and order of samples.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
    weights_, biases_ : lists of float arrays
        From the input on, ``weights_[l]`` of shape (units before, units after).
    n_iter_ : int
        Epochs made.
    history_ : dict of float arrays, shape (n_epochs,)
        ``"cost"``: mean cost at the free rest while learning.

    Raises
    ------
    InputError
        If a parameter is out of range.
    BionetError
        If the rate is too high and the weights diverge.

    References
    ----------
    .. [1] B. Scellier, Y. Bengio, "Equilibrium propagation: bridging the gap between energy-based models and
       backpropagation", Front. Comput. Neurosci. 11 (2017).
    .. [2] A. Laborieux et al., "Scaling equilibrium propagation to deep ConvNets by drastically reducing its gradient
       estimator bias", Front. Neurosci. 15 (2021).
    .. [3] J. R. Movellan, "Contrastive Hebbian learning in the continuous Hopfield model", Connectionist Models (1991).

    Notes
    -----
    The network is at rest only for weights whose feedback is not too strong, and away from the answer only for a
    ``beta`` well below 1: pushed harder, the outputs run away.

    Examples
    --------
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]] * 10
    >>> EquilibriumPropagation((16,), n_epochs=100).fit(X, [0, 1, 1, 0] * 10).predict(X[:4]).tolist()
    [0, 1, 1, 0]
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (100,),
        activation: str = "hard sigmoid",
        nudging: str = "symmetric",
        beta: float = 0.1,
        n_steps: int = 20,
        n_nudged_steps: int = 8,
        step: float = 0.5,
        learning_rate: float = 0.1,
        batch_size: int = 20,
        n_epochs: int = 30,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.nudging = nudging
        self.beta = beta
        self.n_steps = n_steps
        self.n_nudged_steps = n_nudged_steps
        self.step = step
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.device = device
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress | None = None) -> Self:
        """Learn from X, shape (n_samples, n_features), and its labels y."""
        self._check()
        samples, names = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(names)
        self.classes_ = np.unique(names)
        if len(self.classes_) < 2:
            raise InputError(f"EquilibriumPropagation.y: got one class, {self.classes_[0]!r}; expected two or more")
        self._start(samples.shape[1], len(self.classes_))
        self.n_iter_, self.history_ = 0, {"cost": np.empty(0)}
        return self._go_on(samples, names, progress)

    def resume(self, X: ArrayLike, y: ArrayLike, progress: Progress | None = None) -> Self:
        """Go on with a :meth:`fit` to the same X and y after its last whole epoch, or with a raised ``n_epochs``."""
        check_is_fitted(self)
        self._check()
        samples, names = validate_data(self, X, y, reset=False, dtype=np.float64)
        return self._go_on(samples, names, progress)

    def _go_on(self, X: Floats, y: NDArray, progress: Progress | None) -> Self:
        order, target = Stream(self.seed, "equilibrium/order"), (y[:, None] == self.classes_).astype(np.float64)
        for epoch in (progress or Progress())(range(self.n_iter_, self.n_epochs), "equilibrium propagation"):
            with draft(self) as network:
                cost = network._climb(X, target, order.permutation(len(X), epoch))
                if not all(np.abs(each).max() < 1e6 for each in network.weights_):
                    raise BionetError(
                        f"EquilibriumPropagation.learning_rate: got {self.learning_rate:g}; the weights diverged in "
                        f"epoch {epoch + 1}; use a smaller rate"
                    )
                network.n_iter_, network.history_ = epoch + 1, {"cost": np.append(self.history_["cost"], cost)}
        return self

    def _climb(self, X: Floats, target: Floats, order: NDArray[np.intp]) -> float:
        """Make one pass through the samples; return their mean cost at the free rest."""
        cost = 0.0
        for start in range(0, len(X), self.batch_size):
            rows = order[start : start + self.batch_size]
            free = self.settle(X[rows])
            cost += 0.5 * ((self._outputs(free)[-1] - target[rows]) ** 2).sum() / len(X)
            gradient = self.gradient(X[rows], target[rows], free)
            for parameters, moves in zip((self.weights_, self.biases_), gradient, strict=True):
                for each, move in zip(parameters, moves, strict=True):
                    each += self.learning_rate * move
        return cost

    def settle(
        self,
        X: Floats,
        target: Floats | None = None,
        beta: float = 0.0,
        start: Layers | None = None,
        n_steps: int | None = None,
        tol: float = 0.0,
    ) -> Layers:
        """Return the states of all layers but the input after gradient descent on E + beta C.

        Parameters
        ----------
        X : float array, shape (n_samples, n_features)
        target : float array, shape (n_samples, n_outputs), optional
            What the outputs are nudged towards.
        beta : float
            Strength of the nudge; below 0 away from the target; infinite to hold the outputs there.
        start : list of float arrays, optional
            States to start from; by default 0.
        n_steps : int, optional
        tol : float
            Stop when no state moves by more than this in a step.
        """
        kinds = self._kinds()
        s = [np.zeros((len(X), b.size)) for b in self.biases_] if start is None else [each.copy() for each in start]
        if target is not None and np.isinf(beta):
            s[-1] = np.array(target, dtype=np.float64)
        for _ in range(self.n_steps if n_steps is None else n_steps):
            moved, r = 0.0, [X, *self._outputs(s)]
            # Every second layer at once, so that each sees its neighbours as they are.
            for layers in (range(0, len(s), 2), range(1, len(s), 2)):
                for k in layers:
                    if k == len(s) - 1 and np.isinf(beta):
                        continue
                    pull = r[k] @ self.weights_[k] + self.biases_[k]
                    if k + 1 < len(s):
                        pull += r[k + 2] @ self.weights_[k + 1].T
                    elif target is not None and beta != 0:
                        pull += beta * (target - r[k + 1])
                    how = kinds[k]
                    after = s[k] + self.step * (how.slope(s[k]) * pull - s[k])
                    after = np.clip(after, how.low, how.high)
                    moved = max(moved, float(np.abs(after - s[k]).max()))
                    s[k], r[k + 1] = after, how.output(after)
            if moved <= tol:
                break
        return s

    def gradient(
        self, X: Floats, target: Floats, free: Layers, n_steps: int | None = None, tol: float = 0.0
    ) -> Gradient:
        """Return minus the gradient of the mean cost, as the nudge estimates it.

        Parameters
        ----------
        X : float array, shape (n_samples, n_features)
        target : float array, shape (n_samples, n_outputs)
        free : list of float arrays
            The states at the free rest, where both nudges start.
        n_steps : int, optional
        tol : float
            As of :meth:`settle`.
        """
        n_steps = self.n_nudged_steps if n_steps is None else n_steps
        beta = np.inf if self.nudging == "contrastive" else self.beta
        near = self.settle(X, target, beta, free, n_steps, tol)
        far = self.settle(X, target, -beta, free, n_steps, tol) if self.nudging == "symmetric" else free
        scale = {"symmetric": 2 * self.beta, "one-sided": self.beta, "contrastive": 1.0}[self.nudging] * len(X)
        a, b = [X, *self._outputs(near)], [X, *self._outputs(far)]
        weights = [(a[k].T @ a[k + 1] - b[k].T @ b[k + 1]) / scale for k in range(len(self.weights_))]
        return Gradient(weights, [(a[k + 1] - b[k + 1]).sum(axis=0) / scale for k in range(len(self.biases_))])

    def energy(self, X: ArrayLike, states: Layers) -> Floats:
        """Return E of each sample with the layers in the given states, shape (n_samples,)."""
        check_is_fitted(self)
        r = [np.asarray(X, dtype=np.float64), *self._outputs(states)]
        inside = sum((s**2).sum(axis=1) for s in states) / 2
        links = sum(((r[k] @ w + b) * r[k + 1]).sum(axis=1) for k, (w, b) in enumerate(self._layers()))
        return inside - links

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return the outputs at the free rest, shape (n_samples, n_classes); for two classes their difference."""
        outputs = self._answer(X)
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class whose output is largest."""
        best = self._answer(X).argmax(axis=1)
        return self.classes_[best]

    def _answer(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        return self._outputs(self.settle(np.asarray(check_table(self, "X", X), dtype=np.float64)))[-1]

    def _outputs(self, states: Layers) -> Layers:
        return [how.output(each) for how, each in zip(self._kinds(), states, strict=True)]

    def _kinds(self) -> list[Activation]:
        return [ACTIVATIONS[self.activation]] * len(self.hidden) + [LINEAR]

    def _layers(self) -> list[tuple[Floats, Floats]]:
        return list(zip(self.weights_, self.biases_, strict=True))

    def _start(self, n_inputs: int, n_outputs: int) -> None:
        """Glorot's uniform law (2010), at half the size where feedback comes back: there its square must be below 1."""
        sizes, draws = [n_inputs, *self.hidden, n_outputs], Stream(self.seed, "equilibrium/weights")
        self.weights_ = [
            (1.0 if k == 0 else 0.5) * np.sqrt(6 / (n + m)) * (2 * draws.uniform((n, m), k) - 1)
            for k, (n, m) in enumerate(pairwise(sizes))
        ]
        self.biases_ = [np.zeros(m) for m in sizes[1:]]

    def _check(self) -> None:
        for size in self.hidden:
            check_whole(self, 100, hidden=size)
        check_choice(self, ACTIVATIONS, activation=self.activation)
        check_choice(self, NUDGES, nudging=self.nudging)
        check_device(self, self.device)
        check_number(self, 0.5, beta=self.beta, step=self.step, learning_rate=self.learning_rate)
        whole = {"n_steps": self.n_steps, "n_nudged_steps": self.n_nudged_steps, "batch_size": self.batch_size}
        check_whole(self, 20, n_epochs=self.n_epochs, **whole)
