"""Asynchronous recall with Hebb's weights, which are sums over patterns: fields from the overlaps with the patterns.

With x the patterns and m = x s a state's overlaps, N J s = x' m, less what a diagonal of zeros leaves out. These are
whole numbers, and so are the sums in any order, of which a product of matrices makes use: nothing is rounded, and a
tie is a tie. A sweep takes n_patterns operations a unit, and so does a change.
"""

from __future__ import annotations

import math

import numpy as np
from numba import get_num_threads, njit, prange

from bionet.kernels.cpu.bitwise import differences
from bionet.kernels.cpu.blas import product
from bionet.kernels.cpu.hopfield import GROUP, turn
from bionet.kernels.cpu.vectors import wide
from bionet.random import uniform

BLOCK = 64
"""Units whose fields are one product; what they do to each other is added as they have their turn."""


@njit(cache=True, parallel=True)
def are_hebbs(weights, patterns, diagonal, probes):
    """Return whether weights are Hebb's of the patterns to the last bit, with their diagonal or with zeros there.

    That the whole numbers which the weights are over N are those of x'x is seen from their products with a few random
    vectors (R. Freivalds, "Probabilistic machines can use less running time", IFIP Congress 1977): of other numbers
    each such product is the same by a chance of one in as many as its elements can be.

    Parameters
    ----------
    weights : float array, shape (n_units, n_units)
    patterns : int8 array, shape (n_patterns, n_units)
        -1 or +1.
    diagonal : bool
    probes : float64 array, shape (n_probes, n_units)
        Random whole numbers; so small that n_patterns times n_units of the largest are exact.
    """
    n_patterns, n_units = patterns.shape
    expected = np.empty(probes.shape)
    for k in prange(len(probes)):
        expected[k] = (0.0 if diagonal else -float(n_patterns)) * probes[k]
        for p in range(n_patterns):
            _add_projection(patterns[p], probes[k], expected[k])
    good = np.empty(n_units, dtype=np.bool_)
    for i in prange(n_units):
        good[i] = _are_counts(weights[i], n_patterns)
        for k in range(len(probes)):
            good[i] &= _sum_of_counts(weights[i], probes[k]) == expected[k, i]
    return good.all()


@njit(cache=True, fastmath={"reassoc"})
def _add_projection(pattern, probe, out):
    wide()
    along = 0.0
    for i in range(len(pattern)):
        along += pattern[i] * probe[i]
    for i in range(len(pattern)):
        out[i] += along * pattern[i]


@njit(cache=True, error_model="numpy")
def _are_counts(row, n_patterns):
    """Return whether weights are whole numbers over that of the units, none larger than that of the patterns."""
    wide()
    kind, bad = row.dtype.type, False
    n_units, most = kind(len(row)), kind(n_patterns)
    for j in range(len(row)):
        count = np.rint(row[j] * n_units)
        bad |= not ((count / n_units == row[j]) & (abs(count) <= most))
    return not bad


@njit(cache=True, fastmath={"reassoc", "contract"})
def _sum_of_counts(row, probe):
    wide()
    total, n_units = 0.0, row.dtype.type(len(row))
    for j in range(len(row)):
        total += np.float64(np.rint(row[j] * n_units)) * probe[j]
    return total


