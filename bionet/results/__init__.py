"""Results: one tree in memory, one file on disk, one guarded way to read it.

An experiment's ``run`` returns an :class:`xarray.DataTree` for one seed; :func:`stack` joins seeds;
:class:`ResultWriter` keeps the same on disk while the run lasts; :func:`open_result` reads it back.
"""

from bionet.results.provenance import provenance
from bionet.results.reader import open_result
from bionet.results.schema import SCHEMA, VERSION, check
from bionet.results.stacking import stack
from bionet.results.writer import ResultWriter

__all__ = ["SCHEMA", "VERSION", "ResultWriter", "check", "open_result", "provenance", "stack"]
