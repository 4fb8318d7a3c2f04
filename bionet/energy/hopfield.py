"""Hopfield's network: patterns stored as the valleys of an energy (Hopfield 1982)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from bionet.errors import InputError, suggest
from bionet.kernels.cpu.hopfield import settle
from bionet.random import Stream

Floats = NDArray[np.float64]
States = NDArray[np.int8]


def hebb(patterns: Floats) -> Floats:
    r"""Return Hebb's weights with their diagonal, :math:`J = X^\top X / N`.

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1.

    References
    ----------
    J. J. Hopfield, "Neural networks and physical systems with emergent collective computational abilities",
    PNAS 79 (1982).

    Examples
    --------
    >>> hebb(np.array([[1.0, -1.0]])).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    return patterns.T @ patterns / patterns.shape[1]


def storkey(patterns: Floats) -> Floats:
    r"""Return Storkey's weights with their diagonal; patterns are learnt one after the other.

    .. math:: J_{ij} \mathrel{+}= (x_i x_j - x_i h_{ji} - h_{ij} x_j) / N, \quad h_{ij} = \sum_{k \ne i,j} J_{ik} x_k

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1.

    Notes
    -----
    With :math:`x_j^2 = 1` the three terms are two outer products and a multiple of J itself, so that one pattern
    costs :math:`N^2` operations. A pattern learnt a second time is unlearnt, all but 4/N of it; so patterns that have
    much in common, as pictures do, undo each other, and :func:`pseudo_inverse` is the rule for those.

    References
    ----------
    A. Storkey, "Increasing the capacity of a Hopfield network without sacrificing functionality", ICANN (1997).

    Examples
    --------
    >>> storkey(np.array([[1.0, -1.0]])).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    n_units = patterns.shape[1]
    weights = np.zeros((n_units, n_units))
    for x in patterns:
        diagonal = weights.diagonal().copy()
        field = weights @ x - diagonal * x
        cross = np.outer(field, x)
        weights += (np.outer(x, x) - cross - cross.T + 2.0 * weights - 2.0 * np.diag(diagonal)) / n_units
    return weights


def pseudo_inverse(patterns: Floats) -> Floats:
    r"""Return the projector on the space of the patterns, :math:`J = X^+ X`, with its diagonal.

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1.

    Notes
    -----
    Every pattern is stable as long as the patterns do not span the whole space, however correlated they are. The
    pictures that are recalled well from noise are fewer than half as many as there are units.

    References
    ----------
    L. Personnaz, I. Guyon, G. Dreyfus, "Collective computational properties of neural networks: new learning
    mechanisms", Phys. Rev. A 34 (1986).

    Examples
    --------
    >>> pseudo_inverse(np.array([[1.0, -1.0], [1.0, -1.0]])).round(12).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    weights = np.linalg.pinv(patterns) @ patterns
    return (weights + weights.T) / 2


RULES = {"hebb": hebb, "storkey": storkey, "pseudo-inverse": pseudo_inverse}


def energy(states: ArrayLike, weights: Floats, bias: Floats | float = 0.0) -> Floats:
    r"""Return :math:`E(s) = -s^\top J s / 2 - b^\top s` of each state, dimensionless.

    Parameters
    ----------
    states : array, shape (..., n_units)
        -1 or +1.
    weights : float array, shape (n_units, n_units)
        Symmetric.
    bias : float array, shape (n_units,), or float

    Examples
    --------
    >>> energy([[1, 1], [1, -1]], np.array([[0.0, 0.5], [0.5, 0.0]])).tolist()
    [-0.5, 0.5]
    """
    s = np.asarray(states, dtype=np.float64)
    return -(s * (0.5 * (s @ weights) + bias)).sum(axis=-1)


@dataclass(frozen=True)
class Recall:
    """What recall ended with.

    Attributes
    ----------
    states : int8 array, shape (n_samples, n_units)
        The last states.
    sweeps : int64 array, shape (n_samples,)
        Sweeps made, the last one, which changed nothing, included.
    energy : float array, shape (n_samples,)
        Of the last states, dimensionless.
    settled : bool array, shape (n_samples,)
        Whether a sweep changed nothing; False where the sweeps ran out first.
    trajectory : int8 array, shape (n_sweeps + 1, n_samples, n_units), or None
        The states at the start and after each sweep; what has settled stays.
    """

    states: States
    sweeps: NDArray[np.int64]
    energy: Floats
    settled: NDArray[np.bool_]
    trajectory: States | None = None


