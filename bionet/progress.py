"""Saying how far a long job is, and handing over what is known so far."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import xarray

T = TypeVar("T")


class Progress:
    """A bar with the time left, in a terminal or a notebook; silent elsewhere.

    An experiment is given one of these. It wraps whatever takes long, ``for epoch in progress(range(30), "RBM")``,
    and hands over its result tree as far as it has come, ``progress.record(tree)``, so that a run that ends
    early has lost nothing that was recorded.
    """

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items, and show how many of them are done."""
        from tqdm.auto import tqdm

        total = len(items) if total is None and isinstance(items, Sized) else total
        return iter(tqdm(items, desc=label, total=total, leave=False, disable=not _watched()))

    def record(self, tree: xarray.DataTree) -> None:
        """Hand over the result tree as it stands; here nobody is listening."""


class Silence(Progress):
    """Progress that shows nothing, for tests and for work inside other work."""

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items."""
        return iter(items)


def _watched() -> bool:
    """Tell whether somebody can see a bar: a terminal, or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
