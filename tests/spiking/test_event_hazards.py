"""Neurons whose threshold draws, ``rand() < x*dt``, on the event engine: point processes of intensity x."""

import gc

import numpy as np
import pytest
from brian2 import Hz, Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, TimedArray, ms, second
from brian2.devices.device import get_device
from scipy.integrate import quad
from scipy.stats import kstest

import bionet.spiking
from bionet.errors import BionetError, InputError
from bionet.random import Stream

from .agreement import device

# What a true law fails by chance: one test in ten thousand.
CHANCE = 1e-4


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def spikes_of(group, duration, *others):
    spikes = SpikeMonitor(group)
    Network(group, spikes, *others).run(duration)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def are_exponential(gaps):
    return kstest(gaps, "expon").pvalue > CHANCE


def glued(integrals, totals):
    """The gaps of integrated rates, each neuron's behind the last one's: no interval is cut off but the very last."""
    starts = np.cumsum([0.0, *totals[:-1]])
    return np.diff(np.concatenate([start + each for start, each in zip(starts, integrals, strict=True)]), prepend=0.0)


@pytest.mark.parametrize("threshold", ["rand() < rates*dt", "(dt*rates) >= rand()", "rand() < 2*dt*rates/2"])
def test_constant_rates_are_poisson_processes(threshold):
    rates = np.array([0.0, 20.0, 100.0, 400.0])
    group = NeuronGroup(2000, "rates : Hz\nn : 1", threshold=threshold, reset="n += 1")
    group.rates = np.tile(rates, 500) * Hz
    t, i = spikes_of(group, 1 * second)
    counts = np.bincount(i, minlength=2000).reshape(500, 4)
    np.testing.assert_array_equal(np.bincount(i, minlength=2000), group.n)
    assert counts[:, 0].sum() == 0
    # Mean and variance of 500 counts; 5 standard errors, a chance of 1e-6 each.
    assert np.all(np.abs((counts.mean(axis=0) - rates)[1:]) < 5 * np.sqrt(rates[1:] / 500))
    assert np.all(np.abs(counts.var(axis=0)[1:] / rates[1:] - 1) < 5 * np.sqrt(2 / 500))
    assert are_exponential(glued([400 * t[i == 4 * k + 3] for k in range(500)], [400] * 500))


def test_a_refractory_period_is_added_to_each_interval():
    group = NeuronGroup(100, "x : 1", threshold="rand() < 300*Hz*dt", refractory=4 * ms)
    t, i = spikes_of(group, 2 * second)
    gaps = np.concatenate([np.diff(t[i == k]) for k in range(100)])
    assert gaps.min() >= 4e-3 - 1e-15
    # The end of the run takes away one interval of each neuron, one in 270: too little to be seen.
    assert are_exponential((gaps - 4e-3) * 300)
    assert abs(len(t) / 200 - 1 / (4e-3 + 1 / 300)) < 5 * np.sqrt(200 * 136.4) / 200


def relaxing(n):
    return NeuronGroup(n, "dr/dt = (20*Hz - r)/(150*ms) : Hz", threshold="rand() < r*dt", reset="")


def test_a_rate_that_relaxes_passes_the_time_rescaling_theorem():
    group = relaxing(300)
    group.r = 300 * Hz
    t, i = spikes_of(group, 1 * second)

    def integral(t):
        return 20 * t + 280 * 0.15 * (1 - np.exp(-t / 0.15))

    assert abs(len(t) - 300 * integral(1.0)) < 5 * np.sqrt(300 * integral(1.0))
    assert are_exponential(glued([integral(t[i == k]) for k in range(300)], [integral(1.0)] * 300))
    assert "closed form, fires at random" in str(bionet.spiking.explain(Network(relaxing(1))))


def hawkes(n=25):
    """Neurons that excite each other: the rate of each jumps with the spikes that reach it, and relaxes."""
    group = NeuronGroup(n, "dr/dt = (10*Hz - r)/(20*ms) : Hz", threshold="rand() < r*dt", reset="", name="hawkes")
    group.r = 10 * Hz
    synapses = Synapses(group, group, "w : Hz", on_pre="r_post += w", delay=1.3 * ms, name="mutual")
    synapses.connect()
    weights = 2 * 0.6 / (n * 20e-3) * Stream(1, "weights").uniform((n, n))
    synapses.w = weights.ravel() * Hz
    return group, synapses, weights


def test_mutual_excitation_is_a_hawkes_process():
    n, duration = 25, 20.0
    group, synapses, weights = hawkes(n)
    t, i = spikes_of(group, duration * second, synapses)

    # The compensator of each neuron by a sum over all spikes that reach it.
    def compensator(k, time):
        since = np.maximum(time - t - 1.3e-3, 0.0)
        return 10 * time - (weights[i, k] * 20e-3 * np.expm1(-since / 20e-3)).sum()

    integrals = [[compensator(k, time) for time in t[i == k]] for k in range(n)]
    assert len(t) > 5000
    assert are_exponential(glued(list(map(np.array, integrals)), [compensator(k, duration) for k in range(n)]))
    # Its stationary rates solve r = 10 + tau w^T r. The variance of a count is that of Hawkes' process, at most
    # 1/(1 - 0.6)^2 times Poisson's or a little more, and the beginning is a little slower: 6 standard errors.
    rates = np.linalg.solve(np.eye(n) - 20e-3 * weights.T, np.full(n, 10.0))
    expected = rates.sum() * duration
    assert abs(len(t) - expected) < 6 * np.sqrt(expected) * 2.6


