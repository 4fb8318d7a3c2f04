import errno
import io
import multiprocessing
import os
import resource
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bionet.errors import InputError, StorageError
from bionet.random import Stream
from bionet.results import ResultWriter, open_result, stack
from bionet.results import writer as writing
from tests.results.result_trees import a_tree, named


def the_same(tree, expected):
    """Compare all but the attributes of the root, which the writer adds."""
    tree, expected = tree.copy(), expected.copy()
    tree.attrs = expected.attrs = {}
    xarray.testing.assert_identical(tree, expected)


def beside(path):
    return sorted(each.name for each in path.parent.iterdir())


def test_the_file_is_what_stack_gives(written):
    expected = stack({seed: a_tree(seed) for seed in (0, 1)})
    the_same(open_result(written), expected)
    with xarray.open_datatree(written, engine="h5netcdf") as plain:  # no flag, no help
        the_same(plain.load(), expected)
    kinds = [open_result(written)["scores"][name].dtype.kind for name in ("accuracy", "converged", "sweeps")]
    assert kinds == ["f", "b", "i"]
    assert beside(written) == ["run.h5"]


def test_every_array_that_holds_data_is_checksummed(written):
    found = []

    def look(name, item):
        if isinstance(item, h5py.Dataset) and b"not a netCDF variable" not in item.attrs.get("NAME", b""):
            found.append((name, item.fletcher32))

    with h5py.File(written) as file:
        file.visititems(look)
    assert len(found) == 17
    assert all(checked for _, checked in found)


def test_the_root_says_what_how_and_when(path):
    given = {"experiment": "digits ☃", "parameters": {"n": 3, "noise": [0.0, 0.5]}, "threads": 2, "device": None}
    with ResultWriter(path, given) as writer:
        writer.put(a_tree(4), 4)
    root = open_result(path).attrs
    assert (root["schema"], root["schema_version"], root["status"], root["seed"]) == ("bionet-result", 1, "finished", 4)
    assert (root["experiment"], root["threads"], root["device"]) == ("digits ☃", 2, "null")
    assert root["parameters"] == '{"n": 3, "noise": [0.0, 0.5]}'
    assert 0 < root["wall_time"] < 60
    assert root["created_at"].endswith("+00:00")
    assert root["finished_at"] >= root["created_at"]


variables = st.one_of(
    arrays(st.sampled_from(["f4", "f8"]), st.tuples(st.just(3), st.integers(0, 4)), elements=st.floats(width=32)),
    arrays(st.sampled_from(["i1", "u2", "i8", "u8"]), st.tuples(st.just(3), st.integers(0, 4))),
    arrays(bool, (3,)),
    arrays("U5", (3,), elements=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)),
)
groups = st.sampled_from(["/scores", "/fields/RBM", "/fields/MLP 2", "/fields", "/a/b/c"])


@given(content=st.dictionaries(groups, st.lists(variables, max_size=3), max_size=4), text=st.text(max_size=20))
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_comes_back_as_it_was(content, text, tmp_path):
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    datasets = {
        path: xarray.Dataset(
            {
                f"v{k}": named(("row", *[f"column{k}of{path.count('/')}"] * (each.ndim - 1)), each)
                for k, each in enumerate(values)
            },
            coords={"row": named("row", np.array(["ä", "", text]))},
            attrs={"note": text},
        )
        for path, values in content.items()
    }
    tree = xarray.DataTree.from_dict(datasets)
    with ResultWriter(tmp_path / "run.h5", {}, force=True) as writer:
        writer.put(tree, 7)
    the_same(open_result(tmp_path / "run.h5"), stack({7: tree}))


def test_a_seed_can_be_put_again_and_the_last_one_counts(path):
    first, last = a_tree(0), a_tree(0)
    first["scores"]["accuracy"][:] = np.nan
    del last["curves"]
    with ResultWriter(path, {}) as writer:
        writer.put(first, 0)
        writer.put(a_tree(1), 1)
        for _ in range(3):
            writer.put(last, 0)
    the_same(open_result(path), stack({0: last, 1: a_tree(1)}))


