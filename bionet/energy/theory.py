r"""What theory says of associative memories of infinite size: the lines beside the points of a simulation.

The overlap m of the state with a pattern obeys self-consistent equations (mean field, replica symmetry, temperature 0).
At load alpha, patterns per unit, with y = m / sqrt(2 alpha (r + noise)):

.. math:: m = \operatorname{erf} y, \qquad r = (1 - C)^{-2}, \qquad
          C = \frac{2}{\sqrt\pi} \frac{y}{m} e^{-y^2}, \qquad \alpha = \frac{m^2}{2 y^2 (r + \Delta)}

The noise Delta is what damage to the couplings adds: 0 for Hebb's own, :func:`clipped` for their signs alone,
:func:`diluted` for a random part of them. With one unknown, y, on the right, every y gives a load; the largest load
is the capacity, and the branch of larger y gives m.

References
----------
D. J. Amit, H. Gutfreund, H. Sompolinsky, "Statistical mechanics of neural networks near saturation", Ann. Phys. 173
(1987). H. Sompolinsky, "Neural networks with nonlinear synapses and a static noise", Phys. Rev. A 34 (1986).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, erfc, factorial2

from bionet.energy.inputs import check_number
from bionet.errors import InputError

Floats = NDArray[np.float64]

CLIPPED = np.pi / 2 - 1
"""The noise of couplings of which only the sign is kept."""


class Capacity(NamedTuple):
    """Where memory ends.

    Attributes
    ----------
    load : float
        Patterns per unit.
    overlap : float
        Of the state with the pattern, at that load.
    """

    load: float
    overlap: float


def diluted(kept: float) -> float:
    """Return the noise of couplings of which a random symmetric share is ``kept``: (1 - c) / c.

    Examples
    --------
    >>> diluted(0.5)
    1.0
    """
    if not 0 < kept <= 1:
        raise InputError(f"theory.kept: got {kept!r}; expected a share above 0, at most 1, such as 0.5")
    return (1 - kept) / kept


def capacity(noise: float = 0.0) -> Capacity:
    """Return the largest load at which patterns are remembered, and the overlap there.

    Parameters
    ----------
    noise : float
        Of the couplings, dimensionless: 0, :data:`CLIPPED`, or :func:`diluted`.

    Examples
    --------
    >>> [round(float(number), 4) for number in capacity()]
    [0.1379, 0.9674]
    """
    check_number("theory", 0.0, zero=True, noise=noise)
    return _capacity(lambda y: _load(y, noise))


def overlap(load: ArrayLike, noise: float = 0.0) -> Floats:
    """Return the overlap of what is recalled with the pattern; 0 above the capacity.

    Parameters
    ----------
    load : array
        Patterns per unit, above 0.
    noise : float
        As for :func:`capacity`.

    Examples
    --------
    >>> overlap([0.05, 0.10, 0.15]).round(4).tolist()
    [1.0, 0.998, 0.0]
    """
    check_number("theory", 0.0, zero=True, noise=noise)
    return _overlap(load, lambda y: _load(y, noise))


def sequence_capacity() -> Capacity:
    r"""Return the largest load at which a sequence of patterns is gone through, all units updated at once.

    As above, but a unit's past does not come back to it: :math:`r = 1 / (1 - C^2)`.

    References
    ----------
    A. Düring, A. C. C. Coolen, D. Sherrington, "Phase diagram and storage capacity of sequence processing neural
    networks", J. Phys. A 31 (1998).

    Examples
    --------
    >>> round(sequence_capacity().load, 3)
    0.269
    """
    return _capacity(_sequence_load)


def sequence_overlap(load: ArrayLike) -> Floats:
    """Return the overlap of the state with the pattern whose turn it is; 0 above the capacity."""
    return _overlap(load, _sequence_load)


def share_without_error(n_patterns: ArrayLike, n_units: int) -> Floats:
    r"""Return the share of Hebb's patterns of which no bit would change, :math:`(1 - \mathrm{erfc}(\sqrt{N/2P})/2)^N`.

    Parameters
    ----------
    n_patterns : array
    n_units : int

    References
    ----------
    R. J. McEliece, E. C. Posner, E. R. Rodemich, S. S. Venkatesh, "The capacity of the Hopfield associative memory",
    IEEE Trans. Inf. Theory 33 (1987).

    Examples
    --------
    >>> share_without_error([36, 110], 1000).round(2).tolist()
    [1.0, 0.28]
    """
    return (1 - erfc(np.sqrt(n_units / (2 * np.asarray(n_patterns, dtype=float)))) / 2) ** n_units


def dense_capacity(n_units: int, order: int) -> float:
    r"""Return the patterns that a dense memory of that order holds without error, :math:`N^{n-1}/(2(2n-3)!!\ln N)`.

    Parameters
    ----------
    n_units, order : int

    References
    ----------
    D. Krotov, J. J. Hopfield, "Dense associative memory for pattern recognition", NeurIPS (2016).

    Examples
    --------
    >>> [round(dense_capacity(50, order), 1) for order in (2, 3, 4)]
    [6.4, 106.5, 1065.1]
    """
    return float(n_units ** (order - 1) / (2 * factorial2(2 * order - 3) * np.log(n_units)))


def _load(y: float, noise: float) -> float:
    m = erf(y)
    r = (1 - 2 / np.sqrt(np.pi) * y / m * np.exp(-(y**2))) ** -2
    return float(m**2 / (2 * y**2 * (r + noise)))


def _sequence_load(y: float) -> float:
    m = erf(y)
    r = 1 / (1 - (2 / np.sqrt(np.pi) * y / m * np.exp(-(y**2))) ** 2)
    return float(m**2 / (2 * y**2 * r))


def _peak(load: Callable[[float], float]) -> float:
    """Return the y of the largest load; the load is unimodal in y, small at both ends."""
    return float(minimize_scalar(lambda y: -load(y), bounds=(0.01, 5.0), method="bounded", options={"xatol": 1e-10}).x)


def _capacity(load: Callable[[float], float]) -> Capacity:
    y = _peak(load)
    return Capacity(load(y), float(erf(y)))


def _overlap(load: ArrayLike, law: Callable[[float], float]) -> Floats:
    loads, peak = np.asarray(load, dtype=float), _peak(law)
    if not (np.isfinite(loads) & (loads > 0)).all():
        raise InputError("theory.load: expected finite numbers above 0, such as 0.1")
    highest = law(peak)

    def one(alpha: float) -> float:
        if alpha > highest:
            return 0.0
        end = peak
        while law(end) > alpha:
            end *= 2
        return float(erf(brentq(lambda y: law(y) - alpha, peak, end, xtol=1e-14)))

    return np.array([one(float(alpha)) for alpha in loads.ravel()]).reshape(loads.shape)
