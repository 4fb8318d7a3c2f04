"""What the event engine makes of a network, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.core.network import Network
from brian2.units import second

import bionet.spiking.program as p
from bionet.spiking.continuous import Continuous, Given, read_continuous
from bionet.spiking.flow import Flow, NotLinearError, linear_system
from bionet.spiking.solutions import kept_solutions
from bionet.spiking.unstepped import without_steps

# Measured on one core with the state in its cache [s]: a spike that reaches a neuron of the event engine (CUBA, 4,000
# cells), and a step of a neuron on the grid. They tell which engine is faster, not how long a run takes. Of an Intel
# processor with AVX-512; an EPYC of 2022 has 39 and 0.65 ns, one of 2017 without AVX-512 78 and 4 ns: so what they say
# of the border is right within a factor of two or so.
_EVENT, _STEP = 3.2e-8, 0.8e-9


@dataclass(frozen=True)
class EventExplanation:
    """How a network runs in continuous time.

    Attributes
    ----------
    groups : tuple of (str, int, str)
        Name, size, and how the neurons move between events.
    pathways : tuple of (str, int, str)
        Name, synapses, delays.
    pauses : tuple of (str, str)
        What happens at times of its own: the object, and when.
    dt : float
        The step that the grid engine would take [s].
    """

    groups: tuple[tuple[str, int, str], ...]
    pathways: tuple[tuple[str, int, str], ...]
    pauses: tuple[tuple[str, str], ...]
    dt: float

    @property
    def border(self) -> float:
        """The spikes that reach a neuron per second below which the event engine is the faster one, estimated."""
        return _STEP / self.dt / _EVENT

    def __str__(self) -> str:
        lines = ["Runs in continuous time, from event to event."]
        for title, rows in (("group", self.groups), ("pathway", self.pathways)):
            if rows:
                width = max(len(row[0]) for row in rows)
                lines += ["", f"{title:<{width}}  {'n':>9}", *(f"{a:<{width}}  {n:>9}  {text}" for a, n, text in rows)]
        lines += [""] * bool(self.pauses) + [f"{name}: {when}" for name, when in self.pauses]
        lines += ["", f'engine="grid" at dt = {self.dt * second} is faster where more than about {self.border:.0f} '
                  "spikes a second reach each neuron (estimated)"]  # fmt: skip
        return "\n".join(lines)


def explained(network: Network, namespace: dict[str, Any]) -> EventExplanation:
    """Prepare a network for a run in continuous time, and explain it.

    Parameters
    ----------
    network : brian2.Network
    namespace : dict
        The names around the call of ``run``.
    """
    with kept_solutions(), without_steps():
        Network.before_run.original_function(network, namespace)
    clocks = sorted(network._clocks, key=lambda clock: clock.name)
    read = read_continuous([each for each in network.sorted_objects if each.active], clocks, namespace)
    groups = [(flow.name, flow.n, _motion(flow)) for flow in read.flows]
    for source in read.sources:
        groups.append((source.name, source.n, "given spikes" if isinstance(source, Given) else "Poisson processes"))
    for drive in read.drives:
        groups.append((drive.name, drive.n, f"Poisson events, {drive.rate:g} a second for each neuron"))
    dt = min((float(clock.dt_) for clock in clocks), default=1e-4)
    return EventExplanation(tuple(groups), tuple(_ways(read)), tuple(_pauses(read, clocks)), dt)


def _motion(flow: Flow) -> str:
    fires = "" if flow.hazard is None else ", fires at random"
    try:
        linear_system(flow)
    except NotLinearError as error:
        return f"integrated, each neuron in steps of its own{fires}: {error}"
    return f"closed form{fires}"


def _ways(read: Continuous) -> Iterable[tuple[str, int, str]]:
    for number, pathway in enumerate(read.reading.pathways):
        delays = read.delays[number] * 1e3
        text = "no delay" if delays.size == 0 or np.all(delays == 0) else f"{delays.min():g} to {delays.max():g} ms"
        if delays.size and delays.min() == delays.max() > 0:
            text = f"{delays.min():g} ms"
        if number in read.changing:
            text = "delays that change"
        if number in read.fronts:
            text = "fronts on axons"
        yield pathway.name, len(pathway.synapses), text


def _pauses(read: Continuous, clocks: list[Any]) -> Iterable[tuple[str, str]]:
    kinds = {p.RecordStates: "records states", p.RecordRate: "counts spikes", p.Update: "runs for all elements"}
    for each in read.reading.program.operations:
        every = f"every {clocks[each.clock].dt}"
        if type(each) in kinds:
            yield each.name, f"{kinds[type(each)]} {every}"
        elif isinstance(each, p.Outside):
            yield each.name, f"runs in Python {every}"
