"""The page and the terminal: everything is shown, nothing of a file is obeyed."""

import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from bionet.app.cli import main
from bionet.app.experiment import load
from bionet.app.report import page, trusted_experiment
from bionet.app.terminal import print_result
from bionet.results import ResultWriter

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><script src=//evil></script>",
    "<svg onload=alert(1)>",
    "&lt;b&gt;",
    "$title ${body} $$",
]


class Reader(html.parser.HTMLParser):
    """Collects tags, attributes and text as a browser would."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def a_tree(text="plain", **attributes):
    models = ("model", [text, "MLP"], {"units": "1", "long_name": text})
    heard = ("model", [0.5, 12.0], {"units": "1", "long_name": "heard", "note": text})
    tree = xr.DataTree.from_dict({"/scores": xr.Dataset({"heard": heard}, {"model": models}, {"note": text})})
    tree.attrs = {"experiment": text, "question": f"{text}\n\n{text}", "parameters": json.dumps({text: text})}
    tree.attrs |= {"notes": text, "status": text, "other": text, "array": np.array([1, 2]), **attributes}
    return tree


@pytest.mark.parametrize("text", EVIL)
def test_every_text_of_a_file_is_shown_and_never_obeyed(text):
    plain, read = Reader(page(a_tree(), {"a": Figure()})), Reader(page(a_tree(text), {text: Figure()}))
    assert read.tags == plain.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "".join(read.text).count(text) >= 9


def test_a_page_needs_nothing_but_itself():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3])
    axes.imshow(np.eye(3))
    read = Reader(page(a_tree(), {"one": figure, "two": figure}))
    assert not {"script", "link", "iframe", "object"} & set(read.tags)
    places = [value for name, value in read.attributes if name.split(":")[-1] in ("src", "href", "data", "action")]
    assert places
    assert all(place.startswith(("#", "data:image/png;base64,")) for place in places)
    assert "@import" not in "".join(read.text)
    names = [value for name, value in read.attributes if name == "id"]
    assert len(names) == len(set(names))
    used = {place[1:] for place in places if place[0] == "#"} | set(re.findall(r"url\(#(.+?)\)", str(read.attributes)))
    assert used <= set(names)


def test_a_figure_with_very_many_marks_keeps_its_text_and_loses_its_weight():
    figure = Figure()
    axes = figure.subplots()
    axes.plot(np.linspace(0, 1, 60_000) % 0.1, np.linspace(0, 1, 60_000), ".")
    axes.set_xlabel("time")
    text = page(a_tree(), {"raster": figure})
    assert len(text) < 1_000_000
    assert "<image" in text
    assert "<!-- time -->" in text


def test_numbers_stand_to_the_right_and_texts_to_the_left():
    text = page(a_tree(), {})
    assert '<td class="number">0.50</td>' in text
    assert '<td class="text">MLP</td>' in text


def test_a_result_without_scores_or_attributes_still_makes_a_page():
    text = page(xr.DataTree(), {})
    assert "<h1>result</h1>" in text
    assert "<h2>Results</h2>" not in text


def test_the_terminal_shows_texts_as_they_are_but_for_what_would_steer_it(capsys):
    print_result(a_tree("\x1b[2J\x9b[red]x"))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert "�[2J�[red]x" in out


def a_file(path, **attributes):
    with ResultWriter("answer.h5", {"question": "Q?", **attributes}) as writer:
        writer.put(load(path).module.answer(1.0), seed=0)


def test_figures_are_drawn_by_the_experiment_that_is_given(experiment, capsys):
    path = experiment("fast")
    a_file(path, experiment="fast")
    assert main(["report", "answer.h5", "--experiment", str(path)]) == 0
    assert "Heard &amp; &lt;seen&gt;." in Path("answer.html").read_text()
    assert capsys.readouterr().err == ""
    assert main(["report", "answer.h5"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["report", "answer.h5", "--force"]) == 0
    assert "<figure>" not in Path("answer.html").read_text()
    assert "--experiment EXPERIMENT.py" in capsys.readouterr().err


def test_code_runs_only_if_it_is_to_the_byte_what_made_the_file(experiment):
    path = experiment("fast")
    right = {"experiment": "fast", "experiment_sha256": load(path).sha256}
    found = trusted_experiment(a_tree(**right))
    assert found is not None
    assert found.name == "fast"
    assert trusted_experiment(a_tree(**{**right, "experiment_sha256": "0" * 64})) is None
    assert trusted_experiment(a_tree(**{**right, "experiment": "../experiments/fast"})) is None
    assert trusted_experiment(a_tree(**{**right, "experiment": "slow"})) is None
    path.write_text(path.read_text() + "\n")
    assert trusted_experiment(a_tree(**right)) is None


def test_figures_that_fail_cost_the_figures_only(experiment, capsys):
    path = experiment("fast")
    a_file(path, experiment="fast")
    path.write_text(path.read_text().replace("figure = Figure()", "figure = 1 / 0"))
    assert main(["report", "answer.h5", "--experiment", str(path)]) == 0
    assert "ZeroDivisionError: division by zero (fast.py, line" in capsys.readouterr().err
    assert "<h2>Results</h2>" in Path("answer.html").read_text()


def test_a_page_that_cannot_be_written_is_one_sentence(experiment, capsys):
    a_file(experiment("fast"))
    assert main(["report", "answer.h5", "--out", "nowhere/page.html"]) == 2
    assert "nowhere" in capsys.readouterr().err
