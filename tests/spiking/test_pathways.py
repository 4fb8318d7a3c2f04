"""Pathways: the queue against Brian2's own, written in Python."""

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, Synapses, ms
from brian2.synapses.spikequeue import SpikeQueue as PythonQueue

from bionet.spiking.device import register
from bionet.spiking.pathways import SpikeQueue
from tests.spiking.agreement import differences, run_on

DT = 1e-4


def random_pathway(seed, n_sources=12, n_synapses=90, longest=7, start=3):
    random = np.random.default_rng(seed)
    sources = random.integers(start, start + n_sources, n_synapses).astype(np.int32)
    # Python's queue rounds half to even and the compiled one half up: halves are left out.
    delays = random.integers(0, longest + 1, n_synapses) * DT + random.uniform(-0.4, 0.4, n_synapses) * DT
    return random, sources, np.abs(delays)


def both(sources, delays, n_sources=12, start=3):
    queues = SpikeQueue(start, start + n_sources), PythonQueue(start, start + n_sources)
    for queue in queues:
        queue.prepare(delays, DT, sources)
    return queues


def agree(queues, random, steps, n_sources=12, start=3):
    for _ in range(steps):
        spikes = np.flatnonzero(random.random(n_sources + start + 2) < 0.3)
        for queue in queues:
            queue.push(spikes)
        assert np.array_equal(*(queue.peek() for queue in queues))
        for queue in queues:
            queue.advance()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["heterogeneous", "homogeneous", "equal", "sorted", "none"])
def test_the_same_synapses_in_the_same_order_as_brian2(kind, seed):
    random, sources, delays = random_pathway(seed)
    delays = {"homogeneous": delays[:1], "equal": np.full_like(delays, 3 * DT), "none": np.zeros(1)}.get(kind, delays)
    if kind == "sorted":
        order = np.lexsort((np.floor(delays / DT + 0.5), sources))
        sources, delays = sources[order], delays[order]
    queues = both(sources, delays)
    assert queues[0].in_order == (kind == "sorted")
    assert queues[0].homogeneous == (kind in ("homogeneous", "equal", "none"))
    agree(queues, random, 40)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_under_way_survives_a_state_and_its_return(seed):
    random, sources, delays = random_pathway(seed)
    queues = both(sources, delays)
    agree(queues, random, 10)
    state = queues[0]._full_state()
    twin = SpikeQueue(3, 15)
    twin.prepare(delays, DT, sources)
    twin._restore_from_full_state(state)
    agree((twin, queues[0]), random, 20)


def test_what_is_under_way_survives_new_synapses_and_new_delays():
    random, sources, delays = random_pathway(1)
    ours, theirs = both(sources, delays)
    agree((ours, theirs), random, 10)
    due = [synapses for _, synapses in ours._pending(None)]
    more = np.concatenate([sources, sources[:20]]), np.concatenate([delays[::-1], delays[:20]])
    for queue in (ours, theirs):
        queue.prepare(more[1], DT, more[0])
    for synapses in due:
        assert np.array_equal(ours.peek(), synapses)
        assert np.array_equal(theirs.peek(), synapses)
        ours.advance()
        theirs.advance()
    agree((ours, theirs), random, 20)


def test_another_dt_keeps_the_times():
    queue = SpikeQueue(0, 1)
    queue.prepare(np.array([1e-3]), 1e-4, np.zeros(1, np.int32))
    queue.push([0])
    for _ in range(4):
        queue.advance()
    queue.prepare(np.array([1e-3]), 2e-4, np.zeros(1, np.int32))
    assert [(steps, due.tolist()) for steps, due in queue._pending(None)] == [(3, [0])]


def test_delays_are_rounded_as_the_compiled_queue_rounds_them():
    queue = SpikeQueue(0, 1)
    queue.prepare(np.array([0.25e-3, 0.15e-3, 0.0]), 1e-4, np.zeros(3, np.int32))
    assert queue.delay.tolist() == [0, 1, 3]


def test_a_ring_grows_and_keeps_its_spikes():
    n = 300
    queue = SpikeQueue(0, 2)
    sources = np.zeros(n, np.int32)
    delays = np.arange(n) * DT
    queue.prepare(delays, DT, sources)
    for _ in range(n):
        queue.push([0])
        queue.advance()
    assert sorted(np.concatenate([due for _, due in queue._pending(None)]).tolist()) == sorted(
        synapse for synapse in range(n) for _ in range(synapse)
    )


def test_no_synapses_and_no_sources():
    for start, stop in ((0, 5), (0, 0)):
        queue = SpikeQueue(start, stop)
        queue.prepare(np.empty(0), DT, np.empty(0, np.int32))
        queue.push([0, 4] if stop else [])
        assert len(queue.peek()) == 0
        queue.advance()


