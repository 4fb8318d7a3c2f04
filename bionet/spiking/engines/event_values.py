"""What the names in a network's code stand for at a time, for what the ``event`` engine computes ahead of its loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.flow import evaluated, tables, without_time


@dataclass
class Values:
    """The values of a network's names.

    Attributes
    ----------
    program : Program
    arrays : list of arrays
        The memory of the program's arrays.
    """

    program: p.Program
    arrays: list[NDArray]

    def of(self, code: p.Code, t: float) -> dict[str, Any]:
        """Return what the names of a group's code stand for at a time [s]."""
        values: dict[str, Any] = {"_now": t, "t": t}
        for name, reference in code.names.items():
            if isinstance(reference, p.Reference) and name != "t":
                memory = self.arrays[reference.array]
                values[name] = memory[0] if reference.index == "0" else memory[self._at(code, reference.index)]
        for table in tables(code):
            values[f"table {table.array}"] = self._table(table)
        return values

    def computed(self, code: p.Code, t: float) -> dict[str, Any]:
        """Return what the names of a group's code stand for at a time, and what the code computes of them."""
        values = self.of(code, t)
        for each in (*code.scalar, *code.vector):
            values[each.target] = evaluated(without_time(each.value, code), values, code, self.program)
        return values

    def _at(self, code: p.Code, index: str) -> Any:
        if index == "_idx":
            return slice(None)
        reference = code.names[index]
        assert isinstance(reference, p.Reference)
        return self.arrays[reference.array][self._at(code, reference.index)]

    def table_values(self, table: p.Table) -> tuple[NDArray, float]:
        """Return the values of a table, and how long each holds [s]."""
        return self.arrays[table.array], self.step_of(table)

    def _table(self, table: p.Table) -> Callable[..., NDArray]:
        values, dt = self.table_values(table)
        return lambda t, *column: values[
            (min(max(math.floor(t / dt + 1e-9), 0), len(values) - 1), *(np.asarray(c, int) for c in column))
        ]

    def step_of(self, table: p.Table) -> float:
        """Return how long a value of a table holds [s]."""
        return float(self.program.floats[table.epsilon.slot] * self.program.integers[table.k.slot])
