"""Threads: any number of them gives the same bits, and none is left behind."""

import threading

import brian2 as b2
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    network_operation,
)
from brian2.devices.device import get_device
from numba import njit

from bionet.errors import BionetError, InputError
from bionet.spiking import device as spiking_device
from bionet.spiking import explain, how_many_threads
from bionet.spiking.engines import grid, shared_grid
from bionet.spiking.engines.meeting import meet
from bionet.spiking.engines.shared_grid import SharedGrid
from bionet.spiking.engines.sharing import ALONE, EACH, OWN
from bionet.spiking.engines.threads import Crew, border
from tests.spiking.agreement import device, differences, outcome, run_on
from tests.spiking.random_scripts import write


def many():
    """Build some of everything, and run it several times, back and forth."""
    b2.seed(5)
    given = SpikeGeneratorGroup(3, [0, 1, 2, 0], [1, 4, 4, 9] * ms, name="given")
    poisson = PoissonGroup(40, 100 * Hz, name="poisson")
    cells = NeuronGroup(
        150,
        """dv/dt = (drive - v + g + total)/(5*ms) + 0.2*xi/sqrt(5*ms) : 1 (unless refractory)
        dg/dt = -g/(3*ms) : 1
        drive : 1
        total : 1
        sent : 1""",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="euler",
        name="cells",
    )
    cells.v, cells.drive = "rand()", 1.1
    others = NeuronGroup(
        70, "dv/dt = (1.2 - v)/(8*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="others"
    )
    plastic = Synapses(
        cells,
        others,
        """w : 1
        dapre/dt = -apre/(9*ms) : 1 (event-driven)
        dapost/dt = -apost/(9*ms) : 1 (event-driven)""",
        on_pre="v_post += 0.1*w\napre += 0.1\nw = clip(w - apost, 0, 1)",
        on_post="apost += 0.1\nw = clip(w + apre, 0, 1)",
        name="plastic",
    )
    plastic.connect(p=0.2)
    plastic.w, plastic.pre.delay = "rand()", "rand()*5*ms"
    back = Synapses(cells, cells, "w : 1", on_pre="g_post += w", multisynaptic_index="copy", name="back")
    back.connect(p=0.05, n=2)
    back.w, back.delay = "0.1*randn()", "rand()*3*ms"
    both = Synapses(cells, others, on_pre="v_post += 0.001*sent_pre\nsent_pre += 1", delay=1 * ms, name="both")
    both.connect(p=0.1)
    part = Synapses(given, cells[100:], on_pre="v += 0.3", delay=2 * ms, name="part")
    part.connect()
    noise = Synapses(poisson, cells, on_pre="g += 0.2*rand()", name="noise")
    noise.connect(p=0.3)
    gaps = Synapses(cells, cells, "total_post = 0.1*(v_pre - v_post) : 1 (summed)", name="gaps")
    gaps.connect(j="(i + 1) % N_post")
    inputs = [PoissonInput(cells, "g", 20, 50 * Hz, 0.02), PoissonInput(others[10:30], "v", 30, 100 * Hz, 0.01)]
    cells.run_regularly("drive = 0.9 + 0.3*rand()", dt=1 * ms, name="regular")

    @network_operation(dt=2 * ms, name="touch")
    def touch():
        cells.drive[3] += 0.1

    monitors = [SpikeMonitor(cells, "g", name="spikes"), SpikeMonitor(others, name="more")]
    traces = [StateMonitor(cells, "v", record=[0, 75, 149], name="trace"), PopulationRateMonitor(others, name="rate")]
    net = Network(
        given, poisson, cells, others, plastic, back, both, part, noise, gaps, *inputs, touch, *monitors, *traces
    )
    net.run(6 * ms)
    net.store()
    net.run(5 * ms)
    net.restore()
    net.run(10 * ms)
    return net


def test_a_network_of_everything_is_the_same_on_any_number_of_threads():
    one = run_on("bionet", many, threads=1)
    assert one["spikes"]["count"].sum() > 300
    assert one["more"]["count"].sum() > 50
    for n_threads in (2, 3, 4):
        assert differences(one, run_on("bionet", many, threads=n_threads), 0) == [], n_threads


