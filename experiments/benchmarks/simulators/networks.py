"""The networks of the spiking benchmark, each written once: all modes of Brian2, and bionet, run this very text.

References
----------
.. [1] R. Brette et al., "Simulation of networks of spiking neurons: a review of tools and strategies", J. Comput.
   Neurosci. 23:349 (2007), benchmarks 1 (COBA), 2 (CUBA) and 3 (COBAHH).
.. [2] N. Brunel, "Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons", J. Comput.
   Neurosci. 8:183 (2000), model A, g = 5, external rate twice the threshold rate.
.. [3] S. Song, K. D. Miller, L. F. Abbott, "Competitive Hebbian learning through spike-timing-dependent synaptic
   plasticity", Nat. Neurosci. 3:919 (2000), with the parameters of Brian2's example.
"""

from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    SpikeMonitor,
    Synapses,
    ms,
    mV,
    nS,
    pF,
    uS,
)


def _recurrent(cells: NeuronGroup, constants: dict, inputs: int = 80, delay=None, *others) -> tuple:
    """Connect four fifths of the cells as excitatory and a fifth as inhibitory, 80 inputs to a cell in the mean."""
    n = len(cells)
    delay = {} if delay is None else {"delay": delay}
    excitatory = Synapses(cells[: n * 4 // 5], cells, on_pre="ge += we", namespace=constants, **delay)
    inhibitory = Synapses(cells[n * 4 // 5 :], cells, on_pre="gi += wi", namespace=constants, **delay)
    for synapses in (excitatory, inhibitory):
        synapses.connect(p=inputs / n)
    spikes = SpikeMonitor(cells)
    return Network(cells, excitatory, inhibitory, spikes, *others), spikes


def _leaky(n: int, constants: dict) -> NeuronGroup:
    return NeuronGroup(
        n,
        """dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exact",
        namespace=constants,
    )


def cuba(n: int, delay=None) -> tuple[Network, SpikeMonitor]:
    """Leaky neurons with exponential currents, benchmark 2 of [1]_: ``tau_m dv/dt = ge + gi - (v - El)``."""
    constants = {
        **{"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms},
        **{"Vt": -50 * mV, "Vr": -60 * mV, "El": -49 * mV, "we": 1.62 * mV, "wi": -9 * mV},
    }
    cells = _leaky(n, constants)
    cells.v = "Vr + rand()*(Vt - Vr)"
    return _recurrent(cells, constants, delay=delay)


def cuba_delayed(n: int) -> tuple[Network, SpikeMonitor]:
    """:func:`cuba` with a delay of 1 ms, which simulators of exact spike times need."""
    return cuba(n, delay=1 * ms)


def cuba_delays(n: int) -> tuple[Network, SpikeMonitor]:
    """:func:`cuba` in which each synapse has a delay of its own, from 1 to 5 ms."""
    network, spikes = cuba(n)
    for each in network.objects:
        if isinstance(each, Synapses):
            each.delay = "(1 + 4*rand())*ms"
    return network, spikes


def sparse(n: int) -> tuple[Network, SpikeMonitor]:
    """Leaky neurons, each fired 0.1 times a second by a Poisson source of its own, and 100 weak inputs from others."""
    constants = {
        **{"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms},
        **{"Vt": -50 * mV, "Vr": -60 * mV, "El": -60 * mV, "we": 0.3 * mV, "wi": -1 * mV},
    }
    cells = _leaky(n, constants)
    cells.v = "El"
    sources = PoissonGroup(n, rates=0.1 * Hz)
    drive = Synapses(sources, cells, on_pre="ge_post += 80*mV")
    drive.connect(j="i")
    return _recurrent(cells, constants, 100, 1.5 * ms, sources, drive)


def larva(n: int) -> tuple[Network, SpikeMonitor]:
    """The brain of the larval fly, ``n`` of its sensory neurons driven (``experiments/larva_connectome.py``)."""
    from experiments.larva_connectome import Parameters, brain

    network, spikes, _ = brain(Parameters(driven=n))
    return network, spikes


def coba(n: int) -> tuple[Network, SpikeMonitor]:
    """Leaky neurons with exponential conductances, benchmark 1 of [1]_."""
    constants = {
        **{"C": 200 * pF, "gl": 10 * nS, "taue": 5 * ms, "taui": 10 * ms, "we": 6 * nS, "wi": 67 * nS},
        **{"El": -60 * mV, "Ee": 0 * mV, "Ei": -80 * mV, "Vt": -50 * mV, "Vr": -60 * mV},
    }
    cells = NeuronGroup(
        n,
        """dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v))/C : volt (unless refractory)
        dge/dt = -ge/taue : siemens
        dgi/dt = -gi/taui : siemens""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exponential_euler",
        namespace=constants,
    )
    cells.v = "El + (5*randn() - 5)*mV"
    cells.ge = "clip(40 + 15*randn(), 0, inf)*nS"
    cells.gi = "clip(200 + 120*randn(), 0, inf)*nS"
    return _recurrent(cells, constants)


def cobahh(n: int) -> tuple[Network, SpikeMonitor]:
    """Traub-Miles neurons with exponential conductances, benchmark 3 of [1]_; a cell has 20,000 um2."""
    constants = {
        **{"C": 200 * pF, "gl": 10 * nS, "gNa": 20 * uS, "gK": 6 * uS, "taue": 5 * ms, "taui": 10 * ms},
        **{"El": -60 * mV, "ENa": 50 * mV, "EK": -90 * mV, "VT": -63 * mV, "Ee": 0 * mV, "Ei": -80 * mV},
        **{"we": 6 * nS, "wi": 67 * nS},
    }
    cells = NeuronGroup(
        n,
        """dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v) + gNa*(m*m*m)*h*(ENa - v) + gK*(n*n*n*n)*(EK - v))/C : volt
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dge/dt = -ge/taue : siemens
        dgi/dt = -gi/taui : siemens
        alpha_m = 1.28/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
        beta_m = 1.4/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
        alpha_h = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
        beta_h = 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
        alpha_n = 0.16/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
        beta_n = 0.5*exp((10*mV - v + VT)/(40*mV))/ms : Hz""",
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
        namespace=constants,
    )
    cells.v = "El + (5*randn() - 5)*mV"
    cells.ge = "(40 + 15*randn())*nS"
    cells.gi = "(200 + 120*randn())*nS"
    return _recurrent(cells, constants)


def brunel(n: int) -> tuple[Network, SpikeMonitor]:
    """Leaky neurons with delta synapses of 0.1 mV and 1.5 ms [2]_, a tenth of all cells as inputs of each."""
    n_excitatory, n_inhibitory = n * 4 // 5, n // 5
    constants = {"taum": 20 * ms, "theta": 20 * mV, "Vr": 10 * mV, "J": 0.1 * mV, "JI": -0.5 * mV}
    cells = NeuronGroup(
        n,
        "dv/dt = -v/taum : volt (unless refractory)",
        threshold="v > theta",
        reset="v = Vr",
        refractory=2 * ms,
        method="exact",
        namespace=constants,
    )
    excitatory = Synapses(cells[:n_excitatory], cells, on_pre="v_post += J", delay=1.5 * ms, namespace=constants)
    inhibitory = Synapses(cells[n_excitatory:], cells, on_pre="v_post += JI", delay=1.5 * ms, namespace=constants)
    excitatory.connect(i=f"k for k in sample({n_excitatory}, size={n_excitatory // 10})")
    inhibitory.connect(i=f"k for k in sample({n_inhibitory}, size={n_inhibitory // 10})")
    drive = PoissonInput(cells, "v", N=1000, rate=20 * Hz, weight=constants["J"])
    spikes = SpikeMonitor(cells)
    return Network(cells, excitatory, inhibitory, drive, spikes), spikes


def stdp(n: int) -> tuple[Network, SpikeMonitor]:
    """``n`` Poisson inputs of 15 Hz onto one neuron, through synapses with additive STDP [3]_."""
    constants = {
        **{"taum": 10 * ms, "taue": 5 * ms, "taupre": 20 * ms, "taupost": 20 * ms},
        **{"Ee": 0 * mV, "El": -74 * mV, "Vt": -54 * mV, "Vr": -60 * mV},
        **{"gmax": 0.01, "dApre": 1e-4, "dApost": -1.05e-4},
    }
    inputs = PoissonGroup(n, rates=15 * Hz)
    cell = NeuronGroup(
        1,
        """dv/dt = (ge*(Ee - v) + El - v)/taum : volt
        dge/dt = -ge/taue : 1""",
        threshold="v > Vt",
        reset="v = Vr",
        method="exponential_euler",
        namespace=constants,
    )
    cell.v = "Vr"
    synapses = Synapses(
        inputs,
        cell,
        """w : 1
        dApre/dt = -Apre/taupre : 1 (event-driven)
        dApost/dt = -Apost/taupost : 1 (event-driven)""",
        on_pre="""ge += w
        Apre += dApre
        w = clip(w + Apost, 0, gmax)""",
        on_post="""Apost += dApost
        w = clip(w + Apre, 0, gmax)""",
        namespace=constants,
    )
    synapses.connect()
    synapses.w = "gmax*(i + 0.5)/N_pre"  # drawn at random, their mean would change the rate by a fifth between draws
    spikes = SpikeMonitor(cell)
    return Network(inputs, cell, synapses, spikes), spikes


NETWORKS = {
    **{"cuba": cuba, "coba": coba, "cobahh": cobahh, "brunel": brunel, "stdp": stdp},
    **{"cuba_delayed": cuba_delayed, "cuba_delays": cuba_delays, "sparse": sparse, "larva": larva},
}
"""Each builds a network of ``n`` cells (inputs, for ``stdp``) and its spike monitor."""
