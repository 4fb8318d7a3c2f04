"""The device: what a run does beside computing, and the law of what it draws."""

import os
import stat
import subprocess
import sys
import textwrap

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, PoissonInput, SpikeMonitor, StateMonitor, Synapses, ms
from scipy import stats

from bionet.errors import BionetError, InputError
from bionet.spiking.device import register
from bionet.spiking.engines.printing import print_program


@pytest.fixture(autouse=True)
def _device():
    b2.set_device("bionet")
    b2.seed(1)
    yield
    b2.set_device("bionet")  # takes back its options
    b2.seed()
    b2.device.reinit()
    b2.set_device("runtime")
    b2.start_scope()


def cells(n=5, tau=10 * ms, drive=1.5):
    group = NeuronGroup(
        n, "dv/dt = (I - v)/tau : 1\nI : 1", threshold="v > 1", reset="v = 0", method="exact", namespace={"tau": tau}
    )
    group.I = drive + 0.1 * np.arange(n)
    return group


def spikes_of(monitor):
    return list(zip(monitor.i[:].tolist(), monitor.t_[:].tolist(), strict=True))


def recurrent():
    group = cells()
    synapses = Synapses(group, group, "w : 1", on_pre="v_post += w")
    synapses.connect(i=[0, 0, 1, 2, 3, 4], j=[1, 2, 3, 4, 0, 0])
    synapses.w = [0.1, 0.05, 0.1, -0.2, 0.05, 0.1]
    synapses.delay = [0.3, 2, 5.5, 1, 0, 3] * ms
    monitor = SpikeMonitor(group)
    return Network(group, synapses, monitor), group, monitor


class TestRuns:
    def test_two_runs_are_one(self):
        network, _, monitor = recurrent()
        network.run(60 * ms)
        other, _, second = recurrent()
        for _ in range(6):
            other.run(10 * ms)
        assert spikes_of(monitor) == spikes_of(second)
        assert len(monitor.i) > 10

    def test_restore_brings_back_what_was_under_way(self):
        network, group, monitor = recurrent()
        network.run(20 * ms)
        network.store()
        network.run(30 * ms)
        once, v = spikes_of(monitor), group.v[:].copy()
        network.restore()
        network.run(30 * ms)
        assert spikes_of(monitor) == once
        assert np.array_equal(group.v[:], v)

    def test_a_changed_value_is_the_next_runs(self):
        group = cells(1)
        states = StateMonitor(group, "v", record=True)
        network = Network(group, states)
        network.run(1 * ms)
        group.v = 0.5
        network.run(0.1 * ms)
        assert states.v[0, -1] == 0.5

    def test_a_python_operation_runs_in_its_place(self):
        network, group, monitor = recurrent()
        seen = []

        @b2.network_operation(dt=1 * ms, when="end")
        def look(t):
            seen.append((np.asarray(t).item(), float(group.v[0]), len(monitor.i)))
            group.I[4] = 0

        network.add(look)
        network.run(10 * ms)
        assert [t for t, _, _ in seen] == pytest.approx(np.arange(10) * 1e-3, abs=1e-12)
        assert [count for _, _, count in seen] == [np.sum(monitor.t_[:] <= t + 1e-9) for t, _, _ in seen]
        assert not np.any(monitor.i[:] == 4)

    def test_stop_stops(self):
        network, _, _ = recurrent()

        @b2.network_operation(dt=2 * ms)
        def stop(t):
            if t >= 4 * ms:
                network.stop()

        network.add(stop)
        network.run(20 * ms)
        assert 4 * ms <= network.t <= 4.2 * ms
        network.run(1 * ms)
        assert 5 * ms <= network.t <= 5.2 * ms

    def test_reports(self):
        network, _, _ = recurrent()
        seen = []
        network.run(5 * ms, report=lambda *given: seen.append(given[1]))
        assert seen[0] == 0.0
        assert seen[-1] == 1.0
        with pytest.raises(ValueError, match="report"):
            network.run(1 * ms, report="loudly")

    def test_profile_names_the_objects(self):
        network, group, _ = recurrent()
        network.run(2 * ms, profile=True)
        named = dict(network.profiling_info)
        assert {f"{group.name}_stateupdater", f"{group.name}_spike_thresholder"} <= set(named)

    def test_options_are_checked(self):
        with pytest.raises(InputError, match=r"no option 'thread'.*did you mean 'threads'"):
            b2.set_device("bionet", thread=2)
        with pytest.raises(InputError, match="engine: got 'cuda'"):
            b2.set_device("bionet", engine="cuda")
        b2.set_device("bionet", directory="ignored", with_output=False)

    def test_a_state_that_diverges_stops_the_run(self):
        group = NeuronGroup(4, "dx/dt = x**2/ms : 1", method="euler", name="diverging")
        group.x = [0, 0, 3, 0]
        rate = StateMonitor(group, "x", record=[0])
        network = Network(group, rate)
        with pytest.raises(BionetError, match=r"diverging\.x: got (inf|nan) at index 2 between t = "):
            network.run(100 * ms)
        assert len(rate.t) > 0

    def test_bad_input_is_refused_before_the_first_step(self):
        group = cells(tau=-10 * ms)
        with pytest.raises(InputError, match="tau"):
            Network(group).run(1 * ms)


