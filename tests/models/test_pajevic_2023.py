"""Oligodendrocyte-mediated plasticity: each spike against the sum over all before it, then spreads of latency."""

import numpy as np
import pytest
from brian2 import second
from scipy.integrate import solve_ivp

from bionet.errors import InputError
from models.pajevic_2023 import COMPUTED, N_AXONS, N_CELLS, build, trains
from tests.spiking.agreement import device

T_MIN, T_MAX = 3 / N_CELLS, 100 / N_CELLS  # [ms]


def response(t, t_d=30.0, t_r=30.0):
    """G(t) of the paper [1/ms], area 1."""
    a, b, c = (t_d + t_r) / (t_d * t_r), 1 / t_d, (t_d + t_r) / (t_r * t_d**2)
    return np.where(t > 0, c * (np.exp(-b * t) - np.exp(-a * t)) / (a - b), 0.0)


def test_the_response_is_as_stated():
    t = np.linspace(0, 600, 600_001)
    assert np.trapezoid(response(t), t) == pytest.approx(1, abs=1e-6)
    assert t[np.argmax(response(t))] == pytest.approx(30 * np.log(2), abs=1e-3)
    assert response(t).max() == pytest.approx(1 / 60, rel=1e-9)


def sums_over_spikes(times, axons, tau, end, interval=100.0, l_a=0.1, l_m=0.1):
    """The chain by plain sums and integrated equations [ms]: latencies at the last entrances before an end."""
    tau = tau.copy()
    for k in range(N_CELLS):
        # Homeostasis acts each second, first at 0.
        r = l_m * N_AXONS / interval**2 * np.exp(1e-3 * (10 - tau[k].mean()))
        order = np.argsort(times, kind="stable")
        order = order[times[order] < end]
        times, axons = times[order], axons[order]
        m, since, left = np.zeros(N_AXONS), np.zeros(N_AXONS), np.empty_like(times)
        for n, (t, i) in enumerate(zip(times, axons, strict=True)):

            def slope(s, y, m_0=m[i]):
                return (r * (T_MAX - y) - l_a * m_0 * np.exp(-l_a * s) * (y - T_MIN)) / (T_MAX - T_MIN)  # noqa: B023

            h = t - since[i]
            tau[k, i] = solve_ivp(slope, (0, h), [tau[k, i]], method="DOP853", rtol=1e-12, atol=1e-12).y[0, -1]
            m[i] = m[i] * np.exp(-l_a * h) + l_m * response(t - times[:n]).sum()
            since[i], left[n] = t, t + tau[k, i]
        times = left
    return tau


def test_a_second_is_as_sums_over_all_spikes_say():
    with device("bionet", engine="event", seed=1):
        chain = build(1, seed=3)
        start = np.asarray(chain.segments.tau).reshape(N_CELLS, N_AXONS) * 1e3
        chain.network.run(1.0 * second)
        found = np.asarray(chain.segments.tau).reshape(N_CELLS, N_AXONS) * 1e3
    times, axons, _ = trains(1, True, 0.1, 1e-3, 5e-3, seed=3)
    expected = sums_over_spikes(times * 1e3, axons, start, 1000.0)
    assert np.abs(expected - start).max() > 0.02
    # Simpson's rule errs by less than 1e-6 ms at each of a dozen spikes.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"build.t_d: got 0"):
        build(t_d=0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_common_train_falls_into_step_and_independent_ones_do_not():
    common, independent = [], []
    with device("bionet", engine="event", seed=1):
        for seed in range(12):
            chain = build(40, seed=seed)
            common.append([chain.spread()])
            for duration in (100, 300):
                chain.network.run(duration * second)
                common[-1].append(chain.spread())
            chain = build(10, common=False, seed=seed)
            chain.network.run(100 * second)
            independent.append(chain.spread())
    found = 1e3 * np.mean(common, axis=0)
    # Means of 12 seeds on both sides: 4 standard errors of their difference, a chance of 6e-5 each.
    for mean, name in zip(found[1:], ("common, 10 epochs", "common, 40 epochs"), strict=True):
        expected, deviation = COMPUTED[name]
        assert abs(mean - expected) < 4 * deviation * np.sqrt(2 / 12)
    expected, deviation = COMPUTED["independent, 10 epochs"]
    assert abs(1e3 * np.mean(independent) - expected) < 4 * deviation * np.sqrt(2 / 12)
    assert np.all(np.array(common)[:, 2] < np.array(common)[:, 0] / 2)
