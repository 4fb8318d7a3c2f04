"""Asynchronous recall of many states at once: one unit after the other looks at its field and follows it."""

from __future__ import annotations

import math

import numpy as np
from numba import get_num_threads, njit, prange

from bionet.kernels.cpu.blas import product
from bionet.random import uniform

GROUP = 256
"""States that a thread takes through a sweep together, at most: a unit's weights are fetched once for all of them."""
BLOCK = 256
"""Units that have their turn before what they changed reaches the fields of all others."""
TILE = 1024
"""Fields that stay in the fastest cache while something is added to them again and again."""


@njit(cache=True)
def turn(order, left, key, sweep):
    """Draw the next unit of a sweep, ``left`` of them still to come (Fisher and Yates' shuffle, as it is needed)."""
    pick = int(uniform(key, sweep, left - 1) * left)
    unit = order[pick]
    order[pick] = order[left - 1]
    order[left - 1] = unit
    return unit


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
    size = max(1, min(GROUP, -(-len(states) // get_num_threads())))
    _settle(
        *(states, weights, fields, bias, free, tie, temperature, max_sweeps, order, noise),
        *(trajectory, energies, sweeps, quiet, size),
    )


@njit(cache=True, parallel=True)
def _settle(
    states,
    weights,
    fields,
    bias,
    free,
    tie,
    temperature,
    max_sweeps,
    order,
    noise,
    trajectory,
    energies,
    sweeps,
    quiet,
    size,
):
    n_samples = len(states)
    for count in prange(-(-n_samples // size)):
        group = np.int64(count)
        part = slice(group * size, min((group + 1) * size, n_samples))
        _settle_group(
            *(part.start, states[part], weights, fields[part], bias, free.copy(), tie, temperature, max_sweeps, order),
            *(noise, trajectory[:, part], energies[:, part], sweeps[part], quiet[part]),
        )


@njit(cache=True)
def _settle_group(
    first,
    states,
    weights,
    fields,
    bias,
    units,
    tie,
    temperature,
    max_sweeps,
    order,
    noise,
    trajectory,
    energies,
    sweeps,
    quiet,
):
    """Settle some states side by side, of which ``first`` is the number of the first."""
    n_states, n_units = states.shape
    turns, moves = np.empty_like(units), np.empty((n_states, BLOCK))
    movers, n_movers = np.empty((n_states, BLOCK), dtype=np.int64), np.zeros(n_states, dtype=np.int64)
    within, known = np.empty((BLOCK, BLOCK), dtype=weights.dtype), np.empty(BLOCK, dtype=np.bool_)
    quiet[:] = False
    sweep = 0
    while sweep < max_sweeps and not quiet.all():
        for s in range(n_states):
            if not quiet[s]:
                if trajectory.shape[0] > 0:
                    trajectory[sweep, s] = states[s]
                energies[sweep, s] = energy(states[s], fields[s], bias)
        for left in range(units.size, 0, -1):
            turns[units.size - left] = turn(units, left, order, sweep)
        still = np.full(n_states, temperature == 0.0)
        for start in range(0, units.size, BLOCK):
            block = turns[start : start + BLOCK]
            known[:] = False
            for s in range(n_states):
                n_movers[s] = 0
                if not quiet[s]:
                    base = (first + s) * n_units
                    n_movers[s] = _decide(
                        *(block, states[s], weights, fields[s], tie, temperature, noise, sweep, base),
                        *(within, known, movers[s], moves[s]),
                    )
                    still[s] &= n_movers[s] == 0
            for low in range(0, n_units, TILE):
                for s in range(n_states):
                    if n_movers[s]:
                        _add_rows(fields[s][low : low + TILE], weights, low, movers[s], moves[s], n_movers[s])
        sweep += 1
        for s in range(n_states):
            if not quiet[s] and (still[s] or sweep == max_sweeps):
                trajectory[sweep:, s] = states[s]
                energies[sweep:, s] = energy(states[s], fields[s], bias)
                sweeps[s] = sweep
                quiet[s] = still[s]


@njit(cache=True)
def _decide(block, state, weights, field, tie, temperature, noise, sweep, base, within, known, movers, moves):
    """Give the units of a block their turn, and note who changed by how much; return how many did.

    The fields of the block alone are kept up to date meanwhile, in a copy; the weights for that are put side by side
    in ``within`` by the first state in which a unit changes, and are then ``known``.
    """
    own = field[block]
    n = 0
    for place in range(block.size):
        i = block[place]
        goal = state[i]
        if temperature > 0.0:
            # Below -700 the exponential overflows, and the unit is -1 whatever is drawn.
            odds = math.exp(min(-2.0 * own[place] / temperature, 700.0))
            goal = 1 if uniform(noise, sweep, base + i) * (1.0 + odds) < 1.0 else -1
        elif own[place] > tie:
            goal = 1
        elif own[place] < -tie:
            goal = -1
        change = float(goal - state[i])
        if change != 0.0:
            state[i] = goal
            movers[n], moves[n] = i, change
            n += 1
            links = within[place]
            if not known[place]:
                known[place], row = True, weights[i]
                for other in range(place + 1, block.size):
                    links[other] = row[block[other]]
            for other in range(place + 1, block.size):
                own[other] += change * links[other]
    return n


@njit(cache=True)
def _add_rows(part, weights, low, movers, moves, n):
    """Add ``n`` rows of the weights, each times its change, one after the other: four in a pass over the fields."""
    high = low + len(part)
    done = 0
    while done + 4 <= n:
        a, b, c, d = moves[done], moves[done + 1], moves[done + 2], moves[done + 3]
        p, q = weights[movers[done]][low:high], weights[movers[done + 1]][low:high]
        r, s = weights[movers[done + 2]][low:high], weights[movers[done + 3]][low:high]
        for j in range(len(part)):
            part[j] = (((part[j] + a * p[j]) + b * q[j]) + c * r[j]) + d * s[j]
        done += 4
    while done < n:
        a, p = moves[done], weights[movers[done]][low:high]
        for j in range(len(part)):
            part[j] += a * p[j]
        done += 1


@njit(cache=True, parallel=True)
def add_products(address, states, weights, panel, total):
    """Add ``states @ weights`` to a float64 array, ``panel`` rows of the weights at a time in their own precision.

    Parameters
    ----------
    address : uint64
        ``blas.ADDRESS`` of the type of states and weights.
    states : float array, shape (n_samples, n_units)
    weights : float array, shape (n_units, n_units)
    panel : int
    total : float64 array, shape (n_samples, n_units)
    """
    n_samples, n_units = states.shape
    one, zero = weights.dtype.type(1), weights.dtype.type(0)
    for tile in prange((n_units + TILE - 1) // TILE):
        low, high = tile * TILE, min((tile + 1) * TILE, n_units)
        part = np.empty((n_samples, high - low), dtype=weights.dtype)
        for start in range(0, n_units, panel):
            rows = weights[start : start + panel]
            product(address, states[:, start : start + panel], False, rows[:, low:high], False, one, zero, part)
            for s in range(n_samples):
                total[s, low:high] += part[s]


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
