r"""Where a sum of exponentials first exceeds zero: bracketed, and no crossing missed.

A membrane's distance to its threshold is :math:`f(h) = \sum_q F_q \varphi_q(h)`, with the terms :math:`\varphi_q` of
:mod:`bionet.spiking.modes`. The time after ``lo`` is walked through from left to right. A step [a, b] is known to hold
no crossing if

.. math:: \max(f(a), f(b)) + \tfrac{(b - a)^2}{8} \sup_{[a, b]} (-f'') < 0,

because f lies that close to its chord; it holds exactly one if f(b) > 0 and f rises throughout it,

.. math:: f'(a) - (b - a) \sup_{[a, b]} (-f'') > 0;

else a shorter step is tried. The bounds come from the coefficients and hold with certainty, but for rounding. Where
rounding hides whether f touches zero, there is no crossing, and it is counted as a *graze*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bionet.spiking.elementary import cos, exp, sin
from bionet.spiking.modes import Term

_E = math.e
#: How far ahead growing terms are bounded [s].
HORIZON = 1.0
#: Of the sum of the terms' sizes: less than this is rounding.
_ROUNDING = 4e-16
#: A window that does not come.
NEVER = 1 << 60


class Functions(NamedTuple):
    """The terms of solutions, as compiled code needs them.

    Attributes
    ----------
    alpha, omega : float arrays, shape (n_terms,)
        Rates [1/s] and angular frequencies [rad/s].
    power, wave : int64 arrays, shape (n_terms,)
        As in :class:`~bionet.spiking.modes.Term`.
    high, low, convex, concave : float arrays, shape (n_terms,)
        For h >= 0, the largest value of each term and of its negative, and the same of its second derivative.
    """

    alpha: NDArray
    omega: NDArray
    power: NDArray
    wave: NDArray
    high: NDArray
    low: NDArray
    convex: NDArray
    concave: NDArray


def functions(terms: Sequence[Term]) -> Functions:
    """Return terms with the bounds of their derivatives."""
    bounds = np.array([_bounds(term) for term in terms]).reshape(-1, 4).T.copy()
    columns = [np.array([getattr(term, name) for term in terms]) for name in ("alpha", "omega", "power", "wave")]
    return Functions(
        columns[0].astype(float), columns[1].astype(float), columns[2].astype(np.int64), columns[3].astype(np.int64),
        *bounds,
    )  # fmt: skip


def _bounds(term: Term) -> tuple[float, float, float, float]:
    """Return the largest of f, -f, f'' and -f'' of a term for h >= 0 (up to the horizon, where it grows)."""
    a, m = term.alpha, term.power

    def largest(k: int) -> float:
        if k < 0:
            return 0.0
        if a < 0:
            return (k / (_E * -a)) ** k if k else 1.0
        return HORIZON**k * math.exp(a * HORIZON)

    if not term.wave and a <= 0 and m == 0:
        return 1.0, 0.0, a * a, 0.0
    if not term.wave and a < 0 and m == 1:
        return largest(1), 0.0, -a * _E**-3, -2 * a
    size = math.hypot(a, term.omega)
    second = m * (m - 1) * largest(m - 2) + 2 * m * size * largest(m - 1) + size * size * largest(m)
    return largest(m), largest(m) if term.wave else 0.0, second, second


@njit(cache=True, error_model="numpy")
def evaluate(f, terms, h):
    """Return f(h)."""
    total = 0.0
    for q in range(f.size):
        x = f[q] * exp(terms.alpha[q] * h)
        if terms.wave[q] == 1:
            x *= cos(terms.omega[q] * h)
        elif terms.wave[q] == 2:
            x *= sin(terms.omega[q] * h)
        for _ in range(terms.power[q]):
            x *= h
        total += x
    return total


@njit(cache=True)
def value(f, terms):
    """Return f(0)."""
    total = 0.0
    for q in range(f.size):
        if terms.power[q] == 0 and terms.wave[q] < 2:
            total += f[q]
    return total


@njit(cache=True)
def slope(f, terms):
    """Return f'(0)."""
    total = 0.0
    for q in range(f.size):
        if terms.power[q] == 0:
            total += f[q] * (terms.omega[q] if terms.wave[q] == 2 else terms.alpha[q])
        elif terms.power[q] == 1 and terms.wave[q] < 2:
            total += f[q]
    return total