class TestRandomness:
    def test_a_seed_repeats_and_another_does_not(self):
        def run(seed):
            b2.seed(seed)
            group = NeuronGroup(
                20, "dv/dt = -v/(10*ms) + xi*ms**-0.5 : 1", method="euler", threshold="v > 1", reset="v = 0"
            )
            monitor = SpikeMonitor(group)
            Network(group, monitor).run(20 * ms)
            return spikes_of(monitor)

        assert run(3) == run(3) != run(4)

    def test_a_second_run_and_a_restored_one_draw_anew(self):
        group = NeuronGroup(50, "x : 1")
        group.run_regularly("x = rand()")
        network = Network(group)
        network.store()
        network.run(0.1 * ms)
        first = group.x[:].copy()
        network.restore()
        network.run(0.1 * ms)
        assert not np.any(group.x[:] == first)
        network.restore(restore_random_state=True)
        network.run(0.1 * ms)
        assert np.array_equal(group.x[:], first)

    @pytest.mark.parametrize("rates", ["equal", "different"])
    def test_poisson_sources_have_their_law(self, rates):
        rate = np.full(40, 80.0) if rates == "equal" else np.linspace(0, 400, 40)
        group = PoissonGroup(40, rates=rate * Hz)
        monitor = SpikeMonitor(group)
        network = Network(group, monitor)
        network.run(500 * ms)
        network.run(1500 * ms)
        steps, p = 20_000, rate * 1e-4
        z = (monitor.count[:] - steps * p)[p > 0] / np.sqrt(steps * p * (1 - p))[p > 0]
        assert np.sum(monitor.count[:][p == 0]) == 0
        # Chi-square of the counts, at an error level of 1e-6 in all.
        assert stats.chi2.ppf(5e-7, len(z)) < np.sum(z**2) < stats.chi2.isf(5e-7, len(z))
        gaps = np.diff(np.round(monitor.t_[:][monitor.i[:] == 20] / 1e-4).astype(int))
        assert gaps.min() >= 1
        assert stats.kstest(gaps, stats.geom(p[20]).cdf).pvalue > 1e-6 or len(gaps) < 10

    def test_poisson_input_has_its_law(self):
        for n, rate in ((1000, 20), (10, 100)):
            group = NeuronGroup(2000, "v : 1", name=f"target_{n}")
            source = PoissonInput(group, "v", n, rate * Hz, 1.0)
            network = Network(group, source)
            network.run(5 * ms)
            mean = 50 * n * rate * 1e-4
            sd = np.sqrt(mean * (1 - rate * 1e-4))
            assert abs(np.mean(group.v[:]) - mean) < 5 * sd / np.sqrt(2000)
            assert np.var(group.v[:]) == pytest.approx(sd**2, rel=5 * np.sqrt(2 / 2000))

    def test_drawn_as_brian2_draws_a_noisy_network_is_brian2s(self):
        def run(device, **options):
            b2.set_device(device, **options)
            b2.seed(7)
            group = NeuronGroup(
                30,
                "dv/dt = -v/(10*ms) + 0.3*xi*ms**-0.5 : 1 (unless refractory)",
                threshold="v > 1",
                reset="v = 0",
                refractory=2 * ms,
                method="euler",
            )
            monitor = SpikeMonitor(group)
            Network(group, monitor).run(30 * ms)
            return spikes_of(monitor)

        b2.prefs.codegen.target = "numpy"
        expected = run("runtime")
        assert run("bionet", rng="numpy") == expected
        assert len(expected) > 10
        b2.prefs.codegen.target = "auto"


class TestKernels:
    def test_values_sizes_and_names_are_no_part_of_the_text(self):
        texts = []
        for n, tau in ((5, 10 * ms), (9, 3 * ms)):
            network = Network(cells(n, tau))
            network.run(0 * ms)
            texts.append(print_program(register().last_reading.program, []).text)
        assert texts[0] == texts[1]

    def test_kernels_are_kept_privately_and_need_no_place_to_be_kept(self, tmp_path):
        script = tmp_path / "script.py"
        script.write_text(
            textwrap.dedent(
                """
                import sys
                from brian2 import *
                import bionet.spiking
                set_device("bionet")
                group = NeuronGroup(3, "dv/dt = (2 - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
                monitor = SpikeMonitor(group)
                run(30*ms)
                print(monitor.t_[:].tolist())
                print("numba" in sys.modules, file=sys.stderr)
                """
            )
        )
        printed, compiled = [], []
        for place, writable in ((tmp_path / "cache", True), (tmp_path / "cache", True), (tmp_path / "file", False)):
            if not writable:
                place.write_text("no folder")
            environment = {**os.environ, "XDG_CACHE_HOME": str(place)}
            done = subprocess.run(
                [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
            )
            printed.append(done.stdout)
            compiled.append(done.stderr.split()[-1])
        assert printed[0] == printed[1] == printed[2]
        assert compiled == ["True", "False", "True"]
        folder = tmp_path / "cache" / "bionet" / "kernels"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(list(folder.glob("kernel_*"))) == 1


def test_what_runs_outside_the_loop_is_said_once():
    group = cells(2)
    group.run_regularly("I += 0", dt=1 * ms)

    @b2.network_operation(dt=1 * ms, name="looking_on")
    def look():
        pass

    network = Network(group, look)
    network.run(2 * ms)
    assert "looking_on" in register().warned
    assert [each.reason for each in register().last_reading.program.outside()] == ["it is a Python function"]
