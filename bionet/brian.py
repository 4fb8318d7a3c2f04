"""The import of Brian2, which would run a file of the current folder."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bionet.errors import InputError


def import_brian2() -> ModuleType:
    """Import Brian2 unless that would run a stranger's file.

    Brian2 evaluates the lines of a file called ``brian_preferences`` in the current folder as Python when it is
    imported: entering a downloaded folder must not be enough for that. The file in ``~/.brian`` is the user's own.

    Returns
    -------
    module
        Brian2; the one that is there if it was imported before, its preferences with it.

    Raises
    ------
    InputError
        If there is such a file, and Brian2 has not been imported yet.
    """
    if "brian2" not in sys.modules and Path("brian_preferences").exists():
        raise InputError(
            f"brian_preferences: found in {Path.cwd()}; Brian2 would run it as Python; expected no such file; write "
            "the settings into the script (prefs.codegen.target = 'numpy') or into ~/.brian/user_preferences and "
            "remove the file, or import brian2 before bionet if you trust it"
        )
    return import_module("brian2")
