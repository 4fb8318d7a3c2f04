"""Printed source compiled by Numba, and kept on disk: the next process that needs the same loop has it at once.

The key of a kept kernel is a hash of its text, of the functions it may call, and of the versions of bionet, Numba and
llvmlite; Numba itself keeps processors apart. Files appear by renaming, so that two processes may write at a time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite
import numba

import bionet
from bionet.cache import cache_folder
from bionet.spiking.engines.printing import Source

#: How many kernels are kept on disk; the oldest go.
KEPT = 300
_SIGNATURE = "void(int64[::1], int64[::1], float64[::1], int64[::1], int64[::1], uint64[::1])"
_HEAD = '''"""A loop printed by bionet; it can be deleted at any time."""
from numba import njit, bool_, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from math import inf, nan
import math
from bionet.random import poisson
from bionet.spiking.engines.cable import diffuse
from bionet.spiking.engines.runtime import *
from bionet.spiking.draws import fill_from_table, from_table, geometric_gap, normal, uniform
from bionet.spiking.functions import FUNCTIONS, pow_int
globals().update({"function_" + name: function for name, function in FUNCTIONS.items()})
'''
_compiled: dict[str, Callable[..., None]] = {}


def compiled(source: Source) -> Callable[..., None]:
    """Compile printed source, or take it from memory or disk.

    Parameters
    ----------
    source : Source

    Returns
    -------
    callable
        ``run(table, sizes, floats, integers, control, keys)``.
    """
    own = {f"user_{name}": each.function for name, each in source.user_functions.items()}
    decorated = f'@njit("{_SIGNATURE}", nogil=True, error_model="numpy", cache={not own})\n'
    text = _HEAD + source.head + decorated + source.text
    key = hashlib.sha256((text + _environment()).encode()).hexdigest()[:40]
    # The same function of a user is the same object: what has been compiled for it stays good.
    key = "/".join([key, *(str(id(function)) for function in own.values())])
    if key not in _compiled:
        module = None if own else _module(key, text)
        _compiled[key] = module.run if module else _executed(text.replace("cache=True", "cache=False"), own)
    return _compiled[key]


@cache
def _environment() -> str:
    """Return what a compiled kernel depends on beside its text."""
    here = Path(__file__).parents[1]
    called = (
        "engines/runtime.py",
        "engines/cable.py",
        "functions.py",
        "elementary.py",
        "draws.py",
        "crossing.py",
        "adaptive.py",
        "engines/event_calls.py",
        "engines/event_queues.py",
        "engines/event_fronts.py",
        "engines/threads.py",
        "engines/event_rows.py",
        "engines/waiting.py",
        "../random.py",
    )
    parts = [bionet.__version__, numba.__version__, llvmlite.__version__, sys.version]
    return "\n".join(parts + [(here / path).read_text() for path in called])


def _executed(text: str, names: dict[str, Any]) -> Callable[..., None]:
    namespace = {**names, "__name__": "bionet_kernel"}
    exec(compile(text, "<a loop printed by bionet>", "exec"), namespace)
    return namespace["run"]


def _module(key: str, text: str) -> ModuleType | None:
    """Write the source as a module of its own and import it; None if there is nowhere to write."""
    folder = cache_folder() / "kernels"
    path = folder / f"kernel_{key}.py"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or not os.access(folder, os.W_OK):
            return None
        if not path.exists() or path.read_text() != text:
            _forget_oldest(folder)
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, suffix=".part") as file:
                file.write(text)
            # Numba takes the time of the file for its version: the same text has the same time everywhere.
            os.utime(file.name, (0, 0))
            os.replace(file.name, path)
    except OSError:
        return None
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("kernel_*.py"), key=lambda path: path.stat().st_atime)
    for path in kept[: max(len(kept) - KEPT + 1, 0)]:
        for each in (path, *folder.glob(f"__pycache__/{path.stem}.*")):
            each.unlink(missing_ok=True)


_EVENT_HEAD = '''"""Functions printed by bionet; this file can be deleted at any time."""
from numba import njit, bool_, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from math import inf, nan
import math
import numpy as np
from bionet.random import poisson
from bionet.spiking.adaptive import A, A_EXTRA, B, C, C_EXTRA, D, E3, E5, PARTS, RTOL, SMALLEST, STAGES
from bionet.spiking.crossing import Functions, look, offset_of, rising_root, silence, window_after
from bionet.spiking.engines.event_calls import *
from bionet.spiking.engines.event_fronts import *
from bionet.spiking.engines.event_queues import *
from bionet.spiking.engines.event_rows import *
from bionet.spiking.engines.runtime import *
from bionet.spiking.engines.threads import meet
from bionet.spiking.draws import from_table, normal, uniform
from bionet.spiking.functions import FUNCTIONS, cos, exp, pow_int, sin
globals().update({"function_" + name: function for name, function in FUNCTIONS.items()})
'''
_modules: dict[str, Any] = {}


def compiled_module(text: str, user_functions: dict[str, Any]) -> Any:
    """Compile a printed module of several functions, or take it from memory or disk.

    Parameters
    ----------
    text : str
    user_functions : dict of str to UserFunction
        Those the text calls by ``user_<name>``; with any, nothing is kept on disk.

    Returns
    -------
    module
    """
    own = {f"user_{name}": each.function for name, each in user_functions.items()}
    text = _EVENT_HEAD + text
    key = hashlib.sha256((text + _environment()).encode()).hexdigest()[:40]
    if own or key not in _modules:
        module = None if own else _module(key, text)
        if module is None:
            module = ModuleType("bionet_kernel")
            module.__dict__.update(own)
            exec(compile(text.replace(", cache=True", ""), "<functions printed by bionet>", "exec"), module.__dict__)
        if own:
            return module
        _modules[key] = module
    return _modules[key]
