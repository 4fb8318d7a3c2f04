"""Plasticity rules in Brian2's own syntax on the event engine, each against a sum over spikes."""

import numpy as np
import pytest
from brian2 import Network, SpikeGeneratorGroup, Synapses, second

from bionet.random import Stream

from .agreement import device

DURATION = 2.1


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def given(times, name):
    return SpikeGeneratorGroup(1, np.zeros(len(times), int), np.asarray(times) * second, name=name)


def trains(seed, n, count=2):
    return np.sort(2 * Stream(seed, "trains").uniform((count, n)), axis=1)


def learned(times_pre, times_post, model, on_pre, on_post, w=0.0, delay=0.0, **values):
    """The weight of one synapse after both trains."""
    pre, post = given(times_pre, "pre"), given(times_post, "post")
    synapses = Synapses(pre, post, model, on_pre=on_pre, on_post=on_post, name="plastic")
    synapses.connect()
    synapses.pre.delay = delay * second
    synapses.w = w
    for name, value in values.items():
        setattr(synapses, name, value)
    Network(pre, post, synapses).run(DURATION * second)
    return float(synapses.w[0])


TRACES = """w : 1
rate : 1 (shared)
dx/dt = -x/(17*ms) : 1 (event-driven)
dy/dt = -y/(34*ms) : 1 (event-driven)
"""
# A. Morrison, M. Diesmann, W. Gerstner, Biological Cybernetics 98 (2008), figure 7: which pairs count.
NEAREST = {
    "symmetric": ("w -= rate*0.012*y; x = 1", "w += rate*0.01*x; y = 1"),
    "immediate": ("w -= rate*0.012*y; x = 1; y = 0", "w += rate*0.01*x; y = 1; x = 0"),
}


def nearest(times_pre, times_post, immediate):
    """Each spike pairs with the last one of the other side; where only immediate pairs count, with no third between."""
    total = 0.0
    events = sorted([(t, "pre") for t in times_pre] + [(t, "post") for t in times_post])
    for k, (t, side) in enumerate(events):
        others = [(m, s) for m, (s, other) in enumerate(events[:k]) if other != side]
        if not others:
            continue
        m, s = others[-1]
        if immediate and m != k - 1:
            continue
        total += 0.01 * np.exp(-(t - s) / 17e-3) if side == "post" else -0.012 * np.exp(-(t - s) / 34e-3)
    return total


@pytest.mark.parametrize("delay", [0.0, 2.7e-3])
@pytest.mark.parametrize("pairs", ["symmetric", "immediate"])
def test_nearest_neighbours_are_the_sum_over_their_pairs(pairs, delay):
    times_pre, times_post = trains(11, 150)
    expected = nearest(times_pre + delay, times_post, pairs == "immediate")
    found = learned(times_pre, times_post, TRACES, *NEAREST[pairs], delay=delay, rate=1)
    assert found == pytest.approx(expected, rel=1e-10)
    assert abs(expected) > 0.01


def test_inhibitory_plasticity_is_the_sum_over_all_pairs():
    # T. P. Vogels et al., Science 334 (2011): each pair counts, whatever its order, and each input alone against it.
    times_pre, times_post = trains(12, 200)
    model = TRACES.replace("34*ms", "20*ms").replace("17*ms", "20*ms")
    found = learned(
        times_pre, times_post, model, "x += 1; w += rate*(y - 0.12)", "y += 1; w += rate*x", w=0.5, delay=0.8e-3,
        rate=0.01,
    )  # fmt: skip
    lag = np.abs(times_post[None, :] - (times_pre[:, None] + 0.8e-3))
    expected = 0.5 + 0.01 * (np.exp(-lag / 20e-3).sum() - 0.12 * 200)
    assert found == pytest.approx(expected, rel=1e-10)


