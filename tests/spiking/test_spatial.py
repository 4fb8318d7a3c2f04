"""Neurons with a shape: against Brian2's numpy target, the closed forms of cable theory, and exact arithmetic."""

import brian2 as b2
import mpmath
import numpy as np
import pytest
from brian2 import (
    Cylinder,
    Network,
    Section,
    Soma,
    SpatialNeuron,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    cm,
    defaultclock,
    ms,
    msiemens,
    mV,
    nA,
    ohm,
    second,
    uF,
    um,
)

from bionet.errors import BionetError
from bionet.spiking.device import register
from bionet.spiking.explain import explain
from bionet.spiking.morphology import tree
from tests.spiking.agreement import device, differences, run_on

# Hodgkin and Huxley (1952), with rest at 0 mV; sodium in the axon alone; what synapses open, and what a pipette gives.
AXON = """
Im = 0.3*msiemens/cm**2*(10.613*mV - v) + g_na*m**3*h*(115*mV - v) + 36*msiemens/cm**2*n**4*(-12*mV - v) : amp/meter**2
pipette : amp (point current)
opened = g*(60*mV - v) : amp (point current)
dg/dt = -g/(2*ms) : siemens
dm/dt = a_m*(1 - m) - 4*exp(-v/(18*mV))/ms*m : 1
dn/dt = a_n*(1 - n) - 0.125*exp(-v/(80*mV))/ms*n : 1
dh/dt = 0.07*exp(-v/(20*mV))/ms*(1 - h) - 1/(exp((-v + 30*mV)/(10*mV)) + 1)/ms*h : 1
a_m = 1/exprel((25*mV - v)/(10*mV))/ms : Hz
a_n = 0.1/exprel((10*mV - v)/(10*mV))/ms : Hz
g_na : siemens/meter**2
"""
LEAK = """
Im = g_l*(0*mV - v) : amp/meter**2
pipette : amp (point current)
"""


def cylinder():
    """One section."""
    return Cylinder(diameter=2 * um, length=400 * um, n=40)


def fork():
    """A section and two that leave it."""
    stem = Cylinder(diameter=2 * um, length=150 * um, n=15)
    stem.L = Section(diameter=np.linspace(1.2, 0.6, 16) * um, length=np.full(15, 10) * um, n=15)
    stem.R = Cylinder(diameter=1 * um, length=90 * um, n=9)
    return stem


