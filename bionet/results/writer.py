"""Writing a result so that whatever happens, what was put last can be read.

Every :meth:`ResultWriter.put` makes a whole new file in memory, seals it, writes it beside the old one and renames it
over that. A run that is killed at any moment leaves the old file or the new one, never half of one; and HDF5 never
sees a full disk, which it does not survive (h5py raises, then the interpreter crashes at exit; h5py#914).
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import xarray

from bionet.errors import BionetError, InputError, StorageError
from bionet.results.lock import Lock
from bionet.results.provenance import now, provenance
from bionet.results.schema import MAX_BYTES, SCHEMA, VERSION, check_attribute
from bionet.results.seal import seal
from bionet.results.stacking import stack

_CHUNK = 2**20  # bytes: the unit that a checksum guards, and that a reader holds in memory


class ResultWriter:
    """One result file in the making: ``<path>.partial`` while the run lasts, ``<path>`` when it has ended.

    Leaving the context without an error finishes the file with the status ``finished``; Ctrl-C with
    ``interrupted: ...``; any other error with ``failed: ...``.

    Parameters
    ----------
    path : str or Path
        The file. Its folder is made if it is not there. The ``.partial`` of a run that was killed is written over.
    attributes : mapping of str to text, number or anything JSON can say
        Attributes of the root: ``experiment``, ``parameters``, ``engine``, ``device``, ``threads``, ... The writer
        itself adds the schema, :func:`bionet.results.provenance`, ``seed`` (those in the file), ``status``,
        ``wall_time`` [s].
    force : bool
        Replace a file that is already there; it stays as it is until this run ends.

    Raises
    ------
    InputError
        If the file is there already, another run is writing it, its folder cannot be written, or an attribute cannot
        be stored.

    Notes
    -----
    A put costs about a tenth of a second for 20 groups and writes all seeds anew: put a seed when something worth
    keeping is there, a model trained, not a batch.

    Examples
    --------
    >>> import tempfile, xarray
    >>> rate = xarray.Dataset({"rate": ("neuron", [3.0, 5.0], {"units": "Hz", "long_name": "firing rate"})})
    >>> file = Path(tempfile.mkdtemp()) / "run.h5"
    >>> with ResultWriter(file, {"experiment": "two neurons"}) as writer:
    ...     writer.put(xarray.DataTree.from_dict({"/scores": rate}), seed=0)
    >>> xarray.open_datatree(file, engine="h5netcdf")["scores/rate"].sizes
    Frozen({'seed': 1, 'neuron': 2})
    """

    def __init__(self, path: str | Path, attributes: Mapping[str, Any], force: bool = False) -> None:
        self.path = Path(path)
        self.partial = Path(f"{path}.partial")
        self._force = force
        self._start = time.monotonic()
        self._trees: dict[int, xarray.DataTree] = {}
        self._stacked = xarray.DataTree()
        given = {name: _storable(name, value) for name, value in attributes.items()}
        self._attributes = {"schema": SCHEMA, "schema_version": VERSION, **provenance(), **given}
        try:
            self._refuse_existing()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.path)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._write(self._stacked, "running")
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    @property
    def seeds(self) -> list[int]:
        """The seeds that were put."""
        return sorted(self._trees)

    def put(self, tree: xarray.DataTree, seed: int) -> None:
        """Store the result of a seed, in place of what was put for it before; when this returns, it is on disk.

        Parameters
        ----------
        tree : xarray.DataTree
            The result of one seed as :func:`bionet.results.check` allows it; what is not done yet is NaN or absent.
        seed : int
            The seed, dimensionless.

        Raises
        ------
        InputError
            If the tree breaks the schema, or does not fit what other seeds have put.
        StorageError
            If the disk is full or fails; ``<path>.partial`` still holds what was put before.
        """
        trees = {**self._trees, seed: tree.copy(deep=True)}
        stacked = stack(trees)
        self._write(stacked, "running", seed=sorted(trees))
        self._trees, self._stacked = trees, stacked

    def finish(self, status: str = "finished") -> None:
        """Write how the run ended, and give the file its name.

        Parameters
        ----------
        status : str
            ``finished``, or a sentence that begins with ``interrupted:`` or ``failed:``.

        Raises
        ------
        StorageError
            If the disk is full or fails, or somebody else has made a file of that name; what was put before is in
            ``<path>.partial``.
        """
        try:
            self._write(self._stacked, _text(status), seed=self.seeds, finished_at=now())
            self._give_name()
        finally:
            self._lock.release()

    def discard(self) -> None:
        """Leave nothing behind: remove the ``.partial``; a file of that name that was there before stays as it is."""
        try:
            self.partial.unlink(missing_ok=True)
        finally:
            self._lock.release()

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not self._lock.held:
            return
        try:
            self.finish(self._ending(error))
        except BionetError:
            if error is None:  # else the first error is the one to tell; what was put is in the .partial
                raise

    def _ending(self, error: BaseException | None) -> str:
        if error is None:
            return "finished"
        if isinstance(error, KeyboardInterrupt | SystemExit):
            return f"interrupted: the run was stopped after {time.monotonic() - self._start:.1f} s"
        return f"failed: {error}" if isinstance(error, BionetError) else f"failed: {type(error).__name__}: {error}"

    def _refuse_existing(self) -> None:
        if self.path.is_dir():
            raise InputError(f"{self.path}: this is a folder; give the name of a file, such as {self.path / 'run.h5'}")
        if self.path.exists() and not self._force:
            raise InputError(
                f"{self.path}: this file is there already; choose another name, or replace it with --force"
            )

    def _give_name(self) -> None:
        if self.path.exists() and not self._force:
            raise StorageError(f"{self.path}: somebody else has made this file meanwhile; the result is {self.partial}")
        try:
            os.replace(self.partial, self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise self._failed(error) from error

    def _write(self, tree: xarray.DataTree, status: str, seed: list[int] | None = None, **more: Any) -> None:
        """Make the whole file anew and put it in the place of the ``.partial``."""
        if not self._lock.held:
            raise InputError(f"{self.path}: this file is finished; open another ResultWriter to write more")
        tree.attrs.update(self._attributes, status=status, wall_time=time.monotonic() - self._start, **more)
        if seed:
            tree.attrs["seed"] = seed if len(seed) > 1 else seed[0]
        if tree.nbytes > MAX_BYTES:
            raise InputError(f"{self.path}: {tree.nbytes} bytes of results; expected at most {MAX_BYTES}; record less")
        # A copy, as xarray's own view keeps its buffer from being closed.
        image = bytes(tree.to_netcdf(engine="h5netcdf", encoding=_encoding(tree)))
        new = Path(f"{self.partial}.new")
        try:
            new.unlink(missing_ok=True)
            with new.open("xb") as file:
                file.write(image)
                file.write(seal(image))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.partial)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> BionetError:
        """Return what to tell: a place that cannot be written is the user's to change, a full disk is not."""
        reason = error.strerror or str(error)
        if self._trees:
            kept = ", ".join(map(str, self.seeds))
            return StorageError(
                f"{self.path}: writing failed ({reason}); {self.partial} holds what was put for seed {kept}"
            )
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return StorageError(f"{self.path}: writing failed ({reason}); make room, or choose another folder")
        return InputError(f"{self.path}: cannot be written ({reason}); choose another file or folder")


