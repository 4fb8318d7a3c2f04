"""Activity-dependent myelination: its fixed point, and the rule run as fronts without steps."""

import numpy as np
import pytest
from brian2 import second

from bionet.errors import InputError
from models.talidou_2022 import C_MIN, EPSILON, PUBLISHED, build, driven, fixed_point
from tests.spiking.agreement import device


def test_the_fixed_point_is_the_published_one():
    for (rate, length), (velocity, delay) in PUBLISHED.items():
        found = float(fixed_point(rate, length))
        assert found == pytest.approx(velocity, abs=5e-4)
        assert length / found == pytest.approx(delay, abs=5e-3)
        # It is one: loss and gain are level.
        assert found - C_MIN == pytest.approx(EPSILON * rate * length / found, rel=1e-13)


def test_a_regular_train_holds_velocities_at_the_exact_cycle():
    rate, lengths, a = 0.1, np.array([10.0, 20.0]), 1e-3
    with device("bionet", engine="event", seed=1):
        run = driven(rate, lengths, 1000, a, a)
        run.network.run(10.005 * second)
        c, since = np.asarray(run.axons.c), np.asarray(run.axons.lastupdate)
        arrivals, axon = np.asarray(run.spikes.t), np.asarray(run.spikes.i)
    # Before each spike c = c_min + (c + a eps l/c - c_min) e, a quadratic equation; 2000 e-folds of a/rate 0.01 have
    # passed from the fixed point of the mean on.
    e = np.exp(-a / rate)
    before = (C_MIN * (1 - e) + np.sqrt((C_MIN * (1 - e)) ** 2 + 4 * (1 - e) * e * a * EPSILON * lengths)) / 2 / (1 - e)
    after = before + a * EPSILON * lengths / before
    last = np.floor(since * 1e3 * rate + 1e-9) / rate
    np.testing.assert_allclose(c, C_MIN + (after - C_MIN) * np.exp(-a * (since * 1e3 - last)), rtol=1e-6)
    np.testing.assert_allclose(before, fixed_point(rate, lengths), rtol=a / rate)
    # A front covers its length: the velocity before the kick of its own departure counts for no time.
    for k, length in enumerate(lengths):
        own = arrivals[axon == k] * 1e3
        delay, n = own[-1] % (1 / rate), int(own[-1] * rate)
        whole = np.floor(length / _covered(1 / rate, after[k], a))
        rest = length - whole * _covered(1 / rate, after[k], a)
        found = _covered(delay, after[k], a)
        assert n > 900
        assert found == pytest.approx(rest, rel=1e-6)


def _covered(t, c, a):
    """How far a front comes in t [ms] at a velocity that relaxes from c [m/s]: mm."""
    return C_MIN * t + (c - C_MIN) * -np.expm1(-a * t) / a


def test_what_cannot_be_is_refused():
    with device("bionet", engine="event"), pytest.raises(InputError, match="a_r: got -1"):
        driven(0.1, [10.0], 3, a=-1.0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_network_fires_as_its_rate_function_says_and_stimulus_and_back_moves_velocities_both_ways():
    with device("bionet", engine="event", seed=1):
        run = build(n=40, duration=8.0, a_r=1e-3, a_f=1e-3, seed=1)
        means = []
        for _ in range(4):
            run.network.run(2 * second)
            means.append(float(np.mean(run.axons.c)))
        t = np.asarray(run.spikes.t)
    quarters = np.histogram(t, [0, 2, 4, 6, 8])[0] / 40 / 2e3
    # The mean input solves u = (w/n) k r(u) + I; fluctuations raise the mean of a convex function.
    assert quarters[1] > 2 * quarters[0]
    assert means[1] > means[0]
    assert means[2] < means[1]
    assert quarters[3] == pytest.approx(quarters[0], rel=0.15)
