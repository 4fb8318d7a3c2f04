"""Numbers to spikes and back: rate, latency, population and rank order codes, and the thermometer code of bits.

A code is a small record of its parameters with two verbs, ``encode`` and ``decode``. Each says in its docstring how
exactly ``decode`` inverts ``encode``: its resolution. ``X`` is (n_samples, n_features), in [0, 1]; times are seconds
from the beginning of each sample's presentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bionet.errors import InputError
from bionet.parameters import Count, Fraction, NonNegative, Positive, parameters
from bionet.random import Stream


@dataclass(frozen=True)
class Spikes:
    """Spikes of several samples, as flat parallel arrays ordered by sample, then time.

    Attributes
    ----------
    t : array, shape (n_spikes,)
        Times [s] from the beginning of the sample.
    i : array of int, shape (n_spikes,)
        Neuron, 0 to ``n_neurons`` - 1.
    sample : array of int, shape (n_spikes,)
        Sample, 0 to ``n_samples`` - 1.
    n_samples, n_neurons : int
        How many there are, silent ones included.

    Examples
    --------
    >>> spikes = Latency(duration=0.02).encode([[1.0, 0.5, 0.0]])
    >>> spikes.t.tolist(), spikes.i.tolist()
    ([0.0, 0.01, 0.02], [0, 1, 2])
    """

    t: NDArray[np.float64]
    i: NDArray[np.intp]
    sample: NDArray[np.intp]
    n_samples: int
    n_neurons: int

    def of(self, sample: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return ``t`` [s] and ``i`` of one sample, in order of time."""
        first, last = np.searchsorted(self.sample, [sample, sample + 1])
        return self.t[first:last], self.i[first:last]

    def counts(self) -> NDArray[np.intp]:
        """Return how many spikes each neuron fired, shape (n_samples, n_neurons)."""
        flat = np.bincount(self.sample * self.n_neurons + self.i, minlength=self.n_samples * self.n_neurons)
        return flat.reshape(self.n_samples, self.n_neurons)

    def first(self) -> NDArray[np.float64]:
        """Return the time [s] of each neuron's first spike, inf if it fired none, shape (n_samples, n_neurons)."""
        times = np.full((self.n_samples, self.n_neurons), np.inf)
        np.minimum.at(times, (self.sample, self.i), self.t)
        return times


@parameters
class Rate:
    """The value is the rate: x in [0, 1] fires at ``x * maximum`` Hz for ``duration`` seconds.

    Poisson trains (the default): the count is Poisson of mean x T r, its times uniform in [0, T). Regular trains:
    spikes at (k + 1/2)/(x r), as many as fall before T. Both are decoded by counting, x = count / (T r).

    Parameters
    ----------
    duration : float
        T [s].
    maximum : float
        r [Hz].
    regular : bool
        Regular trains instead of Poisson trains.

    Notes
    -----
    Resolution. Regular: the error is at most 1/(2 T r). Poisson: unbiased, its standard deviation is sqrt(x/(T r)).

    References
    ----------
    P. Dayan, L. F. Abbott, "Theoretical neuroscience", MIT Press (2001), section 1.4.

    Examples
    --------
    >>> code = Rate(duration=0.1, maximum=100.0, regular=True)
    >>> code.decode(code.encode([[0.0, 0.33, 1.0]])).tolist()
    [[0.0, 0.3, 1.0]]
    """

    duration: Positive = 0.35
    maximum: Positive = 100.0
    regular: bool = False

    def encode(self, X: ArrayLike, stream: Stream | None = None, step: int = 0) -> Spikes:
        """Turn values into trains; Poisson trains draw from ``stream`` at ``step`` (advance it for fresh ones).

        Raises
        ------
        InputError
            If X is not in [0, 1], or Poisson trains are given no stream.
        """
        X = _values(X, "Rate.encode")
        mean = X * self.maximum * self.duration
        if self.regular:
            # The last k with (k + 1/2)/(x r) < T.
            counts = np.ceil(mean - 0.5).astype(np.int64)
            k = _positions(counts.reshape(-1))
            return _spikes((k + 0.5) / np.repeat((X * self.maximum).reshape(-1), counts.reshape(-1)), counts)
        if stream is None:
            raise InputError("Rate.encode: got no stream; expected one for Poisson trains, such as Stream(0, 'input')")
        counts = stream.child("count").poisson(mean, step)
        return _spikes(self.duration * stream.child("time").uniform(int(counts.sum()), step), counts)

    def decode(self, spikes: Spikes) -> NDArray[np.float64]:
        """Return count / (T r), shape (n_samples, n_features); Poisson trains can exceed 1."""
        return spikes.counts() / (self.duration * self.maximum)


