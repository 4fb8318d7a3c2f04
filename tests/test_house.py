"""The house: floors, rooms of heavy libraries, no import cycles, public docstrings."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "bionet").rglob("*.py"))
FLOORS = (
    {"errors", "philox"},
    {"variates"},
    {"random", "parameters", "progress", "cache", "brian"},
    {"kernels", "datasets", "coding", "metrics"},
    {"results"},
    {"spiking", "energy", "hebbian", "rate"},
    {"bridges"},
    {"compare"},
    {"app"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ROOMS = {
    "brian2": ("spiking/", "hebbian/spike_timing.py", "bridges/"),
    "numba": ("kernels/cpu/", "spiking/", "variates.py"),
    "cupy": ("kernels/gpu/", "spiking/engines/cuda.py"),
    "torch": ("rate/", "bridges/"),
    "h5py": ("results/",),
    "h5netcdf": ("results/",),
    "matplotlib": ("app/report.py",),
}


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path, everywhere: bool = True) -> set[str]:
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return found


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_imports_lower_floors_and_its_own_folder_only(path):
    if name(path) == "bionet":
        assert not [each for each in imports(path) if each.startswith("bionet.")]
        return
    own = room(name(path) + ".__main__") if name(path) != "bionet.__main__" else "app"
    for other in imports(path):
        assert other.split(".")[0] not in {"models", "experiments", "tests"}, other
        if other.startswith("bionet.") and room(other) in FLOOR and room(other) != own:
            assert FLOOR[room(other)] < FLOOR[own], f"{name(path)} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_heavy_libraries_stay_in_their_rooms(path):
    inside = path.relative_to(ROOT / "bionet").as_posix()
    for library in {each.split(".")[0] for each in imports(path)} & ROOMS.keys():
        assert inside.startswith(ROOMS[library]), f"{inside} imports {library}"


def test_there_are_no_import_cycles():
    modules = {name(path): path for path in FILES}
    graph = {each: {other for other in imports(path) if other in modules} - {each} for each, path in modules.items()}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_everything_public_has_a_docstring(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), path
    public = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_"]
    methods = [node for each in public if isinstance(each, ast.ClassDef) for node in each.body]
    public += [node for node in methods if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_importing_bionet_loads_nothing_heavy():
    heavy = "{'numpy', 'numba', 'brian2', 'torch', 'xarray', 'h5py', 'matplotlib', 'sklearn', 'pydantic', 'scipy'}"
    code = f"import sys, bionet; print(sorted({heavy} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
