"""Where things are kept between runs: fetched data, compiled loops, solved equations. All of it can be deleted."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder: ``$XDG_CACHE_HOME/bionet``, else ``~/.cache/bionet``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bionet"
