"""Asynchronous recall of many states at once: one unit after the other looks at its field and takes its sign."""

from __future__ import annotations

from numba import njit, prange

from bionet.random import uniform


@njit(cache=True, parallel=True)
def settle(states, weights, bias, free, tie, max_sweeps, key, trajectory, sweeps, settled):
    """Update the free units of every state, in a fresh random order each sweep, until a sweep changes nothing.

    Parameters
    ----------
    states : int8 array, shape (n_samples, n_units)
        -1, +1, or 0 for a silent unit; changed in place.
    weights : float array, shape (n_units, n_units)
        From the unit of the row to the unit of the column.
    bias : float array, shape (n_units,)
    free : int64 array
        The units that may change.
    tie : float
        A field no larger than this counts as zero, and zero keeps the state.
    max_sweeps : int
    key : uint64
        Of a :class:`bionet.random.Stream`. All states share one order a sweep, so none depends on its neighbours.
    trajectory : int8 array, shape (max_sweeps + 1, n_samples, n_units) or (0, n_samples, n_units)
        Filled with the states at the start and after each sweep, unless its first axis is empty.
    sweeps : int64 array, shape (n_samples,)
        Filled with the sweeps made, the last one, which changed nothing, included.
    settled : bool array, shape (n_samples,)
        Filled with whether a sweep changed nothing.
    """
    n_samples, n_units = states.shape
    for sample in prange(n_samples):
        state = states[sample]
        field = bias.copy()
        for i in range(n_units):
            if state[i] != 0:
                for j in range(n_units):
                    field[j] += state[i] * weights[i, j]
        order = free.copy()
        quiet = False
        sweep = 0
        while sweep < max_sweeps and not quiet:
            if trajectory.shape[0] > 0:
                trajectory[sweep, sample] = state
            quiet = True
            for left in range(order.size, 0, -1):
                # Fisher and Yates' shuffle, one unit drawn as it is needed.
                pick = int(uniform(key, sweep, left - 1) * left)
                i = order[pick]
                order[pick] = order[left - 1]
                order[left - 1] = i
                if field[i] > tie:
                    change = 1 - state[i]
                elif field[i] < -tie:
                    change = -1 - state[i]
                else:
                    change = 0
                if change != 0:
                    state[i] += change
                    for j in range(n_units):
                        field[j] += change * weights[i, j]
                    quiet = False
            sweep += 1
        for late in range(sweep, trajectory.shape[0]):
            trajectory[late, sample] = state
        sweeps[sample] = sweep
        settled[sample] = quiet
