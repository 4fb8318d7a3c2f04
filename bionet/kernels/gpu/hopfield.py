"""Recall of -1/+1 units, as :mod:`bionet.kernels.cpu.hopfield` has it, in array arithmetic: all states side by side."""

from __future__ import annotations

import numpy as np

from bionet.kernels.gpu.arrays import module_of, table, uniform


def settle(
    states, weights, fields, bias, free, tie, temperature, max_sweeps, order, noise, trajectory, energies, sweeps, quiet
):
    """Update the free units of every state until a sweep changes nothing; parameters as on the processor.

    ``free``, ``trajectory``, ``energies``, ``sweeps`` and ``quiet`` are NumPy arrays. A unit has its turn in all states
    at once.
    """
    xp = module_of(states)
    home = np.asarray if xp is np else xp.asnumpy
    units, going, sweep = free.copy(), xp.ones(len(states), dtype=bool), 0
    sweeps[:] = 0
    while sweep < max_sweeps and bool(going.any()):
        _note(trajectory, energies, sweep, states, fields, bias, home)
        moved = xp.full(len(states), temperature > 0)
        luck = table(xp, noise, sweep, states.shape) if temperature > 0 else None
        for i in _turns(units, order, sweep):
            field, now = fields[:, i], states[:, i]
            if luck is not None:
                odds = xp.exp(xp.minimum(-2.0 * field / temperature, 700.0))
                goal = xp.where(luck[:, i] * (1.0 + odds) < 1.0, 1, -1)
            else:
                goal = xp.where(field > tie, 1, xp.where(field < -tie, -1, now))
            change = xp.where(going, goal - now, 0).astype(states.dtype)
            moved |= change != 0
            states[:, i] += change
            fields += change[:, None] * weights[i].astype(fields.dtype)
        sweeps += home(going)
        going &= moved
        sweep += 1
    for late in range(sweep, len(energies)):
        _note(trajectory, energies, late, states, fields, bias, home)
    quiet[:] = home(~going)


def product(states, weights, bias):
    """Return ``states @ weights + bias`` in double precision."""
    return states.astype(np.float64) @ weights.astype(np.float64) + bias


def _turns(units, key, sweep):
    """Yield the units of a sweep in the order of the processor's ``turn``, which shuffles them as it goes."""
    luck = uniform(np, key, sweep, np.arange(len(units), dtype=np.uint64))
    for left in range(len(units), 0, -1):
        pick = int(luck[left - 1] * left)
        units[pick], units[left - 1] = units[left - 1], units[pick]
        yield int(units[left - 1])


def _note(trajectory, energies, sweep, states, fields, bias, home):
    if len(trajectory):
        trajectory[sweep] = home(states)
    energies[sweep] = home(-0.5 * (states * (fields + bias)).sum(axis=1))