@parameters
class Latency:
    """The larger the value, the earlier its one spike; values below ``minimum`` are silent.

    Linear: t = T (1 - x)/(1 - minimum). Logarithmic: t = T ln(x)/ln(minimum), so that a common factor of all values
    is a common shift of all times [1]_.

    Parameters
    ----------
    duration : float
        T [s], when the value ``minimum`` fires.
    scale : {"linear", "logarithmic"}
        Which of the two.
    minimum : float
        The smallest value that fires, dimensionless, 0 to below 1; above 0 if logarithmic.

    Notes
    -----
    Resolution. Values of at least ``minimum`` come back exactly (to rounding), smaller ones as 0. Times known only to
    a step dt leave an error of at most (1 - minimum) dt/(2T) if linear, a factor of at most
    minimum**(-dt/(2T)) if logarithmic.

    References
    ----------
    .. [1] J. J. Hopfield, "Pattern recognition computation using action potential timing for stimulus
       representation", Nature 376:33 (1995).

    Examples
    --------
    >>> code = Latency(duration=0.02, scale="logarithmic", minimum=0.01)
    >>> code.encode([[1.0, 0.1, 0.01, 0.0]]).first().round(6).tolist()
    [[0.0, 0.01, 0.02, inf]]
    """

    duration: Positive = 0.02
    scale: Literal["linear", "logarithmic"] = "linear"
    minimum: Fraction = 0.0

    def encode(self, X: ArrayLike) -> Spikes:
        """Turn values into one spike each.

        Raises
        ------
        InputError
            If X is not in [0, 1], or ``minimum`` does not suit the scale.
        """
        X = _values(X, "Latency.encode")
        low = self._minimum()
        fires = low <= X
        if self.scale == "linear":
            return _spikes(self.duration * (1.0 - X[fires]) / (1.0 - low), fires)
        return _spikes(self.duration * np.abs(np.log(X[fires]) / np.log(low)), fires)

    def decode(self, spikes: Spikes) -> NDArray[np.float64]:
        """Return the value of each neuron's first spike, 0 of a silent one, shape (n_samples, n_features)."""
        low, t = self._minimum(), spikes.first() / self.duration
        fired = np.isfinite(t)
        t = np.where(fired, t, 0.0)
        return np.where(fired, 1.0 - t * (1.0 - low) if self.scale == "linear" else low**t, 0.0)

    def _minimum(self) -> float:
        """Return ``minimum``, if the scale can start there."""
        if self.minimum >= 1.0 or (self.scale == "logarithmic" and self.minimum == 0.0):
            raise InputError(
                f"Latency.minimum: got {self.minimum}; expected below 1, and above 0 if logarithmic, such as 0.01"
            )
        return self.minimum


