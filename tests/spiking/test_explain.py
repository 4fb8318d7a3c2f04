"""What is said of a network is so, and saying it changes nothing."""

import brian2
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    implementation,
    ms,
    network_operation,
    scheduling_summary,
    second,
)
from brian2.devices.device import get_device

from bionet.errors import InputError
from bionet.spiking import explain
from bionet.spiking.explanation import IN_THE_LOOP
from tests.spiking.agreement import device, outcome

N_SOURCES, N_CELLS = 4, 6


@pytest.fixture(autouse=True)
def _bionet():
    with device("bionet"):
        yield


def network(*more) -> Network:
    """Build some of everything: noise, refractoriness, drawn and given spikes, equal and different delays, monitors."""
    # Spikes are under way whenever a run of 10 ms ends.
    given = SpikeGeneratorGroup(N_SOURCES, [0, 1, 0, 3, 2], [1, 4, 9, 9, 19] * ms, name="given")
    poisson = PoissonGroup(5, 300 * Hz, name="poisson")
    cells = NeuronGroup(
        N_CELLS,
        "dv/dt = (0.8 - v)/(5*ms) + 0.3*xi/sqrt(5*ms) : 1 (unless refractory)",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="euler",
        name="cells",
    )
    one = Synapses(given, cells, "n : 1", on_pre="v += 0.2\nn += 1", name="one")
    one.connect()
    one.delay = np.linspace(0, 6, N_SOURCES * N_CELLS) * ms
    other = Synapses(poisson, cells, on_pre="v += 0.1", delay=1 * ms, name="other")
    other.connect(j="i")
    monitors = [SpikeMonitor(each, name=f"{each.name}_spikes") for each in (given, poisson, cells)]
    traces = [StateMonitor(cells, "v", record=[0, 3], name="trace"), PopulationRateMonitor(cells, name="rate")]
    return Network(given, poisson, cells, one, other, *monitors, *traces, *more)


def test_every_object_has_its_line_in_the_order_of_a_step():
    @network_operation(dt=1 * ms)
    def nothing():
        pass

    net = network(nothing)
    found = explain(net)
    runs = {each.name for each in net.sorted_objects if each.code_objects or each is nothing}
    expected = [
        (each.name, each.when, float(each.dt))
        for each in scheduling_summary(net).entries
        if each.name in runs and each.active
    ]
    assert [(each.name, each.slot, each.dt) for each in found.steps] == expected
    n = {each.name: each.n for each in found.steps}
    assert n["given"] == N_SOURCES
    assert n["cells_stateupdater"] == n["rate"] == n["cells_spikes"] == N_CELLS
    assert n["one_pre"] == N_SOURCES * N_CELLS
    assert n["trace"] == 2
    assert n[nothing.name] is None
    places = {each.name: each.place for each in found.steps}
    assert places.pop(nothing.name) == "Python"
    assert set(places.values()) == {IN_THE_LOOP}


def test_what_is_outside_says_why():
    @implementation("numpy", discard_units=True)
    @brian2.check_units(x=1, result=1)
    def odd(x):
        return np.vectorize(lambda each: {1.0: 2.0}.get(each, each))(x)

    cells = NeuronGroup(
        2, "dv/dt = odd(v)/second : 1", threshold="v > 1", reset="v = 0", method="euler", name="odd_ones"
    )
    found = explain(Network(cells)).steps
    assert [(each.place, "'odd'" in each.remark) for each in found] == [
        ("Brian2 (numpy)", True),
        *2 * [(IN_THE_LOOP, False)],
    ]
    text = str(explain(Network(cells)))
    assert "2 of 3 objects run in one compiled loop" in text
    assert "likely bound by what leaves the loop at every step: odd_ones_stateupdater" in text


def test_drawn_gaps_are_said():
    remarks = {each.name: each.remark for each in explain(network()).steps}
    assert "drawn by the gaps" in remarks["poisson_spike_thresholder"]
    assert remarks["cells_spike_thresholder"] == ""


@pytest.mark.parametrize(
    ("equations", "method", "expected"),
    [
        ("dv/dt = -v/(10*ms) : 1", None, "exact"),
        ("dv/dt = -v**3/(10*ms) : 1", None, "euler"),
        ("dv/dt = -v/(10*ms) : 1", "rk4", "rk4"),
        ("v : 1", None, None),
    ],
)
def test_the_method_is_the_one_taken(equations, method, expected):
    cells = NeuronGroup(2, equations, threshold="v > 1", reset="v = 0", **{"method": method} if method else {})
    net = Network(cells)
    # Brian2 remembers the second time what it tried the first.
    for _ in range(2):
        methods = {each.name: each.method for each in explain(net).steps}
        assert methods.get(f"{cells.name}_stateupdater") == expected
        assert methods[f"{cells.name}_spike_thresholder"] is None


def history(explained: bool) -> dict:
    """Run, store, run, change dt, run: with explanations in between, or without."""
    brian2.seed(3)
    net = network()
    net["cells"].v = "rand()"
    for dt in (0.1, 0.1, 0.05):
        if explained:
            before = get_device().get_random_state()
            str(explain(net))
            str(explain(net))
            after = get_device().get_random_state()
            assert before["bionet"]["draw"] == after["bionet"]["draw"]
            assert np.array_equal(before["numpy_state"][1], after["numpy_state"][1])
        brian2.defaultclock.dt = dt * ms
        net.run(10 * ms)
    brian2.defaultclock.dt = 0.1 * ms
    return outcome(net)


def test_explaining_changes_no_result():
    expected, found = history(False), history(True)
    assert expected["cells_spikes"]["i"].size > 10
    for name, arrays in expected.items():
        for variable, values in arrays.items():
            np.testing.assert_array_equal(found[name][variable], values, err_msg=f"{name}.{variable}")


