"""Where many synapses begin and end, in two bytes each, or four, where Brian2 has eight.

Synapses that were drawn row by row need no list of their sources: they are held as the targets of each source, one
source after another, which is what the loop reads. Brian2's arrays ``i`` and ``j`` are made of that for whoever asks,
to be read, and are forgotten with the last reference to them. Whatever changes them makes them arrays like any other.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bionet.spiking.machine_code import call

# Elements that NumPy is given at a time.
_PART = 1 << 13


def parts(size: int, least: int = _PART) -> Iterator[slice]:
    """Go through an array in parts that stay in the cache: NumPy then needs no memory of its own."""
    return (slice(begin, begin + max(least, _PART)) for begin in range(0, size, max(least, _PART)))


def narrowest(n: int) -> type:
    """Return the type of indices below n.

    Examples
    --------
    >>> narrowest(65536), narrowest(65537)
    (<class 'numpy.uint16'>, <class 'numpy.int32'>)
    """
    return np.uint16 if n <= 1 << 16 else np.int32


def number_of_each(indices: NDArray, n: int, first: int = 0) -> NDArray:
    """Return how often each of ``first``, ``first + 1``, ... is there, of n numbers in all."""
    counts = np.zeros(n, np.int32)
    for part in parts(indices.size, n):
        here = indices[part] - first if first else indices[part]
        counts += np.bincount(here, minlength=n).astype(np.int32)
    return counts


def _starts(counts: NDArray) -> NDArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Ends:
    """Sources and targets of synapses.

    Attributes
    ----------
    starts : int32 array, shape (n_sources + 1,)
        Where the synapses of each source begin in ``targets``.
    targets : array of uint16 or int32, shape (n_synapses,)
        In ascending order for each source.
    by_source : bool
        Whether synapses are numbered in this order; otherwise by target, those of one target by source.
    first_source : int
        The number of the first source, 0 but for subgroups; targets have theirs.
    n_targets : int
        No target has this number, or a larger one.

    Examples
    --------
    Four synapses from two sources, numbered by target:

    >>> ends = Ends(np.array([0, 3, 4], np.int32), np.array([0, 1, 2, 1], np.uint16), False, 0, 3)
    >>> np.asarray(Side(ends, True)), np.asarray(Side(ends, False))
    (array([0, 0, 1, 0], dtype=int32), array([0, 1, 1, 2], dtype=int32))
    """

    starts: NDArray
    targets: NDArray
    by_source: bool
    first_source: int
    n_targets: int

    @classmethod
    def of_rows(
        cls, counts: NDArray, columns: NDArray, by_source: bool, first: tuple[int, int], size: tuple[int, int]
    ) -> Ends:
        """Return the ends of synapses that are numbered row by row.

        Parameters
        ----------
        counts : int array, shape (n_rows,)
            Synapses of each row.
        columns : int array, shape (n_synapses,)
            Ascending in each row, numbered from 0.
        by_source : bool
            Whether rows are sources, and columns targets.
        first, size : tuple of int
            The number of the first source and of the first target, and how many there are.
        """
        starts = _starts(counts)
        n_targets = first[1] + size[1]
        if by_source:
            targets = columns
            if first[1]:
                targets = columns.astype(narrowest(n_targets), copy=False)
                targets += targets.dtype.type(first[1])
            return cls(starts, targets, True, first[0], n_targets)
        turned = _starts(number_of_each(columns, size[0]))
        targets = np.empty(columns.size, narrowest(n_targets))
        call("turn", starts, columns, turned[:-1].copy(), targets, first[1])
        return cls(turned, targets, False, first[0], n_targets)

    @property
    def n_outgoing(self) -> NDArray:
        """How many synapses each source has."""
        return np.diff(self.starts)

    @property
    def n_incoming(self) -> NDArray:
        """How many synapses each target has."""
        return number_of_each(self.targets, self.n_targets)

    def sources(self) -> NDArray:
        """Return the source of each synapse."""
        if self.by_source:
            last = self.first_source + self.starts.size - 1
            return np.repeat(np.arange(self.first_source, last, dtype=np.int32), self.n_outgoing)
        found = np.empty(self.targets.size, np.int32)
        call("turn", self.starts, self.targets, _starts(self.n_incoming)[:-1], found, self.first_source)
        return found

    def ordered_targets(self) -> NDArray:
        """Return the target of each synapse."""
        if self.by_source:
            return self.targets.astype(np.int32)
        return np.repeat(np.arange(self.n_targets, dtype=np.int32), self.n_incoming)


class Side:
    """The sources of synapses, or their targets: an array that is made when it is needed.

    Parameters
    ----------
    ends : Ends
    of_sources : bool
    """

    dtype = np.dtype(np.int32)

    def __init__(self, ends: Ends, of_sources: bool) -> None:
        self.ends, self.of_sources, self.size = ends, of_sources, ends.targets.size
        self._made: Any = lambda: None

    def __len__(self) -> int:
        return self.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        made = self._made()
        if made is None:
            made = self.ends.sources() if self.of_sources else self.ends.ordered_targets()
            self._made = weakref.ref(made)
        return np.array(made, dtype, copy=copy)

    @property
    def nbytes(self) -> int:
        """How many bytes are held."""
        return self.ends.starts.nbytes if self.of_sources else self.ends.targets.nbytes

    @property
    def ascending(self) -> bool:
        """Whether it is sure that no element is less than the one before."""
        return self.of_sources == self.ends.by_source

    def row_starts(self, first: int, n: int) -> NDArray:
        """Return what the function of this name does."""
        ends = self.ends
        if self.of_sources and (ends.first_source, ends.starts.size - 1) == (first, n):
            return ends.starts
        return row_starts(np.asarray(self) if self.of_sources else ends.targets, first, n)


def row_starts(indices: NDArray | Side, first: int, n: int) -> NDArray:
    """Return where each of ``first``, ``first + 1``, ... would begin if the indices were sorted."""
    if isinstance(indices, Side):
        return indices.row_starts(first, n)
    return _starts(number_of_each(indices, n, first))


def targets_by_source(sources: Any, targets: Any) -> NDArray | None:
    """Return the targets of each source, one source after another, if that is how both are held."""
    if isinstance(sources, Side) and isinstance(targets, Side) and sources.ends is targets.ends:
        return sources.ends.targets if sources.of_sources and not targets.of_sources else None
    return None


class End:
    """One side of synapses in the place of Brian2's dynamic array, which it becomes when something changes it.

    Parameters
    ----------
    side : Side
    array : DynamicArray
        Brian2's, still empty.
    """

    def __init__(self, side: Side, array: Any) -> None:
        self.side: Side | None = side
        self._array = array

    @property
    def data(self) -> NDArray:
        """The array, to be read."""
        if self.side is None:
            return self._array.data
        view = np.asarray(self.side).view()
        view.flags.writeable = False
        return view

    def resize(self, size: int) -> None:
        """Give it another size."""
        if self.side is None or size != self.side.size:
            self.plain().resize(size)

    def plain(self) -> Any:
        """Become Brian2's array."""
        if self.side is not None:
            values, self.side = np.asarray(self.side), None
            self._array.resize(values.size)
            self._array[:] = values
        return self._array

    def __len__(self) -> int:
        return len(self._array) if self.side is None else self.side.size

    def __getitem__(self, item: Any) -> Any:
        return self.data[item]

    def __setitem__(self, item: Any, values: Any) -> None:
        # restore() sets what was there when it was stored: mostly what is there.
        whole = self.side is not None and isinstance(item, slice) and item == slice(None)
        if not whole or not np.array_equal(self.data, values):
            self.plain()[item] = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.plain(), name)


def hold(synapses: Any, ends: Ends) -> None:
    """Hold the ends of synapses that had none before."""
    for name, of_sources in (("_synaptic_pre", True), ("_synaptic_post", False)):
        variable = synapses.variables[name]
        arrays = variable.device.arrays
        arrays[variable] = End(Side(ends, of_sources), arrays[variable])


def held(variable: Any) -> NDArray | Side:
    """Return the values of a variable as they are held.

    Parameters
    ----------
    variable : brian2.core.variables.ArrayVariable
    """
    array = variable.device.get_value(variable, access_data=False)
    if isinstance(array, End) and array.side is not None:
        return array.side
    return np.asarray(variable.get_value())


def give_back(synapses: Any) -> None:
    """Let Brian2 have its own arrays again, for more synapses."""
    for name in ("_synaptic_pre", "_synaptic_post"):
        variable = synapses.variables[name]
        arrays = variable.device.arrays
        if isinstance(arrays[variable], End):
            arrays[variable] = arrays[variable].plain()
