"""A layer given its neighbours, as :mod:`bionet.kernels.cpu.gibbs` has it, in array arithmetic."""

from __future__ import annotations

import numpy as np

from bionet.kernels.cpu.gibbs import BERNOULLI, LINEAR
from bionet.kernels.gpu.arrays import layer, logistic, module_of, table


def conditional(address, kind, states, weights, turn, more, bias, scale, key, step, mean, sample, dot):
    """Fill in the means, and if wanted samples, of a layer; parameters as on the processor, of which one is idle.

    ``address`` is not used, and ``dot`` is filled in its first row.
    """
    xp = module_of(mean)
    field = states @ (weights.T if turn else weights) + bias
    if more.size:
        field += more
    inside = field * scale[:, None] if scale.size else field
    if kind == LINEAR:
        mean[...] = inside
        return
    low = 0 if kind == BERNOULLI else -1
    p = logistic(xp, inside if kind == BERNOULLI else inside + inside)
    if sample.size:
        sample[...] = xp.where(layer(xp, key, step, p.shape) < p, 1, low)
    if dot.size:
        dot[...] = 0
        dot[0] = (sample * field).sum(axis=1)
    mean[...] = p if kind == BERNOULLI else p + p - 1


def anneal(kind, field, beta, to, key, step, gain, sample):
    """Take a layer from one inverse temperature to the next, as on the processor."""
    xp = module_of(field)
    beta, to = field.dtype.type(beta), field.dtype.type(to)
    x = field if kind == BERNOULLI else field + field
    after = to * x
    zero = field.dtype.type(0)
    gain[...] = (xp.logaddexp(zero, after) - xp.logaddexp(zero, beta * x)).sum(axis=1, dtype=np.float64)
    if kind != BERNOULLI:
        gain -= 0.5 * float(to - beta) * x.sum(axis=1, dtype=np.float64)
    low = 0 if kind == BERNOULLI else -1
    sample[...] = xp.where(table(xp, key, step, x.shape) < logistic(xp, after), 1, low)
