"""Counter-based random numbers: a draw is a function of (seed, stream, step, index), and of nothing else.

Philox4x32-10 [1]_ turns a 64-bit key and a 128-bit counter into 128 random bits. The key is made from
``(seed, stream)``, the counter from ``(step, index)``; one block serves one variate. So a draw does not depend on
how many threads there are, in which order things are drawn, or what else is drawn: a second population with a
stream of its own leaves the first one's numbers alone.

Two ways in, the same numbers:

* :class:`Stream` fills NumPy arrays: ``Stream(seed=1, name="noise").normal((3, 4), step=0)``;
* inside a Numba kernel, ``uniform(key, step, index)`` and its kin draw one number; ``key = Stream(...).key``.

Every discrete variate is made from ONE uniform number by inversion, so there is no rejection and no hidden state.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bionet.errors import InputError
from bionet.philox import LOW, philox4x32

_32 = np.uint64(32)
_11 = np.uint64(11)
_UNIT = 2.0**-53
# Where a tail of a law ends, as in ``bionet.variates``.
_NOTHING = 1e-30
# What is drawn one at a time, in compiled code.
_COMPILED = ("bernoulli", "binomial", "bits", "normal", "poisson", "uniform", "words")


def __getattr__(name: str) -> Any:
    """Return a function for kernels; only who asks for one imports Numba."""
    if name not in _COMPILED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("bionet.variates"), name)


def uniforms(key: int, steps: NDArray) -> NDArray[np.float64]:
    """Return ``uniform(key, step, 0)`` for each step; nothing is compiled for it.

    Examples
    --------
    >>> from bionet.random import uniform
    >>> bool(uniforms(1, np.arange(3))[2] == uniform(1, 2, 0))
    True
    """
    steps, low, high = np.asarray(steps).astype(np.uint64), np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)
    w0, w1, _, _ = philox4x32(np.uint64(0), np.uint64(0), steps & LOW, steps >> _32, low, high)
    return ((w1 << _32 | w0) >> _11) * _UNIT


def binomials(n: int, p: float, key: int, steps: NDArray) -> NDArray[np.int64]:
    """Return ``binomial(n, p, key, step, 0)`` for each step; nothing is compiled for it.

    Examples
    --------
    >>> from bionet.random import binomial
    >>> bool(binomials(9, 0.3, 1, np.arange(3))[2] == binomial(9, 0.3, 1, 2, 0))
    True
    """
    if not 0.0 < p < 1.0:
        return np.full(len(steps), n if p > 0 else 0)
    odds, mode = p / (1.0 - p), min(math.floor((n + 1.0) * p), n)
    logarithm = math.lgamma(n + 1.0) - math.lgamma(mode + 1.0) - math.lgamma(n - mode + 1.0)
    at_mode = math.exp(logarithm + mode * math.log(p) + (n - mode) * math.log1p(-p))
    found, left, u = np.full(len(steps), mode), np.arange(len(steps)), uniforms(key, steps)

    def take(number: int, share: float) -> None:
        nonlocal left, u
        u = u - share
        found[left[u < 0.0]] = number
        left, u = left[u >= 0.0], u[u >= 0.0]

    take(mode, at_mode)
    up, down, p_up, p_down = mode, mode, at_mode, at_mode
    while left.size and (p_up > _NOTHING or p_down > _NOTHING):
        p_up *= odds * (n - up) / (up + 1.0)
        up += 1
        if p_up > 0.0:
            take(up, p_up)
        p_down *= down / (odds * (n - down + 1.0))
        down -= 1
        if p_down > 0.0:
            take(down, p_down)
    return found


def _make_key(seed: int, name: str) -> int:
    """Mix the seed and the stream's name into one 64-bit key, with Philox itself: the first word of `bits`."""
    digest = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    words = (digest & 0xFFFFFFFF, digest >> 32, 0, 0, seed & 0xFFFFFFFF, seed >> 32)
    w0, w1, _, _ = philox4x32(*map(np.uint64, words))
    return int((w1 << _32) | w0)


