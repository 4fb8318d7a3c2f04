"""Hopfield's network: patterns stored as the valleys of an energy (Hopfield 1982)."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from bionet.energy.inputs import (
    check_choice,
    check_clamp,
    check_device,
    check_memory,
    check_number,
    check_signs,
    check_table,
    check_whole,
)
from bionet.energy.rules import RULES, hebb, pseudo_inverse, sequence, storkey
from bionet.energy.settling import UPDATES, Recall, energy, fields, kinds, overlaps, recall
from bionet.energy.storage import Stored
from bionet.errors import InputError
from bionet.random import Stream

__all__ = ["RULES", "Flow", "Hopfield", "Recall", "energy", "hebb", "pseudo_inverse", "recall", "sequence", "storkey"]

Floats = NDArray[np.float64]
States = NDArray[np.int8]
PRECISIONS = ("float32", "float64")


class Flow(NamedTuple):
    """What graded units ended with.

    Attributes
    ----------
    states : float array, shape (n_samples, n_units)
        The last outputs, between -1 and 1.
    energies : float array, shape (n_steps + 1, n_samples)
        At the start and after each step, dimensionless.
    settled : bool array, shape (n_samples,)
        Whether the outputs had come to rest.
    """

    states: Floats
    energies: Floats
    settled: NDArray[np.bool_]


class Hopfield(Stored, BaseEstimator):
    r"""A network of -1/+1 units, each linked to all others, that completes what it has stored.

    .. math:: E(s) = -\tfrac12 s^\top J s - b^\top s, \qquad
              s_i \leftarrow \mathrm{sign}\Big(\sum_j J_{ji} s_j + b_i\Big)

    Parameters
    ----------
    rule : {"hebb", "storkey", "pseudo-inverse", "sequence"}
        How the weights follow from the patterns: :func:`hebb`, :func:`storkey`, :func:`pseudo_inverse`,
        :func:`sequence`.
    diagonal : bool
        Whether a unit keeps its link to itself. It freezes states rather than storing them [2]_.
    seed : int
        Of the order in which units are updated, and of noise.
    dtype : {"float64", "float32"}
        Of the weights, and of sums of a panel of them; fields are these sums added up in double precision. With
        Hebb's weights, recall on the processor sums over the patterns instead, exactly.
    device : {"cpu", "cuda"}
        Where states settle, as :meth:`recall` and :meth:`sample` let them; all else is computed on the processor.

    Attributes
    ----------
    weights_ : float array, shape (n_units, n_units)
        From the unit of the row to the unit of the column, dimensionless; symmetric but for ``"sequence"``.
        Recall leaves them alone; what is changed in them, it follows.
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
    keeps the state. With symmetric weights and no negative diagonal the energy falls with every change. Updated all at
    once, they end in a fixed point or in two states that follow one another.

    Hebb's rule holds about 0.138 N random patterns, with 1.6 % of the bits wrong [1]_; N / (4 ln N) without an error:
    :mod:`bionet.energy.theory` computes these numbers. A settled state need not be a stored pattern: the reverse of
    every pattern is as stable as the pattern, the sign of the sum of three patterns is stable at low load, and above
    the capacity almost no pattern is: :meth:`kind` tells.

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

    def __init__(
        self,
        rule: str = "hebb",
        diagonal: bool = False,
        seed: int = 0,
        dtype: str = "float64",
        device: str = "cpu",
    ) -> None:
        self.rule = rule
        self.diagonal = diagonal
        self.seed = seed
        self.dtype = dtype
        self.device = device

    def fit(self, patterns: ArrayLike, y: None = None) -> Self:
        """Compute the weights from the patterns, shape (n_patterns, n_units), -1 or +1."""
        check_choice(self, RULES, rule=self.rule)
        check_choice(self, PRECISIONS, dtype=self.dtype)
        check_device(self, self.device)
        self.patterns_ = check_signs(self, "patterns", patterns, reset=True)
        n_units = self.patterns_.shape[1]
        check_memory(self, n_units**2 * np.dtype(self.dtype).itemsize, f"weights of {n_units} units")
        precise = self.dtype if self.rule in ("hebb", "sequence") else np.float64
        weights = RULES[self.rule](self.patterns_.astype(precise))
        self.weights_ = weights.astype(self.dtype, copy=False)
        self.bias_ = np.zeros(n_units)
        if not self.diagonal:
            np.fill_diagonal(self.weights_, 0.0)
        return self

    def recall(
        self,
        states: ArrayLike,
        clamp: ArrayLike | None = None,
        max_sweeps: int = 100,
        record: bool = False,
        update: str = "asynchronous",
        temperature: float = 0.0,
    ) -> Recall:
        """Let states settle, and say what they have become.

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
        update : {"asynchronous", "synchronous"}
            One unit at a time, or all at once, which can end in two states that follow one another for ever.
        temperature : float
            0, or that of Glauber's dynamics, which makes all ``max_sweeps`` sweeps.
        """
        start = self._states(states)
        free = ~self._held(clamp)
        check_whole(self, 100, max_sweeps=max_sweeps)
        check_number(self, 0.1, zero=True, temperature=temperature)
        check_choice(self, UPDATES, update=update)
        stream = Stream(self.seed, "hopfield/order")
        on = check_device(self, self.device)
        how = max_sweeps, stream, record, update, temperature, on
        end = recall(start, self.weights_, self.bias_, free, *how, self._believed())
        overlap = self.overlap(end.states)
        return replace(end, kind=kinds(overlap), pattern=np.abs(overlap).argmax(axis=1))

    def predict(self, X: ArrayLike) -> States:
        """Return what each row of X, -1 or +1, settles to."""
        return self.recall(X).states

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Return the mean overlap of the rows of X with what they settle to: 1 if all of them are remembered."""
        return float((self.predict(X) * self._states(X)).mean(dtype=float))

    def sample(
        self, n_samples: int, n_sweeps: int = 100, clamp: ArrayLike | None = None, beta: float = 1.0, seed: int = 0
    ) -> States:
        """Draw states from the law exp(-beta E) / Z, each the end of its own chain of Glauber's dynamics.

        Parameters
        ----------
        n_samples : int
        n_sweeps : int
        clamp : array, shape (n_units,) or (n_samples, n_units), optional
            -1 or +1 for a unit that is held there, NaN for one that is free.
        beta : float
            1 / temperature, dimensionless.
        seed : int
        """
        check_is_fitted(self)
        check_whole(self, 100, n_samples=n_samples, n_sweeps=n_sweeps)
        check_number(self, 1.0, beta=beta)
        shape = n_samples, len(self.weights_)
        held, fixed = check_clamp(self, clamp, *shape, (-1.0, 1.0))
        stream = Stream(seed, "hopfield/sample")
        start = np.where(held, fixed, np.where(stream.child("start").bernoulli(np.full(shape, 0.5)), 1.0, -1.0))
        how = n_sweeps, stream, False, "asynchronous", 1 / beta, check_device(self, self.device)
        return recall(start, self.weights_, self.bias_, ~held, *how, self._believed()).states

    def flow(self, states: ArrayLike, gain: float = 4.0, max_steps: int = 10_000, step: float = 0.1) -> Flow:
        r"""Let graded units settle: the continuous network of 1984.

        .. math:: \tau \dot u = -u + J v + b, \quad v = \tanh(g u), \qquad
                  E(v) = -\tfrac12 v^\top J v - b^\top v + \frac1g \sum_i \int_0^{v_i} \mathrm{artanh}(x)\,dx

        Parameters
        ----------
        states : float array, shape (n_samples, n_units)
            Outputs v to start from, in [-1, 1].
        gain : float
            g, dimensionless. As it grows, the places of rest become those of the two-valued units; below 1 over the
            largest eigenvalue of J, all units come to rest at 0 (without bias).
        max_steps : int
        step : float
            Of the exponential Euler method, in units of the time constant.

        References
        ----------
        J. J. Hopfield, "Neurons with graded response have collective computational properties like those of
        two-state neurons", PNAS 81 (1984).
        """
        check_is_fitted(self)
        check_number(self, 4.0, gain=gain)
        check_number(self, 0.1, step=step)
        check_whole(self, 10_000, max_steps=max_steps)
        v = np.clip(check_table(self, "states", states), -1 + 1e-12, 1 - 1e-12)
        u, share, energies = np.arctanh(v) / gain, -np.expm1(-step), []
        for _ in range(max_steps):
            pull = v @ self.weights_ + self.bias_
            energies.append(_graded_energy(v, pull, self.bias_, gain))
            u = u + share * (pull - u)
            before, v = v, np.tanh(gain * u)
            if np.abs(v - before).max() < 1e-12 * step:
                break
        pull = v @ self.weights_ + self.bias_
        energies.append(_graded_energy(v, pull, self.bias_, gain))
        return Flow(v, np.array(energies), np.abs(v - np.tanh(gain * pull)).max(axis=1) < 1e-9)

    def energy(self, states: ArrayLike) -> Floats:
        """Return the energy of each state, dimensionless, shape (n_samples,)."""
        return energy(self._states(states), self.weights_, self.bias_)

    def field(self, states: ArrayLike) -> Floats:
        """Return the field on every unit, dimensionless, shape (n_samples, n_units)."""
        return fields(self._states(states), self.weights_, self.bias_)

    def overlap(self, states: ArrayLike) -> Floats:
        """Return m = s'x / N of each state with each stored pattern, shape (n_samples, n_patterns)."""
        return overlaps(self._states(states), self.patterns_)

    def kind(self, states: ArrayLike) -> NDArray[np.str_]:
        """Say what each state is: ``"stored"``, ``"reversed"``, ``"mixture"`` or ``"spurious"``.

        Notes
        -----
        Stored or reversed when an overlap passes 0.9 in size; a mixture when three overlaps pass 0.4.
        """
        return kinds(self.overlap(states))

    def _believed(self) -> States | None:
        """Return the patterns that the weights are those of, unless they have been changed."""
        return self.patterns_ if self.rule == "hebb" else None

    def _states(self, states: ArrayLike) -> States:
        check_is_fitted(self)
        return check_signs(self, "states", states)

    def _held(self, clamp: ArrayLike | None) -> NDArray[np.bool_]:
        n_units = len(self.weights_)
        held = np.zeros(n_units, dtype=bool) if clamp is None else np.asarray(clamp)
        if held.dtype != bool or held.shape != (n_units,):
            raise InputError(
                f"Hopfield.clamp: got {held.dtype} of shape {held.shape}; "
                f"expected one bool for each of the {n_units} units"
            )
        return held


def _graded_energy(v: Floats, pull: Floats, bias: Floats, gain: float) -> Floats:
    # The integral of artanh from 0 to v is ((1 + v) log(1 + v) + (1 - v) log(1 - v)) / 2.
    inside = (xlogy(1 + v, 1 + v) + xlogy(1 - v, 1 - v)).sum(axis=1) / (2 * gain)
    return inside - 0.5 * (v * (pull + bias)).sum(axis=1)
