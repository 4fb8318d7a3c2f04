r"""Oscillators whose conduction delays learn (Park and Lefebvre 2020).

Each phase is pulled towards the others as they were a delay ago, and delays follow the phases:

    theta_i' = w_0 + (g/N) sum_j sin(theta_j(t - tau_ij) - theta_i)
    tau_ij'  = alpha H(tau_ij) [-(tau_ij - tau_0) + kappa sin(theta_j - theta_i)]

H keeps delays from falling below 0. In phase and without plasticity all turn at the frequency W that solves
W = w_0 - g sin(W tau_0), the sum including i itself. Where phases are locked, every delay has come to
max(0, tau_0 + kappa sin(theta_j - theta_i)).

These are no spikes, so there is nothing for Brian2 here: `Oscillators` integrates delays of its own. A step is Heun's;
the past is kept on the steps and read between them by cubic polynomials through values and slopes, and beyond the last
one along its slope. A locked state does not depend on the step.

==================  ==========================================  ======================================================
what                here                                        why
==================  ==========================================  ======================================================
H                   x^2 (3 - 2x), x = tau/eps up to 1, for      a delay of 0 could never grow again otherwise
                    falling delays; 1 for growing ones
the past of t = 0   every phase turning at w_0                  something must have been
==================  ==========================================  ======================================================

References
----------
S. H. Park, J. Lefebvre, "Synchronization and resilience in the Kuramoto white matter network model with adaptive
state-dependent delays", Journal of Mathematical Neuroscience 10, 16 (2020).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from bionet.errors import InputError
from bionet.random import Stream

PUBLISHED: dict[str, float] = {}
"""None: the paper's figures are curves."""
EXACT = {"network": 0.86970817, "pair, in phase": 0.43081815, "pair, anti-phase": 1.33745056}
"""Frequencies without plasticity, roots of the equations: w_0 1; g 1.5, tau_0 0.1; and g/2 0.75 without the oscillator
itself, tau_0 2."""
COMPUTED = {"order parameter, t 0": 0.970, "order parameter, t 300": 0.996, "delays at 0": 1 / 3}
"""With plasticity, by a program of another kind; not settled at t 300."""

Floats = NDArray[np.float64]


def frequency(w_0: float = 1.0, g: float = 1.5, tau_0: float = 0.1) -> float:
    """Return the lowest frequency at which oscillators in phase can turn, their delays all tau_0.

    Examples
    --------
    >>> round(frequency(), 8), round(frequency(g=0.75, tau_0=2.0), 8), round(frequency(g=-0.75, tau_0=2.0), 8)
    (0.86970817, 0.43081815, 1.33745056)
    """
    grid = np.linspace(w_0 - abs(g), w_0 + abs(g), 10_001)
    miss = w_0 - g * np.sin(grid * tau_0) - grid
    k = int(np.flatnonzero(miss[:-1] * miss[1:] <= 0)[0])
    return float(brentq(lambda w: w_0 - g * np.sin(w * tau_0) - w, grid[k], grid[k + 1], xtol=1e-15))


