"""Where Brian2's own targets disagree with each other, or one of them fails, the device does what the script says."""

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, linked_var, ms

from tests.spiking.agreement import device


@pytest.fixture(autouse=True)
def _on_the_device():
    with device("bionet"):
        yield


def test_both_spikes_count_that_arrive_at_one_synapse_in_one_step():
    """Brian2's numpy target counts one of them; its Cython target both."""
    source = SpikeGeneratorGroup(1, [0, 0], [1, 2] * ms, name="source")
    target = NeuronGroup(1, "x : 1", name="target")
    synapses = Synapses(source, target, "arrivals : integer", on_pre="arrivals += 1; x_post += 1", name="synapses")
    synapses.connect()
    synapses.delay = 5 * ms
    net = Network(source, target, synapses)
    net.run(1.5 * ms)
    synapses.delay = 4 * ms
    net.run(5 * ms)
    assert synapses.arrivals[0] == target.x[0] == 2


@pytest.mark.parametrize("before", ["", "x_post = clip(x_post + 1, 0, 5); "])
def test_a_synapse_onto_itself_adds_to_both_of_its_sides(before):
    """Brian2's Cython target loses one of two additions to one element, and its numpy target where it loops."""
    neurons = NeuronGroup(3, "hits : integer\nx : 1", threshold="t < dt", name="neurons")
    synapses = Synapses(neurons, neurons, on_pre=f"{before}hits_post += 1; hits_pre += 10", name="synapses")
    synapses.connect(i=[0, 1], j=[0, 2])
    Network(neurons, synapses).run(1 * ms)
    np.testing.assert_array_equal(neurons.hits, [11, 10, 1])


@pytest.mark.parametrize("refractory", [2 * ms, "timestep(t - lastspike, dt) < 20"])
def test_a_link_to_a_refractory_group_leaves_the_own_refractoriness_alone(refractory):
    """Brian2 2.9 keeps ``not_refractory`` of the linked group under the index of the link.

    So it writes another neuron's, or one that is not there, or fails with "name '_idx' is not defined".
    """
    still = "dv/dt = 0*v/ms : 1 (unless refractory)"
    drives = NeuronGroup(3, still, threshold="v > 5", refractory=1 * ms, method="euler", name="drives")
    drives.v = [1.2, 1.5, 2.0]
    index = np.array([2, 0, 1, 1])
    words = {"threshold": "v > 1", "reset": "v = 0", "refractory": refractory, "method": "euler"}
    equations = "dv/dt = (drive - v)/(10*ms) : 1"
    linked = NeuronGroup(4, f"{equations}\ndrive : 1 (linked)", **words, name="linked")
    linked.drive = linked_var(drives, "v", index=index)
    plain = NeuronGroup(4, f"{equations}\ndrive : 1", **words, name="plain")
    plain.drive = drives.v[:][index]
    spikes = [SpikeMonitor(group, name=f"spikes_{group.name}") for group in (linked, plain)]
    Network(drives, linked, plain, spikes).run(60 * ms)
    assert spikes[0].num_spikes > 10
    np.testing.assert_array_equal(spikes[0].i, spikes[1].i)
    np.testing.assert_array_equal(spikes[0].t_, spikes[1].t_)
