"""What this machine offers to a run."""

from __future__ import annotations

import os
import platform
from pathlib import Path

EXTRAS = {
    "torch": ("torch",),
    "cuda12": ("cupy",),
    "nir": ("nir",),
    "neuro": ("neo", "elephant"),
    "nwb": ("pynwb",),
    "dask": ("dask",),
}
"""The modules that each extra of bionet brings; ``cuda13`` brings the same as ``cuda12``."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""The variables by which the libraries below are told how many threads to use, read when they are imported."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def described() -> str:
    """Return the processor, the cores, the memory and the system of this machine, as far as they can be told."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{_processor()}, {cores()} of {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform(terse=True)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