def is_the_same_on_more_threads(seed):
    def build():
        names: dict = {}
        exec(compile(write(seed).text, "<script>", "exec"), names)
        return names["net"]

    one = run_on("bionet", build, threads=1)
    for n_threads in (2, 3):
        assert differences(one, run_on("bionet", build, threads=n_threads), 0) == [], n_threads


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_one_of_many_random_models_is_the_same_on_more_threads(seed):
    is_the_same_on_more_threads(seed)


def relay(n=200):
    """Build cells that each hear three of thirty sources, which fire at every step, through many delays."""
    steps = np.arange(120)
    times = np.repeat(steps, 30) * 0.1 * ms
    given = SpikeGeneratorGroup(30, np.tile(np.arange(30), len(steps)), times, name="given")
    cells = NeuronGroup(
        n,
        "dv/dt = -v/(5*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        name="cells",
    )
    synapses = Synapses(given, cells, on_pre="v_post += 0.03", name="synapses")
    synapses.connect(i=np.arange(3 * n) % 30, j=np.arange(3 * n) % n)
    synapses.delay = np.arange(3 * n) % 37 * 0.1 * ms
    spikes = SpikeMonitor(cells, name="spikes")
    return Network(given, cells, synapses, spikes)


def ran(threads, *durations):
    """Run the relay for some durations, each with its number of threads."""
    with device("bionet", threads=1):
        net = relay()
        for n_threads, duration in zip(threads, durations, strict=True):
            get_device().threads = n_threads
            net.run(duration)
        return outcome(net)


def test_buffers_and_rings_grow(monkeypatch):
    one = ran([1], 15 * ms)
    monkeypatch.setattr(grid, "_BUFFER_EVENTS", 1)
    grown = []
    grow = SharedGrid._grow

    def noted(self):
        before = [int(each.shape[1]) for each in self._queues()]
        grow(self)
        grown.append([int(each.shape[1]) for each in self._queues()] != before)

    monkeypatch.setattr(SharedGrid, "_grow", noted)
    assert one["spikes"]["count"].sum() > 4 * 200  # more than the buffer holds
    assert differences(one, ran([3], 15 * ms), 0) == []
    assert any(grown)
    assert not all(grown)


def test_the_number_of_threads_may_change_while_spikes_are_under_way():
    once = ran([1], 15 * ms)
    assert differences(once, ran([2, 1, 3, 3], 4 * ms, 3 * ms, 3 * ms, 5 * ms), 0) == []


def test_a_stored_state_is_for_any_number_of_threads():
    def stored(first, second):
        with device("bionet", threads=first):
            net = relay()
            net.run(5 * ms)
            net.store()
            net.run(2 * ms)
            get_device().threads = second
            net.restore()
            net.run(5 * ms)
            return outcome(net)

    assert differences(stored(1, 1), stored(2, 1), 0) == []
    assert differences(stored(1, 1), stored(1, 2), 0) == []


def test_a_run_that_is_stopped_or_interrupted_goes_on():
    def halted(n_threads):
        with device("bionet", threads=n_threads):
            net = relay()

            @network_operation(dt=1 * ms, name="halt")
            def halt(t):
                if t == 3 * ms:
                    net.stop()
                if t == 5 * ms:
                    raise KeyboardInterrupt

            net.add(halt)
            net.run(10 * ms)
            assert 3 * ms <= net.t <= 3.2 * ms
            with pytest.raises(KeyboardInterrupt):
                net.run(10 * ms)
            halt.active = False
            net.run(2 * ms)
            return outcome(net)

    assert differences(halted(1), halted(2), 0) == []
    assert not [each for each in threading.enumerate() if each.name.startswith("bionet")]


def test_a_state_that_diverges_in_the_last_thread_stops_all():
    with device("bionet", threads=3):
        cells = NeuronGroup(300, "dx/dt = x**2/ms : 1", method="euler", name="diverging")
        cells.x[299] = 3
        with pytest.raises(BionetError, match=r"diverging\.x: got (inf|nan) at index 299"):
            Network(cells).run(100 * ms)