def escaping(n, name="escaping"):
    """Cells with escape noise; between spikes v = 1 - exp(-s/tau), so intervals are those of a renewal process."""
    return NeuronGroup(
        n, "dv/dt = (1 - v)/(20*ms) : 1", threshold="rand() < 60*Hz*exp((v - 0.8)/0.2)*dt", reset="v = 0",
        method="euler", name=name,
    )  # fmt: skip


def test_a_rate_that_depends_on_the_voltage_by_an_exponential_is_integrated():
    t, i = spikes_of(escaping(150), 2 * second)
    s = np.linspace(0, 2, 200_001)
    rate = 60 * np.exp((1 - np.exp(-s / 20e-3) - 0.8) / 0.2)
    integral = np.concatenate([[0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(s))])
    assert integral[20_000] == pytest.approx(quad(lambda s: 60 * np.exp((0.2 - np.exp(-s / 20e-3)) / 0.2), 0, 0.2)[0])
    integrals, totals = [], []
    for k in range(150):
        intervals = np.interp(np.diff(t[i == k], prepend=0.0, append=2.0), s, integral)
        integrals.append(np.cumsum(intervals[:-1]))
        totals.append(intervals.sum())
    assert len(t) > 8000
    assert are_exponential(glued(integrals, totals))
    assert "fires at random" in str(bionet.spiking.explain(Network(escaping(1, "other"))))


def test_a_rate_from_a_table_is_switched_at_its_times():
    table = TimedArray(np.array([[200.0, 0.0], [0.0, 100.0]]) * Hz, dt=0.4 * second)
    group = NeuronGroup(
        200, "rates = table(t, i % 2) : Hz", threshold="rand() < rates*dt", reset="", namespace={"table": table}
    )
    t, i = spikes_of(group, 0.8 * second)
    assert not np.any((t < 0.4) & (i % 2 == 1))
    assert not np.any((t >= 0.4) & (i % 2 == 0))
    assert abs(np.sum(t < 0.4) - 8000) < 5 * np.sqrt(8000)
    assert abs(np.sum(t >= 0.4) - 4000) < 5 * np.sqrt(4000)


def test_a_rate_of_the_time_is_followed():
    group = NeuronGroup(
        100, "rates = 80*Hz*(1 + sin(2*pi*t/(50*ms))) : Hz", threshold="rand() < rates*dt", reset="", method="euler"
    )
    t, i = spikes_of(group, 1 * second)

    def integral(t):
        return 80 * (t + 0.05 / (2 * np.pi) * (1 - np.cos(2 * np.pi * t / 0.05)))

    assert are_exponential(glued([integral(t[i == k]) for k in range(100)], [80] * 100))


def test_spikes_change_a_rate_that_stands_still_between_them():
    given = SpikeGeneratorGroup(1, [0, 0], [100, 300] * ms)
    group = NeuronGroup(400, "rates : Hz", threshold="rand() < rates*dt", reset="")
    synapses = Synapses(given, group, on_pre="rates_post = 200*Hz*int(t < 200*ms)")
    synapses.connect()
    t, _ = spikes_of(group, 500 * ms, given, synapses)
    assert np.all((t > 0.1) & (t < 0.3))
    assert abs(len(t) - 16_000) < 5 * np.sqrt(16_000)


def outcome(durations, threads=None, stored=None):
    # With the last network gone, its objects leave their names, and so their numbers, to this one's.
    get_device().last_event = get_device().last_reading = get_device().left = None
    gc.collect()
    bionet.spiking.device.register().seed(1)
    get_device().threads = threads
    group, synapses, _ = hawkes()
    others = escaping(10)
    spikes, more = SpikeMonitor(group, name="spikes"), SpikeMonitor(others, name="more")
    net = Network(group, synapses, others, spikes, more)
    for k, duration in enumerate(durations):
        net.run(duration * ms)
        if stored and k == 0:
            net.store(filename=str(stored))
            net.run(40 * ms)
            net.restore(filename=str(stored))
    return [np.asarray(each).copy() for each in (spikes.t, spikes.i, more.t, more.i)]


def test_parts_threads_and_stored_states_draw_the_same_numbers(tmp_path):
    whole = outcome([500])
    assert len(whole[0]) > 100
    for other in (
        outcome([33.3, 0.01, 66.69, 400]),
        outcome([500], threads=2),
        outcome([200, 300], stored=tmp_path / "state"),
    ):
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_rate_below_0_is_said_and_one_that_is_clipped_is_none():
    group = NeuronGroup(3, "r : Hz", threshold="rand() < r*dt", reset="", name="negative")
    group.r = [10, 0, -1] * Hz
    with pytest.raises(BionetError, match=r"negative: the rate of neuron 2 was not 0 or more.*clip"):
        Network(group).run(1 * ms)
    clipped = NeuronGroup(
        3, "dr/dt = -r/(100*ms) : Hz", threshold="rand() < clip(r, 0*Hz, 1000*Hz)*dt", reset="", method="euler"
    )
    clipped.r = [0, -50, -1] * Hz
    t, _ = spikes_of(clipped, 200 * ms)
    assert len(t) == 0


@pytest.mark.parametrize(
    ("threshold", "said"),
    [("rand() < 0.1", "draws random numbers"), ("rand() < r*dt*dt*Hz", "draws"), ("r*second > rand()", "draws")],
)
def test_other_dice_are_refused(threshold, said):
    group = NeuronGroup(1, "r : Hz", threshold=threshold, reset="", name="dice")
    with pytest.raises(InputError, match=f"dice: .*{said}.*rand.. < rate.dt"):
        Network(group).run(1 * ms)
