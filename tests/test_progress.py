"""Progress: the items in order, a bar where somebody watches, silence elsewhere."""

import io
import sys

import pytest

from bionet.progress import Progress, Silence


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("kind", [Progress, Silence])
@pytest.mark.parametrize("make", [list, iter, tuple])
@pytest.mark.parametrize("items", [[3, 1, 2], []])
def test_items_pass_unchanged_and_nothing_is_shown_where_nobody_watches(kind, make, items, capfd):
    assert list(kind()(make(items), "label")) == items
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_the_label_and_the_total(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(Progress()((each for each in range(3)), "epochs", total=3)) == [0, 1, 2]
    assert "epochs" in terminal.getvalue()
    assert "0/3" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_silence_is_silent_on_a_terminal_too(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(Silence()(range(3), "epochs")) == [0, 1, 2]
    assert terminal.getvalue() == ""


def test_an_error_in_the_work_passes_through():
    def work():
        for each in Progress()([1, 2, 3], "work"):
            if each == 2:
                raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()


@pytest.mark.parametrize("kind", [Progress, Silence])
def test_a_record_is_taken_by_nobody(kind):
    assert kind().record(object()) is None
