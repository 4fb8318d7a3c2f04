"""From the results of single seeds to one tree with a dimension ``seed``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from bionet.errors import InputError
from bionet.results.schema import check

_SEED = {"units": "1", "long_name": "seed of the run"}

Datasets = dict[int, xarray.Dataset]


def stack(trees: Mapping[int, xarray.DataTree]) -> xarray.DataTree:
    """Put the results of several seeds into one tree.

    Every data variable gets a leading dimension ``seed``; coordinates are the same for all seeds and are kept once.
    In a group with a dimension ``spike`` the spikes of all seeds follow one another, ordered by seed, then time, and a
    variable ``seed`` tells whose they are. What a seed has not got is NaN (integers and booleans then become
    floats), an empty text, or no spikes.

    Parameters
    ----------
    trees : mapping of int to xarray.DataTree
        The result of each seed, as :func:`bionet.results.check` allows it.

    Returns
    -------
    xarray.DataTree
        What the result file holds, but for the attributes of its root.

    Raises
    ------
    InputError
        If a tree breaks the schema, or the trees do not fit: other coordinates, sizes, dimensions or units.

    Examples
    --------
    >>> import xarray
    >>> def result(accuracy):
    ...     scores = xarray.Dataset({"accuracy": ("model", accuracy, {"units": "1", "long_name": "accuracy"})})
    ...     return xarray.DataTree.from_dict({"/scores": scores})
    >>> both = stack({0: result([0.9, 0.8]), 1: result([1.0, 0.7])})
    >>> both["scores/accuracy"].dims, both["scores/accuracy"].mean("seed").values.tolist()
    (('seed', 'model'), [0.95, 0.75])
    """
    groups: dict[str, Datasets] = {}
    for seed in sorted(trees):
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
            raise InputError(f"stack.seed: got {seed!r}; expected a whole number from 0 to 2**63 - 1")
        check(trees[seed])
        for node in trees[seed].subtree:
            groups.setdefault(node.path, {})[int(seed)] = node.to_dataset(inherit=False)
    seeds = [int(seed) for seed in sorted(trees)]
    nodes = {path: _stacked_group(path, datasets, seeds) for path, datasets in groups.items()}
    return xarray.DataTree.from_dict(nodes)


def _stacked_group(path: str, datasets: Datasets, seeds: list[int]) -> xarray.Dataset:
    ragged = any("spike" in dataset.dims for dataset in datasets.values())
    variables: dict[Any, xarray.Variable] = {}
    coordinates = list(dict.fromkeys(name for dataset in datasets.values() for name in dataset.coords))
    for name in dict.fromkeys(name for dataset in datasets.values() for name in dataset.variables):
        where = f"{path}/{name}"
        found = {seed: _plain(data.variables[name]) for seed, data in datasets.items() if name in data.variables}
        _same(where, "dimensions", {seed: variable.dims for seed, variable in found.items()})
        _same(where, "attributes", {seed: _texts(variable.attrs) for seed, variable in found.items()})
        if "spike" in next(iter(found.values())).dims:
            variables[name] = _joined(where, found, datasets)
        elif ragged or name in coordinates:
            variables[name] = _kept_once(where, found)
        else:
            variables[name] = _stacked(where, found, seeds)
    if ragged:
        rows = [np.full(dataset.sizes.get("spike", 0), seed) for seed, dataset in datasets.items()]
        variables["seed"] = xarray.Variable("spike", np.concatenate(rows), _SEED)
    elif any(name not in coordinates for name in variables):
        variables["seed"] = xarray.Variable("seed", np.array(seeds), _SEED)
        coordinates.append("seed")
    coords = {name: variables.pop(name) for name in coordinates}
    return xarray.Dataset(variables, coords, _merged(datasets))


def _plain(variable: xarray.Variable) -> xarray.Variable:
    """Return the variable in memory, its texts as fixed-width Unicode."""
    values = variable.values.astype(str) if variable.dtype.kind == "O" else variable.values
    return xarray.Variable(variable.dims, values, variable.attrs)


def _same(where: str, what: str, found: Mapping[int, Any]) -> None:
    first, expected = next(iter(found.items()))
    for seed, got in found.items():
        if got != expected:
            raise InputError(f"{where}: seed {seed} has the {what} {got}; expected those of seed {first}, {expected}")


def _texts(attributes: Mapping[Any, Any]) -> dict[Any, str]:
    return {name: str(value) for name, value in attributes.items()}


def _kept_once(where: str, found: Mapping[int, xarray.Variable]) -> xarray.Variable:
    first, variable = next(iter(found.items()))
    for seed, other in found.items():
        if not other.equals(variable):
            raise InputError(
                f"{where}: the values of seed {seed} differ from those of seed {first}; "
                "expected the same for all seeds; make it a data variable of a group without spikes if they may differ"
            )
    return variable


def _stacked(where: str, found: Mapping[int, xarray.Variable], seeds: list[int]) -> xarray.Variable:
    _same(where, "sizes", {seed: dict(variable.sizes) for seed, variable in found.items()})
    like = next(iter(found.values()))
    missing: Any = np.full(like.shape, "" if like.dtype.kind == "U" else np.nan)
    if like.dtype == np.float32:
        missing = missing.astype(np.float32)
    values = [found[seed].values if seed in found else missing for seed in seeds]
    if len(found) < len(seeds) and like.dtype.kind == "b":
        values = [np.asarray(each, dtype=np.float64) for each in values]
    return xarray.Variable(("seed", *like.dims), np.stack(values), like.attrs)


def _joined(where: str, found: Mapping[int, xarray.Variable], datasets: Datasets) -> xarray.Variable:
    for seed, dataset in datasets.items():
        if seed not in found and dataset.sizes.get("spike", 0):
            raise InputError(f"{where}: seed {seed} has spikes but not this variable; expected it as in the others")
    like = next(iter(found.values()))
    axis = like.dims.index("spike")
    return xarray.Variable(like.dims, np.concatenate([each.values for each in found.values()], axis), like.attrs)


def _merged(datasets: Datasets) -> dict[Any, Any]:
    """Return the attributes of a group: what all seeds agree on once, what differs as lines of text."""
    merged = {}
    for name in dict.fromkeys(name for dataset in datasets.values() for name in dataset.attrs):
        values = [dataset.attrs[name] for dataset in datasets.values() if name in dataset.attrs]
        texts = list(dict.fromkeys(str(value) for value in values))
        merged[name] = values[0] if len(texts) == 1 else "\n".join(texts)
    return merged
