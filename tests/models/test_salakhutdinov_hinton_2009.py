"""The deep Boltzmann machine of Salakhutdinov and Hinton, small enough to be summed."""

import numpy as np
import pytest

from bionet.datasets import load
from models.salakhutdinov_hinton_2009 import PUBLISHED, betas, build


@pytest.fixture(scope="module")
def digits():
    return (load("digits")["X"].values >= 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def machine(digits):
    return build((12, 8), n_iter=30, n_iter_pretrain=10).set_params(batch_size=20, learning_rate=0.05).fit(digits)


def test_learning_beats_pixels_that_know_nothing_of_each_other(machine, digits):
    p = (digits.sum(axis=0) + 0.5) / (len(digits) + 1)
    alone = (digits @ np.log(p) + (1 - digits) @ np.log(1 - p)).mean()
    assert machine.bound(digits).estimate > alone + 1


def test_the_bound_is_below_what_is_summed_and_near(machine, digits):
    gap = machine.score_samples(digits[:50]) - (machine.evidence(digits[:50]) - machine.log_partition().estimate)
    assert gap.min() > -1e-3
    assert gap.mean() < 0.5


def test_annealing_finds_the_partition_function(machine):
    found = machine.log_partition(betas=betas(2000), exact=False)
    assert abs(found.estimate - machine.log_partition(exact=True).estimate) < max(2 * found.width, 0.05)


@pytest.mark.parametrize("n", [30, 20_000])
def test_temperatures_rise_from_0_to_1(n):
    rising = betas(n)
    assert len(rising) == n
    assert rising[0] == 0
    assert rising[-1] == 1
    assert (np.diff(rising) > 0).all()


def test_published_figures_are_what_the_oracle_says():
    assert PUBLISHED == {"bound": -84.62, "log_z": 356.18, "error": 0.0095}
