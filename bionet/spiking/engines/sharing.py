"""Who does what, where several threads run a program: which operations each thread does for elements of its own.

An array of n elements is cut into ranges, one for each thread. An operation is *own* if all that it writes belongs to
the elements it goes through, so that each thread can go through those of its own: states by their range, synapses by
the range of the element whose variables they write. Then every number is written by one thread, in the order in which
one thread alone would, and results are the same bits for any number of threads. What every thread can do for itself,
such as moving a clock on, *each* does, with memory of its own; for the rest the first thread does the work *alone*.

Between two operations all threads have to meet if one writes what the other touches, unless both keep to the same
ranges.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import bionet.spiking.program as p

OWN, EACH, ALONE = "own", "each", "alone"
# Who touches an element: any thread, or the first.
_ANYONE, _FIRST = "anyone", "first"
_ELEMENT, _ONLY = "_idx", "0"


@dataclass(frozen=True)
class Split:
    """How the synapses of a pathway are shared out: by the range of ``index`` in ``n`` elements, or of their number."""

    index: int | None
    n: int


@dataclass
class Share:
    """Who does an operation, and what is touched by whom: array and range, or whatever else names both."""

    kind: str
    reads: set[tuple[Hashable, Hashable]] = field(default_factory=set)
    writes: set[tuple[Hashable, Hashable]] = field(default_factory=set)

    def minds(self, other: Share) -> bool:
        """Return whether all threads have to meet between this and the other."""
        return _clash(self.writes, other.writes | other.reads) or _clash(other.writes, self.reads)


def _clash(written: Iterable[tuple[Hashable, Hashable]], touched: Iterable[tuple[Hashable, Hashable]]) -> bool:
    return any(a == b and (k != m or k == _ANYONE) for a, k in written for b, m in touched)


class Sharing:
    """Who does each operation of a program.

    Parameters
    ----------
    program : Program
    sizes : list of int
        Of the program's arrays.
    n_synapses : list of int
        Of each pathway.

    Attributes
    ----------
    private : set of int
        The arrays of which each thread has a copy: clocks, events.
    splits : dict of int to Split
        Those of the pathways whose synapses are shared out.
    shares : list of Share
        One for each operation.
    """

    def __init__(self, program: p.Program, sizes: list[int], n_synapses: list[int]) -> None:
        self.program, self.sizes, self.n_synapses = program, sizes, n_synapses
        self.private = {number for clock in program.clocks for number in (clock.t, clock.timestep)}
        for each in program.operations:
            if isinstance(each, p.Threshold):
                self.private.add(each.events)
            elif isinstance(each, p.Replay):
                self.private |= {each.events, each.last}
        self.splits = self._splits()
        self.shares = [self._share(number, each) for number, each in enumerate(program.operations)]

    def done_by(self, kind: str) -> list[p.Operation]:
        """Return the operations that are shared in one way."""
        pairs = zip(self.program.operations, self.shares, strict=True)
        return [each for each, share in pairs if share.kind == kind]

    # Pathways

    def _splits(self) -> dict[int, Split]:
        found: dict[int, Split | None] = {}
        delivered = [each for each in self.program.operations if isinstance(each, p.Deliver)]
        able = [each for each in delivered if self._by(each) is not None]
        for each in able:
            index = self._by(each)
            if isinstance(index, int):
                found[each.pathway] = Split(index, self._written_size(each.code, index))
        # Synapses whose variables alone are written go to those who have them in another pathway.
        for each in able:
            if each.pathway not in found:
                same = (found.get(other.pathway) for other in able if _synaptic(each.code) & _synaptic(other.code))
                number = Split(None, self.n_synapses[each.pathway])
                found[each.pathway] = next((split for split in same if split is not None), number)
        return {pathway: split for pathway, split in found.items() if split is not None}

    def _by(self, each: p.Deliver) -> int | str | None:
        """Return by which array of indices, or by what else, synapses can be shared out; None if they cannot."""
        code, by = each.code, set()
        if code.scalar_writes:
            return None
        for array in code.arrays_written():
            ways = {_way(code, reference) for reference in _references(code) if reference.array == array}
            if len(ways) != 1 or ways & {None, _ONLY}:
                return None
            by |= ways
        by -= {_ELEMENT}
        if not by:
            return _ELEMENT
        index = by.pop()
        if by or not isinstance(index, int) or self.sizes[index] != self.n_synapses[each.pathway]:
            return None
        return index if self._written_size(code, index) else None

    def _written_size(self, code: p.Code, index: int) -> int:
        """Return the size of all arrays that are written by these indices; 0 if they have several."""
        sizes = {
            self.sizes[reference.array]
            for reference in _references(code)
            if reference.array in code.arrays_written() and _way(code, reference) == index
        }
        return sizes.pop() if len(sizes) == 1 else 0

    # Operations

    def _share(self, number: int, each: p.Operation) -> Share:
        match each:
            case p.Update() if self._elementwise(each.code, n := self._value(each.n)):
                return self._touched(Share(OWN), each.code, n)
            case p.Reset() if self._elementwise(each.code, n := self.sizes[each.events] - 1):
                return self._touched(Share(OWN), each.code, n)
            case p.Threshold() if each.hazard is not None:
                return self._touched(Share(EACH), each.code, None)
            case p.Threshold() if not each.code.arrays_written():
                n = self._value(each.n)
                share = self._touched(Share(OWN), each.code, n)
                share.writes |= {(array, (_ELEMENT, n)) for array in (each.not_refractory, each.last_spike)}
                share.writes.add((segments(number), (_ELEMENT, n)))
                return share
            case p.Deliver() if each.pathway in self.splits:
                return self._touched(Share(OWN), each.code, self.n_synapses[each.pathway], self.splits[each.pathway])
            case p.Push():
                return Share(EACH if each.pathway in self.splits else ALONE)
            case p.Replay():
                return Share(EACH)
        return self._alone(each)

    def _value(self, constant: p.Constant) -> int:
        return int(self.program.integers[constant.slot])

    def _elementwise(self, code: p.Code, n: int) -> bool:
        """Return whether code for n elements writes nothing but what is theirs."""
        if code.scalar_writes or not code.vector:
            return False
        written = code.arrays_written()
        touched = [reference for reference in _references(code) if reference.array in written]
        return all(each.index == _ELEMENT and self.sizes[each.array] == n for each in touched)

    def _touched(self, share: Share, code: p.Code, n: int | None, split: Split | None = None) -> Share:
        """Add what code touches that goes through n elements, or through all of them in every thread."""
        written = code.arrays_written()
        for each in _references(code):
            way = _way(code, each)
            key: Hashable = _ANYONE
            if n is not None and way == _ELEMENT and self.sizes[each.array] == n:
                key = (_ELEMENT, n) if split is None or split.index is None else split
            elif split is not None and way == split.index and self.sizes[each.array] == split.n:
                key = (_ELEMENT, split.n)
            if each.array not in self.private:
                (share.writes if each.array in written else share.reads).add((each.array, key))
        share.reads |= {(each.array, _ANYONE) for each in code.functions.values() if isinstance(each, p.Table)}
        return share

    def _alone(self, each: p.Operation) -> Share:
        """Return the share of the first thread in what it does alone."""
        code, share = getattr(each, "code", None), Share(ALONE)
        read, written = (code.arrays_read(), code.arrays_written()) if code else (set(), set())
        match each:
            case p.Sum():
                read.add(each.target_index)
                written.add(each.target)
            case p.Threshold():
                written |= {array for array in (each.not_refractory, each.last_spike) if array is not None}
            case p.RecordStates():
                read.add(each.indices)
        share.reads = {(array, _FIRST) for array in read - self.private}
        share.writes = {(array, _FIRST) for array in written - self.private}
        return share


def segments(threshold: int) -> tuple[str, int]:
    """Return the name of the events that the threads find among their own elements."""
    return ("segments", threshold)


def gathering(threshold: int) -> Share:
    """Return what it is to gather the events of a threshold: each does it, from what all have found."""
    return Share(EACH, {(segments(threshold), _ANYONE)})


def _references(code: p.Code) -> list[p.Reference]:
    """Return what code touches, indices included."""
    found, waiting = [], [*code.scalar_reads, *code.scalar_writes, *code.vector_reads, *code.vector_writes]
    while waiting:
        reference = code.names[waiting.pop()]
        if isinstance(reference, p.Reference):
            found.append(reference)
            if reference.index not in (_ELEMENT, _ONLY):
                waiting.append(reference.index)
    return found


def _way(code: p.Code, reference: p.Reference) -> int | str | None:
    """Return how an element is found: the one at hand, the only one, by an array of indices, or (None) by several."""
    if reference.index in (_ELEMENT, _ONLY):
        return reference.index
    index = code.names[reference.index]
    return index.array if isinstance(index, p.Reference) and index.index == _ELEMENT else None


def _synaptic(code: p.Code) -> set[int]:
    return {reference.array for reference in _references(code) if reference.index == _ELEMENT}
