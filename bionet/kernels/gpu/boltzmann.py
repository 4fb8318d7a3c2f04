"""Gibbs sampling of a general Boltzmann machine, as :mod:`bionet.kernels.cpu.boltzmann` has it, in array arithmetic."""

from __future__ import annotations

from bionet.kernels.gpu.arrays import layer, logistic, module_of

BLOCK = 64
"""Units that have their turn before their changes reach the fields of all others, in one product."""


def sweeps(states, weights, bias, orders, beta, lift, key, step):
    """Give units their turn; parameters as on the processor. ``orders`` is a NumPy array.

    Fields are sums in the precision of the weights.
    """
    xp, kind = module_of(states), weights.dtype
    fields = states.astype(kind) @ weights + bias.astype(kind)
    beta, lift = kind.type(beta), lift.astype(kind)
    for k, order in enumerate(orders):
        luck = layer(xp, key, int(step) + k, states.shape) + 2.0**-33
        for first in range(0, len(order), BLOCK):
            units = xp.asarray(order[first : first + BLOCK])
            within, block = weights[units[:, None], units], fields[:, units]
            before, chance, own = states[:, units], luck[:, units], lift[units]
            after = before.copy()
            for place in range(len(units)):
                goal = chance[:, place] < logistic(xp, beta * block[:, place] + own[place])
                after[:, place] = goal
                change = (after[:, place] - before[:, place]).astype(kind)
                block += change[:, None] * within[place]
            states[:, units] = after
            fields += (after - before).astype(kind) @ weights[units]
