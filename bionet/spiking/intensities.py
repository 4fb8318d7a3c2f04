"""Poisson processes whose rates change all the time: events by thinning, under ceilings that are proved.

Time is divided into pieces, halves of halves of eighths of a second, on each of which interval arithmetic
(:mod:`bionet.spiking.enclosure`) gives a ceiling that no rate exceeds. Candidates come at the rate of the ceiling;
each is kept with a probability of the rate at its very time over the ceiling, and those that are kept are a Poisson
process of exactly that rate [1]_. The pieces depend on the expression alone, so a run in parts draws what a whole one
draws.

References
----------
.. [1] P. A. W. Lewis, G. S. Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", Naval Research
   Logistics Quarterly 26 (1979), 403-413.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.errors import BionetError
from bionet.spiking.enclosure import Interval, enclosed
from bionet.spiking.expressions import Binary, Call, Node, Unary
from bionet.spiking.flow import is_now

#: Pieces begin as long as this [s].
ROOT = 2.0**-3
# Where rates cannot be told from negative ones, pieces are halved to the first; without a ceiling, to the second [s].
_FINE, _FINEST = 2.0**-10, 2.0**-30
#: Candidates of a piece that may be in vain, at least.
_IN_VAIN = 64
#: So many pieces without a ceiling are too many.
_HOPELESS = 1 << 10
#: Rounding of what is 0.
_ROUNDING = 1e-9


def moves(code: p.Code) -> bool:
    """Return whether what code computes changes with time other than at the steps of tables of time."""
    return any(_reads_time(each.value, code) for each in (*code.scalar, *code.vector))


def _reads_time(tree: Node, code: p.Code) -> bool:
    parts: tuple[Node, ...] = ()
    match tree:
        case Unary():
            parts = (tree.operand,)
        case Binary():
            parts = (tree.left, tree.right)
        case Call(function, arguments):
            is_table = isinstance(code.functions[function], p.Table) and is_now(arguments[0])
            parts = arguments[1:] if is_table else arguments
    return is_now(tree) or any(_reads_time(each, code) for each in parts)


class Intensity:
    """The rates of a source, and their ceilings.

    Parameters
    ----------
    name : str
        That of the source.
    n : int
        How many processes there are.
    code : Code
        Computes ``_rate`` [1/s].
    values : Values
        What names stand for.
    rates : callable
        ``rates(i, windows, offsets)``: the rates of processes at times, compiled.
    length : float
        Of a window [s].
    """

    def __init__(
        self, name: str, n: int, code: p.Code, values: Any, rates: Callable[..., NDArray], length: float
    ) -> None:
        self.name, self.n, self.code, self.values, self.rates, self.length = name, n, code, values, rates, length
        self.known: dict[int, tuple[NDArray, NDArray]] = {}

    def forget(self) -> None:
        """Forget ceilings: parameters have changed."""
        self.known.clear()

    def most(self, t: float) -> float:
        """Return the sum of all ceilings, the largest there is from about a time on [1/s]."""
        return float(self._of(math.floor(t / ROOT))[1].sum(axis=1).max())

    def pieces(self, start: float, stop: float) -> Iterator[tuple[float, float, NDArray]]:
        """Yield the pieces of [start, stop), each with the ceilings of all processes [1/s]."""
        for k in range(math.floor(start / ROOT), math.ceil(stop / ROOT)):
            edges, ceilings = self._of(k)
            for low, high, ceiling in zip(edges[:-1], edges[1:], ceilings, strict=True):
                if high > start and low < stop:
                    yield max(float(low), start), min(float(high), stop), ceiling

    def kept(self, i: NDArray, windows: NDArray, offsets: NDArray, marks: NDArray, ceilings: NDArray) -> NDArray:
        """Return which candidates are events; ``marks`` are uniform numbers."""
        rates = self.rates(i, windows, offsets)
        wrong = np.flatnonzero(~((rates >= -_ROUNDING * ceilings) & (rates <= ceilings * (1 + _ROUNDING))))
        if wrong.size:
            at = wrong[0]
            refuse_rate(self.name, rates[at], int(i[at]), windows[at] * self.length + offsets[at])
        return marks * ceilings < rates

    def _of(self, k: int) -> tuple[NDArray, NDArray]:
        """Return the edges of the pieces of the k-th eighth of a second, and their ceilings."""
        if k not in self.known:
            if len(self.known) > 1:
                self.known.clear()
            self.known[k] = self._divided(k * ROOT, (k + 1) * ROOT)
        return self.known[k]

    def _divided(self, start: float, stop: float) -> tuple[NDArray, NDArray]:
        starts, width = np.array([start]), stop - start
        found: list[tuple[NDArray, NDArray]] = []
        while starts.size:
            low, high = self._bounds(starts, starts + width)
            below = np.argwhere(high < 0)
            if below.size:
                piece, i = below[0]
                refuse_rate(self.name, float(high[piece, i]), int(i), float(starts[piece] + 0.5 * width))
            no_ceiling = ~np.all(np.isfinite(high), axis=1)
            if np.any(no_ceiling) and (width <= _FINEST or no_ceiling.sum() > _HOPELESS):
                self._refuse_ceiling(float(starts[no_ceiling][0]), width)
            in_vain = np.sum(high - np.maximum(low, 0.0), axis=1) * width
            divides = no_ceiling | (in_vain > max(_IN_VAIN, self.n))
            if width > _FINE:
                divides |= np.any(low < -_ROUNDING * np.maximum(np.abs(high), 1.0), axis=1)
            if width <= _FINEST:
                divides[:] = False
            found.append((starts[~divides], high[~divides]))
            width *= 0.5
            starts = np.sort(np.concatenate([starts[divides], starts[divides] + width]))
        edges, ceilings = (np.concatenate([each[k] for each in found]) for k in range(2))
        order = np.argsort(edges)
        return np.append(edges[order], stop), ceilings[order]

    def _bounds(self, start: NDArray, stop: NDArray) -> Interval:
        """Return bounds of all rates on intervals of time: one row for each interval."""
        of_names = self.values.of(self.code, float(start[0]))
        values: dict[str, Interval] = {
            name: (np.asarray(each, float), np.asarray(each, float))
            for name, each in of_names.items()
            if not callable(each)
        }
        values["t"] = start[:, None], stop[:, None]
        for each in (*self.code.scalar, *self.code.vector):
            values[each.target] = enclosed(each.value, values, self.code, self.values.program, self.values.table_values)
        low, high = (np.broadcast_to(each, (len(start), self.n)) for each in values["_rate"])
        return np.where(np.isnan(low), -np.inf, low), high

    def _refuse_ceiling(self, t: float, width: float) -> None:
        ends = np.repeat([t, t + width], self.n)
        windows = np.floor(ends / self.length)
        rates = self.rates(np.tile(np.arange(self.n), 2), windows, ends - windows * self.length)
        wrong = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
        if wrong.size:
            refuse_rate(self.name, rates[wrong[0]], int(wrong[0] % self.n), ends[wrong[0]])
        raise BionetError(
            f'{self.name}.rates: no upper bound was found near t = {t:.6g} s; engine="event" needs one to draw spikes; '
            "expected an expression that stays finite, such as clip(rates, 0*Hz, 1*kHz)"
        )


def require_rates(name: str, rates: NDArray, t: float) -> NDArray:
    """Return the rates of a source at a time, each of them a rate.

    Raises
    ------
    BionetError
    """
    wrong = np.flatnonzero(~((rates >= 0) & (rates < math.inf)))
    if wrong.size:
        refuse_rate(name, float(rates[wrong[0]]), int(wrong[0]), t)
    return rates


def refuse_rate(name: str, rate: float, i: int, t: float) -> None:
    """Say which rate was none.

    Raises
    ------
    BionetError
    """
    raise BionetError(
        f"{name}.rates: got {rate:.6g} Hz at index {i}, t = {t:.6g} s; expected a finite rate of 0 Hz or more, such as "
        "clip(rates, 0*Hz, 1*kHz)"
    )
