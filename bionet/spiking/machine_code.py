"""Printed source compiled by Numba, and kept on disk as machine code: who finds it there does without the compiler.

To import Numba, and to load a function the way it keeps them, takes a third of a second and 80 MiB in every process.
What is called from Python here has arguments of a few kinds only, so LLVM alone, which takes a few milliseconds, can
load its machine code, and ``ctypes`` can call it. A process imports Numba when something has to be compiled.

The key of what is kept is a hash of its text, of the functions it may call, of the versions of Python, bionet, Numba
and llvmlite, and of the processor. Files appear by renaming, so that two processes may write at a time.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

import bionet
from bionet.cache import cache_folder

#: How many files are kept on disk, of machine code and of what Numba keeps itself; the oldest go.
KEPT = {".code": 1000, ".py": 300}
# What each kind of argument is in C; an array is its address and its size.
_IN_C: dict[str, list[Any]] = {
    "[]": [ctypes.c_int64, ctypes.c_int64],
    "int64": [ctypes.c_int64],
    "uint64": [ctypes.c_uint64],
}
_loaded: dict[str, MachineCode] = {}


def machine_code(text: str, kinds: tuple[str, ...], own: Mapping[str, Any] | None = None) -> MachineCode:
    """Compile the function ``run`` of a printed module, or take it from memory or disk.

    Parameters
    ----------
    text : str
        Of the module. ``run`` takes the address and the size of each array, and returns nothing.
    kinds : tuple of str
        Of each argument: "int64" or "uint64", or the dtype of an array's elements and "[]".
    own : mapping of str to callable, optional
        What Numba has compiled of the user's functions, by the names that the text calls them; with any, nothing is
        kept on disk.

    Returns
    -------
    MachineCode
    """
    key = hashlib.sha256("\n".join((text, *kinds, environment())).encode()).hexdigest()[:40]
    # The same function of a user is the same object: what has been compiled for it stays good.
    key = "/".join([key, *(str(id(function)) for function in (own or {}).values())])
    if key not in _loaded:
        path = None if own else _place(key)
        known = _read(path)
        if known is None:
            with uncollected():
                known = _compiled(text, kinds, own or {})
            _keep(path, known)
        _loaded[key] = MachineCode(*known, kinds)
    return _loaded[key]


def call(name: str, *arguments: Any) -> None:
    """Call a function of :mod:`bionet.spiking.sorting`, compiled for the types of these arguments.

    Parameters
    ----------
    name : str
    arguments : arrays, int, or np.uint64
        Arrays lie in one piece, and have one dimension there.
    """
    _function(name, tuple(map(_kind, arguments)))(*arguments)


@cache
def _function(name: str, kinds: tuple[str, ...]) -> MachineCode:
    named = {f"a{k}": kind for k, kind in enumerate(kinds)}
    text = f"{_HEAD}from bionet.spiking.sorting import {name}\n{entry(named)}\n    {name}({', '.join(named)})\n"
    return machine_code(text, kinds)


# What :func:`entry` needs.
_HEAD = """from numba import float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from bionet.spiking.engines.plain_memory import memory
"""


def entry(kinds: Mapping[str, str]) -> str:
    """Print the head of ``run``: of each array its address and its size, which are memory there.

    Parameters
    ----------
    kinds : mapping of str to str
        The kinds of all arguments, by name.

    Examples
    --------
    >>> print(entry({"values": "float64[]", "first": "int64"}))
    def run(values_at, values_size, first):
        values = memory(values_at, values_size, float64)
    """
    arrays = {name: kind[:-2] for name, kind in kinds.items() if kind.endswith("[]")}
    parameters = ", ".join(f"{name}_at, {name}_size" if name in arrays else name for name in kinds)
    views = (f"    {name} = memory({name}_at, {name}_size, {dtype})" for name, dtype in arrays.items())
    return "\n".join([f"def run({parameters}):", *views])


def _kind(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype}[]"
    return "uint64" if isinstance(argument, np.uint64) else "int64"


@cache
def environment() -> str:
    """Return a hash of what compiled code depends on beside its text."""
    here = Path(__file__).parent
    called = (
        "engines/runtime.py",
        "engines/plain_memory.py",
        "engines/cable.py",
        "functions.py",
        "elementary.py",
        "draws.py",
        "crossing.py",
        "adaptive.py",
        "sorting.py",
        "engines/event_calls.py",
        "engines/event_queues.py",
        "engines/event_fronts.py",
        "engines/meeting.py",
        "engines/threads.py",
        "engines/event_arrivals.py",
        "engines/waiting.py",
        "../kernels/cpu/vectors.py",
        "../random.py",
        "../variates.py",
    )
    processor = [llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name in _SETTINGS]
    versions = [bionet.__version__, version("numba"), version("llvmlite"), sys.version]
    sources = [(here / path).read_text() for path in called]
    return hashlib.sha256("\n".join([*versions, *processor, *settings, *sources]).encode()).hexdigest()


# Numba's settings that change what it makes.
_SETTINGS = {
    *("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE", "NUMBA_ENABLE_AVX", "NUMBA_CPU_NAME"),
    *("NUMBA_CPU_FEATURES", "NUMBA_BOUNDSCHECK", "NUMBA_DEBUGINFO", "NUMBA_LLVM_PASS_TIMINGS"),
}


@contextmanager
def uncollected() -> Iterator[None]:
    """Let nobody look for garbage where none is made: that takes an eighth of the time of importing or compiling."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@cache
