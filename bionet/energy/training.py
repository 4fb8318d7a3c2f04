"""Learning of two layers: the state that learning changes, and one update of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bionet.energy.harmonium import Harmonium, Statistics, conditional
from bionet.energy.sampling import Tempering, temperatures
from bionet.energy.units import Units
from bionet.kernels.cpu.ascent import EXTRA, follow
from bionet.kernels.cpu.blas import ADDRESS
from bionet.kernels.devices import CPU, Kernels
from bionet.random import Stream

Floats = NDArray[Any]

SLIDING = 0.01
"""The share of each batch in the running offsets (Melchior et al. 2016) and in the running activity."""
GRADIENTS = ("cd", "exact", "pcd", "tempering")


@dataclass(frozen=True)
class Rule:
    """How a two-layer machine learns; see the parameters of :class:`bionet.energy.RBM`."""

    gradient: str
    k: int
    n_chains: int
    n_temperatures: int
    learning_rate: float
    rate_decay: float | None
    momentum: float
    weight_decay: float
    sparsity_target: float
    sparsity_cost: float
    centered: bool
    by_means: bool

    def rates(self, update: int) -> NDArray[np.float64]:
        """Return the numbers that an update goes by, as :func:`bionet.kernels.cpu.ascent.climb` takes them."""
        rate = self.learning_rate / (1.0 + update / self.rate_decay if self.rate_decay else 1.0)
        slide = SLIDING if self.centered else 0.0
        sparsity = self.sparsity_cost, self.sparsity_target, SLIDING if self.sparsity_cost else 0.0
        return np.array([rate, self.momentum, self.weight_decay, slide, *sparsity])


@dataclass
class Learned:
    """All that learning changes: with the seed, what goes on is decided by this.

    Attributes
    ----------
    weights, visible_bias, hidden_bias : float arrays
    velocity, visible_velocity, hidden_velocity : float arrays
        Of the same shapes; ``velocity`` is empty without momentum.
    visible_offset, hidden_offset, activity : float arrays
        What states are centred on, and the running mean of the hidden units.
    chains : float array, shape (n_temperatures * n_chains, n_hidden)
        Hidden units of the persistent chains, from hot to cold; empty if there are none.
    clock : int64 array, shape (1,)
        Updates made.
    """

    weights: Floats
    visible_bias: Floats
    hidden_bias: Floats
    velocity: Floats
    visible_velocity: Floats
    hidden_velocity: Floats
    visible_offset: Floats
    hidden_offset: Floats
    activity: Floats
    chains: Floats
    clock: NDArray[np.int64]

    def copy(self) -> Learned:
        """Return a state of its own arrays."""
        return Learned(*(getattr(self, each.name).copy() for each in fields(self)))

    def pack(self) -> dict[str, Floats]:
        """Return the arrays by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def unpack(cls, arrays: dict[str, Floats]) -> Learned:
        """Return the state of these arrays.

        Raises
        ------
        KeyError, ValueError
            If others are missing, or shapes do not fit each other.
        """
        n_visible, n_hidden = arrays["weights"].shape
        sizes = {"visible": (n_visible,), "hidden": (n_hidden,), "activity": (n_hidden,), "clock": (1,)}
        found = {each.name: arrays[each.name] for each in fields(cls)}
        for name, array in found.items():
            shape = sizes.get(name.split("_")[0])
            if shape is not None and array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, not {shape}")
        if found["velocity"].size and found["velocity"].shape != (n_visible, n_hidden):
            raise ValueError(f"velocity has shape {found['velocity'].shape}")
        return cls(**found)

    def sent(self, on: Kernels) -> Learned:
        """Return the state with its arrays on a device, the clock excepted."""
        if on is CPU:
            return self
        return Learned(**{name: on.put(each) if name != "clock" else each.copy() for name, each in self.pack().items()})

    def home(self, on: Kernels) -> Learned:
        """Return the state of that device with its arrays on the processor."""
        if on is CPU:
            return self
        return Learned(**{name: on.get(each) if name != "clock" else each.copy() for name, each in self.pack().items()})

    def restore(self, other: Learned) -> None:
        """Take over the numbers of another state, in place."""
        for each in fields(self):
            getattr(self, each.name)[...] = getattr(other, each.name)

    def diverged(self) -> bool:
        """Tell whether weights are beyond all reason, or no numbers any more."""
        largest = max(np.abs(self.weights).max(), np.abs(self.hidden_bias).max(), np.abs(self.visible_bias).max())
        return not largest < 1e4


