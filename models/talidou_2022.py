"""Myelin that follows activity (Talidou, Frankland, Mabbott and Lefebvre 2022).

Each axon's conduction velocity falls to a least one and rises with its spikes, the more the longer it is:

    c' = a_r (c_min - c) + a_f epsilon X(t) l / c,      delay = l / c,

X the spikes of the axon's neuron. At a mean rate r it settles at

    c* = (c_min + sqrt(c_min^2 + 4 (a_f/a_r) epsilon r l)) / 2,

so that delays grow as the square root of the length only: long axons gain most.

A spike here is an instant: it adds a_f epsilon l/c to the velocity of each axon of its neuron as it leaves, the
velocity relaxes in between, and spikes under way are fronts that go on with it (``in_flight="front"``). The rule is
Brian2's own text: ``MODEL`` and ``MYELINATE``.

==================  ==========================================  ======================================================
what                here                                        why
==================  ==========================================  ======================================================
X(t)                a sum of instants, in spikes per ms         there are no steps; r is a mean rate in 1/ms
delay               a real number, and changing under way       the authors' program floors it to whole steps
spikes of the       by the theorem of random time: a cell       exact for a rate that depends on the state, without
network             fires when the integral of its rate         steps
                    reaches an exponential number
tau_m               10 ms                                       ours; the mean does not depend on it
==================  ==========================================  ======================================================

References
----------
A. Talidou, P. W. Frankland, D. Mabbott, J. Lefebvre, "Homeostatic coordination and up-regulation of neural activity by
activity-dependent myelination", Nature Computational Science 2, 665-676 (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    Synapses,
    TimedArray,
    meter,
    mmeter,
    ms,
    second,
)
from numpy.typing import ArrayLike, NDArray

import bionet.spiking
from bionet.errors import InputError
from bionet.random import Stream

PUBLISHED = {(0.1, 10.0): (0.600, 16.67), (1.0, 10.0): (1.783, 5.61), (0.1, 20.0): (0.826, 24.21)}
"""By rate [1/ms] and length [mm]: velocity [m/s] and delay [ms] at the fixed point, from the authors' repository."""

C_MIN, C_MAX, EPSILON = 0.1, 100.0, 0.3  # [m/s], [m/s], [m/s per ms]
CONSTANTS = {"c_min": C_MIN * meter / second, "c_max": C_MAX * meter / second, "epsilon": EPSILON * meter / second / ms}
MODEL = """
dc/dt = a_r*(c_min - c) : meter/second (event-driven)
length : meter (constant)
weight : 1 (constant)
"""
MYELINATE = "c = clip(c + a_f*epsilon*length/c, c_min, c_max)"
NEURONS = """
du/dt = (drive(t) - u)/tau_m : 1
dspent/dt = rate : 1
rate = 1/(1 + exp(-25*(u - 0.1)))/ms : Hz
enough : 1
"""


def fixed_point(rate: ArrayLike, length: ArrayLike, ratio: float = 1.0) -> NDArray[np.float64]:
    """Return the velocity at which loss and gain are level [m/s].

    Parameters
    ----------
    rate : array
        Spikes per ms.
    length : array
        In mm.
    ratio : float
        a_f/a_r, dimensionless.

    Examples
    --------
    >>> fixed_point([0.1, 1.0, 0.1], [10, 10, 20]).round(3).tolist()
    [0.6, 1.783, 0.826]
    """
    gain = 4 * ratio * EPSILON * np.asarray(rate, float) * np.asarray(length, float)
    return (C_MIN + np.sqrt(C_MIN**2 + gain)) / 2


def myelinated(source: object, target: object, on_pre: str, a_r: float, a_f: float, **options: object) -> Synapses:
    """Return synapses without connections yet, whose axons are myelinated by their spikes; ``S.length`` is to be set.

    Parameters
    ----------
    source, target : brian2.Group
    on_pre : str
        What an arrival does.
    a_r, a_f : float
        Loss and gain [1/ms], such as 1e-7.
    **options
        As `brian2.Synapses` takes them.

    Raises
    ------
    InputError
        If a rate is negative.
    """
    for name, value in {"a_r": a_r, "a_f": a_f}.items():
        if not value >= 0:
            raise InputError(f"talidou_2022.{name}: got {value}; expected a number of 0 or more, such as 1e-7")
    code = {"pre": on_pre, "myelinate": MYELINATE}
    constants = {**CONSTANTS, "a_r": a_r / ms, "a_f": a_f}
    axons = Synapses(source, target, MODEL, on_pre=code, namespace=constants, **options)
    bionet.spiking.conduction(axons.pre, length="length", velocity="c", in_flight="front")
    return axons


