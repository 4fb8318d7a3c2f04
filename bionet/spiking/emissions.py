"""Events that come from outside a network: given spikes and Poisson processes, in order of time."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bionet.random import Stream, bits, uniform
from bionet.spiking.continuous import Continuous, Given, PoissonDrive, PoissonSource
from bionet.spiking.intensities import ROOT, Intensity

#: Random events made at a time.
_MANY = 1 << 18


@njit(cache=True, error_model="numpy")
def _process(
    rates, windows, offsets, left, drawn, key, until_window, until_offset, length, out_w, out_off, out_i, out_marks
):
    """Write the events before a time of independent Poisson processes; return how many, or -1 if there is no room.

    ``left`` is the integral of each process's rate from its time (``windows``, ``offsets``) to its next event: an
    exponential number of mean 1. Each event has a mark, a uniform number beside that of the time before it.
    """
    n = 0
    for i in range(rates.size):
        if not rates[i] > 0:
            continue
        while True:
            later = offsets[i] + left[i] / rates[i]
            carry = np.floor(later / length)
            off = later - carry * length
            window = windows[i] + carry
            if window > until_window or (window == until_window and off >= until_offset):
                break
            if n == out_i.size:
                return -1
            out_w[n], out_off[n], out_i[n] = window, off, i
            out_marks[n] = float(bits(key, drawn[i] - 1, i)[1] >> np.uint64(11)) * 2.0**-53
            n += 1
            windows[i], offsets[i] = window, off
            left[i] = -math.log1p(-uniform(key, drawn[i], i))
            drawn[i] += 1
    return n


def in_order(times: NDArray, *ties: NDArray, runs: bool = False) -> NDArray[np.intp]:
    """Return ``np.lexsort((*ties, times))``: the order of times, and where two are equal that of the last of ties.

    Where none are equal one plain sort does; of a few long ``runs`` that are in order already, one that merges them.
    """
    order = np.argsort(times, kind="stable" if runs else None)
    ordered = times[order]
    return np.lexsort((*ties, times)) if np.any(ordered[1:] == ordered[:-1]) else order


@dataclass
class Processes:
    """The state of a group of Poisson processes."""

    key: np.uint64
    windows: NDArray
    offsets: NDArray
    left: NDArray
    drawn: NDArray
    rates: NDArray

    @classmethod
    def begin(cls, n: int, key: int, window: float, offset: float) -> Processes:
        """Return processes that begin at a time."""
        drawn = np.uint64(key)
        left = np.array([-math.log1p(-uniform(drawn, 0, i)) for i in range(n)])
        return cls(drawn, np.full(n, float(window)), np.full(n, offset), left, np.ones(n, np.int64), np.zeros(n))

    def settle(self, rates: NDArray, window: float, offset: float, length: float) -> None:
        """Change rates at a time."""
        changed = rates != self.rates
        spent = ((window - self.windows) * length + (offset - self.offsets)) * self.rates
        self.left[changed] = np.maximum(self.left - spent, 0.0)[changed]
        self.windows[changed], self.offsets[changed] = window, offset
        self.rates = np.where(changed, rates, self.rates)

    def until(self, window: float, offset: float, length: float, expected: int) -> tuple[NDArray, ...]:
        """Return the events before a time: windows, offsets, numbers and marks."""
        room = 2 * expected + 1024
        while True:
            kept = [each.copy() for each in (self.windows, self.offsets, self.left, self.drawn)]
            out = np.empty(room), np.empty(room), np.empty(room, np.int64), np.empty(room)
            n = _process(
                self.rates, self.windows, self.offsets, self.left, self.drawn, self.key, window, offset, length, *out
            )  # fmt: skip
            if n >= 0:
                return tuple(each[:n] for each in out)
            self.windows, self.offsets, self.left, self.drawn = kept
            room *= 2


class Emissions:
    """The events from outside, a stretch of time after the other.

    Parameters
    ----------
    network : Continuous
    randomness : Randomness
    length : float
        Of a window [s].
    left : dict
        The states of processes by name; kept up to date.
    first : int64 array
        The first unit of each flow and source.
    intensities : dict of str to Intensity
        Of the sources whose rates change all the time.

    Attributes
    ----------
    windows, offsets, units, kinds : arrays
        What happens in the present stretch, in order; ``kinds`` is -1 for a spike of a unit, else the number of the
        drive whose neuron ``units`` is.
    known_until : float
        The end of the stretch [s].
    """

    def __init__(
        self,
        network: Continuous,
        randomness: Any,
        length: float,
        left: dict[str, Any],
        first: NDArray,
        intensities: dict[str, Intensity],
    ) -> None:
        self.network, self.length, self.left, self.first = network, length, left, first
        self.intensities = intensities
        # What was drawn before is in the name: a network built anew after a run draws other numbers.
        self.seed, self.drawn = randomness.seed, randomness.draw
        self.windows, self.offsets = np.empty(0, np.int64), np.empty(0)
        self.units, self.kinds = np.empty(0, np.int32), np.empty(0, np.int32)
        self.known_until = 0.0

    def begin(self, start: float, rates: dict[str, NDArray], borders: NDArray) -> None:
        """Begin a run, with rates by name of source or drive [1/s] and the times at which they may change [s]."""
        self.begun = self.known_until = start
        self.borders = borders
        window = math.floor(start / self.length)
        for each in (*self.network.sources, *self.network.drives):
            if not isinstance(each, Given) and each.name not in self.left:
                stream = Stream(self.seed, f"poisson/{each.name}/{self.drawn}")
                self.left[each.name] = Processes.begin(each.n, stream.key, window, start - window * self.length)
        self.settle(start, rates)

    def settle(self, t: float, rates: dict[str, NDArray]) -> None:
        """Change rates at a time."""
        window = math.floor(t / self.length)
        for each in self.intensities.values():
            each.forget()
        for name, values in rates.items():
            processes = self.left[name]
            processes.settle(
                np.broadcast_to(values, processes.rates.shape), window, t - window * self.length, self.length
            )

    def more(self, end: float, done: int) -> None:
        """Go on to the next stretch, at most to ``end``; ``done`` events of the last one are over.

        Given spikes at the very end of a stretch belong to it, so that what is to come after them finds them there.
        """
        start = self.since = self.known_until
        steady = [each for each in self.random() if each.name not in self.intensities]
        total = sum(float(self.left[each.name].rates.sum()) for each in steady)
        total += sum(each.most(start) for each in self.intensities.values())
        stop = min(end, start + _MANY / total) if total else end
        if self.intensities:
            stop = min(stop, (math.floor(start / ROOT) + 1) * ROOT)
        after = self.borders[self.borders > start]
        if after.size and self.random():
            stop = min(stop, float(after[0]))
        window = math.floor(stop / self.length)
        offset = stop - window * self.length
        self.before = copy.deepcopy(self.left)
        found = []
        for number, each in enumerate(self.network.sources):
            unit = int(self.first[len(self.network.flows) + number])
            if isinstance(each, Given):
                times, indices = _given(each, start, stop)
                is_new = (times > start) | (start == self.begun)
                is_due = (times < stop) | ((times == stop) & (stop < end))
                times, indices = times[is_new & is_due], indices[is_new & is_due]
                w = np.floor(times / self.length)
                found.append((w, times - w * self.length, unit + indices, -1))
            elif each.name in self.intensities:
                found.append(self._thinned(each, start, stop, unit))
            else:
                found.append(self._random(each, window, offset, unit, -1, stop - start))
        for number, drive in enumerate(self.network.drives):
            found.append(self._random(drive, window, offset, drive.start, number, stop - start))
        if found:
            w, off, units = (np.concatenate([each[k] for each in found]) for k in range(3))
            kinds = np.concatenate([np.full(len(each[0]), each[3]) for each in found])
            order = in_order(w * self.length + off, units, kinds, off, w)
            self.windows = np.concatenate([self.windows[done:], w[order].astype(np.int64)])
            self.offsets = np.concatenate([self.offsets[done:], off[order]])
            self.units = np.concatenate([self.units[done:], units[order].astype(np.int32)])
            self.kinds = np.concatenate([self.kinds[done:], kinds[order].astype(np.int32)])
        self.known_until = stop

    def rewind(self, t: float) -> None:
        """Forget the events of the present stretch from ``t`` on: the run ends there."""
        self.left.update(self.before)
        window = math.floor(t / self.length)
        for each in self.random():
            if each.name in self.intensities:
                self._thinned(each, self.since, t, 0)
                continue
            expected = int(self.left[each.name].rates.sum() * (t - self.begun))
            self.left[each.name].until(window, t - window * self.length, self.length, expected)

    def random(self) -> list[PoissonSource | PoissonDrive]:
        """Return the sources and drives that are random."""
        return [*(each for each in self.network.sources if isinstance(each, PoissonSource)), *self.network.drives]

    def _random(self, each: Any, window: int, offset: float, unit: int, kind: int, time: float) -> tuple:
        processes = self.left[each.name]
        expected = int(processes.rates.sum() * time)
        w, off, i, _ = processes.until(window, offset, self.length, expected)
        return w, off, unit + i, kind

    def _thinned(self, each: Any, start: float, stop: float, unit: int) -> tuple:
        """Return the events in [start, stop) of processes whose rates change all the time."""
        processes, intensity = self.left[each.name], self.intensities[each.name]
        found = []
        for low, high, ceilings in intensity.pieces(start, stop):
            begin, end = math.floor(low / self.length), math.floor(high / self.length)
            processes.settle(ceilings, begin, low - begin * self.length, self.length)
            expected = int(ceilings.sum() * (high - low))
            w, off, i, marks = processes.until(end, high - end * self.length, self.length, expected)
            found.append((w, off, i, marks, ceilings[i]))
        if not found:
            return np.empty(0), np.empty(0), np.empty(0, np.int64), -1
        w, off, i, marks, ceilings = (np.concatenate(some) for some in zip(*found, strict=True))
        kept = intensity.kept(i, w, off, marks, ceilings)
        return w[kept], off[kept], unit + i[kept], -1


def _given(each: Given, start: float, stop: float) -> tuple[NDArray, NDArray]:
    """Return the given spikes in [start, stop]."""
    times, indices = each.times, each.indices
    if each.period > 0 and times.size:
        first, last = math.floor(start / each.period), math.floor(stop / each.period) + 1
        times = np.concatenate([k * each.period + times for k in range(first, last)])
        indices = np.tile(indices, last - first)
    inside = (times >= start) & (times <= stop)
    return times[inside], indices[inside]