def begin(
    rule: Rule, visible: Units, hidden: Units, mean: Floats, n_samples: int, n_hidden: int, seed: int, name: str
) -> Learned:
    """Return the state before the first update, for data of that mean, which gives the type of all numbers.

    Weights come from N(0, 0.01); the visible bias gives the data's means, the hidden bias is 0 (Hinton 2010).
    """
    kind, n_visible = mean.dtype, len(mean)
    persistent = {"pcd": 1, "tempering": rule.n_temperatures}.get(rule.gradient, 0)
    zero = np.zeros(n_hidden, kind)
    weights = (0.01 * Stream(seed, f"{name}/weights").normal((n_visible, n_hidden))).astype(kind)
    rows = np.zeros((persistent * rule.n_chains, n_hidden), kind)
    return Learned(
        weights=weights,
        visible_bias=visible.bias(mean, n_samples).astype(kind),
        hidden_bias=zero.copy(),
        velocity=np.zeros(weights.shape if rule.momentum or rule.gradient == "exact" else (0, 0), kind),
        visible_velocity=np.zeros(n_visible, kind),
        hidden_velocity=zero.copy(),
        visible_offset=mean * rule.centered,
        hidden_offset=(hidden.mean(zero) * rule.centered).astype(kind),
        activity=np.full(n_hidden, rule.sparsity_target, kind),
        chains=hidden.sample(rows, Stream(seed, f"{name}/chains"), 0),
        clock=np.zeros(1, dtype=np.int64),
    )


