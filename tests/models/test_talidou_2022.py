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


@pytest.mark.slow
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
def test_the_network_fires_at_its_mean_rate_and_a_stimulus_moves_velocities_there_and_back():
    with device("bionet", engine="event", seed=1):
        run = build(n=20, weight=0.1, duration=2.0, a_r=1e-2, a_f=1e-2, seed=1)
        velocities = []
        for _ in range(4):
            run.network.run(0.5 * second)
            velocities.append(float(np.mean(run.axons.c)))
        # The later four fifths of each quarter, when it has settled.
        rates = np.histogram(run.spikes.t, [0, 0.1, 0.5, 0.6, 1, 1.1, 1.5, 1.6, 2])[0][1::2] / 20 / 400
    # Each neuron's own r = f(sum of weights r + input), by iteration; some 750 spikes in a quarter without stimulus.
    into = np.zeros((20, 20))
    into[np.asarray(run.axons.j), np.asarray(run.axons.i)] = 0.1 / 0.15 / 20
    for quarter, stimulus, within in ((0, 0.0, 0.15), (1, 0.1, 0.03), (3, 0.0, 0.15)):
        rate = np.full(20, 0.1)
        for _ in range(1000):
            rate = 1 / (1 + np.exp(-25 * (into @ rate + stimulus - 0.1)))
        assert rates[quarter] == pytest.approx(rate.mean(), rel=within)
    assert velocities[1] > 2 * velocities[0]
    assert velocities[2] < velocities[1] / 2
    assert velocities[3] == pytest.approx(velocities[0], rel=0.25)
