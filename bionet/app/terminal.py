"""Tables in the terminal."""

from __future__ import annotations

import xarray as xr
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bionet.app.plain import is_number, plain
from bionet.compare.table import Table, tables

_WIDE = 200  # columns of a pipe or a file, which have no width of their own


def print_result(tree: xr.DataTree) -> None:
    """Print the title, the state and the tables of a result on standard output.

    Parameters
    ----------
    tree : xarray.DataTree
        A result; it may come from a stranger's file, so whatever would steer a terminal is made visible.
    """
    console = _console()
    console.print(_plain(str(tree.attrs.get("question", "")).strip().partition("\n")[0]), style="bold")
    console.print(_plain(f"{tree.attrs.get('experiment', 'result')}: {tree.attrs.get('status', 'no status')}"))
    found = tables(tree)
    for table in found:
        _print(console, table)
    if not found:
        console.print(_plain(f"There are no scores in it; it holds: {', '.join(tree.groups[1:]) or 'nothing'}"))


def print_tables(shown: list[Table]) -> None:
    """Print tables on standard output."""
    console = _console()
    for table in shown:
        _print(console, table)


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def _print(console: Console, table: Table) -> None:
    header = any(table.columns)
    shown = RichTable(
        title=_plain(table.title), title_justify="left", title_style="bold", box=SIMPLE, show_header=header
    )
    for head, *cells in zip(table.columns, *table.rows, strict=True):
        shown.add_column(_plain(head), justify="right" if all(map(is_number, cells)) else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(_plain, row))
    console.print(shown)
    if table.note:
        console.print(_plain(table.note), style="dim")


def _plain(text: str) -> Text:
    return Text(plain(text))
