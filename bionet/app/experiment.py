"""An experiment: a plain Python file that asks a question, and how it is read.

The file holds a docstring with the question (its first line is the title), ``Parameters`` (a class made by
:func:`bionet.parameters.parameters`), ``run(parameters, seed, progress) -> xarray.DataTree`` and
``figures(tree) -> dict[caption, matplotlib figure]``; where it likes also ``QUICK`` (parameters of a short run),
``SEEDS`` and ``QUICK_SEEDS`` (how many seeds). Nothing here makes it run: Python, a notebook and the command line
use the same functions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from bionet.app.machine import EXTRAS
from bionet.errors import InputError, MissingExtraError, suggest
from bionet.parameters import from_text

_LARGEST = 2**20  # bytes; nobody writes an experiment of a megabyte by hand


@dataclasses.dataclass(frozen=True)
class Experiment:
    """An experiment file that has been read and found complete.

    Attributes
    ----------
    path : Path
        Where the file lies.
    source : bytes
        What it held when it was read; every seed runs exactly this, whatever happens to the file meanwhile.
    module : ModuleType
        The file's names.
    """

    path: Path
    source: bytes
    module: ModuleType

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def sha256(self) -> str:
        """The checksum of the source, in hexadecimal digits."""
        return hashlib.sha256(self.source).hexdigest()

    @property
    def question(self) -> str:
        """The whole docstring."""
        return inspect.cleandoc(self.module.__doc__ or "")

    @property
    def parameter_names(self) -> list[str]:
        """The names of the parameters."""
        return [each.name for each in dataclasses.fields(self.module.Parameters)]

    def n_seeds(self, quick: bool) -> int:
        """Return how many seeds the experiment asks for."""
        return int(getattr(self.module, "QUICK_SEEDS" if quick else "SEEDS", 1))

    def parameters(self, given: dict[str, str], quick: bool = False) -> Any:
        """Return the parameters of a run: the defaults or ``QUICK``, and over them what was given as text.

        Raises
        ------
        InputError
            If a name is unknown, a value is not allowed, or there is no ``QUICK``.
        """
        texts = from_text(self.module.Parameters, given)
        if not quick:
            return texts
        if not hasattr(self.module, "QUICK"):
            raise InputError(f"{self.path}: has no QUICK parameters; leave --quick out")
        return dataclasses.replace(self.module.QUICK, **{name: getattr(texts, name) for name in given})

    def described(self) -> list[tuple[str, str]]:
        """Return every parameter as an option, with its type, its default and what the docstring says of it."""
        kind = self.module.Parameters
        types, sayings = get_type_hints(kind), _sayings(kind.__doc__ or "")
        rows = []
        for each in dataclasses.fields(kind):
            type_name = str(types[each.name]) if get_args(types[each.name]) else types[each.name].__name__
            default = ",".join(map(str, each.default)) if isinstance(each.default, tuple) else each.default
            option = f"--{each.name.replace('_', '-')} {type_name}"
            rows.append((option, f"{sayings.get(each.name, '')} [default: {default}]".strip()))
        return rows


def load(path: Path, source: bytes | None = None) -> Experiment:
    """Read an experiment file, run its definitions, and check that it keeps to the contract.

    Parameters
    ----------
    path : Path
        The file; the folder above its own is where it finds its neighbours (``import models``).
    source : bytes, optional
        What the file held before; read from the file if absent.

    Raises
    ------
    InputError
        If it is not there, not Python, fails while it is imported, or lacks a part.
    """
    source = _read(path) if source is None else source
    folder = str(path.resolve().parent.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = ModuleType(
        f"experiment_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{hashlib.sha256(source).hexdigest()[:12]}"
    )
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where type hints and pickles look names up
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise _missing(path, error) from error
    except (SyntaxError, ValueError) as error:
        if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
            raise InputError(f"{path}, line {error.lineno}: not Python: {error.msg}") from error
        raise InputError(f"{path}: cannot be read as Python: {error}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}: fails while it is imported: {saying(error, path)}") from error
    _check(path, module)
    return Experiment(path, source, module)


def saying(error: BaseException, path: Path) -> str:
    """Say in one line what went wrong and on which line of the experiment.

    Examples
    --------
    >>> saying(ZeroDivisionError("division by zero"), Path("demo.py"))
    'ZeroDivisionError: division by zero'
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{text} ({path.name}, line {lines[-1]})" if lines else text


def _read(path: Path) -> bytes:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        near = suggest(path.name, [each.name for each in path.parent.glob("*.py")]) if path.parent.is_dir() else ""
        raise InputError(f"{path}: {what}; expected an experiment, a Python file{near if path.suffix == '.py' else ''}")
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: larger than 1 MiB; expected an experiment, a Python file")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _missing(path: Path, error: ModuleNotFoundError) -> InputError:
    wanted = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if wanted in modules:
            return MissingExtraError(f"{path}: needs {wanted}; install it with: pip install 'bionet[{extra}]'")
    return InputError(f"{path}: fails while it is imported: {saying(error, path)}")


def _check(path: Path, module: ModuleType) -> None:
    """Check that the parts of an experiment are there, and are what they should be."""

    def need(fine: bool, part: str, expected: str) -> None:
        if not fine:
            raise InputError(f"{path}: {part} expected {expected}")

    need(bool((module.__doc__ or "").strip()), "has no docstring;", "the question there, its title in the first line")
    kind = getattr(module, "Parameters", None)
    need(dataclasses.is_dataclass(kind) and isinstance(kind, type), "has no Parameters;", "a class under @parameters")
    for name, call in (("run", "run(parameters, seed, progress)"), ("figures", "figures(tree)")):
        function: Callable[..., Any] | None = getattr(module, name, None)
        takes = call.count(",") + 1
        need(callable(function), f"has no {name};", call)
        need(len(inspect.signature(function).parameters) == takes, f"{name} takes other arguments;", call)  # type: ignore[arg-type]
    quick = getattr(module, "QUICK", None)
    need(quick is None or isinstance(quick, kind), "QUICK is not Parameters;", "QUICK = Parameters(...)")  # type: ignore[arg-type]
    for name in ("SEEDS", "QUICK_SEEDS"):
        count = getattr(module, name, 1)
        need(type(count) is int and count >= 1, f"{name} is {count!r};", "a whole number of at least 1, such as 3")


def _sayings(doc: str) -> dict[str, str]:
    """Return what a numpydoc docstring says of each name: the indented lines under ``name : type``."""
    found = re.findall(r"^(\w+) ?:.*\n((?:[ \t]+\S.*\n?)+)", inspect.cleandoc(doc), flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
