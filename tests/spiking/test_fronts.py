"""Spikes as fronts: they arrive when the integral of the velocity is the length of their axon."""

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, meter, mmeter, ms, second, usecond

import bionet.spiking
from bionet.errors import BionetError, InputError
from bionet.random import Stream
from bionet.spiking import conduction

from .agreement import device

FRONT = {"length": "path", "velocity": "c", "in_flight": "front"}
CELL = "dv/dt = -v/(10*ms) : 1"


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def fan(times, n=1, swing=0.0, late=1.0, in_flight="front", n_sources=1, **values):
    """Spikes at given times along n axons, each onto a cell that repeats it; ``late`` after them [s] velocities change.

    The axons are dealt out to the sources one by one, all of which fire at those times. The k-th change sets a velocity
    to ``base * (1 + swing * sin(phase + 2.3 * k))``.
    """
    source = SpikeGeneratorGroup(
        n_sources, np.repeat(np.arange(n_sources), len(times)), np.tile(times, n_sources) * second
    )
    cells = NeuronGroup(n, CELL, threshold="v > 0.5", reset="v = 0", method="exact", name="cells")
    model = "c : meter/second\nbase : meter/second\npath : meter\nphase : 1\nswing : 1\nk : 1"
    code = {"pre": "v_post += 1", "change": "k += 1; c = base*(1 + swing*sin(phase + 2.3*k))"}
    axons = Synapses(source, cells, model, on_pre=code, name="axons")
    axons.connect(i=np.arange(n) % n_sources, j=np.arange(n))
    axons.path, axons.base, axons.c, axons.swing = 10 * mmeter, 1 * meter / second, 1 * meter / second, swing
    axons.change.delay = late * second
    for name, value in values.items():
        setattr(axons, name, value)
    conduction(axons, **{**FRONT, "in_flight": in_flight})
    arrivals = SpikeMonitor(cells)
    return Network(source, cells, axons, arrivals), arrivals, axons


def test_a_velocity_doubled_half_way_arrives_at_three_quarters_of_the_old_delay():
    # All numbers are sums of powers of two, and so is the answer.
    net, arrivals, axons = fan([2.0**-7], late=2.0**-7, swing=1.0, path=2.0**-6 * meter)
    axons.phase = np.pi / 2 - 2.3
    net.run(0.1 * second)
    assert axons.c[0] == 2.0 * meter / second
    np.testing.assert_array_equal(np.asarray(arrivals.t), [2.0**-7 + 0.75 * 2.0**-6])


def expected_arrivals(departures, changes, velocities, length):
    """Integrate a velocity, constant between changes, in extended precision."""
    changes, velocities = np.asarray(changes, np.longdouble), np.asarray(velocities, np.longdouble)
    edges = np.concatenate([[np.longdouble(0)], changes])
    covered = np.concatenate([[np.longdouble(0)], np.cumsum(np.diff(edges) * velocities[:-1])])
    found = []
    for t in np.asarray(departures, np.longdouble):
        k = np.searchsorted(edges, t, "right") - 1
        goal = covered[k] + velocities[k] * (t - edges[k]) + np.longdouble(length)
        k = np.searchsorted(covered, goal, "right") - 1
        found.append(edges[k] + (goal - covered[k]) / velocities[k])
    return np.array(found, float)


def histories(n, **more):
    stream = Stream(4, "histories")
    times = 1e-3 + np.cumsum(stream.uniform(16, 0)) * 6e-3
    values = {
        "swing": 0.05 + 0.9 * stream.uniform(n, 1),
        "phase": 6.3 * stream.uniform(n, 2),
        "path": (0.1 + 20 * stream.uniform(n, 3)) * mmeter,
    }
    late = 12e-3 * stream.uniform(n, 4)
    return times, late, values, fan(times, n, late=late, n_sources=3, **values, **more)


