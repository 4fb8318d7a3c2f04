"""The event engine against closed forms, and against the grid engine with ever shorter steps."""

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
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    defaultclock,
    ms,
    mV,
    network_operation,
    second,
)
from brian2.devices.device import get_device

import bionet.spiking
from bionet.errors import BionetError, InputError
from bionet.random import Stream

from .agreement import device

CUBA = """
dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
"""
NAMES = {
    "taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "El": -49 * mV, "Vt": -50 * mV, "Vr": -60 * mV,
}  # fmt: skip


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def cells(n, **more):
    return NeuronGroup(
        n, CUBA, threshold="v > Vt", reset="v = Vr", refractory=5 * ms, method="exact", namespace=NAMES, **more
    )


def relays(n, name="relays"):
    """Cells that fire whenever something arrives."""
    return NeuronGroup(n, "dv/dt = -v/(10*ms) : 1", threshold="v > 0.5", reset="v = 0", method="exact", name=name)


def run(*objects, duration):
    net = Network(*objects)
    net.run(duration)
    return net


def watched_cell(ge, gi, duration):
    """A cell from -60 mV on, its spikes and its traces: one network, compiled once."""
    group = cells(1, name="cell")
    group.v, group.ge, group.gi = -60 * mV, ge, gi
    spikes = SpikeMonitor(group, name="spikes")
    traces = StateMonitor(group, True, record=True, dt=0.7 * ms, name="traces")
    run(group, spikes, traces, duration=duration)
    return spikes, traces


def test_a_cell_without_input_fires_at_its_period():
    spikes, _ = watched_cell(0 * mV, 0 * mV, 60 * second)
    period = 5e-3 + 20e-3 * np.log(11.0)
    expected = 20e-3 * np.log(11.0) + period * np.arange(spikes.num_spikes)
    np.testing.assert_allclose(spikes.t / second, expected, rtol=1e-13)
    assert bionet.spiking.accuracy().bracket < 1e-15
    assert bionet.spiking.accuracy().grazes == 0


def ring(i, j, delays, duration, kick=0 * ms, late=0 * ms):
    """Three relays, the first of which is kicked; returns when each fired. One network, compiled once."""
    cells = relays(3)
    synapses = Synapses(cells, cells, on_pre="v_post += 1", name="ring")
    synapses.connect(i=i, j=j)
    synapses.delay = np.array(delays) * ms
    start = SpikeGeneratorGroup(1, [0], np.array([float(kick)]) * second, name="start")
    first = Synapses(start, cells, on_pre="v_post += 1", delay=late, name="first")
    first.connect(i=0, j=0)
    spikes = SpikeMonitor(cells, name="spikes")
    run(cells, synapses, start, first, spikes, duration=duration)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def test_a_ring_with_any_delays_keeps_its_period():
    t, i = ring([0, 1, 2], [1, 2, 0], [1.0, np.pi, 1 / 3], 4.5 * second)
    first = t[i == 0]
    np.testing.assert_allclose(first, 4.474925986923127e-3 * np.arange(len(first)), rtol=0, atol=2e-15)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.13, 1.5])
def test_a_response_is_late_by_the_delay_to_the_last_bits(delay):
    t, i = ring([0, 1, 2], [1, 2, 0], [10, 20, 30], 5 * ms, kick=1 / 3 * ms, late=delay * ms)
    np.testing.assert_array_equal(i, [0])
    np.testing.assert_allclose(t * 1e3, [1 / 3 + delay], rtol=1e-15)


