"""Laws of 0/1 units with pairwise links: sums over all states, Gibbs sampling, and the path for annealing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from bionet.energy.partition import all_states
from bionet.kernels.devices import CPU, Kernels
from bionet.random import Stream

Floats = NDArray[np.float64]
States = NDArray[np.int8]


class Moments(NamedTuple):
    """Means over states, or the difference of two such means: a gradient of the log-likelihood.

    Attributes
    ----------
    pairs : float array, shape (n_units, n_units)
        Mean of s s'.
    units : float array, shape (n_units,)
        Mean of s.
    """

    pairs: Floats
    units: Floats

    def minus(self, other: Moments) -> Moments:
        """Return the difference."""
        return Moments(self.pairs - other.pairs, self.units - other.units)


def means(states: States) -> Moments:
    """Return the means of s s' and s over the rows, 0 or 1."""
    s = states.astype(np.float64)
    return Moments(s.T @ s / len(s), s.mean(axis=0))


def summed(weights: Floats, bias: Floats) -> tuple[float, Moments]:
    """Return log Z and the means of a machine, by a sum over all states."""
    log_z, pairs, units = -np.inf, np.zeros_like(weights), np.zeros_like(bias)
    for block in all_states(len(bias)):
        log_weight = (block * (0.5 * (block @ weights) + bias)).sum(axis=1)
        before, log_z = log_z, np.logaddexp(log_z, logsumexp(log_weight))
        share, old = np.exp(log_weight - log_z), np.exp(before - log_z)
        weighted = share[:, None] * block
        pairs, units = old * pairs + weighted.T @ block, old * units + weighted.sum(axis=0)
    return float(log_z), Moments(pairs, units)


def layers(*sizes: int) -> NDArray[np.bool_]:
    """Return which units are linked in a stack of layers, each linked to the next: a mask of a Boltzmann machine.

    Examples
    --------
    >>> layers(2, 1).astype(int).tolist()
    [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    """
    layer = np.repeat(np.arange(len(sizes)), sizes)
    return np.abs(layer[:, None] - layer) == 1


def joined(X: Floats, hidden: Floats, pairs: Floats) -> Moments:
    """Put the means of visible and hidden units together; ``pairs`` are those of two hidden ones."""
    cross = X.T @ hidden / len(X)
    return Moments(
        np.block([[X.T @ X / len(X), cross], [cross.T, pairs]]), np.append(X.mean(axis=0), hidden.mean(axis=0))
    )


def cooling(weights: Floats, bias: Floats, n_sweeps: int) -> Floats:
    """Return inverse temperatures in equal steps, in units of one over the largest typical field."""
    spread = float(np.sqrt((weights**2).sum(axis=1)).max())
    return np.linspace(0.1, 20.0, n_sweeps) / (spread or float(np.abs(bias).max()) or 1.0)


def gibbs(
    weights: Floats,
    bias: Floats,
    states: States,
    n_sweeps: int,
    stream: Stream,
    step: int = 0,
    free: NDArray[np.bool_] | None = None,
    beta: float = 1.0,
    lift: Floats | float = 0.0,
    dtype: str = "float64",
    on: Kernels = CPU,
) -> States:
    """Sweep ``states`` in place, each free unit in its turn, in fresh random orders, and return them.

    Parameters
    ----------
    weights, bias : float arrays, shapes (n_units, n_units) and (n_units,)
    states : int8 array, shape (n_chains, n_units)
        0 or 1, contiguous.
    n_sweeps : int
    stream : Stream
        Of the draws, at steps ``step`` to ``step + n_sweeps - 1``. All chains share the orders, and a sweep backwards
        is as likely as one forwards.
    step : int
    free : bool array, shape (n_units,), optional
        The units that may change; all by default.
    beta : float
        Inverse temperature, which the fields are multiplied by.
    lift : float array, shape (n_units,), or float
        Added to the fields after that.
    dtype : {"float64", "float32"}
        Of the weights; their sums are those of double precision, on a GPU those of this one.
    on : Kernels
        Of the device to sweep on; the states stay where they are.
    """
    couplings, n_units = np.ascontiguousarray(weights, dtype=dtype), len(bias)
    if not couplings.flags.writeable:
        # Numba compiles a second time for arrays that are read-only.
        couplings = couplings.copy()
    places, order = np.arange(n_units) if free is None else np.flatnonzero(free), stream.child("order")
    orders = np.array([places[order.permutation(len(places), step + k)] for k in range(n_sweeps)])
    own, lifts = (np.array(np.broadcast_to(each, (n_units,)), dtype=np.float64) for each in (bias, lift))
    there, law = on.put(states), (on.put(couplings), on.put(own))
    on.boltzmann.sweeps(there, *law, orders, float(beta), on.put(lifts), np.uint64(stream.key), step)
    if on is not CPU:
        states[...] = on.get(there)
    return states


class Annealing:
    """The path from units that keep their biases but have no links to the machine: :class:`.partition.Path`.

    Parameters
    ----------
    weights, bias : float arrays, shapes (n_units, n_units) and (n_units,)
    dtype : {"float64", "float32"}
    """

    def __init__(self, weights: Floats, bias: Floats, dtype: str = "float64") -> None:
        self.weights, self.bias, self.dtype = weights, bias, dtype

    @property
    def log_z_base(self) -> float:
        """The log partition function of units without links."""
        return float(np.logaddexp(0.0, self.bias).sum())

    def start(self, n_runs: int, stream: Stream) -> States:
        """Draw units without links, shape (n_runs, n_units)."""
        return stream.bernoulli(np.tile(expit(self.bias), (n_runs, 1))).astype(np.int8)

    def step(self, states: States, beta: float, to: float, stream: Stream, count: int) -> tuple[States, Floats]:
        """Return states a sweep later, under the law at ``to``, and the gain of those given."""
        s, lift = states.astype(np.float64), (1.0 - to) * self.bias
        gain = (to - beta) * 0.5 * (s * (s @ self.weights)).sum(axis=1)
        after = gibbs(self.weights, self.bias, states.copy(), 1, stream, count, beta=to, lift=lift, dtype=self.dtype)
        return after, gain
