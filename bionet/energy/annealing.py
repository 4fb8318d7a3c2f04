"""Two layers as a path from their visible biases alone to their own law, for annealed importance sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bionet.energy.harmonium import Harmonium, conditional
from bionet.energy.partition import Interval, interval
from bionet.energy.units import Gaussian, Units
from bionet.kernels.cpu.blas import single
from bionet.kernels.cpu.gibbs import LINEAR
from bionet.kernels.devices import CPU, Kernels
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]

QUICK_ENUMERATION = 20
"""Two-valued units of the smaller layer up to which Z is summed without being asked to: under a minute."""


class AnnealedHarmonium:
    r"""The path of Salakhutdinov and Murray; a state is a row of visible units, the hidden ones are summed out.

    .. math:: f(v; \beta) = m(v)\, e^{(1-\beta) b_0^\top v + \beta b^\top v}
              \prod_j \sum_h m(h)\, e^{\beta (c_j + (W^\top v)_j) h}

    Parameters
    ----------
    pair : Harmonium
    base_bias : float array, shape (n_visible,)
        :math:`b_0`, such as gives the units the means that they have in the data; 0 for the uniform law.

    Notes
    -----
    Steps are fastest within :func:`bionet.kernels.cpu.blas.single`, which :func:`log_partition` enters.

    References
    ----------
    R. Salakhutdinov, I. Murray, "On the quantitative analysis of deep belief networks", ICML (2008).

    Examples
    --------
    >>> path = AnnealedHarmonium(Harmonium(np.zeros((2, 3)), np.ones(2), np.zeros(3)), np.zeros(2))
    >>> round(np.exp(path.log_z_base))
    32
    """

    def __init__(self, pair: Harmonium, base_bias: Floats) -> None:
        self.pair, self.base_bias = pair, base_bias.astype(pair.weights.dtype)
        self._base = pair.on.put(self.base_bias)

    @property
    def log_z_base(self) -> float:
        """The log partition function of the visible units alone, and hidden ones without a field."""
        hidden = np.zeros((1, len(self.pair.hidden_bias)))
        visible = self.base_bias[None].astype(np.float64)
        return float(self.pair.visible.log_sum(visible)[0] + self.pair.hidden.log_sum(hidden)[0])

    def start(self, n_runs: int, stream: Stream) -> Floats:
        """Draw visible units from the law at beta 0, shape (n_runs, n_visible)."""
        return self.pair.visible.sample(np.repeat(self.base_bias[None], n_runs, axis=0), stream, 0)

    def step(self, states: Floats, beta: float, to: float, stream: Stream, count: int) -> tuple[Floats, Floats]:
        """Return visible units a Gibbs sweep later, under the law at ``to``, and the gain of those given."""
        pair, on, kind = self.pair, self.pair.on, self.pair.weights.dtype
        states = on.put(np.asarray(states, dtype=kind))
        gain = (to - beta) * (states @ (pair.visible_bias - self._base)).astype(np.float64)
        hidden = on.xp.empty((len(states), len(pair.hidden_bias)), kind)
        mean, visible = on.xp.empty_like(states), on.xp.empty_like(states)
        both, layer = (beta, to), (pair.weights, pair.hidden_bias)
        gain += raise_layer(pair.hidden, states, *layer, both, stream, 2 * count, hidden, on)
        hidden *= kind.type(to)
        bias = kind.type(1.0 - to) * self._base + kind.type(to) * pair.visible_bias
        conditional(pair.visible, hidden, pair.weights, bias, mean, stream, 2 * count + 1, visible, turn=True, on=on)
        return on.get(visible), on.get(gain)


def log_partition(
    pair: Harmonium,
    base_bias: Floats,
    n_betas: int = 1000,
    n_runs: int = 100,
    seed: int = 0,
    betas: Floats | None = None,
    exact: bool | None = None,
    progress: Progress | None = None,
    on: Kernels = CPU,
) -> Interval:
    """Return log Z, exactly up to 20 two-valued units in the smaller layer: :meth:`bionet.energy.RBM.log_partition`.

    Examples
    --------
    >>> print(log_partition(Harmonium(np.zeros((2, 3)), np.zeros(2), np.zeros(3)), np.zeros(2)))
    3.46574 [3.46574, 3.46574] (exact)
    """
    if exact or (exact is None and pair.n_bits <= QUICK_ENUMERATION):
        return Interval.exact(pair.log_partition())
    with single():
        path = AnnealedHarmonium(pair.sent(on), base_bias)
        return interval(path, n_betas, n_runs, seed, betas, progress=progress)


def raise_layer(
    units: Units,
    states: Floats,
    weights: Floats,
    bias: Floats,
    betas: tuple[float, float],
    stream: Stream,
    step: int,
    sample: Floats,
    on: Kernels = CPU,
) -> Floats:
    """Return what a layer's log-sum gains between two inverse temperatures, and fill in a sample at the second.

    Parameters are those of :func:`bionet.energy.harmonium.conditional`.
    """
    field, gain = on.xp.empty_like(sample), on.xp.empty(len(sample))
    conditional(Gaussian(), states, weights, bias, field, on=on)
    beta, to = betas
    if units.code != LINEAR:
        on.gibbs.anneal(units.code, field, beta, to, np.uint64(stream.key), np.uint64(step), gain, sample)
        return gain
    sample[:] = units.sample(field * field.dtype.type(to), stream, step)
    wide = field.astype(np.float64)
    return units.log_sum(to * wide) - units.log_sum(beta * wide)