def test_a_tree_that_is_changed_after_it_was_put_changes_nothing(path):
    tree = a_tree(0)
    with ResultWriter(path, {}) as writer:
        writer.put(tree, 0)
        tree["scores"]["accuracy"][:] = 5.0
        writer.put(a_tree(1), 1)
    the_same(open_result(path), stack({0: a_tree(0), 1: a_tree(1)}))


def test_the_file_can_be_read_while_it_is_written(path):
    with ResultWriter(path, {}) as writer:
        assert beside(path) == ["run.h5.lock", "run.h5.partial"]
        writer.put(a_tree(0), 0)
        live = open_result(writer.partial)
        assert live.attrs["status"] == "running"
        the_same(live, stack({0: a_tree(0)}))


def test_a_tree_that_is_refused_leaves_what_was_put(path):
    with ResultWriter(path, {}) as writer:
        writer.put(a_tree(0), 0)
        bad = a_tree(1)
        del bad["scores"]["accuracy"].attrs["units"]
        with pytest.raises(InputError, match="/scores/accuracy: got units None"):
            writer.put(bad, 1)
    the_same(open_result(path), stack({0: a_tree(0)}))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "interrupted: the run was stopped after"),
        (InputError("RBM.n: got -1"), "failed: RBM.n: got -1"),
        (ValueError("odd\0\n\x80 \udc80 text"), "failed: ValueError: odd \x80 \\udc80 text"),
    ],
)
def test_a_run_that_ends_early_ends_with_a_sentence(path, error, status):
    def run():
        with ResultWriter(path, {}) as writer:
            writer.put(a_tree(0), 0)
            raise error

    with pytest.raises(type(error)):
        run()
    tree = open_result(path)
    assert tree.attrs["status"].startswith(status)
    the_same(tree, stack({0: a_tree(0)}))
    assert beside(path) == ["run.h5"]


def test_a_file_that_is_there_is_kept_unless_forced(written):
    before = written.read_bytes()
    with pytest.raises(InputError, match=r"is there already.*--force"):
        ResultWriter(written, {})
    with ResultWriter(written, {}, force=True) as writer:
        assert written.read_bytes() == before
        writer.put(a_tree(5), 5)
    the_same(open_result(written), stack({5: a_tree(5)}))


def test_a_file_made_meanwhile_is_kept(path):
    writer = ResultWriter(path, {})
    writer.put(a_tree(0), 0)
    path.write_text("mine")
    with pytest.raises(StorageError, match="meanwhile"):
        writer.finish()
    assert path.read_text() == "mine"
    the_same(open_result(writer.partial), stack({0: a_tree(0)}))


def test_two_runs_do_not_write_one_file(path):
    with ResultWriter(path, {}), pytest.raises(InputError, match="another run is writing"):
        ResultWriter(path, {}, force=True)
    assert open_result(path).attrs["status"] == "finished"