@njit(cache=True)
def bend_below(f, terms):
    """Return a number that -f'' does not exceed for h >= 0."""
    total = 0.0
    for q in range(f.size):
        total += f[q] * terms.concave[q] if f[q] > 0 else -f[q] * terms.convex[q]
    return total


@njit(cache=True, error_model="numpy")
def shift(f, terms, a, out):
    """Write the coefficients of f(a + h), as a function of h, into ``out``, another array."""
    out[:] = 0.0
    for q in range(f.size):
        decay = f[q] * exp(terms.alpha[q] * a)
        m = terms.power[q]
        wide = 1 if terms.wave[q] == 0 else 2
        binomial = 1.0
        for k in range(m + 1):
            # The part of (a + h)^m with h^(m - k).
            part = decay * binomial
            place = q - k * wide
            if terms.wave[q] == 0:
                out[place] += part
            else:
                c, s = cos(terms.omega[q] * a), sin(terms.omega[q] * a)
                if terms.wave[q] == 1:
                    out[place] += part * c
                    out[place + 1] -= part * s
                else:
                    out[place] += part * c
                    out[place - 1] += part * s
            binomial *= a * (m - k) / (k + 1)


@njit(cache=True)
def silent_for(f, terms):
    """Return a time during which f surely stays at or below 0."""
    bend = highest = 0.0
    for q in range(f.size):
        bend += f[q] * terms.convex[q] if f[q] > 0 else -f[q] * terms.concave[q]
        highest += f[q] * terms.high[q] if f[q] > 0 else -f[q] * terms.low[q]
    return silence(value(f, terms), slope(f, terms), bend, highest)


@njit(cache=True, error_model="numpy")
def silence(at_start, slope_at_start, bend, highest):
    r"""Return a time during which a function surely stays at or below 0: the root of a parabola above it.

    With a = f(0) and b = f'(0), f(h) is at most :math:`a + b h + c h^2 / 2` if f'' is at most c for all h >= 0; and f
    is at most ``highest``.
    """
    if highest < 0:
        return np.inf
    if at_start > 0:
        return 0.0
    steep = slope_at_start + math.sqrt(slope_at_start * slope_at_start - 2.0 * bend * at_start)
    return min(-2.0 * at_start / steep, HORIZON) if steep > 0 else np.inf


@njit(cache=True)
def first_crossing(f, terms, lo, hi, here, there, accuracy):
    """Return the first h in [lo, hi] at which f(h) > 0, or infinity.

    Parameters
    ----------
    f : float array, shape (n_terms,)
    terms : Functions
    lo, hi : float
        In seconds; f(lo) is not above 0, or lo is returned.
    here, there : float arrays, shape (n_terms,)
        Room for work.
    accuracy : float array, shape (2,)
        The widest bracket so far [s], and the number of grazes; both are kept up to date.
    """
    shift(f, terms, lo, here)
    a = lo
    at_a = value(here, terms)
    if at_a > 0:
        return lo
    step = hi - lo
    graze = 0.0
    while a < hi:
        b = min(a + step, hi)
        width = b - a
        at_b = evaluate(here, terms, width)
        bend = max(bend_below(here, terms), 0.0)
        bump = 0.125 * width * width * bend
        noise = 0.0
        for q in range(here.size):
            noise += _ROUNDING * abs(here[q])
        if at_b > 0:
            if slope(here, terms) > width * bend or width <= 2e-16 * b:
                accuracy[1] += 1.0 if at_b <= noise else graze
                return a + _refined(here, terms, width, a, accuracy)
            step = 0.5 * width
            continue
        clear = max(at_a, at_b) + bump < 0
        if not clear and bump > noise:
            step = 0.5 * width
            continue
        if not clear and max(at_a, at_b) > -noise and a > lo:
            graze = 1.0
        shift(here, terms, width, there)
        here[:] = there
        a, at_a = b, at_b
        step *= 2.0
    accuracy[1] += graze
    return np.inf


