r"""Greedy learning of a deep Boltzmann machine's layers, each as a machine of two layers (Salakhutdinov, Hinton 2009).

A layer inside a deep machine hears from below AND above. While it is learned alone, one side has to speak for both: the
lowest machine is learned with the way up doubled, :math:`p(h \mid v) = \sigma(2 W^\top v + c)`, the uppermost with the
way down doubled; those between are learned as they are, and their weights halved. So the field of a layer becomes the
mean of what the machine below and the machine above gave it, and its bias the mean of their two. The gradient is the
centred one: of hundreds of units, the plain one would move the visible layer's fields to and fro by the mean of all
weights.

References
----------
R. Salakhutdinov, G. Hinton, "Deep Boltzmann machines", AISTATS (2009), section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bionet.energy.harmonium import Statistics
from bionet.energy.storage import draft
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]

RATE = 0.05
"""Learning rate, which falls to 0 in equal steps over the passes."""


@dataclass
class Layer:
    """A machine of two layers, as far as it has learned.

    Attributes
    ----------
    weights : float array, shape (n_below, n_above)
    below, above : float arrays
        The biases.
    n_iter : int
        Passes made.
    """

    weights: Floats
    below: Floats
    above: Floats
    n_iter: int = 0


def pretrain(
    begun: list[Layer],
    X: Floats,
    layers: tuple[int, ...],
    n_iter: int,
    batch_size: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[list[Floats], list[Floats]]:
    """Learn all layers of a deep machine, one after the other; return their weights and biases.

    Parameters
    ----------
    begun : list of Layer
        What was learned before; changed, pass by pass, so that learning can be broken off and go on.
    X : float array, shape (n_samples, n_visible)
        In [0, 1].
    layers : tuple of int
        Hidden units, from the bottom up.
    n_iter, batch_size : int
    seed : int

    Returns
    -------
    weights, biases : lists of float arrays
        As :class:`bionet.energy.DBM` has them.

    Examples
    --------
    >>> weights, biases = pretrain([], np.eye(4), (3, 2), n_iter=1, batch_size=4, seed=0)
    >>> [each.shape for each in weights], [each.shape for each in biases]
    ([(4, 3), (3, 2)], [(4,), (3,), (2,)])
    """
    weights, biases, data = [], [], X
    for level, size in enumerate(layers):
        first, last = level == 0, level == len(layers) - 1
        factors = (2.0 if first and not last else 1.0), (2.0 if last and not first else 1.0)
        stream = Stream(seed, f"dbm/pretraining {level}")
        if level == len(begun):
            begun.append(_begin(data, size, stream))
        layer = begun[level]
        for epoch in (progress or Progress())(range(layer.n_iter, n_iter), "pretraining"):
            with draft(layer) as fresh:
                _climb(fresh, data, factors, RATE * (1 - epoch / n_iter), batch_size, stream)
        data = expit(factors[0] * (data @ layer.weights) + layer.above).astype(X.dtype)
        weights.append(layer.weights if first or last else layer.weights / 2)
        if first:
            biases.append(layer.below)
        else:
            biases[-1] = (biases[-1] + layer.below) / 2
        biases.append(layer.above)
    return weights, biases


def _begin(X: Floats, n_hidden: int, stream: Stream) -> Layer:
    mean = (X.sum(axis=0, dtype=np.float64) + 0.5) / (len(X) + 1)
    weights = (0.01 * stream.normal((X.shape[1], n_hidden))).astype(X.dtype)
    return Layer(weights, np.log(mean / (1 - mean)).astype(X.dtype), np.zeros(n_hidden, X.dtype))


def _climb(layer: Layer, X: Floats, factors: tuple[float, float], rate: float, batch_size: int, stream: Stream) -> None:
    """Make a pass of centred contrastive divergence, the way up and the way down each times its factor."""
    (up, down), starts = factors, range(0, len(X), batch_size)
    W, below, above = layer.weights, layer.below, layer.above
    mean = (X.sum(axis=0, dtype=np.float64) + 0.5) / (len(X) + 1)
    offset, half, rate = mean.astype(X.dtype), np.full(len(above), 0.5, X.dtype), X.dtype.type(rate)
    draws, rows = stream.child("gibbs"), stream.child("order").permutation(len(X), layer.n_iter)
    for update, start in enumerate(starts, layer.n_iter * len(starts)):
        v = X[rows[start : start + batch_size]]
        h = expit(up * (v @ W) + above)
        sample = (draws.uniform(h.shape, 2 * update) < h).astype(X.dtype)
        p = expit(down * (sample @ W.T) + below)
        v_after = (draws.uniform(p.shape, 2 * update + 1) < p).astype(X.dtype)
        h_after = expit(up * (v_after @ W) + above)
        n = len(v)
        positive = Statistics(v.T @ h / n, v.mean(axis=0), h.mean(axis=0))
        change = positive - Statistics(v_after.T @ h_after / n, v_after.mean(axis=0), h_after.mean(axis=0))
        # Centred on the data and on 1/2; what a weight adds to a field it is not to add to the mean of it.
        links = change.centred(offset, half).weights
        W += rate * links
        below += rate * (change.visible_bias - down * (links @ half))
        above += rate * (change.hidden_bias - up * (offset @ links))
    layer.n_iter += 1
