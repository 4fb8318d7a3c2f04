"""Gibbs sampling of a general Boltzmann machine: one unit after the other, all chains side by side."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from bionet.kernels.cpu.logistic import logistic
from bionet.random import uniform

GROUP = 32
"""Chains that a thread takes through a sweep together, so that a unit's weights are fetched once for all of them."""


@njit(cache=True, parallel=True, error_model="numpy")
def sweeps(states, weights, fields, orders, beta, lift, key, step):
    """Give units their turn, 1 with probability 1 / (1 + exp(-beta field - lift)), else 0.

    Parameters
    ----------
    states : int8 array, shape (n_chains, n_units)
        0 or 1; changed in place.
    weights : float array, shape (n_units, n_units)
        Symmetric, zero diagonal.
    fields : float array, shape (n_chains, n_units)
        ``states @ weights + bias``, of the type of the weights; kept up to date.
    orders : int64 array, shape (n_sweeps, n_free)
        The units whose turn it is, one after the other.
    beta : float
        Of that type as well.
    lift : float array, shape (n_units,)
        Of that type as well.
    key : uint64
        Of a :class:`bionet.random.Stream`. Sweep number k draws at step ``step + k`` and, for unit i of chain c, at
        index ``c * n_units + i``, whatever thread computes it.
    step : int
    """
    n_chains, n_units = states.shape
    n_sweeps, n_free = orders.shape
    for group in prange((n_chains + GROUP - 1) // GROUP):
        first = group * GROUP
        size = min(GROUP, n_chains - first)
        luck = np.empty((size, n_units), dtype=weights.dtype)
        chance = np.zeros(GROUP, dtype=weights.dtype)
        for k in range(n_sweeps):
            # Drawn and evaluated in rows without a branch, so that several are computed at once.
            for c in range(size):
                base = (first + c) * n_units
                for i in range(n_units):
                    luck[c, i] = uniform(key, step + k, base + i)
            for turn in range(n_free):
                i = orders[k, turn]
                row = weights[i]
                for c in range(size):
                    chance[c] = beta * fields[first + c, i] + lift[i]
                for c in range(GROUP):
                    chance[c] = logistic(chance[c])
                for c in range(size):
                    goal = 1 if luck[c, i] < chance[c] else 0
                    if goal != states[first + c, i]:
                        states[first + c, i] = goal
                        field = fields[first + c]
                        if goal == 1:
                            for j in range(n_units):
                                field[j] += row[j]
                        else:
                            for j in range(n_units):
                                field[j] -= row[j]
