"""What is on its way in the ``event`` engine: everything arrives once, on time and in order, however far or near."""

from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, meter, ms, second
from numba import njit

from bionet.errors import BionetError, InputError
from bionet.random import Stream
from bionet.spiking import conduction
from bionet.spiking.engines import event_arrivals
from bionet.spiking.engines.event_memory import Memory
from bionet.spiking.engines.event_refusals import refuse_far
from bionet.spiking.engines.event_under_way import Arrivals

from .agreement import device

WINDOW = 2.0**-10
#: Delays [s]: of less than a window, of a few, of more than a round of the ring, of all these.
REACHES = {"near": (0, 4e-5), "usual": (1e-3, 20e-3), "far": (0.5, 4.0), "all": (0, 4.0)}


CELL = "dv/dt = -v/(10*ms) : 1\nticks : 1"


@pytest.fixture(autouse=True)
def events():
    with device("bionet", engine="event", seed=1):
        yield


def relays(kind, delays, times):
    """Return a network in which each spike of a source reaches as many cells as there are delays, which repeat it."""
    n = len(delays)
    # Whenever code is run at times of its own, all cells are looked at again.
    source = SpikeGeneratorGroup(1, np.zeros(len(times), int), times * second)
    cells = NeuronGroup(n, CELL, threshold="v > 0.5", reset="v = 0", method="exact", name="cells")
    cells.run_regularly("ticks += 1", dt=30 * ms)
    model = "d : second\nc : meter/second\npath : meter"
    if kind == "together":
        axons = [
            Synapses(source, cells, on_pre="v_post += 1", delay=delay * second, name=f"axons_{k}")
            for k, delay in enumerate(delays)
        ]
        for k, each in enumerate(axons):
            each.connect(i=0, j=k)
    else:
        axons = [Synapses(source, cells, model, on_pre="v_post += 1", name="axons")]
        axons[0].connect()
        if kind == "fixed":
            axons[0].delay = delays * second
        elif kind == "emission":
            axons[0].d = delays * second
            conduction(axons[0], delay="d")
        else:
            axons[0].path, axons[0].c = delays * meter, 1 * meter / second
            conduction(axons[0], length="path", velocity="c", in_flight="front")
    spikes = SpikeMonitor(cells)
    return Network(source, cells, *axons, spikes), spikes


@pytest.mark.parametrize("reach", REACHES)
@pytest.mark.parametrize("kind", ["together", "fixed", "emission", "front"])
def test_all_arrive_once_to_the_last_bit_in_one_run_or_many(kind, reach):
    draws = Stream(0, f"{kind}/{reach}")
    low, high = REACHES[reach]
    n = 12 if kind == "together" else 300
    delays = low + (high - low) * draws.uniform(n) ** (3 if reach == "all" else 1)
    delays[1] = delays[0]
    times = np.sort(0.5 * draws.uniform(20, 1))
    net, spikes = relays(kind, delays, times)
    net.run(5 * second)
    t, i = np.asarray(spikes.t), np.asarray(spikes.i)
    assert np.all(np.diff(t) >= 0)
    assert np.all(np.diff(i)[np.diff(t) == 0] > 0)
    expected = np.sort((times[:, None] + delays).ravel())
    np.testing.assert_allclose(np.sort(t), expected, rtol=1e-15, atol=1e-18)
    net, parts = relays(kind, delays, times)
    ends = np.sort(5 * draws.uniform(6, 2))
    for duration in np.diff([0.0, *ends, 5.0]):
        net.run(duration * second)
    np.testing.assert_array_equal(np.asarray(parts.i), i)
    np.testing.assert_array_equal(np.asarray(parts.t), t)


@pytest.mark.parametrize("kind", ["fixed", "emission", "front"])
def test_a_window_may_bring_more_than_there_is_room_for_at_first(kind):
    delays, times = 1.1e-3 + 4e-4 * Stream(0, "crowd").uniform(3000), np.array([0.0, 4e-4, 0.01])
    net, spikes = relays(kind, delays, times)
    net.run(0.02 * second)
    expected = np.sort((times[:, None] + delays).ravel())
    np.testing.assert_allclose(np.sort(np.asarray(spikes.t)), expected, rtol=1e-15)


