"""The law of two layers with links between them only: energies, sums over states, one layer given the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from bionet.energy.partition import LARGEST_ENUMERATION
from bionet.energy.units import Bernoulli, Units
from bionet.errors import InputError
from bionet.kernels.cpu.blas import ADDRESS
from bionet.kernels.cpu.gibbs import LINEAR
from bionet.kernels.devices import CPU, Kernels
from bionet.random import Stream

Floats = NDArray[Any]

_BERNOULLI = Bernoulli()


@dataclass(frozen=True)
class Statistics:
    """Means over samples, or the difference of two such means: a gradient of the log-likelihood.

    Attributes
    ----------
    weights : float array, shape (n_visible, n_hidden)
        Mean of v h'.
    visible_bias : float array, shape (n_visible,)
        Mean of v.
    hidden_bias : float array, shape (n_hidden,)
        Mean of h.
    """

    weights: Floats
    visible_bias: Floats
    hidden_bias: Floats

    def __sub__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.weights - other.weights,
            self.visible_bias - other.visible_bias,
            self.hidden_bias - other.hidden_bias,
        )

    def centred(self, visible_offset: Floats, hidden_offset: Floats, mask: Floats | None = None) -> Statistics:
        r"""Return the gradient of the centred machine, in the parameters of the plain one.

        .. math:: \Delta W = \langle (v-\mu)(h-\lambda)^\top \rangle_d - \langle (v-\mu)(h-\lambda)^\top \rangle_m,
                  \quad \Delta b = \Delta\langle v \rangle - \Delta W \lambda,
                  \quad \Delta c = \Delta\langle h \rangle - \Delta W^\top \mu

        Parameters
        ----------
        visible_offset, hidden_offset : float arrays
            :math:`\mu` and :math:`\lambda`; zero offsets change nothing.
        mask : float array, shape of the weights, optional
            0 where there is no link.
        """
        weights = self.weights - np.outer(visible_offset, self.hidden_bias) - np.outer(self.visible_bias, hidden_offset)
        if mask is not None:
            weights = weights * mask
        return Statistics(
            weights, self.visible_bias - weights @ hidden_offset, self.hidden_bias - visible_offset @ weights
        )


@dataclass(frozen=True)
class Harmonium:
    r"""Two layers of units of any kind, :math:`p(v, h) = e^{v^\top W h + b^\top v + c^\top h} m(v) m(h) / Z`.

    Parameters
    ----------
    weights : float array, shape (n_visible, n_hidden)
    visible_bias, hidden_bias : float arrays
        Of the type of the weights, as states are taken to be.
    visible, hidden : Units
    on : Kernels
        Of the device where the arrays are.

    Examples
    --------
    >>> pair = Harmonium(np.zeros((2, 3)), np.zeros(2), np.zeros(3))
    >>> round(np.exp(pair.log_partition()))
    32
    """

    weights: Floats
    visible_bias: Floats
    hidden_bias: Floats
    visible: Units = _BERNOULLI
    hidden: Units = _BERNOULLI
    on: Kernels = CPU

    def turned(self) -> Harmonium:
        """Return the same law with the layers' parts exchanged."""
        weights = np.ascontiguousarray(self.weights.T)
        return Harmonium(weights, self.hidden_bias, self.visible_bias, self.hidden, self.visible)

    def sent(self, on: Kernels) -> Harmonium:
        """Return the same law with its arrays on another device."""
        if on is self.on:
            return self
        weights, visible_bias, hidden_bias = map(on.put, (self.weights, self.visible_bias, self.hidden_bias))
        return Harmonium(weights, visible_bias, hidden_bias, self.visible, self.hidden, on)

    def energy(self, visible: ArrayLike, hidden: ArrayLike) -> Floats:
        """Return -log of the unnormalised probability of each pair of rows, shape (n_samples,)."""
        v, h = np.asarray(visible, dtype=float), np.asarray(hidden, dtype=float)
        links = ((v @ self.weights) * h).sum(axis=-1)
        own = self.visible.own_energy(v) + self.hidden.own_energy(h)
        return own - links - v @ self.visible_bias - h @ self.hidden_bias

    def free_energy(self, visible: ArrayLike) -> Floats:
        r"""Return :math:`F(v) = -b^\top v - \log m(v) - \sum_j \log \sum_h e^{(c_j + (W^\top v)_j) h} m(h)`."""
        v = self.on.put(np.asarray(visible, dtype=float))
        field = v @ self.weights + self.hidden_bias
        return self.on.get(self.visible.own_energy(v) - v @ self.visible_bias - self.hidden.log_sum(field))

    def given_visible(self, visible: Floats) -> Floats:
        """Return the means of the hidden units, a row for each row of the visible ones."""
        return self.hidden.mean(visible @ self.weights + self.hidden_bias)

    def given_hidden(self, hidden: Floats) -> Floats:
        """Return the means of the visible units, a row for each row of the hidden ones."""
        return self.visible.mean(hidden @ self.weights.T + self.visible_bias)

    def statistics(self, visible: Floats) -> Statistics:
        """Return the means of v h', v and h over rows of the visible layer, h by its means."""
        hidden = self.given_visible(visible)
        return Statistics(visible.T @ hidden / len(visible), visible.mean(axis=0), hidden.mean(axis=0))

    @property
    def n_bits(self) -> float:
        """Log2 of the number of states of the layer that has fewer of them."""
        return self._bits()[0]

    def _bits(self) -> tuple[float, bool]:
        """Return log2 of the states of the layer that has fewer of them, and whether it is the hidden one."""
        bits = self.visible.n_bits(len(self.visible_bias)), self.hidden.n_bits(len(self.hidden_bias))
        return min(bits), bits[1] < bits[0]

    def log_partition(self) -> float:
        """Return log Z, exactly, by a sum over all states of the smaller layer."""
        return self.sum_out(moments=False)[0]

    def sum_out(self, moments: bool = True) -> tuple[float, Statistics]:
        """Return log Z and the exact means of v h', v and h; the layer with fewer states is enumerated.

        Raises
        ------
        InputError
            If that layer has more than 2**25 states.
        """
        bits, turn = self._bits()
        if bits > LARGEST_ENUMERATION:
            raise InputError(
                f"RBM.log_partition: got {bits:g} units in the smaller layer, two-valued or worth as many; expected at "
                f"most {LARGEST_ENUMERATION}; without exact=True it is estimated beyond that"
            )
        if not turn:
            return _enumerate(self, moments)
        log_z, turned = _enumerate(self.turned(), moments)
        return log_z, Statistics(turned.weights.T, turned.hidden_bias, turned.visible_bias)


