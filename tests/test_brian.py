"""The import of Brian2: a file of the current folder is not run."""

import subprocess
import sys

import brian2
import pytest

from bionet.brian import import_brian2


def _python(code, folder):
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_a_preference_file_in_the_current_folder_is_not_run(tmp_path):
    (tmp_path / "brian_preferences").write_text("codegen.target = str(open('ran', 'w') and 'numpy')\n")
    code = "from bionet.brian import import_brian2; import_brian2()"
    outcome = _python(code, tmp_path)
    assert outcome.returncode != 0
    assert "InputError: brian_preferences: found in" in outcome.stderr
    assert not (tmp_path / "ran").exists()
    assert _python(f"import brian2; {code}", tmp_path).returncode == 0
    assert (tmp_path / "ran").exists(), "the file would have run, and does where its user imports Brian2 himself"


@pytest.mark.parametrize(
    "module", ["bionet.spiking", "bionet.hebbian.spike_timing", "bionet.bridges.integrate_and_fire"]
)
def test_no_module_runs_it(module, tmp_path):
    (tmp_path / "brian_preferences").write_text("codegen.target = str(open('ran', 'w') and 'numpy')\n")
    assert "InputError: brian_preferences: found in" in _python(f"import {module}", tmp_path).stderr
    assert not (tmp_path / "ran").exists()


def test_brian2_is_returned():
    assert import_brian2() is brian2
