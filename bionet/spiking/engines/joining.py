"""The step list in pieces: what runs together in the loop, which passes over memory are one, how wide indices are."""

from __future__ import annotations

from collections.abc import Iterator

from numpy.typing import NDArray

import bionet.spiking.program as p


def pieces(program: p.Program, split: bool) -> list[list[int] | p.Outside]:
    """Return the step list in pieces: the numbers of operations that run together, and what runs outside the loop.

    Parameters
    ----------
    program : Program
    split : bool
        Each operation is a piece of its own.
    """
    found: list[list[int] | p.Outside] = []
    for number, each in enumerate(program.operations):
        if isinstance(each, p.Outside):
            found.append(each)
        elif split or not found or isinstance(found[-1], p.Outside):
            found.append([number])
        else:
            found[-1].append(number)
    return found


def joined(
    operations: list[tuple[int, p.Operation]], program: p.Program
) -> Iterator[tuple[int, p.Operation, tuple[int, p.Threshold] | None]]:
    """Yield operations in order, an update together with a later threshold of the same elements where that is the same.

    It is, if nothing in between minds: no array that one of them writes is touched by the other. Then one pass over
    memory does for both.
    """
    taken: set[int] = set()
    for place, (number, each) in enumerate(operations):
        if number in taken:
            continue
        found = None
        if isinstance(each, p.Update) and each.code.vector:
            for later, other in operations[place + 1 :]:
                if isinstance(other, p.Threshold) and later not in taken and _alike(each, other, program):
                    between = [op for n, op in operations[place + 1 :] if n < later and n not in taken]
                    if all(_independent(other, op) for op in between):
                        found = (later, other)
                        taken.add(later)
                    break
        yield number, each, found


def _alike(update: p.Update, threshold: p.Threshold, program: p.Program) -> bool:
    if threshold.hazard is not None or update.clock != threshold.clock:
        return False
    if program.integers[update.n.slot] != program.integers[threshold.n.slot]:
        return False
    written = update.code.arrays_written()
    shared = [
        reference
        for code in (update.code, threshold.code)
        for reference in code.names.values()
        if isinstance(reference, p.Reference) and reference.array in written
    ]
    return all(reference.index == "_idx" for reference in shared) and not threshold.code.arrays_written()


def _touches(each: p.Operation) -> tuple[set[int], set[int]] | None:
    """Return the arrays an operation reads and writes; None if that is not simply known."""
    match each:
        case p.Update():
            return each.code.arrays_read(), each.code.arrays_written()
        case p.Threshold():
            more = {array for array in (each.not_refractory, each.last_spike) if array is not None}
            clock = {each.t} if each.t is not None else set()
            return each.code.arrays_read() | clock, {each.events} | more
    return None


def _independent(one: p.Operation, other: p.Operation) -> bool:
    a, b = _touches(one), _touches(other)
    if a is None or b is None:
        return False
    return not (a[1] & (b[0] | b[1]) or b[1] & a[0])


def narrow_indices(program: p.Program, values: list[NDArray]) -> frozenset[int]:
    """Return the arrays that hold for each synapse an index below 2**16: what they point into has no more elements.

    Parameters
    ----------
    program : Program
    values : list of array
        The memory of the program's arrays.
    """
    found = set()
    for each in program.operations:
        if isinstance(each, p.Deliver):
            for name in each.code.names.values():
                if isinstance(name, p.Reference) and values[name.array].size <= 1 << 16:
                    index = each.code.names.get(name.index)
                    if isinstance(index, p.Reference):
                        found.add(index.array)
    return frozenset(found)