@pytest.mark.parametrize("explained", [False, True])
def test_the_network_of_the_caller_is_left_as_it_was(explained):
    """The clock still shows the time of the network before; a generator must not take its spikes for past ones."""
    old = SpikeGeneratorGroup(1, [0], [1 * ms])
    old_spikes = SpikeMonitor(old)
    brian2.run(20 * ms)
    assert len(old_spikes.t) == 1
    del old, old_spikes
    new = SpikeGeneratorGroup(1, [0], [5 * ms])
    spikes = SpikeMonitor(new)
    if explained:
        found = explain()
        assert [each.name for each in found.steps] == [new.name, spikes.name]
        assert not found.n_steps
        assert float(brian2.magic_network.t) == new.clock.t_[:] == 0.02
    brian2.run(20 * ms)
    assert list(spikes.t / ms) == [5]
    if explained:
        assert explain().n_steps == {new.clock.name: 200}
    brian2.run(20 * ms)
    assert float(brian2.magic_network.t) == 0.04


@pytest.mark.parametrize("explained", [False, True])
def test_what_was_explained_can_join_any_network(explained):
    net = Network(SpikeGeneratorGroup(1, [0], [1 * ms], name="first"))
    net.run(20 * ms)
    given = SpikeGeneratorGroup(1, [0, 0], [5, 25] * ms)
    spikes = SpikeMonitor(given)
    if explained:
        assert len(explain().steps) == len(explain(Network(given, spikes)).steps) == 2
    net.add(given, spikes)
    net.run(20 * ms)
    # The first time has passed.
    assert list(spikes.t / ms) == [25]


def test_deliveries_are_those_that_the_synapses_count():
    brian2.seed(1)
    net = network()
    assert all(each.rate is None for each in explain(net).pathways)
    net.run(30 * ms)
    found = explain(net)
    one, other = found.pathways
    # The last spike left at 19 ms and the longest way takes 6 ms: all have arrived.
    assert one.rate * 0.03 == pytest.approx(np.sum(net["one"].n), rel=1e-12)
    assert one.rate * 0.03 == pytest.approx(5 * N_CELLS, rel=1e-12)
    assert other.rate * 0.03 == pytest.approx(net["poisson_spikes"].num_spikes, rel=1e-12)
    assert found.in_events == pytest.approx((one.rate + other.rate) / N_CELLS, rel=1e-12)
    assert "likely bound by the update of states" in str(found)
    assert found.n_steps == {net["cells"].clock.name: 300}
    silent = network()
    silent.remove(silent["poisson_spikes"])
    silent.run(1 * ms)
    assert explain(silent).in_events is None
    assert "no SpikeMonitor counts those of other_pre" in str(explain(silent))


def test_delays_are_those_of_the_steps():
    pathways = {each.name: each for each in explain(network()).pathways}
    one, other = pathways["one_pre"], pathways["other_pre"]
    steps = np.unique(np.floor(np.linspace(0, 6, N_SOURCES * N_CELLS) / 0.1 + 0.5))
    np.testing.assert_allclose(one.delays * 1e4, steps, rtol=1e-12)
    np.testing.assert_allclose(other.delays, [1e-3], rtol=1e-12)
    assert (one.n_synapses, other.n_synapses) == (N_SOURCES * N_CELLS, 5)


def test_memory_is_what_the_arrays_take():
    cells = NeuronGroup(200, "v : 1", threshold="v > 1", reset="v = 0", name="many")
    synapses = Synapses(cells, cells, "w : 1", on_pre="v += w", name="dense")
    net = Network(cells, synapses)
    synapses.connect()
    found = explain(net)
    # i, j: 4 bytes each; weight and delay: 8 each; nothing else grows with the number of synapses.
    assert found.n_synapses == 200**2
    assert 24 <= found.memory["synapses"] / found.n_synapses < 24.5
    synapses.delay = "rand()*5*ms + 1*ms"
    # One more int32 for the order by delay, and a list of groups of equal delay: fewer than synapses.
    assert 28 <= explain(net).memory["synapses"] / found.n_synapses < 36.5


def test_traces_grow_as_predicted():
    net = network()
    for monitor in ("given_spikes", "poisson_spikes", "cells_spikes"):
        net.remove(net[monitor])
    before = explain(net)
    net.run(5 * ms)
    after = explain(net)
    assert after.memory["monitors"] - before.memory["monitors"] == round(before.traces * 5e-3)
    assert before.traces == after.traces


def test_a_function_for_every_element_costs_and_one_of_constants_does_not():
    def cost(rate, **options):
        cells = NeuronGroup(10, f"dv/dt = -v*{rate}/(10*ms) : 1 (unless refractory)", **options)
        return explain(Network(cells)).update

    plain = cost("1", method="euler")
    assert cost("exp(-1/4)", method="euler") == plain
    # exp(-dt/tau), but only where a neuron is not refractory.
    assert cost("1", method="exact", threshold="v > 1", reset="v = 0", refractory=1 * ms) == plain
    assert cost("exp(-v)", method="euler") > plain


def test_nothing_is_nothing():
    assert str(explain(Network())) == "There is nothing to run."
    assert str(explain()) == "There is nothing to run."


def test_another_device_is_refused():
    with device("numpy"), pytest.raises(InputError, match=r"call set_device\('bionet'\) first"):
        explain(Network())


def test_what_run_would_refuse_is_refused():
    cells = NeuronGroup(1, "dv/dt = -v/tau_of_nobody : 1", method="exact")
    with pytest.raises(brian2.core.base.BrianObjectException):
        explain(Network(cells))
    tau_of_nobody = 10 * ms
    assert len(explain(Network(cells)).steps) == 1
    assert tau_of_nobody < second
