"""Files and trees to test with."""

import pytest

from bionet.results import ResultWriter
from tests.results.result_trees import a_tree


@pytest.fixture
def make_tree():
    return a_tree


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.h5"


@pytest.fixture(scope="session")
def content(tmp_path_factory):
    """What a finished file with two seeds holds."""
    path = tmp_path_factory.mktemp("content") / "run.h5"
    with ResultWriter(path, {"experiment": "a test"}) as writer:
        for seed in (0, 1):
            writer.put(a_tree(seed), seed)
    return path.read_bytes()


@pytest.fixture
def written(path, content):
    """A finished file with two seeds."""
    path.write_bytes(content)
    return path
