"""A network as a program: plain arrays, ordered operations, checked expressions; nothing of Brian2's.

:mod:`bionet.spiking.reading` makes a `Program` of a network, an engine runs it. A step of the program is its
operations, one after another, each on the ticks of its clock. All values are in SI base units, free of dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bionet.spiking.expressions import Node, names


@dataclass(frozen=True)
class Array:
    """An array of the network: ``owner.name``, its type, whether it holds one value for all elements."""

    owner: str
    name: str
    dtype: str
    scalar: bool
    integrated: bool = False


@dataclass(frozen=True)
class Reference:
    """What a name in code stands for: an element of an array.

    ``index`` is ``"_idx"`` (the element at hand), ``"0"`` (the only one), or another name, itself a `Reference` to
    an array of indices.
    """

    array: int
    index: str


@dataclass(frozen=True)
class Constant:
    """What a name in code stands for: a number, in place ``slot`` of the program's ``floats`` or ``integers``."""

    slot: int
    kind: str


@dataclass(frozen=True)
class Elementary:
    """A function of the modelling language, by its name there."""

    name: str


@dataclass(frozen=True)
class Uniform:
    """A uniform number in [0, 1), fresh for each call, step and element."""


@dataclass(frozen=True)
class Normal:
    """A standard normal number, fresh for each call, step and element."""


@dataclass(frozen=True)
class Poisson:
    """A Poisson number of the mean given as argument, fresh for each call, step and element."""


@dataclass(frozen=True)
class Binomial:
    """A binomial number of a fixed law; as Brian2 has it, a normal one where ``n p`` and ``n (1 - p)`` exceed 5."""

    n: int
    p: float
    normal: bool


@dataclass(frozen=True)
class Table:
    """A Brian2 ``TimedArray`` of one or two dimensions: ``values`` are those of an array of the program.

    The row at time t is ``round(t / epsilon) / k``, truncated and clipped, with ``epsilon = dt / k``.
    """

    array: int
    epsilon: Constant
    k: Constant
    rows: Constant
    columns: Constant | None


@dataclass(frozen=True)
class UserFunction:
    """A Python function of plain numbers that Numba can compile."""

    name: str
    function: Callable[..., float]


Function = Elementary | Uniform | Normal | Poisson | Binomial | Table | UserFunction


@dataclass(frozen=True)
class Statement:
    """``target operator value``; skipped for elements where ``condition`` (a name) is false.

    ``alternatives`` holds simpler forms of the value for each assignment of truth values to some names.
    """

    target: str
    operator: str
    value: Node
    kind: str
    condition: str | None = None
    alternatives: tuple[tuple[tuple[tuple[str, bool], ...], Node], ...] = ()

    def names_read(self) -> set[str]:
        """Return the names that the statement reads, its target among them where that is not simply replaced."""
        own = {self.target} if self.operator != "=" or self.condition else set()
        condition = {self.condition} if self.condition else set()
        return names(self.value) | own | condition


@dataclass(frozen=True)
class Code:
    """Statements done once (``scalar``) and then for each element (``vector``), and what their names stand for."""

    scalar: tuple[Statement, ...]
    vector: tuple[Statement, ...]
    names: Mapping[str, Reference | Constant]
    functions: Mapping[str, Function]
    scalar_reads: tuple[str, ...]
    scalar_writes: tuple[str, ...]
    vector_reads: tuple[str, ...]
    vector_writes: tuple[str, ...]

    def arrays_read(self) -> set[int]:
        """Return the numbers of the arrays this code reads, those of indices included."""
        found = set()
        for name in (*self.scalar_reads, *self.vector_reads, *self.scalar_writes, *self.vector_writes):
            while name not in ("_idx", "0"):
                reference = self.names[name]
                if not isinstance(reference, Reference):
                    break
                found.add(reference.array)
                name = reference.index
        return found | {each.array for each in self.functions.values() if isinstance(each, Table)}

    def arrays_written(self) -> set[int]:
        """Return the numbers of the arrays this code writes."""
        written = (self.names[name] for name in (*self.scalar_writes, *self.vector_writes))
        return {each.array for each in written if isinstance(each, Reference)}


@dataclass(frozen=True)
class Operation:
    """One entry of the step list, run on the ticks of ``clock``; ``name`` is that of the user's object."""

    name: str
    slot: str
    clock: int


@dataclass(frozen=True)
class Update(Operation):
    """Run code for each of ``n`` elements: state updates, regular operations, Poisson input."""

    n: Constant
    code: Code


