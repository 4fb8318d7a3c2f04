"""Saving and loading machines: every array, every parameter and the clock, in one result file, without pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from bionet.errors import ResultFileError
from bionet.results import ResultWriter, open_result

M = TypeVar("M")

_PARAMETER = "parameter__"
"""Before the names of parameters that are arrays."""


class Stored:
    """An estimator that can be written to an HDF5 file and read again.

    What it has learned are its attributes with an underscore at their end: arrays, numbers, and lists or
    dictionaries of arrays. One that keeps it otherwise says so in ``pack`` and ``unpack``.
    """

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write all that was learned, and with it where learning stands, to an HDF5 file.

        Parameters
        ----------
        path : str or Path
        force : bool
            Whether to replace a file that is there.

        Raises
        ------
        InputError
            If the file is there already, or its folder cannot be written.
        """
        check_is_fitted(self)
        parameters: dict[str, Any] = self.get_params(deep=False)  # type: ignore[attr-defined]
        tables = {name: value for name, value in parameters.items() if isinstance(value, np.ndarray)}
        plain = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in parameters.items()
            if name not in tables
        }
        arrays = {**self.pack(), **{f"{_PARAMETER}{name}": table for name, table in tables.items()}}
        if hasattr(self, "feature_names_in_"):
            arrays["feature_names_in"] = self.feature_names_in_
        arrays = {name: _storable(array) for name, array in arrays.items()}
        # A file's axis of no length is one that may grow, so arrays of no size are written down as words.
        empty = {name: [array.dtype.str, array.shape] for name, array in arrays.items() if not array.size}
        variables = {
            name: (
                [f"{name}_{axis}" for axis in range(array.ndim)],
                array,
                {"units": "1", "long_name": name.replace("__", " ").replace("_", " ")},
            )
            for name, array in arrays.items()
            if array.size
        }
        attributes = {
            "model": type(self).__name__,
            "parameters": plain,
            "arrays": sorted(variables),
            "empty_arrays": empty,
        }
        with ResultWriter(path, attributes, force) as writer:
            writer.put(xr.DataTree.from_dict({"/model": xr.Dataset(variables)}), seed=int(parameters.get("seed", 0)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` has written.

        Raises
        ------
        ResultFileError
            If the file is no result, or holds another kind of machine, or not all of one.
        """
        tree = open_result(path)
        name = tree.attrs.get("model")
        if name != cls.__name__:
            raise ResultFileError(
                f"{path}: got {name or 'no machine'}; expected {cls.__name__}, such as it saves itself"
            )
        try:
            stored = tree["model"].to_dataset().isel(seed=0)
            arrays = {each: _array(stored[each]) for each in json.loads(tree.attrs["arrays"])}
            for each, (kind, shape) in json.loads(tree.attrs["empty_arrays"]).items():
                arrays[each] = np.empty(shape, kind)
            parameters = {key: _tuples(value) for key, value in json.loads(tree.attrs["parameters"]).items()}
            for key in [each for each in arrays if each.startswith(_PARAMETER)]:
                parameters[key.removeprefix(_PARAMETER)] = arrays.pop(key)
            model = cls(**parameters)
            model.unpack(arrays)
            if "feature_names_in" in arrays:
                model.__dict__["feature_names_in_"] = arrays["feature_names_in"]
        except (KeyError, TypeError, ValueError) as error:
            raise ResultFileError(f"{path}: not a whole {cls.__name__} ({error})") from error
        return model

    def pack(self) -> dict[str, NDArray]:
        """Return all that was learned as arrays by name, as :meth:`save` keeps them."""
        found: dict[str, NDArray] = {}
        for name, value in vars(self).items():
            if not name.endswith("_") or name.startswith("_"):
                continue
            stem = name[:-1]
            if isinstance(value, dict):
                found |= {f"{stem}__{key}": each for key, each in value.items()}
            elif isinstance(value, list):
                found |= {f"{stem}__{place}": each for place, each in enumerate(value)}
            else:
                found[stem] = np.asarray(value)
        return found

    def unpack(self, arrays: dict[str, NDArray]) -> None:
        """Take over the arrays that :meth:`pack` has returned."""
        found: dict[str, Any] = {}
        # Shorter names first, so that number 10 of a list comes after number 9.
        for name in sorted(arrays, key=lambda each: (len(each), each)):
            stem, _, part = name.partition("__")
            value = arrays[name]
            if not part:
                found[stem] = value if value.ndim else value.item()
            elif part.isdigit():
                found.setdefault(stem, []).append(value)
            else:
                found.setdefault(stem, {})[part] = value
        self.__dict__.update({f"{stem}_": value for stem, value in found.items()})


@contextmanager
def draft(model: M) -> Iterator[M]:
    """Give out a copy of a machine to learn with, which takes its place if it comes to the end of this, else nothing.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> machine = SimpleNamespace(weights=np.zeros(2))
    >>> with draft(machine) as copy:
    ...     copy.weights += 1
    >>> machine.weights.tolist()
    [1.0, 1.0]
    """
    copy = deepcopy(model)
    yield copy
    # One call, which Ctrl-C comes before or after.
    vars(model).update(vars(copy))


def _storable(array: NDArray) -> NDArray:
    array = np.asarray(array)
    return array.astype(str) if array.dtype == object else array


def _array(stored: xr.DataArray) -> NDArray:
    return _storable(np.array(stored.values))


def _tuples(value: Any) -> Any:
    """Return lists, which is what JSON makes of tuples, as tuples again."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