def _storable(name: str, value: Any) -> Any:
    """Return text and numbers as they are, anything else as JSON."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | np.number):
        try:
            value = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"ResultWriter.attributes[{name!r}]: got {value!r}; expected what JSON can say") from error
    check_attribute("ResultWriter.attributes", name, value)
    return value


def _text(sentence: str) -> str:
    """Return a sentence as one line that a file can hold, whatever bytes a message has carried along."""
    return " ".join(sentence.replace("\0", "").split())[:2000].encode("utf-8", "backslashreplace").decode()


def _encoding(tree: xarray.DataTree) -> dict[str, dict[str, dict[str, Any]]]:
    """Return how each variable is stored: checksummed chunks, text as characters, NaN as it is."""
    return {
        node.path: {str(name): _stored(variable) for name, variable in dataset.variables.items()}
        for node in tree.subtree
        if (dataset := node.to_dataset(inherit=False)).variables
    }


def _stored(variable: xarray.Variable) -> dict[str, Any]:
    if variable.dtype.kind == "U":
        return {"fletcher32": True, "dtype": "S1"}
    filling = {"_FillValue": None} if variable.dtype.kind == "f" else {}
    return {"fletcher32": True, "chunksizes": _chunks(variable), **filling}


def _chunks(variable: xarray.Variable) -> tuple[int, ...]:
    """Return a chunk of at most 1 MiB: whole along the last axes, as far as they fit."""
    room = max(1, _CHUNK // variable.dtype.itemsize)
    chunks: list[int] = []
    for length in reversed(variable.shape):
        chunks.append(max(1, min(length, room)))
        room = max(1, room // chunks[-1])
    return tuple(reversed(chunks))


def _sync(folder: Path) -> None:
    """Make a renaming survive a power cut."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
