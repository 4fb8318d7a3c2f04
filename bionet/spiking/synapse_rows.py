"""The synapses of a condition, row by row: how many a row has, then which.

A row is drawn in two steps [1]_: how many are taken (a binomial number, or ``size``), then which, a set of that size
with equal probability for all: positions are thrown until enough different ones are marked in a bitmap, which is read
out in order. Numbers come from a counter keyed by (seed, stream, row), so a row is the same whoever draws it.

References
----------
.. [1] L. Devroye, "Non-uniform random variate generation", Springer (1986), XII.2 (membership checking), and for the
   positions D. Lemire, "Fast random integer generation in an interval", ACM Trans. Model. Comput. Simul. 29 (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bionet.random import Stream, binomials, uniforms
from bionet.spiking.ends import Ends, narrowest
from bionet.spiking.machine_code import call

# Which pairs of a row fulfil the condition: all, those with i != j, the one with i == j.
EVERY, OTHERS, ITSELF = 0, 1, 2
# Pairs that are drawn at a time.
_AT_ONCE = 1 << 13


@dataclass(frozen=True)
class Rows:
    """The synapses of a condition or of generator syntax: for every row, some columns of one interval.

    Attributes
    ----------
    by_source : bool
        Whether rows are sources and columns targets; otherwise rows are targets.
    n_rows : int
    low, high : int
        The columns to choose from: ``low`` to ``high - 1``.
    where : int
        ``EVERY``, ``OTHERS`` (i != j) or ``ITSELF`` (i == j).
    p : float
        The probability of each, dimensionless; without meaning if ``size`` is given.
    size : int
        How many of a row are drawn before the condition is asked, or -1.
    copies : int
        Synapses per pair.
    """

    by_source: bool
    n_rows: int
    low: int
    high: int
    where: int = EVERY
    p: float = 1.0
    size: int = -1
    copies: int = 1

    @property
    def random(self) -> bool:
        """Whether chance decides; otherwise the synapses are those that Brian2 makes."""
        return 0 < self.size < self.high - self.low if self.size >= 0 else 0 < self.p < 1

    @property
    def expected(self) -> float:
        """The expected number of synapses."""
        whole = self.high - self.low
        diagonal = max(0, min(self.high, self.n_rows) - self.low)
        pairs = {EVERY: self.n_rows * whole, OTHERS: self.n_rows * whole - diagonal, ITSELF: diagonal}[self.where]
        p = self.p if self.size < 0 else self.size / max(whole, 1)
        return pairs * p * self.copies

    def draw(self, stream: Stream) -> tuple[int, Callable[[NDArray, NDArray], None]]:
        """Return the number of synapses, and what writes their sources and targets into arrays of that length."""
        chosen = self._chosen(stream)
        return int(chosen.sum()) * self.copies, partial(self._write, chosen, stream)

    def ends(self, stream: Stream, first: tuple[int, int], size: tuple[int, int]) -> Ends:
        """Return the same synapses in as little memory as can be.

        Parameters
        ----------
        stream : Stream
        first, size : tuple of int
            The number of the first source and of the first target, and how many there are.
        """
        chosen, other = self._chosen(stream), int(self.by_source)
        columns: NDArray = np.empty(int(chosen.sum()) * self.copies, narrowest(first[other] + size[other]))
        for _, part, found in self._drawn(chosen, stream):
            columns[part] = found
        return Ends.of_rows(chosen * self.copies, columns, self.by_source, first, size)

    def _chosen(self, stream: Stream) -> NDArray:
        """Return how many columns each row takes: each with probability ``p``, or ``size`` of them."""
        key, rows, whole = stream.child("number").key, np.arange(self.n_rows), self.high - self.low
        inside = (self.low <= rows) & (rows < self.high)
        count = {EVERY: np.full(self.n_rows, whole), OTHERS: whole - inside, ITSELF: inside.astype(int)}[self.where]
        if self.size < 0:
            chosen = np.empty(self.n_rows, np.int64)
            for n in np.unique(count):
                chosen[count == n] = binomials(int(n), self.p, key, rows[count == n])
            return chosen
        # The diagonal is in the sample with probability size / whole; the condition keeps it, or all but it.
        diagonal = uniforms(key, rows) * whole < self.size
        kept = np.minimum(diagonal, count) if self.where == ITSELF else self.size - diagonal
        return np.where(count == whole, self.size, kept)

    def _write(self, chosen: NDArray, stream: Stream, sources: NDArray, targets: NDArray) -> None:
        rows, columns = (sources, targets) if self.by_source else (targets, sources)
        for own, part, found in self._drawn(chosen, stream):
            rows[part] = np.repeat(np.arange(own.start, own.stop, dtype=np.int32), chosen[own] * self.copies)
            columns[part] = found

    def _drawn(self, chosen: NDArray, stream: Stream) -> Iterator[tuple[slice, slice, NDArray]]:
        """Yield some rows at a time: which, where their synapses lie among all, and the columns of these."""
        key = np.uint64(stream.child("which").key)
        ends = np.cumsum(chosen)
        marks = np.zeros((self.high - self.low) // 64 + 1, np.uint64)
        blocks = np.zeros(marks.size // 64 + 1, np.uint64)
        first = begin = 0
        while first < self.n_rows:
            last = max(int(np.searchsorted(ends, begin + _AT_ONCE, "right")), first + 1)
            end = int(ends[last - 1])
            found = np.empty(end - begin, np.int32)
            some = chosen[first:last]
            call("fill_rows", found, some, first, self.low, self.high, self.where, key, marks, blocks)
            found = found if self.copies == 1 else np.repeat(found, self.copies)
            yield slice(first, last), slice(begin * self.copies, end * self.copies), found
            first, begin = last, end


@dataclass(frozen=True, eq=False)
class Pairs:
    """The synapses of two index arrays.

    Attributes
    ----------
    sources, targets : int array, shape (n_pairs,)
    copies : int
        Synapses per pair.
    """

    sources: NDArray
    targets: NDArray
    copies: int = 1

    random = False

    @property
    def expected(self) -> float:
        """The number of synapses."""
        return len(self.sources) * self.copies

    def draw(self, stream: Stream) -> tuple[int, Callable[[NDArray, NDArray], None]]:
        """Return the number of synapses, and what writes their sources and targets into arrays of that length."""
        return len(self.sources) * self.copies, self._write

    def _write(self, sources: NDArray, targets: NDArray) -> None:
        sources.reshape(-1, self.copies)[:] = self.sources[:, np.newaxis]
        targets.reshape(-1, self.copies)[:] = self.targets[:, np.newaxis]
