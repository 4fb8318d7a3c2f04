"""What ends a run of the ``event`` engine, in sentences."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.engines.event_loop as loop
import bionet.spiking.engines.event_queues as queues
from bionet.errors import BionetError, InputError
from bionet.spiking.continuous import Continuous
from bionet.spiking.engines.event_arrivals import FARTHEST, PATHWAYS


def refuse_far(network: Continuous, length: float) -> None:
    """Refuse delays for which there are not windows enough, of a length [s], and pathways that cannot be numbered.

    Raises
    ------
    InputError
    """
    if len(network.delays) > PATHWAYS:
        raise InputError(
            f"the network: got {len(network.delays)} pathways of synapses; expected {PATHWAYS} at most with "
            'engine="event"; put several into one Synapses object'
        )
    for pathway, delays in zip(network.reading.pathways, network.delays, strict=True):
        longest = float(delays.max(initial=0.0))
        if not longest < FARTHEST * length:
            raise InputError(
                f"{pathway.name}: got a delay of {longest:g} s; expected less than {FARTHEST * length:g} s "
                f"beside delays that are as short as {length * 1e3:g} ms"
            )


def refuse_delay(network: Continuous, control: NDArray, length: float) -> NoReturn:
    """Say which synapse had no delay, or no velocity.

    Parameters
    ----------
    network : Continuous
    control : int64 array
        Of the engine.
    length : float
        Of a window [s].

    Raises
    ------
    BionetError
    """
    number, synapse = int(control[queues.WRONG]) - 1, int(control[queues.WHO])
    name = network.reading.pathways[number].name
    now = float(control[queues.WINDOW]) * length
    if number in network.fronts:
        raise BionetError(
            f"{name}: the length or the velocity of synapse {synapse} was no finite number of 0 or more, near "
            f"t = {now:.6g} s; expected code that keeps it within bounds, such as "
            "velocity = clip(velocity, 0.1*meter/second, 100*meter/second)"
        )
    raise BionetError(
        f"{name}: the delay of synapse {synapse} was no time from 0 s on, or {FARTHEST * length:g} s and more, "
        f"when a spike left, near t = {now:.6g} s; expected code that keeps it within bounds, such as "
        "d = clip(d, 1*ms, 20*ms)"
    )


def refuse_hazard(network: Continuous, first: NDArray, negative: NDArray, length: float) -> NoReturn:
    """Say which neuron's rate was none.

    Parameters
    ----------
    network : Continuous
    first : int64 array
        The first unit of each flow.
    negative : int64 array
        The unit plus one, and the window.
    length : float
        Of a window [s].

    Raises
    ------
    BionetError
    """
    unit = int(negative[0]) - 1
    number = int(np.searchsorted(first, unit, "right") - 1)
    raise BionetError(
        f"{network.flows[number].name}: the rate of neuron {unit - int(first[number])} was not 0 or more, or would not "
        f"stay so, near t = {float(negative[1]) * length:.6g} s; expected one that is, as with the threshold "
        "rand() < clip(rate, 0*Hz, 1*GHz)*dt"
    )


def refuse_endless(network: Continuous, first: NDArray, control: NDArray, length: float) -> NoReturn:
    """Say which neuron fires without end.

    Parameters
    ----------
    network : Continuous
    first : int64 array
        The first unit of each flow.
    control : int64 array
        Of the engine.
    length : float
        Of a window [s].

    Raises
    ------
    BionetError
    """
    unit = int(control[queues.WHO])
    number = int(np.searchsorted(first, unit, "right") - 1)
    name, i = network.flows[number].name, unit - int(first[number])
    now = float(control[queues.WINDOW]) * length
    if control[queues.STATUS] == loop.AT_ONCE:
        raise BionetError(
            f"{name}: neuron {i} is above threshold again at the very instant of its spike, near t = {now:.6g} s, "
            "and would fire without end; expected a reset below threshold or a refractory period"
        )
    raise BionetError(
        f"{name}: spikes without delay go round without end, neuron {i} among them, near t = {now:.6g} s; "
        "expected a delay or a refractory period somewhere in the loop"
    )
