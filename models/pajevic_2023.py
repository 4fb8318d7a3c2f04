"""Myelin that brings spikes in step: oligodendrocyte-mediated plasticity (Pajevic, Plenz, Basser and Fields 2023).

Axons pass through a chain of oligodendrocytes. A cell answers to every spike of its axons with G(t), a rise and a fall;
an axon's myelin factor m gains what is there of G when a spike of its own enters, the spike's own part left out; the
latency of the segment falls while m is high and rises otherwise. So an axon whose spikes come late, after those of the
others, becomes faster, and one that is early, slower:

    G(t)  = c (exp(-b t) - exp(-a t)) / (a - b),   a = (t_d + t_r)/(t_d t_r),  b = 1/t_d,  c = Q (t_d + t_r)/(t_r t_d^2)
    m'    = -l_a m,                                m += l_m G at a spike
    tau'  = [r (t_max - tau) - l_a m (tau - t_min)] / (t_max - t_min)
    r'    = l_h r (t_nom - mean tau)

All of it is Brian2's own text, run without steps of time: the delay of a segment is an expression, its latency at the
moment at which a spike enters (``SEGMENTS``).

==================  ==========================================  ======================================================
what                here                                        why
==================  ==========================================  ======================================================
tau between spikes  solved, the integral by Simpson's rule      its closed form is an incomplete gamma function; the
                                                                error is below 1e-6 ms a spike
r                   set each second, from the mean then         it changes by some 1e-3 in an epoch
delay               the latency, not less t_nom/5               delays cannot be negative; all axons shift alike
==================  ==========================================  ======================================================

References
----------
S. Pajevic, D. Plenz, P. J. Basser, R. D. Fields, "Oligodendrocyte-mediated myelin plasticity and its role in neural
synchronization", eLife 12, e81982 (2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from brian2 import (
    Network,
    NetworkOperation,
    NeuronGroup,
    SpikeGeneratorGroup,
    Synapses,
    ms,
    second,
)
from numpy.typing import NDArray

import bionet.spiking
from bionet.errors import InputError
from bionet.random import Stream

PUBLISHED: dict[str, float] = {}
"""None: the paper's figures are curves; its claim is that common trains fall into step and independent ones do not."""
COMPUTED = {
    "common, start": (5.0, 0.0),
    "common, 10 epochs": (1.8, 0.5),
    "common, 40 epochs": (1.3, 0.5),
    "independent, 10 epochs": (5.0, 0.2),
}
"""Spread of offset and latency over the axons [ms], mean and standard deviation over 12 seeds, from the equations, by a
program of another kind: epochs of 10 s, l_a 0.1, l_m 0.1, t_d = t_r = 30 ms, mean interval 100 ms."""

N_AXONS, N_CELLS, EPOCH = 10, 5, 10 * second
CONSTANTS = {
    "t_min": 3 * ms / N_CELLS,
    "t_max": 100 * ms / N_CELLS,
    "l_a": 0.1 / ms,
    "l_m": 0.1 * ms,
}
T_NOM = 50 * ms / N_CELLS
L_H = 1e-6 / ms**2

NODES = """
dv/dt = -v/(10*ms) : 1
drise/dt = -rise*(t_d + t_r)/(t_d*t_r) : 1
dfall/dt = -fall/t_d : 1
r : Hz
"""
SEGMENTS = """
tau : second
m : 1
since : second
h = t - since : second
half = exp(-(r_pre*h/2 + m*(exp(-l_a*h/2) - exp(-l_a*h)))*ms/(t_max - t_min)) : 1
whole = exp(-(r_pre*h + m*(1 - exp(-l_a*h)))*ms/(t_max - t_min)) : 1
latency = t_min + (tau - t_min)*whole + r_pre*h*ms*(1 + 4*half + whole)/6 : second
G = (fall_pre - rise_pre)*(t_d + t_r)/t_d**2 : Hz
"""
ENTER = """
tau = latency
m = m*exp(-l_a*h) + l_m*G
since = t
"""


@dataclass(frozen=True)
class Chain:
    """The network, and what is looked at.

    Attributes
    ----------
    network : Network
    segments : Synapses
        One for each axon and cell: cell after cell.
    offsets : array, shape (n_axons,)
        How late each axon's spikes set out [s].
    """

    network: Network
    segments: Synapses
    offsets: NDArray[np.float64]

    def spread(self) -> float:
        """Return the standard deviation over axons of offset and latency [s]."""
        return float(np.std(self.offsets + np.asarray(self.segments.tau).reshape(N_CELLS, N_AXONS).sum(axis=0)))


