"""The partition function Z: exactly where it can be summed, else as an interval, never as a bare number.

A model that can be annealed is a :class:`Path`: a family of laws f(x; beta) / Z(beta) from one that can be drawn from
and summed (beta 0) to the model itself (beta 1). :func:`interval` runs chains along it in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logsumexp
from scipy.stats import t as student

from bionet.errors import InputError
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[np.float64]
States = NDArray[Any]

LARGEST_ENUMERATION = 25
"""Units up to which a sum over all states is exact: 33.5 million states, some minutes."""
CONFIDENCE = 0.95
"""How often an interval is to hold the truth."""


@dataclass(frozen=True)
class Interval:
    """A number that is known to lie between two others, 19 times out of 20.

    Numbers are added to it and subtracted from it, and it is subtracted from them: ``-free_energy - log_z``.

    Attributes
    ----------
    estimate, low, high : float
        In nats. All three are equal where the number is exact.
    method : str
        Where it comes from, such as ``"exact"`` or ``"AIS and reverse AIS"``.
    parts : tuple of Interval
        What it was put together from: AIS, which is too low on average, and reverse AIS, which is too high.

    Examples
    --------
    >>> print(3.0 - Interval(1.0, 0.5, 2.0, "AIS"))
    2 [1, 2.5] (AIS)
    """

    estimate: float
    low: float
    high: float
    method: str
    parts: tuple[Interval, ...] = ()

    # NumPy's own numbers leave the arithmetic to the interval.
    __array_ufunc__ = None

    def __contains__(self, value: float) -> bool:
        return bool(self.low <= value <= self.high)

    def __str__(self) -> str:
        return f"{self.estimate:.6g} [{self.low:.6g}, {self.high:.6g}] ({self.method})"

    def __neg__(self) -> Interval:
        parts = tuple(-part for part in self.parts)
        return Interval(-self.estimate, -self.high, -self.low, self.method, parts)

    def __add__(self, value: float) -> Interval:
        shift = float(value)
        parts = tuple(part + shift for part in self.parts)
        return Interval(self.estimate + shift, self.low + shift, self.high + shift, self.method, parts)

    __radd__ = __add__

    def __sub__(self, value: float) -> Interval:
        return self + -float(value)

    def __rsub__(self, value: float) -> Interval:
        return -self + value

    @property
    def width(self) -> float:
        """The distance of the two ends, in nats; 0 where the number is exact."""
        return self.high - self.low

    def overlaps(self, other: Interval) -> bool:
        """Tell whether the two have a number in common, so that neither can be called the larger."""
        return self.low <= other.high and other.low <= self.high

    @classmethod
    def exact(cls, value: float) -> Interval:
        """Return the interval of no width at ``value``."""
        return cls(float(value), float(value), float(value), "exact")


def all_states(n_units: int, values: tuple[float, float] = (0.0, 1.0), rows: int = 1 << 12) -> Iterator[Floats]:
    """Yield all states of two-valued units, in blocks of at most ``rows`` rows; the first unit changes fastest.

    Parameters
    ----------
    n_units : int
        At most 25.
    values : tuple of float
        What a unit can be, such as 0 and 1, or -1 and 1.
    rows : int
        States a block.

    Raises
    ------
    InputError
        If there are too many units.

    Examples
    --------
    >>> [block.tolist() for block in all_states(2)]
    [[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]
    """
    if n_units > LARGEST_ENUMERATION:
        raise InputError(
            f"partition.all_states: got {n_units} units, 2**{n_units} states; expected at most {LARGEST_ENUMERATION}; "
            "beyond that partition.interval estimates"
        )
    low, high = values
    for start in range(0, 1 << n_units, rows):
        codes = np.arange(start, min(start + rows, 1 << n_units))
        yield low + (high - low) * (codes[:, None] >> np.arange(n_units) & 1).astype(np.float64)


def log_partition(
    log_weight: Callable[[Floats], Floats], n_units: int, values: tuple[float, float] = (0.0, 1.0)
) -> float:
    """Return log Z, the logarithm of the sum of ``exp(log_weight(states))`` over all states, in nats.

    Parameters
    ----------
    log_weight : callable
        Takes states, shape (n_states, n_units); returns their log-weights, shape (n_states,), such as -E or -F.
    n_units : int
        At most 25.
    values : tuple of float
        What a unit can be.

    Examples
    --------
    >>> float(np.exp(log_partition(lambda states: 0 * states.sum(axis=1), 3)).round(12))
    8.0
    """
    return float(logsumexp([logsumexp(log_weight(block)) for block in all_states(n_units, values)]))


class Path(Protocol):
    """What a model has to offer to be annealed from a law that can be summed (beta 0) to its own (beta 1)."""

    @property
    def log_z_base(self) -> float:
        """The log partition function at beta 0, in nats, exactly."""

    def start(self, n_runs: int, stream: Stream) -> States:
        """Draw exactly from the law at beta 0, shape (n_runs, ...)."""

    def step(self, states: States, beta: float, to: float, stream: Stream, count: int) -> tuple[States, Floats]:
        """Return states a sweep later, under the law at ``to``, and log f(x; to) - log f(x; beta) of those given.

        The sweep must leave the law at ``to`` as it is. Where a sweep in reverse has the same law as the sweep,
        as in block Gibbs sampling or in random order, the estimate that joins both directions is at its best.
        ``count`` numbers the steps: it is the stream's step, or a multiple of it is.
        """


class Works(NamedTuple):
    """What runs along a path have gathered.

    Attributes
    ----------
    log_weights : float array, shape (n_runs,)
        Forward: the mean of their exponentials is Z on average. Reverse: the mean of ``exp(-log_weights)`` is 1 / Z.
    states : array
        Where the runs ended.
    """

    log_weights: Floats
    states: States


def ais(path: Path, betas: Floats, n_runs: int, stream: Stream, progress: Progress | None = None) -> Works:
    r"""Run chains from beta 0 to beta 1 (annealed importance sampling).

    .. math:: \log w = \log Z_0 + \sum_k \log f(x_k; \beta_{k+1}) - \log f(x_k; \beta_k), \qquad \mathrm{E}[w] = Z

    Parameters
    ----------
    path : Path
    betas : float array, shape (n_betas,)
        From 0 to 1, rising.
    n_runs : int
        Independent chains.
    stream : Stream

    References
    ----------
    R. M. Neal, "Annealed importance sampling", Statistics and Computing 11 (2001).
    """
    states = path.start(n_runs, stream.child("start"))
    return _walk(path, betas, states, stream.child("forward"), progress, "AIS")


def reverse_ais(path: Path, betas: Floats, states: States, stream: Stream, progress: Progress | None = None) -> Works:
    """Run chains from beta 1, where ``states`` are drawn from the model, to beta 0.

    Parameters
    ----------
    path : Path
    betas : float array, shape (n_betas,)
        From 0 to 1, rising: the same as in :func:`ais`.
    states : array, shape (n_runs, ...)
        As good samples of the model as there are; on them hangs what the upper end of an interval is worth.
    stream : Stream

    References
    ----------
    Y. Burda, R. Grosse, R. Salakhutdinov, "Accurate and conservative estimates of MRF log-likelihood using reverse
    annealing", AISTATS (2015).
    """
    down = _walk(path, betas[::-1], states, stream.child("reverse"), progress, "reverse AIS")
    return Works(2 * path.log_z_base - down.log_weights, down.states)


def interval(
    path: Path,
    n_betas: int = 1000,
    n_runs: int = 100,
    seed: int = 0,
    betas: Floats | None = None,
    samples: States | None = None,
    n_sweeps: int = 100,
    progress: Progress | None = None,
) -> Interval:
    """Estimate log Z by annealing in both directions, and say how far it is known.

    Parameters
    ----------
    path : Path
    n_betas : int
        Inverse temperatures each way, spaced by :func:`schedule` unless ``betas`` are given.
    n_runs : int
        Chains each way.
    seed : int
        Of all draws.
    betas : float array, optional
        From 0 to 1, rising.
    samples : array, shape (n_samples, ...), optional
        Draws from the model at which the way back starts. Without them it starts where AIS has ended: ends drawn in
        proportion to their weights, and ``n_sweeps`` sweeps on.
    n_sweeps : int

    Notes
    -----
    It reaches from the lower end of either direction to the upper end of either; ``parts`` holds the two, and the
    estimate joins them by Bennett's acceptance ratio [1]_. AIS alone flatters a model: chains that miss a mode miss its
    weight, and log Z comes out too low. The way back starts in the modes and errs on the other side [2]_. Two ways that
    disagree make a wide interval, the honest one. Neither direction sees a mode that no sample has visited.

    References
    ----------
    .. [1] C. H. Bennett, "Efficient estimation of free energy differences from Monte Carlo data", J. Comput. Phys. 22
       (1976).
    .. [2] Y. Burda, R. Grosse, R. Salakhutdinov, "Accurate and conservative estimates of MRF log-likelihood using
       reverse annealing", AISTATS (2015).
    """
    if n_runs < 2 or n_betas < 2:
        raise InputError(
            f"partition.interval: got {n_runs} runs, {n_betas} betas; expected 2 or more, such as 100, 1000"
        )
    stream = Stream(seed, "partition")
    betas = schedule(path, n_betas, stream.child("schedule")) if betas is None else _rising(betas)
    up = ais(path, betas, n_runs, stream, progress)
    if samples is None:
        samples = _ends(path, up, n_sweeps, stream.child("ends"))
    down = reverse_ais(path, betas, samples, stream, progress)
    forward = _mean("AIS", up.log_weights)
    reverse = -_mean("reverse AIS", -down.log_weights)
    low, high = min(forward.low, reverse.low), max(forward.high, reverse.high)
    estimate = min(max(_bennett(up.log_weights, down.log_weights), low), high)
    return Interval(estimate, low, high, "AIS and reverse AIS", (forward, reverse))


def schedule(path: Path, n_betas: int, stream: Stream, n_runs: int = 50, n_pilot: int = 100) -> Floats:
    r"""Return inverse temperatures, from 0 to 1, dense where the law changes fast.

    Their distances are such that each step has the same share of the path's length, the integral of the standard
    deviation of :math:`\partial \log f / \partial \beta`, which a short run measures.

    Parameters
    ----------
    path : Path
    n_betas : int
    stream : Stream
    n_runs, n_pilot : int
        Chains and temperatures of that run.

    References
    ----------
    A. Gelman, X.-L. Meng, "Simulating normalizing constants: from importance sampling to bridge sampling to path
    sampling", Statistical Science 13 (1998).
    """
    knots = np.linspace(0.0, 1.0, n_pilot + 1)
    states, speed = path.start(n_runs, stream.child("start")), np.empty(n_pilot)
    for k in range(n_pilot):
        states, gain = path.step(states, knots[k], knots[k + 1], stream, k)
        speed[k] = gain.std()
    # A tenth of even spacing: what the short run has not met must not be left without temperatures.
    speed = speed / max(speed.sum(), np.finfo(float).tiny) + 0.1 / n_pilot
    length = np.concatenate([[0.0], np.cumsum(speed)])
    betas: Floats = np.interp(np.linspace(0.0, length[-1], n_betas), length, knots)
    betas[0], betas[-1] = 0.0, 1.0
    return betas


def _walk(path: Path, betas: Floats, states: States, stream: Stream, progress: Progress | None, label: str) -> Works:
    total = np.full(len(states), path.log_z_base)
    steps = (progress or Progress())(range(len(betas) - 1), label)
    for k in steps:
        states, gain = path.step(states, float(betas[k]), float(betas[k + 1]), stream, k)
        total += gain
    return Works(total, states)


def _ends(path: Path, up: Works, n_sweeps: int, stream: Stream) -> States:
    """Draw ends of AIS in proportion to their weights, and sweep on under the model."""
    share = np.exp(up.log_weights - logsumexp(up.log_weights))
    picks = np.searchsorted(np.cumsum(share), stream.uniform(len(share)) * share.sum() * (1 - 1e-12))
    states = up.states[picks]
    for k in range(n_sweeps):
        states, _ = path.step(states, 1.0, 1.0, stream, k + 1)
    return states


def _mean(method: str, log_weights: Floats) -> Interval:
    """Return the logarithm of the mean weight and where it lies; the wider of two opinions on either side.

    The first takes the weights as they came; their tail has often not been met. The second takes them as log-normal
    (D. R. Cox, in C. E. Land, Technometrics 14 (1972)), and so infers the tail from the spread.
    """
    n = len(log_weights)
    times = float(student.ppf((1 + CONFIDENCE) / 2, n - 1))
    estimate = float(logsumexp(log_weights) - np.log(n))
    error = float(np.exp(log_weights - estimate).std(ddof=1) / np.sqrt(n))
    variance = float(log_weights.var(ddof=1))
    centre = float(log_weights.mean()) + variance / 2
    spread = float(np.sqrt(variance / n + variance**2 / (2 * (n - 1))))
    low = min(estimate - times * error, centre - times * spread)
    high = max(estimate + times * error, centre + times * spread)
    return Interval(estimate, low, high, method)


def _bennett(forward: Floats, reverse: Floats) -> float:
    """Return the log Z at which as many forward as reverse runs are accepted (Bennett 1976)."""
    ratio = np.log(len(forward) / len(reverse))

    def excess(log_z: float) -> float:
        return float(expit(forward - log_z - ratio).sum() - expit(log_z + ratio - reverse).sum())

    both = np.concatenate([forward, reverse])
    low, high = float(both.min()), float(both.max())
    return low if excess(low) <= 0 or low == high else high if excess(high) >= 0 else float(brentq(excess, low, high))


def _rising(betas: Floats) -> Floats:
    array = np.asarray(betas, dtype=float)
    if array.ndim != 1 or len(array) < 2 or array[0] != 0 or array[-1] != 1 or (np.diff(array) < 0).any():
        raise InputError("partition.betas: expected numbers that rise from 0 to 1, such as np.linspace(0, 1, 1000)")
    return array
