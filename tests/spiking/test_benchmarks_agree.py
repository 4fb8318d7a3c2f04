"""The deterministic benchmark networks, spike for spike as Brian2's numpy target runs them.

CUBA, COBA and COBAHH are those of Brette et al. 2007 (J Comput Neurosci 23:349) in the form of Brian2's examples, with
fewer neurons and the same number of inputs per neuron. Connections and initial values are drawn beforehand.
"""

from functools import partial

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    mV,
    nS,
)

from bionet.random import Stream
from tests.spiking.agreement import differences, run_on

N_INPUTS = 80


def uniform(name: str, n: int, low: float, high: float) -> np.ndarray:
    return low + (high - low) * Stream(1, f"tests/benchmarks/{name}").uniform(n)


def normal(name: str, n: int) -> np.ndarray:
    return Stream(1, f"tests/benchmarks/{name}").normal(n)


def monitored(neurons: NeuronGroup, excite: str, inhibit: str, delays: float = 0) -> list:
    """Connect each neuron to 80 others, four of five of them excitatory, with delays up to so many ms; and record."""
    n = len(neurons)
    objects = [neurons, SpikeMonitor(neurons, name="spikes"), PopulationRateMonitor(neurons[: n // 2], name="rate")]
    for name, start, stop, code in (("excitation", 0, n * 4 // 5, excite), ("inhibition", n * 4 // 5, n, inhibit)):
        synapses = Synapses(neurons[start:stop], neurons, on_pre=code, name=name)
        stream = Stream(1, f"tests/benchmarks/{name}")
        heard = N_INPUTS * (stop - start) // n
        i = np.concatenate([np.sort(stream.permutation(stop - start, step=j)[:heard]) for j in range(n)])
        synapses.connect(i=i, j=np.repeat(np.arange(n), heard))
        if delays:
            synapses.delay = uniform(f"{name}/delays", len(i), 0.1, delays) * ms
        objects.append(synapses)
    return objects


def cuba(n: int = 800, delays: float = 0, refractory: str = "5*ms", method: str = "exact") -> Network:
    """Build the network of exponential synaptic currents."""
    equations = """
    dv/dt = (ge + gi - (v + 49*mV))/(20*ms) : volt (unless refractory)
    dge/dt = -ge/(5*ms) : volt
    dgi/dt = -gi/(10*ms) : volt
    t_ref : second (constant)"""
    conditions = {"threshold": "v > -50*mV", "reset": "v = -60*mV", "refractory": refractory}
    neurons = NeuronGroup(n, equations, **conditions, method=method, name="neurons")
    neurons.v = uniform("v", n, -60, -50) * mV
    neurons.t_ref = uniform("t_ref", n, 0, 8) * ms
    traces = StateMonitor(neurons, ("v", "ge"), record=[0, 7, n - 1], name="traces")
    return Network(traces, monitored(neurons, "ge += 1.62*mV", "gi -= 9*mV", delays))


def coba(n: int = 800, delays: float = 0, method: str = "exponential_euler") -> Network:
    """Build the network of exponential synaptic conductances."""
    equations = """
    dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV) + 20*mV)/(20*ms) : volt (unless refractory)
    dge/dt = -ge/(5*ms) : 1
    dgi/dt = -gi/(10*ms) : 1"""
    conditions = {"threshold": "v > -50*mV", "reset": "v = -60*mV", "refractory": 5 * ms}
    neurons = NeuronGroup(n, equations, **conditions, method=method, name="neurons")
    neurons.v = -60 * mV + (5 * normal("v", n) - 5) * mV
    neurons.ge = 4 + 1.5 * normal("ge", n)
    neurons.gi = 20 + 12 * normal("gi", n)
    traces = StateMonitor(neurons, "v", record=[0, 7], dt=1 * ms, when="end", name="traces")
    return Network(traces, monitored(neurons, "ge += 0.6", "gi += 6.7", delays))


def cobahh(n: int = 400) -> Network:
    """Build the network of Hodgkin-Huxley neurons with exponential conductances; 20,000 um2 of membrane."""
    equations = """
    dv/dt = (10*nS*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v)
        - 20*uS*(m*m*m)*h*(v - 50*mV) - 6*uS*(n*n*n*n)*(v + 90*mV))/(200*pF) : volt
    dm/dt = alpha_m*(1 - m) - beta_m*m : 1
    dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    dh/dt = alpha_h*(1 - h) - beta_h*h : 1
    dge/dt = -ge/(5*ms) : siemens
    dgi/dt = -gi/(10*ms) : siemens
    alpha_m = 0.32*4/exprel((13*mV - v - 63*mV)/(4*mV))/ms : Hz
    beta_m = 0.28*5/exprel((v + 63*mV - 40*mV)/(5*mV))/ms : Hz
    alpha_h = 0.128*exp((17*mV - v - 63*mV)/(18*mV))/ms : Hz
    beta_h = 4./(1 + exp((40*mV - v - 63*mV)/(5*mV)))/ms : Hz
    alpha_n = 0.032*5/exprel((15*mV - v - 63*mV)/(5*mV))/ms : Hz
    beta_n = 0.5*exp((10*mV - v - 63*mV)/(40*mV))/ms : Hz"""
    conditions = {"threshold": "v > -20*mV", "refractory": 3 * ms}
    neurons = NeuronGroup(n, equations, **conditions, method="exponential_euler", name="neurons")
    neurons.v = -60 * mV + (5 * normal("v", n) - 5) * mV
    neurons.ge = (4 + 1.5 * normal("ge", n)) * 10 * nS
    neurons.gi = (20 + 12 * normal("gi", n)) * 10 * nS
    traces = StateMonitor(neurons, ("v", "m"), record=[1], name="traces")
    return Network(traces, monitored(neurons, "ge += 6*nS", "gi += 67*nS"))


def stdp(n_inputs: int = 300, n: int = 4) -> Network:
    """Build Brian2's example of pair-based STDP with event-driven traces; delays before and after the synapse."""
    spikes = Stream(1, "tests/benchmarks/inputs")
    # 20 Hz for 1 s, in steps of 1 ms: no neuron twice in a step.
    steps, indices = np.nonzero(spikes.uniform((1000, n_inputs)) < 0.02)
    inputs = SpikeGeneratorGroup(n_inputs, indices, steps * ms, name="inputs")
    equations = """
    dv/dt = (ge*(0*mV - v) - 74*mV - v)/(10*ms) : volt
    dge/dt = -ge/(5*ms) : 1"""
    neurons = NeuronGroup(n, equations, threshold="v > -54*mV", reset="v = -60*mV", method="euler", name="neurons")
    neurons.v = -70 * mV
    synapses = Synapses(
        inputs,
        neurons,
        """w : 1
        dapre/dt = -apre/(20*ms) : 1 (event-driven)
        dapost/dt = -apost/(20*ms) : 1 (event-driven)""",
        on_pre="ge += w; apre += 0.001; w = clip(w + apost, 0, 0.1)",
        on_post="apost -= 0.00105; w = clip(w + apre, 0, 0.1)",
        name="synapses",
    )
    synapses.connect()
    synapses.w = uniform("w", len(synapses), 0, 0.1)
    synapses.pre.delay = uniform("pre", len(synapses), 0.1, 5) * ms
    synapses.post.delay = uniform("post", len(synapses), 0.1, 2) * ms
    return Network(
        inputs,
        neurons,
        synapses,
        SpikeMonitor(inputs, name="input_spikes"),
        SpikeMonitor(neurons, variables="ge", name="spikes"),
        StateMonitor(synapses, ("w", "apre"), record=[0, 11, 1003], dt=5 * ms, name="traces"),
    )


def run(build, milliseconds: float = 300) -> Network:
    net = build()
    net.run(milliseconds * ms)
    return net


def run_with_changes(build) -> Network:
    """Run three times, with weights, delays, states and a parameter changed in between, spikes in flight."""
    net = build()
    net.run(100 * ms)
    net["neurons"].v[::3] = -51 * mV
    net["neurons"].t_ref *= 0.5
    net["inhibition"].delay = "0.5*ms + 0.1*ms*(j % 17)"
    net.run(0.1 * ms)
    net["excitation"].active = False
    net.run(20 * ms)
    net["excitation"].active = True
    net.run(80 * ms)
    return net


def run_stored_and_restored(build) -> Network:
    """Store with spikes in flight, go on, go back, go on otherwise."""
    net = build()
    net.run(60 * ms)
    net.store("here")
    net.run(40 * ms)
    net.restore("here")
    net["neurons"].v[:50] -= 3 * mV
    net.run(100 * ms)
    return net


CASES = {
    "CUBA": partial(run, cuba),
    "CUBA, refractory on a condition": partial(
        run, partial(cuba, refractory="t - lastspike < t_ref or ge > 9*mV"), 200
    ),
    "CUBA, changed between runs": partial(run_with_changes, partial(cuba, delays=3, refractory="t_ref")),
    "COBA": partial(run, coba),
    "COBA, stored and restored": partial(run_stored_and_restored, partial(coba, delays=2)),
    "COBAHH": partial(run, partial(cobahh, 160), 60),
    "STDP": partial(run, stdp, 1000),
}
SLOW = {
    "CUBA, delays to 5 ms": partial(run, partial(cuba, delays=5)),
    "CUBA, refractory for a time per neuron": partial(run, partial(cuba, refractory="t_ref")),
    "CUBA, euler": partial(run, partial(cuba, method="euler")),
    "CUBA, stored and restored": partial(run_stored_and_restored, partial(cuba, delays=5)),
    "COBA, delays to 5 ms": partial(run, partial(coba, delays=5)),
    "COBA, rk4": partial(run, partial(coba, method="rk4"), 200),
    "CUBA, 4000 neurons": partial(run, partial(cuba, 4000)),
    "CUBA, 4000 neurons, delays to 12 ms": partial(run, partial(cuba, 4000, 12)),
    "COBA, 4000 neurons": partial(run, partial(coba, 4000)),
    "COBAHH, 400 neurons": partial(run, cobahh, 200),
}


def agrees(build) -> None:
    expected = run_on("numpy", build)
    assert len(expected["spikes"]["t"]) > 50, "a silent network shows nothing"
    found = differences(expected, run_on("bionet", build))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", CASES)
def test_benchmark_is_as_in_brian2(name):
    agrees(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_large_benchmark_is_as_in_brian2(name):
    agrees(SLOW[name])
