"""Saving and loading machines: every array, every parameter and the clock, in one result file, without pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from bionet.errors import ResultFileError
from bionet.results import ResultWriter, open_result

M = TypeVar("M")


def save(model: Any, path: str | Path, force: bool = False) -> None:
    """Write a fitted machine to an HDF5 file.

    Parameters
    ----------
    model : estimator
        Its ``pack()`` returns the arrays to keep by name, and its ``unpack(arrays)`` takes them back.
    path : str or Path
    force : bool
        Whether to replace a file that is there.

    Raises
    ------
    InputError
        If the file is there already, or its folder cannot be written.
    """
    arrays = {name: array for name, array in model.pack().items() if array.size}
    variables = {
        name: (
            [f"{name}_{axis}" for axis in range(array.ndim)],
            array,
            {"units": "1", "long_name": name.replace("__", " ").replace("_", " ")},
        )
        for name, array in arrays.items()
    }
    attributes = {"model": type(model).__name__, "parameters": model.get_params(deep=False)}
    with ResultWriter(path, attributes, force) as writer:
        writer.put(xr.DataTree.from_dict({"/model": xr.Dataset(variables)}), seed=int(model.seed))


def load(kind: type[M], path: str | Path) -> M:
    """Read a machine that :func:`save` has written.

    Parameters
    ----------
    kind : type
        Its class.
    path : str or Path

    Raises
    ------
    ResultFileError
        If the file is no result, or holds another kind of machine, or not all of one.
    """
    tree = open_result(path)
    name = tree.attrs.get("model")
    if name != kind.__name__:
        raise ResultFileError(f"{path}: got {name or 'no machine'}; expected {kind.__name__}, such as it saves itself")
    try:
        model: Any = kind(**json.loads(tree.attrs["parameters"]))
        stored = tree["model"].to_dataset().isel(seed=0)
        arrays = {str(each): np.array(stored[each].values) for each in stored.data_vars}
        model.unpack(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultFileError(f"{path}: not a whole {kind.__name__} ({error})") from error
    return model
