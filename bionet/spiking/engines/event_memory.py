"""Times of the ``event`` engine, in windows, and what it takes over from an earlier run and leaves for the next."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.errors import BionetError
from bionet.spiking.emissions import Processes


@dataclass
class Time:
    """A time: window and offset."""

    window: int
    offset: float

    @classmethod
    def of(cls, seconds: float, length: float) -> Time:
        """Return a time given in seconds."""
        window = math.floor(seconds / length)
        return cls(window, seconds - window * length)


def window_of(delays: list[NDArray]) -> float:
    """Return the length of a window [s]: a power of two, of half the shortest delay at most, if that is long enough.

    It is between 2**-14 and 2**-10.
    """
    shortest = min((float(each[each > 0].min()) for each in delays if np.any(each > 0)), default=1.0)
    return 2.0 ** math.floor(math.log2(min(max(shortest / 2, 2.0**-14), 2.0**-10)))


@dataclass
class Accuracy:
    """How well the spikes of a run are known.

    Attributes
    ----------
    bracket : float
        The widest interval to which the time of a spike, or of the arrival of a front, was narrowed down [s].
    grazes : int
        How often rounding hid whether a neuron touched its threshold or not; it counted as not.
    """

    bracket: float
    grazes: int


@dataclass
class Memory:
    """What a network leaves for its next run: the neurons where they are, and the spikes under way.

    What was due at ``paused_at`` [s] has been done: a run that was stopped there goes on behind it. ``hazards`` says of
    groups that fire at random what had been drawn when they began.
    """

    network: str = ""
    t: float = -1.0
    paused_at: float = -1.0
    rows: dict[str, NDArray] = field(default_factory=dict)
    published: dict[str, NDArray] = field(default_factory=dict)
    arrivals: dict[str, tuple[NDArray, NDArray, NDArray]] = field(default_factory=dict)
    fronts: dict[str, tuple[NDArray, NDArray, NDArray, NDArray]] = field(default_factory=dict)
    emissions: dict[str, Any] = field(default_factory=dict)
    hazards: dict[str, int] = field(default_factory=dict)
    window: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return all of it as arrays, numbers, lists and dictionaries, copied."""
        emissions = {name: vars(each) for name, each in self.emissions.items()}
        return copy.deepcopy({**vars(self), "emissions": emissions})

    @classmethod
    def of_plain(cls, state: Mapping[str, Any]) -> Memory:
        """Return what `plain` was made of.

        Raises
        ------
        BionetError
            If another version of bionet has stored it, which kept something else.
        """
        unknown = sorted({*state} - {each.name for each in fields(cls)})
        if unknown:
            raise BionetError(
                f"a stored state: got {unknown[0]!r} from an earlier run, which this version of bionet does not know; "
                "run the network up to there again and store it anew"
            )
        found: dict[str, Any] = copy.deepcopy(dict(state))
        found["emissions"] = {name: Processes(**each) for name, each in found.get("emissions", {}).items()}
        return cls(**found)


@dataclass
class Surroundings:
    """What a run needs of the network around it: see :class:`bionet.spiking.engines.grid.Surroundings`."""

    values: Callable[[], list[NDArray]]
    append: Callable[[p.Operation, dict[str, NDArray], int], None]
    outside: Callable[[int, float], None]
    breathe: Callable[[float], bool]
    sources_of: Callable[[int], tuple[int, int, NDArray]]


#: Numbers in a line of the cache.
LINE = 8


def aligned_zeros(n: int, width: int) -> NDArray:
    """Return ``n`` rows of zeros, of which the first begins a line of the cache."""
    memory = np.zeros(n * width + LINE)
    start = -(memory.__array_interface__["data"][0] // memory.itemsize) % LINE
    return memory[start : start + n * width].reshape(n, width)


def apart(n: int, dtype: Any = np.float64) -> NDArray:
    """Return zeros that share no line of the cache with anything else: one thread writes them, another its own.

    Processors fetch lines in pairs.
    """
    size, pair = n * np.dtype(dtype).itemsize, 16 * LINE
    memory = np.zeros(size + 3 * pair, np.uint8)
    start = -(memory.__array_interface__["data"][0]) % pair
    return memory[start : start + size].view(dtype)
