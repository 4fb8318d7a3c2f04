"""The text of spikes that are fronts: see :mod:`bionet.spiking.engines.event_fronts`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import bionet.spiking.program as p
from bionet.spiking.departures import at_a_time, is_moving
from bionet.spiking.engines import event_fronts
from bionet.spiking.engines.event_batches import BatchText
from bionet.spiking.engines.event_names import decorated
from bionet.spiking.flow import VELOCITY

_TYPES = {
    "axons": "float64",
    "aside": "float64",
    "spikes": "float64",
    "control": "int64",
    "accuracy": "float64",
    "bases": "int64",
}
#: What stands for the functions of velocities that move by themselves where there are none.
_STILL = """
@njit
def travelled(pathway, i, t, span, memory):
    return 0.0
@njit
def reach(pathway, i, t, rest, accuracy, memory):
    return 0.0, 0.0
"""


class FrontText(BatchText):
    """Prints the functions of fronts."""

    def front(self, part: str) -> str:
        """Return a part of the arrays of all axons."""
        return self.place("fronts", 0, part, _TYPES.get(part, "int32"))

    def velocity_code(self, pathway: int) -> p.Code:
        """Return what computes a velocity."""
        return at_a_time(self.network.fronts[pathway], (VELOCITY,))

    def fronts(self) -> None:
        """Print the functions of fronts, if there are any."""
        numbers = sorted(self.network.fronts)
        if not numbers:
            return
        with self.function("queues(memory)"):
            self.add(f"return Queues({', '.join(map(self.front, event_fronts.Queues._fields))})")
        with self.function("velocity(pathway, i, t, memory)"):
            self.add("now, draw, i = t, 0, np.uint64(i)")
            for number in numbers:
                code = self.velocity_code(number)
                self.operation += 1
                with self.block(f"if pathway == {number}:"):
                    self.scalars(code)
                    self.elements(code, "i")
                    self.add(f"return {self.local(VELOCITY)}")
            self.add("return np.nan")
        moving = [number for number in numbers if is_moving(self.velocity_code(number))]
        with self.function("is_moving(pathway)"):
            self.add(f"return {' or '.join(f'pathway == {number}' for number in moving) or 'False'}")
        with self.function("axon_of(a, memory)"):
            bases = self.front("bases")
            for number in numbers:
                with self.block(f"if a < {bases}[{number + 1}]:"):
                    self.add(f"k = np.int64(a) - {bases}[{number}]")
                    in_order = self.axon_layouts[number].in_order
                    synapse = "k" if in_order else f"np.int64({self.axons(number, 'order')}[k])"
                    self.add(f"return {number}, k, {synapse}")
            self.add("return -1, np.int64(0), np.int64(0)")
        if not moving:
            self.functions.append(_STILL)
        for each in (*(event_fronts.MOVING if moving else ()), *event_fronts.FUNCTIONS):
            self.functions.append(decorated(each.__name__) + inspect.getsource(each))

    @contextmanager
    def velocities_changed(self, code: p.Code) -> Iterator[None]:
        """Print what is done around code of a synapse that may change velocities of fronts."""
        calls = []
        for number in sorted(self.network.fronts):
            if self.velocity_code(number).arrays_read() & code.arrays_written():
                layout = self.axon_layouts[number]
                place = "i" if layout.in_order else f"{self.axons(number, 'inverse')}[i]"
                axon = f"{self.front('bases')}[{number}] + np.int64({place})"
                calls.append(f"{axon}, {number}, np.int64(i), w, off, window, memory")
        for each in calls:
            self.add(f"before_change({each})")
        yield
        for each in calls:
            self.add(f"after_change({each})")
