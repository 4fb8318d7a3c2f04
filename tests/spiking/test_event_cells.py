"""Cells and rules on the event engine: closed forms, published digits, SciPy's integrator, sums over all spikes."""

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    amp,
    mS,
    ms,
    mV,
    nA,
    nS,
    pA,
    pF,
    second,
    uF,
)
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import brentq

import bionet.spiking
from bionet.random import Stream

from .agreement import device

CHOSEN = 1e-6  # of a millisecond: what is promised of cells that are integrated


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def spike_times(group, duration, *others):
    spikes = SpikeMonitor(group)
    Network(group, spikes, *others).run(duration)
    return np.asarray(spikes.t) * 1e3


def test_the_quadratic_cell_has_its_closed_form():
    # v' = v^2 + 1 from -10 to 10 takes 2 arctan 10.
    group = NeuronGroup(1, "dv/dt = (v**2 + 1)/second : 1", threshold="v > 10", reset="v = -10", method="euler")
    group.v = -10
    times = spike_times(group, 30 * second)
    np.testing.assert_allclose(times, 2e3 * np.arctan(10.0) * np.arange(1, 11), rtol=0, atol=CHOSEN)
    assert bionet.spiking.accuracy().bracket < 1e-15


def test_a_resonator_with_an_alpha_current_is_the_matrix_exponential():
    group = NeuronGroup(
        2,
        """dv/dt = (s - v - w)/(20*ms) : 1
        dw/dt = (4*v - w)/(20*ms) : 1
        ds/dt = (x - s)/(5*ms) : 1
        dx/dt = -x/(5*ms) : 1""",
        threshold="v > 0.35", reset="v = 0", refractory=20 * ms, method="euler",
    )  # fmt: skip
    group.v, group.x = [0.1, 0.0], [1.0, 8.0]
    traces = StateMonitor(group, ["v", "w", "s"], record=0, dt=0.5 * ms)
    matrix = np.array([[-50, -50, 50, 0], [200, -50, 0, 0], [0, 0, -200, 200], [0, 0, 0, -200.0]])
    times = spike_times(group, 15 * ms, traces)
    exact = np.array([expm(matrix * t) @ [0.1, 0, 0, 1.0] for t in np.asarray(traces.t)])
    for k, name in enumerate("vws"):
        np.testing.assert_allclose(getattr(traces, name)[0], exact[:, k], rtol=0, atol=1e-13)
    crossing = brentq(lambda t: (expm(matrix * t) @ [0, 0, 0, 8.0])[0] - 0.35, 1e-4, 6e-3, xtol=1e-16)
    np.testing.assert_allclose(times, [1e3 * crossing], rtol=1e-12)
    assert bionet.spiking.accuracy().grazes == 0


@pytest.mark.parametrize(
    ("a", "c", "d", "expected"),
    [
        (0.02, -65, 8, [3.127055303876976, 26.2260246341484, 71.05709732820959, 115.8695109962783]),
        (0.1, -65, 2, [3.152898752001683, 7.443815792327507, 13.3122244019521, 20.32715858538543]),
    ],
)
def test_izhikevich_cells_fire_when_a_taylor_series_says(a, c, d, expected):
    group = NeuronGroup(
        1, "dv/dt = (0.04*v**2 + 5*v + 150 - u)/ms : 1\ndu/dt = a*(0.2*v - u)/ms : 1",
        threshold="v > 30", reset="v = c; u += d", method="euler", namespace={"a": a, "c": c, "d": d},
    )  # fmt: skip
    group.v, group.u = -65, -13
    np.testing.assert_allclose(spike_times(group, (expected[-1] + 0.5) * ms), expected, rtol=0, atol=CHOSEN)


def test_the_adaptive_exponential_cell_fires_when_a_taylor_series_says():
    # R. Brette, W. Gerstner, J. Neurophysiol. 94 (2005), driven by 1 nA.
    names = {
        "C": 281 * pF, "gL": 30 * nS, "EL": -70.6 * mV, "VT": -50.4 * mV, "D": 2 * mV, "tau_w": 144 * ms, "a": 4 * nS,
        "b": 80.5 * pA, "I": 1 * nA,
    }  # fmt: skip
    group = NeuronGroup(
        1, "dv/dt = (gL*(EL - v) + gL*D*exp((v - VT)/D) + I - w)/C : volt\ndw/dt = (a*(v - EL) - w)/tau_w : amp",
        threshold="v > 20*mV", reset="v = EL; w += b", method="euler", namespace=names,
    )  # fmt: skip
    group.v = -70.6 * mV
    expected = [11.79157283509595, 25.3760603040537, 41.19620912894807, 59.77566330597923, 81.64405652388603]
    expected.append(107.1462845750495)
    np.testing.assert_allclose(spike_times(group, 110 * ms), expected, rtol=0, atol=CHOSEN)