def import_compiler() -> Any:
    """Import Numba and what it knows to compile; return its description of this processor."""
    from numba.core.registry import cpu_target

    from bionet.spiking.without_scipy import import_numba_for_arrays

    import_numba_for_arrays()
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    return cpu_target


def nothing_is_kept() -> bool:
    """Tell whether no machine code is on disk, so that something will have to be compiled."""
    return next((cache_folder() / "kernels").glob("kernel_*.code"), None) is None


def _compiled(text: str, kinds: tuple[str, ...], own: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the names that machine code defines and needs, and the code."""
    target = import_compiler()
    from numba.core import compiler, types

    names = {**own, "__name__": "bionet_kernel"}
    exec(compile(text, "<a loop printed by bionet>", "exec"), names)
    arguments: list[Any] = []
    for kind in kinds:
        arguments += [types.int64, types.int64] if kind.endswith("[]") else [getattr(types, kind)]
    flags = compiler.Flags()
    flags.nrt, flags.error_model = True, "numpy"
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    found = compiler.compile_extra(
        *(target.typing_context, target.target_context, names["run"], tuple(arguments), types.void, flags, {}),
        pipeline_class=_pipeline(),
    )
    module = llvm.parse_bitcode(found.library.serialize_using_bitcode()[2])
    needed = sorted(each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm."))
    code = found.library.serialize_using_object_code()[2][0]
    digest = hashlib.sha256(code).hexdigest()
    return {"run": found.fndesc.llvm_func_name, "needed": needed, "digest": digest}, code


# Numba's passes that do nothing for printed text: it has no closures, contexts, generators or expressions of arrays.
_NEEDLESS = {
    *("WithLifting", "InlineClosureLikes", "MakeFunctionToJitFunction", "RewriteDynamicRaises", "FindLiterallyCalls"),
    *("LiteralUnroll", "LiteralPropagationSubPipelinePass", "InlineOverloads", "NopythonRewrites"),
}


@cache
def _pipeline() -> Any:
    from numba.core.compiler import CompilerBase, DefaultPassBuilder
    from numba.core.compiler_machinery import PassManager

    class Pipeline(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            passes = PassManager("printed text")
            whole = DefaultPassBuilder.define_nopython_pipeline(self.state)
            passes.passes = [each for each in whole.passes if each[0].__name__ not in _NEEDLESS]
            passes.finalize()
            return [passes]

    return Pipeline


class MachineCode:
    """Machine code that has been loaded; it releases the interpreter lock while it runs.

    Parameters
    ----------
    names : dict
        Of the function, and of what it needs of others.
    code : bytes
    kinds : tuple of str
        Of its arguments, as :func:`machine_code` has them.
    """

    def __init__(self, names: dict[str, Any], code: bytes, kinds: tuple[str, ...]) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        if not all(map(llvm.address_of_symbol, names["needed"])):
            # What Numba brings along, to make arrays within compiled code for example.
            import_compiler()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        in_c = [each for kind in kinds for each in _IN_C["[]" if kind.endswith("[]") else kind]]
        # Numba's own convention: where the result goes, and what describes an error; then the arguments.
        function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *in_c)
        self._run = function(self._engine.get_function_address(names["run"]))
        self._dtypes = [np.dtype(kind[:-2]) if kind.endswith("[]") else None for kind in kinds]

    def __call__(self, *arguments: Any) -> None:
        """Run it.

        Raises
        ------
        Exception
            What a function that it calls raised; a user's may.
        """
        self.bound(*arguments)()

    def bound(self, *arguments: Any) -> Callable[[], None]:
        """Return what runs it with these arguments, for arrays that stay where they are."""
        result, error, handed = ctypes.c_int64(), ctypes.c_void_p(), []
        for each, dtype in zip(arguments, self._dtypes, strict=True):
            handed += [int(each)] if dtype is None else [address(each), _size(each, dtype)]
        run, there = self._run, (ctypes.addressof(result), ctypes.addressof(error))

        def bound(arguments: tuple[Any, ...] = arguments, places: tuple[Any, ...] = (result, error)) -> None:
            if status := run(*there, *handed):
                raise _raised(status, error)

        return bound


class _Description(ctypes.Structure):
    """What Numba leaves of an error: its class and arguments, pickled, unless the arguments were computed."""

    _fields_ = (
        *(("pickled", ctypes.c_void_p), ("size", ctypes.c_int32), ("digest", ctypes.c_void_p)),
        *(("computed", ctypes.c_void_p), ("n_computed", ctypes.c_int32)),
    )


def _raised(status: int, error: ctypes.c_void_p) -> Exception:
    """Return the error that compiled code has raised: of a user's function, as nothing else there raises any."""
    where = "in the compiled loop; set_device('runtime') runs the same without the loop, and shows where"
    if status > 0 and error.value:
        left = _Description.from_address(error.value)
        if not left.computed:
            # It is a part of the machine code that has just run.
            kind, arguments, _ = pickle.loads(ctypes.string_at(left.pickled, left.size))  # noqa: S301
            raised = kind(*(arguments or ()))
            raised.add_note(f"raised {where}")
            return raised
    return ArithmeticError(f"an error was raised {where}")


def address(array: NDArray) -> int:
    """Return where an array begins.

    Raises
    ------
    ValueError
        If its elements do not lie one after another.
    """
    if not array.flags.c_contiguous:
        raise ValueError(f"an array of shape {array.shape} is not contiguous")
    return array.__array_interface__["data"][0]


def _size(array: NDArray, dtype: np.dtype) -> int:
    if array.dtype != dtype:
        raise TypeError(f"an array of {array.dtype} was handed to code compiled for {dtype}")
    return array.size


def _place(key: str) -> Path | None:
    """Return where machine code is kept; None if there is nowhere to keep it."""
    folder = private_folder()
    return None if folder is None else folder / f"kernel_{key}.code"


def private_folder() -> Path | None:
    """Return the folder of what has been compiled, which is the user's alone; None if there is none to be written."""
    folder = cache_folder() / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK) else None
    except OSError:
        return None