def recall(
    states: ArrayLike,
    weights: Floats,
    bias: Floats,
    free: NDArray[np.bool_],
    max_sweeps: int,
    stream: Stream,
    record: bool = False,
) -> Recall:
    """Let the free units of each state follow their fields, one at a time, until none wants to change.

    Parameters
    ----------
    states : array, shape (n_samples, n_units)
        -1, +1, or 0 for a unit that is silent.
    weights : float array, shape (n_units, n_units)
        Dimensionless, from the unit of the row to the unit of the column.
    bias : float array, shape (n_units,)
    free : bool array, shape (n_units,)
        The units that may change.
    max_sweeps : int
    stream : Stream
        Draws the order of the units.
    record : bool
        Whether to keep the trajectory.

    Notes
    -----
    A field within rounding of zero counts as zero and keeps the state, so the energy falls with every change. All
    states follow the same orders, so what becomes of one does not depend on the others it is recalled with.

    Examples
    --------
    >>> J = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> recall([[1, -1]], J, np.zeros(2), np.array([False, True]), 9, Stream(0, "order")).states.tolist()
    [[1, 1]]
    """
    ends = np.array(states, dtype=np.int8)
    # A copy, because Numba compiles a second time for arrays that are read-only or not contiguous.
    weights, bias = np.array(weights, dtype=np.float64, order="C"), np.array(bias, dtype=np.float64)
    n_samples, n_units = ends.shape
    trajectory = np.empty((max_sweeps + 1 if record else 0, n_samples, n_units), dtype=np.int8)
    sweeps, settled = np.empty(n_samples, dtype=np.int64), np.empty(n_samples, dtype=np.bool_)
    tie = n_units * np.finfo(float).eps * (np.abs(weights).sum(axis=0) + np.abs(bias)).max()
    key = np.uint64(stream.key)
    settle(ends, weights, bias, np.flatnonzero(free), tie, max_sweeps, key, trajectory, sweeps, settled)
    kept = trajectory[: sweeps.max(initial=0) + 1] if record else None
    return Recall(ends, sweeps, energy(ends, weights, bias), settled, kept)


