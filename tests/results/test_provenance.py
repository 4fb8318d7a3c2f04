import subprocess
import sys
from datetime import datetime, timedelta

from bionet import __version__
from bionet.results import provenance
from bionet.results.provenance import _revision


def test_it_says_what_code_ran_where_and_when():
    found = provenance()
    assert found["bionet_version"] == __version__
    assert found["cpu_count"] >= 1
    assert datetime.fromisoformat(found["created_at"]).utcoffset() == timedelta(0)
    assert {"numpy", "h5py", "brian2"} <= {entry.split()[0] for entry in found["libraries"].split("; ")}
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_a_revision_is_that_of_the_checkout_and_says_whether_files_differ(tmp_path):
    assert _revision(tmp_path) == "unknown"
    git(tmp_path, "init")
    (tmp_path / "code.py").write_text("1")
    assert _revision(tmp_path) == "no commit yet+changes"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    commit = _revision(tmp_path)
    assert len(commit) == 40
    (tmp_path / "code.py").write_text("2")
    assert _revision(tmp_path) == f"{commit}+changes"


def test_a_folder_inside_another_checkout_has_no_revision(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "site-packages").mkdir()
    assert _revision(tmp_path / "site-packages") == "unknown"
