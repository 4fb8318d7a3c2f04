"""Synapses held in two bytes: Brian2's arrays for whoever asks, the same runs, and less memory."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms, network_operation, prefs
from brian2.devices.device import get_device
from brian2.memory.dynamicarray import DynamicArray1D

from bionet.spiking import connect as connecting
from bionet.spiking import explain
from bionet.spiking.device import register
from bionet.spiking.ends import End, Side, held
from bionet.spiking.synapse_rows import Rows
from tests.spiking.agreement import device, differences, outcome, run_on
from tests.spiking.test_connect import CERTAIN, KINDS, by_brian2, connect, group, same, state, two


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch):
    monkeypatch.setattr(connecting, "MANY", 1)
    # After seed() random connections would be Brian2's.
    monkeypatch.setattr(register(), "seeded", False)
    before = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = before


def is_held(S):
    return [isinstance(held(S.variables[name]), Side) for name in ("_synaptic_pre", "_synaptic_post")]


def a_square():
    """Neurons, and random synapses from some to some."""
    G = group(50)
    S = Synapses(G[10:30], G[5:], "w : 1", on_pre="w += 1", on_post="w += 1", delay=1 * ms)
    return G, S


# What changes nothing


@pytest.mark.parametrize(
    ("kind", "call"),
    [*((kind, {"condition": "i != j"}) for kind in KINDS), *(("subgroups", call) for call in CERTAIN[::3])],
    ids=str,
)
def test_what_is_held_equals_brian2s_arrays(kind, call):
    (ours, brians), _alive = two(kind)
    in_rows = isinstance(connect(ours, **call), Rows)
    by_brian2(brians, **call)
    for _ in range(2):
        assert is_held(ours) == [in_rows and len(ours) > 0] * 2
        same(state(ours), state(brians))


@pytest.mark.parametrize("call", [{"p": 0.3, "n": 2}, {"i": "k for k in sample(N_pre, size=3)", "n": 2}], ids=str)
def test_the_same_is_drawn_in_whichever_way_it_is_held(call, monkeypatch):
    (few, many), _alive = two("subgroups")
    connect(many, **call)
    monkeypatch.setattr(connecting, "MANY", 10**9)
    connect(few, **call)
    assert is_held(many) == [True, True]
    assert is_held(few) == [False, False]
    same(state(few), state(many))


def test_wide_indices_have_four_bytes():
    G, H = group(3), group(70_000)
    for source, target, call in ((G, H, {"p": 0.01}), (H, G, {"i": "k for k in sample(N_pre, size=9)"})):
        S = Synapses(source, target)
        connect(S, **call)
        side = held(S.variables["_synaptic_post"])
        assert side.ends.targets.dtype == (np.int32 if target is H else np.uint16)
        assert np.array_equal(np.bincount(S.i[:], minlength=len(source)), S.N_outgoing_pre)
        assert np.array_equal(np.bincount(S.j[:], minlength=len(target)), S.N_incoming_post)
        inner, outer = (S.j[:], S.i[:]) if target is H else (S.i[:], S.j[:])
        assert np.array_equal(np.lexsort((inner, outer)), np.arange(len(S)))


# Who asks


@pytest.mark.parametrize("call", [{"p": 0.4}, {"i": "k for k in sample(N_pre, size=9)"}], ids=str)
def test_all_ways_to_ask(call):
    with device("bionet"):
        _, S = a_square()
        connect(S, **call)
        i, j = np.array(S.i[:]), np.array(S.j[:])
        S.w = "i + 100*j"
        assert np.array_equal(S.w[:], i + 100 * j)
        assert np.array_equal(S.i, i)
        assert np.array_equal(S.w["i < 4 and j == 7"], (i + 100 * j)[(i < 4) & (j == 7)])
        assert sorted(S.w[3, :]) == sorted((i + 100 * j)[i == 3])
        assert sorted(S.w[:, 2:9]) == sorted((i + 100 * j)[(j >= 2) & (j < 9)])
        assert np.array_equal(S.j[5:40:2], j[5:40:2])
        assert np.array_equal(S.variables["_synaptic_pre"].get_value(), i + 10)
        assert np.array_equal(S.w[S["i == 4"]], (i + 100 * j)[i == 4])
        S.w["j > 20"] = -1
        assert np.array_equal(S.w[:] == -1, j > 20)
        assert is_held(S) == [True, True]


def test_what_was_made_goes_with_the_last_who_holds_it():
    _, S = a_square()
    connect(S, p=0.4)
    first, second = S.variables["_synaptic_post"].get_value(), S.variables["_synaptic_post"].get_value()
    assert first.base is second.base
    gone = weakref.ref(first.base)
    del first, second
    assert gone() is None


def test_what_is_lent_cannot_be_written():
    _, S = a_square()
    connect(S, p=0.4)
    with pytest.raises(ValueError, match="read-only"):
        S.variables["_synaptic_post"].get_value()[0] = 1


# What changes something


def test_more_synapses_make_arrays_of_it():
    (ours, brians), _alive = two("one group")
    for more in ({"condition": "i != j"}, {"j": "i"}, {"i": [0, 1], "j": [2, 2]}):
        connect(ours, **more)
        by_brian2(brians, **more)
        same(state(ours), state(brians))
    assert is_held(ours) == [False, False]


def test_brian2_may_add_synapses():
    (ours, brians), _alive = two("one group")
    connect(ours, condition="i != j")
    for S in (ours, brians):
        by_brian2(S, **({"condition": "i != j"} if S is brians else {"condition": "i > j"}))
    by_brian2(brians, condition="i > j")
    same(state(ours), state(brians))


def test_whatever_else_is_asked_of_an_array():
    _, S = a_square()
    connect(S, p=0.4)
    values = S.variables["_synaptic_post"].get_value().copy()
    end = S.variables["_synaptic_post"].device.get_value(S.variables["_synaptic_post"], access_data=False)
    assert isinstance(end, End)
    assert (len(end), end[3]) == (len(values), values[3])
    end[:] = values
    assert is_held(S) == [True, True]
    end[3] = 7
    values[3] = 7
    assert is_held(S) == [True, False]
    assert np.array_equal(S.variables["_synaptic_post"].get_value(), values)
    end = S.variables["_synaptic_pre"].device.get_value(S.variables["_synaptic_pre"], access_data=False)
    assert end.shape == (len(values),)
    assert not hasattr(end, "_nothing")


def test_store_and_restore():
    with device("bionet"):
        G, S = a_square()
        S.connect(p=0.4)
        net = Network(G, S)
        before = state(S)
        net.store()
        net.restore()
        same(before, state(S))
        assert is_held(S) == [True, True]
        S.connect(i=0, j=0)
        net.restore()
        same(before, state(S))


# Runs


def spiking(connections, delay=None):
    """Neurons that reach each other over what ``connections`` says, plastic synapses among them; run twice."""
    names = {"namespace": {}}
    cells = NeuronGroup(
        60,
        """dv/dt = (drive - v + g)/(7*ms) : 1 (unless refractory)
        dg/dt = -g/(3*ms) : 1
        drive : 1
        total : 1""",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="exact",
        name="cells",
        **names,
    )
    cells.drive, cells.v = "1.1 + 0.4*i/N", "(i % 7)/7.0"
    inner = Synapses(cells[10:50], cells[:40], on_pre="g_post += 0.002*(1 + i % 3)", delay=delay, name="inner", **names)
    plain = Synapses(cells, cells, on_pre="g += 0.001", delay=1 * ms, name="plain", **names)
    plastic = Synapses(
        cells,
        cells[5:],
        """w : 1
        dx/dt = -x/(9*ms) : 1 (event-driven)
        dy/dt = (j % 5 - y)/(20*ms) : 1 (clock-driven)
        total_post = 0.001*y : 1 (summed)""",
        on_pre="g_post += 0.001*w; x += 1; w = clip(w + 0.01*x, 0, 2)",
        on_post="w = clip(w - 0.005*(i % 4), 0, 2)",
        method="exact",
        name="plastic",
        **names,
    )
    for synapses in (inner, plain, plastic):
        synapses.connect(**connections)
    plastic.w, plastic.pre.delay = "0.5 + 0.01*((i + j) % 10)", "0.1*(1 + (i + 3*j) % 17)*ms"
    spikes, traces = SpikeMonitor(cells, name="spikes"), StateMonitor(plastic, ["w", "y"], record=[0, 5], name="traces")
    net = Network(cells, inner, plain, plastic, spikes, traces)
    net.run(15 * ms)
    inner.connect(i=0, j=1)
    net.run(15 * ms)
    return net


RUNS = [{}, {"condition": "i != j"}, {"i": "k for k in range(3, 35)"}, {"j": "k for k in range(2, 30) if k != i"}]


@pytest.mark.parametrize(("connections", "threads"), [*((each, 1) for each in RUNS), (RUNS[2], 2)], ids=str)
def test_a_run_is_that_of_brian2(connections, threads):
    expected = run_on("numpy", lambda: spiking(connections))
    assert len(expected["spikes"]["i"]) > 100
    assert not differences(expected, run_on("bionet", lambda: spiking(connections), threads=threads))


def wired(**call):
    """Neurons in a random network that has no synapses of its own variables."""
    cells = NeuronGroup(
        300, "dv/dt = (1.3 - v)/(9*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells"
    )
    cells.v = "i/300.0"
    S = Synapses(cells, cells, on_pre="v_post += 0.0005", delay=1.5 * ms, name="S")
    S.connect(**call)
    return cells, S, SpikeMonitor(cells, name="spikes")


@pytest.mark.parametrize(
    ("call", "engine"),
    [({"p": 0.3}, "grid"), *(({"i": "k for k in sample(N_pre, size=60)"}, each) for each in ("grid", "event"))],
    ids=str,
)
def test_random_networks_run_alike(call, engine, monkeypatch):
    def run():
        # Where connections come from: a number of NumPy's, and how many there were before.
        np.random.seed(3)  # noqa: NPY002
        get_device().connections = 0
        net = Network(*wired(**call))
        net.run(20 * ms)
        return net

    held_compactly = run_on("bionet", run, engine=engine)
    monkeypatch.setattr(connecting, "MANY", 10**9)
    assert len(held_compactly["spikes"]["i"]) > 100
    assert not differences(run_on("bionet", run, engine=engine), held_compactly, rounding=0)


def test_python_may_look_while_it_runs():
    seen = []
    with device("bionet"):
        cells, S, spikes = wired(p=0.3)

        @network_operation(dt=1 * ms)
        def look():
            seen.append(int(S.i[:].sum() + S.j[3]))

        net = Network(cells, S, spikes, look)
        net.run(5 * ms)
        assert seen == [int(np.sum(S.i[:]) + S.j[3])] * 5
        assert is_held(S) == [True, True]
        assert outcome(net)["spikes"]["i"].size > 0


# Memory


@pytest.mark.parametrize("call", [{"p": 0.2}, {"i": "k for k in sample(N_pre, size=400)"}], ids=str)
def test_memory_is_two_bytes_a_synapse(call):
    G, H = group(2_000), group(1_000)
    connect(Synapses(G, H), **call)
    gc.collect()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        S = Synapses(G, H, on_pre="v_post += 1", delay=1 * ms)
        connect(S, **call)
        now, peak = (each - start for each in tracemalloc.get_traced_memory())
        # Beside the columns, the block of pairs that is drawn at a time.
        assert 2 * len(S) <= now < 2.5 * len(S)
        assert peak < (2 if "p" in call else 4) * len(S) + 2**18
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("call", [{"p": 0.2}, {"i": "k for k in sample(N_pre, size=400)"}], ids=str)
def test_a_run_takes_no_more(call):
    if not hasattr(DynamicArray1D(1), "factor"):
        pytest.skip("the arrays of this Brian2 are C++ objects, whose memory Python does not see")
    with device("bionet"):
        G, H = group(2_000), group(1_000)
        S = Synapses(G, H, on_pre="v_post += 1", delay=1 * ms)
        S.connect(**call)
        net = Network(G, H, S)
        net.run(1 * ms)
        assert is_held(S) == [True, True]
        assert explain(net).memory["synapses"] < 2.2 * len(S)
