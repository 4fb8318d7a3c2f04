"""Where a result comes from: code, libraries, machine, time."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bionet

_LIBRARIES = (
    *("numpy", "scipy", "numba", "brian2", "torch", "scikit-learn", "cupy-cuda12x", "cupy-cuda13x"),
    *("h5py", "xarray", "h5netcdf"),
)


def provenance() -> dict[str, str | int]:
    """Collect what is needed to repeat a run, without importing a heavy library.

    Returns
    -------
    dict of str to str or int
        ``created_at`` (UTC, ISO 8601), ``bionet_version``, ``revision`` (the commit of the checkout, ``+changes`` if
        files differ from it, ``unknown`` outside one), ``libraries`` (those installed, with versions), ``python``,
        ``platform``, ``machine``, ``cpu_count``.

    Examples
    --------
    >>> provenance()["libraries"]
    'numpy 2...; scipy ...'
    """
    return {
        "created_at": now(),
        "bionet_version": bionet.__version__,
        "revision": _revision(Path(bionet.__file__).resolve().parents[1]),
        "libraries": "; ".join(f"{name} {found}" for name in _LIBRARIES if (found := _version(name))),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count() or 1,
    }


def now() -> str:
    """Return the time, UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _revision(folder: Path) -> str:
    """Return the commit checked out in this very folder; a folder inside somebody else's checkout has none."""
    if _git(folder, "rev-parse", "--show-toplevel") != str(folder):
        return "unknown"
    commit = _git(folder, "rev-parse", "--verify", "HEAD") or "no commit yet"
    return f"{commit}+changes" if _git(folder, "status", "--porcelain") else commit


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says, or nothing if it says nothing, is slow, or is not there."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # asking must not touch the index of a working person
    command = ["git", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False, env=environment)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
