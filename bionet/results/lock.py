"""One run, one file: the lock that a live run holds."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bionet.errors import InputError


class Lock:
    """The right to write a result file; the system takes it back when the process ends, however it ends.

    Parameters
    ----------
    path : Path
        The result file. The lock is a file beside it, ``<path>.lock``, so that others can read what is written.

    Raises
    ------
    InputError
        If another live run holds it.
    OSError
        If the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = _beside(path)
        while True:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            if not _take(self._file, fcntl.LOCK_EX):
                os.close(self._file)
                raise InputError(f"{path}: another run is writing this file; wait for it, or choose another file")
            if self._is_current():
                return
            os.close(self._file)

    @property
    def held(self) -> bool:
        """Tell whether the lock has not been released yet."""
        return self._file >= 0

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self.held:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _is_current(self) -> bool:
        """Tell whether the file that was locked is still the one of that name: its owner may just have removed it."""
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False


def is_being_written(path: Path) -> bool:
    """Tell whether a live run writes this result file, or the one this ``.partial`` belongs to.

    Parameters
    ----------
    path : Path
        The result file, or its ``.partial``.
    """
    try:
        file = os.open(_beside(Path(str(path).removesuffix(".partial"))), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _take(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


def _beside(path: Path) -> Path:
    return Path(f"{path}.lock")


def _take(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network disks know no locks; a run there is not refused for it
        return True
    return True
