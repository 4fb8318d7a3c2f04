"""Spiking networks, written in Brian2 and run by bionet's engines: ``import bionet.spiking; set_device("bionet")``."""

import gc

from bionet.spiking.preferences import import_brian2

import_brian2()

from bionet.spiking.device import register  # noqa: E402
from bionet.spiking.explain import explain  # noqa: E402

__all__ = ["explain"]

register()

# Every run() collects garbage, twice. What Brian2, SymPy and Numba leave in memory is none, and looking through it
# takes longer than many a run.
gc.freeze()
