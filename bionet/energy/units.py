r"""Kinds of units: what a unit of a layer can be, given the field on it.

A unit x with the field a has the law :math:`p(x) \propto e^{a x} m(x)`, and its kind is what m is: the same number for
0 and 1, for -1 and +1, for one of K alternatives, or a normal density, of which a rectified unit has the positive half.
So every kind has a mean, a way to draw from it, and :math:`\log\sum_x e^{a x} m(x)`, by which a layer is summed out
[1]_.

References
----------
.. [1] M. Welling, M. Rosen-Zvi, G. Hinton, "Exponential family harmoniums with an application to information
   retrieval", NIPS 17 (2004).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, expit, log_ndtr, logsumexp, ndtri_exp

from bionet.energy.inputs import check_choice, check_whole
from bionet.energy.partition import all_states
from bionet.errors import InputError
from bionet.kernels.cpu.gibbs import BERNOULLI, LINEAR, SPIN
from bionet.random import Stream

Floats = NDArray[Any]

_LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)


class Units(Protocol):
    """A kind of unit. Fields and states have a row for each sample."""

    name: ClassVar[str]
    code: ClassVar[int]
    """What the compiled loops know it as; ``LINEAR`` where they give the field alone."""

    def mean(self, field: Floats) -> Floats:
        """Return the mean of each unit."""

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw the units, independent of each other."""

    def log_sum(self, field: Floats) -> Floats:
        """Return the logarithm of the sum, or integral, over all states of each row, shape (n_samples,)."""

    def own_energy(self, states: Floats) -> Floats | float:
        """Return -log m of each row, without constants."""

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return the bias at which a free unit has the mean of so many samples; its best guess of it, at the edges."""

    def check(self, owner: str, states: Floats) -> None:
        """Refuse what is neither a state nor a mean of states."""

    def n_bits(self, n_units: int) -> float:
        """Return log2 of the number of states of so many units, infinite where they are continuous."""

    def states(self, n_units: int) -> Iterator[Floats]:
        """Yield all states of so many units, in blocks of rows."""


@dataclass(frozen=True)
class Bernoulli:
    """0 or 1; a mean is a probability.

    Examples
    --------
    >>> Bernoulli().mean(np.zeros((1, 2))).tolist()
    [[0.5, 0.5]]
    """

    name: ClassVar[str] = "bernoulli"
    code: ClassVar[int] = BERNOULLI

    def mean(self, field: Floats) -> Floats:
        """Return the logistic function of the field."""
        return expit(field)

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw 0 and 1."""
        return (draws.uniform(field.shape, step) < expit(field)).astype(field.dtype)

    def log_sum(self, field: Floats) -> Floats:
        """Return the sum of log(1 + e^a)."""
        return np.logaddexp(0.0, field).sum(axis=-1)

    def own_energy(self, states: Floats) -> float:
        """Return 0."""
        return 0.0

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return log p / (1 - p), with half a sample of either kind added."""
        p = (mean * n_samples + 0.5) / (n_samples + 1.0)
        return np.log(p / (1.0 - p))

    def check(self, owner: str, states: Floats) -> None:
        """Refuse what is not in [0, 1]."""
        _refuse_outside(owner, states, 0.0, 1.0, "X / X.max()")

    def n_bits(self, n_units: int) -> float:
        """Return the number of units."""
        return float(n_units)

    def states(self, n_units: int) -> Iterator[Floats]:
        """Yield all rows of 0 and 1."""
        return all_states(n_units)


@dataclass(frozen=True)
class Spin:
    """-1 or +1.

    Examples
    --------
    >>> Spin().mean(np.zeros((1, 2))).tolist()
    [[0.0, 0.0]]
    """

    name: ClassVar[str] = "spin"
    code: ClassVar[int] = SPIN

    def mean(self, field: Floats) -> Floats:
        """Return the hyperbolic tangent of the field."""
        return np.tanh(field)

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw -1 and +1."""
        return np.where(draws.uniform(field.shape, step) < expit(2 * field), 1, -1).astype(field.dtype)

    def log_sum(self, field: Floats) -> Floats:
        """Return the sum of log(e^a + e^-a)."""
        return np.logaddexp(-field, field).sum(axis=-1)

    def own_energy(self, states: Floats) -> float:
        """Return 0."""
        return 0.0

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return artanh of the mean, with half a sample of either kind added."""
        return np.arctanh(mean * n_samples / (n_samples + 1.0))

    def check(self, owner: str, states: Floats) -> None:
        """Refuse what is not in [-1, 1]."""
        _refuse_outside(owner, states, -1.0, 1.0, "2 * bits - 1")

    def n_bits(self, n_units: int) -> float:
        """Return the number of units."""
        return float(n_units)

    def states(self, n_units: int) -> Iterator[Floats]:
        """Yield all rows of -1 and +1."""
        return all_states(n_units, (-1.0, 1.0))


@dataclass(frozen=True)
class Softmax:
    """One of K alternatives (a Potts unit): K columns, of which one is 1 and the others 0.

    Parameters
    ----------
    n_states : int
        K.

    Examples
    --------
    >>> Softmax(2).mean(np.zeros((1, 4))).tolist()
    [[0.5, 0.5, 0.5, 0.5]]
    """

    n_states: int
    name: ClassVar[str] = "softmax"
    code: ClassVar[int] = LINEAR

    def _apart(self, values: Floats) -> Floats:
        return values.reshape(*values.shape[:-1], -1, self.n_states)

    def mean(self, field: Floats) -> Floats:
        """Return the probability of each alternative."""
        a = self._apart(field)
        p = np.exp(a - a.max(axis=-1, keepdims=True))
        return (p / p.sum(axis=-1, keepdims=True)).reshape(field.shape)

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw one alternative of each unit, by one number."""
        below = self._apart(self.mean(field)).cumsum(axis=-1)[..., :-1]
        pick = (draws.uniform(below.shape[:-1], step)[..., None] >= below).sum(axis=-1)
        return np.eye(self.n_states, dtype=field.dtype)[pick].reshape(field.shape)

    def log_sum(self, field: Floats) -> Floats:
        """Return the sum over units of the log of the sum of e^a over their alternatives."""
        return logsumexp(self._apart(field), axis=-1).sum(axis=-1)

    def own_energy(self, states: Floats) -> float:
        """Return 0."""
        return 0.0

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return log p, with one sample more, shared by all alternatives."""
        return np.log((mean * n_samples + 1.0 / self.n_states) / (n_samples + 1.0))

    def check(self, owner: str, states: Floats) -> None:
        """Refuse what is not a probability for each alternative, adding up to 1."""
        if states.shape[-1] % self.n_states:
            raise InputError(
                f"{owner}: got {states.shape[-1]} columns; expected a multiple of n_states, {self.n_states}"
            )
        _refuse_outside(owner, states, 0.0, 1.0, "one-hot rows")
        total = self._apart(states).sum(axis=-1)
        if np.abs(total - 1.0).max() > 1e-5:
            worst = total.flat[np.abs(total - 1.0).argmax()]
            raise InputError(
                f"{owner}: got the {self.n_states} columns of a unit adding up to {worst:g}; expected 1, as in one-hot"
            )

    def n_bits(self, n_units: int) -> float:
        """Return log2 K for every K columns."""
        return n_units // self.n_states * float(np.log2(self.n_states))

    def states(self, n_units: int) -> Iterator[Floats]:
        """Yield all rows; the first unit changes fastest."""
        n_groups, rows = n_units // self.n_states, 1 << 12
        total = self.n_states**n_groups
        for start in range(0, total, rows):
            codes = np.arange(start, min(start + rows, total))
            picks = codes[:, None] // self.n_states ** np.arange(n_groups) % self.n_states
            yield np.eye(self.n_states)[picks].reshape(len(codes), n_units)


@dataclass(frozen=True)
class Gaussian:
    """Any number; normal with variance 1 about the field.

    Examples
    --------
    >>> Gaussian().mean(np.array([[0.5]])).tolist()
    [[0.5]]
    """

    name: ClassVar[str] = "gaussian"
    code: ClassVar[int] = LINEAR

    def mean(self, field: Floats) -> Floats:
        """Return the field."""
        return field

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw from the normal law."""
        return (field + draws.normal(field.shape, step)).astype(field.dtype)

    def log_sum(self, field: Floats) -> Floats:
        """Return the sum of a^2 / 2 + log(2 pi) / 2."""
        return (0.5 * field * field + _LOG_ROOT_2PI).sum(axis=-1)

    def own_energy(self, states: Floats) -> Floats:
        """Return half the squared length."""
        return 0.5 * (states * states).sum(axis=-1)

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return the mean."""
        return mean

    def check(self, owner: str, states: Floats) -> None:
        """Refuse nothing: any number is a state."""

    def n_bits(self, n_units: int) -> float:
        """Return infinity."""
        return np.inf

    def states(self, n_units: int) -> Iterator[Floats]:
        """Yield nothing: they cannot be counted."""
        return iter(())


@dataclass(frozen=True)
class Rectified(Gaussian):
    r"""A number of at least 0 (a ReLU): the positive part of the normal density about the field [1]_.

    .. math:: p(x) = \varphi(x - a) / \Phi(a), \qquad \langle x \rangle = a + \varphi(a) / \Phi(a)

    References
    ----------
    .. [1] Q. Su, X. Liao, C. Chen, L. Carin, "Nonlinear statistical learning with truncated Gaussian graphical models",
       ICML (2016). V. Nair and G. Hinton's noisy ReLU (ICML 2010) is close to it, but the law of no energy.

    Examples
    --------
    >>> Rectified().mean(np.array([[0.0, 50.0]])).round(6).tolist()
    [[0.797885, 50.0]]
    """

    name: ClassVar[str] = "relu"

    def mean(self, field: Floats) -> Floats:
        """Return a + phi(a) / Phi(a), at least 0."""
        return np.maximum(field + np.sqrt(2.0 / np.pi) / erfcx(-field / np.sqrt(2.0)), 0.0)

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw by inversion, from the tail that the positive part is."""
        a = np.asarray(field, dtype=np.float64)
        tail = np.log1p(-draws.uniform(field.shape, step)) + log_ndtr(a)
        return np.maximum(a - ndtri_exp(tail), 0.0).astype(field.dtype)

    def log_sum(self, field: Floats) -> Floats:
        """Return the sum of log of (2 pi)^(1/2) e^(a^2/2) Phi(a)."""
        a = np.asarray(field, dtype=np.float64)
        tail = np.log(erfcx(-np.minimum(a, 0.0) / np.sqrt(2.0)) * np.sqrt(np.pi / 2.0))
        return np.where(a < 0, tail, 0.5 * a * a + log_ndtr(a) + _LOG_ROOT_2PI).sum(axis=-1)

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return 0."""
        return np.zeros_like(mean)

    def check(self, owner: str, states: Floats) -> None:
        """Refuse negative numbers."""
        if states.min() < 0:
            raise InputError(f"{owner}: got {states.min():g}; expected numbers of at least 0, such as np.maximum(X, 0)")


@dataclass(frozen=True)
class Labelled:
    """0/1 units, and beside them ONE unit of K alternatives: K columns at the end, such as the classes of pictures.

    Parameters
    ----------
    n_states : int
        K.

    Examples
    --------
    >>> Labelled(2).mean(np.zeros((1, 3))).tolist()
    [[0.5, 0.5, 0.5]]
    """

    n_states: int
    name: ClassVar[str] = "labelled"
    code: ClassVar[int] = LINEAR

    def _both(self, values: Floats) -> tuple[Floats, Floats]:
        return values[..., : -self.n_states], values[..., -self.n_states :]

    def mean(self, field: Floats) -> Floats:
        """Return the probability of each 0/1 unit and of each alternative."""
        bits, label = self._both(field)
        return np.concatenate([expit(bits), Softmax(self.n_states).mean(label)], axis=-1)

    def sample(self, field: Floats, draws: Stream, step: int) -> Floats:
        """Draw the 0/1 units, and one alternative."""
        bits, label = self._both(field)
        drawn = Softmax(self.n_states).sample(label, draws.child("label"), step)
        return np.concatenate([Bernoulli().sample(bits, draws, step), drawn], axis=-1)

    def log_sum(self, field: Floats) -> Floats:
        """Return the sum over all states of both."""
        bits, label = self._both(field)
        return np.logaddexp(0.0, bits).sum(axis=-1) + logsumexp(label, axis=-1)

    def own_energy(self, states: Floats) -> float:
        """Return 0."""
        return 0.0

    def bias(self, mean: Floats, n_samples: int) -> Floats:
        """Return what each of the two kinds returns."""
        bits, label = self._both(mean)
        parts = Bernoulli().bias(bits, n_samples), Softmax(self.n_states).bias(label, n_samples)
        return np.concatenate(parts, axis=-1)

    def check(self, owner: str, states: Floats) -> None:
        """Refuse what is no probability, or a label whose columns do not add up to 1."""
        bits, label = self._both(states)
        Bernoulli().check(owner, bits)
        Softmax(self.n_states).check(owner, label)

    def n_bits(self, n_units: int) -> float:
        """Return log2 of the number of states of both."""
        return n_units - self.n_states + float(np.log2(self.n_states))

    def states(self, n_units: int) -> Iterator[Floats]:
        """Yield all rows, one alternative after the other."""
        for label in np.eye(self.n_states):
            for block in all_states(n_units - self.n_states):
                yield np.concatenate([block, np.broadcast_to(label, (len(block), self.n_states))], axis=1)


VISIBLE = ("bernoulli", "gaussian", "labelled", "softmax", "spin")
HIDDEN = ("bernoulli", "relu", "spin")
_KINDS = {each.name: each for each in (Bernoulli, Spin, Gaussian, Rectified)}


def visible_units(owner: str, name: str, n_states: int) -> Units:
    """Return the kind of visible units of a name: one of :data:`VISIBLE`; ``n_states`` is K where there is one."""
    check_choice(owner, VISIBLE, visible=name)
    if name in ("softmax", "labelled"):
        check_whole(owner, 3, 2, n_states=n_states)
        return Softmax(n_states) if name == "softmax" else Labelled(n_states)
    return _KINDS[name]()


def hidden_units(owner: str, name: str) -> Units:
    """Return the kind of hidden units of a name: "bernoulli", "relu" or "spin"."""
    check_choice(owner, HIDDEN, hidden=name)
    return _KINDS[name]()


def _refuse_outside(owner: str, states: Floats, low: float, high: float, such: str) -> None:
    least, most = states.min(), states.max()
    if not (least >= low and most <= high):
        raise InputError(
            f"{owner}: got values from {least:g} to {most:g}; expected [{low:g}, {high:g}], such as {such}"
        )