def test_threads_that_have_no_core_leave_the_rest_to_one(monkeypatch):
    engines, run = [], SharedGrid.run

    def noted(self, ends):
        engines.append(self)
        run(self, ends)

    monkeypatch.setattr(SharedGrid, "run", noted)
    monkeypatch.setattr(grid, "_BREATH", 1e-9)  # calls make few steps each
    monkeypatch.setattr(shared_grid, "_LONG", 0.0)
    three = how_many_threads.Threads(3, "as this is asked here")
    monkeypatch.setattr(spiking_device, "how_many", lambda reading, asked: three)
    monkeypatch.setattr(shared_grid, "_BUSY", 1e9)
    alone, insisting = ran([None, None], 8 * ms, 7 * ms), ran([3], 15 * ms)
    monkeypatch.setattr(shared_grid, "_BUSY", 0.0)
    together = ran([None], 15 * ms)
    assert [each.n_threads for each in engines] == [1, 1, 3, 3]
    assert differences(together, alone, 0) == differences(together, insisting, 0) == []


def shares(build):
    """Return who does what in a network: the kinds of share, by operation and object."""
    found = {}
    original = SharedGrid._printed

    def noted(self, profile):
        pairs = zip(self.program.operations, self.sharing.shares, strict=True)
        found.update({(type(each).__name__, each.name): share.kind for each, share in pairs})
        found["meetings"] = 0
        source = original(self, profile)
        found["meetings"] = self.n_meetings
        return source

    with pytest.MonkeyPatch.context() as patch, device("bionet", threads=2):
        patch.setattr(SharedGrid, "_printed", noted)
        build().run(0.1 * ms)
    return found


def test_threads_share_what_they_may_and_meet_twice_in_a_step():
    found = shares(relay)
    assert found.pop("meetings") == 2
    assert found == {
        ("Update", "cells_stateupdater"): OWN,
        ("Threshold", "cells_spike_thresholder"): OWN,
        ("Replay", "given"): EACH,
        ("RecordEvents", "spikes"): ALONE,
        ("Push", "synapses_pre"): EACH,
        ("Deliver", "synapses_pre"): OWN,
        ("Reset", "cells_spike_resetter"): OWN,
    }


@pytest.mark.parametrize(
    ("on_pre", "kind"),
    [
        ("v_post += 0.1", OWN),
        ("v_pre += 0.1", OWN),
        ("v_post += 0.1*u_pre", OWN),
        ("v_post += 0.1*v_pre", ALONE),
        ("v_post += 0.1\nu_pre += 0.1", ALONE),
        ("w += 0.1*v_pre", OWN),
    ],
)
def test_synapses_are_shared_if_no_thread_needs_what_another_writes(on_pre, kind, monkeypatch):
    # What is asked is who does what: nothing is compiled.
    monkeypatch.setattr(grid, "compiled", lambda source: None)
    monkeypatch.setattr(SharedGrid, "run", lambda self, ends: None)

    def build():
        cells = NeuronGroup(200, "v : 1\nu : 1", threshold="v > 1", name="cells")
        synapses = Synapses(cells, cells, "w : 1", on_pre=on_pre, name="synapses")
        synapses.connect(j="i")
        return Network(cells, synapses)

    assert shares(build)["Deliver", "synapses_pre"] == kind


@pytest.mark.parametrize("n", [0, 1, 7, 64, 1000, 4001])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 16])
def test_every_element_is_one_threads(n, n_threads):
    borders = [border(n, k, n_threads) for k in range(n_threads + 1)]
    assert borders[0] == 0
    assert borders[-1] == n
    assert borders == sorted(borders)
    assert max(np.diff(borders)) <= n / n_threads + 64


@njit("void(int64[::1], int64, int64, int64[::1], int64[::1])", nogil=True)
def _count(meeting, me, n_threads, counts, seen):
    """Count one's own rounds, and look whether the others have counted as many."""
    for k in range(seen[n_threads]):
        counts[8 * me] += 1
        if meet(meeting, n_threads):
            return
        for other in range(n_threads):
            if counts[8 * other] < k + 1:
                seen[me] += 1
        if meet(meeting, n_threads):
            return


@njit("void(int64[::1], int64, int64, int64[::1], int64[::1])", nogil=True)
def _fail(meeting, me, n_threads, counts, seen):
    counts[8 * me] = 1
    if me == seen[0]:
        raise ValueError("one has failed")
    if not meet(meeting, n_threads):
        counts[8 * me] = 2


