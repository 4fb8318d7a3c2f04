"""Poisson processes of changing rates on the event engine, against the laws of point processes."""

import gc
from itertools import pairwise

import numpy as np
import pytest
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeMonitor, Synapses, TimedArray, ms, second
from brian2.devices.device import get_device
from scipy.integrate import quad
from scipy.stats import kstest

import bionet.spiking
from bionet.errors import BionetError, InputError
from bionet.spiking.enclosure import NoBoundError, enclosed
from bionet.spiking.expressions import parse
from bionet.spiking.functions import FUNCTIONS
from bionet.spiking.program import Code, Elementary

from .agreement import device

# What a true law fails by chance: one test in ten thousand.
CHANCE = 1e-4


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def fresh():
    """Leave the names of earlier objects, which tell their random numbers, to new ones."""
    get_device().last_event = get_device().last_reading = get_device().left = None
    gc.collect()


def spikes_of(group, duration):
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(duration)
    return np.asarray(spikes.t), np.asarray(spikes.i)


def rescaled(times, indices, n, integral, duration):
    """The integrated rate between one spike of a process and its next, all processes one after another.

    Glued at their ends they are one stretch of a Poisson process of rate 1, so nothing is cut off but the last.
    """
    total = integral(duration)
    places = np.sort(np.concatenate([k * total + integral(times[indices == k]) for k in range(n)]))
    return np.diff(places, prepend=0.0)


SINE = "(1 + sin(2*pi*t/(100*ms)))*50*Hz"


def sine_integral(t):
    return 50 * (np.asarray(t) + 0.1 / (2 * np.pi) * (1 - np.cos(2 * np.pi * np.asarray(t) / 0.1)))


def test_a_sine_of_a_rate_passes_the_time_rescaling_theorem():
    # E. N. Brown et al., Neural Computation 14 (2002): integrated rates between spikes are exponential of mean 1.
    n, duration = 100, 5.0
    t, i = spikes_of(PoissonGroup(n, SINE), duration * second)
    expected = n * float(sine_integral(duration))
    assert abs(len(t) - expected) < 4 * np.sqrt(expected)
    gaps = rescaled(t, i, n, sine_integral, duration)
    assert kstest(gaps, "expon").pvalue > CHANCE
    # Successive ones are independent: their correlation has a standard error of 1/sqrt(number).
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 4 / np.sqrt(len(gaps))


def test_counts_in_bins_of_the_phase_have_the_moments_of_poisson():
    n, cycles, bins = 50, 40, 10
    t, i = spikes_of(PoissonGroup(n, SINE), cycles * 0.1 * second)
    edges = np.linspace(0, 0.1, bins + 1)
    mean = np.diff(sine_integral(edges))
    which = np.minimum(np.searchsorted(edges, t % 0.1, "right") - 1, bins - 1)
    counts = np.zeros((n, cycles, bins))
    np.add.at(counts, (i, np.floor(t / 0.1).astype(int), which), 1)
    samples = n * cycles
    found = counts.reshape(samples, bins)
    # Five standard errors for 20 numbers: a chance of 1e-5. The fourth central moment of a Poisson number is m + 3 m^2.
    assert np.all(np.abs(found.mean(axis=0) - mean) < 5 * np.sqrt(mean / samples))
    spread = np.sqrt((mean + 3 * mean**2 - mean**2) / samples)
    assert np.all(np.abs(((found - mean) ** 2).mean(axis=0) - mean) < 5 * spread)


def shifted(t):
    return [90, 0, 250][min(max(int((t - 0.055) / 0.4), 0), 2)]


