"""The doctor names what is there and what is missing, and never fails."""

import importlib.metadata
import importlib.util
import sys

from bionet.app.cli import main
from bionet.app.doctor import examination


def test_versions_and_extras_are_those_of_this_machine(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = dict(examination())
    assert said["numpy"] == importlib.metadata.version("numpy")
    assert said["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert said["extra torch"] == "not installed; get it with: pip install 'bionet[torch]'"
    assert said["GPU"] == "not used: CuPy is not installed"


def test_data_sets_that_are_there_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BIONET_DATA", str(tmp_path))
    assert "has nothing; it has no mnist/mnist.npz" in dict(examination())["data"]
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.npz").touch()
    assert "has mnist/mnist.npz; it has no " in dict(examination())["data"]


def test_what_cannot_be_examined_is_said(monkeypatch, capsys):
    def broken(name):
        raise OSError("no disk")

    monkeypatch.setattr(importlib.metadata, "version", broken)
    monkeypatch.setattr(importlib.util, "find_spec", broken)
    assert main(["doctor"]) == 0
    assert "numpy           cannot tell: OSError: no disk" in capsys.readouterr().out