def test_ten_thousand_histories_of_velocities_lose_double_and_reorder_nothing():
    n = 10_000
    times, late, values, (net, arrivals, _) = histories(n)
    net.run(1 * second)
    t, i = np.asarray(arrivals.t), np.asarray(arrivals.i)
    np.testing.assert_array_equal(np.bincount(i, minlength=n), len(times))
    found = t[np.lexsort((t, i))].reshape(n, len(times))
    k = np.arange(1, len(times) + 1)
    for a in range(n):
        velocities = np.concatenate([[1.0], 1 + values["swing"][a] * np.sin(values["phase"][a] + 2.3 * k)])
        expected = expected_arrivals(times, times + late[a], velocities, float(values["path"][a]))
        np.testing.assert_allclose(found[a], expected, rtol=0, atol=1e-12)
        assert np.all(np.diff(expected) > 0)


def test_without_changes_it_is_as_the_delay_at_departure():
    outcomes = []
    for in_flight in ("front", "emission"):
        _, _, _, (net, arrivals, axons) = histories(50, in_flight=in_flight)
        axons.swing = 0
        net.run(0.2 * second)
        outcomes.append((np.asarray(arrivals.t).copy(), np.asarray(arrivals.i).copy()))
    np.testing.assert_array_equal(outcomes[0][1], outcomes[1][1])
    np.testing.assert_array_max_ulp(outcomes[0][0], outcomes[1][0], maxulp=1)


def test_pieces_and_stored_states_give_the_bits_of_one_run(tmp_path):
    _, _, _, (net, arrivals, _) = histories(60)
    net.run(130 * ms)
    whole = np.asarray(arrivals.t).copy(), np.asarray(arrivals.i).copy()
    _, _, _, (net, arrivals, _) = histories(60)
    for _ in range(10):
        net.run(5 * ms)
    net.store(filename=str(tmp_path / "state"))
    net.run(80 * ms)
    for _ in range(2):
        for one, other in zip(whole, (arrivals.t, arrivals.i), strict=True):
            np.testing.assert_array_equal(np.asarray(other), one)
        net.restore(filename=str(tmp_path / "state"))
        net.run(80 * ms)


def test_python_between_runs_changes_velocities_too():
    net, arrivals, axons = fan([0.001, 0.004], n=2)
    net.run(5 * ms)
    axons.c[0] = 2 * meter / second
    net.run(20 * ms)
    found = np.asarray(arrivals.t)[np.argsort(arrivals.i, kind="stable")]
    np.testing.assert_allclose(found, [5e-3 + 6e-3 / 2, 5e-3 + 9e-3 / 2, 11e-3, 14e-3], rtol=1e-14)


def test_a_front_stands_still_at_velocity_0_and_zero_length_is_no_delay():
    net, arrivals, axons = fan([0.001, 0.003], n=2)
    axons.path = [10, 0] * mmeter
    axons.c = 0 * meter / second
    net.run(20 * ms)
    np.testing.assert_array_equal(np.asarray(arrivals.t), [0.001, 0.003])
    np.testing.assert_array_equal(np.asarray(arrivals.i), [1, 1])
    axons.c = 1 * meter / second
    net.run(20 * ms)
    # They stood at one place, and arrive together: a cell fires once at a time.
    np.testing.assert_allclose(np.asarray(arrivals.t)[2:], [0.03], rtol=1e-14)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_velocity_that_is_none_is_said(wrong):
    net, _, axons = fan([0.001, 0.002], n=3)
    net.run(1.5 * ms)
    axons.c[1] = wrong * meter / second
    with pytest.raises(BionetError, match=r"axons_pre: the length or the velocity of synapse 1"):
        net.run(10 * ms)


RELAXING = """
dc/dt = (final - c)/tau : meter/second (event-driven)
final : meter/second
tau : second
path : meter
"""


def relaxing(times, in_flight="front"):
    source = SpikeGeneratorGroup(1, np.zeros(len(times), int), np.asarray(times) * second)
    cells = NeuronGroup(1, CELL, threshold="v > 0.5", reset="v = 0", method="exact", name="cells")
    axons = Synapses(
        source, cells, RELAXING, on_pre={"pre": "v_post += 1", "kick": "c += 1*meter/second"}, name="axons"
    )
    axons.connect()
    axons.c, axons.final, axons.tau = 3 * meter / second, 0.5 * meter / second, 7 * ms
    axons.path, axons.kick.delay = 10 * mmeter, 10 * second
    conduction(axons, length="path", velocity="c", in_flight=in_flight)
    arrivals = SpikeMonitor(cells)
    return Network(source, cells, axons, arrivals), arrivals, axons