@pytest.mark.parametrize(
    ("rates", "rate"),
    [
        ("exp(-t/(200*ms))*400*Hz", lambda t: 400 * np.exp(-t / 0.2)),
        ("int(t > 300*ms)*int(t < 500*ms)*300*Hz", lambda t: 300.0 * ((t > 0.3) & (t < 0.5))),
        ("(t % (130*ms))/(130*ms)*200*Hz", lambda t: 200 * (t % 0.13) / 0.13),
        ("clip(cos(2*pi*(t/second)**2*3), 0, 1)*200*Hz", lambda t: 200 * np.clip(np.cos(6 * np.pi * t * t), 0, 1)),
        ("table(t - 55*ms)*sqrt(1 + t/second)", lambda t: shifted(t) * np.sqrt(1 + t)),
    ],
)  # fmt: skip
def test_rates_of_any_shape_give_the_counts_that_their_integrals_say(rates, rate):
    table = TimedArray(np.array([90.0, 0.0, 250.0]) * Hz, dt=400 * ms)
    n = 60
    t, _ = spikes_of(PoissonGroup(n, rates, namespace={"table": table}), 1 * second)
    edges = np.linspace(0, 1, 21)
    breaks = [0.055 + 0.4, 0.055 + 0.8]
    expected = [
        n * quad(rate, a, b, limit=200, points=[x for x in breaks if a < x < b] or None)[0] for a, b in pairwise(edges)
    ]
    counts = np.histogram(t, edges)[0]
    expected = np.array(expected)
    assert np.all(counts[expected < 1e-9] == 0)
    # The sum of squares over 20 bins or fewer, each nearly normal: chi square.
    some = expected > 20
    z = (counts - expected)[some] / np.sqrt(expected[some])
    assert (z**2).sum() < some.sum() + 5 * np.sqrt(2 * some.sum()) + 10
    assert some.sum() >= 4


def test_each_process_has_the_rate_of_its_own_number():
    t, i = spikes_of(PoissonGroup(40, "(1 + cos(2*pi*(10*Hz*t - i/40.0)))*100*Hz"), 10 * second)
    # The mean direction of each process's phases is its own number's, within 5 standard errors of about 1/sqrt(500).
    for k in range(40):
        z = np.exp(2j * np.pi * (10 * t[i == k] - k / 40)).mean()
        assert abs(z - 0.5) < 5 / np.sqrt(np.sum(i == k))


def test_a_table_of_two_dimensions_is_exact_in_each_of_its_pieces():
    values = np.array([[0.0, 400.0], [300.0, 0.0], [20.0, 100.0]])
    table = TimedArray(values * Hz, dt=0.3 * second)
    group = PoissonGroup(200, "table(t, i % 2)", namespace={"table": table})
    t, i = spikes_of(group, 0.9 * second)
    for piece in range(3):
        for column in range(2):
            inside = np.sum((t >= 0.3 * piece) & (t < 0.3 * (piece + 1)) & (i % 2 == column))
            expected = 100 * 0.3 * values[piece, column]
            assert abs(inside - expected) <= 5 * np.sqrt(expected)


def outcome(durations, threads=None, stored=None):
    fresh()
    bionet.spiking.device.register().seed(1)
    get_device().threads = threads
    sources = PoissonGroup(30, "(1.2 + sin(2*pi*t/(70*ms) + i))*200*Hz", name="sources")
    steady = PoissonGroup(5, 50 * Hz, name="steady")
    cells = NeuronGroup(30, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells")
    drive = Synapses(sources, cells, on_pre="v_post += 0.3", delay=1 * ms, name="drive")
    drive.connect(j="i")
    spikes, given = SpikeMonitor(cells, name="spikes"), SpikeMonitor(sources, name="given")
    net = Network(sources, steady, cells, drive, spikes, given)
    for k, duration in enumerate(durations):
        net.run(duration * ms)
        if stored and k == 0:
            net.store(filename=str(stored))
            net.run(40 * ms)
            net.restore(filename=str(stored))
    return [np.asarray(each).copy() for each in (spikes.t, spikes.i, given.t, given.i)]


def test_parts_threads_and_stored_states_draw_the_same_numbers(tmp_path):
    whole = outcome([300])
    assert len(whole[0]) > 100
    for other in (
        outcome([33.3, 0.01, 91.69, 125, 50]),
        outcome([300], threads=2),
        outcome([100, 200], stored=tmp_path / "state"),
    ):
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("rates", "error", "said"),
    [
        ("sin(2*pi*t/(100*ms))*50*Hz", BionetError, r"p\.rates: got -.* Hz at index 0, t = 0\.0[5-9]"),
        ("(1 - 2*int(i == 3)*int(t > 20*ms))*10*Hz", BionetError, r"p\.rates: got -10 Hz at index 3, t = 0\.0[2-9]"),
        ("sqrt(t/(50*ms) - 1)*Hz", BionetError, r"p\.rates: got nan Hz at index 0, t = 0"),
        ("Hz/abs(t/(50*ms) - 1)", BionetError, r"p\.rates: no upper bound was found near t = 0\.(05|049)"),
        ("table(t)*clip(2.5 - i, -1, 1)", BionetError, r"p\.rates: got -2.5 Hz at index 3, t = 0\.05"),
        ("rand()*t/second*Hz", InputError, "p: rates=.*random numbers.*grid"),
        ("(1 + t/dt)*Hz", InputError, "p: rates=.*step.*grid"),
    ],
)  # fmt: skip
def test_what_is_no_rate_is_said(rates, error, said):
    table = TimedArray(np.array([0.0, 5.0]) * Hz, dt=50 * ms)
    with pytest.raises(error, match=f"(?s){said}"):
        spikes_of(PoissonGroup(5, rates, name="p", namespace={"table": table}), 200 * ms)