def conditional(
    units: Units,
    states: Floats,
    weights: Floats,
    bias: Floats,
    mean: Floats,
    draws: Stream | None = None,
    step: int = 0,
    sample: Floats | None = None,
    turn: bool = False,
    scale: Floats | None = None,
    more: Floats | None = None,
    dot: Floats | None = None,
    on: Kernels = CPU,
) -> None:
    """Fill in the means of a layer, and if wanted a sample, given the states of its neighbour.

    Parameters
    ----------
    units : Units
        Of the layer.
    states : float array, shape (n_samples, n_neighbours)
    weights : float array, shape (n_neighbours, n_units), or (n_units, n_neighbours) with ``turn``
    bias : float array, shape (n_units,)
    mean : float array, shape (n_samples, n_units)
        Filled.
    draws, step : Stream, int
        What the sample is drawn with.
    sample : float array, shape (n_samples, n_units), optional
        Filled.
    turn : bool
        Whether the layer is the one that the rows of the weights stand for.
    scale : float array, shape (n_samples,), optional
        Inverse temperatures.
    more : float array, shape (n_samples, n_units), optional
        Fields from elsewhere.
    dot : float array, shape (n_tiles, n_samples), optional
        Filled with sums of sample times unscaled field, to be added up over the tiles.
    on : Kernels
        Of the device where all arrays are; units other than 0/1 and -1/+1 are sampled on the processor only.
    """
    kind, fast = mean.dtype, units.code != LINEAR
    empty, none = on.xp.empty((0, 0), kind), on.xp.empty(0, kind)
    on.gibbs.conditional(
        *(ADDRESS[kind], units.code, states, weights, turn, empty if more is None else more, bias),
        *(scale if fast and scale is not None else none, np.uint64(draws.key if draws else 0), np.uint64(step), mean),
        *(sample if fast and sample is not None else empty, dot if fast and dot is not None else empty),
    )
    if fast:
        return
    field = mean if scale is None else mean * scale[:, None]
    if sample is not None and draws is not None:
        sample[:] = units.sample(field, draws, step)
        if dot is not None:
            dot[:] = 0.0
            dot[0] = (sample * mean).sum(axis=1)
    mean[:] = units.mean(field)


def _enumerate(pair: Harmonium, moments: bool) -> tuple[float, Statistics]:
    """Sum over all states of the visible layer, the other layer summed out in closed form."""
    weights, bias, other_bias = (
        np.asarray(each, dtype=np.float64) for each in (pair.weights, pair.visible_bias, pair.hidden_bias)
    )
    log_z = -np.inf
    total = Statistics(np.zeros(weights.shape), np.zeros(len(bias)), np.zeros(len(other_bias)))
    for states in pair.visible.states(len(bias)):
        field = states @ weights + other_bias
        log_weight = states @ bias + pair.hidden.log_sum(field)
        before, log_z = log_z, float(np.logaddexp(log_z, logsumexp(log_weight)))
        if not moments:
            continue
        share, old = np.exp(log_weight - log_z)[:, None], np.exp(before - log_z)
        other = pair.hidden.mean(field)
        total = Statistics(
            old * total.weights + (share * states).T @ other,
            old * total.visible_bias + (share * states).sum(axis=0),
            old * total.hidden_bias + (share * other).sum(axis=0),
        )
    return log_z, total
