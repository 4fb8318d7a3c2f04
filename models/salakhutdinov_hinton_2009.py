"""Deep Boltzmann machines (Salakhutdinov and Hinton, AISTATS 2009): three layers that learn handwritten digits.

Pixels are linked to 500 hidden units, these to 1000 more, nothing within a layer. Each layer is first learned alone;
then all weights together, by a difference of two means: held at a digit, the hidden means settle by mean field from
1/2; free, a crowd of fantasy particles wanders on from update to update. The likelihood cannot be summed: a lower bound
is, as far as the partition function is known, which annealed importance sampling estimates.

What is as published: the sizes of the layers, the two phases, greedy learning with one direction doubled, the estimate
of the partition function by 20,000 temperatures.

What was changed, and why:

================  ==========================================  ==========================================================
what              here                                        why
================  ==========================================  ==========================================================
gradient          centred (Melchior, Fischer, Wiskott 2016)   learns without pretraining too, and is the same for black
                                                              and white exchanged
partition         annealed forwards and backwards             forwards alone flatters
fine tuning       none                                        this file is about the likelihood
================  ==========================================  ==========================================================

References
----------
R. Salakhutdinov, G. Hinton, "Deep Boltzmann machines", AISTATS (2009).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bionet.energy import DBM

PUBLISHED = {"bound": -84.62, "log_z": 356.18, "error": 0.0095}
"""MNIST, 784-500-1000: bound of a test digit [nat], log Z [nat], test error after fine tuning.

As quoted by a reproduction, the repository yell/boltzmann-machines on GitHub; the paper itself was not at hand.
"""
REPRODUCED = {"bound": -86.59, "bound, 200,000 temperatures": -86.37, "log_z": 1040.4}
"""The same reproduction's own machine, 784-512-1024 in single precision, from the uniform law: 20,000 temperatures."""

LAYERS = (500, 1000)
N_BETAS = 20_000


def build(layers: tuple[int, ...] = LAYERS, n_iter: int = 100, n_iter_pretrain: int = 20, seed: int = 0) -> DBM:
    """Return the machine, not yet fitted.

    Parameters
    ----------
    layers : tuple of int
        Hidden units.
    n_iter, n_iter_pretrain : int
        Passes of all layers together, and of each alone.
    seed : int

    Examples
    --------
    >>> build().layers
    (500, 1000)
    """
    return DBM(
        layers,
        learning_rate=0.005,
        rate_decay=20_000.0,
        batch_size=100,
        n_iter=n_iter,
        n_iter_pretrain=n_iter_pretrain,
        n_chains=100,
        k=5,
        weight_decay=2e-4,
        dtype="float32",
        seed=seed,
    )


def betas(n: int = N_BETAS) -> NDArray[np.float64]:
    """Return inverse temperatures from 0 to 1: a thirtieth of them up to 0.5, a third to 0.9, the rest above.

    Examples
    --------
    >>> rising = betas(300)
    >>> len(rising), float(rising[0]), float(rising[-1])
    (300, 0.0, 1.0)
    """
    low, middle = n // 30, n // 3
    parts = np.linspace(0, 0.5, low, False), np.linspace(0.5, 0.9, middle, False), np.linspace(0.9, 1, n - low - middle)
    return np.concatenate(parts)
