"""Tables of counts of one law, drawn again and again: Walker's alias method [1]_ in Vose's form [2]_.

It is done in whole numbers. One 64-bit word chooses a column, by its lowest bits, and one of the two outcomes of that
column. Each outcome has a whole number of the 2**64 words: the one nearest to its share, which is known to a part in
1e12; what is left or lacking is the most probable one's. :func:`bionet.spiking.draws.from_table` draws.

References
----------
.. [1] A. J. Walker, "An efficient method for generating discrete random variables with general distributions", ACM
   Trans. Math. Softw. 3 (1977).
.. [2] M. D. Vose, "A linear algorithm for generating random numbers with a given distribution", IEEE Trans. Softw. Eng.
   17 (1991).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bionet.errors import InputError

_LARGEST = 1e9


def binomial_table(n: int, p: float) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Make the table of the number of successes in ``n`` trials of probability ``p``.

    Parameters
    ----------
    n : int
        Number of trials, from 0 to 1e9.
    p : float
        Probability of each, from 0 to 1.

    Returns
    -------
    threshold : uint64 array, shape (n_columns,)
        Which words give a column's first outcome: those below.
    outcome : int64 array, shape (2 * n_columns,)
        The two outcomes of each column. The number of columns is the power of 2 that the outcomes need.

    Raises
    ------
    InputError
        If ``n`` or ``p`` is not in its range.

    Examples
    --------
    >>> from bionet.spiking.draws import from_table
    >>> threshold, outcome = binomial_table(1000, 0.002)
    >>> from_table(threshold, outcome, 1, 2, 3) in range(30)
    True
    """
    if not 0 <= n <= _LARGEST or n % 1:
        raise InputError(f"binomial_table.n: got {n}; expected a whole number from 0 to {_LARGEST:g}, such as 1000")
    if not 0.0 <= p <= 1.0:
        raise InputError(f"binomial_table.p: got {p}; expected a probability from 0 to 1, such as 0.002")
    mode = min(int((n + 1) * p), int(n))
    low, high = _span(mode, n * p * (1.0 - p), int(n))
    k = np.arange(low, high + 1, dtype=np.float64)
    return _table(low, mode, (n - k[:-1]) * p, k[1:] * (1.0 - p))


def poisson_table(rate: float) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Make the table of a Poisson number of mean ``rate``, as :func:`binomial_table` does.

    Parameters
    ----------
    rate : float
        The mean, from 0 to 1e9, dimensionless.

    Raises
    ------
    InputError
        If ``rate`` is not in its range.

    Examples
    --------
    >>> poisson_table(0.0)[1].tolist()
    [0, 0]
    """
    if not 0.0 <= rate <= _LARGEST:
        raise InputError(f"poisson_table.rate: got {rate}; expected a number from 0 to {_LARGEST:g}, such as 2")
    low, high = _span(int(rate), rate, None)
    k = np.arange(low, high + 1, dtype=np.float64)
    return _table(low, int(rate), np.full(k.size - 1, float(rate)), k[1:])


def _span(mode: int, variance: float, most: int | None) -> tuple[int, int]:
    """Return the outcomes between which all but 2**-65 of a binomial or Poisson law lies (Bernstein's bound)."""
    far = int(12.0 * math.sqrt(variance)) + 50
    return max(mode - far, 0), mode + far if most is None else min(mode + far, most)


def _table(
    low: int, mode: int, up: NDArray[np.float64], down: NDArray[np.float64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Make the table of a law on ``low``, ``low + 1``, ...: their probabilities are in the ratios ``up / down``."""
    at = mode - low
    law = np.concatenate((np.cumprod((down[:at] / up[:at])[::-1])[::-1], [1.0], np.cumprod(up[at:] / down[at:])))
    shares = [int(share) for share in np.rint(law / math.fsum(law) * 2.0**64).tolist()]
    shares[at] += 2**64 - sum(shares)
    first = next(i for i, share in enumerate(shares) if share)
    last = next(i for i in reversed(range(len(shares))) if shares[i])
    return _columns(low + first, shares[first : last + 1])


def _columns(first: int, shares: list[int]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Cut shares of 2**64, of the outcomes from ``first`` on, into equal columns of at most two outcomes each."""
    n_columns = 1 << (len(shares) - 1).bit_length()
    room = 2**64 // n_columns
    left = shares + [0] * (n_columns - len(shares))
    # Words that end in c are c, c + n_columns, ...: the first m of them are those below m * n_columns.
    threshold = np.zeros(n_columns, dtype=np.uint64)
    outcome = np.repeat(np.arange(first, first + n_columns), 2)
    short = [column for column in range(n_columns) if left[column] < room]
    ample = [column for column in range(n_columns) if left[column] > room]
    for column in short:
        donor = ample[-1]
        threshold[column] = left[column] * n_columns
        outcome[2 * column + 1] = first + donor
        left[donor] -= room - left[column]
        if left[donor] <= room:
            ample.pop()
        if left[donor] < room:
            short.append(donor)
    return threshold, outcome
