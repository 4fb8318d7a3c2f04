"""The one way into a result file: nothing is believed before it is checked, nothing outside the file is touched.

The file is read once, as bytes, and judged and decoded from that copy. HDF5 can point to other files (external links
and storage, virtual datasets), declare any size, and nest without end; such files are refused before xarray sees them.
"""

from __future__ import annotations

import io
import math
import stat
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray

from bionet.errors import ResultFileError
from bionet.results.lock import is_being_written
from bionet.results.schema import MAX_ATTRIBUTE, MAX_BYTES, MAX_DEPTH, SCHEMA, VERSION
from bionet.results.seal import seal_state

MAX_OBJECTS = 10_000
MAX_ATTRIBUTES = 1_000
MAX_CHUNK = 64 * 2**20
MAX_EXPANSION = 1100

_MAGIC = b"\x89HDF\r\n\x1a\n"
_FILTERS = {h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE}
_PLAIN = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING}
# Only these may refer to other objects of the file: netCDF names the dimensions of an array with them.
_REFERRING = {"DIMENSION_LIST": h5py.h5t.VLEN, "REFERENCE_LIST": h5py.h5t.COMPOUND}
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


def open_result(path: str | Path) -> xarray.DataTree:
    """Read a result file into memory, after checking that it is one.

    Parameters
    ----------
    path : str or Path
        A result file, or the ``.partial`` of a run that goes on or was killed.

    Returns
    -------
    xarray.DataTree
        The whole tree; the file is closed. A ``status`` of ``running`` is replaced by a sentence if no run is alive.

    Raises
    ------
    ResultFileError
        If the file is not there, is not HDF5, is cut short or damaged, points outside itself, declares absurd sizes, or
        carries another schema; the message names the file, the object, and what is allowed.

    Notes
    -----
    Links are never followed, no filter is loaded, nothing is written. The limits: 4 GiB, 10 000 objects, 16 levels,
    1000 attributes of 64 kB an object, chunks of 64 MiB, 1100 times the stored size.
    """
    path = Path(path)
    file = _bytes(path)
    seal = seal_state(file)
    try:
        with h5py.File(io.BytesIO(file), "r") as opened:
            vetting = _Vetting(path, opened)
            vetting.run()
            if seal != "whole":
                vetting.read_all()
        if seal == "broken":
            raise ResultFileError(f"{path}: damaged: its checksum is not that of what was written; use another copy")
        with xarray.open_datatree(io.BytesIO(file), engine="h5netcdf", decode_times=False) as lazy:
            tree = lazy.load()
    except ResultFileError:
        raise
    except Exception as error:  # damaged bytes make HDF5, h5py and xarray raise whatever they like
        raise ResultFileError(f"{path}: not a whole result file ({_first_line(error)})") from error
    if tree.attrs.get("status") == "running" and not is_being_written(path):
        tree.attrs["status"] = "the run ended without finishing; this is what it had put by then"
    return tree


