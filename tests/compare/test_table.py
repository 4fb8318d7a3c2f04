"""Tables: means and spreads, missing numbers, units."""

import numpy as np
import xarray as xr

from bionet.compare.table import tables


def scores():
    model = ("model", ["a", "b"], {"units": "1", "long_name": "contestant"})
    accuracy = ("seed", "model"), [[0.9, 0.8], [0.7, np.nan]], {"units": "1", "long_name": "accuracy", "display": "%"}
    curve = ("seed", "model", "noise"), np.full((2, 2, 3), 0.5), {"units": "1", "long_name": "accuracy", "display": "%"}
    noise = ("noise", [0.1, 0.2, 0.3], {"units": "1", "long_name": "noise"})
    kind = ("model", ["rate", "spiking"], {"long_name": "kind", "units": "1"})
    coords = {"model": model, "noise": noise, "family": kind, "seed": [1, 2]}
    dataset = xr.Dataset({"accuracy": accuracy, "accuracy_noise": curve}, coords, {"note": "one\ntwo"})
    return xr.DataTree.from_dict({"/scores": dataset})


def test_a_cell_is_the_mean_and_the_standard_deviation_over_seeds_in_the_unit_of_display():
    first = tables(scores())[0]
    assert first.columns == ["model", "accuracy [%]", "kind"]
    assert first.rows[0] == ["a", "80.0 ± 14.1", "rate"]


def test_one_seed_has_no_spread_and_no_number_is_a_dash():
    tree = scores()
    assert tables(tree)[0].rows[1][1] == "80"
    tree["scores"]["accuracy"][:, 1] = np.nan
    assert tables(tree)[0].rows[1][1] == "–"


def test_a_variable_with_levels_is_a_table_of_its_own():
    found = tables(scores())
    assert [each.title for each in found] == ["Scores", "accuracy [%] by noise", "What was not equal"]
    assert found[1].columns == ["model", "0.1", "0.2", "0.3"]
    assert found[2].rows == [["1", "one"], ["2", "two"]]


def test_a_result_without_scores_has_no_tables():
    assert tables(xr.DataTree()) == []
