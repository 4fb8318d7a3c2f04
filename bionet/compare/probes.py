"""The probes: each measurement defined once, and put to every contestant in the same way.

Noise, lesion and quantisation act on a finished network; nothing is learned anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bionet import metrics
from bionet.compare.question import Contestant, Decision, Question
from bionet.progress import Progress
from bionet.random import Stream

CURVES = {
    "noise": ("standard deviation of the noise", "Gaussian, independent for each pixel, then clipped to 0..1."),
    "lesion": ("fraction of units removed", "Hidden units at random; a larger lesion contains the smaller one."),
    "bits": ("bits per weight", "Each weight matrix to 2^bits even levels; biases and thresholds are kept."),
}
"""The probes along a level: name, the level's meaning, how it is done."""


def noisy(X: NDArray[np.float64], level: float, stream: Stream) -> NDArray[np.float64]:
    """Add Gaussian noise of standard deviation ``level`` to every pixel, then clip to [0, 1]."""
    return np.clip(X + level * stream.normal(X.shape), 0.0, 1.0)


def survivors(n_units: int, fraction: float, stream: Stream) -> NDArray[np.bool_]:
    """Say who is left of ``n_units`` when a random ``fraction`` is removed; larger lesions contain smaller ones."""
    order = stream.permutation(n_units)
    alive = np.ones(n_units, dtype=bool)
    alive[order[: round(fraction * n_units)]] = False
    return alive


def quantised(weights: NDArray[np.floating], bits: int) -> NDArray[np.floating]:
    """Round weights to ``2**bits`` evenly spaced levels, placed for the least mean squared error.

    The outermost levels lie at the quantiles q and 1 - q of the weights; q is searched from 0 to 0.49. A weight that
    is exactly 0 is a connection that is not there, and stays so.

    Examples
    --------
    >>> quantised(np.array([-1.1, -0.9, 0.0, 0.9, 1.1]), bits=1).round(1).tolist()
    [-1.0, -1.0, 0.0, 1.0, 1.0]
    """
    present = weights != 0
    values = weights[present].astype(float)
    if values.size == 0:
        return weights
    best, least = values, np.inf
    for tail in 0.49 * np.linspace(0.0, 1.0, 50) ** 3:
        low, high = np.quantile(values, (tail, 1 - tail))
        step = (high - low) / (2**bits - 1)
        if step > 0:
            rounded = low + step * np.clip(np.rint((values - low) / step), 0, 2**bits - 1)
            error = float(np.mean((rounded - values) ** 2))
            best, least = (rounded, error) if error < least else (best, least)
    result = np.zeros_like(weights)
    result[present] = best
    return result


def train(contestant: Contestant, question: Question, progress: Progress) -> dict[str, float]:
    """Let it learn, and say what that cost: samples seen, labels used, seconds."""
    start = perf_counter()
    contestant.fit(question, progress)
    seconds = perf_counter() - start
    return {
        "samples_seen": float(contestant.samples_seen),
        "labels_used": float(contestant.labels_used),
        "training_time": seconds,
    }


def judge(decision: Decision, y: NDArray[np.int64]) -> dict[str, float]:
    """Read one decision: accuracy, time and spikes until it is stable, work and energy.

    Returns
    -------
    dict of str to float
        ``accuracy`` [1]; ``decision_<unit>`` the median over samples of the time after which the running answer no
        longer changes; ``decision_spikes`` the median of the spikes until then; ``multiply_accumulates``, ``events``
        and ``energy`` [J], means over samples, of the whole presentation; ``energy_to_decision`` [J] until then.
    """
    stable, samples = metrics.decision_index(decision.answers), np.arange(y.size)
    macs, events = decision.multiply_accumulates, decision.events
    result = {
        "accuracy": metrics.accuracy(y, decision.labels),
        f"decision_{decision.unit}": float(np.median(decision.times[stable])),
        "multiply_accumulates": float(macs[-1].mean()),
        "events": float(events[-1].mean()),
        "energy": float(metrics.energy(macs[-1], events[-1]).mean()),
        "energy_to_decision": float(metrics.energy(macs[stable, samples], events[stable, samples]).mean()),
    }
    if decision.spikes is not None:
        result["decision_spikes"] = float(np.median(decision.spikes[stable, samples]))
    return result


def along(
    probe: str, contestant: Contestant, question: Question, levels: Sequence[float], seed: int, progress: Progress
) -> list[float]:
    """Return the accuracy at each level of one of the probes in :data:`CURVES`."""
    steps: Iterable[float] = progress(levels, f"{contestant.name}: {probe}")
    return [_accuracy(probe, contestant, question, level, Stream(seed, probe)) for level in steps]


def _accuracy(probe: str, contestant: Contestant, question: Question, level: float, stream: Stream) -> float:
    X, weights, alive = question.X_test, None, None
    if probe == "noise":
        X = noisy(X, level, stream)
    elif probe == "lesion":
        alive = survivors(contestant.n_units, level, stream)
    else:
        weights = {name: quantised(each, int(level)) for name, each in contestant.weights.items()}
    return metrics.accuracy(question.y_test, contestant.decide(X, weights, alive).labels)


SHOWN_SWEEPS = 30
"""How many sweeps :func:`accuracy_in_time` follows a settling network; one that has settled keeps its answer."""


def accuracy_in_time(decision: Decision, y: NDArray[np.int64]) -> xr.DataArray:
    """Return the accuracy of the running answer at each time, dimension ``time`` in the decision's unit."""
    times: NDArray[np.floating] = decision.times
    right = (decision.answers == y).mean(axis=1)
    if decision.unit == "sweep":
        # Other digits take another number of sweeps; the result of every seed has the same times.
        times = np.arange(1.0, SHOWN_SWEEPS + 1)
        right = right[np.minimum(np.arange(SHOWN_SWEEPS), right.size - 1)]
    attrs = {"units": "1", "long_name": "accuracy of the running answer"}
    time = xr.DataArray(times, dims="time", attrs={"units": decision.unit, "long_name": "time"})
    return xr.DataArray(right, {"time": time}, dims="time", attrs=attrs)
