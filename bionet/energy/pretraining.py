r"""Greedy learning of a deep Boltzmann machine's layers, each as a machine of two layers (Salakhutdinov, Hinton 2009).

A layer inside a deep machine hears from below AND above. While it is learned alone, one side has to speak for both: the
lowest machine is learned with the way up doubled, :math:`p(h \mid v) = \sigma(2 W^\top v + c)`, the uppermost with the
way down doubled; those between are learned as they are, and their weights halved. The gradient is the centred one: of
hundreds of units, the plain one would move the visible layer's fields to and fro by the mean of all weights.

References
----------
R. Salakhutdinov, G. Hinton, "Deep Boltzmann machines", AISTATS (2009), section 3.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bionet.energy.harmonium import Statistics
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]

RATE = 0.05
"""Learning rate, which falls to 0 in equal steps over the passes."""


def pretrained(
    X: Floats, layers: tuple[int, ...], n_iter: int, batch_size: int, seed: int, progress: Progress | None = None
) -> tuple[list[Floats], list[Floats]]:
    """Return weights and biases of all layers of a deep machine, learned one after the other.

    Parameters
    ----------
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
    >>> weights, biases = pretrained(np.eye(4), (3, 2), n_iter=1, batch_size=4, seed=0)
    >>> [each.shape for each in weights], [each.shape for each in biases]
    ([(4, 3), (3, 2)], [(4,), (3,), (2,)])
    """
    weights, biases, data = [], [], X
    for level, size in enumerate(layers):
        first, last = level == 0, level == len(layers) - 1
        factors = (2.0 if first and not last else 1.0), (2.0 if last and not first else 1.0)
        stream = Stream(seed, f"dbm/pretraining {level}")
        W, below, above = _layer(data, size, factors, n_iter, batch_size, stream, progress)
        data = expit(factors[0] * (data @ W) + above).astype(X.dtype)
        weights.append(W if first or last else W / 2)
        if first:
            biases.append(below)
        biases.append(above)
    return weights, biases


def _layer(
    X: Floats,
    n_hidden: int,
    factors: tuple[float, float],
    n_iter: int,
    batch_size: int,
    stream: Stream,
    progress: Progress | None,
) -> tuple[Floats, Floats, Floats]:
    """Learn one machine by centred contrastive divergence, the way up and the way down each times its factor."""
    up, down = factors
    W = (0.01 * stream.normal((X.shape[1], n_hidden))).astype(X.dtype)
    mean = (X.sum(axis=0, dtype=np.float64) + 0.5) / (len(X) + 1)
    below, above = np.log(mean / (1 - mean)).astype(X.dtype), np.zeros(n_hidden, X.dtype)
    offset, half = mean.astype(X.dtype), np.full(n_hidden, 0.5, X.dtype)
    order, draws, update = stream.child("order"), stream.child("gibbs"), 0
    for epoch in (progress or Progress())(range(n_iter), "pretraining"):
        rows = order.permutation(len(X), epoch)
        for start in range(0, len(X), batch_size):
            v = X[rows[start : start + batch_size]]
            h = expit(up * (v @ W) + above)
            sample = (draws.uniform(h.shape, 2 * update) < h).astype(X.dtype)
            p = expit(down * (sample @ W.T) + below)
            v_after = (draws.uniform(p.shape, 2 * update + 1) < p).astype(X.dtype)
            h_after = expit(up * (v_after @ W) + above)
            n, rate = len(v), X.dtype.type(RATE * (1 - epoch / n_iter))
            positive = Statistics(v.T @ h / n, v.mean(axis=0), h.mean(axis=0))
            change = positive - Statistics(v_after.T @ h_after / n, v_after.mean(axis=0), h_after.mean(axis=0))
            # Centred on the data and on 1/2; what a weight adds to a field it is not to add to the mean of it.
            links = change.centred(offset, half).weights
            W += rate * links
            below += rate * (change.visible_bias - down * (links @ half))
            above += rate * (change.hidden_bias - up * (offset @ links))
            update += 1
    return W, below, above