def network(n=120, delay=None, seed=3):
    """A network like CUBA with frozen connections."""
    u = Stream(seed, "network")
    group = cells(n)
    group.v = (-60 + 10 * u.uniform(n)) * mV
    parts = [group]
    for k, (on, first, last) in enumerate([("ge += 8*mV", 0, 4 * n // 5), ("gi -= 30*mV", 4 * n // 5, n)]):
        i, j = np.nonzero(u.uniform((last - first, n), step=k + 1) < 0.06)
        # A name of its own, since the names that Brian2 gives depend on what is alive, and the order in a step on them.
        synapses = Synapses(group, group, on_pre=on, name=on[:2])
        synapses.connect(i=i + first, j=j)
        if delay == "different":
            synapses.delay = 5 * u.uniform(len(i), step=10 + k) * ms
        elif delay:
            synapses.delay = delay * ms
        parts.append(synapses)
    return parts


def spikes_of(parts, duration=150 * ms):
    spikes = SpikeMonitor(parts[0])
    run(*parts, spikes, duration=duration)
    return np.asarray(spikes.t), np.asarray(spikes.i)


@pytest.mark.parametrize(
    "delay", [pytest.param(None, marks=pytest.mark.slow), pytest.param(1.5, marks=pytest.mark.slow), "different"]
)
def test_the_grid_converges_to_it_with_slope_1(delay):
    t, i = spikes_of(network(delay=delay), 60 * ms)
    errors = []
    for dt in (100, 10, 1):
        with device("bionet", engine="grid"):
            defaultclock.dt = dt * 1e-3 * ms
            grid_t, grid_i = spikes_of(network(delay=delay), 60 * ms)
        # In the order of time and neuron a late spike would shift all others; by neuron it does not.
        assert np.array_equal(np.bincount(i, minlength=120), np.bincount(grid_i, minlength=120)) or dt == 100
        both = [(t[i == k][0], grid_t[grid_i == k][0]) for k in range(120) if np.any(i == k) and np.any(grid_i == k)]
        errors.append(np.median(np.abs(np.diff(both, axis=1))))
    assert np.log10(errors[0] / errors[2]) / 2 == pytest.approx(1.0, abs=0.2)
    assert errors[2] < 1e-6


@pytest.mark.parametrize("delay", [None, 1.5, "different"])
def test_two_runs_are_one_run_to_the_last_bit(delay):
    whole = spikes_of(network(delay=delay), 100 * ms)
    parts = network(delay=delay)
    spikes = SpikeMonitor(parts[0])
    net = Network(*parts, spikes)
    for duration in (33.3, 0.01, 66.69):
        net.run(duration * ms)
    np.testing.assert_array_equal(np.asarray(spikes.i), whole[1])
    np.testing.assert_array_equal(np.asarray(spikes.t), whole[0])


def test_a_stored_state_goes_on_to_the_last_bit(tmp_path):
    parts = network(delay="different")
    spikes = SpikeMonitor(parts[0])
    net = Network(*parts, spikes)
    net.run(50 * ms)
    net.store(filename=str(tmp_path / "state"))
    net.run(50 * ms)
    expected = np.asarray(spikes.t).copy(), np.asarray(spikes.i).copy()
    net.restore(filename=str(tmp_path / "state"))
    net.run(50 * ms)
    np.testing.assert_array_equal(np.asarray(spikes.t), expected[0])
    np.testing.assert_array_equal(np.asarray(spikes.i), expected[1])


def test_monitors_do_not_change_what_they_record():
    alone = spikes_of(network(delay=1.5))
    parts = network(delay=1.5)
    traces = StateMonitor(parts[0], ["v", "ge"], record=[0, 5], dt=0.3 * ms)
    rate = PopulationRateMonitor(parts[0])
    watched = spikes_of([*parts, traces, rate])
    for one, other in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    assert traces.v.shape == (2, 500)
    counted = np.asarray(rate.rate) * 1e-4 * 120
    assert counted.sum() == pytest.approx(len(alone[0]), abs=1e-6)
    np.testing.assert_array_equal(np.round(counted), np.histogram(alone[0], 1500, (0, 0.15))[0])


def test_states_are_what_the_equations_say():
    _, traces = watched_cell(3 * mV, -2 * mV, 30 * ms)
    t = np.asarray(traces.t)
    x = np.exp(-t / 20e-3)
    b, c = -1.0, 2.0
    expected = -49.0 + b * x**4 + c * x**2 + (-60 + 49 - b - c) * x
    np.testing.assert_allclose(traces.v[0] / mV, expected, rtol=1e-13)


def test_a_table_is_a_step_at_its_time():
    current = TimedArray([0.0, 2.0, 0.0], dt=10 * ms)
    group = NeuronGroup(
        1,
        "dv/dt = (current(t) - v)/(20*ms) : 1",
        threshold="v > 0.5",
        reset="v = 0",
        method="exact",
        namespace={"current": current},
    )
    spikes = SpikeMonitor(group)
    trace = StateMonitor(group, "v", record=0, dt=0.5 * ms)
    run(group, spikes, trace, duration=25 * ms)
    np.testing.assert_allclose(spikes.t / ms, [10 + 20 * np.log(2 / 1.5)], rtol=1e-14)
    after = np.asarray(trace.t) >= 20e-3
    last = 2 * (1 - np.exp(-(20 - spikes.t[0] / ms) / 20))
    np.testing.assert_allclose(
        trace.v[0][after], last * np.exp(-(np.asarray(trace.t)[after] - 20e-3) / 20e-3), rtol=1e-13
    )


def test_python_code_sees_and_changes_the_network_at_its_times():
    group = NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="exact")
    group.v = [1.0, 2.0]
    seen = []

    @network_operation(dt=4 * ms)
    def change(t):
        seen.append((t / ms, *np.asarray(group.v)))
        group.v[1] = 2.0

    run(group, change, duration=10 * ms)
    expected = [(t, np.exp(-t / 10), 2.0 if t == 0 else 2 * np.exp(-0.4)) for t in (0.0, 4.0, 8.0)]
    np.testing.assert_allclose(seen, expected, rtol=1e-14)
    np.testing.assert_allclose(group.v, [np.exp(-1.0), 2 * np.exp(-0.2)], rtol=1e-14)


def test_regular_code_is_run_at_its_times():
    group = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1\nn : 1", method="exact")
    group.v = 1
    group.run_regularly("v += i; n += 1", dt=3 * ms)
    run(group, duration=7 * ms)
    expected = [np.exp(-0.7) + i * (np.exp(-0.7) + np.exp(-0.4) + np.exp(-0.1)) for i in range(3)]
    np.testing.assert_allclose(group.v, expected, rtol=1e-14)
    np.testing.assert_array_equal(group.n, 3)


def test_poisson_groups_are_poisson():
    rates = np.array([0.0, 20.0, 100.0, 400.0])
    group = PoissonGroup(4000, np.tile(rates, 1000) * Hz)
    spikes = SpikeMonitor(group)
    run(group, spikes, duration=1 * second)
    counts = np.bincount(spikes.i, minlength=4000).reshape(1000, 4)
    assert counts[:, 0].sum() == 0
    # Mean and variance of 1000 counts; 5 standard errors, a chance of 1e-6 each.
    z = (counts.mean(axis=0) - rates)[1:] / np.sqrt(rates[1:] / 1000)
    assert np.all(np.abs(z) < 5)
    assert np.all(np.abs(counts.var(axis=0)[1:] / rates[1:] - 1) < 5 * np.sqrt(2 / 1000))
    assert len(np.unique(spikes.t)) == spikes.num_spikes


def test_a_changing_rate_is_followed_to_the_instant():
    stimulus = TimedArray(np.array([500.0, 0.0, 100.0]) * Hz, dt=0.3 * second)
    group = PoissonGroup(200, "stimulus(t)", namespace={"stimulus": stimulus})
    spikes = SpikeMonitor(group)
    run(group, spikes, duration=0.9 * second)
    counts = np.histogram(spikes.t, [0, 0.3, 0.6, 0.9])[0]
    expected = 200 * 0.3 * np.array([500, 0, 100])
    assert counts[1] == 0
    assert np.all(np.abs(counts - expected)[[0, 2]] < 5 * np.sqrt(expected[[0, 2]]))


def test_shot_noise_has_its_mean_and_variance():
    group = NeuronGroup(1000, "dv/dt = -v/(10*ms) : 1", method="exact")
    drive = PoissonInput(group, "v", N=100, rate=20 * Hz, weight=0.1)
    run(group, drive, duration=200 * ms)
    mean, variance = 0.1 * 2000 * 0.01, 0.1**2 * 2000 * 0.01 / 2
    assert abs(np.mean(group.v) - mean) < 5 * np.sqrt(variance / 1000)
    assert abs(np.var(group.v) / variance - 1) < 5 * np.sqrt(2 / 1000 + 0.02)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: NeuronGroup(1, "dv/dt = -v/(10*ms) + xi*(10*ms)**-0.5 : 1", name="noisy"), "noisy: .*xi"),
        (lambda: NeuronGroup(1, "v : 1", threshold="rand() < 0.1", name="dice"), "dice: .*rand"),
        (lambda: NeuronGroup(1, "v : 1", events={"e": "v > 2"}, name="custom"), "custom: .*'e'"),
        (lambda: NeuronGroup(1, "v : 1\nx = v : 1 (constant over dt)", name="held"), "held: .*constant"),
        (lambda: NeuronGroup(1, "v : 1", threshold="v>1", refractory="v>0.5 and v<2", name="r"), "r: .*condition"),
    ],
)  # fmt: skip
def test_what_needs_steps_is_refused(build, said):
    with pytest.raises(InputError, match=f"(?s){said}.*grid"):
        run(build(), duration=1 * ms)


