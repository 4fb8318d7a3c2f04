"""Texts as they are shown, in the terminal and on the page."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[-+−–]?[\d,.]*(e[-+]?\d+)?( ?%)?( ± [\d,.e+-]+)?")


def plain(text: str) -> str:
    """Make visible what would steer a terminal: text may come from a stranger's file or be a file's name.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> plain("harmless"), plain(chr(27) + "]0;title")
    ('harmless', '�]0;title')
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def is_number(text: str) -> bool:
    """Tell whether a cell of a table is a number, with or without its spread, or stands for a missing one.

    Parameters
    ----------
    text : str
        The cell.

    Examples
    --------
    >>> is_number("97.2 ± 0.4"), is_number("–"), is_number("95 to 98")
    (True, True, False)
    """
    return _NUMBER.fullmatch(text) is not None