def bush():
    """Twenty sections: up to three at a branching point, one alone, of one compartment or some."""
    root = Cylinder(diameter=3 * um, length=60 * um, n=6)
    sections = [root]
    for k in range(1, 20):
        parent = sections[16 if k == 19 else (k - 1) // 3]
        parent[f"branch{k}"] = Cylinder(diameter=(2 - 0.05 * k) * um, length=30 * um, n=1 + k % 4)
        sections.append(parent[f"branch{k}"])
    assert root.total_sections == 20
    return root


def excitable(shape):
    """An axon with everything a cell has around it, run twice, its membrane and its inside changed in between."""

    def build():
        defaultclock.dt = 0.01 * ms
        cell = SpatialNeuron(
            shape(),
            AXON,
            method="exponential_euler",
            threshold="v > 40*mV",
            threshold_location=3,
            refractory="v > 20*mV",
            Cm=1 * uF / cm**2,
            Ri=35.4 * ohm * cm,
            name="cell",
        )
        cell.g_na, cell.h, cell.n = 120 * msiemens / cm**2, 0.6, 0.32
        cell.g_na[:3] = 10 * msiemens / cm**2
        given = SpikeGeneratorGroup(2, [0, 1, 0], [1, 2, 7.5] * ms, name="given")
        synapses = Synapses(given, cell, on_pre="g += 30*nsiemens", delay=0.3 * ms, name="synapses")
        synapses.connect(i=[0, 1, 1], j=[3, 20, 30])
        echo = Synapses(cell, cell, on_pre="g += 2*nsiemens", delay=1 * ms, name="echo")
        echo.connect(i=3, j=[0, 25])
        spikes = SpikeMonitor(cell, name="spikes")
        traces = StateMonitor(cell, ["v", "Ic", "Im"], record=[0, 3, 14, 15, 30], name="traces")
        net = Network(cell, given, synapses, echo, spikes, traces)
        net.run(5 * ms)
        cell.Cm, cell.Ri, cell.pipette[2] = 1.4 * uF / cm**2, 60 * ohm * cm, 0.05 * nA
        cell.area *= 1.1
        net.run(5 * ms)
        assert np.ptp(traces.v / mV, axis=1).max() > 60
        return net

    return build


@pytest.mark.parametrize("shape", [cylinder, fork, bush])
def test_an_axon_is_that_of_brian2(shape):
    got = run_on("bionet", excitable(shape))
    assert not register().last_reading.program.outside()
    assert len(got["spikes"]["t"]) >= 1
    assert differences(run_on("numpy", excitable(shape)), got) == []


def passive(shape, **given):
    """Return a leaking cell of time constant 10 ms."""
    cell = SpatialNeuron(shape, LEAK, Cm=1 * uF / cm**2, Ri=100 * ohm * cm, **given)
    cell.namespace["g_l"] = 0.1 * msiemens / cm**2
    return cell


def test_a_state_stored_is_one_to_return_to():
    with device("bionet"):
        cell = passive(fork(), name="cell")
        trace = StateMonitor(cell, "v", record=[0, 20], name="trace")
        net = Network(cell, trace)
        cell.pipette[0] = 0.1 * nA
        net.run(2 * ms)
        net.store()
        net.run(3 * ms)
        first = np.array(trace.v)
        net.restore()
        net.run(3 * ms)
        assert np.array_equal(first, trace.v)


def steady(shape, current):
    """Return the potential that stays, [V]: steps far longer than the time constant go there by 1e-4 each."""
    defaultclock.dt = 100 * second
    cell = passive(shape)
    cell.pipette[0] = current
    Network(cell).run(500 * second)
    return np.array(cell.v), np.array(cell.distance)


def cable(x, length, diameter, current):
    """Return the potential of a sealed cable that a current enters at 0: I R cosh((L - x)/lambda)/sinh(L/lambda)."""
    space = np.sqrt(diameter / 4)  # For a leak of 1 S/m^2 and an inside of 1 ohm m.
    resistance = 4 * space / (np.pi * diameter**2)
    return current * resistance * np.cosh((length - x) / space) / np.sinh(length / space)


def test_a_cable_at_rest_is_a_hyperbolic_cosine_and_the_error_falls_with_the_square_of_a_compartment():
    errors = []
    for n in (20, 40, 80):
        with device("bionet"):
            v, x = steady(Cylinder(diameter=2 * um, length=1000 * um, n=n), 0.1 * nA)
        exact = cable(x, 1e-3, 2e-6, 1e-10)
        errors.append(np.max(np.abs(v / exact - 1)))
    assert errors[-1] < 1e-4
    np.testing.assert_allclose(np.log2(errors[:-1]) - np.log2(errors[1:]), 2, atol=0.05)


def test_branches_of_ralls_diameters_are_one_cable():
    """Rall (1959): two branches of (1/2)^(2/3) of the diameter, lengths as their space constants, prolong the stem."""
    half = 0.5 ** (2 / 3)
    with device("bionet"):
        stem = Cylinder(diameter=2 * um, length=500 * um, n=100)
        for side in ("L", "R"):
            setattr(stem, side, Cylinder(diameter=2 * half * um, length=500 * np.sqrt(half) * um, n=100))
        v, x = steady(stem, 0.1 * nA)
    np.testing.assert_allclose(v[:100], cable(x[:100], 1e-3, 2e-6, 1e-10), rtol=1e-4)
    np.testing.assert_allclose(
        v[100:200], cable(5e-4 + (x[100:200] - 5e-4) / np.sqrt(half), 1e-3, 2e-6, 1e-10), rtol=1e-4
    )
    np.testing.assert_allclose(v[200:], v[100:200], rtol=1e-13)


def test_a_soma_costs_no_digits():
    """Inside, a soma conducts a million times better than its membrane: Brian2's own solution keeps eight digits."""
    steps = 200
    with device("bionet"):
        shape = Soma(diameter=30 * um)
        shape.axon = Cylinder(diameter=1 * um, length=100 * um, n=6)
        shape.dendrite = Cylinder(diameter=2 * um, length=50 * um, n=3)
        cell = passive(shape)
        cell.pipette[0], cell.v = 0.1 * nA, "0.3*mV*i"
        area, dt = np.array(cell.area), float(defaultclock.dt)
        halves = np.array(cell.r_length_1), np.array(cell.r_length_2)
        starts, ends, parents = (
            np.array(getattr(cell.flat_morphology, name)) for name in ("starts", "ends", "morph_parent_i")
        )
        v = np.array(cell.v)
        Network(cell).run(steps * defaultclock.dt)
        got = np.array(cell.v)
    points = tree(starts, ends, parents, *halves, 1.0)
    expected = _exactly(points, v, area, dt, steps)
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def _exactly(points, v, area, dt, steps):
    """Solve the equations of a passive cell as one dense system, with 50 digits."""
    with mpmath.workdps(50):
        n = len(points.parent)
        matrix, capacity = mpmath.zeros(n), [mpmath.mpf(0)] * n
        current = [mpmath.mpf(0)] * n
        current[0] = mpmath.mpf(1e-10)
        for k, (compartment, parent, toward) in enumerate(zip(*(each.tolist() for each in points), strict=True)):
            if compartment >= 0:
                capacity[k] = mpmath.mpf(area[compartment]) * mpmath.mpf(0.01) / mpmath.mpf(dt)
                matrix[k, k] += capacity[k] + mpmath.mpf(area[compartment])
            for one, other in ((k, parent), (parent, k)) if k else ():
                matrix[one, one] += toward
                matrix[one, other] -= toward
        inverse = matrix**-1
        state = mpmath.matrix([v[c] if c >= 0 else 0 for c in points.compartment.tolist()])
        for _ in range(steps):
            state = inverse * mpmath.matrix([capacity[k] * state[k] + current[k] for k in range(n)])
        return np.array([float(state[k]) for k in range(n) if points.compartment[k] >= 0])


def test_a_hazard_that_depends_on_the_potential_is_looked_at_in_every_step():
    def build():
        cell = passive(cylinder(), threshold="rand() < int(v > 10*mV)", name="cell")
        cell.pipette[0] = 0.1 * nA
        spikes = SpikeMonitor(cell, name="spikes")
        net = Network(cell, spikes)
        net.run(5 * ms)
        assert spikes.num_spikes > 0
        assert spikes.t[0] > 0.5 * ms
        return net

    assert differences(run_on("numpy", build), run_on("bionet", build)) == []


def _by_dictionary(v):
    return np.vectorize({True: 1.0, False: 0.5}.get)(np.asarray(v) > 0.001)


def test_what_numba_cannot_compile_runs_as_brian2_runs_it():
    by_dictionary = b2.Function(_by_dictionary, arg_units=[b2.volt], return_unit=1, stateless=True)

    def build():
        model = LEAK.replace("g_l*", "factor*g_l*") + "factor = by_dictionary(z) : 1\nz : volt\n"
        cell = SpatialNeuron(cylinder(), model, Ri=100 * ohm * cm, name="cell")
        cell.namespace.update(g_l=0.1 * msiemens / cm**2, by_dictionary=by_dictionary)
        cell.pipette[0], cell.z = 0.1 * nA, "i*0.1*mV"
        net = Network(cell)
        net.run(2 * ms)
        cell.Ri = 200 * ohm * cm
        net.run(2 * ms)
        return net

    got = run_on("bionet", build)
    (outside,) = register().last_reading.program.outside()
    assert "spatialstateupdater" in outside.name
    assert "Numba cannot compile" in outside.reason
    assert differences(run_on("numpy", build), got) == []


def test_explain_lists_it_in_the_loop():
    with device("bionet"):
        net = Network(passive(cylinder(), name="cell"))
        net.run(1 * ms)
        lines = [line.split() for line in str(explain(net)).splitlines() if line.startswith("cell_spatial")]
        assert len(lines) == 1
        assert "loop" in lines[0]


def test_a_potential_that_is_not_finite_is_named():
    with device("bionet"):
        cell = SpatialNeuron(cylinder(), "Im = g*v*v/volt : amp/meter**2\ng : siemens/meter**2", name="cell")
        cell.g, cell.v = 1 * msiemens / cm**2, 20 * mV
        cell.g[5] = np.inf * msiemens / cm**2
        with pytest.raises(BionetError, match=r"cell\.v"):
            Network(cell).run(20 * ms)