@pytest.mark.slow
def test_a_cell_with_conductances_fires_when_scipy_says():
    names = {
        "taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "El": -60 * mV, "Ee": 0 * mV, "Ei": -80 * mV,
    }  # fmt: skip
    group = NeuronGroup(
        1, "dv/dt = (ge*(Ee - v) + gi*(Ei - v) - (v - El))/taum : volt (unless refractory)\n"
        "dge/dt = -ge/taue : 1\ndgi/dt = -gi/taui : 1",
        threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="euler", namespace=names,
    )  # fmt: skip
    group.v, group.ge, group.gi = -60 * mV, 12.0, 0.4

    def slopes(t, y, free=1.0):
        v, ge, gi = y
        return [free * (ge * -v + gi * (-80 - v) - (v + 60)) / 20, -ge / 5, -gi / 10]

    expected, state, t = [], np.array([-60.0, 12.0, 0.4]), 0.0
    while True:
        hit = lambda t, y: y[0] + 50  # noqa: E731
        hit.terminal, hit.direction = True, 1
        part = solve_ivp(slopes, (t, 60.0), state, method="DOP853", rtol=1e-13, atol=1e-15, events=hit)
        if part.status != 1:
            break
        expected.append(part.t_events[0][0])
        t, state = expected[-1], part.y_events[0][0]
        rest = solve_ivp(
            lambda t, y: slopes(t, y, 0.0), (t, t + 5), [-60.0, *state[1:]], method="DOP853", rtol=1e-13, atol=1e-15
        )
        t, state = t + 5, rest.y[:, -1]
    assert len(expected) >= 2
    np.testing.assert_allclose(spike_times(group, 60 * ms), expected, rtol=0, atol=CHOSEN)


@pytest.mark.slow
def test_a_hodgkin_huxley_cell_fires_when_scipy_says():
    names = {
        "C": 1 * uF, "gl": 0.3 * mS, "gk": 36 * mS, "gna": 120 * mS, "I": 1e-5 * amp,
        "El": -54.387 * mV, "Ek": -77 * mV, "Ena": 50 * mV,
    }  # fmt: skip
    group = NeuronGroup(
        1,
        """dv/dt = (I - gl*(v - El) - gk*n**4*(v - Ek) - gna*m**3*h*(v - Ena))/C : volt
        dn/dt = (0.1/exprel(-(v + 55*mV)/(10*mV))*(1 - n) - 0.125*exp(-(v + 65*mV)/(80*mV))*n)/ms : 1
        dm/dt = (1/exprel(-(v + 40*mV)/(10*mV))*(1 - m) - 4*exp(-(v + 65*mV)/(18*mV))*m)/ms : 1
        dh/dt = (0.07*exp(-(v + 65*mV)/(20*mV))*(1 - h) - h/(1 + exp(-(v + 35*mV)/(10*mV))))/ms : 1""",
        threshold="v > 0*mV", reset="", refractory=3 * ms, method="exponential_euler", namespace=names,
    )  # fmt: skip
    start = [-65.0, 0.3177, 0.0529, 0.5961]
    group.v, group.n, group.m, group.h = start[0] * mV, *start[1:]

    def slopes(t, y):
        v, n, m, h = y
        exprel = lambda x: np.expm1(x) / x if x else 1.0  # noqa: E731
        return [
            10 - 0.3 * (v + 54.387) - 36 * n**4 * (v + 77) - 120 * m**3 * h * (v - 50),
            0.1 / exprel(-(v + 55) / 10) * (1 - n) - 0.125 * np.exp(-(v + 65) / 80) * n,
            1 / exprel(-(v + 40) / 10) * (1 - m) - 4 * np.exp(-(v + 65) / 18) * m,
            0.07 * np.exp(-(v + 65) / 20) * (1 - h) - h / (1 + np.exp(-(v + 35) / 10)),
        ]

    hit = lambda t, y: y[0]  # noqa: E731
    hit.direction = 1
    exact = solve_ivp(slopes, (0, 80.0), start, method="DOP853", rtol=1e-13, atol=1e-14, events=hit)
    assert len(exact.t_events[0]) >= 4
    np.testing.assert_allclose(spike_times(group, 80 * ms), exact.t_events[0], rtol=0, atol=CHOSEN)


def pair(times_pre, times_post, model, on_pre, on_post, **more):
    pre, post = (
        SpikeGeneratorGroup(1, np.zeros(len(times), int), np.asarray(times) * second)
        for times in (times_pre, times_post)
    )
    synapses = Synapses(pre, post, model, on_pre=on_pre, on_post=on_post, **more)
    synapses.connect()
    return pre, post, synapses


def trains(seed, n=200):
    u = Stream(seed, "trains").uniform((2, n))
    return np.sort(2 * u, axis=1)