@njit(cache=True)
def _refined(f, terms, width, origin, accuracy):
    """Return the zero of f in (0, width], where f rises, to the last places."""
    low, high = 0.0, width
    h = 0.5 * width
    at_low, at_high = value(f, terms), evaluate(f, terms, width)
    last = width
    while True:
        # Regula falsi with halving where it does not gain: the bracket always shrinks.
        h = low + (high - low) * at_low / (at_low - at_high)
        near = 1e-3 * (high - low)
        h = min(max(h, low + near), high - near)
        if not low < h < high:
            break
        at_h = evaluate(f, terms, h)
        if at_h > 0:
            high, at_high = h, at_h
        else:
            low, at_low = h, at_h
        if high - low > 0.5 * last:
            h = low + 0.5 * (high - low)
            if not low < h < high:
                break
            at_h = evaluate(f, terms, h)
            if at_h > 0:
                high, at_high = h, at_h
            else:
                low, at_low = h, at_h
        last = high - low
    accuracy[0] = max(accuracy[0], high - low + 2.2e-16 * (origin + high))
    return high


@njit(cache=True)
def look(f, terms, start_w, start_off, w, window, room):
    """Find out when a neuron fires in window ``w``, or until which window it surely does not.

    Parameters
    ----------
    f : float array, shape (n_terms,)
        Its distance to threshold, as a function of the time after its start.
    terms : Functions
    start_w, start_off : int, float
        The start: window and offset [s].
    w : int
        The window; not before the start's.
    window : float
        How long a window is [s], a power of two.
    room : tuple of arrays, two of shape (n_terms,), one of shape (2,)
        Room for work, and the accuracy so far.

    Returns
    -------
    off : float
        The offset at which it fires, or infinity.
    due : int
        The window in which to look again.
    """
    end = (w + 1 - start_w) * window - start_off
    begin = max((w - start_w) * window - start_off, 0.0)
    here, there, accuracy = room
    h = first_crossing(f, terms, begin, end, here, there, accuracy)
    if h < end:
        return offset_of(h, start_w, start_off, w, window), w
    return np.inf, window_after(w + 1, silent_for(here, terms), window, w)


@njit(cache=True)
def offset_of(h, start_w, start_off, w, window):
    """Return the offset in window ``w`` of the time that is ``h`` after a start: no other window's, nor before it."""
    off = start_off + h if start_w == w else h - ((w - start_w) * window - start_off)
    return min(max(off, start_off if start_w == w else 0.0), window * (1 - 2.0**-53))


@njit(cache=True, error_model="numpy")
def rising_root(constant, f, alpha, start, width, origin):
    """Return where a constant and exponentials that rise through 0 in (0, width] do so, to the last places.

    Parameters
    ----------
    constant : float
    f, alpha : tuples of float
        Coefficients and rates [1/s].
    start : float
        A guess.
    width : float
        The end of the bracket [s].
    origin : float
        What is added to the root: what is smaller than its rounding need not be found out.

    Returns
    -------
    low, high : float
        Not above 0 at ``low``, above it at ``high``.
    """
    low, high = 0.0, width
    h = start
    last, beyond = width, 0.0
    while True:
        at_h, slope_at_h, size = constant, 0.0, abs(constant)
        for q in range(len(f)):
            term = f[q] * exp(alpha[q] * h)
            at_h += term
            slope_at_h += term * alpha[q]
            size += abs(term)
        if at_h > 0:
            high = h
        else:
            low = h
        # What rounding hides, of the function and of the time.
        fine = 2.2e-16 * (origin + high + size / slope_at_h)
        if high - low <= 4.0 * fine:
            break
        # Newton's step, and a little beyond, more each time: so the bracket closes from both sides.
        step = at_h / slope_at_h
        beyond = max(fine, 2.0 * beyond)
        h -= step + (beyond if at_h > 0 else -beyond)
        if not (low < h < high and abs(step) <= max(0.5 * last, fine)):
            h = low + 0.5 * (high - low)
            step = high - low
            if not low < h < high:
                break
        last = abs(step)
    return low, high


@njit(cache=True)
def window_after(start, time, window, w):
    """Return the window that is ``time`` after the beginning of window ``start``; one after ``w`` at the earliest."""
    ahead = time / window
    return NEVER if ahead >= NEVER else max(start + np.int64(ahead), w + 1)
