"""One neuron's equations integrated on their own: Runge and Kutta's method of order 8 with dense output.

Dormand and Prince's pair DOP853 [1]_ chooses its steps so that the error of each stays below ``rtol * |y| + atol``; a
polynomial of degree 7 gives the state within a step, and on it threshold crossings are located.

The functions are ordinary code, but not complete: ``slopes`` and ``distance`` are printed for each group of neurons,
and the others compiled with them.

References
----------
.. [1] E. Hairer, S. P. Nørsett, G. Wanner, "Solving Ordinary Differential Equations I", 2nd ed., Springer (1993).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import DOP853

# Printed for each group.
slopes: Any = None
distance: Any = None

#: The relative error of a step.
RTOL = 1e-10
STAGES = 12
A, B, C = np.ascontiguousarray(DOP853.A), np.ascontiguousarray(DOP853.B), np.ascontiguousarray(DOP853.C)
E3, E5, D = np.ascontiguousarray(DOP853.E3), np.ascontiguousarray(DOP853.E5), np.ascontiguousarray(DOP853.D)
A_EXTRA, C_EXTRA = np.ascontiguousarray(DOP853.A_EXTRA), np.ascontiguousarray(DOP853.C_EXTRA)
#: In how many parts of a step crossings are looked for.
PARTS = 8
#: No step is shorter [s]; at the top of its upstroke an exponential cell moves by its scale in 1e-17 s.
SMALLEST = 1e-24


def stages(i, t, y, h, k, y_new, clamped, memory):
    """Compute the stages of a step from y, whose slope is ``k[0]``, and its end; the slope there is ``k[12]``."""
    n = y.size
    for s in range(1, STAGES):
        for m in range(n):
            total = 0.0
            for r in range(s):
                total += A[s, r] * k[r, m]
            y_new[m] = y[m] + h * total
        slopes(i, t + C[s] * h, y_new, k[s], clamped, memory)
    for m in range(n):
        total = 0.0
        for r in range(STAGES):
            total += B[r] * k[r, m]
        y_new[m] = y[m] + h * total
    slopes(i, t + h, y_new, k[STAGES], clamped, memory)


def step_error(y, y_new, h, k, atol):
    """Return the error of a step, 1 being what is allowed."""
    n = y.size
    five = three = 0.0
    for m in range(n):
        scale = atol[m] + RTOL * max(abs(y[m]), abs(y_new[m]))
        e5 = e3 = 0.0
        for r in range(STAGES + 1):
            e5 += E5[r] * k[r, m]
            e3 += E3[r] * k[r, m]
        five += (e5 / scale) ** 2
        three += (e3 / scale) ** 2
    if five == 0.0 and three == 0.0:
        return 0.0
    return abs(h) * five / np.sqrt((five + 0.01 * three) * n)


def dense(i, t, y, y_new, h, k, work, f, clamped, memory):
    """Compute the coefficients of the polynomial within a step."""
    n = y.size
    for extra in range(3):
        s = STAGES + 1 + extra
        for m in range(n):
            total = 0.0
            for r in range(s):
                total += A_EXTRA[extra, r] * k[r, m]
            work[m] = y[m] + h * total
        slopes(i, t + C_EXTRA[extra] * h, work, k[s], clamped, memory)
    for m in range(n):
        change = y_new[m] - y[m]
        f[0, m] = change
        f[1, m] = h * k[0, m] - change
        f[2, m] = 2 * change - h * (k[STAGES, m] + k[0, m])
        for row in range(4):
            total = 0.0
            for s in range(STAGES + 4):
                total += D[row, s] * k[s, m]
            f[3 + row, m] = h * total


def within(y, f, x, out):
    """Write the state at the fraction x of a step."""
    for m in range(y.size):
        total = 0.0
        for row in range(6, -1, -1):
            total += f[row, m]
            total *= x if row % 2 == 0 else 1 - x
        out[m] = y[m] + total


def follow(i, t, y, span, step, atol, clamped, is_looking, memory):
    """Integrate a neuron's equations over a time, or to its first threshold crossing.

    Parameters
    ----------
    i : uint64
        The neuron.
    t : float
        The time of the start [s]; the equations may read it.
    y : float array, shape (n_states,)
        Changed in place.
    span : float
        How long [s].
    step : float
        The first step to try [s]; 0 for one that is found.
    atol : float array, shape (n_states,)
    clamped : bool
        Whether the neuron is refractory.
    is_looking : bool
        Whether to stop where the distance exceeds 0.

    Returns
    -------
    crossing : float
        How long after the start [s]; infinity if there is none (or none was looked for).
    width : float
        Of the bracket around it [s].
    step : float
        The next step to try [s].
    """
    n = y.size
    k, f = np.empty((16, n)), np.empty((7, n))
    y_new, work = np.empty(n), np.empty(n)
    slopes(i, t, y, k[0], clamped, memory)
    done = 0.0
    if step <= 0.0:
        fastest = 0.0
        for m in range(n):
            fastest = max(fastest, abs(k[0, m]) / (abs(y[m]) + 1e3 * atol[m]))
        step = min(1e-4, 0.01 / fastest if fastest > 0 else 1e-4)
    at_start = distance(i, t, y, memory) if is_looking else -1.0
    if at_start > 0:
        return 0.0, 0.0, step
    while done < span:
        h = min(step, span - done)
        is_last = h == span - done
        stages(i, t + done, y, h, k, y_new, clamped, memory)
        error = step_error(y, y_new, h, k, atol)
        if not error <= 1.0:
            step = h * max(0.2, 0.9 * error ** (-1 / 8)) if error < np.inf else 0.2 * h
            if step < SMALLEST:
                y[:] = np.nan
                return np.inf, 0.0, step
            continue
        at_end = -1.0
        if is_looking:
            at_end = distance(i, t + done + h, y_new, memory)
            highest = max(at_start, at_end)
            for m in range(n):
                work[m] = y[m] + h * k[0, m]
            highest = max(highest, distance(i, t + done, work, memory))
            for m in range(n):
                work[m] = y_new[m] - h * k[STAGES, m]
            highest = max(highest, distance(i, t + done, work, memory))
            if not highest <= 0:
                dense(i, t + done, y, y_new, h, k, work, f, clamped, memory)
                low, high = bracket(i, t + done, y, h, f, work, memory)
                if high <= 1.0:
                    within(y, f, high, work)
                    y[:] = work
                    return done + high * h, (high - low) * h + 2.2e-16 * (done + h), step
        grown = h * min(6.0, 0.9 * error ** (-1 / 8) if error > 0 else 6.0)
        step = max(grown, step) if is_last else grown
        done = span if is_last else done + h
        y[:] = y_new
        k[0] = k[STAGES]
        at_start = at_end
    return np.inf, 0.0, step


def bracket(i, t, y, h, f, work, memory):
    """Return a bracket, as fractions of the step, of the first crossing in it; beyond 1 if there is none."""
    before, last = -1.0, 0.0
    earlier, first = -1.0, 0.0
    for part in range(PARTS + 1):
        x = part / PARTS
        within(y, f, x, work)
        now = distance(i, t + x * h, work, memory)
        if part > 0 and now > 0:
            return halved(i, t, y, h, f, work, last, x, memory)
        if part > 1 and before >= earlier and before >= now:
            peak, top = peak_of(i, t, y, h, f, work, first, x, memory)
            if top > 0:
                return halved(i, t, y, h, f, work, first, peak, memory)
        first, earlier = last, before
        last, before = x, now
    return 2.0, 2.0


def halved(i, t, y, h, f, work, low, high, memory):
    """Return a bracket of two neighbouring numbers around the place where the distance becomes positive."""
    while True:
        x = 0.5 * (low + high)
        if not low < x < high:
            return low, high
        within(y, f, x, work)
        if distance(i, t + x * h, work, memory) > 0:
            high = x
        else:
            low = x


def peak_of(i, t, y, h, f, work, low, high, memory):
    """Return where the distance is largest in an interval with one peak, by golden section, and how large."""
    golden = 0.6180339887498949
    a, b = high - golden * (high - low), low + golden * (high - low)
    within(y, f, a, work)
    at_a = distance(i, t + a * h, work, memory)
    within(y, f, b, work)
    at_b = distance(i, t + b * h, work, memory)
    for _ in range(60):
        if at_a > 0:
            return a, at_a
        if at_b > 0:
            return b, at_b
        if at_a > at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            within(y, f, a, work)
            at_a = distance(i, t + a * h, work, memory)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            within(y, f, b, work)
            at_b = distance(i, t + b * h, work, memory)
    return a, at_a


#: In the order in which they call each other.
FUNCTIONS = (stages, step_error, dense, within, halved, peak_of, bracket, follow)
