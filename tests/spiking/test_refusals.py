"""What would hang, be rounded in silence, or end the process is refused at once, and only under bionet's device."""

import time
import tracemalloc

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, StateMonitor, Synapses, ms, second

import bionet.spiking  # noqa: F401
from bionet.errors import InputError
from bionet.spiking import memory
from bionet.spiking.memory import available, require_memory

TOWER = "9**9**9**9"


@pytest.fixture(autouse=True)
def _device():
    b2.set_device("bionet")
    yield
    b2.set_device("runtime")
    b2.start_scope()


def cells(n=3, model="v : 1"):
    return NeuronGroup(n, model, threshold="v > 1", reset="v = 0", name="cells*")


def connected():
    group = cells()
    synapses = Synapses(group, group, "w : 1", on_pre="v += w", name="synapses*")
    synapses.connect()
    return group, synapses


# Texts that Brian2 would think about for ever


@pytest.mark.parametrize(
    ("ask", "owner"),
    [
        (lambda: cells(model=f"dv/dt = {TOWER}*v/second : 1"), "equations"),
        (lambda: cells(model=f"dv/dt = x/second : 1\nx = {TOWER} : 1"), "equations"),
        (lambda: b2.Equations(f"v = (2*{TOWER}) : 1"), "equations"),
        (lambda: Synapses(cells(), model=f"w = {TOWER} : 1"), "equations"),
        (lambda: setattr(cells(), "v", TOWER), r"cells\w*\.v"),
        (lambda: cells().v.__setitem__(f"i < {TOWER}", 1), r"cells\w*\.v"),
        (lambda: cells().v.__setitem__("i < 1", TOWER), r"cells\w*\.v"),
        (lambda: (group := cells()).v[f"v > {TOWER}"] is group, r"cells\w*\.v"),
        (lambda: (both := connected())[1].w[f"i < {TOWER}"] is both, r"synapses\w*\.w"),
        (lambda: setattr(connected()[1], "delay", f"{TOWER}*ms"), r"synapses\w*\.delay"),
        (lambda: connected()[1].connect(f"i < {TOWER}"), r"synapses\w*\.connect\.condition"),
        (lambda: connected()[1].connect(p=TOWER), r"synapses\w*\.connect\.p"),
        (lambda: connected()[1].connect(j=f"k for k in range({TOWER})"), r"synapses\w*\.connect\.j"),
    ],
)
def test_towers_of_powers_are_refused(ask, owner):
    began = time.process_time()
    with pytest.raises(InputError, match=rf"^{owner}: got a power of inf in .*; expected at most 64"):
        ask()
    # Not a figure of speed: it is this or never.
    assert time.process_time() - began < 60


def test_what_is_too_long_or_deep_is_refused():
    for text in ("1 + " * 3000 + "1", "-" * 5000 + "1", "1" + "+1" * 4900):
        with pytest.raises(InputError, match=r"cells\w*\.v: got "):
            cells().v = text


def test_expressions_of_models_pass():
    group = cells(model="v : 1\nw = (v/0.5)**20 + 3**((37 - 36)/10) : 1")
    group.v = "rand()*2**10 + i**2"
    group.v["i > 0 and v**2 > 0"] = -0.5
    assert (group.v[1:] == -0.5).all()
    assert group.w[:].shape == (3,)


# Whole numbers


@pytest.mark.parametrize("n", [2.5, np.float64(1e-3), float("nan"), float("inf"), -0.5])
@pytest.mark.parametrize("kind", ["NeuronGroup", "PoissonGroup", "Own"])
def test_half_a_neuron_is_refused(kind, n):
    class Own(NeuronGroup):
        def __init__(self, name, N):
            super().__init__(N, "v : 1")

    make = {
        "NeuronGroup": lambda: NeuronGroup(n, "v : 1"),
        "PoissonGroup": lambda: PoissonGroup(n, rates=3 * Hz),
        "Own": lambda: Own("mine", N=n),
    }
    with pytest.raises(InputError, match=rf"^{kind}.N: got {n}; expected a whole number of neurons, such as 100"):
        make[kind]()


@pytest.mark.parametrize("n", [2, 2.0, np.int32(2), np.float32(2), True + 1])
def test_whole_numbers_of_any_type_pass(n):
    assert len(NeuronGroup(model="v : 1", N=n)) == 2
    assert len(PoissonGroup(n, 3 * Hz)) == 2


def test_other_devices_are_left_alone():
    b2.set_device("runtime")
    assert len(NeuronGroup(2.5, "v : 1")) == 2
    assert b2.Equations("v = x**100 : 1")


# Memory


def test_neurons_that_do_not_fit_are_refused_with_the_figure():
    with pytest.raises(InputError, match=r"\.i: got 1000000000000 elements, which needs 4.00 TB; expected at most"):
        NeuronGroup(10**12, "v : 1")


def test_a_trace_that_does_not_fit_is_refused_before_the_run():
    group = NeuronGroup(1000, "v : 1")
    trace = StateMonitor(group, "v", record=True, name="trace")
    network = Network(group, trace)
    with pytest.raises(InputError, match=r"^trace: got a trace of 8008000.00 GB, which needs 8008.00 TB; expected"):
        network.run(1e8 * second)
    assert network.t == 0 * second
    network.run(1 * ms)
    assert trace.v.shape == (1000, 10)


@pytest.mark.parametrize("delays", [False, True])
def test_synapses_that_do_not_fit_are_refused_with_the_figure(monkeypatch, delays):
    """The prediction is that of what is then taken, within a tenth."""
    said = []
    # After seed(...) connections are left to Brian2.
    b2.seed()
    monkeypatch.setattr(memory, "_SMALL", 0)
    monkeypatch.setattr("bionet.spiking.connect.require_memory", lambda needed, *_: said.append(needed))
    group = NeuronGroup(2000, "v : 1", threshold="v > 1", reset="v = 0")
    synapses = Synapses(group, group, "w : 1", on_pre="v += w", **({} if delays else {"delay": 1 * ms}))
    tracemalloc.start()
    try:
        synapses.connect(j="k for k in sample(N_post, p=0.25)")
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(synapses) > 900_000
    assert said == [pytest.approx(taken, rel=0.1)]
    monkeypatch.undo()
    monkeypatch.setattr(memory, "available", lambda: 1e6)
    monkeypatch.setattr(memory, "_SMALL", 0)
    before = len(synapses)
    with pytest.raises(
        InputError, match=r"Synapses.connect: synapses\w* would have 1000000 more synapses, which needs"
    ):
        synapses.connect(j="k for k in sample(N_post, size=500)")
    assert len(synapses) == before


def test_what_is_free_is_less_than_there_is():
    assert 0 < available() < 1e15
    require_memory(0.0, "nothing", "")
    with pytest.raises(
        InputError, match=r"^much, which needs 1.00 TB; expected at most 2 MB, the memory that is free; wait"
    ):
        _require_with(2e6, 1e12)


def _require_with(free, needed):
    original, memory.available = memory.available, lambda: free
    try:
        require_memory(needed, "much", "wait")
    finally:
        memory.available = original


def test_limits_of_control_groups_are_read(tmp_path, monkeypatch):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    for folder, limit, used in ((inside, "max", 5), (tmp_path / "a", 1000, 700), (tmp_path, 10_000, 0)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
    (tmp_path / "a" / "memory.stat").write_text("anon 600\ninactive_file 40\n")
    monkeypatch.setattr(memory, "control_groups", lambda controller: [inside, *inside.parents[:2]])
    assert available() == 340
