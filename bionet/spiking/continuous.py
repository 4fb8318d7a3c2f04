"""A Brian2 network read for continuous time: the equations themselves in place of their steps.

What cannot be done without a step is refused here, with the object, the reason and the engine that can.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from brian2.codegen.codeobject import create_runner_codeobj
from brian2.core.base import BrianObject
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.operations import NetworkOperation
from brian2.groups import neurongroup
from brian2.groups.group import CodeRunner
from brian2.input.poissongroup import PoissonGroup
from brian2.input.poissoninput import PoissonInput
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.monitors import EventMonitor, PopulationRateMonitor, StateMonitor
from brian2.spatialneuron.spatialneuron import SpatialStateUpdater
from brian2.synapses import synapses
from brian2.units import Quantity, amp, second, siemens, volt
from brian2.units.fundamentalunits import DIMENSIONLESS
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.errors import InputError
from bionet.spiking.conditions import compared, hazard, names_in, with_hazard
from bionet.spiking.conduction import conduction_of
from bionet.spiking.departures import at_a_time, check_front, now_of
from bionet.spiking.enclosure import without_bounds
from bionet.spiking.flow import DELAY, DISTANCE, HAZARD, HOLD, LENGTH, REFRACTORY, SPENT, VELOCITY, Flow
from bionet.spiking.intensities import moves
from bionet.spiking.reading import NotFusedError, Reading, _Reader

_GRID = 'use engine="grid"'
# Errors that no measurement of a neuron could show.
_ATOL = {DIMENSIONLESS: 1e-13, volt.dim: 1e-14, amp.dim: 1e-22, siemens.dim: 1e-21}


@dataclass(frozen=True)
class Given:
    """A group whose spikes are given: ``indices`` fire at ``times`` [s], again after each ``period`` [s] if above 0."""

    name: str
    n: int
    events: int
    indices: NDArray
    times: NDArray
    period: float


@dataclass(frozen=True)
class PoissonSource:
    """A group of Poisson processes; ``code`` computes ``_rate`` [1/s], which ``moves`` if it changes all the time."""

    name: str
    n: int
    events: int
    code: p.Code
    moves: bool


@dataclass(frozen=True)
class PoissonDrive:
    """Poisson events of ``rate`` [1/s] at each of ``n`` neurons from ``start`` on, each of which runs ``code``."""

    name: str
    start: int
    n: int
    rate: float
    code: p.Code


@dataclass(frozen=True)
class Continuous:
    """A network in continuous time.

    Attributes
    ----------
    reading : Reading
        Arrays, constants, pathways and monitors, and the operations that are not tied to steps.
    flows : tuple of Flow
    sources : tuple of Given or PoissonSource
    drives : tuple of PoissonDrive
    delays : list of array
        Of each pathway [s]: one for all synapses, or one for each.
    changing : mapping of int to Code
        For the pathways whose delays change, by number: what computes ``_delay`` of a synapse [s].
    fronts : mapping of int to Code
        For those whose spikes are fronts: what computes ``_length`` [m] and ``_velocity`` [m/s] of a synapse.
    """

    reading: Reading
    flows: tuple[Flow, ...]
    sources: tuple[Given | PoissonSource, ...]
    drives: tuple[PoissonDrive, ...]
    delays: list[NDArray]
    changing: Mapping[int, p.Code]
    fronts: Mapping[int, p.Code]


def read_continuous(objects: Iterable[BrianObject], clocks: Iterable[Any], namespace: dict[str, Any]) -> Continuous:
    """Read objects that Brian2 has prepared for a run.

    Parameters
    ----------
    objects : iterable of BrianObject
        The active objects, sorted; their ``before_run`` has been called.
    clocks : iterable of Clock
        All clocks of the network.
    namespace : dict
        The names around the call of ``run``.

    Raises
    ------
    InputError
        If something has no meaning without a step.
    """
    return _Continuous(list(clocks), "bionet").read_without_steps(list(objects), namespace)


def _refuse(name: str, what: str, instead: str = _GRID) -> InputError:
    return InputError(f'{name}: {what}; engine="event" knows no steps of time; {instead}')


class _Continuous(_Reader):
    def read_without_steps(self, objects: list[BrianObject], namespace: dict[str, Any]) -> Continuous:
        self.namespace = namespace
        self.flows: list[Flow] = []
        self.sources: list[Given | PoissonSource] = []
        self.drives: list[PoissonDrive] = []
        updaters = [each for each in objects if isinstance(each, neurongroup.StateUpdater)]
        for each in objects:
            if not isinstance(each, neurongroup.StateUpdater):
                self.one(each)
        for each in updaters:
            self.flows.append(self.flow(each.group))
        self.check_sources()
        delays = [np.asarray(each.variables["delay"].get_value()) for each in self.pathways]
        changing, fronts = {}, {}
        for number, pathway in enumerate(self.pathways):
            found = conduction_of(pathway)
            if found is not None:
                delays[number] = np.zeros(1)
                if found.in_flight == "front":
                    text = f"{LENGTH} = {found.length}\n{VELOCITY} = {found.velocity}"
                    fronts[number] = self.of_synapses(pathway, text, LENGTH, VELOCITY)
                    check_front(pathway.name, fronts[number])
                else:
                    changing[number] = self.of_synapses(pathway, f"{DELAY} = {found.expression}", DELAY)
        program = p.Program(
            self.clock_records,
            tuple(self.records),
            tuple(self.operations),
            np.array(self.floats, np.float64),
            np.array(self.integers, np.int64),
            len(self.pathways),
            len(self.monitors),
        )
        reading = Reading(
            program, self.arrays, self.pathways, self.monitors, self.objects, list(self.clocks), self.tables
        )
        return Continuous(reading, tuple(self.flows), tuple(self.sources), tuple(self.drives), delays, changing, fronts)

    def of_synapses(self, pathway: Any, text: str, *wanted: str) -> p.Code:
        """Return what computes values of synapses as they are at a time, their equations solved up to it."""
        return at_a_time(self.code_of(pathway.synapses, now_of(pathway) + text), wanted)

    def one(self, each: BrianObject) -> None:
        match each:
            case NetworkOperation():
                self.outside(each, "it is a Python function")
            case neurongroup.Thresholder(group=PoissonGroup() as group):
                self.poisson(group)
            case neurongroup.Thresholder(group=group):
                if each.event != "spike":
                    raise _refuse(group.name, f"the event '{each.event}' has a condition of its own")
            case SpikeGeneratorGroup():
                self.given_spikes(each)
            case PoissonInput():
                self.poisson_input(each)
            case SpatialStateUpdater():
                raise _refuse(each.group.name, "compartments that exchange current all the time are not events")
            case neurongroup.SubexpressionUpdater():
                raise _refuse(each.group.name, "a subexpression is marked 'constant over dt'")
            case synapses.StateUpdater():
                text = "its synapses have clock-driven equations"
                raise _refuse(each.group.name, text, f"mark them '(event-driven)', or {_GRID}")
            case synapses.SummedVariableUpdater():
                raise _refuse(each.group.name, f"'{each.target_var.name}' is summed over synapses all the time")
            case EventMonitor() | StateMonitor() | PopulationRateMonitor() | CodeRunner():
                self.code_objects(each)
            case _ if type(each).run is not BrianObject.run:
                self.outside(each, "its own code")

    def code_objects(self, each: CodeRunner) -> None:
        if isinstance(each, EventMonitor) and each.event != "spike":
            raise _refuse(each.source.name, f"the event '{each.event}' has a condition of its own")
        try:
            for code in each.code_objects:
                self.operations.append(self.operation(each, code))
        except (NotFusedError, InputError) as error:
            raise _refuse(each.name, str(error)) from None

    # Groups

    def flow(self, group: Any) -> Flow:
        equations = group.user_equations
        if equations.is_stochastic:
            raise _refuse(
                group.name,
                "its equations contain the noise term xi, and no spike has an exact time under white noise",
                f"{_GRID}, or drive the group with PoissonInput",
            )
        own = sorted(group.equations.diff_eq_names)
        lines = [f"_d_{name} = {equations[name].expr.code}" for name in own]
        fires_at, rate = None, hazard(group.events["spike"]) if "spike" in group.events else None
        if rate is not None:
            fires_at = ">"
            lines.append(f"{HAZARD} = {rate}")
        elif "spike" in group.events:
            fires_at, distance = _comparison(group)
            lines.append(f"{DISTANCE} = {distance}")
        released_at = None
        if group._refractory is not False:
            released_at, text = self.refractoriness(group)
            lines.append(f"{HOLD if released_at else REFRACTORY} = {text}")
        code = self.code_of(group, "\n".join(lines))
        self.check_steps(group.name, "its equations or its threshold", code)
        written = set().union(*(each.arrays_written() for each in self.codes()))
        states = [self.array(group.variables[name]) for name in own]
        moved = [
            number
            for number in sorted(code.arrays_read() & written - set(states))
            if self.records[number].owner == group.name and not self.records[number].scalar
            and self.records[number].name not in ("not_refractory", "lastspike")
        ]  # fmt: skip
        clamped = ["unless refractory" in equations[name].flags for name in own] + [False] * len(moved)
        derivatives: list[str | None] = [*(f"_d_{name}" for name in own), *(None for _ in moved)]
        atol = [_ATOL.get(self.arrays[number].dim, 1e-18) for number in (*states, *moved)]
        if rate is not None:
            # What is left until the next spike, which stands still in a refractory period, and how many were drawn.
            left, drawn = (self.table(group.name, np.zeros(len(group))) for _ in range(2))
            self.records[left] = replace(self.records[left], name="hazard")
            code = with_hazard(code, left)
            moved += [left, drawn]
            clamped += [True, False]
            derivatives += [SPENT, None]
            atol += [1e-12, 1.0]
        wanted = [
            self.array(group.variables[name]) if name in group.variables else None
            for name in ("not_refractory", "lastspike", "_spikespace")
        ]
        return Flow(
            group.name,
            len(group),
            (*states, *moved),
            tuple(clamped),
            code,
            tuple(derivatives),
            fires_at,
            wanted[0],
            wanted[1],
            group._refractory is not False,
            wanted[2],
            tuple(atol),
            None if rate is None else len(derivatives) - 2,
            released_at,
        )

    def codes(self) -> list[p.Code]:
        """Return what runs at events and ticks."""
        with_code = [each.code for each in self.operations if isinstance(each, p.Update | p.Reset | p.Deliver)]
        return with_code + [each.code for each in self.drives]

    def code_of(self, group: Any, text: str) -> p.Code:
        """Return statements about a group's elements as code; nothing is written."""
        runner = create_runner_codeobj(group, text, "stateupdate", self.namespace, check_units=False)
        return self.code(runner)

    def refractoriness(self, group: Any) -> tuple[str | None, str]:
        """Return how long a refractory period is; for a condition, when it is over and what is compared with 0 then."""
        refractory = group._refractory
        if isinstance(refractory, Quantity):
            return None, repr(float(refractory))
        names = group.resolve_all(names_in(str(refractory)), self.namespace, user_identifiers=set())
        from brian2.parsing.expressions import parse_expression_dimensions

        if parse_expression_dimensions(str(refractory), names) is second.dim:
            return None, str(refractory)
        found = compared(str(refractory))
        if found is None:
            raise _refuse(
                group.name,
                f"refractory={refractory!r} is a condition, and no comparison of two quantities",
                f"give one such as 'v > -40*mV', or a time, such as 3*ms, or {_GRID}",
            )
        # It holds while the larger side is larger.
        sign, larger, smaller = found
        return ">" if sign == ">=" else ">=", f"({ast.unparse(smaller)}) - ({ast.unparse(larger)})"

    def function(self, name: str, function: Any, source: Any) -> p.Function:
        """Return what a function is; tables are read at the very time, without a step."""
        found = super().function(name, function, source)
        if isinstance(found, p.Table):
            fine = 1 << 30
            dt = float(function.dt)
            return p.Table(found.array, self.constant(dt / fine), self.constant(fine), found.rows, found.columns)
        return found

    def poisson(self, group: PoissonGroup) -> None:
        code = self.code_of(group, "_rate = rates")
        self.check_steps(group.name, f"rates={group._rates!r}", code)
        if moves(code) and (unknown := without_bounds(code)):
            raise _refuse(
                group.name,
                f"rates={group._rates!r} call {unknown[0]}(), of which no bounds are known, at all times",
                f"use a TimedArray, or {_GRID}",
            )
        events = self.array(group.variables["_spikespace"])
        self.sources.append(PoissonSource(group.name, len(group), events, code, moves(code)))

    def check_sources(self) -> None:
        """Refuse rates that spikes change."""
        at_events = [each.code for each in self.operations if isinstance(each, p.Reset | p.Deliver)]
        written = set().union(*(each.arrays_written() for each in at_events))
        for each in self.sources:
            if isinstance(each, PoissonSource) and each.code.arrays_read() & written:
                raise InputError(
                    f"{each.name}.rates: got rates that synapses change; expected rates that time alone changes; "
                    "use a NeuronGroup with threshold='rand() < rates*dt'"
                )

    def check_steps(self, name: str, what: str, code: p.Code) -> None:
        """Refuse code that reads steps of time or draws random numbers."""
        steps = {number for clock in self.clock_records for number in (clock.dt, clock.timestep)}
        if code.arrays_read() & steps:
            raise _refuse(name, f"{what} read the length or the number of a step")
        if any(isinstance(each, p.Uniform | p.Normal | p.Poisson | p.Binomial) for each in code.functions.values()):
            raise _refuse(name, f"{what} draw random numbers")

    def given_spikes(self, group: SpikeGeneratorGroup) -> None:
        times, indices = np.asarray(group._spike_time, float), np.asarray(group._neuron_index)
        order = np.lexsort((indices, times))
        times, indices = times[order].copy(), indices[order].astype(np.int64)
        twice = np.flatnonzero((np.diff(times) == 0) & (np.diff(indices) == 0))
        if twice.size:
            raise InputError(
                f"{group.name}: neuron {indices[twice[0]]} fires twice at {times[twice[0]] * second}; "
                "expected different times; leave one out"
            )
        period = float(np.asarray(group.variables["period"].get_value()).item())
        events = self.array(group.variables["_spikespace"])
        self.sources.append(Given(group.name, len(group), events, indices, times, period if period < 1e9 else 0.0))

    def poisson_input(self, each: PoissonInput) -> None:
        [binomial] = [name for name in each.variables if name not in DEFAULT_FUNCTIONS and "binomial" in name]
        text = each.abstract_code.replace(f"{binomial}()*", "")
        code = self.code_of_input(each, text)
        start = int(getattr(each._group, "start", 0) or 0)
        rate = float(each._N) * float(each._rate)
        self.drives.append(PoissonDrive(each.name, start, len(each._group), rate, code))

    def code_of_input(self, each: PoissonInput, text: str) -> p.Code:
        runner = create_runner_codeobj(each.group, text, "stateupdate", self.namespace, check_units=False)
        return self.code(runner)


def _comparison(group: Any) -> tuple[str, str]:
    """Return how a threshold compares, and the difference of its two sides."""
    text = group.events["spike"]
    found = compared(text)
    if found is None:
        raise _refuse(
            group.name,
            f"the threshold {text!r} is no comparison of two quantities",
            f"write one such as 'v > v_th', or {_GRID}",
        )
    if "rand" in names_in(text):
        raise _refuse(
            group.name,
            f"the threshold {text!r} draws random numbers",
            f"write 'rand() < rate*dt' for a rate, or {_GRID}",
        )
    sign, larger, smaller = found
    return sign, f"({ast.unparse(larger)}) - ({ast.unparse(smaller)})"