@parameters
class Population:
    """Each value is seen by ``n_units`` overlapping Gaussian receptive fields; who answers strongly fires early.

    Unit k answers a = exp(-(x - c)**2 / (2 s**2)) with c = k/(n_units - 1) and s = width/(n_units - 1), and
    fires at t = T (1 - a), unless a is below ``minimum``. The two earliest spikes of a value give it back,
    x = (c + c')/2 + s**2 ln(a/a')/(c - c').

    Parameters
    ----------
    n_units : int
        Fields for each feature, at least 2.
    width : float
        Standard deviation of a field, in units of their spacing, dimensionless.
    duration : float
        T [s].
    minimum : float
        The weakest answer that fires, dimensionless. At most exp(-1/(2 width**2)), so that every value has two spikes.

    Notes
    -----
    Resolution: exact to rounding. With times known only to a step dt, let e = dt/(2T) and
    b = exp(-1/(2 width**2)); the error is at most -2 width**2 ln(1 - e/(b - 2e))/(n_units - 1).
    Neuron ``feature * n_units + k`` is unit k of a feature.

    References
    ----------
    S. M. Bohte, J. N. Kok, H. La Poutré, "Error-backpropagation in temporally encoded networks of spiking neurons",
    Neurocomputing 48:17 (2002).

    Examples
    --------
    >>> code = Population(n_units=5)
    >>> code.decode(code.encode([[0.3, 0.8]])).round(9).tolist()
    [[0.3, 0.8]]
    """

    n_units: Count = 8
    width: Positive = 1.0
    duration: Positive = 0.02
    minimum: NonNegative = 0.1

    def encode(self, X: ArrayLike) -> Spikes:
        """Turn each value into the spikes of its fields.

        Raises
        ------
        InputError
            If X is not in [0, 1], or there are values that would not make two units fire.
        """
        X = _values(X, "Population.encode")
        answers = np.exp(-((X[:, :, None] - self._centres()) ** 2) / (2 * self._sigma() ** 2))
        answers = answers.reshape(len(X), -1)
        fires = answers >= self.minimum
        return _spikes(self.duration * (1.0 - answers[fires]), fires)

    def decode(self, spikes: Spikes) -> NDArray[np.float64]:
        """Return the value that the two earliest spikes of each feature tell, shape (n_samples, n_features).

        Raises
        ------
        InputError
            If a feature has fewer than two spikes, or the neurons do not divide into ``n_units``.
        """
        centres = self._centres()
        if spikes.n_neurons % self.n_units:
            raise InputError(
                f"Population.decode: got {spikes.n_neurons} neurons; expected a multiple of n_units={self.n_units}"
            )
        t = spikes.first().reshape(spikes.n_samples, -1, self.n_units)
        two = np.argsort(t, axis=2, kind="stable")[:, :, :2]
        t = np.take_along_axis(t, two, axis=2)
        if not np.isfinite(t).all():
            raise InputError("Population.decode: got a feature with fewer than two spikes; expected two at least")
        logs = np.log(1.0 - t / self.duration)
        c, d = centres[two[:, :, 0]], centres[two[:, :, 1]]
        return (c + d) / 2 + self._sigma() ** 2 * (logs[:, :, 0] - logs[:, :, 1]) / (c - d)

    def _centres(self) -> NDArray[np.float64]:
        if self.n_units < 2:
            raise InputError(f"Population.n_units: got {self.n_units}; expected at least 2, such as 8")
        highest = np.exp(-1.0 / (2 * self.width**2))
        if not 0.0 < self.minimum <= highest:
            raise InputError(
                f"Population.minimum: got {self.minimum}; expected above 0 and, for width={self.width}, "
                f"at most {highest:.3g}, such as {highest / 2:.2g}"
            )
        return np.linspace(0.0, 1.0, self.n_units)

    def _sigma(self) -> float:
        return self.width / (self.n_units - 1)