def covered(t, c=3.0, final=0.5, tau=7e-3):
    """How far a front comes whose velocity relaxes."""
    return final * t + (c - final) * tau * -np.expm1(-t / tau)


def test_a_velocity_that_relaxes_is_integrated():
    times = np.array([0.0, 1e-3, 5e-3, 30e-3])
    net, arrivals, _ = relaxing(times)
    net.run(0.1 * second)
    np.testing.assert_allclose(covered(np.asarray(arrivals.t)) - covered(times), 10e-3, rtol=1e-14)
    assert 0 < bionet.spiking.accuracy().bracket < 1e-15


def test_a_kick_on_the_way_counts_from_then_on_in_one_run_or_many(tmp_path):
    net, arrivals, axons = relaxing([0.0, 1e-3])
    axons.kick.delay = 2 * ms
    net.run(0.1 * second)
    whole = np.asarray(arrivals.t).copy()
    early = covered(2e-3) - covered(1e-3)
    # At 2 ms and, by the second spike, at 3 ms it is kicked; what a kick adds relaxes as the rest does.
    for arrival, rest in zip(whole, (10e-3 - covered(2e-3), 10e-3 - early), strict=True):
        t = arrival - 2e-3
        come = covered(t, c=float(3 * np.exp(-2 / 7) + 0.5 * (1 - np.exp(-2 / 7)) + 1))
        come += 7e-3 * -np.expm1(-max(t - 1e-3, 0.0) / 7e-3)
        assert come == pytest.approx(rest, rel=1e-13)
    net, arrivals, axons = relaxing([0.0, 1e-3])
    axons.kick.delay = 2 * ms
    for k in range(7):
        net.run(1.3 * ms)
        if k == 2:
            net.store(filename=str(tmp_path / "state"))
    np.testing.assert_array_equal(np.asarray(arrivals.t), whole)
    net.restore(filename=str(tmp_path / "state"))
    net.run(6 * ms)
    np.testing.assert_array_equal(np.asarray(arrivals.t), whole)


def test_a_velocity_that_fades_away_leaves_a_spike_waiting():
    net, arrivals, axons = relaxing([0.0])
    axons.final, axons.path = 0 * meter / second, 30 * mmeter
    # It comes as far as 3 m/s * 7 ms = 21 mm.
    net.run(3 * second)
    assert arrivals.num_spikes == 0
    axons.c = 1 * meter / second
    axons.final = 1 * meter / second
    net.run(10 * ms)
    np.testing.assert_allclose(np.asarray(arrivals.t), [3.0 + 9e-3], rtol=1e-12)


def test_a_velocity_that_becomes_negative_on_the_way_is_said():
    net, _, axons = relaxing([0.0])
    axons.final, axons.path = -1 * meter / second, 30 * mmeter
    with pytest.raises(BionetError, match=r"axons_pre: the length or the velocity of synapse 0"):
        net.run(1 * second)


def test_a_delay_at_departure_is_what_its_equation_says_then():
    times = np.array([0.0, 1e-3, 5e-3, 30e-3])
    net, arrivals, _ = relaxing(times, in_flight="emission")
    net.run(0.1 * second)
    velocity = 0.5 + 2.5 * np.exp(-times / 7e-3)
    np.testing.assert_allclose(np.asarray(arrivals.t), times + 10e-3 / velocity, rtol=1e-14)


