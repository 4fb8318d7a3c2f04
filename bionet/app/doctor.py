"""What is installed on this machine, and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bionet import __version__
from bionet.app.machine import EXTRAS, THREADS, cores
from bionet.cache import cache_folder

_CORE = (
    *("numpy", "scipy", "numba", "brian2", "h5py", "xarray", "h5netcdf"),
    *("scikit-learn", "pydantic", "typer", "tqdm", "rich", "matplotlib"),
)


def examination() -> list[tuple[str, str]]:
    """Return what there is to say about this installation, as pairs of a subject and a sentence.

    A subject that cannot be examined is reported as such; nothing is raised.
    """
    subjects: list[tuple[str, Callable[[], str]]] = [
        ("bionet", lambda: f"{__version__} in {Path(__file__).parents[1]}"),
        ("Python", lambda: f"{platform.python_version()} on {platform.platform()}"),
        *((name, lambda name=name: importlib.metadata.version(name)) for name in _CORE),
        *((f"extra {extra}", lambda extra=extra: _extra(extra)) for extra in EXTRAS),
        ("cores", lambda: f"{cores()} of {os.cpu_count()} may be used"),
        ("threads", _threads),
        ("GPU", _gpu),
        ("Numba's cache", _numba_cache),
        ("fetched data", _cache),
        ("data", _data),
    ]
    return [(subject, _safely(say)) for subject, say in subjects]


def _safely(say: Callable[[], str]) -> str:
    try:
        return say()
    except Exception as error:
        return f"cannot tell: {type(error).__name__}: {error}"


def _extra(extra: str) -> str:
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if not missing:
        return "installed: " + ", ".join(_version(name) for name in EXTRAS[extra])
    also = " (or 'bionet[cuda13]', by your driver)" if extra == "cuda12" else ""
    return f"not installed; get it with: pip install 'bionet[{extra}]'{also}"


def _version(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module, [module])
    return f"{names[0]} {importlib.metadata.version(names[0])}"


def _threads() -> str:
    chosen = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    return ", ".join(chosen) or "as many as cores; a run shares them out among its seeds"


def _gpu() -> str:
    if importlib.util.find_spec("cupy") is None:
        return "not used: CuPy is not installed"
    cupy = import_module("cupy")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"not used: {error}"
    return ", ".join(cupy.cuda.runtime.getDeviceProperties(k)["name"].decode() for k in range(count))


def _numba_cache() -> str:
    folder = Path(os.environ.get("NUMBA_CACHE_DIR", Path(__file__).parents[1]))
    if os.access(folder, os.W_OK):
        return f"written to {folder}"
    return f"{folder} is read-only: Numba compiles into its user cache; set NUMBA_CACHE_DIR to choose another"


def _cache() -> str:
    folder = cache_folder()
    held = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    return f"{folder} holds {', '.join(held) or 'nothing yet'}"


def _data() -> str:
    place = os.environ.get("BIONET_DATA")
    if not place:
        return "BIONET_DATA is not set: data sets come from scikit-learn, or from the cache"
    known = import_module("bionet.datasets").SHA256
    files = {name: Path(place, name).is_file() for name in known if "/" in name}
    there = ", ".join(name for name, found in files.items() if found) or "nothing"
    absent = ", ".join(name for name, found in files.items() if not found)
    return f"BIONET_DATA={place} has {there}" + f"; it has no {absent}" * bool(absent)
