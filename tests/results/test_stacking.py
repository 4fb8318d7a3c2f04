import numpy as np
import pytest
import xarray

from bionet.errors import InputError
from bionet.results import check, stack
from tests.results.result_trees import named


def scores(values=(1.0, 2.0), dim="model", **coords):
    return xarray.Dataset({"a": named(dim, np.array(values))}, coords=coords)


def tree(dataset, group="/scores"):
    return xarray.DataTree.from_dict({group: dataset})


def test_a_stacked_tree_is_the_trees_one_after_another(make_tree):
    trees = {seed: make_tree(seed) for seed in (3, 0, 2)}
    both = stack(trees)
    assert both["scores"].seed.values.tolist() == [0, 2, 3]
    for seed, one in trees.items():
        for group in ("scores", "curves/a/b"):
            xarray.testing.assert_identical(
                both[group].to_dataset().sel(seed=seed, drop=True), one[group].to_dataset(inherit=False)
            )
        spikes = both["spikes/hidden (e)"].to_dataset()
        its_own = spikes.isel(spike=spikes.seed.values == seed).drop_vars("seed")
        xarray.testing.assert_identical(its_own, one["spikes/hidden (e)"].to_dataset())
    assert both["spikes/silent"].sizes == {"spike": 0}
    assert "seed" not in both["scores"].coords["model"].dims


def test_spikes_are_ordered_by_seed_then_time(make_tree):
    spikes = stack({1: make_tree(1), 0: make_tree(0)})["spikes/hidden (e)"]
    order = np.lexsort((spikes.t, spikes.seed))
    assert np.array_equal(order, np.arange(spikes.sizes["spike"]))


def test_what_a_seed_has_not_is_nan_or_empty_or_no_spikes(make_tree):
    both = stack({0: make_tree(0), 1: xarray.DataTree.from_dict({"/scores": scores(dim="other")})})
    assert np.isnan(both["scores/accuracy"].sel(seed=1)).all()
    assert np.isnan(both["scores/sweeps"].sel(seed=1)).all()
    assert both["scores/sweeps"].sel(seed=0).values.tolist() == [0, 1]
    assert both["scores/converged"].sel(seed=0).values.tolist() == [1, 0]
    assert both["scores/remark"].sel(seed=1).values.tolist() == ["", ""]
    assert both["curves/a/b/accuracy"].dtype == np.float32
    assert set(both["spikes/hidden (e)"].seed.values.tolist()) == {0}


def test_notes_that_differ_are_all_kept():
    trees = {seed: tree(scores().assign_attrs(note=f"seed {seed}", same="same")) for seed in (0, 1)}
    assert stack(trees)["scores"].attrs == {"note": "seed 0\nseed 1", "same": "same"}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (scores(model=named("model", [0, 2])), "/scores/model: the values of seed 1 differ"),
        (scores(where=named("model", [0, 2])), "/scores/where: the values of seed 1 differ"),
        (scores((1.0, 2.0, 3.0)), "/scores/a: seed 1 has the sizes"),
        (scores(dim="probe"), "/scores/a: seed 1 has the dimensions"),
        (xarray.Dataset({"a": named("model", [1.0, 2.0], "s")}), "/scores/a: seed 1 has the attributes"),
    ],
)
def test_trees_that_do_not_fit_are_refused_by_name(second, message):
    first = scores(model=named("model", [0, 1]), where=named("model", [0, 1]))
    with pytest.raises(InputError, match=message):
        stack({0: tree(first), 1: tree(second)})


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", 2**63])
def test_a_seed_is_a_whole_number(seed, make_tree):
    with pytest.raises(InputError, match=r"stack\.seed"):
        stack({seed: make_tree(0)})


def without(key, **changed):
    variable = named("model", np.array([1.0, 2.0]))
    variable.attrs.pop(key, None)
    variable.attrs.update(changed)
    return tree(xarray.Dataset({"a": variable}))


def spiking(**variables):
    return tree(xarray.Dataset(variables), "/spikes/e")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (without("units"), "/scores/a: got units None; expected the attribute units"),
        (without("long_name"), "/scores/a: got long_name None"),
        (without("", units="seconds"), "SI symbol"),
        (without("", units="days since 2000-01-01"), "SI symbol"),
        (without("", coordinates="x"), "'coordinates': got a reserved name"),
        (without("", flag=None), "'flag': got None"),
        (without("", flag=True), "'flag': got True"),
        (without("", flag={"a": 1}), "'flag': got {'a': 1}"),
        (without("", flag=[1]), r"'flag': got \[1\]"),
        (without("", flag="a\0b"), "'flag': got text with NUL"),
        (without("", flag="\udc80"), "'flag': got text with NUL or half"),
        (without("", flag="é" * 40_000), "'flag': got 80000 bytes"),
        (tree(scores(), "/"), r"/: got variables \['a'\]; expected attributes only"),
        (tree(scores(dim="seed")), "/scores/seed"),
        (tree(scores(seed=named((), 1))), "/scores/seed"),
        (tree(scores(k=named((), 1))), "/scores/k: got a scalar"),
        (tree(scores(dim="a b")), "dimension 'a b'"),
        (tree(scores(dim="string3")), "dimension 'string3'"),
        (tree(scores().rename(a="ä")), "/scores/ä"),
        (tree(scores(), "/a\x1b[2J"), "group name"),
        (tree(scores(), "/" + "/".join("a" * 15)), "nested groups"),
        (tree(xarray.Dataset({"a": named("x", [1j])})), "dtype complex128"),
        (tree(xarray.Dataset({"a": named("x", np.array([1], "f2"))})), "dtype float16"),
        (tree(xarray.Dataset({"a": named("x", np.array(["2000"], "M8[ns]"))})), "dtype datetime64"),
        (tree(xarray.Dataset({"a": named("x", np.array(["a", None], object))})), "not plain text"),
        (spiking(i=named("spike", [1, 2])), "/spikes/e/t: got no such variable"),
        (spiking(t=named("spike", [2.0, 1.0], "s")), "/spikes/e/t: got times out of order"),
        (spiking(t=named("spike", [1.0, np.nan], "s")), "/spikes/e/t: got times out of order"),
        (spiking(t=named("spike", [1.0], "s"), n=named((), 1)), "/spikes/e/n: got a scalar"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(bad, message):
    with pytest.raises(InputError, match=message):
        check(bad)
