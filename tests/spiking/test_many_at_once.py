"""Many neurons that one spike reaches together: each fires when 60 digits say, and as if it were alone."""

import mpmath as mp
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, ms, mV, second

from bionet.random import Stream
from bionet.spiking.modes import solve

from .agreement import device
from .test_crossing import HORIZON, distance, exact_crossing, random_states
from .test_modes import MS, cell

ARRIVAL = 1e-3
CURRENTS = {1: "dg0/dt = -g0/(5*ms) : volt", 2: "dg1/dt = -g1/(10*ms) : volt", 3: "dg2/dt = -g2/(2*ms) : volt"}
TAUS = (5 * MS, 10 * MS, 2 * MS)


def cells(n, n_currents):
    """Leaky cells with thresholds of their own; those that have fired never do again."""
    inputs = " + ".join(f"g{k}" for k in range(n_currents))
    equations = "\n".join(CURRENTS[k + 1] for k in range(n_currents))
    return NeuronGroup(
        n,
        f"""dv/dt = (rest - v + {inputs})/(20*ms) : volt (unless refractory)
        {equations}
        rest : volt (constant)
        theta : volt (constant)""",
        threshold="v > theta",
        reset="v = -1*volt",
        refractory=10 * second,
        method="exact",
    )


def states(n, n_currents, seed):
    """States at the beginning, what arrives, and thresholds: for half of them just below or above a peak to come."""
    v, g, rest = random_states(n, TAUS[:n_currents], seed)
    w = 6.0 * Stream(seed, "weights").uniform(n)
    modes = solve(cell(20 * MS, *TAUS[:n_currents]))
    starts = np.column_stack([v, g, rest / (20 * MS)])
    later = np.stack([modes.advance(z, ARRIVAL)[:-1] for z in starts])
    later[:, 1] += w
    theta = np.full(n, -50.0)
    grid = np.linspace(0.0, HORIZON, 400)
    for i in range(0, n, 2):
        f, _, terms = distance(modes, np.array([*later[i], rest[i] / (20 * MS)]), 0.0)
        peak = sum(c * term(grid) for c, term in zip(f, terms, strict=True)).max()
        theta[i] = peak * (1 - 1e-7) if i % 4 else peak * (1 + 1e-7)
    keep = (theta > np.maximum(v, later[:, 0]) + 1e-3) & (theta > -59)
    return v[keep], g[keep], rest[keep], w[keep], theta[keep], later[keep], modes


def network(v, g, rest, w, theta, delay=None):
    """The cells, and one spike that reaches them all at ``ARRIVAL``; with delays of their own, one after another."""
    group = cells(len(v), g.shape[1])
    group.v, group.rest, group.theta = v * mV, rest * mV, theta * mV
    for k in range(g.shape[1]):
        setattr(group, f"g{k}", g[:, k] * mV)
    leaves = ARRIVAL if delay is None else 0.0
    source = SpikeGeneratorGroup(1, [0], [leaves] * second)
    one_delay = {"delay": delay * second} if np.ndim(delay) == 0 and delay is not None else {}
    synapses = Synapses(source, group, "w : volt", on_pre="g0 += w", **one_delay)
    synapses.connect()
    synapses.w = w * mV
    if np.ndim(delay):
        synapses.delay = delay * second
    spikes = SpikeMonitor(group)
    return Network(group, source, synapses, spikes), spikes, group


def compare(n, n_currents, seed):
    v, g, rest, w, theta, later, modes = states(n, n_currents, seed)
    with device("bionet", engine="event"):
        net, spikes, _ = network(v, g, rest, w, theta)
        net.run(HORIZON * second)
    first = dict(zip(np.asarray(spikes.i).tolist(), np.asarray(spikes.t).tolist(), strict=True))
    n_fired = 0
    for i in range(len(v)):
        before, _, terms = distance(modes, np.array([v[i], *g[i], rest[i] / (20 * MS)]), theta[i])
        wanted = exact_crossing(before, terms, ARRIVAL)
        f = before
        if wanted is None:
            f, _, terms = distance(modes, np.array([*later[i], rest[i] / (20 * MS)]), theta[i])
            wanted = exact_crossing(f, terms, HORIZON - ARRIVAL)
            wanted = None if wanted is None else wanted + mp.mpf(ARRIVAL)
        assert (wanted is None) == (i not in first), (i, wanted)
        if wanted is not None:
            n_fired += 1
            h = float(wanted) - (ARRIVAL if f is not before else 0.0)
            slope = abs(sum(c * term.alpha * float(term(h)) for c, term in zip(f, terms, strict=True)))
            # 1e-12 ms, or what the last bit of terms, states and threshold leaves open where it is flat.
            sizes = np.abs(f).sum() + abs(v[i]) + abs(rest[i]) + abs(theta[i])
            assert abs(first[i] - float(wanted)) <= 1e-15 + np.finfo(float).eps * sizes / slope
    assert len(v) // 10 < n_fired < len(v)


def test_each_fires_when_60_digits_say():
    compare(500, 3, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("n_currents", [1, 2, 3])
def test_each_of_many_fires_when_60_digits_say(n_currents):
    compare(36_000, n_currents, seed=10 + n_currents)


def test_together_is_as_one_by_one():
    v, g, rest, w, theta, *_ = states(600, 2, seed=5)
    n = len(v) - 1
    found = []
    # With one delay that differs, synapse after synapse is followed.
    for delay in (ARRIVAL, np.append(np.full(n, ARRIVAL), 2 * ARRIVAL)):
        with device("bionet", engine="event"):
            net, spikes, group = network(v, g, rest, w, theta, delay)
            net.run(50 * ms)
            others = np.asarray(spikes.i) < n
            states_now = [np.asarray(getattr(group, name))[:n] for name in ("v", "g0", "g1")]
            found.append([np.asarray(spikes.i)[others], np.asarray(spikes.t)[others], *states_now])
    assert len(found[0][0]) > 30
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
