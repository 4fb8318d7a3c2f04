"""The experiments on associative memories: every number has its place, and the claims they show hold."""

import numpy as np
import pytest
from matplotlib import pyplot

from bionet.progress import Silence
from bionet.results import stack
from bionet.results.schema import check
from experiments import graceful_degradation, hopfield_capacity

CAPACITY = hopfield_capacity.Parameters(
    sizes=(300,), loads=(0.05, 0.1, 0.2), sequence_loads=(0.1, 0.3), n_starts=10, orders=(2,), kinds=(10, 50)
)
DEGRADATION = graceful_degradation.Parameters(
    n_units=400, loads=(0.05,), kept=(0.1, 0.3, 1.0), clipped_loads=(0.05, 0.15), n_starts=10, by_size_units=300
)


@pytest.fixture(scope="module", params=[(hopfield_capacity, CAPACITY), (graceful_degradation, DEGRADATION)])
def asked(request):
    experiment, parameters = request.param
    trees = [experiment.run(parameters, seed, Silence()) for seed in (1, 2)]
    return experiment, trees


def test_the_result_can_be_kept_and_stands_beside_what_is_expected(asked):
    experiment, trees = asked
    for tree in trees:
        check(tree)
    scores = trees[0]["scores"].to_dataset()
    assert list(scores["model"].values) == list(experiment.EXPECTED)
    assert scores["value"].notnull().sum() >= 4


def test_figures_are_drawn_of_one_seed_and_of_many(asked):
    experiment, trees = asked
    for tree in (trees[0], stack(dict(zip((1, 2), trees, strict=True)))):
        drawn = experiment.figures(tree)
        assert len(drawn) == (4 if experiment is hopfield_capacity else 3)
        for figure in drawn.values():
            figure.canvas.draw()
            pyplot.close(figure)


def test_ways_lead_down_the_landscape_into_its_two_valleys():
    surface, ways = hopfield_capacity._landscape(0)
    ends = ways["output"].isel(step=-1).values
    assert set(map(tuple, np.sign(ends))) == {(1.0, 1.0), (-1.0, -1.0)}
    energy = surface["energy"]
    at = {"first": ways["output"].sel(unit=0), "second": ways["output"].sel(unit=1)}
    assert (energy.interp(at).diff("step") < 1e-3).all()
    np.testing.assert_allclose(energy, energy.values[::-1, ::-1], atol=1e-12)


def test_memory_holds_below_the_capacity_and_not_far_above():
    tree = hopfield_capacity.run(CAPACITY, 3, Silence())
    hebb = tree["curves/hebb"]["value"].sel(size=300)
    assert hebb.sel(load=0.05) > 0.99
    assert hebb.sel(load=0.2) < 0.8
    sequence = tree["curves/sequence"]["value"]
    assert sequence.sel(load=0.1) > 0.95 > 0.5 > sequence.sel(load=0.3)
    np.testing.assert_allclose(tree["curves/starts"]["value"].sum("kind"), 1)


def test_strong_links_are_missed_first():
    found = graceful_degradation.run(DEGRADATION, 3, Silence())["curves/by_size"]["value"].sel(kept=0.3)
    assert found.sel(first="weakest") > found.sel(first="random") > found.sel(first="strongest")