def _read(path: Path | None) -> tuple[dict[str, Any], bytes] | None:
    try:
        names, code = path.read_bytes().split(b"\n", 1) if path else (b"", b"")
        found = json.loads(names), code
        return found if found[0]["digest"] == hashlib.sha256(code).hexdigest() else None
    except (OSError, ValueError, KeyError):
        return None


def _keep(path: Path | None, known: tuple[dict[str, Any], bytes]) -> None:
    if path is not None:
        write(path, json.dumps(known[0]).encode() + b"\n" + known[1])


def write(path: Path, content: bytes) -> bool:
    """Write a file that is there as a whole or not at all, and forget the oldest ones; return whether it is there."""
    try:
        forget_oldest(path.parent, path.suffix)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False, suffix=".part") as file:
            file.write(content)
        # Numba takes the time of a source for its version: the same text has the same time everywhere.
        os.utime(file.name, (0, 0))
        os.replace(file.name, path)
    except OSError:
        return False
    return True


def forget_oldest(folder: Path, suffix: str) -> None:
    """Leave room for one more file of a kind."""
    kept = sorted(folder.glob(f"kernel_*{suffix}"), key=lambda path: path.stat().st_atime)
    for path in kept[: max(len(kept) - KEPT[suffix] + 1, 0)]:
        for each in (path, *folder.glob(f"__pycache__/{path.stem}.*")):
            each.unlink(missing_ok=True)