@pytest.mark.slow
def test_cells_that_are_integrated_are_reached_on_time_and_regular_code_changes_velocities():
    times, changes = np.array([0.0, 1e-3, 6e-3, 30e-3]), np.arange(13) * 5e-3
    velocities = 1 + 0.5 * np.sin(np.arange(13))
    arrivals = expected_arrivals(times, changes[1:], velocities, 10e-3)
    source = SpikeGeneratorGroup(2, [0] * 4 + [1] * 4, np.concatenate([times, arrivals]) * second)
    equations = "dv/dt = v*(v - 1)/(10*ms) : 1"
    cells = NeuronGroup(2, equations, threshold="v > 5", reset="v = 0", method="euler", name="cells")
    axons = Synapses(source, cells, "c : meter/second\npath : meter\nk : 1", on_pre="v_post += 0.8", name="axons")
    axons.connect(j="i")
    # The second cell is reached at once, when the first one should be.
    axons.path = [10, 0] * mmeter
    axons.run_regularly("c = (1 + 0.5*sin(k))*meter/second; k += 1", dt=5 * ms)
    conduction(axons, **FRONT)
    spikes = SpikeMonitor(cells)
    Network(source, cells, axons, spikes).run(60 * ms)
    t, i = np.asarray(spikes.t), np.asarray(spikes.i)
    assert 0 < np.sum(i == 0) == np.sum(i == 1)
    np.testing.assert_allclose(t[i == 0], t[i == 1], rtol=1e-12)


def test_what_a_front_cannot_be_is_refused():
    group = NeuronGroup(2, "v : 1\ngain : 1", threshold="v > 1", reset="v = 0", name="group")
    axons = Synapses(group, group, "d : second\nc : meter/second", on_pre="v_post += 1", name="axons")
    axons.connect()
    with pytest.raises(InputError, match=r"axons: conduction: got delay='d', in_flight='front'.*apart"):
        conduction(axons, delay="d", in_flight="front")
    with pytest.raises(InputError, match="expected 'emission' or 'front'"):
        conduction(axons, delay="d", in_flight="wave")
    with pytest.raises(InputError, match="or a length and a velocity"):
        conduction(axons, length="1*meter", in_flight="front")
    with pytest.raises(InputError, match="no variable 'e'"):
        conduction(axons, length="1*meter", velocity="e", in_flight="front")
    conduction(axons, length="1*meter", velocity="c*gain_post", in_flight="front")
    with pytest.raises(InputError, match=r"axons_pre: .*reads 'gain_post', which is not theirs"):
        Network(group, axons).run(1 * ms)


def test_velocities_that_change_all_the_time_leave_room():
    """Each change puts down another arrival: those out of date are more than the ring can hold."""
    times, n = 1 / 64 + 4e-6 * np.arange(3000), 44
    lengths = np.concatenate([np.linspace(5e-5, 6e-5, 20), np.linspace(0.3, 0.4, 24)])
    net, arrivals, _ = fan(times, n, swing=0.5, late=1e-6, path=lengths * meter, phase=np.arange(n))
    net.run(1 * second)
    found_i, found_t = np.asarray(arrivals.i), np.asarray(arrivals.t)
    for i in range(n):
        velocities = [1.0, *(1 + 0.5 * np.sin(i + 2.3 * (1 + np.arange(len(times)))))]
        expected = expected_arrivals(times, times + 1e-6, velocities, lengths[i])
        np.testing.assert_allclose(found_t[found_i == i], expected, rtol=1e-12)


def test_velocities_that_change_all_the_time_leave_room_for_what_is_near():
    n, times = 30, [2.0**-14]
    lengths = np.linspace(5e-5, 6e-5, n)
    net, arrivals, axons = fan(times, n, path=lengths * meter, phase=np.arange(n))
    axons.run_regularly("k += 1; c = base*(1 + 0.1*sin(phase + 2.3*k))", dt=1 * usecond)
    net.run(200 * usecond)
    found = np.full(n, np.nan)
    found[np.asarray(arrivals.i)] = np.asarray(arrivals.t)
    for i in range(n):
        velocities = [1.0, *(1 + 0.1 * np.sin(i + 2.3 * np.arange(1, 201)))]
        expected = expected_arrivals(times, 1e-6 * np.arange(200), velocities, lengths[i])
        assert found[i] == pytest.approx(expected[0], rel=1e-12)
