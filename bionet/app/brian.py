"""A Brian2 script, unchanged, run by bionet as Python would run it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bionet.app.plain import plain
from bionet.errors import InputError


def perform(script: Path, arguments: list[str], seed: int | None, explain: bool, options: dict[str, Any]) -> int:
    """Run a script under bionet's device and return its exit code.

    Parameters
    ----------
    script : Path
    arguments : list of str
        What the script finds in ``sys.argv[1:]``.
    seed : int or None
        As if the script began with ``seed(...)``.
    explain : bool
        Print which object runs where, and why, before the first run of each network.
    options : dict
        Those of ``set_device("bionet", ...)``.

    Returns
    -------
    int
        What the script gave to ``sys.exit``; 1 if it raised an exception, whose traceback has then been shown.

    Raises
    ------
    InputError
        If the script cannot be read, or an option has no such value.
    """
    try:
        source = script.read_bytes()
    except OSError as error:
        raise InputError(f"{script}: cannot be read ({error.strerror}); expected a Python file") from None
    with _as_main(script, arguments) as main:
        from bionet.spiking.script import device_name, take_over

        take_over(seed, explain, **options)
        code = _execute(source, main)
        chosen = device_name()
    if chosen != "bionet":
        sentence = f"bionet: {script} chose the device '{chosen}' itself; bionet has run nothing since then"
        print(plain(sentence), file=sys.stderr)
    return code


@contextmanager
def _as_main(script: Path, arguments: list[str]) -> Iterator[ModuleType]:
    """Let a module be what Python makes of a script: ``__main__``, its folder first on the path, its arguments."""
    module = ModuleType("__main__")
    module.__file__ = str(Path.cwd() / script)
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(Path(module.__file__).resolve().parent))
    sys.modules["__main__"] = module
    try:
        yield module
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before


def _execute(source: bytes, main: ModuleType) -> int:
    try:
        exec(compile(source, str(main.__file__), "exec", dont_inherit=True), vars(main))
    except SystemExit as end:
        return _exit_code(end.code)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Python shows what happened in the script; this frame is none of it.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _exit_code(code: Any) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0)
    print(code, file=sys.stderr)
    return 1