class Ascent:
    """Updates of a state, each after a batch of data.

    Parameters
    ----------
    rule : Rule
    visible, hidden : Units
    learned : Learned
        Changed in place. An update is one compiled call at its end: an interruption comes before it or after it.
    batch_size : int
        The largest batch.
    draws : Stream
        Its steps are counted by the state's clock.
    on : Kernels
        Of the device where the state and the data are.
    """

    def __init__(
        self,
        rule: Rule,
        visible: Units,
        hidden: Units,
        learned: Learned,
        batch_size: int,
        draws: Stream,
        on: Kernels = CPU,
    ) -> None:
        self.rule, self.learned, self.draws, self.on = rule, learned, draws, on
        self.pair = Harmonium(learned.weights, learned.visible_bias, learned.hidden_bias, visible, hidden, on)
        kind, (n_visible, n_hidden) = learned.weights.dtype, learned.weights.shape
        rows = batch_size + max(batch_size, rule.n_chains) + EXTRA
        self._visible, self._hidden = on.xp.zeros((rows, n_visible), kind), on.xp.zeros((rows, n_hidden), kind)
        self._mean = on.xp.empty((rows, n_visible), kind)
        self._sample = on.xp.empty((rows, n_hidden), kind)
        self._replicas = None
        if rule.gradient == "tempering":
            self._replicas = Tempering(learned.chains, temperatures(rule.n_temperatures), n_visible)

    def update(self, X: Floats, rows: NDArray[np.intp]) -> None:
        """Learn from these rows of X."""
        learned, rule, pair = self.learned, self.rule, self.pair
        n, update = len(rows), int(learned.clock[0])
        if rule.gradient == "exact":
            self._update_exactly(X[rows], rule.rates(update))
            return
        m = n if rule.gradient == "cd" else rule.n_chains
        visible, hidden = self._visible[: n + m + EXTRA], self._hidden[: n + m + EXTRA]
        if self.on is CPU:
            np.take(X, rows, axis=0, out=visible[:n], mode="clip")
        else:
            visible[:n] = X[self.on.put(rows)]
        first = (3 * rule.k + 1) * update
        sample = self._sample[:m]
        start = sample if rule.gradient == "cd" else None
        layer = pair.hidden, visible[:n], pair.weights, pair.hidden_bias
        conditional(*layer, hidden[:n], self.draws, first, start, on=self.on)
        if rule.gradient == "pcd":
            sample[:] = learned.chains
        fresh = self._move_chains(visible[n : n + m], hidden[n : n + m], sample, first + 1)
        self.on.ascent.climb(
            *(ADDRESS[visible.dtype], visible, hidden, n, rule.rates(update), learned.weights),
            *((learned.visible_bias, learned.hidden_bias), learned.velocity),
            *((learned.visible_velocity, learned.hidden_velocity), (learned.visible_offset, learned.hidden_offset)),
            *(learned.activity, learned.chains, fresh, learned.clock),
        )

    def _move_chains(self, visible: Floats, hidden: Floats, sample: Floats, first: int) -> Floats:
        """Fill in the visible units of the chains after k sweeps, and the hidden means; return what chains keep."""
        rule, pair, draws = self.rule, self.pair, self.draws
        if self._replicas is not None:
            self._replicas.hidden[:] = self.learned.chains
            for sweep in range(rule.k):
                self._replicas.sweep(pair, draws, first + 3 * sweep)
            visible[:] = self._replicas.cold()
            conditional(pair.hidden, visible, pair.weights, pair.hidden_bias, hidden)
            return self._replicas.sort()
        mean, on = self._mean[: len(visible)], self.on
        for sweep in range(rule.k):
            step, wanted = first + 2 * sweep, rule.gradient == "pcd" or sweep < rule.k - 1
            below = pair.visible, sample, pair.weights, pair.visible_bias
            if rule.gradient == "cd" and rule.by_means:
                conditional(*below, visible, turn=True, on=on)
            else:
                conditional(*below, mean, draws, step, visible, turn=True, on=on)
            after = sample if wanted else None
            conditional(pair.hidden, visible, pair.weights, pair.hidden_bias, hidden, draws, step + 1, after, on=on)
        return sample if rule.gradient == "pcd" else self.learned.chains

    def _update_exactly(self, batch: Floats, rates: NDArray[np.float64]) -> None:
        """Update by the means of the model itself, summed over its states."""
        learned, kind = self.learned, self.learned.weights.dtype
        positive = self.pair.statistics(batch)
        activity = learned.activity + rates[6] * (positive.hidden_bias - learned.activity)
        sparsity = rates[4] * (rates[5] - activity)
        gradient = (positive - self.pair.sum_out()[1]).centred(learned.visible_offset, learned.hidden_offset)
        gradient = _sparser(gradient, sparsity, positive.visible_bias, learned)
        follow(
            *(rates, gradient.weights.astype(kind), learned.weights, learned.velocity),
            *((gradient.visible_bias.astype(kind), gradient.hidden_bias.astype(kind)),),
            *((learned.visible_bias, learned.hidden_bias), (learned.visible_velocity, learned.hidden_velocity)),
            *((learned.visible_offset, learned.hidden_offset),),
            *((positive.visible_bias.astype(kind), positive.hidden_bias.astype(kind)), learned.activity),
            learned.clock,
        )


def _sparser(gradient: Statistics, sparsity: Floats, mean: Floats, learned: Learned) -> Statistics:
    """Add what draws the hidden units' activity to its target."""
    weights = np.outer(mean - learned.visible_offset, sparsity)
    return Statistics(
        gradient.weights + weights,
        gradient.visible_bias - weights @ learned.hidden_offset,
        gradient.hidden_bias + sparsity - learned.visible_offset @ weights,
    )
