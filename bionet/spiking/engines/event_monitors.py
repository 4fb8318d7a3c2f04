"""What monitors of the ``event`` engine have recorded, until it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.emissions import in_order
from bionet.spiking.engines.event_memory import Time
from bionet.spiking.engines.event_queues import FIRST_MONITOR

_SPIKES = 1 << 16
_VALUES = 1 << 20
_ENDLESS = 1 << 60

Append = Callable[[p.Operation, dict[str, NDArray], int], None]


class Recording:
    """The buffers of all monitors.

    Parameters
    ----------
    program : Program
    arrays : list of array
        Its arrays.
    control : int64 array
        Three places for each monitor from ``FIRST_MONITOR`` on: how much is recorded, how much there is room for, and
        how much one instant can bring.
    append : callable
        ``append(operation, columns, count)``: hands over what was recorded.
    """

    def __init__(self, program: p.Program, arrays: list[NDArray], control: NDArray, append: Append) -> None:
        self.program, self.control, self.append = program, control, append
        self.buffers: dict[tuple[int, str], NDArray] = {}
        self.counts: dict[int, NDArray] = {}
        self.rates: dict[int, tuple[list[float], list[float]]] = {}
        # Where several threads run a network: what those behind the first have recorded.
        self.others: list[Recording] = []
        for each in program.operations:
            if isinstance(each, p.RecordEvents):
                most = arrays[each.events].size
                room = max(_SPIKES, 4 * most)
                self._make(each, room, 1, most)
            elif isinstance(each, p.RecordStates):
                width = self._width(each)
                room = max(_VALUES // max(width * len(each.columns), 1), 16)
                self._make(each, room, width, 0)
                self.buffers[each.monitor, "t"] = np.empty(room)
            elif isinstance(each, p.RecordRate):
                self.counts[each.monitor], self.rates[each.monitor] = np.zeros(1, np.int64), ([], [])

    def _width(self, each: p.Operation) -> int:
        return int(self.program.integers[each.n_indices.slot]) if isinstance(each, p.RecordStates) else 1

    def _make(self, each: p.RecordEvents | p.RecordStates, room: int, width: int, most: int) -> None:
        place = FIRST_MONITOR + 3 * each.monitor
        # The loop asks for room for spikes; rows of states are looked after here.
        self.control[place + 1 : place + 3] = (room if most else _ENDLESS), most
        for k, (_, array) in enumerate(each.columns):
            self.buffers[each.monitor, str(k)] = np.empty(room * width, self.program.arrays[array].dtype)

    def states(
        self, each: p.RecordStates, take: Any, length: float, memory: Callable[[], Any]
    ) -> Callable[[float], None]:
        """Return what records the states of a monitor at a time.

        ``take`` is the compiled function that writes one row; ``length`` that of a window [s].
        """
        place = FIRST_MONITOR + 3 * each.monitor

        def record(t: float) -> None:
            times = self.buffers[each.monitor, "t"]
            if self.control[place] == len(times):
                self.flush()
            row, time = int(self.control[place]), Time.of(t, length)
            take(time.window, time.offset, t, row, memory())
            times[row] = t
            self.control[place] = row + 1

        return record

    def rate(self, each: p.RecordRate, dt: float) -> Callable[[float], None]:
        """Return what records a population's rate in the interval of ``dt`` [s] that ends at a time."""
        n = int(self.program.integers[each.n_sources.slot])
        times, values = self.rates[each.monitor]

        def record(t: float) -> None:
            times.append(round(t / dt - 1) * dt)
            counts = [recording.counts[each.monitor] for recording in (self, *self.others)]
            values.append(sum(int(count[0]) for count in counts) / dt / n)
            for count in counts:
                count[0] = 0

        return record

    def grow(self) -> None:
        """Double the buffers of spikes that have no room for what an instant may bring."""
        for each in self.program.operations:
            if isinstance(each, p.RecordEvents):
                count, room, most = self.control[FIRST_MONITOR + 3 * each.monitor :][:3]
                if count + most > room:
                    for k in range(len(each.columns)):
                        old = self.buffers[each.monitor, str(k)]
                        self.buffers[each.monitor, str(k)] = np.concatenate([old, np.empty_like(old)])
                    self.control[FIRST_MONITOR + 3 * each.monitor + 1] = 2 * room

    def flush(self) -> None:
        """Hand over all that was recorded: what several threads have, in order of time and then of neurons."""
        for each in self.program.operations:
            if isinstance(each, p.RecordEvents | p.RecordStates):
                place, width = FIRST_MONITOR + 3 * each.monitor, self._width(each)
                count = 0
                found: dict[str, list[NDArray]] = {}
                for recording in (self, *self.others):
                    own = int(recording.control[place])
                    count += own
                    recording.control[place] = 0
                    for (monitor, part), buffer in recording.buffers.items():
                        if monitor == each.monitor:
                            found.setdefault(part, []).append(buffer[: own * (1 if part == "t" else width)])
                if count:
                    columns = {part: np.concatenate(some) if len(some) > 1 else some[0] for part, some in found.items()}
                    if self.others and isinstance(each, p.RecordEvents):
                        columns = _in_order(each, columns)
                    self.append(each, columns, count)
            elif isinstance(each, p.RecordRate) and self.rates[each.monitor][0]:
                times, values = self.rates[each.monitor]
                self.append(each, {"t": np.array(times), "0": np.array(values)}, len(times))
                times.clear()
                values.clear()


def _in_order(each: p.RecordEvents, columns: dict[str, NDArray]) -> dict[str, NDArray]:
    names = [name for name, _ in each.columns]
    if "_to_record_t" not in names:
        return columns
    units, times = (columns[str(names.index(f"_to_record_{name}"))] for name in "it")
    order = in_order(times, units, runs=True)
    return {part: column[order] for part, column in columns.items()}
