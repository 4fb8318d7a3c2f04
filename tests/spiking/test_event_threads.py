"""Several threads of the event engine come to the bits of one."""

import gc

import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    mV,
)
from brian2.devices.device import get_device

from bionet.random import Stream

from .agreement import device

N = 700


def parts():
    """Two groups with delays of both kinds, noise from outside in three ways, and monitors of all sorts."""
    cells = NeuronGroup(
        N,
        """dv/dt = (ge + gi - (v - El))/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : volt
        dgi/dt = -gi/(10*ms) : volt
        El : volt""",
        threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exact", name="cells",
    )  # fmt: skip
    cells.v = (-60 + 9 * Stream(1, "v").uniform(N)) * mV
    cells.El = (-55 + 6.5 * Stream(2, "El").uniform(N)) * mV
    others = NeuronGroup(
        60, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="others"
    )  # fmt: skip
    excitatory = Synapses(cells[:600], cells, on_pre="ge += 0.8*mV", delay=1.5 * ms, name="excitatory")
    inhibitory = Synapses(cells[600:], cells, "w : volt", on_pre="gi -= w", name="inhibitory")
    for each, sources, seed in ((excitatory, 600, 3), (inhibitory, 100, 4)):
        u = Stream(seed, "connect").uniform((sources, N))
        each.connect(i=np.nonzero(u < 0.05)[0], j=np.nonzero(u < 0.05)[1])
    inhibitory.w = (2 + Stream(5, "w").uniform(len(inhibitory))) * mV
    inhibitory.delay = (1 + 4 * Stream(6, "delay").uniform(len(inhibitory))) * ms
    across = Synapses(cells, others, "x : 1", on_pre="v_post += 0.3; x += 1", delay=2 * ms, name="across")
    across.connect(j="i % 60")
    sources = PoissonGroup(40, 20 * Hz, name="sources")
    drive = Synapses(sources, cells, on_pre="ge += 4*mV", name="drive")
    drive.connect(j="i * 17 + k for k in range(10)")
    noise = PoissonInput(others, "v", N=5, rate=20 * Hz, weight=0.4)
    monitors = [
        SpikeMonitor(cells, name="spikes"), SpikeMonitor(others, variables="v", name="more"),
        SpikeMonitor(sources, name="given"), PopulationRateMonitor(cells, name="rate"),
        StateMonitor(cells, ["v", "ge"], record=[0, 300, 699], dt=1 * ms, name="states"),
    ]  # fmt: skip
    return Network(cells, others, excitatory, inhibitory, across, sources, drive, noise, *monitors)


def fresh():
    """The network; the names of its objects, which tell their random numbers, are the same each time."""
    get_device().last_event = get_device().last_reading = get_device().left = None
    gc.unfreeze()
    gc.collect()
    return parts()


def outcome(threads):
    with device("bionet", engine="event", seed=3, threads=threads):
        net = fresh()
        net.run(120 * ms)
        engine = get_device().last_event
        found = {f"{name}.{key}": np.asarray(getattr(net[name], key)) for name in ("spikes", "given") for key in "it"}
        found |= {f"more.{key}": np.asarray(getattr(net["more"], key)) for key in "itv"}
        found |= {"count": np.asarray(net["spikes"].count), "rate": np.asarray(net["rate"].rate)}
        found |= {name: np.asarray(getattr(net["cells"], name)) for name in ("v", "ge", "gi", "lastspike")}
        found |= {"states.v": np.asarray(net["states"].v), "states.ge": np.asarray(net["states"].ge)}
        found |= {"x": np.asarray(net["across"].x), "others": np.asarray(net["others"].v)}
        how = len(engine.hands), getattr(engine, "why_alone", ""), getattr(engine, "lead", None)
    return found, how


def same(one, other):
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.fixture(scope="module")
def alone():
    return outcome(None)[0]


@pytest.mark.parametrize(("threads", "farthest"), [(2, 64), (3, 64), (2, 1)])
def test_threads_come_to_the_same_bits(alone, threads, farthest, monkeypatch):
    monkeypatch.setattr("bionet.spiking.engines.shared_event._FARTHEST", farthest)
    found, how = outcome(threads)
    assert how == (threads, "", min(farthest, 2))
    assert len(alone["spikes.i"]) > 300
    assert len(alone["more.i"]) > 30
    same(alone, found)


def test_runs_go_on_where_others_stopped_with_any_number_of_threads(alone):
    with device("bionet", engine="event", seed=3, threads=2):
        net = fresh()
        net.run(40.3 * ms)
        get_device().threads = None
        net.run(29.7 * ms)
        get_device().threads = 3
        net.run(50 * ms)
        np.testing.assert_array_equal(alone["spikes.t"], np.asarray(net["spikes"].t))
        np.testing.assert_array_equal(alone["v"], np.asarray(net["cells"].v))


def test_the_next_network_draws_the_same_numbers_whatever_ran_the_last_one():
    found = []
    for threads in (None, 2):
        with device("bionet", engine="event", seed=3, threads=threads):
            times = []
            for _ in range(2):
                net = fresh()
                net.run(30 * ms)
                times.append(np.asarray(net["given"].t).copy())
                del net
        assert not np.array_equal(*times)
        found.append(times)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_buffers_grow_where_threads_fill_them(alone, monkeypatch):
    monkeypatch.setattr("bionet.spiking.engines.event_monitors._SPIKES", 1)
    monkeypatch.setattr("bionet.spiking.engines.event_hand._TOLD", 1)
    monkeypatch.setattr("bionet.spiking.engines.shared_event._PATIENCE", 5)
    same(alone, outcome(2)[0])


def test_what_threads_cannot_share_runs_on_one():
    with device("bionet", engine="event", threads=2):
        cells = NeuronGroup(4, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0.5*rand()", method="exact")
        cells.v = 2
        spikes = SpikeMonitor(cells)
        Network(cells, spikes).run(1 * ms)
        engine = get_device().last_event
        assert len(engine.hands) == 1
        assert engine.why_alone == "its code draws random numbers"
        assert spikes.num_spikes == 4


@pytest.mark.parametrize("watched", [False, True])
def test_spikes_of_sources_go_to_whom_they_reach_and_into_records(watched):
    with device("bionet", engine="event", threads=2, seed=1):
        sources = PoissonGroup(6, 200 * Hz)
        cells = NeuronGroup(64, "dv/dt = -v/(10*ms) : 1", threshold="v > 1000", reset="v = 0", method="exact")
        synapses = Synapses(sources, cells, on_pre="v += 0.6")
        synapses.connect(i=[0, 1], j=[3, 60])
        records = [SpikeMonitor(sources)] if watched else []
        Network(sources, cells, synapses, *records).run(50 * ms)
        engine = get_device().last_event
        found = [set((hand.emission_units - engine.first[1]).tolist()) for hand in engine.hands]
        assert found == [set(range(6)) if watched else {0}, {1}]
        assert cells.v[3] > 0 < cells.v[60]