class Oscillators:
    """A network of oscillators with delays that learn.

    Parameters
    ----------
    coupling : array, shape (n, n)
        g a_ij / N, of j on i.
    w_0 : float
        Natural frequency.
    alpha : float
        How fast delays learn; 0 for never.
    tau_0, kappa, eps : float
        The delay without drive, its gain, and the width of the gate at 0.
    phases : array, shape (n,), optional
        At t = 0; drawn if not given.
    step : float
    seed : int

    Attributes
    ----------
    t : float
    phases, delays : arrays, shape (n,), (n, n)

    Examples
    --------
    >>> pair = Oscillators(0.75 * (1 - np.eye(2)), tau_0=2.0, alpha=0.0, phases=[0.0, 0.1])
    >>> pair.run(60.0)
    >>> round(pair.frequency(), 4)
    0.4308
    """

    def __init__(
        self,
        coupling: ArrayLike,
        w_0: float = 1.0,
        alpha: float = 0.5,
        tau_0: float = 0.1,
        kappa: float = 80.0,
        eps: float = 0.01,
        phases: ArrayLike | None = None,
        step: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.coupling = np.asarray(coupling, float)
        n = len(self.coupling)
        if self.coupling.shape != (n, n):
            raise InputError(f"Oscillators.coupling: got shape {self.coupling.shape}; expected a square")
        for name, value in {"step": step, "eps": eps}.items():
            if not value > 0:
                raise InputError(f"Oscillators.{name}: got {value}; expected a number above 0, such as 0.01")
        self.w_0, self.alpha, self.tau_0, self.kappa, self.eps, self.step = w_0, alpha, tau_0, kappa, eps, step
        drawn = 2 * np.pi * Stream(seed, "park_lefebvre").uniform(n)
        self.phases = drawn if phases is None else np.array(phases, float)
        self.delays = np.full((n, n), float(tau_0))
        self.n_steps = 0
        self._past, self._slopes = np.zeros((1024, n)), np.zeros((1024, n))
        self._past[0] = self.phases
        self._slopes[0] = self._slope(0.0, self.phases, self.delays)

    @property
    def t(self) -> float:
        """The time."""
        return self.n_steps * self.step

    def run(self, duration: float) -> None:
        """Go on for a time, to the nearest step."""
        for _ in range(round(duration / self.step)):
            self._go()

    def frequency(self) -> float:
        """Return the mean frequency now."""
        return float(self._slopes[self.n_steps].mean())

    def order(self) -> float:
        """Return the order parameter, |mean exp(i theta)|: 1 in phase."""
        return float(abs(np.exp(1j * self.phases).mean()))

    def residual(self) -> Floats:
        """Return how far each delay is from where it stays if phases are locked, shape (n, n)."""
        return self.delays - np.maximum(0.0, self.tau_0 + self.kappa * np.sin(self.phases - self.phases[:, None]))

    def _go(self) -> None:
        k = self.n_steps
        if k + 2 > len(self._past):
            self._past, self._slopes = (
                np.concatenate([each, np.empty_like(each)]) for each in (self._past, self._slopes)
            )
        h, slope = self.step, self._slopes[k]
        change = self._learn(self.phases, self.delays)
        # The end of the step, first along the slopes of its beginning, then along the mean of both.
        phases, delays = self.phases + h * slope, np.maximum(self.delays + h * change, 0.0)
        end = self._slope(self.t + h, phases, delays)
        self.phases = self.phases + h / 2 * (slope + end)
        self.delays = np.maximum(self.delays + h / 2 * (change + self._learn(phases, delays)), 0.0)
        self.n_steps = k + 1
        self._past[k + 1], self._slopes[k + 1] = self.phases, end
        self._slopes[k + 1] = self._slope(self.t, self.phases, self.delays)

    def _slope(self, t: float, phases: Floats, delays: Floats) -> Floats:
        back = self._before(t - delays)
        # No delay is no look back, whatever the step: the present phases are what they are.
        back = np.where(delays == 0, phases, back)
        return self.w_0 + (self.coupling * np.sin(back - phases[:, None])).sum(axis=1)

    def _before(self, times: Floats) -> Floats:
        """Return the phase of each column's oscillator at times, shape (n, n)."""
        j = np.broadcast_to(np.arange(times.shape[1]), times.shape)
        k = np.clip(np.floor(times / self.step).astype(int), 0, max(self.n_steps - 1, 0))
        x = times / self.step - k
        here, rise = self._past[k, j], self.step * self._slopes[k, j]
        if self.n_steps == 0:
            here = here + x * rise
        else:
            there, fall = self._past[k + 1, j], self.step * self._slopes[k + 1, j]
            jump = there - here
            inside = here + x * (rise + x * ((3 * jump - 2 * rise - fall) + x * (rise + fall - 2 * jump)))
            here = np.where(x > 1, there + (x - 1) * fall, inside)
        return np.where(times < 0, self._past[0] + self.w_0 * times, here)

    def _learn(self, phases: Floats, delays: Floats) -> Floats:
        if self.alpha == 0:
            return np.zeros_like(delays)
        drive = self.alpha * (self.tau_0 - delays + self.kappa * np.sin(phases - phases[:, None]))
        x = np.clip(delays / self.eps, 0.0, 1.0)
        return np.where(drive < 0, x * x * (3 - 2 * x), 1.0) * drive


def build(n: int = 40, g: float = 1.5, alpha: float = 0.5, seed: int = 0, step: float = 0.01) -> Oscillators:
    """Build the network of the paper: all to all, w_0 1, tau_0 0.1, kappa 80.

    Parameters
    ----------
    n : int
    g : float
    alpha : float
        0 for delays that stay.
    seed : int
    step : float
    """
    return Oscillators(np.full((n, n), g / n), alpha=alpha, seed=seed, step=step)
