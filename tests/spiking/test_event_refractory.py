"""Refractory periods that end with a condition, on the event engine: closed forms, and the grid with shorter steps."""

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    defaultclock,
    ms,
    second,
)
from scipy.integrate import solve_ivp

from bionet.errors import InputError
from bionet.random import Stream

from .agreement import device

TAU = 20e-3


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def pulsed(times, sizes, decay="-v/(20*ms)", refractory="v > 0.5", **more):
    """A cell that given spikes excite; ``free`` measures the time that it is not refractory."""
    given = SpikeGeneratorGroup(1, np.zeros(len(times), int), np.asarray(times) * second)
    cell = NeuronGroup(
        1, f"dv/dt = {decay} : 1\ndfree/dt = 1/second : 1 (unless refractory)\nn : 1", threshold="v > 1",
        reset="n += 1", refractory=refractory, method="euler", name="cell",
    )  # fmt: skip
    synapses = Synapses(given, cell, "size : 1", on_pre="v_post += size", name="pulses")
    synapses.connect()
    synapses.size = sizes
    spikes = SpikeMonitor(cell, name="spikes")
    return Network(given, cell, synapses, spikes), cell, spikes


def expected(times, size, end, level=0.5):
    """Spikes and the time free of refractoriness, from one pulse to the next."""
    v, now, until, spikes, held = 0.0, 0.0, -1.0, [], 0.0
    for t in [*times, end]:
        v *= np.exp(-(t - now) / TAU)
        now = t
        if t == end:
            held += max(min(until, end) - spikes[-1], 0.0)
            break
        v += size
        is_free = t >= until
        if is_free and v > 1:
            if spikes:
                held += until - spikes[-1]
            spikes.append(t)
            is_free = False
        if not is_free:
            until = t + TAU * np.log(v / level)
    return np.array(spikes), end - held


def test_it_ends_where_the_closed_form_says():
    times = np.cumsum(Stream(1, "pulses").uniform(60) * 0.04)
    net, cell, spikes = pulsed(times, 1.2)
    net.run(1.3 * second)
    t, free = expected(times[times < 1.3], 1.2, 1.3)
    assert 5 < len(t) < len(times) - 5
    np.testing.assert_allclose(np.asarray(spikes.t), t, rtol=1e-14)
    np.testing.assert_allclose(cell.free, [free], rtol=1e-12)


def test_it_goes_on_in_parts_to_the_last_bit():
    times = np.cumsum(Stream(1, "pulses").uniform(60) * 0.04)
    found = []
    for parts in ([1300.0], [33.3, 0.01, 66.69, 700, 500]):
        net, cell, spikes = pulsed(times, 1.2)
        for each in parts:
            net.run(each * ms)
        found.append((np.asarray(spikes.t).copy(), float(cell.free[0])))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-14)


@pytest.mark.parametrize("refractory", ["v > 0.5", "0.5 <= v"])
def test_without_a_closed_form_it_ends_where_the_solution_says(refractory):
    # v' = -v^3/ms falls from a to b within (1/b^2 - 1/a^2)/2 ms.
    net, cell, spikes = pulsed([0.01, 0.05], 1.5, decay="-v**3/ms", refractory=refractory)
    net.run(45 * ms)
    held = (1 / 0.25 - 1 / 2.25) / 2 * 1e-3
    np.testing.assert_allclose(cell.free, [45e-3 - held], rtol=1e-9)
    np.testing.assert_allclose(np.asarray(spikes.t), [0.01], rtol=1e-14)


def test_the_grid_converges_to_it_with_slope_1():
    times = np.round(np.cumsum(Stream(2, "pulses").uniform(40) * 0.04), 3)
    net, cell, spikes = pulsed(times, 1.2)
    net.run(0.8 * second)
    exact, count = float(cell.free[0]), spikes.num_spikes
    errors = []
    for dt in (100, 10, 1):
        with device("bionet", engine="grid"):
            defaultclock.dt = dt * 1e-3 * ms
            net, cell, spikes = pulsed(times, 1.2)
            net.run(0.8 * second)
            assert spikes.num_spikes == count
            errors.append(abs(float(cell.free[0]) - exact))
    assert np.log10(errors[0] / errors[2]) / 2 == pytest.approx(1.0, abs=0.2)
    assert errors[2] < 20e-6


def test_a_variable_that_counts_makes_it_as_long_as_a_time():
    def spikes_of(refractory, model):
        group = NeuronGroup(
            4, f"dv/dt = (i + 1.3 - v)/(10*ms) : 1 (unless refractory)\n{model}", threshold="v > 1",
            reset="v = 0; w = 0", refractory=refractory, method="exact",
        )  # fmt: skip
        spikes = SpikeMonitor(group)
        Network(group, spikes).run(300 * ms)
        return np.asarray(spikes.t), np.asarray(spikes.i)

    t, i = spikes_of("w < 1", "dw/dt = 1/(3*ms) : 1")
    other_t, other_i = spikes_of(3 * ms, "w : 1")
    np.testing.assert_array_equal(i, other_i)
    np.testing.assert_allclose(t, other_t, rtol=1e-12)


def test_a_condition_that_the_reset_ends_is_over_at_once():
    group = NeuronGroup(
        1, "dv/dt = (1.5 - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0", refractory="v > 0.5", method="exact"
    )
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(100 * ms)
    np.testing.assert_allclose(np.asarray(spikes.t) * 1e3, 10 * np.log(3.0) * np.arange(1, 10), rtol=1e-13)


def test_a_spike_of_fitzhugh_and_nagumo_is_one_spike():
    # Without a reset the threshold is exceeded for as long as the spike lasts, and so is the condition.
    group = NeuronGroup(
        1,
        """dv/dt = (v - v**3/3 - w + 0.5)/ms : 1
        dw/dt = 0.08*(v + 0.7 - 0.8*w)/ms : 1
        dfree/dt = 1/ms : 1 (unless refractory)""",
        threshold="v > 0.5", reset="", refractory="v > 0.5", method="euler",
    )  # fmt: skip
    group.v, group.w = -1.0, -0.5
    spikes = SpikeMonitor(group)
    traces = StateMonitor(group, "v", record=0, dt=1 * ms)
    Network(group, spikes, traces).run(200 * ms)

    def slopes(t, y):
        return [y[0] - y[0] ** 3 / 3 - y[1] + 0.5, 0.08 * (y[0] + 0.7 - 0.8 * y[1])]

    hit = lambda t, y: y[0] - 0.5  # noqa: E731
    exact = solve_ivp(slopes, (0, 200.0), [-1.0, -0.5], method="DOP853", rtol=1e-13, atol=1e-14, events=hit)
    crossings = exact.t_events[0]
    assert len(crossings) >= 6
    np.testing.assert_allclose(np.asarray(spikes.t) * 1e3, crossings[::2], rtol=0, atol=1e-6)
    held = np.diff(np.append(crossings, 200.0) if len(crossings) % 2 else crossings)[::2].sum()
    np.testing.assert_allclose(group.free, [200 - held], rtol=0, atol=1e-6)


@pytest.mark.parametrize("refractory", ["v > 0.5 and v < 2", "not (v < 0.5)", "n == 1"])
def test_other_conditions_are_refused(refractory):
    net, _, _ = pulsed([0.01], 1.5, refractory=refractory)
    with pytest.raises(InputError, match=r"cell: refractory=.*no comparison.*grid"):
        net.run(20 * ms)
