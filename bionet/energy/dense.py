"""Dense associative memories: a steeper energy holds more patterns than there are units."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from bionet.energy.hopfield import Flow
from bionet.energy.inputs import check_device, check_memory, check_number, check_signs, check_table, check_whole
from bionet.energy.settling import Recall, kinds, overlaps
from bionet.energy.storage import Stored
from bionet.kernels.cpu.hopfield import settle_dense
from bionet.random import Stream

Floats = NDArray[np.float64]
States = NDArray[np.int8]


class DenseMemory(Stored, BaseEstimator):
    r"""A memory of -1/+1 units whose energy is a sum of a steep function of the overlaps.

    .. math:: E(s) = -\sum_\mu F(x^\mu \cdot s), \qquad
              s_i \leftarrow \mathrm{sign}\Big(\sum_\mu F(x_i^\mu + h_i^\mu) - F(-x_i^\mu + h_i^\mu)\Big), \quad
              h_i^\mu = \sum_{j \ne i} x_j^\mu s_j

    Parameters
    ----------
    order : int or "exponential"
        n in :math:`F(k) = (k/N)^n`, 2 or more; 2 is Hopfield's network with Hebb's rule. Or :math:`F(k) = e^k`.
    seed : int
        Of the order in which units are updated.
    device : {"cpu"}
        There is no way yet to run on a GPU.

    Attributes
    ----------
    patterns_ : int8 array, shape (n_patterns, n_units)
        What was stored.

    Raises
    ------
    InputError
        If the order is neither, or patterns or states are not -1 and +1.

    Notes
    -----
    About :math:`N^{n-1} / (2 (2n-3)!! \ln N)` random patterns are held without an error [1]_
    (:func:`bionet.energy.theory.dense_capacity`); with the exponential their number grows as :math:`2^{N/2}` [2]_.
    With an odd order the reverse of a pattern is not stable. A tie keeps the state.

    References
    ----------
    .. [1] D. Krotov, J. J. Hopfield, "Dense associative memory for pattern recognition", NeurIPS (2016).
    .. [2] M. Demircigil, J. Heusel, M. Löwe, S. Upgang, F. Vermet, "On a model of associative memory with huge storage
       capacity", J. Stat. Phys. 168 (2017).

    Examples
    --------
    >>> memory = DenseMemory(order=3).fit([[1, 1, 1, -1, -1, -1], [1, -1, 1, -1, 1, -1]])
    >>> memory.recall([[-1, 1, 1, -1, -1, -1]]).states.tolist()
    [[1, 1, 1, -1, -1, -1]]
    """

    def __init__(self, order: int | str = 3, seed: int = 0, device: str = "cpu") -> None:
        self.order = order
        self.device = device
        self.seed = seed

    def fit(self, patterns: ArrayLike, y: None = None) -> Self:
        """Keep the patterns, shape (n_patterns, n_units), -1 or +1."""
        if self.order != "exponential":
            check_whole(self, 3, least=2, order=self.order)
        check_device(self, self.device)
        self.patterns_ = check_signs(self, "patterns", patterns, reset=True)
        return self

    def recall(self, states: ArrayLike, max_sweeps: int = 100, record: bool = False) -> Recall:
        """Let states settle, one unit at a time, in a fresh random order each sweep.

        Parameters
        ----------
        states : array, shape (n_samples, n_units)
            Where to start, -1 or +1.
        max_sweeps : int
        record : bool
            Whether to keep the states after each sweep: ``trajectory``. Their ``energies`` are kept as well; without
            it, only the last.
        """
        check_whole(self, 100, max_sweeps=max_sweeps)
        ends = np.array(self._states(states), order="C")
        n_samples, n_units = ends.shape
        trajectory = np.empty((max_sweeps + 1 if record else 0, n_samples, n_units), dtype=np.int8)
        sweeps, quiet = np.empty(n_samples, dtype=np.int64), np.empty(n_samples, dtype=np.bool_)
        key, exponential = np.uint64(Stream(self.seed, "dense/order").key), self.order == "exponential"
        patterns = np.array(self.patterns_, order="C")
        settle_dense(ends, patterns, self._gain(), exponential, max_sweeps, key, trajectory, sweeps, quiet)
        kept = trajectory[: sweeps.max() + 1] if record else None
        shown = [ends] if kept is None else list(kept)
        end = Recall(ends, sweeps, np.array([self.energy(each) for each in shown]), quiet.astype(np.int8), kept)
        overlap = self.overlap(ends)
        return replace(end, kind=kinds(overlap), pattern=np.abs(overlap).argmax(axis=1))

    def predict(self, X: ArrayLike) -> States:
        """Return what each row of X, -1 or +1, settles to."""
        return self.recall(X).states

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Return the mean overlap of the rows of X with what they settle to: 1 if all of them are remembered."""
        return float((self.predict(X) * self._states(X)).mean(dtype=float))

    def field(self, states: ArrayLike) -> Floats:
        """Return what each unit gains by being +1 rather than -1, shape (n_samples, n_units); its sign is an update.

        For the exponential it is divided by F of the largest overlap of the state.
        """
        s, x, gain = self._states(states).astype(np.int64), self.patterns_.astype(np.int64), self._gain()
        base = self._base(s @ x.T)
        return np.array(
            [
                (gain[rest + x] - gain[rest - x]).sum(axis=0)
                for state, overlap, zero in zip(s, s @ x.T, base, strict=True)
                for rest in [overlap[:, None] - x * state + zero]
            ]
        )

    def energy(self, states: ArrayLike) -> Floats:
        """Return the energy of each state, shape (n_samples,); for the exponential, minus its logarithm's size."""
        k = self._states(states).astype(np.float64) @ self.patterns_.T.astype(np.float64)
        if self.order == "exponential":
            return -logsumexp(k, axis=1)
        return -((k / self.patterns_.shape[1]) ** self.order).sum(axis=1)

    def overlap(self, states: ArrayLike) -> Floats:
        """Return m = s'x / N of each state with each stored pattern, shape (n_samples, n_patterns)."""
        return overlaps(self._states(states), self.patterns_)

    def kind(self, states: ArrayLike) -> NDArray[np.str_]:
        """Say what each state is, as :meth:`bionet.energy.Hopfield.kind` does."""
        return kinds(self.overlap(states))

    def _gain(self) -> Floats:
        """Return F at overlaps -N to N; for the exponential at -2N to 2, relative to the largest overlap."""
        n_units = self.patterns_.shape[1]
        if self.order == "exponential":
            return np.exp(np.arange(-2.0 * n_units, 3.0))
        return (np.arange(-n_units, n_units + 1) / n_units) ** self.order

    def _base(self, overlaps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where overlap 0 of each state is in that table."""
        n_units = self.patterns_.shape[1]
        if self.order == "exponential":
            return 2 * n_units - overlaps.max(axis=1)
        return np.full(len(overlaps), n_units)

    def _states(self, states: ArrayLike) -> States:
        check_is_fitted(self)
        return check_signs(self, "states", states)


class ModernHopfield(Stored, TransformerMixin, BaseEstimator):
    r"""The exponential memory of real vectors; one update of it is attention.

    .. math:: \xi \leftarrow X^\top \mathrm{softmax}(\beta X \xi), \qquad
              E(\xi) = -\tfrac1\beta \log \sum_\mu e^{\beta x^\mu \cdot \xi} + \tfrac12 |\xi|^2
                       + \tfrac1\beta \log P + \tfrac12 \max_\mu |x^\mu|^2

    Parameters
    ----------
    beta : float
        Inverse temperature, in units of one over a squared length of the patterns. Small: all patterns blend into
        their mean; large: the nearest one is returned.
    max_updates : int
        Updates at most.
    tol : float
        A state that an update moves by less, in any component, has settled.
    device : {"cpu"}
        There is no way yet to run on a GPU.

    Attributes
    ----------
    patterns_ : float array, shape (n_patterns, n_features)
        What was stored.

    References
    ----------
    H. Ramsauer et al., "Hopfield networks is all you need", ICLR (2021).

    Examples
    --------
    >>> memory = ModernHopfield(beta=50.0).fit([[1.0, 0.0], [0.0, 1.0]])
    >>> memory.predict([[0.9, 0.2]]).round(6).tolist()
    [[1.0, 0.0]]
    """

    def __init__(self, beta: float = 8.0, max_updates: int = 100, tol: float = 1e-10, device: str = "cpu") -> None:
        self.beta = beta
        self.max_updates = max_updates
        self.tol = tol
        self.device = device

    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Keep the patterns, shape (n_patterns, n_features)."""
        check_number(self, 8.0, beta=self.beta)
        check_number(self, 1e-10, zero=True, tol=self.tol)
        check_whole(self, 100, max_updates=self.max_updates)
        check_device(self, self.device)
        self.patterns_ = np.array(check_table(self, "X", X, reset=True), dtype=np.float64)
        return self

    def update(self, states: ArrayLike) -> Floats:
        """Return the states after one update, shape (n_samples, n_features)."""
        return self.transform(states) @ self.patterns_

    def transform(self, X: ArrayLike) -> Floats:
        """Return how much each pattern is attended to, shape (n_samples, n_patterns); rows add up to 1."""
        states = self._states(X)
        check_memory(self, 8.0 * len(states) * len(self.patterns_), "the attention")
        return softmax(self.beta * states @ self.patterns_.T, axis=1)

    def recall(self, states: ArrayLike) -> Flow:
        """Update states until they have settled."""
        ends, energies = self._states(states), []
        still = np.zeros(len(ends), dtype=bool)
        for _ in range(self.max_updates):
            energies.append(self.energy(ends))
            before, ends = ends, self.update(ends)
            still = np.abs(ends - before).max(axis=1) <= self.tol
            if still.all():
                break
        energies.append(self.energy(ends))
        return Flow(ends, np.array(energies), still)

    def predict(self, X: ArrayLike) -> Floats:
        """Return what each row of X settles to."""
        return self.recall(X).states

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Return minus the mean squared distance of the rows of X from what they settle to: 0 if all are remembered."""
        return -float(((self.predict(X) - self._states(X)) ** 2).sum(axis=1).mean())

    def energy(self, states: ArrayLike) -> Floats:
        """Return the energy of each state, 0 or more, shape (n_samples,)."""
        x, q = self.patterns_, self._states(states)
        blend = logsumexp(self.beta * q @ x.T, axis=1) - np.log(len(x))
        return -blend / self.beta + (q**2).sum(axis=1) / 2 + (x**2).sum(axis=1).max() / 2

    def _states(self, states: ArrayLike) -> Floats:
        check_is_fitted(self)
        return np.asarray(check_table(self, "states", states), dtype=np.float64)
