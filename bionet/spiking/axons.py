"""The synapses of a pathway sorted by source and delay, the delays as they are."""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


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
        counts = np.bincount(np.asarray(sources, np.int64) - first, minlength=last - first)
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.homogeneous = delays.size == 0 or delays.min() == delays.max()
        if self.homogeneous:
            order = np.argsort(sources, kind="stable")
            self.delay = np.array([delays[0] if delays.size else 0.0])
        else:
            order = np.lexsort((delays, sources))
            self.delay = np.ascontiguousarray(delays[order], np.float64)
        self.in_order = bool(np.all(order[1:] > order[:-1]))
        self.order = np.empty(0, np.int32) if self.in_order else order.astype(np.int32)

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
    places = np.flatnonzero((owner >= low) & (owner < high))
    part.starts = np.searchsorted(places, axons.starts).astype(np.int64)
    part.order = (places if axons.in_order else axons.order[places]).astype(np.int32)
    part.delay = axons.delay if axons.homogeneous else axons.delay[places]
    part.in_order = False
    part.among = places
    return part