def test_rates_that_synapses_change_are_refused():
    source = PoissonGroup(1, 10 * Hz, name="source")
    target = PoissonGroup(1, 10 * Hz, name="target")
    synapses = Synapses(source, target, on_pre="rates_post += 1*Hz")
    synapses.connect()
    with pytest.raises(InputError, match=r"target\.rates.*rand\(\) < rates\*dt"):
        Network(source, target, synapses).run(1 * ms)


@pytest.mark.parametrize(
    "text",
    [
        "x*(2 - x) - x/(3 + y)", "x**2 - 3*x**3 + y**-2", "(x + 4)**y", "sin(5*x)*cos(y) + tan(x/3)", "exp(-x)*log(y)",
        "abs(x)*sign(x) + floor(3*x) - ceil(y)", "(7*x) % y", "(7*x) // y", "clip(x, -0.5, y)", "exprel(x) + tanh(x*y)",
        "int(x < y)*x + int(x >= 0.3 and not y > 2)", "sqrt(y) + arctan(x) + arcsin(x/3) + arccos(x/3) + cosh(x)",
        "expm1(x)*log1p(y) + sinh(x) + log10(y)", "int(3*x) + int(x == y or x != 0)",
    ],
)  # fmt: skip
def test_no_value_lies_outside_of_an_enclosure(text):
    names = dict.fromkeys(FUNCTIONS, "float")
    tree = parse(text, {"x": "float", "y": "float"}, names)
    code = Code((), (), {}, {name: Elementary(name) for name in FUNCTIONS}, (), (), (), ())
    from bionet.random import Stream
    from bionet.spiking.flow import evaluated

    u = Stream(1, text).uniform((4, 300))
    x, y = -3 + 6 * u[0], 0.2 + 3 * u[1]
    wide, tall = u[2] ** 4 * 2, u[3] ** 4
    wide = np.minimum(wide, 3 - x)
    ends = {"x": (x, x + wide), "y": (y, y + tall)}
    low, high = enclosed(tree, ends, code, None, None)
    assert np.isfinite(high).mean() > 0.3
    within = Stream(2, text).uniform((2, 40, 300))
    for a, b in within.transpose(1, 0, 2):
        value = evaluated(tree, {"x": x + a * wide, "y": y + b * tall}, code, None)
        assert np.all((value >= low) & (value <= high))


def test_what_has_no_enclosure_is_said():
    tree = parse("f(x)", {"x": "float"}, {"f": "float"})
    code = Code((), (), {}, {"f": Elementary("timestep")}, (), (), (), ())
    with pytest.raises(NoBoundError, match=r"f\(\)"):
        enclosed(tree, {"x": (np.zeros(1), np.ones(1))}, code, None, None)
