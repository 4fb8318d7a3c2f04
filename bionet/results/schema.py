"""What a result tree must be: groups of labelled arrays, each with a unit and a name.

======================  ====================  =================================================================
group                   dimensions            variables
======================  ====================  =================================================================
``/``                   none                  attributes only: what was run, where, with what, and how it ended
``/spikes/<group>``     ``spike``             ``t`` [s] sorted, ``i``: flat parallel arrays, no ragged lists
``/traces/<group>``     ``time``, ``neuron``  recorded variables, SI units
``/synapses/<name>``    ``synapse``           ``i``, ``j``, ``weight``, ``delay`` [s], what was asked for
``/learning/<model>``   ``epoch``             ``loss``, ``accuracy``, ``energy``, ...
``/fields/<model>``     ``unit``, ...         receptive fields, weights, recalled patterns
``/scores``             ``model``, ...        what a comparison reports, one value a seed
``/curves``             ``model``, ...        the same against noise, damage, time
======================  ====================  =================================================================

The names of groups are a habit; the rules of :func:`check` are kept.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import xarray

from bionet.errors import InputError

SCHEMA = "bionet-result"
"""The name that the root of every result file carries."""
VERSION = 1
"""The version of the schema; a reader refuses newer ones."""

MAX_BYTES = 4 * 2**30
"""The largest result, in bytes, on disk and in memory."""
MAX_DEPTH = 16
"""How deep groups may be nested."""
MAX_ATTRIBUTE = 64 * 1024
"""The largest attribute, in bytes."""

_NAME = re.compile(r"(?!string\d)[A-Za-z]\w*", re.ASCII)  # xarray calls the characters of texts string<n>
_GROUP = re.compile(r"\w[\w .()+-]*(?<! )")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# What xarray would turn into dates and time spans when the file is opened without a flag.
_DECODED = {"days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"}
_RESERVED = {
    *("_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "coordinates", "calendar", "grid_mapping"),
    *("bounds", "_Encoding", "_Unsigned", "_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict"),
    *("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"),
}


def check(tree: xarray.DataTree) -> None:
    """Check the result of one seed: every variable can be stored, and has a unit and a name.

    Parameters
    ----------
    tree : xarray.DataTree
        What an experiment's ``run`` returns: no dimension ``seed``, no variables at the root.

    Raises
    ------
    InputError
        If a group or a variable breaks a rule; the message names it, and what is expected.
    """
    for node in tree.subtree:
        dataset = node.to_dataset(inherit=False)
        _check_group(node, dataset)
        for name, variable in dataset.variables.items():
            where = f"{node.path}/{name}"
            # A checksum needs chunks, and HDF5 has none in a scalar; only stacked variables get a dimension more.
            stacked = name not in dataset.coords and "spike" not in dataset.dims
            _require(variable.ndim or stacked, where, "a scalar that all seeds share", "an attribute of the group")
            _check_variable(where, str(name), variable)


def check_attribute(where: str, name: str, value: Any) -> None:
    """Check that an attribute is text, a number or a list of numbers that a file can hold.

    Parameters
    ----------
    where : str
        Whose attribute it is, for the message.
    name : str
        Its name.
    value : object
        Its value.

    Raises
    ------
    InputError
        If the name is reserved for the file format, or the value cannot be stored.
    """
    owner = f"{where}, attribute {name!r}"
    _require(name not in _RESERVED and name.isprintable() and name, owner, "a reserved name", "another name")
    if isinstance(value, str):
        _require(not _UNSTORABLE.search(value), owner, "text with NUL or half a surrogate pair", "Unicode text")
        size = len(value.encode())
        _require(size <= MAX_ATTRIBUTE, owner, f"{size} bytes", f"at most {MAX_ATTRIBUTE}; store it as a variable")
        return
    numbers = np.asarray(value)
    storable = numbers.dtype.kind in "iuf" and (numbers.ndim == 0 or (numbers.ndim == 1 and numbers.size > 1))
    _require(storable, owner, repr(value)[:80], "text, a number or a list of two or more numbers")
    _require(numbers.nbytes < MAX_ATTRIBUTE // 2, owner, f"{numbers.size} numbers", "a few; store them as a variable")


def _require(holds: Any, where: str, got: str, expected: str) -> None:
    if not holds:
        raise InputError(f"{where}: got {got}; expected {expected}")


def _check_group(node: xarray.DataTree, dataset: xarray.Dataset) -> None:
    depth = len(node.path.split("/")) - 1
    _require(depth <= MAX_DEPTH - 2, node.path, f"{depth} nested groups", f"at most {MAX_DEPTH - 2}")
    named = node.path == "/" or _GROUP.fullmatch(node.name or "")
    _require(named, node.path, f"the group name {node.name!r}", "letters, digits, spaces and _ . ( ) + -")
    if node.path == "/":
        _require(not dataset.variables, "/", f"variables {list(dataset.variables)}", "attributes only; use a group")
    taken = "seed" in dataset.dims or "seed" in dataset.variables
    _require(not taken, f"{node.path}/seed", "a dimension or variable 'seed'", "one seed's result; the file adds it")
    for dim in dataset.dims:
        _require(_NAME.fullmatch(str(dim)), f"{node.path}, dimension {dim!r}", repr(dim), "letters, digits and _")
    for name, value in dataset.attrs.items():
        check_attribute(node.path, str(name), value)
    if "spike" in dataset.dims:
        _check_spikes(node, dataset)


def _check_spikes(node: xarray.DataTree, dataset: xarray.Dataset) -> None:
    where = f"{node.path}/t"
    parents = [parent.path for parent in node.parents if parent.to_dataset(inherit=False).variables]
    _require(not parents, node.path, f"variables in {parents}", "no variables in the groups above spikes")
    _require("t" in dataset.variables and dataset["t"].dims == ("spike",), where, "no such variable", "t(spike) in s")
    _require(bool(np.all(np.diff(dataset["t"].values) >= 0)), where, "times out of order", "sorted times in s")


def _check_variable(where: str, name: str, variable: xarray.Variable) -> None:
    _require(_NAME.fullmatch(name), where, repr(name), "a name of letters, digits and _ that starts with a letter")
    for needed, example in (("units", "'s', 'mV', or '1' if it has none"), ("long_name", "'test accuracy'")):
        text = variable.attrs.get(needed)
        _require(isinstance(text, str), where, f"{needed} {text!r}", f"the attribute {needed}, such as {example}")
    units = variable.attrs["units"]
    _require(units not in _DECODED and " since " not in units, where, f"units {units!r}", "an SI symbol, such as 's'")
    for key, value in variable.attrs.items():
        check_attribute(where, str(key), value)
    if variable.dtype.kind in "UO":
        texts = variable.values.ravel().tolist()
        plain = all(isinstance(text, str) and not _UNSTORABLE.search(text) for text in texts)
        _require(plain, where, "values that are not plain text", "numbers or text")
    else:
        storable = variable.dtype.kind in "biu" or variable.dtype in (np.float32, np.float64)
        _require(storable, where, f"dtype {variable.dtype}", "bool, integers, float32, float64 or text")
