"""One step up the gradient of a two-layer machine, as :mod:`bionet.kernels.cpu.ascent` has it, in array arithmetic."""

from __future__ import annotations

import numpy as np

EXTRA = 3
"""Rows at the end of the stacks, which this form leaves alone."""


def climb(
    address,
    visible,
    hidden,
    n_data,
    rates,
    weights,
    biases,
    velocity,
    velocities,
    offsets,
    activity,
    chains,
    fresh,
    clock,
):
    """Follow the difference of the means over data and chains, and let the offsets slide.

    Parameters are those on the processor, whose equation this is line by line; ``address`` is not used, ``rates`` and
    ``clock`` are NumPy arrays.
    """
    last, kind = len(visible) - EXTRA, weights.dtype.type
    rate, momentum, decay, slide, cost, target, attention = (
        kind(each) for each in (*rates[:2], 1.0 - rates[0] * rates[2], *rates[3:])
    )
    n, m = n_data, last - n_data
    v, w, h, g = visible[:n], visible[n:last], hidden[:n], hidden[n:last]
    mean, active = v.mean(axis=0), h.mean(axis=0)
    visible_change, hidden_change = mean - w.mean(axis=0), active - g.mean(axis=0)
    activity += attention * (active - activity)
    sparse = cost * (target - activity)
    mu, centre = offsets[0].copy(), offsets[1].copy()
    links = v.T @ h / kind(n) - w.T @ g / kind(m) - visible_change[:, None] * centre
    links += mu[:, None] * -hidden_change + (mean - mu)[:, None] * sparse
    gradients = visible_change - links @ centre, hidden_change + sparse - mu @ links
    if velocity.size:
        velocity *= momentum
        velocity += rate * links
        links = velocity
    else:
        links *= rate
    weights *= decay
    weights += links
    for bias, speed, gradient in zip(biases, velocities, gradients, strict=True):
        speed *= momentum
        speed += rate * gradient
        bias += speed
    for offset, to in zip(offsets, (mean, active), strict=True):
        offset += slide * (to - offset)
    chains[...] = fresh
    clock += np.int64(1)
