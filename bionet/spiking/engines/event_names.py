"""Names and functions in the text of the ``event`` engine's module.

A neuron's state is a row: its variables, the time they are of (window and offset), and the end of its refractory
period. Code of the network that names a variable of a neuron finds it there; the neuron is brought to the present
first, and looked at afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import bionet.spiking.program as p
from bionet.errors import InputError
from bionet.spiking.closed_form import Pattern
from bionet.spiking.continuous import Continuous
from bionet.spiking.engines.event_calls import ARRAYS, MEMORY, SIGNATURES
from bionet.spiking.engines.text import Text

_CALLED_FROM_PYTHON = ("sample", "move", "show", "regular", "before_changes", "after_changes", "announce_all", "rates")
_BY_ADDRESS = "SIGNATURES"
_AXONS = {"starts": "int64", "order": "uint32", "inverse": "uint32", "delay": "float64"}
_TABLES = {"table": "int64", "sizes": "int64", "floats": "float64", "integers": "int64", "keys": "uint64"}
#: Numbers of a row behind its variables: the window and offset of its time, those of the end of its refractory period.
TAIL = 4
#: What a row that is integrated has besides: the next step to try, whether what follows is known, and what follows.
STEP = 2


@dataclass(frozen=True)
class FlowLayout:
    """How the rows of a flow lie, and the form of its solution.

    Attributes
    ----------
    stride : int
        Numbers in a row.
    free, clamped : Pattern or None
        None for equations that are integrated step by step.
    n_inputs : int
    many_inputs, many_classes : bool
        Whether neurons have drives, and solutions, of their own.
    """

    stride: int
    free: Pattern | None = None
    clamped: Pattern | None = None
    n_inputs: int = 0
    many_inputs: bool = False
    many_classes: bool = False


@dataclass(frozen=True)
class AxonLayout:
    """How the synapses of a pathway lie: one delay for all, sorted as they are."""

    homogeneous: bool
    in_order: bool


@dataclass(frozen=True)
class Row:
    """The text of the places in a row of ``n`` variables that begins at ``r``."""

    rows: str
    n: int

    def __getitem__(self, k: int | str) -> str:
        """Return a place by its number, or by the source of its number."""
        return f"{self.rows}[r + np.uint64({k})]"

    @property
    def time(self) -> tuple[str, str]:
        """The window and offset of the row's time."""
        return f"np.int64({self[self.n]})", self[self.n + 1]

    @property
    def until(self) -> tuple[str, str]:
        """The window and offset of the end of the refractory period; a window below 0 is none."""
        return f"np.int64({self[self.n + 2]})", self[self.n + 3]

    @property
    def is_refractory(self) -> str:
        """Whether the neuron is refractory."""
        return f"{self[self.n + 2]} >= 0.0"

    def set_time(self) -> list[str]:
        """Return what says that the row is of time (w, off)."""
        return [f"{self[self.n]} = w", f"{self[self.n + 1]} = off"]


def after(time: tuple[str, str], start: tuple[str, str]) -> str:
    """Return the source of the time between two times [s]."""
    return f"({time[0]} - {start[0]}) * window + ({time[1]} - {start[1]})"