class Hopfield(BaseEstimator):
    r"""A network of -1/+1 units, each linked to all others, that completes what it has stored.

    .. math:: E(s) = -\tfrac12 s^\top J s - b^\top s, \qquad
              s_i \leftarrow \mathrm{sign}\Big(\sum_j J_{ji} s_j + b_i\Big)

    Parameters
    ----------
    rule : {"hebb", "storkey", "pseudo-inverse"}
        How the weights follow from the patterns: :func:`hebb`, :func:`storkey`, :func:`pseudo_inverse`.
    diagonal : bool
        Whether a unit keeps its link to itself. It freezes states rather than storing them [2]_.
    seed : int
        Of the order in which units are updated.

    Attributes
    ----------
    weights_ : float array, shape (n_units, n_units)
        Symmetric, dimensionless. Recall leaves them alone.
    bias_ : float array, shape (n_units,)
        Zero; none of the rules sets one.
    patterns_ : int8 array, shape (n_patterns, n_units)
        What was stored.

    Raises
    ------
    InputError
        If the rule is unknown, or patterns or states are not -1 and +1.

    Notes
    -----
    Units are updated one at a time, in a fresh random order each sweep, until a sweep changes nothing; a zero field
    keeps the state. With symmetric weights and no negative diagonal the energy falls with every change.

    Hebb's rule holds about 0.138 N random patterns, with 1.6 % of the bits wrong [1]_; N / (4 ln N) without an error.
    A settled state need not be a stored pattern: the reverse of every pattern is as stable as the pattern, the sign of
    the sum of three patterns is stable at low load, and above the capacity almost no pattern is: :meth:`kind` tells.

    References
    ----------
    .. [1] D. J. Amit, H. Gutfreund, H. Sompolinsky, "Storing infinite numbers of patterns in a spin-glass model of
       neural networks", Phys. Rev. Lett. 55 (1985).
    .. [2] V. Folli, M. Leonetti, G. Ruocco, "On the maximum storage capacity of the Hopfield model",
       Front. Comput. Neurosci. 10 (2017).

    Examples
    --------
    >>> network = Hopfield().fit([[1, 1, 1, -1, -1, -1], [1, -1, 1, -1, 1, -1]])
    >>> network.recall([[-1, 1, 1, -1, -1, -1]]).states.tolist()
    [[1, 1, 1, -1, -1, -1]]
    """

    def __init__(self, rule: str = "hebb", diagonal: bool = False, seed: int = 0) -> None:
        self.rule = rule
        self.diagonal = diagonal
        self.seed = seed

    def fit(self, patterns: ArrayLike, y: None = None) -> Self:
        """Compute the weights from the patterns, shape (n_patterns, n_units), -1 or +1."""
        if self.rule not in RULES:
            raise InputError(f"Hopfield.rule: got {self.rule!r}{suggest(str(self.rule), RULES)}")
        self.patterns_ = _signs("patterns", patterns)
        self.weights_ = RULES[self.rule](self.patterns_.astype(np.float64))
        self.bias_ = np.zeros(len(self.weights_))
        if not self.diagonal:
            np.fill_diagonal(self.weights_, 0.0)
        return self

    def recall(
        self,
        states: ArrayLike,
        clamp: ArrayLike | None = None,
        max_sweeps: int = 100,
        record: bool = False,
    ) -> Recall:
        """Let states settle.

        Parameters
        ----------
        states : array, shape (n_samples, n_units)
            Where to start, -1 or +1.
        clamp : bool array, shape (n_units,), optional
            The units that are held as they are.
        max_sweeps : int
            Stop after so many sweeps even if units still change.
        record : bool
            Whether to keep the states after each sweep: ``trajectory``.
        """
        start = self._states(states)
        held = np.zeros(start.shape[1], dtype=bool) if clamp is None else np.asarray(clamp)
        if held.dtype != bool or held.shape != (start.shape[1],):
            raise InputError(
                f"Hopfield.clamp: got {held.dtype} of shape {held.shape}; "
                f"expected one bool for each of the {start.shape[1]} units"
            )
        if max_sweeps < 1:
            raise InputError(f"Hopfield.max_sweeps: got {max_sweeps}; expected a whole number above 0, such as 100")
        stream = Stream(self.seed, "hopfield/order")
        return recall(start, self.weights_, self.bias_, ~held, max_sweeps, stream, record)

    def energy(self, states: ArrayLike) -> Floats:
        """Return the energy of each state, dimensionless, shape (n_samples,)."""
        return energy(self._states(states), self.weights_, self.bias_)

    def field(self, states: ArrayLike) -> Floats:
        """Return the field on every unit, dimensionless, shape (n_samples, n_units)."""
        return self._states(states) @ self.weights_ + self.bias_

    def overlap(self, states: ArrayLike) -> Floats:
        """Return m = s'x / N of each state with each stored pattern, shape (n_samples, n_patterns)."""
        s = self._states(states)
        return s @ self.patterns_.T.astype(np.float64) / s.shape[1]

    def kind(self, states: ArrayLike) -> NDArray[np.str_]:
        """Say what each state is: ``"stored"``, ``"reversed"``, ``"mixture"`` or ``"other"``.

        Notes
        -----
        Stored or reversed when an overlap passes 0.9 in size; a mixture when three overlaps pass 0.4.
        """
        overlap = self.overlap(states)
        mixture = (np.abs(overlap) > 0.4).sum(axis=1) >= 3
        cases = [overlap.max(axis=1) > 0.9, overlap.min(axis=1) < -0.9, mixture]
        return np.select(cases, ["stored", "reversed", "mixture"], "other")

    def _states(self, states: ArrayLike) -> States:
        check_is_fitted(self)
        array = _signs("states", states)
        if array.shape[1] != len(self.weights_):
            raise InputError(f"Hopfield.states: got {array.shape[1]} units; the network has {len(self.weights_)}")
        return array


def _signs(name: str, values: ArrayLike) -> States:
    """Return a table of -1 and +1 as int8, or say what is wrong with it."""
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"Hopfield.{name}: got shape {array.shape}; expected (n_samples, n_units)")
    if not np.all((array == 1) | (array == -1)):
        raise InputError(f"Hopfield.{name}: got other values than -1 and +1; expected those, such as 2 * bits - 1")
    return array.astype(np.int8)
