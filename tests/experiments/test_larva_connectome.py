"""The larval brain: driven cells fire as they must, with and without steps; every number has its place."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot

from bionet.progress import Silence
from bionet.results import stack
from bionet.results.schema import check
from experiments import larva_connectome as larva

N, DRIVEN = 60, 20


@pytest.fixture
def stand_in(monkeypatch):
    """A brain of a few cells: those driven reach some of the others, and a local neuron holds these back."""
    pre = np.concatenate([np.arange(DRIVEN), np.arange(DRIVEN), [DRIVEN]])
    post = np.concatenate([np.arange(DRIVEN) + DRIVEN, np.full(DRIVEN, DRIVEN), [DRIVEN + 1]])
    group = np.array(["sensories"] * DRIVEN + ["LNs"] + ["unk"] * (N - DRIVEN - 1))
    data = xr.Dataset(
        {
            "pre": ("edge", pre),
            "post": ("edge", post),
            "n_synapses": ("edge", np.full(len(pre), 60)),
            "group": ("neuron", group),
            "cell_class": ("neuron", group),
            "io": ("neuron", np.where(np.arange(N) < DRIVEN, "input", "inter")),
        }
    )
    monkeypatch.setattr("bionet.datasets.load", lambda name: data)


@pytest.fixture
def asked(stand_in):
    return larva.Parameters(driven=DRIVEN, rate=200.0, duration=2.0, steps=(1.0,))


def test_driven_cells_fire_as_their_sources_do_and_in_steps_less(asked):
    scores = larva.run(asked, 1, Silence())["scores"].to_dataset()
    np.testing.assert_allclose(scores["source_rate"], [200.0, 200.0 / 1.2])
    # Each counts 8,000 events of a Poisson process, fewer and more regular ones in steps: five standard deviations.
    deviation = np.abs(scores["driven_rate"] - scores["source_rate"]).values
    assert np.all(deviation < 5 * 200.0 / np.sqrt(200.0 * 2.0 * DRIVEN))
    assert np.all(scores["answering"] >= 15)


def test_the_result_can_be_kept_and_drawn(asked):
    trees = {seed: larva.run(asked, seed, Silence()) for seed in (1, 2)}
    for tree in (trees[1], stack(trees)):
        for figure in larva.figures(tree).values():
            figure.canvas.draw()
            pyplot.close(figure)
    check(trees[1])
    rates = [tree["rates"]["rate"].values for tree in trees.values()]
    assert not np.array_equal(*rates)
    np.testing.assert_array_equal(rates[0], larva.run(asked, 1, Silence())["rates"]["rate"])
