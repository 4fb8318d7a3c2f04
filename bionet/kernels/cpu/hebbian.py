"""Online Hebbian rules on the CPU: one sample after another, weights (pre, post) changed in place."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def sanger(X, order, weights, learning_rate, decay, start):
    """Apply Sanger's rule to the samples of ``X`` in ``order``; the step of sample t is rate / (1 + t / decay).

    ``X`` is (n_samples, n_pre), ``weights`` (n_pre, n_post); ``start`` is the number of samples seen before.
    """
    n_pre, n_post = weights.shape
    y = np.empty(n_post)
    for seen in range(order.size):
        x = X[order[seen]]
        rate = learning_rate / (1.0 + (start + seen) / decay)
        y[:] = 0.0
        for i in range(n_pre):
            for j in range(n_post):
                y[j] += x[i] * weights[i, j]
        for i in range(n_pre):
            explained = 0.0
            for j in range(n_post):
                explained += y[j] * weights[i, j]
                weights[i, j] += rate * y[j] * (x[i] - explained)


@njit(cache=True)
def soft_competition(X, order, weights, learning_rate, temperature, start, total):
    """Apply the soft winner-take-all rule to the samples of ``X`` in ``order``; the step falls linearly to 0.

    ``X`` is (n_samples, n_pre), ``weights`` (n_pre, n_post); ``start`` of ``total`` samples were seen before.
    """
    n_pre, n_post = weights.shape
    u = np.empty(n_post)
    y = np.empty(n_post)
    for seen in range(order.size):
        x = X[order[seen]]
        rate = learning_rate * (1.0 - (start + seen) / total)
        u[:] = 0.0
        for i in range(n_pre):
            for j in range(n_post):
                u[j] += x[i] * weights[i, j]
        highest = u.max()
        for j in range(n_post):
            y[j] = math.exp((u[j] - highest) / temperature)
        y *= rate / y.sum()
        for i in range(n_pre):
            for j in range(n_post):
                weights[i, j] += y[j] * (x[i] - u[j] * weights[i, j])
