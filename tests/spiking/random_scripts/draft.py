"""A script in the making: its lines, its objects, and what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tests.spiking.random_scripts.features import FEATURES

T = TypeVar("T")


class Draft:
    """Lines of a script, and the random choices that lead to them.

    Parameters
    ----------
    seed
        Every choice follows from it. The script itself draws its arrays from ``values``, seeded alike.

    """

    def __init__(self, seed: int):
        self.random = np.random.default_rng([seed, 1])
        self.lines: list[str] = []
        self.objects: list[str] = []
        self.features: set[str] = set()
        # Lines that may stand between two runs, by the feature each shows.
        self.changes: list[tuple[str, str]] = []

    def shows(self, feature: str) -> None:
        """Note that the script has a feature."""
        if feature not in FEATURES:
            raise KeyError(f"{feature!r} is not in the list of features")
        self.features.add(feature)

    def takes(self, feature: str, probability: float) -> bool:
        """Decide whether the script has a feature."""
        taken = self.random.random() < probability
        if taken:
            self.shows(feature)
        return taken

    def one(self, options: Sequence[T]) -> T:
        """Choose one of several."""
        return options[int(self.random.integers(len(options)))]

    def feature(self, *names: str) -> str:
        """Choose one of several features."""
        chosen = self.one(names)
        self.shows(chosen)
        return chosen

    def number(self, low: float, high: float) -> str:
        """Draw a number of few digits, as text."""
        return f"{self.random.uniform(low, high):.3g}"

    def count(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return int(self.random.integers(low, high + 1))

    def say(self, *lines: str) -> None:
        """Add lines."""
        self.lines += lines

    def create(self, name: str, call: str) -> None:
        """Add the line that makes an object of the network."""
        self.say(f"{name} = {call}")
        self.objects.append(name)


@dataclass(frozen=True)
class Population:
    """What the rest of the script may do with a group.

    Parameters
    ----------
    name, size
        As in the script.
    inputs
        Variables that a synapse may add to, with the size of a step.
    unit
        Unit of the variable ``v``, if there is one.
    scale
        A typical range of ``v``, with its unit.
    summed
        Size and unit of ``total``, if it waits for a Synapses that sums it up.
    event
        Name of a custom event.
    recordable
        Variables for a monitor.
    counts
        Whether it has an integer variable ``hits``.
    spikes
        Whether it has a threshold.
    divisible
        Whether Brian2 lets it have subgroups.
    clamped
        Whether ``v`` stands still while it is refractory.

    """

    name: str
    size: int
    inputs: dict[str, str] = field(default_factory=dict)
    unit: str | None = None
    scale: str = "1"
    summed: tuple[str, str] | None = None
    event: str | None = None
    recordable: tuple[str, ...] = ()
    counts: bool = False
    spikes: bool = True
    divisible: bool = True
    clamped: bool = False

    def part(self, draft: Draft, feature: str, probability: float = 0.3) -> tuple[str, int]:
        """Name the group, or one subgroup of it, and its size."""
        if not self.divisible or self.size < 3 or not draft.takes(feature, probability):
            return self.name, self.size
        start = draft.count(0, self.size - 2)
        stop = draft.count(start + 1, self.size)
        return f"{self.name}[{start}:{stop}]", stop - start
