"""Random variates inside Numba kernels: functions of (key, step, index); :mod:`bionet.random` says which and why."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange, uint64

from bionet import philox

_LOW = philox.LOW
_32 = np.uint64(32)
_11 = np.uint64(11)
_UNIT = 2.0**-53
# Where a tail of a law ends: far below what a uniform number can tell. The products never reach 0 itself,
# they stick at the smallest number there is.
NOTHING = 1e-30
# Waking other threads costs more than drawing this many numbers.
_FEW = 5000

philox4x32 = njit(cache=True, inline="always", no_cfunc_wrapper=True)(philox.philox4x32)


@njit(cache=True, forceinline=True, no_cfunc_wrapper=True)
def words(key, step, index):
    """Return four independent 32-bit words, as uint64, for one (key, step, index)."""
    key, step, index = uint64(key), uint64(step), uint64(index)
    return philox4x32(index & _LOW, index >> _32, step & _LOW, step >> _32, key & _LOW, key >> _32)


@njit(cache=True, forceinline=True, no_cfunc_wrapper=True)
def bits(key, step, index):
    """Return two independent 64-bit words for one (key, step, index)."""
    w0, w1, w2, w3 = words(key, step, index)
    return (w1 << _32) | w0, (w3 << _32) | w2


@njit(cache=True, forceinline=True, no_cfunc_wrapper=True)
def uniform(key, step, index):
    """Return one uniform number in [0, 1), a multiple of 2**-53."""
    return float(bits(key, step, index)[0] >> _11) * _UNIT


@njit(cache=True, no_cfunc_wrapper=True)
def normal(key, step, index):
    """Return one standard normal number (Box and Muller 1958; the cosine branch)."""
    a, b = bits(key, step, index)
    u = (float(a >> _11) + 1.0) * _UNIT
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * float(b >> _11) * _UNIT)


@njit(cache=True, no_cfunc_wrapper=True)
def bernoulli(p, key, step, index):
    """Return True with probability ``p``."""
    return uniform(key, step, index) < p


@njit(cache=True, no_cfunc_wrapper=True)
def poisson(rate, key, step, index):
    """Return one Poisson number of mean ``rate``, by inversion outwards from the mode."""
    mode = math.floor(rate)
    at_mode = math.exp(mode * math.log(rate) - rate - math.lgamma(mode + 1.0)) if rate > 0 else 1.0
    u = uniform(key, step, index) - at_mode
    up, down, p_up, p_down = mode, mode, at_mode, at_mode
    while u >= 0.0 and (p_up > NOTHING or p_down > NOTHING):
        up += 1.0
        p_up *= rate / up
        u -= p_up
        if u < 0.0:
            return int(up)
        if down > 0.0:
            p_down *= down / rate
            down -= 1.0
            u -= p_down
            if u < 0.0:
                return int(down)
        else:
            p_down = 0.0
    return int(mode)


@njit(cache=True, no_cfunc_wrapper=True)
def binomial(n, p, key, step, index):
    """Return the number of successes in ``n`` trials of probability ``p``, by inversion outwards from the mode."""
    if p <= 0.0:
        return 0
    if p >= 1.0:
        return int(n)
    odds = p / (1.0 - p)
    mode = min(math.floor((n + 1.0) * p), float(n))
    at_mode = math.exp(
        math.lgamma(n + 1.0)
        - math.lgamma(mode + 1.0)
        - math.lgamma(n - mode + 1.0)
        + mode * math.log(p)
        + (n - mode) * math.log1p(-p)
    )
    u = uniform(key, step, index) - at_mode
    up, down, p_up, p_down = mode, mode, at_mode, at_mode
    while u >= 0.0 and (p_up > NOTHING or p_down > NOTHING):
        if up < n:
            up += 1.0
            p_up *= odds * (n - up + 1.0) / up
            u -= p_up
            if u < 0.0:
                return int(up)
        else:
            p_up = 0.0
        if down > 0.0:
            p_down *= down / (odds * (n - down + 1.0))
            down -= 1.0
            u -= p_down
            if u < 0.0:
                return int(down)
        else:
            p_down = 0.0
    return int(mode)


@njit(cache=True, parallel=True)
def fill_uniform(out, key, step):
    """Fill ``out`` with uniform numbers, at index 0, 1, ... of one step."""
    if out.size < _FEW:
        for index in range(out.size):
            out[index] = uniform(key, step, index)
        return
    for index in prange(out.size):
        out[index] = uniform(key, step, index)


@njit(cache=True, parallel=True)
def fill_normal(out, key, step):
    """Fill ``out`` with standard normal numbers, at index 0, 1, ... of one step."""
    if out.size < _FEW:
        for index in range(out.size):
            out[index] = normal(key, step, index)
        return
    for index in prange(out.size):
        out[index] = normal(key, step, index)


@njit(cache=True, parallel=True)
def fill_poisson(out, rate, key, step):
    """Fill ``out`` with Poisson numbers of mean ``rate``, at index 0, 1, ... of one step."""
    if out.size < _FEW:
        for index in range(out.size):
            out[index] = poisson(rate[index], key, step, index)
        return
    for index in prange(out.size):
        out[index] = poisson(rate[index], key, step, index)


@njit(cache=True, parallel=True)
def fill_binomial(out, n, p, key, step):
    """Fill ``out`` with binomial numbers, at index 0, 1, ... of one step."""
    if out.size < _FEW:
        for index in range(out.size):
            out[index] = binomial(n[index], p[index], key, step, index)
        return
    for index in prange(out.size):
        out[index] = binomial(n[index], p[index], key, step, index)
