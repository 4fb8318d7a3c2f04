"""What delays that change while the network runs cost, beside fixed ones, in one network: python changing_delays.py.

Sources fire at random; each is connected to targets that only add up what reaches them, by a million synapses with
delays of their own. ``plain``: the delays stay, and so does everything else. ``fixed``: they stay, and each spike that
arrives changes a variable of its synapse. ``emission``: that variable is the delay. ``front``: it is the velocity, and
spikes under way go on with it. All take turns; times are processor time of the loop alone, in seconds for a biological
second, the least of all rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, Synapses, meter, ms, second, set_device

import bionet.spiking
from bionet.random import Stream

KINDS = ("plain", "fixed", "emission", "front")
_MODEL = {
    "plain": "",
    "fixed": "d : second\nd_0 : second",
    "emission": "d : second\nd_0 : second",
    "front": "c : meter/second\npath : meter",
}
_DELAY = "v_post += 1e-3; d = d + 0.1*(d_0 - d) + 0.01*d*rand()"
_CODE = {
    "plain": "v_post += 1e-3",
    "fixed": _DELAY,
    "emission": _DELAY,
    "front": "v_post += 1e-3; c = c + 0.1*(1*meter/second - c) + 0.01*c*rand()",
}


def network(kind: str, n: int = 10_000, per_source: int = 100, rate: float = 10.0) -> Network:
    """Return a network of ``n`` sources of a rate [Hz], each with synapses onto as many random targets.

    Examples
    --------
    >>> sorted(each.name for each in network("fixed", n=4, per_source=2).objects if "pre" not in each.name)[:1]
    ['synapses']
    """
    stream = Stream(1, "changing_delays")
    sources = PoissonGroup(n, rate * Hz, name="sources")
    targets = NeuronGroup(n, "dv/dt = -v/(10*ms) : 1", method="exact", name="targets")
    synapses = Synapses(sources, targets, _MODEL[kind], on_pre=_CODE[kind], name="synapses")
    synapses.connect(i=np.repeat(np.arange(n), per_source), j=(n * stream.uniform(n * per_source)).astype(int))
    delays = (1 + 19 * stream.uniform(n * per_source, 1)) * ms
    if kind in ("plain", "fixed"):
        synapses.delay = delays
    if kind in ("fixed", "emission"):
        synapses.d = synapses.d_0 = delays
    if kind == "emission":
        bionet.spiking.conduction(synapses, delay="d")
    elif kind == "front":
        synapses.c = 1 * meter / second
        synapses.path = delays * (1 * meter / second)
        bionet.spiking.conduction(synapses, length="path", velocity="c", in_flight="front")
    return Network(sources, targets, synapses)


def seconds(n: int = 10_000, per_source: int = 100, rate: float = 10.0, rounds: int = 3) -> dict[str, float]:
    """Return the processor time of a biological second for each kind [s].

    Parameters
    ----------
    n, per_source : int
        Sources (and targets), and synapses of each.
    rate : float
        Of each source [Hz].
    rounds : int
        How often each has its turn.
    """
    runs: dict[str, Callable[[float], None]] = {}
    for kind in KINDS:
        net = network(kind, n, per_source, rate)
        net.run(50 * ms)
        runs[kind] = lambda duration, net=net: net.run(duration * second)
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind, run in runs.items():
            spent = []
            # What a run costs to begin and end is in both; the rest is the loop.
            for duration in (0.01, 0.51):
                before = time.process_time()
                run(duration)
                spent.append(time.process_time() - before)
            found[kind].append((spent[1] - spent[0]) / 0.5)
    return {kind: min(each) for kind, each in found.items()}


def main() -> None:
    """Print the times, and how they compare."""
    set_device("bionet", engine="event", seed=1)
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    took = seconds(rate=rate)
    print(f"a million synapses, {rate:g} Hz")
    for kind, each in took.items():
        print(f"{kind:<9} {each:8.3f} s/s   {each / took['fixed']:5.2f} of fixed")


if __name__ == "__main__":
    main()
