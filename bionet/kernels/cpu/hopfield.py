"""Asynchronous recall of many states at once: one unit after the other looks at its field and follows it."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from bionet.random import uniform


@njit(cache=True)
def turn(order, left, key, sweep):
    """Draw the next unit of a sweep, ``left`` of them still to come (Fisher and Yates' shuffle, as it is needed)."""
    pick = int(uniform(key, sweep, left - 1) * left)
    unit = order[pick]
    order[pick] = order[left - 1]
    order[left - 1] = unit
    return unit


@njit(cache=True, parallel=True)
def settle(
    states, weights, fields, bias, free, tie, temperature, max_sweeps, order, noise, trajectory, energies, sweeps, quiet
):
    """Update the free units of every state, in a fresh random order each sweep, until a sweep changes nothing.

    Parameters
    ----------
    states : int8 array, shape (n_samples, n_units)
        -1, +1, or 0 for a silent unit; changed in place.
    weights : float array, shape (n_units, n_units)
        From the unit of the row to the unit of the column.
    fields : float64 array, shape (n_samples, n_units)
        ``states @ weights + bias``; kept up to date.
    bias : float64 array, shape (n_units,)
    free : int64 array
        The units that may change.
    tie : float
        A field no larger than this counts as zero, and zero keeps the state.
    temperature : float
        0, or that of Glauber's dynamics: +1 with probability 1 / (1 + exp(-2 field / temperature)), to the last sweep.
    max_sweeps : int
    order, noise : uint64
        Keys of :class:`bionet.random.Stream`. All states share one order a sweep; each has its own noise.
    trajectory : int8 array, shape (max_sweeps + 1, n_samples, n_units) or (0, n_samples, n_units)
        Filled with the states at the start and after each sweep, unless its first axis is empty.
    energies : float64 array, shape (max_sweeps + 1, n_samples)
        Filled with the energies at the start and after each sweep.
    sweeps : int64 array, shape (n_samples,)
        Filled with the sweeps made, the last one, which changed nothing, included.
    quiet : bool array, shape (n_samples,)
        Filled with whether a sweep changed nothing.
    """
    n_samples, n_units = states.shape
    for sample in prange(n_samples):
        state, field, units = states[sample], fields[sample], free.copy()
        still, sweep = False, 0
        while sweep < max_sweeps and not still:
            if trajectory.shape[0] > 0:
                trajectory[sweep, sample] = state
            energies[sweep, sample] = energy(state, field, bias)
            still = temperature == 0.0
            for left in range(units.size, 0, -1):
                i = turn(units, left, order, sweep)
                goal = state[i]
                if temperature > 0.0:
                    # Below -700 the exponential overflows, and the unit is -1 whatever is drawn.
                    odds = math.exp(min(-2.0 * field[i] / temperature, 700.0))
                    goal = 1 if uniform(noise, sweep, sample * n_units + i) * (1.0 + odds) < 1.0 else -1
                elif field[i] > tie:
                    goal = 1
                elif field[i] < -tie:
                    goal = -1
                change = float(goal - state[i])
                if change != 0.0:
                    state[i] = goal
                    for j in range(n_units):
                        field[j] += change * weights[i, j]
                    still = False
            sweep += 1
        trajectory[sweep:, sample] = state
        energies[sweep:, sample] = energy(state, field, bias)
        sweeps[sample] = sweep
        quiet[sample] = still


@njit(cache=True, parallel=True)
def largest_column(weights):
    """Return the largest sum of sizes in a column, for arrays that are too large to be copied for it."""
    n_rows, n_columns = weights.shape
    tiles = (n_columns + 511) // 512
    found = np.zeros(tiles)
    for tile in prange(tiles):
        columns = weights[:, 512 * tile : 512 * (tile + 1)]
        total = np.zeros(columns.shape[1])
        for i in range(n_rows):
            for j in range(total.size):
                total[j] += abs(columns[i, j])
        found[tile] = total.max()
    return found.max()


@njit(cache=True)
def energy(state, field, bias):
    """Return -s'Js/2 - b's from the field Js + b."""
    total = 0.0
    for i in range(state.size):
        total -= 0.5 * state[i] * (field[i] + bias[i])
    return total


@njit(cache=True, parallel=True)
def settle_dense(states, patterns, gain, relative, max_sweeps, order, trajectory, sweeps, quiet):
    """Update the units of every state as :func:`settle` does, where the energy is -sum over patterns of F(overlap).

    Parameters
    ----------
    states : int8 array, shape (n_samples, n_units)
        -1 or +1; changed in place.
    patterns : int8 array, shape (n_patterns, n_units)
        -1 or +1.
    gain : float64 array
        F at overlaps (sums of products, not means) from -n_units up, or, if ``relative``, from -2 n_units up.
    relative : bool
        Whether F(a + b) = F(a) F(b): overlaps are then counted from the largest one, so that nothing overflows.
    max_sweeps : int
    order : uint64
        Key of a :class:`bionet.random.Stream`.
    trajectory : int8 array, shape (max_sweeps + 1, n_samples, n_units) or (0, n_samples, n_units)
    sweeps : int64 array, shape (n_samples,)
    quiet : bool array, shape (n_samples,)
        As in :func:`settle`.
    """
    n_samples, n_units = states.shape
    n_patterns = patterns.shape[0]
    columns = patterns.T.copy()
    for sample in prange(n_samples):
        state = states[sample]
        overlap = np.zeros(n_patterns, dtype=np.int64)
        for p in range(n_patterns):
            for i in range(n_units):
                overlap[p] += patterns[p, i] * state[i]
        units = np.arange(n_units)
        still, sweep = False, 0
        while sweep < max_sweeps and not still:
            if trajectory.shape[0] > 0:
                trajectory[sweep, sample] = state
            still, zero = True, n_units
            for left in range(n_units, 0, -1):
                i = turn(units, left, order, sweep)
                rise, scale = 0.0, 0.0
                if relative:
                    zero = 2 * n_units - overlap.max()
                for p in range(n_patterns):
                    now = overlap[p] + zero
                    flipped = now - 2 * columns[i, p] * state[i]
                    rise += gain[flipped] - gain[now]
                    scale += abs(gain[flipped]) + abs(gain[now])
                # What rounding alone can make of equal sums is no reason to flip.
                if rise > 4e-16 * n_patterns * scale:
                    for p in range(n_patterns):
                        overlap[p] -= 2 * columns[i, p] * state[i]
                    state[i] = -state[i]
                    still = False
            sweep += 1
        for late in range(sweep, trajectory.shape[0]):
            trajectory[late, sample] = state
        sweeps[sample] = sweep
        quiet[sample] = still
