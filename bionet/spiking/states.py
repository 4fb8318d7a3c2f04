"""The file of ``store(filename=...)``: states of a network as NumPy's ``.npz``, which cannot hold anything that runs.

Brian2 writes a pickle, and a stranger's pickle runs what it likes when it is read. This file is a zip archive of plain
arrays, not compressed, one of them, ``tree``, a text in JSON that says which is which::

    {"format": "bionet states", "version": 1, "states": {"default": {"neurongroup": {"v": (array 3, 100)}}}}
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from brian2.core.network import Network, _get_all_objects
from brian2.synapses.synapses import SynapticPathway
from numpy.typing import NDArray

from bionet.errors import InputError, suggest

# Beside the names of objects, which do not begin so.
_ENGINE = "_engine"
_FORMAT, _VERSION = "bionet states", 1
_PLAIN = (bool, int, float, str, type(None))
_EXPECTED = "expected a file that store(filename=...) has written under bionet's device"


def write_states(path: str | os.PathLike, states: Mapping[str, Any]) -> None:
    """Write states of a network; a file that is there is replaced as a whole, or not at all.

    Parameters
    ----------
    path : path
    states : mapping of str to state
        Numbers, texts, arrays, and lists, tuples and mappings of such, by the name of the state.

    Raises
    ------
    InputError
        If a state holds anything else, or the file cannot be written.
    """
    path = Path(path)
    arrays: list[NDArray] = []
    tree = {
        "format": _FORMAT,
        "version": _VERSION,
        "states": {name: _tree(each, arrays) for name, each in states.items()},
    }
    named: dict[str, Any] = {f"array_{k}": array for k, array in enumerate(arrays)}
    named["tree"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                np.savez(file, allow_pickle=False, **named)
            except BaseException:
                os.unlink(file.name)
                raise
        os.replace(file.name, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); expected a folder with room in it") from None


def read_states(path: str | os.PathLike) -> dict[str, Any]:
    """Return the states in a file, every bit as it was.

    Parameters
    ----------
    path : path

    Raises
    ------
    FileNotFoundError
        If there is none.
    InputError
        If it is damaged, or another's.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_states(f"{folder}/states", {"default": {"v": (np.arange(3.0), 3)}})
    ...     read_states(f"{folder}/states")
    {'default': {'v': (array([0., 1., 2.]), 3)}}
    """
    path = Path(path)
    with path.open("rb") as file:
        if file.read(2)[:1] == b"\x80":
            raise InputError(
                f"{path}: is a pickle, as Brian2's own devices write, and may run anything when it is read; {_EXPECTED}"
            )
        try:
            arrays = _arrays(file, path.stat().st_size)
            tree = json.loads(arrays.pop("tree").tobytes())
            if tree["format"] != _FORMAT or tree["version"] > _VERSION:
                raise InputError(f"{path}: is of format {tree['format']!r}, version {tree['version']}; {_EXPECTED}")
            return {name: _value(each, arrays) for name, each in tree["states"].items()}
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path}: cannot be read ({type(error).__name__}: {error}); {_EXPECTED}") from None


def read_state(path: str | os.PathLike, name: str) -> Any:
    """Return one state of a file.

    Raises
    ------
    KeyError
        If there is no such state.
    FileNotFoundError, InputError
        As `read_states` does.
    """
    states = read_states(path)
    if name not in states:
        raise KeyError(f"{path}: no state {name!r}{suggest(name, states)}")
    return states[name]


def _arrays(file: Any, size: int) -> dict[str, NDArray]:
    """Read the arrays of an archive that takes no more memory than it is long."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if (
            any(each.compress_type != zipfile.ZIP_STORED for each in entries)
            or sum(e.file_size for e in entries) > size
        ):
            raise ValueError("a part is compressed, or longer than the file")
        found = {}
        for each in entries:
            with archive.open(each) as part:
                shape, _, dtype = _header(part)
                if int(np.prod(shape, dtype=object)) * dtype.itemsize > each.file_size:
                    raise ValueError("an array is longer than the file")
            with archive.open(each) as part:
                found[each.filename.removesuffix(".npy")] = np.lib.format.read_array(part, allow_pickle=False)
                # The checksum is looked at where a part ends.
                if part.read(1):
                    raise ValueError("an array is shorter than its part of the file")
    return found


