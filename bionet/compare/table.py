"""Tables of a comparison: what stands in ``/scores``, as mean and spread over the seeds.

A variable of ``/scores`` with the dimensions (seed, model) is a column; its attribute ``table`` says of which table.
A variable with one more dimension, such as ``noise``, is a table of its own. Attributes that are
read: ``long_name``, ``units``, ``display`` (the unit to show it in: ``%``, ``ms``, ``nJ``) and, of the group, ``note``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

_FACTORS = {"%": 100.0, "ms": 1e3, "us": 1e6, "nJ": 1e9, "pJ": 1e12}


@dataclass(frozen=True)
class Table:
    """A titled table of texts, with a note beneath it.

    Attributes
    ----------
    title : str
    columns : list of str
        The first one heads the models' names.
    rows : list of list of str
        As long as ``columns``, one for each model.
    note : str
        What the reader must know to read it rightly; may be empty.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


def tables(tree: xr.DataTree) -> list[Table]:
    """Return the tables of a result.

    Parameters
    ----------
    tree : xarray.DataTree
        A result, one seed or many; without ``/scores``, or the coordinate ``model`` there, it has no tables.

    Returns
    -------
    list of Table
        Tables of single numbers first, then the tables along noise, damage and the like.
    """
    if "scores" not in tree.children or "model" not in tree["scores"].coords:
        return []
    scores = tree["scores"].to_dataset()
    names = [str(name) for name in scores["model"].values]
    columns: dict[str, list[xr.DataArray]] = {}
    curves = []
    for variable in [*scores.data_vars.values(), *scores.coords.values()]:
        extra = set(variable.dims) - {"seed", "model"}
        if "model" not in variable.dims or variable.name == "model":
            continue
        if extra:
            curves.append(variable)
        else:
            columns.setdefault(variable.attrs.get("table", "Scores"), []).append(variable)
    found = [_columns_table(title, names, each) for title, each in columns.items()]
    found += [_curve_table(names, each) for each in curves]
    if found and scores.attrs.get("note"):
        found.append(Table("What was not equal", ["", ""], _numbered(scores.attrs["note"])))
    return found


def _columns_table(title: str, names: list[str], variables: list[xr.DataArray]) -> Table:
    heads = [_head(each) for each in variables]
    rows = [[name, *(_cell(each.sel(model=name)) for each in variables)] for name in names]
    note = " ".join(each.attrs["note"] for each in variables if each.attrs.get("note"))
    return Table(title, ["model", *heads], rows, note)


def _curve_table(names: list[str], variable: xr.DataArray) -> Table:
    (along,) = set(variable.dims) - {"seed", "model"}
    axis = variable[along]
    heads = [f"{value:g}" if axis.dtype.kind in "iuf" else str(value) for value in axis.values]
    rows = [[name, *(_cell(variable.sel(model=name)[{along: k}]) for k in range(axis.size))] for name in names]
    title = f"{_head(variable)} by {_head(axis)}"
    return Table(title, ["model", *heads], rows, str(variable.attrs.get("note", "")))


def _head(variable: xr.DataArray) -> str:
    unit = variable.attrs.get("display", variable.attrs.get("units", ""))
    name = str(variable.attrs.get("long_name", variable.name))
    return f"{name} [{unit}]" if unit not in ("", "1") else name


def _cell(values: xr.DataArray) -> str:
    """Show one model's number: the mean over the seeds, and their standard deviation where there is one."""
    if values.dtype.kind not in "iufb":
        return str(values.values) if values.ndim == 0 else ", ".join(map(str, values.values))
    numbers = np.atleast_1d(np.asarray(values, dtype=float)) * _FACTORS.get(values.attrs.get("display", ""), 1.0)
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return "–"
    mean = float(numbers.mean())
    exact = bool(np.all(numbers == np.rint(numbers[0])))
    decimals = 0 if exact or abs(mean) >= 1000 else 1 if abs(mean) >= 10 else 2
    shown = f"{mean:,.{decimals}f}"
    return shown if exact or numbers.size == 1 else f"{shown} ± {numbers.std(ddof=1):,.{decimals}f}"


def _numbered(note: str) -> list[list[str]]:
    return [[str(k), line] for k, line in enumerate(note.strip().splitlines(), 1)]