def trains(n_epochs: int, common: bool, interval: float, jitter: float, spread: float, seed: int) -> tuple:
    """Return when spikes set out [s], on which axon, and the axons' offsets [s].

    Parameters
    ----------
    n_epochs : int
        Of 10 s.
    common : bool
        All axons carry one Poisson train; else each its own.
    interval, jitter, spread : float
        The mean time between spikes, the jitter of each, and the standard deviation of the offsets [s].
    seed : int

    Examples
    --------
    >>> t, i, offsets = trains(1, True, 0.1, 1e-3, 5e-3, seed=1)
    >>> round(float(np.std(offsets)) * 1e3, 12), np.bincount(i).min() == np.bincount(i).max()
    (5.0, np.True_)
    """
    stream, length = Stream(seed, "pajevic"), n_epochs * float(EPOCH)
    offsets = stream.normal(N_AXONS)
    offsets = (offsets - offsets.mean()) * spread / offsets.std()
    most = int(length / interval + 10 * (length / interval) ** 0.5 + 10)
    gaps = -interval * np.log1p(-stream.uniform((N_AXONS, most), 1))
    times = np.cumsum(gaps[[0] * N_AXONS] if common else gaps, axis=1)
    shifted = 0.05 + times + offsets[:, None] + jitter * stream.normal((N_AXONS, most), 2)
    axon, k = np.nonzero((times < length - 0.1) & (shifted > 0))
    return shifted[axon, k], axon, offsets


def build(
    n_epochs: int = 10,
    common: bool = True,
    t_d: float = 30e-3,
    t_r: float = 30e-3,
    interval: float = 0.1,
    jitter: float = 1e-3,
    spread: float = 5e-3,
    seed: int = 0,
) -> Chain:
    """Build axons and oligodendrocytes, to be run by ``set_device("bionet", engine="event")``.

    Parameters
    ----------
    n_epochs : int
        For how many epochs of 10 s spikes are drawn.
    common : bool
        All axons carry one Poisson train, or each its own.
    t_d, t_r : float
        Decay and rise of a cell's response [s].
    interval, jitter, spread : float
        Of the spikes, see `trains` [s].
    seed : int

    Raises
    ------
    InputError
        If a time is not positive.
    """
    for name, value in {"t_d": t_d, "t_r": t_r, "interval": interval, "n_epochs": n_epochs}.items():
        if not value > 0:
            raise InputError(f"pajevic_2023.build.{name}: got {value}; expected a number above 0")
    times, axons, offsets = trains(n_epochs, common, interval, jitter, spread, seed)
    constants = {**CONSTANTS, "t_d": t_d * second, "t_r": t_r * second}
    source = SpikeGeneratorGroup(N_AXONS, axons, times * second)
    # Node k * N_AXONS + i is where axon i enters the segment of cell k, and holds that cell's response; behind the last
    # cell an axon ends.
    n_nodes = N_AXONS * (N_CELLS + 1)
    nodes = NeuronGroup(
        n_nodes, NODES, threshold="v > 0.5", reset="v = 0", method="exact", namespace=constants, name="nodes"
    )
    nodes.r = CONSTANTS["l_m"] * N_AXONS / (interval * second) ** 2
    start = Synapses(source, nodes, on_pre="v_post += 1", name="start")
    start.connect(i=np.arange(N_AXONS), j=np.arange(N_AXONS))
    segments = Synapses(
        nodes, nodes, SEGMENTS, on_pre={"pre": "v_post += 1", "enter": ENTER}, namespace=constants, name="segments"
    )
    enters = np.arange(N_AXONS * N_CELLS)
    segments.connect(i=enters, j=enters + N_AXONS)
    segments.tau = float(T_NOM) * (1 + 0.05 * Stream(seed, "pajevic/tau").normal(len(enters))) * second
    bionet.spiking.conduction(segments.pre, delay="latency")
    # A cell answers after the spike has looked at what was there before.
    answer = Synapses(nodes, nodes, on_pre="rise_post += 1; fall_post += 1", name="answer", order=1)
    answer.connect(condition="i // n_axons == j // n_axons", namespace={"n_axons": N_AXONS})

    def keep_the_mean() -> None:
        mean = np.asarray(segments.latency).reshape(N_CELLS, N_AXONS).mean(axis=1)
        nodes.r[: len(enters)] *= np.exp(float(L_H) * (float(T_NOM) - mean)).repeat(N_AXONS)

    homeostasis = NetworkOperation(keep_the_mean, dt=1 * second)
    return Chain(Network(source, nodes, start, segments, answer, homeostasis), segments, offsets)
