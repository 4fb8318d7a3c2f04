"""Which groups wait for what arrives, and when: decided by counts, never by the clock; so results are repeatable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.engines.joining import narrow_indices
from bionet.spiking.engines.kernels import compiled
from bionet.spiking.engines.lazy import FRESH, LOOKS, MOVES, PASSED, REACHED, SETTLE, SHAPE, print_lazily
from bionet.spiking.engines.printing import Source
from bionet.spiking.engines.text import Layout
from bionet.spiking.flow import NotLinearError
from bionet.spiking.linear_step import LinearStep, linear_steps
from bionet.spiking.machine_code import MachineCode
from bionet.spiking.pathways import SpikeQueue
from bionet.spiking.silence import Silence, silence

# Measured on one core [s]: what a neuron costs per step in the dense loop; what it costs to pass by one that waits, to
# look at it, to advance it by one step, and to bring it up to now when it is reached.
_DENSE, _PASS, _LOOK, _MOVE, _REACH = 0.8e-9, 1e-9, 8e-9, 8e-9, 16e-9
#: Seconds that waiting must save before another loop is compiled for it.
_WORTH = 3.0
#: Steps between two decisions, at first and at most.
_CHECK, _SELDOM = 500, 2000
#: Samples of what is under way that a decision needs.
_SAMPLES = 4
_NEVER = 1 << 62


@dataclass
class Loop:
    """A compiled loop and the addresses that it needs."""

    source: Source
    kernel: MachineCode
    table: NDArray
    sizes: NDArray


class Waiting:
    """The groups of an engine whose neurons may wait, and the loop in which some of them do.

    Parameters
    ----------
    program : Program
    queues : list of SpikeQueue
        One for each pathway.
    values : callable
        Returns the memory of the program's arrays.
    call : callable
        Calls the loop for no step at all.
    forced : bool or None
        Whether groups that can wait do so; None where that pays.

    Attributes
    ----------
    loop : Loop or None
        The one to be used now; None: the dense one.
    waited : dict of str to int
        In how many steps of this run the neurons of each group have waited, of ``made`` in all.
    """

    def __init__(
        self,
        program: p.Program,
        queues: list[SpikeQueue],
        values: Callable[[], list[NDArray]],
        call: Callable[[], None],
        forced: bool | None,
    ) -> None:
        self.program, self.queues, self.values, self.call, self.forced = program, queues, values, call, forced
        self.steps: list[LinearStep] = []
        self.tables: dict[int, Silence] = {}
        self.read_from: dict[int, dict[int, NDArray]] = {}
        self.memory: dict[tuple[int, str], NDArray] = {}
        self.loop: Loop | None = None
        self.chosen: frozenset[int] = frozenset()
        self.loops: dict[frozenset[int], Loop] = {}
        self.decide_at, self.last, self.interval = _NEVER, 0, _CHECK
        self.samples: list[NDArray] = []
        self.not_before: dict[int, int] = {}
        self.failures: dict[int, int] = {}
        self.waited: dict[str, int] = {}
        self.made = 0

    def begin(self, end: int) -> None:
        """Decide how a run begins that is to reach step ``end`` of the fastest clock."""
        self.end = end
        now = self._now()
        if self.forced is None and self._dense_time(end - now) < _WORTH:
            return
        self.steps, _ = linear_steps(self.program)
        if self.forced:
            self._choose(frozenset(range(len(self.steps))))
        elif self.steps:
            self.decide_at = now + _CHECK

    def _now(self) -> int:
        values = self.values()
        return max(int(values[clock.timestep][0]) for clock in self.program.clocks)

    def _dense_time(self, steps: int) -> float:
        sizes = [self.program.integers[each.n.slot] for each in self.program.operations if isinstance(each, p.Update)]
        return float(sum(sizes)) * steps * _DENSE

    def before(self, limit: int) -> int:
        """Decide, if it is time to, and return how many steps the loop may make until the next decision."""
        if self.decide_at == _NEVER:
            return limit
        now = self._now()
        if now >= self.decide_at:
            settled = self._decide(now)
            self.interval = min(2 * self.interval, _SELDOM) if settled else _CHECK
            self.decide_at = now + self.interval
        return min(limit, self.decide_at - now)

    # Decisions

    def _decide(self, now: int) -> bool:
        """Decide who waits from now on; return whether that is as before."""
        remaining = self.end - now
        self.samples = [*self.samples[1 - _SAMPLES :], self._arriving()]
        chosen = set(self.chosen)
        for g in self.chosen:
            if self._cost(g) > self.steps[g].n * _DENSE * (now - self.last):
                chosen.discard(g)
                self.failures[g] = self.failures.get(g, 0) + 1
                self.not_before[g] = now + 10 * _CHECK * 2 ** self.failures[g]
        self.last = now
        if len(self.samples) == _SAMPLES:
            arriving = np.mean(self.samples, axis=0)
            cost = {
                g: arriving[g] * (_REACH + _LOOK) for g in range(len(self.steps)) if now >= self.not_before.get(g, 0)
            }
            dense = {g: self.steps[g].n * _DENSE for g in cost}
            better = {g for g in cost if cost[g] < dense[g] / 2}
            if frozenset(chosen | better) in self.loops or sum(dense[g] - cost[g] for g in better) * remaining > _WORTH:
                chosen |= better
        if chosen != self.chosen:
            self._choose(frozenset(chosen))
            return False
        return len(self.samples) == _SAMPLES

    def _arriving(self) -> NDArray:
        """Return how many synapses of each group are reached in a step, as what is under way tells."""
        values = self.values()
        found = np.zeros(len(self.steps))
        sources = {each.pathway: each.events for each in self.program.operations if isinstance(each, p.Push)}
        for each in self.program.operations:
            if isinstance(each, p.Deliver):
                queue = self.queues[each.pathway]
                delay = float(queue.shape[2]) if queue.homogeneous else float(queue.delay.mean())
                events = float(queue.fill.sum()) / delay if delay else float(values[sources[each.pathway]][-1])
                groups = max(queue.begin.size - 1, 1)
                reached = [g for g, step in enumerate(self.steps) if step.reached_by(each)]
                found[reached] += events * queue.begin[-1] / groups
        return found

    def _cost(self, g: int) -> float:
        """Return what a group has cost since the last decision, as counted."""
        state = self.memory[g, "state"]
        counts = state[[PASSED, LOOKS, MOVES, REACHED]].astype(float)
        state[[PASSED, LOOKS, MOVES, REACHED]] = 0
        return float(counts @ [_PASS, _LOOK, _MOVE, _REACH])

    # Loops

    def _choose(self, chosen: frozenset[int]) -> None:
        self.settle()
        chosen = frozenset(g for g in chosen if self._prepared(g))
        if chosen and chosen not in self.loops:
            layouts = [Layout(each.homogeneous, each.in_order) for each in self.queues]
            narrow = narrow_indices(self.program, self.values())
            source = print_lazily(self.program, layouts, {g: self.steps[g] for g in sorted(chosen)}, narrow)
            table = np.zeros(max(len(source.places), 1), np.int64)
            self.loops[chosen] = Loop(source, compiled(source), table, np.zeros_like(table))
        self.chosen, self.loop = chosen, self.loops.get(chosen)
        for g in chosen:
            self.memory[g, "state"][:] = 0
            self.memory[g, "state"][FRESH] = 1

    def _prepared(self, g: int) -> bool:
        """Make a group's tables; return whether there are any."""
        step = self.steps[g]
        if g not in self.tables:
            try:
                tables = silence(step, self.values(), self.program)
            except NotLinearError:
                self.not_before[g] = _NEVER
                return False
            self.tables[g] = tables
            self.read_from[g] = {array: self.values()[array].copy() for array in step.parameters}
            n_digits, n_stretches = tables.powers.shape[1], tables.reach.shape[1]
            many = len(tables.shift) > 1, len(tables.kinds) > 1
            shape = {
                "stride": many[0] * (len(step.states) + 1),
                "kind": many[1],
                "rows": n_digits,
                "bits": tables.bits,
                "reach": n_stretches * len(step.states) * 2,
                "far": tables.farthest,
            }
            self.memory |= {
                (g, "pair"): np.zeros(2 * step.n, np.int64),
                (g, "waiting"): np.zeros(step.n, np.uint32),
                (g, "state"): np.zeros(REACHED + 1, np.int64),
                (g, "shape"): np.array([shape[name] for name in SHAPE], np.uint64),
                **{(g, part): getattr(tables, part) for part in ("shift", "kinds", "powers", "reach")},
            }
        return True

    def count(self, steps: int) -> None:
        """Count steps that were made by the loop of now."""
        self.made += steps
        for g in self.chosen:
            self.waited[self.steps[g].name] = self.waited.get(self.steps[g].name, 0) + steps

    def shares(self) -> dict[str, float]:
        """Return in which share of the steps of this run the neurons of each group have waited."""
        return {name: steps / self.made for name, steps in self.waited.items() if self.made}

    def settle(self) -> None:
        """Bring all neurons up to now: what follows may look at them, or change them."""
        if self.loop is not None:
            for g in self.chosen:
                self.memory[g, "state"][SETTLE] = 1
            self.call()

    def renew(self) -> None:
        """Make tables anew where Python code has changed what they were made of."""
        values = self.values()
        for g, known in self.read_from.items():
            if any(not np.array_equal(values[array], old) for array, old in known.items()):
                del self.tables[g]
        if not self.chosen <= self.tables.keys():
            chosen, self.chosen, self.loop = self.chosen, frozenset(), None
            self._choose(chosen)
