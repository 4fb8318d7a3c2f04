"""Drawing from two layers: alternating Gibbs sampling, and replicas that exchange temperatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bionet.energy.harmonium import Harmonium, conditional
from bionet.kernels.cpu.blas import n_tiles, single
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]


def gibbs(
    pair: Harmonium,
    visible: Floats,
    n_sweeps: int,
    draws: Stream,
    clamp: Floats | None = None,
    beta: float = 1.0,
    progress: Progress | None = None,
) -> tuple[Floats, Floats]:
    """Sample hidden, then visible units, ``n_sweeps`` times.

    Parameters
    ----------
    pair : Harmonium
    visible : float array, shape (n_samples, n_visible)
        Where to start.
    n_sweeps : int
    draws : Stream
        Two steps of it a sweep.
    clamp : float array, shape (n_samples, n_visible), optional
        What visible units are held at; NaN where they are free.
    beta : float
        Inverse temperature, which weights and biases are multiplied by.

    Returns
    -------
    visible, mean : float arrays, shape (n_samples, n_visible)
        The last states, and the means they were drawn with.

    Examples
    --------
    >>> pair = Harmonium(np.zeros((2, 3)), np.array([50.0, -50.0]), np.zeros(3))
    >>> gibbs(pair, np.zeros((1, 2)), 1, Stream(0, "demo"))[0].tolist()
    [[1.0, 0.0]]
    """
    kind = pair.weights.dtype
    on, xp = pair.on, pair.on.xp
    start, held = np.array(visible, dtype=kind, order="C"), None if clamp is None else ~np.isnan(clamp)
    if held is not None:
        start[held] = clamp[held]  # type: ignore[index]
    v, fixed = on.put(start), None if held is None else (on.put(held), on.put(start.copy()))
    scale = None if beta == 1.0 else xp.full(len(v), beta, kind)
    mean, h_mean = v.copy(), xp.empty((len(v), len(pair.hidden_bias)), kind)
    h = xp.empty_like(h_mean)
    with single():
        for sweep in (progress or Progress())(range(n_sweeps), "Gibbs sampling"):
            step = 2 * sweep
            conditional(pair.hidden, v, pair.weights, pair.hidden_bias, h_mean, draws, step, h, scale=scale, on=on)
            conditional(
                *(pair.visible, h, pair.weights, pair.visible_bias, mean, draws, step + 1, v),
                turn=True,
                scale=scale,
                on=on,
            )
            if fixed is not None:
                xp.copyto(v, fixed[1], where=fixed[0])
                xp.copyto(mean, fixed[1], where=fixed[0])
    return on.get(v), on.get(mean)


class Tempering:
    r"""Chains at many temperatures, of which neighbours exchange places: the hot ones move, the cold one counts.

    A sweep is one of Gibbs sampling for every replica, under :math:`p^\beta`, then exchanges between even and odd
    neighbours, accepted with probability :math:`\min(1, e^{(\beta_a - \beta_b)(E_a - E_b)})` [1]_.

    Parameters
    ----------
    hidden : float array, shape (n_temperatures * n_chains, n_hidden)
        States of the hidden units of all replicas, from hot to cold; copied.
    betas : float array, shape (n_temperatures,)
        Inverse temperatures, rising, the last one 1.
    n_visible : int

    Attributes
    ----------
    hidden, visible : float arrays
        States of all replicas, in any order.
    place : int array, shape (n_temperatures, n_chains)
        The row of the replica that each chain has at each temperature.

    References
    ----------
    .. [1] G. Desjardins, A. Courville, Y. Bengio, P. Vincent, O. Delalleau, "Parallel tempering for training of
       restricted Boltzmann machines", AISTATS (2010).
    """

    def __init__(self, hidden: Floats, betas: Floats, n_visible: int) -> None:
        kind = hidden.dtype
        self.hidden, self.betas = hidden.copy(), betas.astype(kind)
        self.place = np.arange(len(hidden)).reshape(len(betas), -1)
        self.visible = np.empty((len(hidden), n_visible), kind)
        self._mean = np.empty_like(self.visible)
        self._hidden_mean = np.empty_like(hidden)
        self._dot = np.empty((n_tiles(hidden.shape[1]), len(hidden)), kind)

    def sweep(self, pair: Harmonium, draws: Stream, step: int) -> None:
        """Move every replica once, then let neighbours exchange; steps ``3 * step`` and on of the stream."""
        scale = np.empty(len(self.hidden), self.hidden.dtype)
        scale[self.place] = self.betas[:, None]
        first = 3 * step
        conditional(
            *(pair.visible, self.hidden, pair.weights, pair.visible_bias, self._mean, draws, first, self.visible),
            turn=True,
            scale=scale,
        )
        conditional(
            *(pair.hidden, self.visible, pair.weights, pair.hidden_bias, self._hidden_mean, draws, first + 1),
            *(self.hidden,),
            scale=scale,
            dot=self._dot,
        )
        energy = -(self._dot.sum(axis=0) + self.visible @ pair.visible_bias).astype(np.float64)
        self._exchange(energy, draws.uniform(self.place.shape, first + 2))

    def cold(self) -> Floats:
        """Return the visible units of the replicas at an inverse temperature of 1, shape (n_chains, n_visible)."""
        return self.visible[self.place[-1]]

    def sort(self) -> Floats:
        """Bring the replicas back into the order from hot to cold, and return their hidden units."""
        self.hidden = self.hidden[self.place.ravel()]
        self.place = np.arange(len(self.hidden)).reshape(self.place.shape)
        return self.hidden

    def _exchange(self, energy: Floats, luck: Floats) -> None:
        for parity in (0, 1):
            low = np.arange(parity, len(self.betas) - 1, 2)
            a, b = self.place[low], self.place[low + 1]
            gap = (self.betas[low] - self.betas[low + 1])[:, None] * (energy[a] - energy[b])
            swap = np.log1p(-luck[low]) < gap
            self.place[low], self.place[low + 1] = np.where(swap, b, a), np.where(swap, a, b)


def temperatures(n: int) -> Floats:
    """Return inverse temperatures from 0 to 1 in equal steps; a single one is 1.

    Examples
    --------
    >>> temperatures(3).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.linspace(0.0, 1.0, n) if n > 1 else np.ones(1)