def test_inhibitory_plasticity_stays_within_its_bounds_spike_by_spike():
    times_pre, times_post = trains(13, 200)
    model = TRACES.replace("34*ms", "20*ms").replace("17*ms", "20*ms")
    found = learned(
        times_pre, times_post, model, "x += 1; w = clip(w + rate*(y - 4), 0, 0.3)",
        "y += 1; w = clip(w + rate*x, 0, 0.3)", w=0.1, rate=0.05,
    )  # fmt: skip
    w, touched = 0.1, set()
    for t, side in sorted([(t, "pre") for t in times_pre] + [(t, "post") for t in times_post]):
        others = times_post if side == "pre" else times_pre
        trace = np.exp(-(t - others[others < t]) / 20e-3).sum()
        w = min(max(w + 0.05 * (trace - 4 * (side == "pre")), 0.0), 0.3)
        touched.add(w)
    assert {0.0, 0.3} <= touched
    assert found == pytest.approx(w, rel=1e-10)


# E. M. Izhikevich, Cerebral Cortex 17 (2007): w' = c d, with the eligibility c that pairs of spikes leave and the
# dopamine d that rewards release. In between, c d is one exponential: its integral is written out where a spike or a
# reward comes.
REWARDED = """w : 1
rate : 1 (shared)
c : 1
d : 1
seen : second
dx/dt = -x/(17*ms) : 1 (event-driven)
dy/dt = -y/(34*ms) : 1 (event-driven)
"""
SINCE = """w_{0} += rate_{0}*c_{0}*d_{0}*0.16*(1 - exp(-(t - seen_{0})/(160*ms)))
c_{0} = c_{0}*exp(-(t - seen_{0})/(800*ms))
d_{0} = d_{0}*exp(-(t - seen_{0})/(200*ms))
seen_{0} = t
"""


def rewarded(times_pre, times_post, rewards, rate=1.0, w=0.0):
    own = SINCE.replace("_{0}", "")
    pre, post, dopamine = given(times_pre, "pre"), given(times_post, "post"), given(rewards, "dopamine")
    synapses = Synapses(
        pre, post, REWARDED, on_pre=own + "c -= 0.012*y\nx += 1", on_post=own + "c += 0.01*x\ny += 1", name="plastic"
    )  # fmt: skip
    synapses.connect()
    synapses.w, synapses.rate = w, rate
    release = Synapses(
        dopamine, synapses, on_pre=SINCE.format("post") + "d_post += 0.5", name="release"
    )  # fmt: skip
    release.connect()
    Network(pre, post, dopamine, synapses, release).run(DURATION * second)
    return synapses


def test_rewarded_plasticity_is_the_sum_over_pairs_and_rewards():
    times_pre, times_post = trains(14, 60)
    rewards = np.sort(2 * Stream(15, "rewards").uniform(9))
    synapses = rewarded(times_pre, times_post, rewards)
    end = max(times_pre[-1], times_post[-1], rewards[-1])
    # Each pair leaves an eligibility at the later of its spikes; each reward reads it out from then on.
    expected = 0.0
    for t in times_pre:
        for s in times_post:
            at, size = max(t, s), 0.01 * np.exp(-(s - t) / 17e-3) if s > t else -0.012 * np.exp(-(t - s) / 34e-3)
            for r in rewards:
                start = max(at, r)
                overlap = np.exp(-(start - at) / 0.8 - (start - r) / 0.2)
                expected += size * 0.5 * overlap * 0.16 * (1 - np.exp(-(end - start) / 0.16))
    assert abs(expected) > 1e-3
    np.testing.assert_allclose(synapses.w, [expected], rtol=1e-10)


def test_weights_that_do_not_learn_keep_their_bits():
    times_pre, times_post = trains(16, 100)
    for on_pre, on_post in NEAREST.values():
        assert learned(times_pre, times_post, TRACES, on_pre, on_post, w=1 / 3, rate=0) == 1 / 3
    on = "x += 1; w = clip(w + rate*(y - 0.12), 0, 1)", "y += 1; w = clip(w + rate*x, 0, 1)"
    assert learned(times_pre, times_post, TRACES, *on, w=1 / 3, rate=0) == 1 / 3
    assert rewarded(times_pre, times_post, times_post[::10] + 1e-3, rate=0, w=1 / 3).w[0] == 1 / 3
