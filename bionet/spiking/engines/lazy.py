"""The loop in which neurons wait: one is advanced where something arrives or its threshold may be near.

A neuron that was reached in the last step, or whose time of silence is over, is looked at: either it stays silent for a
number of steps, as :mod:`bionet.spiking.silence` bounds it, and waits; or it makes one step, by the very statements of
the dense loop, its threshold is looked at, and it is looked at again in the next step. So are refractory neurons. What
a waiting neuron has missed is made up for by one power of its matrix when a synapse reaches it or it is looked at.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field

import bionet.spiking.program as p
from bionet.spiking.engines.joining import joined, pieces
from bionet.spiking.engines.printing import Printer, Source
from bionet.spiking.engines.text import Layout
from bionet.spiking.linear_step import LinearStep, by_index
from bionet.spiking.silence import entries

#: Steps for which those due are listed at a time.
PAGE = 128
#: The places of a group's numbers: how many are listed, until when, whether all begin anew, whether to bring all up
#: to now at the end; then how often neurons were passed by, were looked at, made a step, and were reached.
LISTED, PAGE_END, FRESH, SETTLE, PASSED, LOOKS, MOVES, REACHED = range(8)
#: The places in the shape of a group's tables.
SHAPE = ("stride", "kind", "rows", "bits", "reach", "far")
_IMPORT = "from bionet.spiking.engines.waiting import *\n"


def print_lazily(
    program: p.Program, layouts: list[Layout], steps: dict[int, LinearStep], narrow: frozenset[int]
) -> Source:
    """Print a program in which the neurons of some groups wait.

    Parameters
    ----------
    program : Program
    layouts : list of Layout
        One for each pathway.
    steps : dict of int to LinearStep
        The groups, by the numbers under which their memory is known.
    narrow : frozenset of int
        Arrays of indices that need two bytes.

    Returns
    -------
    Source
        It runs whole steps only.
    """
    source = _LazyPrinter(program, layouts, pieces=pieces(program, False), steps=steps, narrow=narrow).print()
    source.head = _IMPORT
    return source


@dataclass
class _LazyPrinter(Printer):
    steps: dict[int, LinearStep] = field(default_factory=dict)

    # The loop

    def body(self) -> list[str]:
        for g, step in self.steps.items():
            self.enter(g, step)
        super().body()
        for g, step in self.steps.items():
            self.leave(g, step)
        return self.lines

    def lazy(self, g: int, part: str, dtype: str = "int64") -> str:
        """Return an array of a group's own."""
        return self.place("lazy", g, part, dtype)

    def enter(self, g: int, step: LinearStep) -> None:
        """Print how a group's numbers are taken up."""
        state, pair, shape = self.lazy(g, "state"), self.lazy(g, "pair"), self.lazy(g, "shape", "uint64")
        clock = self.program.clocks[self.program.operations[step.update].clock]
        self.add(f"now{g} = {self.array(clock.timestep)}[0]")
        for k, name in enumerate(SHAPE):
            self.add(f"{name}{g} = {shape}[{k}]")
        self.add(f"base{g} = uint64(1) << bits{g}")
        self.add(f"listed{g}, page{g} = uint64({state}[{LISTED}]), {state}[{PAGE_END}]")
        self.add(f"passed{g} = looks{g} = moves{g} = reached{g} = 0")
        self.add(f"fresh{g} = {state}[{FRESH}] != 0")
        with self.block(f"if fresh{g}:"):
            self.add(f"all_from_now({pair}, now{g})")
            self.add(f"page{g} = now{g}")
            self.add(f"listed{g} = uint64(0)")

    def leave(self, g: int, step: LinearStep) -> None:
        """Print how a group's numbers are kept, and how all its neurons are brought up to now."""
        state = self.lazy(g, "state")
        with self.block(f"if {state}[{SETTLE}] != 0:"):
            with self.block(f"for i in range(uint64({step.n})):"), self.block(self.is_behind(g, "i")):
                self.jump(g, step, "i")
                self.add(f"reached{g} += 1")
            self.add(f"fresh{g} = True")
            self.add(f"{state}[{SETTLE}] = 0")
        self.add(f"{state}[{FRESH}] = 1 if fresh{g} else 0")
        self.add(f"{state}[{LISTED}] = int64(listed{g})")
        self.add(f"{state}[{PAGE_END}] = page{g}")
        for place, name in ((PASSED, "passed"), (LOOKS, "looks"), (MOVES, "moves"), (REACHED, "reached")):
            self.add(f"{state}[{place}] += {name}{g}")

    def segment(self, operations: list[tuple[int, p.Operation]], single: bool) -> None:
        updates = {step.update: (g, step) for g, step in self.steps.items()}
        thresholds = {step.threshold for step in self.steps.values()}
        # The operations come in the order of the dense loop, so that random numbers have the same keys.
        for number, each, threshold in joined(operations, self.program):
            self.operation = number
            with nullcontext() if single else self.block(f"if due & {1 << each.clock}:"):
                if number in updates:
                    assert isinstance(each, p.Update)
                    self.wait(*updates[number], each)
                    if threshold is not None and threshold[0] not in thresholds:
                        self.operation = threshold[0]
                        self.threshold(threshold[1])
                elif number in thresholds:
                    self.add("pass")
                else:
                    own = threshold if threshold is None or threshold[0] not in thresholds else None
                    self.one(each, own)

    # One neuron

    def is_behind(self, g: int, index: str) -> str:
        """Return the condition that a neuron has not been advanced up to now."""
        return f"if {self.lazy(g, 'pair')}[uint64({index}) * uint64(2)] != now{g}:"

    def jump(self, g: int, step: LinearStep, index: str) -> None:
        """Print how the states of a neuron are brought up to now, by the digits of how many steps it is behind."""
        pair, shift, powers = self.lazy(g, "pair"), self.lazy(g, "shift", "float64"), self.lazy(g, "powers", "float64")
        self.add(f"away = uint64(now{g} - {pair}[uint64({index}) * uint64(2)])")
        self.differences(g, step, index)
        self.add(f"jump_row = {self.lazy(g, 'kinds', 'uint64')}[uint64({index}) * kind{g}] * rows{g}")
        wanted = entries(step)
        with self.block("while away != uint64(0):"):
            self.add(f"digit = away & (base{g} - uint64(1))")
            with self.block("if digit != uint64(0):"):
                self.add(f"entry = (jump_row + digit) * uint64({len(wanted)})")
                for row in range(len(step.states)):
                    terms = [
                        f"{powers}[entry + uint64({k})] * y{column}"
                        for k, (into, column) in enumerate(wanted)
                        if into == row
                    ]
                    self.add(f"z{row} = {' + '.join(terms)}")
                for row in range(len(step.states)):
                    self.add(f"y{row} = z{row}")
            self.add(f"jump_row += base{g}")
            self.add(f"away >>= bits{g}")
        for k, array in enumerate(step.states):
            self.add(f"{self.array(array)}[{index}] = y{k} + {shift}[jump_at + uint64({k})]")

    def differences(self, g: int, step: LinearStep, index: str) -> None:
        """Print how far a neuron is from rest."""
        shift = self.lazy(g, "shift", "float64")
        self.add(f"jump_at = uint64({index}) * stride{g}")
        for k, array in enumerate(step.states):
            self.add(f"y{k} = {self.array(array)}[{index}] - {shift}[jump_at + uint64({k})]")

    # What reaches it, and what looks at it

    def follow(self, code: p.Code, wanted: tuple[str, ...], index: str) -> None:
        super().follow(code, wanted, index)
        if not isinstance(self.program.operations[self.operation], p.Deliver) or wanted == code.scalar_reads:
            return
        for g, step in self.steps.items():
            for name in sorted(set(by_index(code, step.arrays))):
                self.reach(g, step, f"{self.local(name)}_at")

    def reach(self, g: int, step: LinearStep, index: str) -> None:
        """Print how a neuron is brought up to now, to be looked at next."""
        pair = self.lazy(g, "pair")
        with self.block(self.is_behind(g, index)):
            self.jump(g, step, index)
            self.add(f"{pair}[uint64({index}) * uint64(2)] = now{g}")
            with self.block(f"if {pair}[uint64({index}) * uint64(2) + uint64(1)] >= page{g}:"):
                self.add(f"{self.lazy(g, 'waiting', 'uint32')}[listed{g}] = {index}")
                self.add(f"listed{g} += uint64(1)")
            self.add(f"{pair}[uint64({index}) * uint64(2) + uint64(1)] = now{g}")
            self.add(f"reached{g} += 1")

    def elements(self, code: p.Code, index: str) -> None:
        recorded = isinstance(self.program.operations[self.operation], p.RecordStates)
        behind = [(g, step) for g, step in self.steps.items() if recorded and any(by_index(code, step.arrays))]
        if not behind:
            super().elements(code, index)
            return
        # Recording changes nothing: what was computed is put back.
        [(g, step)] = behind
        for k, array in enumerate(step.states):
            self.add(f"kept{k} = {self.array(array)}[{index}]")
        with self.block(self.is_behind(g, index)):
            self.jump(g, step, index)
            self.add(f"reached{g} += 1")
        super().elements(code, index)
        for k, array in enumerate(step.states):
            self.add(f"{self.array(array)}[{index}] = kept{k}")

    # A step

    def wait(self, g: int, step: LinearStep, update: p.Update) -> None:
        """Print one step of a group: those who are due, and no others."""
        pair, waiting = self.lazy(g, "pair"), self.lazy(g, "waiting", "uint32")
        threshold = self.program.operations[step.threshold]
        assert isinstance(threshold, p.Threshold)
        self.scalars(update.code)
        self.operation = step.threshold
        self.scalars(threshold.code)
        with self.block(f"if now{g} >= page{g}:"):
            self.add(f"page{g} = now{g} + {PAGE}")
            self.add(f"listed{g} = those_due({pair}, {waiting}, page{g})")
        self.add("found = uint64(0)")
        self.add("kept = uint64(0)")
        self.add(f"passed{g} += int64(listed{g})")
        with self.block(f"for q in range(listed{g}):"):
            self.add(f"i = uint64({waiting}[q])")
            self.add("due_at = i * uint64(2) + uint64(1)")
            with self.block(f"if {pair}[due_at] <= now{g}:"):
                self.one_due(g, step, update, threshold)
            with self.block(f"if {pair}[due_at] < page{g}:"):
                self.add(f"{waiting}[kept] = i")
                self.add("kept += uint64(1)")
        self.add(f"listed{g} = kept")
        self.add(f"now{g} += 1")
        self.add(f"fresh{g} = False")
        self.operation = step.threshold
        self.add(f"ascending({self.indices(threshold.events)}, int64(found))")
        self.events_found(threshold)

    def one_due(self, g: int, step: LinearStep, update: p.Update, threshold: p.Threshold) -> None:
        """Print how a neuron is looked at: it goes on waiting, or makes a step."""
        pair = self.lazy(g, "pair")
        self.add("silent = int64(0)")
        with self.block(self.is_behind(g, "i")):
            self.jump(g, step, "i")
        free = "" if step.not_refractory is None else f" and {self.array(step.not_refractory)}[i]"
        with self.block(f"elif not fresh{g}{free}:"):
            self.silence(g, step)
        with self.block("if silent > 0:"):
            self.add(f"{pair}[due_at] = now{g} + silent")
        with self.block("else:"):
            self.operation = step.update
            self.elements(update.code, "i")
            self.operation = step.threshold
            self.elements(threshold.code, "i")
            self.add(f"{pair}[due_at - uint64(1)] = now{g} + 1")
            self.add(f"{pair}[due_at] = now{g} + 1")
            self.add(f"moves{g} += 1")
            with self.block(f"if {self.local('_cond')}:"):
                self.add(f"{self.indices(threshold.events)}[found] = i")
                self.add("found += uint64(1)")

    def silence(self, g: int, step: LinearStep) -> None:
        """Print for how many steps a neuron is surely silent."""
        n, bounds = len(step.states), self.lazy(g, "reach", "float64")
        self.add(f"looks{g} += 1")
        self.differences(g, step, "i")
        self.add(f"rest = {self.lazy(g, 'shift', 'float64')}[jump_at + uint64({n})]")
        self.add(f"bound = {self.lazy(g, 'kinds', 'uint64')}[i * kind{g}] * reach{g}")
        terms = [
            f"y{k} * ({bounds}[bound + uint64({2 * k})] if y{k} > 0.0 else {bounds}[bound + uint64({2 * k + 1})])"
            for k in range(n)
        ]
        highest = f"rest + {' + '.join(terms)} < 0.0"
        with self.block(f"if {highest}:"):
            self.add(f"silent = int64(far{g})")
        with self.block("else:"):
            self.add("ahead = int64(1)")
            with self.block(f"while ahead <= int64(far{g}):"):
                self.add(f"bound += uint64({2 * n})")
                with self.block(f"if not {highest}:"):
                    self.add("break")
                self.add("silent = ahead")
                self.add("ahead *= 2")
