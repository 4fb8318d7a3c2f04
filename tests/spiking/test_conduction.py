"""Delays that change while the network runs."""

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, cmeter, meter, ms, second

import bionet.spiking
from bionet.errors import BionetError, InputError
from bionet.random import Stream

from .agreement import device


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def line(times, model, on_pre, conduction=None, n=1, **values):
    """Spikes at given times that reach n cells along one synapse each; the cells repeat them."""
    source = SpikeGeneratorGroup(1, np.zeros(len(times), int), np.asarray(times) * second)
    cell = NeuronGroup(n, "dv/dt = -v/(10*ms) : 1", threshold="v > 0.5", reset="v = 0", method="exact", name="cell")
    synapses = Synapses(source, cell, model, on_pre=on_pre, name="axon")
    synapses.connect()
    for name, value in values.items():
        setattr(synapses, name, value)
    if conduction:
        bionet.spiking.conduction(synapses, delay=conduction)
    arrivals = SpikeMonitor(cell)
    return Network(source, cell, synapses, arrivals), arrivals, synapses


def changing(times, **values):
    """The same with a delay that every spike changes; ``d`` is the first one. One network, compiled once for all."""
    model = "d : second\nn : 1\nfactor : 1\nstep : second\nspread : second"
    code = "v_post += 1; n += 1; d = factor*d + step + spread*abs(sin(3*n))"
    return line(times, model, code, conduction="d", **values)


def test_a_delay_that_a_spike_shortens_counts_from_the_next_departure_on():
    times = np.arange(1, 7) * 0.02
    net, arrivals, synapses = changing(times, d=16 * ms, factor=0.5)
    net.run(0.2 * second)
    np.testing.assert_allclose(np.asarray(arrivals.t) - times, 16e-3 / 2.0 ** np.arange(6), rtol=1e-13)
    np.testing.assert_allclose(np.asarray(synapses.d), [16e-3 / 64], rtol=1e-15)


def test_velocity_and_length_make_a_delay():
    model = "velocity : meter/second\nlength : meter"
    times = [0.01, 0.05]
    net, arrivals, _ = line(
        times, model, "v_post += 1; velocity += 1*meter/second", conduction="length/velocity",
        velocity=1 * meter / second, length=1 * cmeter,
    )  # fmt: skip
    net.run(0.1 * second)
    np.testing.assert_allclose(np.asarray(arrivals.t) - times, [0.01, 0.005], rtol=1e-13)


def test_delays_held_constant_give_the_bits_of_fixed_ones():
    times = np.cumsum(Stream(1, "times").uniform(200) * 0.01)
    # Some are equal, one is none, and many are longer than the time between two spikes.
    delays = np.round(30 * Stream(1, "delays").uniform(40)) * ms
    delays[7] = 0 * ms
    net, fixed, _ = line(times, "", "v_post += 1", n=40, delay=delays)
    net.run(2 * second)
    assert fixed.num_spikes > 7000
    net, held, _ = changing(times, n=40, d=delays, factor=1)
    net.run(2 * second)
    np.testing.assert_array_equal(np.asarray(held.t), np.asarray(fixed.t))
    np.testing.assert_array_equal(np.asarray(held.i), np.asarray(fixed.i))


def test_no_spike_is_lost_or_doubled_however_delays_change():
    times = np.cumsum(Stream(2, "histories").uniform(1000) * 0.004)
    net, arrivals, synapses = changing(times, d=5 * ms, step=1 * ms, spread=9 * ms)
    net.run(times[-1] * second + 0.1 * second)
    assert synapses.n[0] == 1000
    assert len(arrivals.t) == 1000


def test_a_delay_out_of_bounds_is_said():
    net, _, _ = changing([0.01, 0.05], d=5 * ms, factor=1, step=-9 * ms)
    with pytest.raises(BionetError, match="axon_pre: the delay of synapse 0"):
        net.run(0.1 * second)


def test_the_grid_refuses_it():
    with device("bionet", engine="grid"):
        net, _, _ = line([0.01], "d : second", "v_post += 1", conduction="d", d=5 * ms)
        with pytest.raises(InputError, match=r"axon_pre.*event"):
            net.run(0.1 * second)


def test_an_unknown_variable_is_refused():
    with pytest.raises(InputError, match="no variable 'b'"):
        line([0.01], "d : second", "v_post += 1", conduction="b", d=5 * ms)


def test_spikes_under_way_outlast_a_run():
    times = np.cumsum(Stream(3, "times").uniform(60) * 0.004)
    net, arrivals, _ = changing(times, d=9 * ms, step=1 * ms, spread=9 * ms)
    net.run(0.2 * second)
    expected = np.asarray(arrivals.t).copy()
    net, arrivals, _ = changing(times, d=9 * ms, step=1 * ms, spread=9 * ms)
    for _ in range(20):
        net.run(10 * ms)
    np.testing.assert_array_equal(np.asarray(arrivals.t), expected)
