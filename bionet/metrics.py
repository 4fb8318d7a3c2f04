"""What is measured of answers, states and spike trains, and what an operation costs.

Spike trains are arrays of times [s] in increasing order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bionet.errors import InputError

MULTIPLY = 3.7e-12
"""Energy of one multiplication [J]: 32-bit floating point, 45 nm, 0.9 V (Horowitz 2014)."""
ADD = 0.9e-12
"""Energy of one addition [J]: the same."""


def accuracy(y: ArrayLike, answers: ArrayLike) -> float:
    """Return the fraction of answers that are right, mean of [y = answer].

    Parameters
    ----------
    y, answers : array, shape (n_samples,)
        Labels.

    Raises
    ------
    InputError
        If the shapes differ or are empty.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 1])
    0.75
    """
    y, answers = _pair("accuracy", y, answers)
    return float(np.mean(y == answers))


def confusion(y: ArrayLike, answers: ArrayLike, n_classes: int | None = None) -> NDArray[np.intp]:
    """Count how often each class was given each answer.

    Parameters
    ----------
    y, answers : array of int, shape (n_samples,)
        Labels 0 to ``n_classes`` - 1.
    n_classes : int, optional
        One more than the largest label, if not given.

    Returns
    -------
    array, shape (n_classes, n_classes)
        Row: the class. Column: the answer.

    Raises
    ------
    InputError
        If the shapes differ or are empty, or a label is out of range.

    Examples
    --------
    >>> confusion([0, 1, 1], [0, 1, 0]).tolist()
    [[1, 0], [1, 1]]
    """
    y, answers = _pair("confusion", y, answers)
    n = int(max(y.max(), answers.max())) + 1 if n_classes is None else n_classes
    if min(y.min(), answers.min()) < 0 or max(y.max(), answers.max()) >= n:
        raise InputError(f"confusion: got labels outside 0 to {n - 1}; expected labels in that range")
    return np.bincount((y * n + answers).astype(np.int64), minlength=n * n).reshape(n, n)


def decision_index(answers: ArrayLike) -> NDArray[np.intp]:
    """Return the first index from which the running answer is the final one for good.

    Parameters
    ----------
    answers : array, shape (n_times, n_samples)
        The answer that would be given at each time.

    Returns
    -------
    array, shape (n_samples,)
        0 if the answer never changes.

    Raises
    ------
    InputError
        If there is no time at all, or ``answers`` is not two-dimensional.

    Examples
    --------
    >>> decision_index([[1, 7], [2, 7], [1, 7], [1, 7]]).tolist()
    [2, 0]
    """
    answers = np.asarray(answers)
    if answers.ndim != 2 or len(answers) == 0:
        raise InputError(f"decision_index: got answers of shape {answers.shape}; expected (n_times, n_samples)")
    differs = answers != answers[-1]
    return np.where(differs.any(axis=0), len(answers) - np.argmax(differs[::-1], axis=0), 0)


def decision_time(answers: ArrayLike, times: ArrayLike) -> NDArray[np.float64]:
    """Return the first time from which the running answer is the final one for good.

    Parameters
    ----------
    answers : array, shape (n_times, n_samples)
        The answer that would be given at each time.
    times : array, shape (n_times,)
        When, in any unit.

    Returns
    -------
    array, shape (n_samples,)
        In the unit of ``times``.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> decision_time([[1, 7], [2, 7], [1, 7]], times=[0.1, 0.2, 0.3]).tolist()
    [0.3, 0.1]
    """
    index, times = decision_index(answers), np.asarray(times, dtype=float)
    if times.shape != np.shape(answers)[:1]:
        raise InputError(f"decision_time: got times of shape {times.shape}; expected {np.shape(answers)[:1]}")
    return times[index]


def energy(multiply_accumulates: ArrayLike, accumulates: ArrayLike) -> NDArray[np.float64]:
    """Return the energy [J] of so many operations, (3.7 + 0.9) pJ and 0.9 pJ each.

    Parameters
    ----------
    multiply_accumulates : array
        Multiplications each followed by an addition, as of a rate network's weight.
    accumulates : array
        Additions alone, as of one spike arriving over one synapse.

    Returns
    -------
    array
        In the broadcast shape.

    Notes
    -----
    Arithmetic only, of 32-bit floating point numbers in a 45 nm process. Moving the data is not counted, and often
    costs more. It serves to compare networks, not to predict a chip.

    References
    ----------
    M. Horowitz, "Computing's energy problem (and what we can do about it)", IEEE ISSCC (2014), 10-14.

    Examples
    --------
    >>> print(f"{energy(1000, 0):.2e} {energy(0, 1000):.2e}")
    4.60e-09 9.00e-10
    """
    return np.asarray(multiply_accumulates) * (MULTIPLY + ADD) + np.asarray(accumulates) * ADD


def overlaps(states: ArrayLike, patterns: ArrayLike) -> NDArray[np.float64]:
    """Return the overlaps m = s'x / N of states with patterns, both of -1 and +1.

    Parameters
    ----------
    states : array, shape (n_states, N)
        States of a network.
    patterns : array, shape (n_patterns, N)
        What it was to remember.

    Returns
    -------
    array, shape (n_states, n_patterns)
        1 where equal, -1 where opposite.

    Raises
    ------
    InputError
        If the two have different N.

    References
    ----------
    D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. A 32:1007 (1985).

    Examples
    --------
    >>> overlaps([[1, 1, 1, -1]], [[1, 1, 1, 1], [-1, -1, -1, 1]]).tolist()
    [[0.5, -1.0]]
    """
    s, x = np.atleast_2d(np.asarray(states, dtype=float)), np.atleast_2d(np.asarray(patterns, dtype=float))
    if s.shape[1] != x.shape[1]:
        raise InputError(
            f"overlaps: got states of {s.shape[1]} and patterns of {x.shape[1]} units; expected equally many"
        )
    return s @ x.T / s.shape[1]


def firing_rates(i: ArrayLike, n_neurons: int, duration: float) -> NDArray[np.float64]:
    """Return each neuron's mean rate [Hz], count / duration.

    Parameters
    ----------
    i : array of int, shape (n_spikes,)
        Which neuron fired each spike.
    n_neurons : int
        How many there are, silent ones included.
    duration : float
        How long was listened [s].

    Raises
    ------
    InputError
        If the duration is not positive or a neuron is out of range.

    Examples
    --------
    >>> firing_rates([0, 0, 2], n_neurons=3, duration=0.1).tolist()
    [20.0, 0.0, 10.0]
    """
    i = np.asarray(i, dtype=np.int64)
    if not duration > 0:
        raise InputError(f"firing_rates.duration: got {duration}; expected a positive number of seconds, such as 1.0")
    if i.size and (i.min() < 0 or i.max() >= n_neurons):
        raise InputError(f"firing_rates.i: got neurons {i.min()} to {i.max()}; expected 0 to {n_neurons - 1}")
    return np.bincount(i, minlength=n_neurons) / duration


def cv(t: ArrayLike) -> float:
    """Return the coefficient of variation of the intervals, standard deviation / mean: regular 0, Poisson 1.

    Parameters
    ----------
    t : array, shape (n_spikes,)
        One train [s].

    Returns
    -------
    float
        Dimensionless; NaN for fewer than three spikes.

    References
    ----------
    D. R. Cox, P. A. W. Lewis, "The statistical analysis of series of events", Methuen (1966).

    Examples
    --------
    >>> cv([0.0, 0.25, 0.5, 0.75])
    0.0
    """
    intervals = np.diff(_train("cv", t))
    return float(intervals.std() / intervals.mean()) if intervals.size > 1 and intervals.sum() > 0 else float("nan")


def local_variation(t: ArrayLike) -> float:
    """Return Lv = 3 mean(((I_k - I_k+1) / (I_k + I_k+1))**2) of the intervals I: regular 0, Poisson 1.

    Unlike :func:`cv` it is blind to slow changes of the rate.

    Parameters
    ----------
    t : array, shape (n_spikes,)
        One train [s], no two spikes at once.

    Returns
    -------
    float
        Dimensionless; NaN for fewer than three spikes.

    References
    ----------
    S. Shinomoto, K. Shima, J. Tanji, "Differences in spiking patterns among cortical neurons", Neural Computation
    15:2823 (2003).

    Examples
    --------
    >>> local_variation([0.0, 0.25, 0.5, 0.75])
    0.0
    """
    intervals = np.diff(_train("local_variation", t))
    if intervals.size < 2 or (intervals[1:] + intervals[:-1] <= 0).any():
        return float("nan")
    return float(3 * np.mean((np.diff(intervals) / (intervals[1:] + intervals[:-1])) ** 2))


def van_rossum(t: ArrayLike, u: ArrayLike, tau: float) -> float:
    """Return the van Rossum distance of two trains.

    Each spike becomes exp(-(s - t)/tau) from t on; D**2 is the integral of the squared difference, divided by
    tau. So D**2 = 1/2 for one spike against none, and 1 - exp(-|t - u|/tau) for one spike against another.

    Parameters
    ----------
    t, u : array, shape (n_spikes,)
        Trains [s].
    tau : float
        Time constant [s]. Short: D**2 counts the spikes that do not coincide. Long: D compares the counts.

    Returns
    -------
    float
        D, dimensionless.

    Raises
    ------
    InputError
        If ``tau`` is not positive or a train is not in order.

    Notes
    -----
    D**2 = sum over all pairs of spikes of q q' exp(-|t - t'|/tau) / 2, with q = 1 in one train and -1 in
    the other, summed in linear time by running along the merged trains.

    References
    ----------
    M. C. W. van Rossum, "A novel spike distance", Neural Computation 13:751 (2001).
    C. Houghton, T. Kreuz, "On the efficient calculation of van Rossum distances", Network 23:48 (2012).

    Examples
    --------
    >>> round(van_rossum([0.1], [], tau=0.01) ** 2, 12)
    0.5
    """
    if not tau > 0:
        raise InputError(f"van_rossum.tau: got {tau}; expected a positive number of seconds, such as 0.01")
    t, u = _train("van_rossum", t), _train("van_rossum", u)
    times, sign = np.concatenate([t, u]), np.repeat([1.0, -1.0], [t.size, u.size])
    order = np.argsort(times, kind="stable")
    decay, sign = np.exp(-np.diff(times[order]) / tau), sign[order]
    total, memory = float(times.size), 0.0
    for before, factor, now in zip(sign[:-1].tolist(), decay.tolist(), sign[1:].tolist(), strict=True):
        memory = (memory + before) * factor
        total += 2.0 * now * memory
    return float(np.sqrt(max(total, 0.0) / 2.0))


def victor_purpura(t: ArrayLike, u: ArrayLike, cost: float) -> float:
    """Return the Victor-Purpura distance: the least cost of turning one train into the other.

    Adding or deleting a spike costs 1, moving it by dt costs ``cost * |dt|``. So one spike is
    min(cost |t - u|, 2) from another.

    Parameters
    ----------
    t, u : array, shape (n_spikes,)
        Trains [s].
    cost : float
        Cost of moving a spike [1/s], 0 or above. 0: the difference of the counts. Large: coincidences only.

    Returns
    -------
    float
        Dimensionless.

    Raises
    ------
    InputError
        If ``cost`` is negative or a train is not in order.

    References
    ----------
    J. D. Victor, K. P. Purpura, "Nature and precision of temporal coding in visual cortex", J. Neurophysiol. 76:1310
    (1996).

    Examples
    --------
    >>> victor_purpura([0.25, 0.5], [0.5], cost=100.0)
    1.0
    """
    if not cost >= 0:
        raise InputError(f"victor_purpura.cost: got {cost}; expected a number of at least 0 per second, such as 100.0")
    t, u = _train("victor_purpura", t), _train("victor_purpura", u)
    steps = np.arange(u.size + 1.0)
    least = steps
    for each in t:
        moved = np.minimum(least[1:] + 1.0, least[:-1] + cost * np.abs(each - u))
        entered = np.concatenate([[least[0] + 1.0], moved])
        # Adding spikes of u: least[j] = min over k <= j of entered[k] + (j - k).
        least = np.minimum.accumulate(entered - steps) + steps
    return float(least[-1])


def _pair(owner: str, y: ArrayLike, answers: ArrayLike) -> tuple[NDArray, NDArray]:
    y, answers = np.asarray(y), np.asarray(answers)
    if y.shape != answers.shape or y.ndim != 1 or y.size == 0:
        raise InputError(f"{owner}: got shapes {y.shape} and {answers.shape}; expected twice (n_samples,), not empty")
    return y, answers


def _train(owner: str, t: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(t, dtype=float)
    if t.ndim != 1 or not np.isfinite(t).all() or (np.diff(t) < 0).any():
        raise InputError(f"{owner}: got a train that is not finite times in increasing order; expected one, sorted")
    return t