def _header(part: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(part)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(part)
    return np.lib.format.read_array_header_2_0(part)


def _tree(value: Any, arrays: list[NDArray]) -> Any:
    """Return a value as JSON has it, its arrays put aside."""
    match value:
        case np.ndarray() | np.generic():
            array = np.asarray(value)
            if array.dtype.hasobject:
                raise InputError("store: got an array of Python objects; expected arrays of numbers")
            arrays.append(array)
            return {"array" if isinstance(value, np.ndarray) else "number": len(arrays) - 1}
        case dict():
            return {"dict": {_text(name): _tree(each, arrays) for name, each in value.items()}}
        case list():
            return {"list": [_tree(each, arrays) for each in value]}
        case tuple():
            return {"tuple": [_tree(each, arrays) for each in value]}
        case _ if type(value) in _PLAIN:
            return value
    raise InputError(
        f"store: got a {type(value).__name__} in the state of the network; expected numbers, texts, arrays, and lists, "
        "tuples and dictionaries of such; store without a file name, which keeps anything"
    )


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise InputError(f"store: got the name {name!r} in the state of the network; expected a text")
    return name


def _value(tree: Any, arrays: Mapping[str, NDArray]) -> Any:
    match tree:
        case {"array": int(k)}:
            return arrays[f"array_{k}"]
        case {"number": int(k)}:
            return arrays[f"array_{k}"][()]
        case {"dict": dict(inner)}:
            return {name: _value(each, arrays) for name, each in inner.items()}
        case {"list": list(inner)}:
            return [_value(each, arrays) for each in inner]
        case {"tuple": list(inner)}:
            return tuple(_value(each, arrays) for each in inner)
        case _ if type(tree) in _PLAIN:
            return tree
    raise ValueError(f"a {type(tree).__name__} that is none of the known kinds")


def store(network: Network, name: str, filename: str | os.PathLike | None, engine: Mapping[str, Any]) -> None:
    """Store the state of a network, its delays with it, which Brian2 2.9 forgets.

    Parameters
    ----------
    network : brian2.Network
    name : str
        Under which it is kept.
    filename : path or None
        The file, which may hold states of other names; None for this process alone.
    engine : mapping
        What the engine itself keeps between runs.
    """
    others = read_states(filename) if filename is not None and os.path.exists(filename) else {}
    before = dict(network._stored_state)
    Network.store.original_function(network, name)
    state = network._stored_state[name]
    state[_ENGINE] = engine
    for each in _get_all_objects(network.objects):
        if isinstance(each, SynapticPathway):
            delays = each.variables["delay"]
            state[each.name].setdefault("delay", (delays.get_value().copy(), delays.size))
    if filename is not None:
        network._stored_state = before
        write_states(filename, {**others, name: state})


def restore(
    network: Network, name: str, filename: str | os.PathLike | None, restore_random_state: bool
) -> Mapping[str, Any]:
    """Bring a network into a state that has been stored, and return what the engine had kept.

    Parameters
    ----------
    network : brian2.Network
    name : str
    filename : path or None
    restore_random_state : bool
        Go on with the random numbers of that time.
    """
    before = dict(network._stored_state)
    if filename is not None:
        network._stored_state[name] = read_state(filename, name)
    state = dict(network._stored_state.get(name, {}))
    engine = state.pop(_ENGINE, {})
    if state:
        network._stored_state[name] = state
    try:
        Network.restore.original_function(network, name, None, restore_random_state)
        return engine
    finally:
        network._stored_state = before
