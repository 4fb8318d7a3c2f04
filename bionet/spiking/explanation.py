"""What an engine makes of a network, in words: which object runs where and why, memory, and what bounds the speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from brian2.core.base import BrianObject
from brian2.core.network import Network
from brian2.core.operations import NetworkOperation
from brian2.core.variables import ArrayVariable
from brian2.groups.neurongroup import StateUpdater
from brian2.monitors import EventMonitor, PopulationRateMonitor, StateMonitor
from brian2.synapses.synapses import Synapses, SynapticPathway
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.ends import held
from bionet.spiking.expressions import Call, Node, names, walk
from bionet.spiking.linear_step import linear_steps
from bionet.spiking.pathways import SpikeQueue
from bionet.spiking.reading import Reading

# Measured on one core with the state in its cache [s]: the update of a neuron, what each exp and the like adds to it,
# and the delivery of a spike to one synapse. They tell which of the two is larger, not how long a run takes.
_UPDATE, _FUNCTION, _DELIVERY = 0.8e-9, 0.8e-9, 1.15e-9
_CHEAP = {"abs", "ceil", "clip", "floor", "int", "sign", "timestep"}
IN_THE_LOOP = "in the loop"


@dataclass(frozen=True)
class Step:
    """One object of the step list.

    Attributes
    ----------
    name, slot : str
    dt : float
        The step of its clock [s].
    place : str
        ``"in the loop"``, ``"Brian2 (numpy)"`` (or another target of Brian2's), or ``"Python"``.
    method : str or None
        How differential equations are integrated.
    n : int or None
        How many neurons, synapses or sources it is about.
    remark : str
        Why it is not in the loop, or how else it differs from what one would expect.
    """

    name: str
    slot: str
    dt: float
    place: str
    method: str | None
    n: int | None
    remark: str


@dataclass(frozen=True)
class Pathway:
    """The way of spikes along a set of synapses.

    Attributes
    ----------
    name : str
    n_synapses : int
    delays : array of float
        The different delays, rounded to steps, ascending [s].
    rate : float or None
        How many synapses were reached per second of the network; None before a run, and if no `SpikeMonitor` records
        all its sources [1/s].
    """

    name: str
    n_synapses: int
    delays: NDArray
    rate: float | None


@dataclass(frozen=True)
class Explanation:
    """Which object of a network runs where, and why.

    Attributes
    ----------
    steps : tuple of Step
        The objects in the order in which a step runs them.
    pathways : tuple of Pathway
    memory : mapping of str to int
        By kind: ``"state"``, ``"synapses"``, ``"spikes under way"``, ``"monitors"`` [bytes].
    n_synapses, n_neurons : int
        In all; neurons are those with differential equations or other code for each step.
    traces : float
        How much monitors of states and rates grow [bytes per second of the network].
    update : float
        What the update of all states costs, estimated [seconds of one core per second of the network].
    n_steps : mapping of str to int
        How many steps each clock has made.
    threads : str
        How many threads run it, and why.
    waiting : mapping of str to str
        For each group of neurons with a threshold, whether they may wait for what arrives, or why not.
    """

    steps: tuple[Step, ...]
    pathways: tuple[Pathway, ...]
    memory: Mapping[str, int]
    n_synapses: int
    n_neurons: int
    traces: float
    update: float
    n_steps: Mapping[str, int]
    threads: str
    waiting: Mapping[str, str]

    @property
    def in_events(self) -> float | None:
        """Spikes that reach a neuron, one for each synapse, per neuron and second; None if some are not counted."""
        rates = [each.rate for each in self.pathways if each.rate is not None]
        return sum(rates) / self.n_neurons if self.n_neurons and len(rates) == len(self.pathways) else None

    @property
    def border(self) -> float:
        """The in-events per neuron and second at which delivery takes as long as the update of states, estimated."""
        return self.update / (_DELIVERY * self.n_neurons) if self.n_neurons else 0.0

    def __str__(self) -> str:
        if not self.steps:
            return "There is nothing to run."
        inside = sum(each.place == IN_THE_LOOP for each in self.steps)
        lines = [f"{inside} of {len(self.steps)} objects run in one compiled loop. A step runs, in this order:", ""]
        lines += _aligned([("object", "slot", "dt", "runs", "method", "n", ""), *map(_cells, self.steps)])
        if self.pathways:
            lines += ["", *_aligned([("pathway", "synapses", "delays"), *map(_way, self.pathways)])]
        lines += ["", self._memory_line(), self.threads, *self._bound()]
        lines += [f"{name}: {each}" for name, each in self.waiting.items()]
        return "\n".join(lines + [f"steps made: {n} of {name}" for name, n in self.n_steps.items()])

    def _memory_line(self) -> str:
        line = "memory: " + ", ".join(f"{kind} {_bytes(size)}" for kind, size in self.memory.items() if size)
        if self.n_synapses:
            line += f"; {self.memory['synapses'] / self.n_synapses:.3g} B per synapse"
        return line + (f"; traces grow by {_bytes(self.traces)} per second of the network" if self.traces else "")

    def _bound(self) -> list[str]:
        slow = [each.name for each in self.steps if each.place != IN_THE_LOOP and each.dt <= min(self._dts())]
        if slow:
            return [f"likely bound by what leaves the loop at every step: {', '.join(slow)}"]
        if not self.n_steps or not self.pathways or not self.n_neurons:
            return []
        unknown = [each.name for each in self.pathways if each.rate is None]
        if self.in_events is None:
            return [f"spikes delivered: not known, as no SpikeMonitor counts those of {', '.join(unknown)}"]
        bound = "the update of states" if self.in_events < self.border else "the delivery of spikes"
        return [
            f"spikes delivered: {self.in_events:.3g} per neuron and second; likely bound by {bound} "
            f"(near {self.border:.2g} both take the same)"
        ]

    def _dts(self) -> list[float]:
        return [each.dt for each in self.steps]


def explanation(
    network: Network, reading: Reading, methods: Mapping[str, str], threads: str, waited: Mapping[str, float]
) -> Explanation:
    """Explain a network that has been prepared for a run and read.

    Parameters
    ----------
    network : brian2.Network
    reading : Reading
    methods : mapping of str to str
        The integration method of each group, by its name.
    threads : str
        How many threads run it, and why.
    waited : mapping of str to float
        The share of the last run's steps in which the neurons of a group, by its name, waited.
    """
    program, clocks, t = reading.program, reading.clocks, float(network.t_)
    objects = [each for each in network.sorted_objects if each.active]
    by_name = {each.name: each for each in objects}
    rows = _of(program, p.RecordStates) + _of(program, p.RecordRate)
    updated = [each.group for each in objects if isinstance(each, StateUpdater) and each.code_objects]
    return Explanation(
        steps=tuple(
            _step(by_name[name], list(found), reading, methods)
            for name, found in groupby(program.operations, lambda each: each.name)
        ),
        pathways=tuple(_pathway(each, reading, t) for each in objects if isinstance(each, SynapticPathway)),
        memory=_memory(network.sorted_objects, reading),
        n_synapses=sum(len(each) for each in objects if isinstance(each, Synapses)),
        n_neurons=sum(map(len, updated)),
        traces=sum(each.row_size(program) / clocks[each.clock].dt_ for each in rows),
        update=sum(update_cost(each, program) / clocks[each.clock].dt_ for each in _of(program, p.Update)),
        n_steps={each.name: int(each.variables["timestep"].get_value()[0]) for each in clocks} if t else {},
        threads=threads,
        waiting=_waiting(program, waited if t else {}),
    )


def _waiting(program: p.Program, waited: Mapping[str, float]) -> dict[str, str]:
    steps, reasons = linear_steps(program)
    found = {name: f"advanced in every step, as {reason}" for name, reason in reasons.items()}
    for name in (each.name for each in steps):
        found[name] = "advanced only where something arrives or a spike may be near, where that saves time"
        if name in waited:
            found[name] += f": in {waited[name]:.0%} of the last run's steps"
    return dict(sorted(found.items()))


def _of(program: p.Program, kind: type) -> list[Any]:
    return [each for each in program.operations if isinstance(each, kind)]


# Steps


def _step(each: BrianObject, found: list[p.Operation], reading: Reading, methods: Mapping[str, str]) -> Step:
    place, remark = IN_THE_LOOP, ""
    first = found[0]
    if isinstance(first, p.Outside):
        place, remark = _outside(each), first.reason
    elif any(isinstance(op, p.Threshold) and op.hazard is not None for op in found):
        remark = "spikes are drawn by the gaps between them"
    method = methods.get(each.group.name) if hasattr(each, "method_choice") else None
    return Step(each.name, first.slot, reading.clocks[first.clock].dt_, place, method, _size(each), remark)


def _outside(each: BrianObject) -> str:
    if isinstance(each, NetworkOperation) or not each.code_objects:
        return "Python"
    code = each.code_objects[0]
    return f"Brian2 ({getattr(code, 'target', code).class_name})"


def _size(each: Any) -> int | None:
    if isinstance(each, StateMonitor):
        return len(each.record)
    for of in ("synapses", "source", "group"):
        if hasattr(each, of):
            return len(getattr(each, of))
    return len(each) if hasattr(each, "__len__") else None


# Pathways


def _pathway(each: SynapticPathway, reading: Reading, t: float) -> Pathway:
    queue, delays, delivered = each.queue, np.empty(0), None
    if isinstance(queue, SpikeQueue):
        steps = queue.shape[2:3] if queue.homogeneous else np.unique(queue.delay)
        delays = steps[: len(each.synapses)] * each.source.clock.dt_
        delivered = _delivered(each, queue, reading)
    return Pathway(each.name, len(each.synapses), delays, delivered / t if t and delivered is not None else None)


def _delivered(pathway: SynapticPathway, queue: SpikeQueue, reading: Reading) -> float | None:
    """Return how many synapses have been reached, counted at the sources; None where nobody counts."""
    program = reading.program
    sent = next((each.events for each in _of(program, p.Push) if each.name == pathway.name), None)
    for each in _of(program, p.RecordEvents):
        start, stop = program.integers[each.start.slot], program.integers[each.stop.slot]
        if each.events == sent and start <= queue.source_start and queue.source_end <= stop:
            count = reading.values()[each.count][queue.source_start - start : queue.source_end - start]
            return float(count @ np.diff(queue.begin if queue.homogeneous else queue.begin[queue.first]))
    return None


# Memory and cost


def _memory(objects: Iterable[BrianObject], reading: Reading) -> dict[str, int]:
    sizes = Counter({"state": sum(table.nbytes for table in reading.tables.values())})
    kinds = {each.name: _kind(each) for each in objects}
    # One variable may have several names.
    variables = {id(each): each for owner in objects for each in getattr(owner, "variables", {}).values()}
    for each in variables.values():
        if isinstance(each, ArrayVariable) and getattr(each.owner, "name", None) in kinds:
            sizes[kinds[each.owner.name]] += held(each).nbytes
    for queue in (each.queue for each in reading.pathways):
        for part in (queue, *queue.parts):
            sizes["synapses"] += part.nbytes
            sizes["spikes under way"] += part.ring.nbytes + part.strays.nbytes
    return dict(sizes)


def _kind(owner: BrianObject) -> str:
    if isinstance(owner, Synapses | SynapticPathway):
        return "synapses"
    return "monitors" if isinstance(owner, EventMonitor | StateMonitor | PopulationRateMonitor) else "state"


def update_cost(each: p.Update, program: p.Program) -> float:
    """Estimate the time of one update of all elements [s]."""
    code = each.code
    varying = {name for name, found in code.names.items() if isinstance(found, p.Reference) and found.index != "0"}
    varying |= {statement.target for statement in code.vector}
    # The loop runs the alternatives where there are any.
    forms = [[tree for _, tree in each.alternatives] or [each.value] for each in code.vector]
    calls = sum(max(_costly_calls(tree, code, varying) for tree in trees) for trees in forms)
    return int(program.integers[each.n.slot]) * (_UPDATE + _FUNCTION * calls)


def _costly_calls(tree: Node, code: p.Code, varying: set[str]) -> int:
    """Count the calls that take time for every element; functions of constants are called once."""
    count = 0
    for node in walk(tree):
        if isinstance(node, Call):
            function = code.functions[node.function]
            if isinstance(function, p.Elementary):
                count += function.name not in _CHEAP and bool(varying & set(names(node)))
            else:
                count += 1
    return count


# Text


def _cells(each: Step) -> tuple[str, ...]:
    n = "" if each.n is None else str(each.n)
    return each.name, each.slot, _ms(each.dt), each.place, each.method or "", n, each.remark


def _way(each: Pathway) -> tuple[str, ...]:
    delays = ""
    if len(each.delays):
        first, last = _ms(each.delays[0]), _ms(each.delays[-1])
        delays = first if len(each.delays) == 1 else f"{len(each.delays)} from {first} to {last}"
    return each.name, str(each.n_synapses), delays


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.6g} ms"


def _bytes(size: float) -> str:
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"
