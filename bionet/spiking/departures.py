"""What a spike finds when it leaves: a delay, or the length and velocity of a path, as they are at that time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from brian2.stateupdaters.exact import linear
from brian2.synapses.synapses import SynapticPathway

import bionet.spiking.program as p
from bionet.errors import InputError
from bionet.spiking.expressions import Call, walk


def now_of(pathway: SynapticPathway) -> str:
    """Return Brian2's code that brings a synapse's ``(event-driven)`` variables to the present, as pathways begin."""
    equations = pathway.synapses.event_driven
    if equations is None:
        return ""
    return re.sub(r"\bdt\b", "(t - lastupdate)", linear(equations, pathway.group.variables)) + "\n"


def at_a_time(code: p.Code, wanted: tuple[str, ...]) -> p.Code:
    """Return the part of code that computes some names of its elements; nothing is written.

    Examples
    --------
    >>> from bionet.spiking.expressions import FLOAT, Name
    >>> both = tuple(p.Statement(each, "=", Name("x", FLOAT), FLOAT) for each in ("_d", "x"))
    >>> code = p.Code((), both, {}, {}, (), (), ("x",), ("x",))
    >>> [each.target for each in at_a_time(code, ("_d",)).vector]
    ['_d']
    """
    needed = set(wanted)
    kept: list[list[p.Statement]] = []
    for block in (code.vector, code.scalar):
        kept.append([])
        for each in reversed(block):
            if each.target in needed:
                if each.operator == "=" and each.condition is None:
                    needed.discard(each.target)
                needed |= each.names_read()
                kept[-1].insert(0, each)
    return replace(
        code,
        vector=tuple(kept[0]),
        scalar=tuple(kept[1]),
        scalar_reads=tuple(each for each in code.scalar_reads if each in needed),
        vector_reads=tuple(each for each in code.vector_reads if each in needed),
        scalar_writes=(),
        vector_writes=(),
    )


def is_moving(code: p.Code) -> bool:
    """Return whether what code computes depends on the time."""
    return "t" in {*code.scalar_reads, *code.vector_reads}


def check_front(pathway: str, code: p.Code) -> None:
    """Refuse a length or a velocity of which the engine would not know when it changes.

    Raises
    ------
    InputError
        If code reads variables of anything but the synapses, tables or random numbers.
    """

    def refuse(what: str) -> InputError:
        return InputError(
            f"{pathway}: the length or velocity of its fronts {what}; expected variables of the synapses themselves, "
            "which on_pre code, (event-driven) equations or run_regularly may change"
        )

    for name in (*code.scalar_reads, *code.vector_reads):
        reference: Any = code.names[name]
        if reference.index not in ("_idx", "0"):
            raise refuse(f"reads {name!r}, which is not theirs")
        if name == "t_in_timesteps":
            raise refuse("reads steps of time")
    used = {name for each in (*code.scalar, *code.vector) for name in _called(each)}
    for name in used:
        if not isinstance(code.functions[name], p.Elementary | p.UserFunction):
            raise refuse(f"calls {name}()")


def _called(statement: p.Statement) -> set[str]:
    return {node.function for node in walk(statement.value) if isinstance(node, Call)}