def settle(
    address,
    states,
    words,
    columns,
    overlaps,
    own,
    free,
    temperature,
    max_sweeps,
    order,
    noise,
    trajectory,
    energies,
    sweeps,
    quiet,
):
    """Update the free units of every state as :func:`bionet.kernels.cpu.hopfield.settle` does, without a bias.

    Parameters
    ----------
    address : uint64
        ``blas.ADDRESS`` of the type of the overlaps.
    states : int8 array, shape (n_samples, n_units)
        -1 or +1; changed in place.
    words : uint32 array, shape (n_patterns / 32, n_units)
        The patterns as bits.
    columns : int8 array, shape (n_units, n_patterns)
        The patterns, unit by unit.
    overlaps : float array, shape (n_samples, n_patterns)
        ``states @ columns``, kept up to date; of a precision that holds n_patterns times n_units.
    own : int
        What a unit's own state has in its overlaps and not in its field: n_patterns if the weights have no diagonal,
        else 0.
    free, temperature, max_sweeps, order, noise, trajectory, energies, sweeps, quiet
        As there.
    """
    size = max(1, min(GROUP, -(-len(states) // get_num_threads())))
    _settle(
        *(address, states, words, columns, overlaps, own, free, temperature, max_sweeps, order, noise),
        *(trajectory, energies, sweeps, quiet, size),
    )


@njit(cache=True, parallel=True)
def _settle(
    address,
    states,
    words,
    columns,
    overlaps,
    own,
    free,
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
            *(address, part.start, states[part], words, columns, overlaps[part], own, free.copy(), temperature),
            *(max_sweeps, order, noise, trajectory[:, part], energies[:, part], sweeps[part], quiet[part]),
        )


@njit(cache=True)
def _settle_group(
    address,
    first,
    states,
    words,
    columns,
    overlaps,
    own,
    units,
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
    n_units = states.shape[1]
    turns = np.empty_like(units)
    quiet[:] = False
    sweep = 0
    while sweep < max_sweeps and not quiet.all():
        going = np.flatnonzero(~quiet)
        for s in going:
            if trajectory.shape[0] > 0:
                trajectory[sweep, s] = states[s]
            energies[sweep, s] = _energy(overlaps[s], own, n_units)
        for left in range(units.size, 0, -1):
            turns[units.size - left] = turn(units, left, order, sweep)
        still = _sweep(address, first, going, states, words, columns, overlaps, own, turns, temperature, noise, sweep)
        sweep += 1
        for s in going:
            if still[s] or sweep == max_sweeps:
                trajectory[sweep:, s] = states[s]
                energies[sweep:, s] = _energy(overlaps[s], own, n_units)
                sweeps[s] = sweep
                quiet[s] = still[s]


@njit(cache=True)
def _sweep(address, first, going, states, words, columns, overlaps, own, turns, temperature, noise, sweep):
    """Give the units their turn, in the states that are going; return which of all states have not changed."""
    n_states, n_units = states.shape
    n_patterns = columns.shape[1]
    dtype, kind = overlaps.dtype, overlaps.dtype.type
    rows, fields = np.empty((BLOCK, n_patterns), dtype=dtype), np.empty((len(going), BLOCK), dtype=dtype)
    bits, links = np.empty((len(words), BLOCK), dtype=np.uint32), np.empty((BLOCK, BLOCK), dtype=dtype)
    counts, now, lively = np.empty(BLOCK, dtype=np.uint32), np.empty(BLOCK, dtype=dtype), overlaps[going]
    still = np.full(n_states, temperature == 0.0)
    for start in range(0, turns.size, BLOCK):
        block = turns[start : start + BLOCK]
        n = len(block)
        for place in range(n):
            rows[place] = columns[block[place]]
            bits[:, place] = words[:, block[place]]
        for place in range(n):
            differences(bits, 0, bits, place, counts[:n])
            for later in range(place + 1, n):
                links[place, later] = n_patterns - 2.0 * counts[later]
        product(address, lively, False, rows[:n], True, kind(1), kind(0), fields[:, :n])
        for k in range(len(going)):
            base = (first + going[k]) * n_units
            if _take_turns(
                *(block, n_units, states[going[k]], fields[k, :n], now[:n], links, rows, lively[k], kind(own)),
                *(temperature, noise, sweep, base),
            ):
                still[going[k]] = False
    for k in range(len(going)):
        overlaps[going[k]] = lively[k]
    return still


@njit(cache=True)
def _take_turns(block, n_units, state, field, now, links, rows, overlap, own, temperature, noise, sweep, base):
    """Give the units of a block their turn in one state; return whether one has changed.

    ``field`` is N times the fields, ``links`` N times the weights among the block.
    """
    wide()
    kind, moved = overlap.dtype.type, False
    for place in range(len(block)):
        now[place] = state[block[place]]
    if temperature == 0.0 and not _any_against(field, now, own):
        return False
    for place in range(len(block)):
        pull = float(field[place] - own * now[place])
        if temperature > 0.0:
            # Below -700 the exponential overflows, and the unit is -1 whatever is drawn.
            odds = math.exp(min(-2.0 * (pull / n_units) / temperature, 700.0))
            flip = (uniform(noise, sweep, base + block[place]) * (1.0 + odds) < 1.0) != (now[place] > 0)
        else:
            flip = pull * now[place] < 0.0
        if flip:
            moved = True
            state[block[place]] = -state[block[place]]
            change = kind(-2) * now[place]
            for later in range(place + 1, len(block)):
                field[later] += change * links[place, later]
            for p in range(len(overlap)):
                overlap[p] += change * rows[place, p]
    return moved


@njit(cache=True)
def _any_against(field, now, own):
    """Return whether the field of any unit is against its state."""
    wide()
    found = False
    for place in range(len(field)):
        found |= field[place] * now[place] < own
    return found


@njit(cache=True, fastmath={"reassoc"})
def _energy(overlap, own, n_units):
    """Return -s'Js/2; whole numbers, in any order."""
    wide()
    total = 0.0
    for p in range(len(overlap)):
        total += float(overlap[p]) * float(overlap[p])
    return (own * n_units - total) / (2.0 * n_units)
