"""Maximum entropy: the least committed law with the means and pairwise correlations that were observed.

It is a Boltzmann machine without hidden units, fitted so that its means of s and s s' are those of the data [1]_. The
likelihood has one maximum, and Newton's method finds it: up to 20 units by sums over all states, beyond by sampling.

References
----------
.. [1] E. Schneidman, M. J. Berry, R. Segev, W. Bialek, "Weak pairwise correlations imply strongly correlated network
   states in a neural population", Nature 440 (2006).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from bionet.energy.boltzmann import BoltzmannMachine
from bionet.energy.inputs import check_memory, check_range, check_whole
from bionet.energy.pairwise import gibbs
from bionet.energy.partition import all_states
from bionet.errors import BionetError, InputError
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[np.float64]

LARGEST = 20
"""Units up to which Newton's method sums over all states."""
RIDGE = 1e-3
"""Variance added to every statistic when chains, not sums, tell the slope."""
TOLERANCE = 1e-11
"""The largest difference of a mean that an exact fit may leave."""


def maxent(
    X: ArrayLike,
    n_chains: int = 10_000,
    n_iter: int = 60,
    n_sweeps: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> BoltzmannMachine:
    """Fit the pairwise maximum entropy model.

    Parameters
    ----------
    X : array, shape (n_samples, n_units)
        Bits: spike or no spike in a bin.
    n_chains, n_iter, n_sweeps : int
        Only for more than 20 units: persistent chains, Newton steps, and Gibbs sweeps between steps.
    seed : int
        Of the chains.

    Returns
    -------
    BoltzmannMachine
        Its ``history_["gradient"]`` is the largest difference of a mean after each step. Exact fits end below 1e-11. By
        sampling, the weights are the mean over the second half of the steps, so the noise of a step averages out.

    Raises
    ------
    InputError
        If X is not made of bits, or a unit or a pair of units is such that its bias or weight is infinite.

    Examples
    --------
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
    >>> machine = maxent(X)
    >>> bool(np.allclose(machine.moments().pairs, X.T @ X / 5))
    True
    """
    machine = BoltzmannMachine(
        method="sampled", n_iter=n_iter, n_chains=n_chains, n_sweeps=n_sweeps, seed=seed, dtype="float32"
    )
    X = check_range(machine, "X", X, reset=True)
    check_whole("maxent", 1000, n_chains=n_chains, n_iter=n_iter, n_sweeps=n_sweeps)
    n_units, rows, columns = X.shape[1], *np.triu_indices(X.shape[1], 1)
    _check_bits(X, rows, columns)
    wanted = np.append(X.mean(axis=0), (X.T @ X / len(X))[rows, columns])
    mean = wanted[:n_units]
    start = np.append(np.log(mean / (1 - mean)), np.zeros(len(rows)))
    if n_units <= LARGEST:
        parameters, gradient = _exactly(start, wanted, n_units)
    else:
        check_memory("maxent", 12.0 * (n_chains + len(X)) * len(wanted), f"the statistics of {n_chains} chains")
        parameters, gradient = _by_sampling(start, X, machine, progress or Progress())
    machine.weights_, machine.bias_ = _unpack(parameters, n_units)
    machine.n_iter_, machine.history_ = len(gradient), {"gradient": np.array(gradient)}
    return machine


def _check_bits(X: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
    if not np.isin(X, (0.0, 1.0)).all():
        raise InputError("maxent.X: got other values than 0 and 1; expected bits, such as X > 0")
    for i in np.flatnonzero((X[0] == X).all(axis=0)):
        raise InputError(f"maxent.X: unit {i} never changes, so its bias is infinite; leave it out")
    both = X.T @ X
    one = both.diagonal()
    cells = np.stack([both, one[:, None] - both, one - both, len(X) - one[:, None] - one + both])[:, rows, columns]
    for k in np.flatnonzero((cells == 0).any(axis=0)):
        raise InputError(
            f"maxent.X: units {rows[k]} and {columns[k]} never meet in one of the four ways, so their weight is "
            "infinite; leave one of them out, take more samples, or fit a BoltzmannMachine with weight_decay"
        )


def _statistics(states: Floats) -> Floats:
    """Return s and s_i s_j, i < j, of each row."""
    rows, columns = np.triu_indices(states.shape[1], 1)
    return np.concatenate([states, states[:, rows] * states[:, columns]], axis=1)


def _unpack(parameters: Floats, n_units: int) -> tuple[Floats, Floats]:
    weights = np.zeros((n_units, n_units))
    weights[np.triu_indices(n_units, 1)] = parameters[n_units:]
    return weights + weights.T, parameters[:n_units].copy()


def _exactly(parameters: Floats, wanted: Floats, n_units: int) -> tuple[Floats, list[float]]:
    """Newton's method with steps halved until the likelihood rises."""
    value, slope, curvature = _likelihood(parameters, wanted, n_units)
    history = [float(np.abs(slope).max())]
    for _ in range(200):
        if history[-1] < TOLERANCE:
            return parameters, history
        step, share = cho_solve(cho_factor(curvature), slope), 1.0
        # Close to the maximum the likelihood no longer tells; then the step is right as it is.
        while share > 1e-6 and not (new := _likelihood(parameters + share * step, wanted, n_units))[0] > value - 1e-12:
            share /= 2
        parameters = parameters + share * step
        value, slope, curvature = new
        history.append(float(np.abs(slope).max()))
    raise BionetError(f"maxent: after 200 steps a mean is still off by {history[-1]:g}; is X nearly deterministic?")


def _likelihood(parameters: Floats, wanted: Floats, n_units: int) -> tuple[float, Floats, Floats]:
    """Return the log-likelihood, its gradient, and minus its second derivatives."""
    top = max(float((_statistics(block) @ parameters).max()) for block in all_states(n_units))
    total, first = 0.0, np.zeros_like(parameters)
    second = np.zeros((len(parameters), len(parameters)))
    for block in all_states(n_units):
        statistics = _statistics(block)
        weight = np.exp(statistics @ parameters - top)
        total += weight.sum()
        first += weight @ statistics
        second += (weight[:, None] * statistics).T @ statistics
    mean = first / total
    return wanted @ parameters - top - np.log(total), wanted - mean, second / total - np.outer(mean, mean)


def _by_sampling(
    parameters: Floats, X: Floats, machine: BoltzmannMachine, progress: Progress
) -> tuple[Floats, list[float]]:
    """Newton's method with means over persistent chains, and the average of the second half of its steps.

    The covariance of the data stands for that of the model, to which it is equal where pairs tell all. The ridge keeps
    pairs that hardly ever meet from following the noise of the chains.
    """
    n_units, n_iter = machine.n_features_in_, machine.n_iter
    seen = _statistics(X.astype(np.float32))
    wanted = seen.mean(axis=0, dtype=np.float64)
    covariance = (seen.T @ seen).astype(np.float64) / len(seen) - np.outer(wanted, wanted)
    factor = cho_factor(covariance + RIDGE * np.eye(len(wanted)))
    stream = Stream(machine.seed, "maxent")
    states = stream.child("start").bernoulli(np.tile(wanted[:n_units], (machine.n_chains, 1))).astype(np.int8)
    history, average = [], np.zeros_like(parameters)
    for t in progress(range(n_iter), "maximum entropy"):
        weights, bias = _unpack(parameters, n_units)
        states = gibbs(weights, bias, states, machine.n_sweeps, stream, t * machine.n_sweeps, dtype=machine.dtype)
        slope = wanted - _statistics(states.astype(np.float32)).mean(axis=0, dtype=np.float64)
        history.append(float(np.abs(slope).max()))
        # Long steps to get there, short ones not to follow the noise.
        parameters = parameters + (0.5 if t < n_iter // 2 else 0.1) * cho_solve(factor, slope)
        if t >= n_iter // 2:
            average += parameters / (n_iter - n_iter // 2)
    machine.chains_ = states
    return average, history
