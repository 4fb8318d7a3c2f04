"""Printed source as functions that can be called: the loop of the grid, and what continuous time needs.

The loop is kept on disk as machine code (:mod:`bionet.spiking.machine_code`). The functions of continuous time are kept
by Numba, in files that it imports; Numba itself keeps processors apart.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from bionet.spiking.engines.printing import ARGUMENTS, Source
from bionet.spiking.machine_code import MachineCode, environment, machine_code, private_folder, write

_HEAD = '''"""A loop printed by bionet."""
from numba import njit, bool_, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from math import inf, nan
import math
from bionet.variates import poisson
from bionet.spiking.engines.cable import diffuse
from bionet.spiking.engines.runtime import *
from bionet.spiking.draws import fill_from_table, from_table, geometric_gap, normal, uniform
from bionet.spiking.functions import FUNCTIONS, pow_int
globals().update({"function_" + name: function for name, function in FUNCTIONS.items()})
'''


def compiled(source: Source) -> MachineCode:
    """Compile printed source, or take it from memory or disk.

    Parameters
    ----------
    source : Source

    Returns
    -------
    MachineCode
        ``run(table, sizes, floats, integers, control, keys)``.
    """
    own = {f"user_{name}": each.function for name, each in source.user_functions.items()}
    return machine_code(_HEAD + source.head + source.text, tuple(ARGUMENTS.values()), own)


def _module(key: str, text: str) -> ModuleType | None:
    """Write the source as a module of its own and import it; None if there is nowhere to write."""
    folder = private_folder()
    if folder is None:
        return None
    path = folder / f"kernel_{key}.py"
    try:
        known = path.exists() and path.read_text() == text
    except OSError:
        return None
    if not known and not write(path, text.encode()):
        return None
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


_EVENT_HEAD = '''"""Functions printed by bionet; this file can be deleted at any time."""
from numba import njit, bool_, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from math import inf, nan
import math
import numpy as np
from bionet.random import poisson
from bionet.spiking.adaptive import A, A_EXTRA, B, C, C_EXTRA, D, E3, E5, PARTS, RTOL, SMALLEST, STAGES
from bionet.spiking.crossing import Functions, look, offset_of, rising_root, silence, window_after
from bionet.spiking.engines.event_arrivals import *
from bionet.spiking.engines.event_calls import *
from bionet.spiking.engines.event_fronts import *
from bionet.spiking.engines.event_queues import *
from bionet.spiking.engines.runtime import *
from bionet.spiking.engines.meeting import meet, publish, published, wait_for
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
    key = hashlib.sha256((text + environment()).encode()).hexdigest()[:40]
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
