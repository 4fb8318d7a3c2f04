"""Sampling a layer of binary units; one thread, because a batch is over before a second one has started."""

from __future__ import annotations

import numpy as np
from numba import njit

from bionet.random import uniform


@njit(cache=True)
def sample(probability, key, step):
    """Return 1.0 with the given probabilities, else 0.0: ``Stream.bernoulli``'s draws as floats.

    Parameters
    ----------
    probability : float array, shape (n_samples, n_units)
    key : uint64
        Of a :class:`bionet.random.Stream`.
    step : uint64
    """
    out = np.empty_like(probability)
    n_samples, n_units = probability.shape
    for row in range(n_samples):
        for unit in range(n_units):
            on = uniform(key, step, row * n_units + unit) < probability[row, unit]
            out[row, unit] = 1.0 if on else 0.0
    return out
