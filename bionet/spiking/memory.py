"""How much memory there is, and a sentence instead of the end of the process where something asks for more."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from bionet.errors import InputError

#: What is smaller is not worth a look at the system's tables [bytes].
_SMALL = 1 << 26
_GROUPS = Path("/sys/fs/cgroup")


def require_memory(needed: float, what: str, advice: str) -> None:
    """Refuse what would not fit into memory, before any of it is taken.

    Parameters
    ----------
    needed : float
        What will be taken [bytes].
    what : str
        Whose it is and what was asked for, the beginning of the message.
    advice : str
        What to do instead.

    Raises
    ------
    InputError
        If there is less.

    Examples
    --------
    >>> require_memory(1e18, "neurons: got N = 125000000000000000", "take fewer neurons")
    Traceback (most recent call last):
    bionet.errors.InputError: neurons: got N = 125000000000000000, which needs 1000000.00 TB; expected at most ...
    """
    if needed < _SMALL:
        return
    free = available()
    if needed > free:
        raise InputError(
            f"{what}, which needs {_text(needed)}; expected at most {_text(free)}, the memory that is free; {advice}"
        )


def available() -> float:
    """Return how many bytes this process may still take; infinite where the system does not tell.

    The least of what is free in the machine, in each control group above the process, and below its own limit.
    """
    free = [_machine(), *map(_group, control_groups("memory"))]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and (pages := _number(Path("/proc/self/statm"))) is not None:
        free.append(limit - pages * os.sysconf("SC_PAGE_SIZE"))
    return min(free)


def _machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return float("inf")


def control_groups(controller: str) -> list[Path]:
    """Return the folders of the control groups this process is in, and of those around them.

    Parameters
    ----------
    controller : str
        What is controlled, such as ``"memory"``, where each has groups of its own.
    """
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, inside = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            root = _GROUPS / controllers
            path = root / inside.lstrip("/")
            found += [path, *(each for each in path.parents if each.is_relative_to(root))]
    return found


def _group(folder: Path) -> float:
    for most, taken in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        limit, used = _number(folder / most), _number(folder / taken)
        if limit is not None and used is not None:
            # Pages of files count as used, and are given back when asked for.
            return limit - used + (_field(folder / "memory.stat", "inactive_file") or 0)
    return float("inf")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _field(path: Path, name: str) -> int | None:
    try:
        return next((int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name)), None)
    except (OSError, ValueError, IndexError):
        return None


def _text(size: float) -> str:
    for factor, unit in ((1e12, "TB"), (1e9, "GB")):
        if size >= factor:
            return f"{size / factor:.2f} {unit}"
    return f"{max(size, 0) / 1e6:.0f} MB"
