"""The errors bionet raises, and the sentences they carry.

Every message says whose attribute it is, what was got, what is allowed, and what to do:
``RBM.learning_rate: got -0.1; expected a positive number, such as 0.05``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


class BionetError(Exception):
    """Something failed that is not the user's mistake; the command line exits with 1."""

    exit_code = 1


class InputError(BionetError, ValueError):
    """A value, name or file the user gave cannot be used; the command line exits with 2."""

    exit_code = 2


class MissingExtraError(InputError, ImportError):
    """An optional dependency is not installed."""


class DataError(InputError):
    """A data set is absent, or its bytes are not those that were published."""


class ResultFileError(InputError):
    """A result file cannot be read, or must not be."""


class StorageError(BionetError, OSError):
    """A result cannot be written: the disk is full, the folder is read-only, the file exists."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` and the known names, for the end of a message.

    Examples
    --------
    >>> suggest("digit", ["digits", "mnist"])
    "; did you mean 'digits'? Known: digits, mnist"
    """
    names = sorted(known)
    if not names:
        return ""
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Known: {', '.join(names)}"


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency, or say in one sentence how to get it.

    Parameters
    ----------
    module : str
        The module to import, such as ``"torch"``.
    extra : str
        The bionet extra that installs it.
    purpose : str
        What it is needed for, the subject of the sentence.

    Raises
    ------
    MissingExtraError
        If the module cannot be imported.

    Examples
    --------
    >>> require("math", "torch", "arithmetic").sqrt(4.0)
    2.0
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module}, which is not installed ({error}); "
            f"install it with: pip install 'bionet[{extra}]'"
        ) from error
