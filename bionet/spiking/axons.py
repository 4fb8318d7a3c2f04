"""The synapses of a pathway sorted by source and delay, the delays as they are."""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bionet.spiking.pathways import by_source


@njit(cache=True)
def _row_starts(sources, first, n):
    """Return where each source's synapses begin once sorted by source, and whether they are so as they are."""
    starts = np.zeros(n + 1, np.int64)
    row, ascending = 0, True
    for k in range(sources.size):
        source = sources[k] - first
        if source != row:
            if source < row:
                ascending = False
                break
            starts[row + 1 : source + 1] = k
            row = source
    if ascending:
        starts[row + 1 :] = sources.size
        return starts, True
    starts[:] = 0
    for k in range(sources.size):
        starts[sources[k] - first + 1] += 1
    return np.cumsum(starts), False


@njit(cache=True)
def _by_delay(starts, order, delays):
    """Sort each source's synapses by delay, those of one delay by number; return the delays in that order."""
    sorted_delays = np.empty(order.size)
    for row in range(starts.size - 1):
        some = order[starts[row] : starts[row + 1]]
        own = sorted_delays[starts[row] : starts[row + 1]]
        ascending = True
        for k in range(some.size):
            own[k] = delays[some[k]]
            ascending &= k == 0 or own[k - 1] <= own[k]
        if not ascending:
            found = np.argsort(own, kind="mergesort")
            some[:], own[:] = some[found], own[found]
    return sorted_delays


@njit(cache=True)
def _owned(owner, low, high):
    """Return the places of those that have an owner in [low, high)."""
    n = 0
    for k in range(owner.size):
        n += low <= owner[k] < high
    places = np.empty(n, np.int32)
    n = 0
    for k in range(owner.size):
        if low <= owner[k] < high:
            places[n] = k
            n += 1
    return places


class Axons:
    """Who is reached by whom, and when.

    Parameters
    ----------
    first, last : int
        The sources are the neurons ``first <= i < last``.
    sources : array of int32, shape (n_synapses,)
        The source of each synapse.
    delays : float array, shape (n_synapses,) or (1,)
        In seconds.

    Attributes
    ----------
    homogeneous : bool
        All delays are equal.
    in_order : bool
        The synapses are sorted by source and delay as they are.
    starts : int64 array, shape (n_sources + 1,)
        Where each source's synapses begin in ``order``.
    order : int32 array, shape (n_synapses,)
        The synapses by source, then delay, then number; empty if they are in that order.
    delay : float array, shape (n_synapses,) or (1,)
        Delays in that order [s].
    """

    #: Of a part: where its synapses lie in the order of all.
    among: NDArray

    def __init__(self, first: int, last: int, sources: NDArray, delays: NDArray) -> None:
        self.bounds = np.array([first, last], np.int64)
        self.starts, ascending = _row_starts(sources, first, last - first)
        self.homogeneous = delays.size == 0 or delays.min() == delays.max()
        order = np.empty(0, np.int32)
        if not ascending:
            order = by_source(sources, first, self.starts)
        if self.homogeneous:
            self.delay = np.array([delays[0] if delays.size else 0.0])
        else:
            order = np.arange(sources.size, dtype=np.int32) if ascending else order
            self.delay = _by_delay(self.starts, order, np.ascontiguousarray(delays, np.float64))
        self.in_order = ascending and bool(np.all(order[1:] > order[:-1]))
        self.order = np.empty(0, np.int32) if self.in_order else order

    def column(self, values: NDArray) -> NDArray:
        """Return what does not change of each synapse, in order."""
        return np.ascontiguousarray(values if self.in_order else values[self.order])

    def delays(self, places: NDArray) -> NDArray:
        """Return the delays of places in order [s]."""
        return np.full(len(places), self.delay[0]) if self.homogeneous else self.delay[places]

    def places(self, synapses: NDArray) -> NDArray:
        """Return where synapses lie in order."""
        return synapses if self.in_order else np.asarray(self.inverse[synapses], np.int64)

    @cached_property
    def inverse(self) -> NDArray:
        """Where each synapse lies in order."""
        inverse = np.empty(self.order.max(initial=-1) + 1, self.order.dtype)
        inverse[self.order] = np.arange(len(self.order), dtype=self.order.dtype)
        return inverse


def divided(axons: Axons, owner: NDArray, low: int, high: int) -> Axons:
    """Return those of the axons' synapses that have an owner in [low, high).

    Parameters
    ----------
    axons : Axons
    owner : int array, shape (n_synapses,)
        Of each synapse, in the order of the axons.
    low, high : int
    """
    part = copy(axons)
    part.__dict__.pop("inverse", None)
    places = _owned(owner, low, high)
    part.starts = np.searchsorted(places, axons.starts.astype(places.dtype)).astype(np.int64)
    part.order = places if axons.in_order else axons.order[places]
    part.delay = axons.delay if axons.homogeneous else axons.delay[places]
    part.in_order = False
    part.among = places
    return part