@parameters
class RankOrder:
    """Only the order counts: the largest value fires first, the next one ``interval`` later, and so on.

    Equal values fire in the order of their features.

    Parameters
    ----------
    interval : float
        Between two spikes [s].

    Notes
    -----
    Resolution: the order of unequal values comes back exactly, the values as well as the table fits:
    the error of a value is its distance from the table's entry of its rank.

    References
    ----------
    R. Van Rullen, S. J. Thorpe, "Rate coding versus temporal order coding: what the retinal ganglion cells tell
    the visual cortex", Neural Computation 13:1255 (2001).

    Examples
    --------
    >>> code = RankOrder(interval=0.001)
    >>> code.encode([[0.2, 0.9, 0.4]]).i.tolist()
    [1, 2, 0]
    """

    interval: Positive = 0.001

    def encode(self, X: ArrayLike) -> Spikes:
        """Turn values into one spike each, in order; InputError if X is not in [0, 1]."""
        X = _values(X, "RankOrder.encode")
        order = np.argsort(-X, axis=1, kind="stable")
        rank = np.argsort(order, axis=1)
        return _spikes((rank * self.interval).reshape(-1), np.ones_like(rank))

    def decode(self, spikes: Spikes, table: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the table's entry of each neuron's rank, shape (n_samples, n_features).

        Parameters
        ----------
        spikes : Spikes
            One spike of every neuron; a silent neuron ranks last.
        table : array, shape (n_features,), optional
            The value expected at each rank, largest first, such as the mean of sorted training samples;
            evenly spaced from 1 to 0 if not given.
        """
        rank = np.argsort(np.argsort(spikes.first(), axis=1, kind="stable"), axis=1)
        values = np.linspace(1.0, 0.0, spikes.n_neurons) if table is None else np.asarray(table, dtype=float)
        if values.shape != (spikes.n_neurons,):
            raise InputError(f"RankOrder.decode: got a table of shape {values.shape}; expected ({spikes.n_neurons},)")
        return values[rank]


def thermometer(X: ArrayLike, levels: int) -> NDArray[np.float64]:
    """Turn each value into ``levels`` units of -1 and +1: unit k is +1 where x > (k + 1/2)/levels.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
        Values in [0, 1].
    levels : int
        Units for each feature. Values that differ by m/levels differ in m units.

    Returns
    -------
    array, shape (n_samples, n_features * levels)
        -1.0 or +1.0; unit ``feature * levels + k`` is unit k of a feature.

    Raises
    ------
    InputError
        If X is not in [0, 1] or ``levels`` is below 1.

    Examples
    --------
    >>> thermometer([[0.0, 0.5, 1.0]], levels=2).tolist()
    [[-1.0, -1.0, 1.0, -1.0, 1.0, 1.0]]
    """
    X = _values(X, "thermometer")
    if levels < 1:
        raise InputError(f"thermometer.levels: got {levels}; expected at least 1, such as 4")
    on = X[:, :, None] > (np.arange(levels) + 0.5) / levels
    return np.where(on, 1.0, -1.0).reshape(len(X), -1)


def from_thermometer(code: ArrayLike, levels: int) -> NDArray[np.float64]:
    """Return the fraction of each feature's units that are on: the inverse of :func:`thermometer`.

    Parameters
    ----------
    code : array, shape (n_samples, n_features * levels)
        A unit is on if above 0, so that fields and damaged codes can be read too.
    levels : int
        Units for each feature.

    Returns
    -------
    array, shape (n_samples, n_features)
        Within 1/(2 levels) of what was encoded; exactly it where that was a multiple of 1/levels.

    Raises
    ------
    InputError
        If the units do not divide into ``levels``.

    Examples
    --------
    >>> from_thermometer(thermometer([[0.0, 0.5, 1.0]], levels=2), levels=2).tolist()
    [[0.0, 0.5, 1.0]]
    """
    code = np.asarray(code, dtype=float)
    if code.ndim != 2 or levels < 1 or code.shape[1] % levels:
        raise InputError(f"from_thermometer.code: got shape {code.shape}; expected (n_samples, n_features * {levels})")
    return (code.reshape(len(code), -1, levels) > 0).mean(axis=2)


def _values(X: ArrayLike, owner: str) -> NDArray[np.float64]:
    """Return X as floats, if it is two-dimensional and all of it in [0, 1]."""
    X = np.asarray(X, dtype=float)
    if X.ndim != 2:
        raise InputError(f"{owner}: got X of shape {X.shape}; expected (n_samples, n_features)")
    outside = ~((X >= 0.0) & (X <= 1.0))
    if outside.any():
        raise InputError(f"{owner}: got {X[outside][0]} in X; expected numbers from 0 to 1")
    return X


def _positions(counts: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return 0, 1, ... count - 1 for each count, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _spikes(t: NDArray[np.floating], counts: NDArray[np.integer] | NDArray[np.bool_]) -> Spikes:
    """Order times, given neuron by neuron with ``counts`` (n_samples, n_neurons) of each, by sample, then time."""
    which = np.repeat(np.arange(counts.size), counts.reshape(-1).astype(np.int64))
    sample, i = np.divmod(which, counts.shape[1])
    order = np.lexsort((i, t, sample))
    return Spikes(t[order], i[order], sample[order], *counts.shape)
