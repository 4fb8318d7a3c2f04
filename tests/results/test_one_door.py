"""Result files have one door: only this room opens HDF5."""

import ast
from pathlib import Path

import bionet

DOORS = {"h5py", "h5netcdf", "netCDF4", "open_datatree", "open_dataset", "load_dataset", "load_datatree", "to_netcdf"}
ROOM = Path(bionet.__file__).parent


def doors(source):
    """Return the names in a source by which HDF5 could be opened."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from [(node.module or "").split(".")[0], *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_nobody_else_opens_a_result_file():
    files = [file for file in ROOM.rglob("*.py") if file.parent != ROOM / "results"]
    assert len(files) > 5
    found = {file.name: names for file in files if (names := DOORS & set(doors(file.read_text("utf-8"))))}
    # A data set is no result file: its checksum is verified before it is parsed.
    assert found == {"datasets.py": {"open_dataset"}}


def test_the_search_finds_a_door():
    assert set(doors("import h5py as x\nxarray.open_datatree(p)\nfrom h5netcdf import File")) >= {
        "h5py",
        "open_datatree",
        "h5netcdf",
    }