@pytest.mark.parametrize("kind", ["together", "fixed"])
def test_delays_set_between_two_runs_count_from_the_next_departure_on(kind):
    delays = np.array([5e-3, 30e-3, 60e-3])
    net, spikes = relays(kind, delays, np.array([0.0, 0.03]))
    net.run(20 * ms)
    later = np.array([1e-3, 2e-3, 3e-3])
    axons = [each for each in net.objects if isinstance(each, Synapses)]
    for k, each in enumerate(axons):
        each.delay = (later[k] if kind == "together" else later) * second
    net.run(0.1 * second)
    np.testing.assert_allclose(np.sort(np.asarray(spikes.t)), np.sort([*delays, *(0.03 + later)]), rtol=1e-15)


def test_delays_made_equal_while_spikes_are_under_way_are_refused():
    net, _ = relays("fixed", np.array([5e-3, 30e-3]), np.array([0.0]))
    net.run(20 * ms)
    next(each for each in net.objects if isinstance(each, Synapses)).delay = 1 * ms
    with pytest.raises(BionetError, match=r"axons_pre: .*their delays made equal, while spikes were under way"):
        net.run(20 * ms)


def test_a_delay_for_which_there_are_no_windows_is_refused():
    # Brian2 makes room for each step of a delay: the network itself would take gigabytes.
    pathways = [SimpleNamespace(name="near"), SimpleNamespace(name="far")]
    network = SimpleNamespace(reading=SimpleNamespace(pathways=pathways), delays=[np.array([1e-4]), np.array([1e5])])
    with pytest.raises(InputError, match=r"far: got a delay of 100000 s; expected less than 32768 s"):
        refuse_far(network, 2.0**-14)
    refuse_far(network, 2.0**-10)
    network.delays = [np.array([1e-3])] * 4097
    with pytest.raises(InputError, match="got 4097 pathways of synapses; expected 4096 at most"):
        refuse_far(network, 2.0**-10)


def test_a_state_of_another_version_is_refused():
    state = Memory(network="net", t=0.25).plain()
    assert Memory.of_plain(state) == Memory(network="net", t=0.25)
    with pytest.raises(BionetError, match=r"a stored state: got 'flights' .*; run the network up to there again"):
        Memory.of_plain({**state, "flights": {}})


def several(n, shape):
    """Return n arrivals, most of them at several times, in different ways."""
    draws = Stream(0, f"several/{shape}")
    when = {
        "even": lambda: draws.uniform(n),
        "once": lambda: np.full(n, 0.25),
        "few": lambda: np.floor(7 * draws.uniform(n)) / 7,
        "close": lambda: 0.5 + 1e-9 * draws.uniform(n),
        "end": lambda: np.full(n, np.nextafter(1.0, 0.0)),
        "falling": lambda: np.linspace(0.9, 0.1, n),
    }[shape]()
    return WINDOW * when, (1000 * draws.uniform(n, 1)).astype(np.int64)


@pytest.mark.parametrize("n", [0, 1, 2, 24, 25, 1000, 70_000])
@pytest.mark.parametrize("shape", ["even", "once", "few", "close", "end", "falling"])
def test_the_agenda_is_in_order(n, shape):
    if n == 70_000 and shape in ("close", "end"):
        n = 7000
    when, what = several(n, shape)
    room = Arrivals(np.zeros(64, np.int64), 1, np.zeros(1, np.bool_), np.zeros(1, np.bool_), 0).agenda
    agenda = room._replace(when=when.copy(), what=what.copy(), other_when=np.empty(n), other_what=np.empty(n, np.int64))
    _sort(n, WINDOW, agenda)
    order = np.lexsort((what, when))
    np.testing.assert_array_equal(agenda.when, when[order])
    np.testing.assert_array_equal(agenda.what, what[order])


@pytest.mark.parametrize("shape", ["even", "once", "few", "falling"])
def test_what_is_near_comes_in_order(shape):
    when, what = several(500, shape)
    agenda = Arrivals(np.zeros(64, np.int64), 1, np.zeros(1, np.bool_), np.zeros(1, np.bool_), 0).agenda
    found = _through_the_heap(when, what, agenda)
    assert sorted(found) == list(range(500))
    order = np.lexsort((what, when))
    np.testing.assert_array_equal(when[found], when[order])
    np.testing.assert_array_equal(what[found], what[order])


@njit
def _sort(n, window, agenda):
    event_arrivals.sort_agenda(n, window, agenda)


@njit
def _through_the_heap(when, what, agenda):
    """Return in what order arrivals come out."""
    found = np.empty(when.size, np.int64)
    for k in range(when.size):
        event_arrivals.approach(when[k], what[k], k, agenda)
    for k in range(when.size):
        found[k] = event_arrivals.take_nearest(agenda)
    return found