def test_what_has_not_changed_is_not_sorted_again():
    _, sources, delays = random_pathway(2)
    queue = SpikeQueue(3, 15)
    queue.prepare(delays, DT, sources)
    order, column = queue.order, queue.column(0, np.arange(90), "uint16")
    queue.prepare(delays.copy(), DT, sources)
    assert queue.order is order
    assert queue.column(0, np.arange(90), "uint16") is column
    delays[0] += 3 * DT
    queue.prepare(delays, DT, sources)
    twin = SpikeQueue(3, 15)
    twin.prepare(delays, DT, sources)
    assert np.array_equal(queue.order, twin.order)
    assert not np.array_equal(queue.order, order)
    assert np.array_equal(queue.column(0, np.arange(90), "uint16"), queue.order)


@pytest.mark.parametrize("delayed", [False, True])
def test_a_column_is_in_the_order_of_the_synapses_and_takes_what_it_says(delayed):
    _, sources, delays = random_pathway(0)
    queue = SpikeQueue(3, 15)
    queue.prepare(delays if delayed else delays[:1], DT, sources)
    targets = np.arange(90, dtype=np.int32)[::-1] * 700
    wide, narrow = queue.column(0, targets, "uint32"), queue.column(1, targets, "uint16")
    assert (wide.dtype, narrow.dtype) == (np.uint32, np.uint16)
    before = queue.nbytes
    assert np.array_equal(wide, targets[queue.order])
    assert np.array_equal(narrow, wide)
    ordered = 4 * 90 + 2 * 90 + (4 * 90 if delayed else 0)
    assert before == ordered + queue.begin.nbytes + queue.first.nbytes + queue.delay.nbytes


@pytest.mark.parametrize(("n", "dtype"), [(1 << 16, "uint16"), ((1 << 16) + 1, "uint32")])
def test_targets_take_two_bytes_where_that_is_enough(n, dtype):
    def build():
        given = SpikeGeneratorGroup(4, [3, 1, 0, 2], [0, 0.1, 0.1, 0.3] * ms, name="given")
        cells = NeuronGroup(n, "v : 1", name="cells")
        synapses = Synapses(given, cells[5:], on_pre="v_post += 1", delay=0.2 * ms, name="synapses")
        synapses.connect(i=[3, 2, 1, 1, 0, 3], j=[n - 6, 0, n - 6, n - 7, 7, n // 2])
        net = Network(given, cells, synapses)
        net.run(1 * ms)
        return net

    got = run_on("bionet", build)
    (queue,) = (pathway.queue for pathway in register().last_reading.pathways)
    assert [column.dtype.name for column in queue._columns.values()] == [dtype]
    assert got["cells"]["v"].sum() == 6
    assert differences(run_on("numpy", build), got) == []


@pytest.mark.parametrize("kind", ["heterogeneous", "homogeneous", "sorted", "slices", "slices of an order"])
def test_queues_of_several_threads_hold_together_what_one_does(kind):
    random, sources, delays = random_pathway(2)
    targets = random.integers(0, 9, len(sources)).astype(np.int32)
    if kind == "sorted":
        order = np.lexsort((np.floor(delays / DT + 0.5), sources))
        sources, delays = sources[order], delays[order]
    if kind == "slices":
        order = np.lexsort((targets, sources))
        sources, targets = sources[order], targets[order]
    if kind == "slices of an order":
        order = np.argsort(targets, kind="stable")
        sources, targets = sources[order], targets[order]
    delays = delays if kind in ("heterogeneous", "sorted") else delays[:1]
    one, several = SpikeQueue(3, 15), SpikeQueue(3, 15)
    for queue in (one, several):
        queue.prepare(delays, DT, sources)
        queue.push(np.arange(15))
        queue.advance()
    borders = [0, 2, 2, 9]
    parts = several.divide("targets", targets, borders, (0, "uint16"))
    assert several.divide("targets", targets, borders, (0, "uint16")) is parts
    shared = {id(part.column(0, targets, "uint16")) for part in parts}
    assert (len(shared) == 1) == kind.startswith("slices")
    for _ in range(30):
        spikes = np.flatnonzero(random.random(17) < 0.3)
        for queue in (one, *parts):
            queue.push(spikes)
        due = one.peek()
        for part, low, high in zip(parts, borders, borders[1:], strict=False):
            own = (targets[due] >= low) & (targets[due] < high)
            assert np.array_equal(part.peek(), due[own])
        for queue in (one, *parts):
            queue.advance()
    # By number instead of target, and then one again: what is under way comes along.
    several.divide("numbers", None, [0, 40, 90])
    for (ahead, due), (expected_ahead, expected) in zip(_by_time(several), _by_time(one), strict=True):
        assert ahead == expected_ahead
        assert np.array_equal(due, expected)
    several.unite()
    assert several.parts == []
    assert np.array_equal(np.sort(several.peek()), np.sort(one.peek()))


def _by_time(queue):
    """Return the synapses under way by time, sorted: the order across threads is none."""
    found: dict[int, list] = {}
    for ahead, due in queue._pending(None):
        found.setdefault(ahead, []).append(due)
    return [(ahead, np.sort(np.concatenate(due))) for ahead, due in sorted(found.items())]
