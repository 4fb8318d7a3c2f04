"""What this machine offers to a run."""

from __future__ import annotations

import os

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