def test_a_reset_above_threshold_is_said():
    group = NeuronGroup(2, "dv/dt = 1/(10*ms) : 1", threshold="v > 1", reset="v = 2", method="exact", name="zeno")
    with pytest.raises(BionetError, match="zeno: neuron 0"):
        run(group, duration=20 * ms)


def test_a_loop_without_delay_is_said():
    with pytest.raises(BionetError, match="relays"):
        ring([0, 1, 2], [1, 0, 0], [0, 0, 1], 1 * ms)


def test_it_is_explained():
    parts = network(delay=1.5)
    traces = StateMonitor(parts[0], "v", record=0)
    text = str(bionet.spiking.explain(Network(*parts, traces)))
    assert "closed form" in text
    assert "1.5 ms" in text
    assert "records states every 100. us" in text
    curved = NeuronGroup(1, "dv/dt = v**2/second : 1", threshold="v > 1", reset="v = 0", method="euler")
    assert "integrated" in str(bionet.spiking.explain(Network(curved)))


def driven():
    """Cells that sources fire, and their spikes; of the same names, and so of the same numbers, each time."""
    # With the last network gone, its sources leave their name to this one's.
    gc.collect()
    bionet.spiking.device.register().seed(1)
    group = NeuronGroup(20, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
    source = PoissonGroup(20, 1000 * Hz, name="sources")
    drive = Synapses(source, group, on_pre="v_post += 0.2")
    drive.connect(j="i")
    spikes, given = SpikeMonitor(group), SpikeMonitor(source)
    return Network(group, source, drive, spikes, given), spikes, given


def test_a_run_that_is_stopped_goes_on_as_if_it_was_not():
    def outcome(stops):
        net, spikes, given = driven()

        @network_operation(dt=10 * ms)
        def halt(t):
            if stops and abs(t - 50 * ms) < 1 * ms:
                net.stop()

        net.add(halt)
        net.run(100 * ms)
        if stops:
            assert float(net.t) == pytest.approx(0.05)
            net.run(50 * ms)
        return [np.asarray(getattr(each, key)) for each in (spikes, given) for key in "it"]

    whole, halves = outcome(stops=False), outcome(stops=True)
    assert len(whole[0]) > 20
    for one, other in zip(whole, halves, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("threads", [None, 2])
def test_so_does_one_that_is_stopped_in_the_middle_of_a_window(threads, monkeypatch):
    monkeypatch.setattr("bionet.spiking.engines.event._PATIENCE", 5)
    monkeypatch.setattr("bionet.spiking.engines.shared_event._PATIENCE", 5)

    def outcome(threads, stops):
        net, spikes, given = driven()
        get_device().threads, runs = threads, 0

        def halt(elapsed, completed, start, duration):
            if stops and float(net.t) > 0.002 * runs:
                net.stop()

        while float(net.t) < 0.02 - 1e-12:
            runs += 1
            net.run(20 * ms - net.t, report=halt, report_period=1e-9 * second)
        return runs, [np.asarray(getattr(each, key)) for each in (spikes, given) for key in "it"]

    (one_run, whole), (runs, parts) = outcome(None, stops=False), outcome(threads, stops=True)
    assert one_run == 1
    assert runs > 8
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