@dataclass
class FunctionText(Text):
    """Prints functions that find their arrays by address."""

    network: Continuous = None  # type: ignore[assignment]
    flow_layouts: list[FlowLayout] = field(default_factory=list)
    axon_layouts: list[AxonLayout] = field(default_factory=list)
    columns: dict[int, tuple[int, int]] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    peeked: dict[tuple[int, str], str] = field(default_factory=dict)
    is_touching: bool = True

    def row(self, flow: int) -> Row:
        """Return the places in the rows of a flow."""
        return Row(self.rows(flow), len(self.network.flows[flow].states))

    @contextmanager
    def function(self, head: str) -> Iterator[None]:
        """Print a function; what it needs of the tables of arrays and constants is fetched at its beginning."""
        outside, self.lines, self.depth = self.lines, [], 1
        yield
        body = "\n".join(self.lines)
        places = {name: place for place, k in self.places.items() if re.search(rf"\b{(name := f'm{k}')}\b", body)}
        lines = []
        lines += [
            f"{name} = view(table[{name[1:]}], sizes[{name[1:]}], {place.dtype})" for name, place in places.items()
        ]
        lines += [f"{name} = {value}" for name, value in self.constants.items() if re.search(rf"\b{name}\b", body)]
        if "memory" in head:
            lines.append(f"window = view(memory, {MEMORY}, float64)[5]")
        if re.search(r"\(i, ", head):
            lines.append("i = np.uint64(i)")
        if head.split("(")[0].rstrip("_0123456789") in SIGNATURES:
            given = [name for name in ARRAYS if re.search(rf"\b{name}\b", head)]
            lines += [f"{name} = view({name}, 1 << 40, {ARRAYS[name]})" for name in given]
        # Addresses, not arrays: nobody counts references to those.
        for k, (name, dtype) in enumerate(_TABLES.items()):
            if any(re.search(rf"\b{name}\[", line) for line in (*lines, *self.lines)):
                lines.insert(0, f"{name} = view(view(memory, {MEMORY}, int64)[{k}], 1 << 40, {dtype})")
        self.functions.append(decorated(head) + "\n".join([f"def {head}:", *(f"    {line}" for line in lines), body]))
        self.lines = outside

    def rows(self, flow: int) -> str:
        """Return the rows of a flow."""
        return self.place("rows", flow, "", "float64")

    def axons(self, pathway: int, part: str) -> str:
        """Return a part of a pathway's synapses."""
        return self.place("axons", pathway, part, _AXONS[part])

    def read(self, code: p.Code, name: str, index: str) -> str:
        """Return the source that reads a name: a neuron's state from its row."""
        reference = code.names[name]
        assert isinstance(reference, p.Reference)
        if reference.array in self.columns:
            return self.cell(reference, index)
        array = self.program.arrays[reference.array]
        if any(reference.array == clock.t for clock in self.program.clocks):
            return "now"
        if any(reference.array in (clock.dt, clock.timestep) for clock in self.program.clocks):
            raise InputError(
                f'{array.owner}.{array.name} is read by code that events run; engine="event" knows no steps of time; '
                'write the code without it, or use engine="grid"'
            )
        return super().read(code, name, index)

    def write(self, code: p.Code, name: str, index: str) -> None:
        """Print how a name is stored."""
        reference = code.names[name]
        assert isinstance(reference, p.Reference)
        if reference.array in self.columns:
            self.add(f"{self.cell(reference, index)} = {self.local(name)}")
        else:
            super().write(code, name, index)

    def cell(self, reference: p.Reference, index: str) -> str:
        """Return a neuron's variable in its row."""
        flow, column = self.columns[reference.array]
        at = self.index(reference.index, index)
        if (flow, at) in self.peeked:
            return f"{self.peeked[flow, at]}[{column}]"
        return f"{self.rows(flow)}[np.uint64({at}) * np.uint64({self.flow_layouts[flow].stride}) + np.uint64({column})]"

    def present(self, code: p.Code, index: str) -> dict[tuple[int, str], bool]:
        """Return the neurons whose state code names, as (flow, index), and whether it changes them."""
        found: dict[tuple[int, str], bool] = {}
        own = {flow.not_refractory: k for k, flow in enumerate(self.network.flows)}
        for name in (*code.vector_reads, *code.vector_writes):
            reference = code.names[name]
            assert isinstance(reference, p.Reference)
            flow = self.columns[reference.array][0] if reference.array in self.columns else own.get(reference.array)
            if flow is not None:
                key = (flow, self.index(reference.index, index))
                found[key] = found.get(key, False) or name in code.vector_writes
        return found

    def run_code(self, code: p.Code, index: str, present: bool = False) -> None:
        """Print code for one element, the neurons it names brought to the present before, and noted as touched after.

        Nobody is brought there if all are (``present``).
        """
        self.follow(code, (*code.vector_reads, *code.vector_writes), index)
        for (flow, at), changed in self.present(code, index).items():
            if not present:
                self.add(f"advance_{flow}({at}, w, off, memory)")
            if changed and self.is_touching:
                bounds = self.place("bounds", 0, "", "int64")
                self.add(f"u = {bounds}[{flow}] + np.int64({at})")
                with self.block("if not seen[u]:"):
                    self.add("seen[u] = True")
                    self.add("touched[n_touched] = u")
                    self.add("n_touched += 1")
        self.elements(code, index)

    def look_up_synapse(self, pathway: int, start: int) -> None:
        """Print which synapse the k-th is, ahead of line ``start``, if what follows needs to know."""
        needed = any(re.search(r"\bi\b", line) for line in self.lines[start:])
        if needed and not self.axon_layouts[pathway].in_order:
            self.lines.insert(start, "    " * self.depth + f"i = {self.axons(pathway, 'order')}[k]")


def decorated(head: str) -> str:
    """Return the decorator of a function; what Python or the loop calls is kept, and a wrapper is for Python alone."""
    name = head.split("(")[0].rstrip("_0123456789")
    types = f'{_BY_ADDRESS}["{name}"], ' if name in SIGNATURES else ""
    options = ", cache=True" * (name in SIGNATURES or name in _CALLED_FROM_PYTHON)
    options += ", no_cpython_wrapper=True, no_cfunc_wrapper=True" * (name not in _CALLED_FROM_PYTHON)
    return f'@njit({types}error_model="numpy", nogil=True{options})\n'


def is_called_by_address(function: str) -> bool:
    """Return whether a printed function is one that the loop calls."""
    return function.startswith(f"@njit({_BY_ADDRESS}")
