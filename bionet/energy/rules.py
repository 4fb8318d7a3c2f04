"""How a Hopfield network's weights follow from its patterns, one rule a function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bionet.errors import InputError
from bionet.kernels.cpu.bitwise import mean_products, pack

Floats = NDArray[np.float64]


def hebb(patterns: Floats) -> Floats:
    r"""Return Hebb's weights with their diagonal, :math:`J = X^\top X / N`.

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1.

    Raises
    ------
    InputError
        If patterns hold anything else.

    Notes
    -----
    A sum is a count of the patterns in which two units agree, less those in which they do not: it is exact.

    References
    ----------
    J. J. Hopfield, "Neural networks and physical systems with emergent collective computational abilities",
    PNAS 79 (1982).

    Examples
    --------
    >>> hebb(np.array([[1.0, -1.0]])).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    patterns = np.ascontiguousarray(patterns)
    words, pure = pack(patterns)
    if not pure:
        raise InputError("hebb.patterns: got other values than -1 and +1; expected those, such as 2 * bits - 1")
    n_patterns, n_units = patterns.shape
    weights = np.empty((n_units, n_units), dtype=np.result_type(patterns, np.float32))
    mean_products(words, n_patterns, weights)
    return weights


def storkey(patterns: Floats) -> Floats:
    r"""Return Storkey's weights with their diagonal; patterns are learnt one after the other.

    .. math:: J_{ij} \mathrel{+}= (x_i x_j - x_i h_{ji} - h_{ij} x_j) / N, \quad h_{ij} = \sum_{k \ne i,j} J_{ik} x_k

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1.

    Notes
    -----
    With :math:`x_j^2 = 1` the three terms are two outer products and a multiple of J itself, so that one pattern
    costs :math:`N^2` operations. A pattern learnt a second time is unlearnt, all but 4/N of it; so patterns that have
    much in common, as pictures do, undo each other, and :func:`pseudo_inverse` is the rule for those.

    References
    ----------
    A. Storkey, "Increasing the capacity of a Hopfield network without sacrificing functionality", ICANN (1997).

    Examples
    --------
    >>> storkey(np.array([[1.0, -1.0]])).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    n_units = patterns.shape[1]
    weights = np.zeros((n_units, n_units))
    for x in patterns:
        diagonal = weights.diagonal().copy()
        field = weights @ x - diagonal * x
        cross = np.outer(field, x)
        weights += (np.outer(x, x) - cross - cross.T + 2.0 * weights - 2.0 * np.diag(diagonal)) / n_units
    return weights


def pseudo_inverse(patterns: Floats) -> Floats:
    r"""Return the projector on the space of the patterns, :math:`J = X^+ X`, with its diagonal.

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1.

    Notes
    -----
    Every pattern is stable as long as the patterns do not span the whole space, however correlated they are. The
    pictures that are recalled well from noise are fewer than half as many as there are units.

    References
    ----------
    L. Personnaz, I. Guyon, G. Dreyfus, "Collective computational properties of neural networks: new learning
    mechanisms", Phys. Rev. A 34 (1986).

    Examples
    --------
    >>> pseudo_inverse(np.array([[1.0, -1.0], [1.0, -1.0]])).round(12).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    weights = np.linalg.pinv(patterns) @ patterns
    return (weights + weights.T) / 2


def sequence(patterns: Floats) -> Floats:
    r"""Return the weights that lead from each pattern to the next, the last to the first: asymmetric.

    .. math:: J_{ij} = \frac1N \sum_\mu x_i^\mu x_j^{\mu+1}

    Parameters
    ----------
    patterns : float array, shape (n_patterns, n_units)
        -1 or +1, in the order in which they are to follow one another.

    Notes
    -----
    For synchronous recall: every sweep is one step of the sequence. Without symmetry there is no energy that falls,
    and none of the noise that a unit's own past feeds back to it: 0.269 N patterns can be gone through.

    References
    ----------
    A. Düring, A. C. C. Coolen, D. Sherrington, "Phase diagram and storage capacity of sequence processing neural
    networks", J. Phys. A 31 (1998).

    Examples
    --------
    >>> J = sequence(np.array([[1.0, -1.0], [-1.0, -1.0]]))
    >>> (np.array([1.0, -1.0]) @ J).tolist()
    [-1.0, -1.0]
    """
    return patterns.T @ np.roll(patterns, -1, axis=0) / patterns.shape[1]


RULES = {"hebb": hebb, "storkey": storkey, "pseudo-inverse": pseudo_inverse, "sequence": sequence}
"""The rules by name."""
SYMMETRIC = ("hebb", "storkey", "pseudo-inverse")
"""Those with an energy that falls."""