@dataclass(frozen=True)
class Myelinated:
    """A network, its neurons, axons, and what is recorded."""

    network: Network
    neurons: NeuronGroup | SpikeGeneratorGroup
    axons: Synapses
    spikes: SpikeMonitor


def driven(rate: float, lengths: ArrayLike, n_spikes: int, a: float = 1e-4, gain: float = 1e-4) -> Myelinated:
    """Build axons of several lengths that carry one regular train; ``spikes`` are their arrivals.

    Parameters
    ----------
    rate : float
        Spikes per ms.
    lengths : array
        In mm.
    n_spikes : int
    a, gain : float
        a_r and a_f [1/ms].
    """
    lengths = np.atleast_1d(np.asarray(lengths, float))
    source = SpikeGeneratorGroup(1, np.zeros(n_spikes, int), np.arange(1, n_spikes + 1) / rate * ms)
    ends = NeuronGroup(len(lengths), "dv/dt = -v/(10*ms) : 1", threshold="v > 0.5", reset="v = 0", method="exact")
    axons = myelinated(source, ends, "v_post += 1", a, gain, name="driven_axons")
    axons.connect()
    axons.length, axons.c = lengths * mmeter, fixed_point(rate, lengths, gain / a) * meter / second
    arrivals = SpikeMonitor(ends)
    return Myelinated(Network(source, ends, axons, arrivals), source, axons, arrivals)


def build(
    n: int = 100,
    side: float = 10.0,
    probability: float = 0.15,
    weight: float = 0.21,
    stimulus: float = 0.1,
    duration: float = 100.0,
    a_r: float = 1e-7,
    a_f: float = 1e-7,
    tau_m: float = 10.0,
    seed: int = 0,
) -> Myelinated:
    """Build the network, to be run by ``set_device("bionet", engine="event")``.

    Parameters
    ----------
    n : int
        Neurons, at random places in a cube.
    side : float
        Of the cube [mm].
    probability : float
        Of a connection.
    weight : float
        Of all that a neuron receives, on average: the input at one spike per ms of all, dimensionless. The mean rate r
        solves r = f(weight r + input); at 0.21 it has two stable solutions, and a strong stimulus may leave the network
        in the upper one; at 0.1 it has one.
    stimulus : float
        Input in the second quarter of the run, dimensionless.
    duration : float
        Of the run [s].
    a_r, a_f : float
        Loss and gain of velocity [1/ms].
    tau_m : float
        Of the membrane [ms].
    seed : int

    Raises
    ------
    InputError
        If a rate is negative.
    """
    stream = Stream(seed, "talidou")
    places = side * stream.uniform((n, 3), 0)
    i, j = np.nonzero((stream.uniform((n, n), 1) < probability) & ~np.eye(n, dtype=bool))
    constants = {
        "tau_m": tau_m * ms,
        "drive": TimedArray(np.array([0.0, stimulus, 0.0, 0.0]), dt=duration / 4 * second),
    }
    neurons = NeuronGroup(
        n,
        NEURONS,
        threshold="spent > enough",
        reset="spent = 0\nenough = -log(rand())",
        method="euler",
        namespace=constants,
        name="neurons",
    )
    neurons.enough = -np.log1p(-stream.uniform(n, 2))
    axons = myelinated(neurons, neurons, "u_post += weight", a_r, a_f, name="axons")
    axons.connect(i=i, j=j)
    axons.length = np.linalg.norm(places[i] - places[j], axis=1) * mmeter
    axons.weight = weight / probability / n / tau_m
    # Near where it settles at the rate without input.
    rate = 1 / (1 + np.exp(2.5))
    axons.c = fixed_point(rate, np.asarray(axons.length) * 1e3, a_f / a_r if a_r else 1.0) * meter / second
    spikes = SpikeMonitor(neurons)
    return Myelinated(Network(neurons, axons, spikes), neurons, axons, spikes)