def test_a_finished_writer_is_closed(path):
    with ResultWriter(path, {}) as writer:
        writer.finish("interrupted: enough")
        with pytest.raises(InputError, match="is finished"):
            writer.put(a_tree(0), 0)
    assert open_result(path).attrs["status"] == "interrupted: enough"


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    for place, message in [
        (tmp_path / "file" / "run.h5", "cannot be written"),
        (tmp_path, "this is a folder"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            ResultWriter(place, {})
        assert caught.value.exit_code == 2
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("value", [{1, 2}, object(), "a\0b"])
def test_an_attribute_that_cannot_be_stored_is_bad_input(path, value):
    with pytest.raises(InputError, match=r"ResultWriter\.attributes.*'thing'"):
        ResultWriter(path, {"thing": value})
    assert beside(path) == []


def test_a_failing_disk_ends_with_a_sentence_and_what_was_put(path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def run():
        with ResultWriter(path, {}) as writer:
            writer.put(a_tree(0), 0)
            monkeypatch.setattr(writing.os, "fsync", full)
            writer.put(a_tree(1), 1)

    with pytest.raises(StorageError, match=r"No space left.*run\.h5\.partial holds what was put for seed 0") as caught:
        run()
    assert caught.value.exit_code == 1
    assert beside(path) == ["run.h5.partial"]
    tree = open_result(path.with_name("run.h5.partial"))
    assert tree.attrs["status"].startswith("the run ended without finishing")
    the_same(tree, stack({0: a_tree(0)}))


def large(seed):
    noise = Stream(seed, "noise").uniform((64, 1024), 0)
    return xarray.DataTree.from_dict({"/fields/RBM": xarray.Dataset({"weight": named(("unit", "pixel"), noise)})})


def put_until_full(path, trees, limit):
    """Put half a megabyte at a time; say which put came back, and leave with the exit code of the error."""
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with ResultWriter(path, {}) as writer:
        for seed, tree in enumerate(trees):
            try:
                writer.put(tree, seed)
            except StorageError as error:
                Path(f"{path}.said").write_text(f"{seed} {error}")
                raise SystemExit(17) from error


@pytest.fixture(scope="module")
def processes():
    """Children that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bionet.results", "bionet.random", "pytest", "hypothesis.extra.numpy"])
    return context


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here (it needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["small disk", "limit on the size of files"])
def test_a_full_disk_stops_the_run_cleanly(kind, tmp_path, processes, request):
    limit = 0 if kind == "small disk" else 2_000_000
    folder = tmp_path if limit else request.getfixturevalue("small_disk")
    trees = [large(seed) for seed in range(8)]
    child = processes.Process(target=put_until_full, args=(folder / "run.h5", trees, limit))
    child.start()
    child.join()
    assert child.exitcode == 17  # no signal: the interpreter ends as it should
    refused, message = (folder / "run.h5.said").read_text().split(" ", 1)
    assert "writing failed" in message
    assert int(refused) >= 2
    left = folder / ("run.h5" if (folder / "run.h5").exists() else "run.h5.partial")
    the_same(open_result(left), stack(dict(enumerate(trees[: int(refused)]))))


def put_for_ever(path, trees, told):
    with ResultWriter(path, {}) as writer:
        for count in range(10_000):
            writer.put(trees[count % 4], count % 4)
            told.send(count)


def test_a_killed_run_leaves_all_that_was_put(tmp_path, processes):
    delays = Stream(0, "kills").uniform(10, 0) / 4
    trees = [a_tree(seed) for seed in range(4)]
    for number, delay in enumerate(delays):
        path = tmp_path / f"{number}.h5"
        told, tell = processes.Pipe(duplex=False)
        child = processes.Process(target=put_for_ever, args=(path, trees, tell))
        child.start()
        tell.close()
        assert told.recv() == 0
        time.sleep(delay)
        child.kill()
        child.join()
        last = 0
        try:
            while True:
                last = told.recv()
        except EOFError:
            pass
        tree = open_result(f"{path}.partial")
        assert tree.attrs["status"].startswith("the run ended without finishing")
        seeds = tree["scores"].seed.values.tolist()
        assert seeds in (list(range(min(4, last + 1))), list(range(min(4, last + 2))))
        the_same(tree, stack({seed: trees[seed] for seed in seeds}))
        xarray.open_datatree(f"{path}.partial", engine="h5netcdf").close()
        with ResultWriter(path, {}) as writer:  # the dead run's lock holds nobody up
            writer.put(trees[0], 0)
        assert not Path(f"{path}.partial").exists()
        assert not Path(f"{path}.lock").exists()


def test_the_image_of_a_file_is_made_in_memory(path, monkeypatch):
    """HDF5 itself must never hold an open file of ours: a full disk would crash it."""
    opened = []
    plain = h5py.File.__init__
    monkeypatch.setattr(
        h5py.File, "__init__", lambda self, name, *a, **k: (opened.append(name), plain(self, name, *a, **k))[1]
    )
    with ResultWriter(path, {}) as writer:
        writer.put(a_tree(0), 0)
    assert opened
    assert all(isinstance(name, io.BytesIO) or not isinstance(name, str | bytes | os.PathLike) for name in opened)