@dataclass(frozen=True)
class Threshold(Operation):
    """Collect the elements whose ``_cond`` holds into ``events`` (indices, then their count in the last place).

    ``hazard`` names the code's value of a condition ``rand() < hazard`` that does not change in a run: events are
    then drawn by the gaps between them.
    """

    n: Constant
    code: Code
    events: int
    not_refractory: int | None
    last_spike: int | None
    t: int | None
    hazard: Node | None = None


@dataclass(frozen=True)
class Reset(Operation):
    """Run code for each element in ``events``."""

    code: Code
    events: int


@dataclass(frozen=True)
class Push(Operation):
    """Send the events of ``events`` on their way along a pathway."""

    pathway: int
    events: int


@dataclass(frozen=True)
class Deliver(Operation):
    """Run code for each synapse that is reached now, in order of departure, source and synapse."""

    pathway: int
    code: Code


@dataclass(frozen=True)
class RecordEvents(Operation):
    """Record the elements of ``events`` in ``[start, stop)``: the named values of the code, and their count."""

    monitor: int
    code: Code
    events: int
    start: Constant
    stop: Constant
    count: int
    columns: tuple[tuple[str, int], ...]
    n: int


@dataclass(frozen=True)
class RecordStates(Operation):
    """Record the named values of the code for each of ``indices``, one row a tick."""

    monitor: int
    code: Code
    indices: int
    n_indices: Constant
    clock_t: int
    columns: tuple[tuple[str, int], ...]
    t: int

    def row_size(self, program: Program) -> int:
        """Return how many bytes a row takes: values and a time."""
        n = int(program.integers[self.n_indices.slot])
        return 8 + n * sum(np.dtype(program.arrays[array].dtype).itemsize for _, array in self.columns)


@dataclass(frozen=True)
class RecordRate(Operation):
    """Record the rate of ``events`` in ``[start, stop)``, one value a tick."""

    monitor: int
    events: int
    start: Constant
    stop: Constant
    n_sources: Constant
    clock_t: int
    clock_dt: int
    t: int
    rate: int
    n: int

    def row_size(self, program: Program) -> int:
        """Return how many bytes a row takes: a rate and a time."""
        return 16


@dataclass(frozen=True)
class Replay(Operation):
    """Put the given spikes of this step (``bins``, ``indices``, sorted) into ``events``."""

    events: int
    indices: int
    bins: int
    last: int
    period: int
    timestep: int


@dataclass(frozen=True)
class Sum(Operation):
    """Set ``target[start:stop]`` to the sum of the code's ``_synaptic_var`` over the synapses that reach each."""

    n: Constant
    code: Code
    target: int
    target_index: int
    start: Constant
    stop: Constant


@dataclass(frozen=True)
class Diffuse(Operation):
    """Move the potential ``v`` of a neuron's compartments by a step, and set the current ``charging`` their membranes.

    Per area, the code's ``_gtot`` is the membrane's conductance and ``_I0`` its current at v = 0: they go into
    ``conductance`` and ``current``. ``compartment``, ``parent``, ``toward`` are those of a
    :class:`~bionet.spiking.morphology.Tree`, ``work`` is room for three numbers at each of its points.
    """

    n: Constant
    code: Code
    v: int
    charging: int
    capacitance: int
    area: int
    dt: int
    conductance: int
    current: int
    compartment: int
    parent: int
    toward: int
    work: int

    def arrays_written(self) -> set[int]:
        """Return the numbers of the arrays of the network this writes."""
        return {self.v, self.charging, self.conductance, self.current} | self.code.arrays_written()


@dataclass(frozen=True)
class Outside(Operation):
    """Something that cannot be fused; it runs in its place as Brian2 would run it. ``reason`` says why."""

    reason: str
    object: int


@dataclass(frozen=True)
class Clock:
    """The arrays (one value each) of a clock."""

    t: int
    dt: int
    timestep: int


@dataclass(frozen=True)
class Program:
    """All of a network that an engine needs.

    Attributes
    ----------
    clocks : tuple of Clock
    arrays : tuple of Array
    operations : tuple of Operation
        In the order in which a step runs them.
    floats, integers : arrays
        The values of constants.
    n_pathways, n_monitors : int
    """

    clocks: tuple[Clock, ...]
    arrays: tuple[Array, ...]
    operations: tuple[Operation, ...]
    floats: NDArray = field(repr=False)
    integers: NDArray = field(repr=False)
    n_pathways: int = 0
    n_monitors: int = 0

    def outside(self) -> list[Outside]:
        """Return the operations that are not fused."""
        return [each for each in self.operations if isinstance(each, Outside)]
