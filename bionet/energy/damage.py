"""Damage to symmetric couplings: cut, or rounded to their signs. :mod:`bionet.energy.theory` has the curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bionet.energy.inputs import check_choice
from bionet.errors import InputError
from bionet.random import Stream

Floats = NDArray[np.float64]
CUTS = ("random", "weakest", "strongest")


def clip(weights: Floats) -> Floats:
    """Return the signs of the weights, scaled to their root mean square; zeros stay.

    Parameters
    ----------
    weights : float array, shape (n_units, n_units)
        Symmetric, dimensionless.

    Examples
    --------
    >>> clip(np.array([[0.0, 3.0], [3.0, 0.0]])).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    there = weights != 0
    scale = np.sqrt((weights[there] ** 2).mean()) if there.any() else 0.0
    return np.sign(weights) * scale


def lesion(weights: Floats, kept: float, first: str = "random", seed: int = 0) -> Floats:
    """Return the weights with a share of the links cut, both directions of a link together; a weight of 0 is no link.

    Parameters
    ----------
    weights : float array, shape (n_units, n_units)
        Symmetric, dimensionless. The diagonal stays.
    kept : float
        Share of the links that are left, 0 to 1, rounded to a whole number of links.
    first : {"random", "weakest", "strongest"}
        Which links are cut first; links of equal size in random order.
    seed : int

    Examples
    --------
    >>> lesion(np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0.0]]), 1 / 3, "weakest").tolist()
    [[0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]
    """
    check_choice("lesion", CUTS, first=first)
    if not 0 <= kept <= 1:
        raise InputError(f"lesion.kept: got {kept!r}; expected a share from 0 to 1, such as 0.5")
    rows, columns = np.triu_indices(len(weights), 1)
    if not np.array_equal(weights[rows, columns], weights[columns, rows]):
        raise InputError("lesion.weights: got asymmetric weights; expected symmetric ones, such as Hopfield's weights_")
    there = weights[rows, columns] != 0
    rows, columns = rows[there], columns[there]
    size = np.abs(weights[rows, columns]) * {"random": 0.0, "weakest": 1.0, "strongest": -1.0}[first]
    order = np.lexsort((Stream(seed, "lesion").uniform(len(rows)), size))
    cut = order[: len(rows) - round(kept * len(rows))]
    left = weights.copy()
    left[rows[cut], columns[cut]] = left[columns[cut], rows[cut]] = 0.0
    return left
