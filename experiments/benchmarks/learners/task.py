"""What a learner is told on its command line, and the data that all of them are given."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

N_VISIBLE, N_HIDDEN, BATCH = 784, 500, 100
RATE = 0.05
DARK = 0.13  # the share of pixels that are on, as in MNIST
FLOPS = 2 * N_VISIBLE * N_HIDDEN
"""Operations of one product of a row with the weights."""


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Attributes
    ----------
    work : str
        "cd", "pcd", "tempering", "ais", "hopfield", "capacity" or "boltzmann".
    n : int
        Samples, inverse temperatures, or units.
    k : int
        Gibbs sweeps an update.
    chains : int
        Persistent chains.
    """

    work: str
    n: int
    k: int = 1
    chains: int = BATCH

    def arguments(self) -> list[str]:
        """Return the command line that :func:`parsed` reads as this task."""
        return [self.work, str(self.n), f"--k={self.k}", f"--chains={self.chains}"]

    @property
    def flops(self) -> float:
        """Operations in the products alone; rows are multiplied upwards, downwards, and once into the gradient."""
        batches, data, chains = self.n / BATCH, BATCH, self.chains
        rows = {
            "cd": data + 2 * self.k * data + 2 * data,
            "pcd": data + 2 * self.k * chains + data + chains,
            "tempering": data + 2 * 10 * chains + chains + data + chains,
            "ais": 2 * 100 * BATCH,  # for each temperature 100 runs, up and down
        }
        return batches * rows[self.work] * FLOPS


def parsed(arguments: Sequence[str] | None = None) -> Task:
    """Read a command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("n", type=int)
    parser.add_argument("--k", type=int, default=1)
    parser.add_argument("--chains", type=int, default=BATCH)
    return Task(**vars(parser.parse_args(arguments)))


def pictures(n: int) -> np.ndarray:
    """Return as many rows of bits as single-precision numbers."""
    return (np.random.default_rng(0).random((n, N_VISIBLE), dtype=np.float32) < DARK).astype(np.float32)


def reconstruction(X: np.ndarray, weights: np.ndarray, below: np.ndarray, above: np.ndarray) -> float:
    """Return the mean squared difference between pictures and what the hidden means make of them."""
    hidden = 1 / (1 + np.exp(-(X @ weights + above)))
    return float(((X - 1 / (1 + np.exp(-(hidden @ weights.T + below)))) ** 2).mean())


def patterns(n_patterns: int, n_units: int) -> np.ndarray:
    """Return random patterns of -1 and +1."""
    return np.where(np.random.default_rng(1).random((n_patterns, n_units)) < 0.5, -1, 1).astype(np.int8)


def spoilt(X: np.ndarray) -> np.ndarray:
    """Return the patterns with a tenth of their units turned."""
    return np.where(np.random.default_rng(2).random(X.shape) < 0.1, -X, X).astype(np.int8)


def links(n_units: int) -> tuple[np.ndarray, np.ndarray]:
    """Return symmetric random weights without a diagonal, and biases, of a general Boltzmann machine."""
    draws = np.random.default_rng(3)
    half = np.triu(draws.normal(0, 0.5 / np.sqrt(n_units), (n_units, n_units)), 1)
    return half + half.T, draws.normal(0, 0.5, n_units)
