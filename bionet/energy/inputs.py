"""What the models of this room ask of their input, and the sentences they refuse it with."""

from __future__ import annotations

import os
from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from bionet.errors import InputError, suggest
from bionet.kernels.devices import DEVICES, Kernels, kernels

Floats = NDArray[np.float64]


def check_whole(owner: object, example: int, least: int = 1, **values: object) -> None:
    """Refuse values, given by name, that are not whole numbers of at least ``least``."""
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            floor = "above 0" if least == 1 else f"of at least {least}"
            raise InputError(
                f"{_name(owner)}.{name}: got {value!r}; expected a whole number {floor}, such as {example}"
            )


def check_number(owner: object, example: float, zero: bool = False, **values: object) -> None:
    """Refuse values, given by name, that are not finite numbers above 0 (or 0 itself, with ``zero``)."""
    for name, value in values.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
        if not number or value < 0 or (value == 0 and not zero):  # type: ignore[operator]
            least = "a number of at least 0" if zero else "a positive number"
            raise InputError(f"{_name(owner)}.{name}: got {value!r}; expected {least}, such as {example:g}")


def check_choice(owner: object, known: Collection[str], **values: object) -> None:
    """Refuse values, given by name, that are not among the known ones."""
    for name, value in values.items():
        if value not in known:
            raise InputError(f"{_name(owner)}.{name}: got {value!r}{suggest(str(value), known)}")


ON_A_GPU = ("BoltzmannMachine", "DBN", "Hopfield", "RBM")
"""Machines that have a way to run on a GPU."""


def check_device(owner: object, device: object) -> Kernels:
    """Return the kernels of a device, or say that there is none, or none for this machine."""
    check_choice(owner, DEVICES, device=device)
    if device != "cpu" and _name(owner) not in ON_A_GPU:
        raise InputError(
            f'{_name(owner)}.device: got "{device}"; expected "cpu": on a GPU there are {", ".join(ON_A_GPU)}'
        )
    return kernels(str(device))


def check_table(owner: BaseEstimator, name: str, values: ArrayLike, reset: bool = False) -> NDArray:
    """Return a table of finite numbers, shape (n_samples, n_features), or say what is wrong with it.

    With ``reset`` it says how many features the estimator has from now on; else it must have as many.
    """
    try:
        array = validate_data(owner, values, reset=reset, ensure_all_finite=False)
    except ValueError as error:
        raise InputError(f"{_name(owner)}.{name}: {' '.join(str(error).split())}") from error
    if not np.isfinite(array).all():
        raise InputError(f"{_name(owner)}.{name}: got NaN or infinite values; expected finite numbers")
    return array


def check_signs(owner: BaseEstimator, name: str, values: ArrayLike, reset: bool = False) -> NDArray[np.int8]:
    """Return a table of -1 and +1 as int8, or say what is wrong with it."""
    array = check_table(owner, name, values, reset)
    if not np.all((array == 1) | (array == -1)):
        raise InputError(
            f"{_name(owner)}.{name}: got other values than -1 and +1; expected those, such as 2 * bits - 1"
        )
    return array.astype(np.int8)


def check_range(owner: BaseEstimator, name: str, values: ArrayLike, reset: bool = False) -> Floats:
    """Return a table of numbers in [0, 1], bits or probabilities, or say what is wrong with it."""
    array = np.asarray(check_table(owner, name, values, reset), dtype=np.float64)
    least, most = array.min(), array.max()
    if least < 0 or most > 1:
        raise InputError(
            f"{_name(owner)}.{name}: got values from {least:g} to {most:g}; expected [0, 1], such as X / X.max()"
        )
    return array


def check_clamp(
    owner: object, clamp: ArrayLike | None, n_samples: int, n_units: int, values: tuple[float, float]
) -> tuple[NDArray[np.bool_], Floats]:
    """Return which units are held, shape (n_units,), and at what, shape (n_samples, n_units), NaN where free.

    ``clamp`` has shape (n_units,) or (n_samples, n_units), NaN where a unit is free: the same units in every row.
    """
    if clamp is None:
        return np.zeros(n_units, dtype=bool), np.full((n_samples, n_units), np.nan)
    array = np.asarray(clamp, dtype=np.float64)
    if array.shape not in ((n_units,), (n_samples, n_units)):
        raise InputError(
            f"{_name(owner)}.clamp: got shape {array.shape}; expected ({n_units},) or ({n_samples}, {n_units})"
        )
    table = np.broadcast_to(array, (n_samples, n_units))
    held = ~np.isnan(table)
    if (held != held[0]).any():
        raise InputError(f"{_name(owner)}.clamp: expected the same units to be held, not NaN, in every row")
    if not np.isin(table[held], values).all():
        low, high = values
        raise InputError(
            f"{_name(owner)}.clamp: expected {low:g} or {high:g} for a unit that is held, NaN for one that is free"
        )
    return held[0], table


def check_memory(owner: object, n_bytes: float, what: str) -> None:
    """Refuse, before it is allocated, what is larger than the machine's memory."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_bytes > there:
        raise InputError(
            f"{_name(owner)}: {what} would take {n_bytes / 2**30:.1f} GiB; this machine has {there / 2**30:.1f} GiB"
        )


def _name(owner: object) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__