def test_pair_plasticity_is_the_sum_over_all_pairs():
    times_pre, times_post = trains(5)
    model = "w : 1\ndx/dt = -x/(17*ms) : 1 (event-driven)\ndy/dt = -y/(34*ms) : 1 (event-driven)"
    parts = pair(times_pre, times_post, model, "x += 0.01; w -= y", "y += 0.012; w += x")
    parts[2].pre.delay = 1.3 * ms
    Network(*parts).run(2.1 * second)
    lag = times_post[None, :] - (times_pre[:, None] + 1.3e-3)
    expected = (0.01 * np.exp(-lag[lag > 0] / 17e-3)).sum() - (0.012 * np.exp(lag[lag < 0] / 34e-3)).sum()
    np.testing.assert_allclose(parts[2].w, expected, rtol=1e-10)


def test_triplet_plasticity_is_the_sum_over_all_triplets():
    # J.-P. Pfister, W. Gerstner, J. Neurosci. 26 (2006): potentiation by r1 (1 + r2), r2 as it was before the spike.
    times_pre, times_post = trains(6, 120)
    model = """w : 1
    dr1/dt = -r1/(17*ms) : 1 (event-driven)
    do1/dt = -o1/(34*ms) : 1 (event-driven)
    do2/dt = -o2/(114*ms) : 1 (event-driven)"""
    parts = pair(times_pre, times_post, model, "w -= 7e-3*o1; r1 += 1", "w += r1*(5e-3 + 6e-3*o2); o1 += 1; o2 += 1")
    Network(*parts).run(2.1 * second)
    expected = 0.0
    for t in times_pre:
        expected -= 7e-3 * np.exp(-(t - times_post[times_post < t]) / 34e-3).sum()
    for t in times_post:
        r1 = np.exp(-(t - times_pre[times_pre < t]) / 17e-3).sum()
        o2 = np.exp(-(t - times_post[times_post < t]) / 114e-3).sum()
        expected += r1 * (5e-3 + 6e-3 * o2)
    np.testing.assert_allclose(parts[2].w, expected, rtol=1e-10)


def test_short_term_plasticity_reaches_its_closed_form():
    # M. Tsodyks, H. Markram, PNAS 94 (1997): U 0.5, facilitation 50 ms, recovery 200 ms, a spike every 50 ms.
    pre = SpikeGeneratorGroup(1, np.zeros(400, int), (1 + np.arange(400)) * 50 * ms)
    post = NeuronGroup(1, "released : 1")
    model = "du/dt = -u/(50*ms) : 1 (event-driven)\ndx/dt = (1 - x)/(200*ms) : 1 (event-driven)"
    synapses = Synapses(pre, post, model, on_pre="u += 0.5*(1 - u); released_post = u*x; x -= u*x")
    synapses.connect()
    synapses.x = 1
    Network(pre, post, synapses).run(20.01 * second)
    e_f, e_d = np.exp(-1.0), np.exp(-0.25)
    u = 0.5 / (1 - 0.5 * e_f)
    expected = u * (1 - e_d) / (1 - (1 - u) * e_d)
    assert expected == pytest.approx(0.1940642641355, abs=1e-12)
    np.testing.assert_allclose(post.released, expected, rtol=1e-12)


def test_weights_that_do_not_learn_keep_their_bits():
    times_pre, times_post = trains(7)
    model = "w : 1\ndx/dt = -x/(17*ms) : 1 (event-driven)\nrate : 1 (shared)"
    parts = pair(times_pre, times_post, model, "x += 0.01; w = clip(w - rate*x, 0, 1)", "w = clip(w + rate*x, 0, 1)")
    parts[2].w, parts[2].rate = 1 / 3, 0
    Network(*parts).run(2.1 * second)
    assert parts[2].w[0] == 1 / 3


@pytest.mark.slow
def test_a_million_spikes_keep_their_period():
    group = NeuronGroup(
        1, "dv/dt = (-49*mV - v)/(20*ms) : volt (unless refractory)", threshold="v > -50*mV", reset="v = -60*mV",
        refractory=5 * ms, method="exact",
    )  # fmt: skip
    group.v = -60 * mV
    times = spike_times(group, 52958 * second)
    assert len(times) > 1e6 - 10
    expected = 20 * np.log(11.0) + (5 + 20 * np.log(11.0)) * np.arange(len(times))
    np.testing.assert_allclose(times, expected, rtol=1e-12)


@pytest.mark.slow
def test_a_hundred_thousand_turns_of_a_ring_keep_their_period():
    ring = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 0.5", reset="v = 0", method="exact")
    ring.v = [1, 0, 0]
    synapses = Synapses(ring, ring, on_pre="v_post += 1")
    synapses.connect(i=[0, 1, 2], j=[1, 2, 0])
    synapses.delay = np.array([1.0, np.pi, 1 / 3]) * ms
    spikes = SpikeMonitor(ring[:1])
    Network(ring, synapses, spikes).run(447.493 * second)
    times = np.asarray(spikes.t)
    assert len(times) > 99_999
    period = 4.474925986923127e-3
    np.testing.assert_allclose(times, period * np.arange(len(times)), rtol=1e-13, atol=1e-12)