@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_threads_meet(n_threads):
    crew, counts, seen = Crew(n_threads), np.zeros(8 * n_threads, np.int64), np.zeros(n_threads + 1, np.int64)
    seen[n_threads] = 200
    crew.run(_count, [(crew.meeting, me, n_threads, counts, seen) for me in range(n_threads)])
    crew.leave()
    assert counts[::8].tolist() == [200] * n_threads
    assert seen[:n_threads].tolist() == [0] * n_threads


@pytest.mark.parametrize("failing", [0, 2])
def test_one_that_fails_leaves_nobody_waiting(failing):
    crew, counts = Crew(3), np.zeros(24, np.int64)
    for _ in range(2):
        counts[:] = 0
        with pytest.raises(ValueError, match="one has failed"):
            crew.run(_fail, [(crew.meeting, me, 3, counts, np.array([failing])) for me in range(3)])
        assert counts[::8].tolist() == [1, 1, 1]
    crew.leave()


@pytest.mark.parametrize(
    ("n", "more", "n_cores", "number", "reason"),
    [
        (1000, "", 16, 1, "take only about 0.8 us in a step"),
        (100_000, "", 1, 1, "as no second core is free"),
        (100_000, "", 2, 2, "as they share updates that take about 80 us in a step"),
        (100_000, "", 64, 5, "as they share updates"),
        (100_000, "outside", 64, 1, "calling them again takes 100 us"),
        (100_000, "alone", 2, 2, "one thread alone does gaps_summed_variable_total_post"),
    ],
)
def test_as_many_threads_as_pay(n, more, n_cores, number, reason, monkeypatch):
    monkeypatch.setattr(how_many_threads, "free_cores", lambda: n_cores)
    with device("bionet"):
        cells = NeuronGroup(n, "dv/dt = (total - v)/(5*ms) : 1\ntotal : 1", method="euler", name="cells")
        objects = [cells]
        if more == "alone":
            gaps = Synapses(cells, cells, "total_post = v_pre : 1 (summed)", name="gaps")
            gaps.connect(i=[0], j=[1])
            objects.append(gaps)
        if more == "outside":
            objects.append(network_operation(lambda: None))
        said = explain(Network(objects)).threads
        assert said.startswith(f"threads: {number}, ")
        assert reason in said
        assert said in str(explain(Network(objects)))


def test_cores_are_those_that_others_leave(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "8")
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr("os.getloadavg", lambda: (1.0, 0.0, 0.0))
    monkeypatch.setattr(how_many_threads, "control_groups", lambda controller: [tmp_path])
    monkeypatch.setattr(how_many_threads, "_LOAD", tmp_path / "loadavg")
    assert how_many_threads.free_cores() == 8
    monkeypatch.setattr("os.getloadavg", lambda: (12.0, 0.0, 0.0))
    assert how_many_threads.free_cores() == 5
    monkeypatch.setattr("os.getloadavg", lambda: (40.0, 0.0, 0.0))
    assert how_many_threads.free_cores() == 1
    # Those that made the mean so high have gone, but for three.
    (tmp_path / "loadavg").write_text("40.00 20.00 10.00 4/300 1234\n")
    assert how_many_threads.free_cores() == 8
    (tmp_path / "loadavg").write_text("40.00 20.00 10.00 14/300 1234\n")
    assert how_many_threads.free_cores() == 3
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    assert how_many_threads.free_cores() == 8
    for quota, cores in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)):
        (tmp_path / "cpu.max").write_text(quota)
        assert how_many_threads.free_cores() == cores
    (tmp_path / "cpu.max").unlink()
    for quota, cores in (("-1", 8), ("300000", 3)):
        (tmp_path / "cpu.cfs_quota_us").write_text(quota)
        (tmp_path / "cpu.cfs_period_us").write_text("100000")
        assert how_many_threads.free_cores() == cores


def test_a_number_asked_for_is_obeyed(monkeypatch):
    monkeypatch.setattr(how_many_threads, "free_cores", lambda: 1)
    with device("bionet", threads=3):
        assert explain(relay()).threads == "threads: 3, as asked for"


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, 10**6])
def test_a_number_of_threads_that_cannot_be_is_refused(threads):
    with (
        pytest.raises(InputError, match=r"threads: got .*; expected a whole number from 1 to"),
        device("bionet", threads=threads),
    ):
        pass
