"""Maximum entropy models of spikes: means and correlations are those of the data."""

import os
from pathlib import Path

import numpy as np
import pytest

from bionet.datasets import load
from bionet.energy import BoltzmannMachine
from bionet.energy.maxent import maxent
from bionet.energy.pairwise import means
from bionet.errors import InputError
from bionet.random import Stream

needs_data = pytest.mark.skipif(
    not Path(os.environ.get("BIONET_DATA", "/nowhere"), "spikes50").is_dir(), reason="BIONET_DATA is not set"
)


def some_machine(n_units, scale=0.7):
    draws = Stream(0, "test/maxent")
    weights = np.triu(scale * draws.normal((n_units, n_units), 0), 1)
    return BoltzmannMachine.of(weights + weights.T, draws.normal(n_units, 1))


def test_exact_fit_has_the_moments_of_the_data_and_the_largest_likelihood():
    X = some_machine(8).sample(3000, 50).astype(float)
    machine = maxent(X)
    np.testing.assert_allclose(machine.moments().pairs, X.T @ X / 3000, atol=1e-10)
    best = machine.score(X)
    for seed in range(5):
        noise = np.triu(0.1 * Stream(seed, "test/noise").normal((8, 8)), 1)
        assert BoltzmannMachine.of(machine.weights_ + noise + noise.T, machine.bias_).score(X) < best
    assert BoltzmannMachine().fit(X).score(X) == pytest.approx(best, abs=1e-6)


def test_exact_fit_finds_the_machine_that_made_the_data():
    """100,000 samples of 6 units: a weight has a standard error of about 0.02."""
    made = some_machine(6, 0.5)
    machine = maxent(made.sample(100_000, 50))
    np.testing.assert_allclose(machine.weights_, made.weights_, atol=0.12)


@needs_data
def test_first_fifteen_cells_by_sums_over_all_states():
    X = load("spikes50")["X"].values[:, :15].astype(float)
    machine = maxent(X)
    model = machine.moments()
    assert machine.history_["gradient"][-1] < 1e-10
    np.testing.assert_allclose(model.units, X.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(model.pairs, X.T @ X / len(X), atol=1e-10)
    alone = X.mean(axis=0)
    independent = (alone * np.log(alone) + (1 - alone) * np.log1p(-alone)).sum()
    counts = np.unique(X @ (1 << np.arange(15)), return_counts=True)[1] / len(X)
    assert independent < machine.score(X) < (counts * np.log(counts)).sum()


@needs_data
@pytest.mark.slow
def test_fifty_cells_by_sampling_to_sampling_error():
    """Fresh chains: differences from the data in units of the standard error of both.

    The noise of the fresh chains alone has a root mean square of 0.7; of 1275 differences of size 1.3, one passes 6.5
    with a probability below 1e-3.
    """
    X = load("spikes50")["X"].values.astype(float)
    machine = maxent(X)
    states = np.concatenate([machine.gibbs(machine.chains_, 50, stream=Stream(k, "test/fresh")) for k in range(5)])
    model, both = means(states).pairs, X.T @ X / len(X)
    error = np.sqrt(both * (1 - both) * (1 / len(X) + 1 / len(states)))
    z = ((model - both) / error)[np.triu_indices(50)]
    assert np.sqrt((z**2).mean()) < 1.3
    assert np.abs(z).max() < 6.5


def test_sampling_comes_to_the_exact_fit():
    """21 units, of which the sums would still be possible; 20,000 samples."""
    X = some_machine(21, 0.25).sample(20_000, 50).astype(float)
    machine = maxent(X, n_chains=4000, n_iter=30)
    wanted, model = X.T @ X / len(X), means(machine.gibbs(machine.chains_, 50)).pairs
    z = (model - wanted) / np.sqrt(wanted * (1 - wanted) * (1 / len(X) + 1 / 4000))
    # Fresh chains alone have a root mean square of 0.9.
    assert np.sqrt((z[np.triu_indices(21)] ** 2).mean()) < 1.4


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0, 0.5], [1, 1]], "maxent.X: got other values than 0 and 1"),
        ([[0, 1], [0, 0]], "maxent.X: unit 0 never changes"),
        ([[0, 1], [1, 0]], "maxent.X: units 0 and 1 never meet in one of the four ways"),
        ([[0, np.nan], [1, 1]], "X: got NaN"),
    ],
)
def test_bad_input_is_one_sentence(X, message):
    with pytest.raises(InputError, match=message):
        maxent(X)