def _bytes(path: Path) -> bytes:
    """Return the content of an ordinary file that begins like HDF5."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ResultFileError(f"{path}: got a folder or a device; expected a result file")
        if status.st_size > MAX_BYTES:
            raise ResultFileError(f"{path}: got {status.st_size} bytes; expected at most {MAX_BYTES}")
        file = path.read_bytes()
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}); give the path of a result file") from error
    if not file.startswith(_MAGIC):
        raise ResultFileError(f"{path}: not an HDF5 file; expected a result that bionet has written")
    return file


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


class _Vetting:
    """A walk over every object of a file, by hard links only, that reads no data."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self.file = file
        self.bytes = 0
        self.objects = 1
        self.seen = {file["/"].id}
        self.arrays: list[tuple[str, h5py.Dataset]] = []
        self.references: list[tuple[str, Any]] = []

    def run(self) -> None:
        """Walk, then check what may only be looked at once every object is known."""
        waiting = [(self.file["/"], "", 0)]
        self._attributes("/", self.file["/"])
        self._schema()
        while waiting:
            group, path, depth = waiting.pop()
            self._count(path, len(group), depth)
            for name in group:
                where = f"{path}/{name}"
                link = group.get(name, getlink=True)
                self._require(type(link) is h5py.HardLink, where, f"a {type(link).__name__}", "hard links only")
                found = group[name]
                self._require(found.id not in self.seen, where, "a second name for an object", "one name for each")
                self.seen.add(found.id)
                self._object(where, found)
                if isinstance(found, h5py.Group):
                    waiting.append((found, where, depth + 1))
        self._references()
        self._dimensions()

    def read_all(self) -> None:
        """Read every array once, so that one with a bad checksum has a name."""
        for where, array in self.arrays:
            try:
                array[()]
            except Exception as error:
                raise ResultFileError(f"{self.path}: {where} is damaged ({_first_line(error)})") from error

    def _require(self, holds: Any, where: str, got: str, expected: str) -> None:
        if not holds:
            place = where if where.isprintable() else ascii(where)  # a name may hold what commands a terminal
            raise ResultFileError(f"{self.path}: {place}: got {got}; expected {expected}")

    def _count(self, where: str, links: int, depth: int) -> None:
        self.objects += links
        self._require(self.objects <= MAX_OBJECTS, where or "/", f"{self.objects} objects", f"at most {MAX_OBJECTS}")
        self._require(depth < MAX_DEPTH, where, f"groups nested {depth} deep", f"less than {MAX_DEPTH}")

    def _schema(self) -> None:
        attributes = self.file.attrs
        name, version = attributes.get("schema"), attributes.get("schema_version")
        self._require(name == SCHEMA, "attribute schema", repr(name), repr(SCHEMA))
        version = np.ravel(version)[0] if np.size(version) else None
        known = isinstance(version, np.integer) and 1 <= version <= VERSION
        self._require(known, "attribute schema_version", repr(version), f"1 to {VERSION}; a newer bionet reads it")

    def _object(self, where: str, found: Any) -> None:
        self._require(isinstance(found, h5py.Group | h5py.Dataset), where, "a named type", "groups and arrays")
        if isinstance(found, h5py.Dataset):
            self._dataset(where, found)
        self._attributes(where, found)

    def _dataset(self, where: str, found: h5py.Dataset) -> None:
        """Check where an array lies and of what before its shape is asked: a virtual one opens files for that."""
        stored = found.id.get_create_plist()
        self._require(stored.get_external_count() == 0, where, "data kept in another file", "data in this file")
        self._require(stored.get_layout() != h5py.h5d.VIRTUAL, where, "a virtual dataset", "data in this file")
        filters = {stored.get_filter(each)[0] for each in range(stored.get_nfilters())}
        self._require(filters <= _FILTERS, where, f"filters {sorted(filters)}", "fletcher32, shuffle, gzip")
        kind = found.id.get_type()
        plain = kind.get_class() in _PLAIN and not kind.committed()
        fixed = plain and not (isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str())
        self._require(fixed, where, "references, records or texts of any length", "numbers or fixed-size text")
        self._require(found.shape is not None, where, "no dataspace", "an array")
        if found.chunks:
            chunk = math.prod(found.chunks) * kind.get_size()
            self._require(chunk <= MAX_CHUNK, where, f"chunks of {chunk} bytes", f"at most {MAX_CHUNK}")
        self.arrays.append((where, found))
        self._size(where, found, math.prod(found.shape) * kind.get_size())

    def _size(self, where: str, found: h5py.Dataset, declared: int) -> None:
        self._spend(where, declared)
        name = found.attrs.get("NAME")
        if declared > 2**20 and not (isinstance(name, bytes) and _NO_VARIABLE in name):
            stored = found.id.get_storage_size()
            got = f"{declared} bytes out of {stored}"
            self._require(
                declared <= MAX_EXPANSION * stored, where, got, f"at most {MAX_EXPANSION} times what is stored"
            )

    def _spend(self, where: str, size: int) -> None:
        self.bytes += size
        self._require(self.bytes <= MAX_BYTES, where, f"{self.bytes} bytes so far", f"at most {MAX_BYTES} in a file")

    def _attributes(self, where: str, found: Any) -> None:
        count = h5py.h5a.get_num_attrs(found.id)
        self._require(count <= MAX_ATTRIBUTES, where, f"{count} attributes", f"at most {MAX_ATTRIBUTES}")
        for index in range(count):
            attribute = h5py.h5a.open(found.id, index=index)
            self._attribute(f"{where}, attribute {attribute.name.decode(errors='replace')!r}", attribute, found)

    def _attribute(self, where: str, attribute: Any, found: Any) -> None:
        size, kind = attribute.get_storage_size(), attribute.get_type()
        self._require(size <= MAX_ATTRIBUTE, where, f"{size} bytes", f"at most {MAX_ATTRIBUTE}")
        name = attribute.name.decode(errors="replace")
        if name in _REFERRING and kind.get_class() == _REFERRING[name]:
            self.references.append((where, found.attrs[name]))
            return
        self._require(
            kind.get_class() in _PLAIN and not kind.committed(), where, "a reference or record", "text, numbers"
        )
        if isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str():
            # Its length stands elsewhere; a list could name one long text a thousand times.
            self._require(attribute.get_space().get_simple_extent_npoints() <= 1, where, "several texts", "one text")
            size = len(found.attrs[name].encode(errors="replace")) if size else 0
            self._require(size <= MAX_ATTRIBUTE, where, f"{size} bytes", f"at most {MAX_ATTRIBUTE}")
        self._spend(where, size)

    def _references(self) -> None:
        """Check that references lead to objects that have been vetted, not to some that no link leads to."""
        for where, values in self.references:
            for entry in values:  # a list of references, or a record of one and an axis
                for reference in [entry[0]] if values.dtype.names else entry:
                    known = isinstance(reference, h5py.Reference) and self.file[reference].id in self.seen
                    self._require(known, where, "a reference to something else", "references to arrays of this file")

    def _dimensions(self) -> None:
        """Check that no array is shorter than its dimensions say: the reader would fill it up to any size."""
        with h5netcdf.File(self.file, "r") as file:
            waiting = [file]
            while waiting:
                group = waiting.pop()
                waiting.extend(group.groups.values())
                for name, variable in group.variables.items():
                    where = f"{group.name.rstrip('/')}/{name}"
                    stored = self.file[where].shape
                    self._require(variable.shape == stored, where, f"sizes {stored}", f"{variable.shape}, as declared")