@dataclass(frozen=True)
class Stream:
    """A named stream of random numbers under one seed.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1, dimensionless.
    name : str
        What the numbers are for, such as ``"rbm/weights"``. Two names give independent streams.

    Attributes
    ----------
    key : int
        The 64-bit key, to be handed to the functions that draw inside Numba kernels.

    Raises
    ------
    InputError
        If the seed is not a whole number in that range.

    Notes
    -----
    A call draws ``size`` numbers at ``index`` 0, 1, ... of one ``step``; the same call gives the same numbers again.
    Advance ``step`` for fresh ones.

    Examples
    --------
    >>> Stream(1, "demo").uniform(3).round(6).tolist() == Stream(1, "demo").uniform(3).round(6).tolist()
    True
    """

    seed: int
    name: str
    key: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the seed and make the key."""
        whole = isinstance(self.seed, int | np.integer) and not isinstance(self.seed, bool)
        if not whole or not 0 <= int(self.seed) < 2**64:
            raise InputError(f"Stream.seed: got {self.seed!r}; expected a whole number from 0 to 2**64 - 1, such as 1")
        object.__setattr__(self, "key", _make_key(int(self.seed), self.name))

    def child(self, name: str) -> Stream:
        """Return the stream ``"<this name>/<name>"`` under the same seed."""
        return Stream(self.seed, f"{self.name}/{name}")

    def uniform(self, size: int | tuple[int, ...], step: int = 0) -> NDArray[np.float64]:
        """Draw from [0, 1), shape ``size``."""
        out = np.empty(size)
        from bionet.variates import fill_uniform

        fill_uniform(out.reshape(-1), np.uint64(self.key), np.uint64(step))
        return out

    def normal(self, size: int | tuple[int, ...], step: int = 0) -> NDArray[np.float64]:
        """Draw from the standard normal law, shape ``size``."""
        out = np.empty(size)
        from bionet.variates import fill_normal

        fill_normal(out.reshape(-1), np.uint64(self.key), np.uint64(step))
        return out

    def bernoulli(self, p: ArrayLike, step: int = 0) -> NDArray[np.bool_]:
        """Draw True with probability ``p``, in the shape of ``p``."""
        p = _law("p", p, 1.0)
        return self.uniform(p.shape, step) < p

    def poisson(self, rate: ArrayLike, step: int = 0) -> NDArray[np.int64]:
        """Draw counts of mean ``rate`` (dimensionless, at most 1e9), in the shape of ``rate``."""
        rate = _law("rate", rate, 1e9)
        out = np.empty(rate.shape, dtype=np.int64)
        from bionet.variates import fill_poisson

        fill_poisson(out.reshape(-1), rate.reshape(-1), np.uint64(self.key), np.uint64(step))
        return out

    def binomial(self, n: ArrayLike, p: ArrayLike, step: int = 0) -> NDArray[np.int64]:
        """Draw the successes in ``n`` trials of probability ``p``, in their broadcast shape."""
        n, p = np.broadcast_arrays(_law("n", n, 1e9), _law("p", p, 1.0))
        if (n % 1.0).any():
            raise InputError(f"Stream.n: got {n[n % 1.0 > 0].flat[0]}; expected whole numbers of trials, such as 10")
        out = np.empty(n.shape, dtype=np.int64)
        flat = np.ascontiguousarray(n).reshape(-1), np.ascontiguousarray(p).reshape(-1)
        from bionet.variates import fill_binomial

        fill_binomial(out.reshape(-1), *flat, np.uint64(self.key), np.uint64(step))
        return out

    def permutation(self, n: int, step: int = 0) -> NDArray[np.intp]:
        """Return the numbers 0 to n - 1 in random order."""
        return np.argsort(self.uniform(n, step), kind="stable")


def _law(name: str, value: ArrayLike, top: float) -> NDArray[np.float64]:
    """Return ``value`` as a contiguous float array, all of it in [0, top]."""
    array = np.ascontiguousarray(value, dtype=np.float64)
    array = array.reshape(np.shape(value))
    if not np.all((array >= 0) & (array <= top)):
        worst = array[~((array >= 0) & (array <= top))].flat[0]
        raise InputError(f"Stream.{name}: got {worst}; expected numbers from 0 to {top:g}")
    return array
