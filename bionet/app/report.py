"""One HTML page that says everything a result file holds: question, tables, figures, and where it came from.

The page needs nothing else to be read: no script, no style sheet, no font, no picture from elsewhere. Figures are
drawn from the file by the experiment's own ``figures``; code is never run because a file names it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
from contextlib import suppress
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib import pyplot
from matplotlib.figure import Figure

from bionet.app.experiment import Experiment, load, saying
from bionet.app.plain import is_number
from bionet.compare.table import Table, tables
from bionet.errors import InputError, StorageError

matplotlib.use("Agg")

_LARGE = 1_000_000  # characters of a figure above which its marks become pixels; its text stays text
_FACTS = {"status": "status", "seed": "seeds", "created_at": "made", "wall_time": "seconds"}


def write_report(tree: xr.DataTree, path: Path, experiment: Experiment | None) -> str:
    """Write the page of a result.

    Parameters
    ----------
    tree : xarray.DataTree
        The result, as read from its file.
    path : Path
        Where the page goes; a page that is there already is replaced in one step.
    experiment : Experiment, optional
        What draws the figures; without it the page has tables only.

    Returns
    -------
    str
        Why there are no figures, in one sentence; empty if there are.

    Raises
    ------
    InputError
        If the place cannot be written.
    StorageError
        If the disk is full.
    """
    figures, trouble = _drawn(tree, experiment)
    text = page(tree, figures, trouble)
    pyplot.close("all")
    draft = path.with_name(f"{path.name}.partial")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        kind = StorageError if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else InputError
        raise kind(f"{path}: the page cannot be written ({error.strerror}); choose another place with --out") from error
    return trouble


def trusted_experiment(tree: xr.DataTree, folder: Path = Path("experiments")) -> Experiment | None:
    """Return the experiment that made a result, if it lies in ``folder`` and is, to the byte, what was run.

    Parameters
    ----------
    tree : xarray.DataTree
        The result; its root names the experiment and holds the checksum of its source.
    folder : Path
        The user's own experiments.
    """
    name = str(tree.attrs.get("experiment", ""))
    path = folder / f"{name}.py"
    if not re.fullmatch(r"[a-z0-9_]+", name) or not path.is_file():
        return None
    source = path.read_bytes()
    same = hashlib.sha256(source).hexdigest() == tree.attrs.get("experiment_sha256")
    return load(path, source) if same else None


def page(tree: xr.DataTree, figures: dict[str, Figure], trouble: str = "") -> str:
    """Return the page as HTML; every text of the file is escaped.

    Parameters
    ----------
    tree : xarray.DataTree
        The result.
    figures : dict of str to Figure
        Captions and figures.
    trouble : str
        Why there are no figures.
    """
    attributes = {str(name): _text(value) for name, value in tree.attrs.items()}
    name = attributes.get("experiment", "result")
    title, _, question = attributes.get("question", "").strip().partition("\n")
    found = tables(tree)
    body = [
        _paragraphs(question),
        "<h2>Results</h2>" if found else "",
        *map(_table, found),
        "<h2>Figures</h2>",
        f'<p class="note">{escape(trouble)}</p>' if trouble else "",
        *(_figure(number, caption, figure) for number, (caption, figure) in enumerate(figures.items(), 1)),
        "<h2>Notes</h2>" + _paragraphs(attributes["notes"]) if "notes" in attributes else "",
        _provenance(attributes),
    ]
    template = Template(files("bionet.app").joinpath("page.template").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title or name), kind=escape(f"bionet · {name}"), facts=_facts(attributes), body="\n".join(body)
    )


def _drawn(tree: xr.DataTree, experiment: Experiment | None) -> tuple[dict[str, Figure], str]:
    """Let the experiment draw; say why where it cannot."""
    if experiment is None:
        return {}, "Figures are drawn by the experiment: bionet report FILE --experiment EXPERIMENT.py adds them."
    try:
        return dict(experiment.module.figures(tree)), ""
    except Exception as error:
        return {}, f"The figures could not be drawn: {saying(error, experiment.path)}."


def _figure(number: int, caption: str, figure: Figure) -> str:
    return (
        f"<figure>{_svg(figure, f'figure{number}-', caption)}"
        f"<figcaption><b>Figure {number}.</b> {escape(caption)}</figcaption></figure>"
    )


def _svg(figure: Figure, prefix: str, caption: str) -> str:
    """Draw a figure as an SVG element whose identifiers are its own among all figures of the page."""
    text = _saved(figure)
    if len(text) > _LARGE:
        for axes in figure.axes:
            for artist in (*axes.lines, *axes.collections, *axes.patches):
                artist.set_rasterized(True)
        text = _saved(figure)
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)


def _saved(figure: Figure) -> str:
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "bionet"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", dpi=150, metadata={"Date": None})
    return buffer.getvalue()


def _table(table: Table) -> str:
    """Show a table; a column in which every text is a number stands to the right."""
    columns = zip(*table.rows, strict=True)
    kinds = ["number" if all(map(is_number, column)) else "text" for column in columns]
    heads = [f'<th class="{kind}">{escape(head)}</th>' for kind, head in zip(kinds, table.columns, strict=True)]
    rows = [
        [f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True)] for row in table.rows
    ]
    head = f"<thead><tr>{''.join(heads)}</tr></thead>" if any(table.columns) else ""
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f'<h3>{escape(table.title)}</h3><div class="wide"><table>{head}<tbody>{body}</tbody></table></div>{note}'


def _facts(attributes: dict[str, str]) -> str:
    kinds = {"status": "good" if attributes.get("status") == "finished" else "bad"}
    return "".join(
        f'<li class="{kinds.get(name, "")}">{label} <b>{escape(attributes[name])}</b></li>'
        for name, label in _FACTS.items()
        if name in attributes
    )


def _provenance(attributes: dict[str, str]) -> str:
    """Show the parameters, then every other attribute of the root."""
    try:
        parameters = dict(json.loads(attributes.get("parameters", "{}")))
    except (ValueError, TypeError):
        parameters = {}
    hidden = ["question", "notes", *(["parameters"] if parameters else [])]
    others = {name: text for name, text in attributes.items() if name not in hidden}
    shown = {name: _text(value) for name, value in parameters.items()}
    return f"<h2>Parameters</h2>{_pairs(shown)}<h2>Where this comes from</h2>{_pairs(others)}"


def _pairs(pairs: dict[str, str]) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in pairs.items())
    return f'<div class="wide"><table class="provenance">{rows}</table></div>'


def _paragraphs(text: str) -> str:
    """Show text as the author broke it into paragraphs; one with a list or an indent keeps its lines."""
    shown = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        kind = ' class="asis"' if re.search(r"^(\s+\S|[-*] |\d+\. )", paragraph, re.MULTILINE) else ""
        marked = re.sub(r"``(.+?)``", r"<code>\1</code>", escape(paragraph))
        shown.append(f"<p{kind}>{marked}</p>" if paragraph.strip() else "")
    return "".join(shown)


def _text(value: Any) -> str:
    """Write an attribute's value, which may be text, a number or an array, as a reader would.

    Examples
    --------
    >>> _text(np.array([1, 2])), _text(0.5), _text("a")
    ('1, 2', '0.5', 'a')
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray | list | tuple):
        return ", ".join(_text(each) for each in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
