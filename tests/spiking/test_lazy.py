"""Neurons that wait until something reaches them fire when those do that are advanced in every step."""

import re

import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NetworkOperation,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    ms,
    network_operation,
    second,
)
from brian2.devices.device import get_device

from bionet.errors import InputError
from bionet.spiking import explain
from tests.spiking.agreement import ROUNDING, device, differences, outcome, run_on

N = 300
# States of rest, matrices of one step: what is linear with them.
CURRENTS = """
dv/dt = (x + y - v + drive)/tau : 1 (unless refractory)
dx/dt = -x/(5*ms) : 1
dy/dt = -y/(10*ms) : 1
drive : 1
tau : second
"""
MODELS = {
    "currents": (CURRENTS, "v > 1", "v = 0", "x", "v"),
    "free_currents": (CURRENTS.replace(" (unless refractory)", ""), "v >= 1", "v = 0", "x", "y"),
    "alpha": (
        """
        dv/dt = (x - v + drive)/tau : 1 (unless refractory)
        dx/dt = (2.718*y - x)/(4*ms) : 1
        dy/dt = -y/(4.1*ms) : 1
        drive : 1
        tau : second
        """,
        "v > 1",
        "v = -0.2",
        "y",
        "v",
    ),
    "adaptation": (
        """
        dv/dt = (x + drive - v - a - b)/tau : 1 (unless refractory)
        dx/dt = -x/(3*ms) : 1
        da/dt = -a/(80*ms) : 1
        db/dt = (0.1*v - b)/(300*ms) : 1
        drive : 1
        tau : second
        """,
        "v > 1",
        "v = 0; a += 0.2",
        "x",
        "v",
    ),
    "threshold": (
        """
        dv/dt = (drive - v)/tau : 1
        dhigh/dt = (1 - high)/(30*ms) : 1
        drive : 1
        tau : second
        """,
        "high < v",
        "v = 0; high += 0.5",
        "v",
        "v",
    ),
    "moved": (
        """
        dv/dt = (drive + x - v)/tau : 1 (unless refractory)
        x : 1
        top : 1
        drive : 1
        tau : second
        """,
        "v > 1 + top",
        "v = 0; x *= 0.9; top += 0.01",
        "x",
        "v",
    ),
    "resonator": (
        """
        dv/dt = (x - v + drive)/tau : 1
        dx/dt = (drive - v)/(7*ms) - x/(20*ms) : 1
        drive : 1
        tau : second
        """,
        "v > 1",
        "v = 0",
        "x",
        "v",
    ),
}  # fmt: skip
# Of time constants that are nearly equal, coefficients are differences of large numbers: each form rounds otherwise.
ROUNDINGS = {"alpha": 1e-11}
METHODS = {"resonator": "rk4", "moved": "euler", "adaptation": "rk4"}
REFRACTORY = {"none": False, "time": 3 * ms, "own": "rest", "while": "v > 1.02", "short": 0.1 * ms}


def build(
    seed: int, model: str, refractory: str = "time", alike: bool = True, traces: bool = False, drawn: bool = True
):
    """Build a network with given and drawn inputs, equal and different delays, some neurons driven to fire."""
    draw = np.random.default_rng(seed)
    equations, threshold, reset, excites, moves = MODELS[model]
    cells = NeuronGroup(
        N,
        equations + "rest : second (constant)",
        threshold=threshold,
        reset=reset,
        refractory=REFRACTORY[refractory],
        method=METHODS.get(model, "exact"),
        name="cells",
    )
    if "high" in equations:
        cells.high = 1
    cells.v = draw.uniform(-0.5, 0.95, N)
    cells.drive = np.where(draw.random(N) < 0.2, draw.uniform(0.9, 2, N), draw.uniform(-0.1, 0.3, N))
    # Not near the other time constants: there the text of Brian2's solutions multiplies rounding.
    cells.tau = 20 * ms if alike else draw.uniform(12, 30, N) * ms
    cells.rest = draw.uniform(0, 8, N) * ms
    given = SpikeGeneratorGroup(20, draw.integers(0, 20, 60), draw.permutation(1000)[:60] * 0.1 * ms, name="given")
    poisson = PoissonGroup(20, 20 * drawn * Hz, name="poisson")
    near = Synapses(cells, cells, "w : 1", on_pre=f"{excites} += w", delay=1.2 * ms, name="near")
    near.connect(i=draw.integers(0, N, 8 * N), j=draw.integers(0, N, 8 * N))
    near.w = draw.uniform(0, 0.3, len(near))
    far = Synapses(cells, cells, on_pre=f"{moves} -= 0.1", name="far")
    far.connect(i=np.sort(draw.integers(0, N, 2 * N)), j=draw.integers(0, N, 2 * N))
    far.delay = draw.integers(0, 50, len(far)) * 0.1 * ms
    inputs = [Synapses(each, cells, on_pre="v += 0.4", name=f"from_{each.name}") for each in (given, poisson)]
    for each in inputs:
        each.connect(i=draw.integers(0, 20, 100), j=draw.integers(0, N, 100))
    objects = [cells, given, poisson, near, far, *inputs, SpikeMonitor(cells, name="spikes", variables="v")]
    if traces:
        names = ["v", "not_refractory"] if refractory != "none" else ["v"]
        objects.append(StateMonitor(cells, names, record=[0, 7, 8, 200], name="trace"))
    return Network(*objects)


def outcomes(make, *runs, **options):
    """Return what becomes of a network, dense and lazy; runs are durations in ms."""
    found = []
    for lazy in (False, True):

        def run(lazy=lazy):
            net = make()
            for duration in runs:
                net.run(duration * ms)
            assert (get_device().waited.get("cells", 0) > 0) == lazy
            return net

        found.append(run_on("bionet", run, lazy=lazy, seed=5, **options))
    return found


@pytest.mark.parametrize(
    ("model", "refractory", "alike"),
    [
        ("currents", "time", True),
        ("adaptation", "short", False),
        ("threshold", "own", False),
        ("resonator", "while", True),
    ],
)
def test_spikes_are_those_of_the_dense_loop(model, refractory, alike):
    dense, lazy = outcomes(lambda: build(1, model, refractory, alike, traces=True), 30.05, 69.95)
    assert differences(dense, lazy, ROUNDINGS.get(model, ROUNDING)) == []
    assert len(dense["spikes"]["i"]) > 200
    assert len(np.unique(dense["spikes"]["i"])) > 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_spikes_are_those_of_the_dense_loop_in_random_networks(seed):
    draw = np.random.default_rng(1000 + seed)
    model, refractory = draw.choice(list(MODELS)), draw.choice(list(REFRACTORY))
    alike, traces = draw.random(2) < 0.5
    runs = draw.uniform(10, 60, 3).round(1)
    dense, lazy = outcomes(lambda: build(seed, model, refractory, alike, traces), *runs)
    assert differences(dense, lazy, ROUNDINGS.get(model, ROUNDING)) == []


def test_spikes_are_those_of_brian2():
    def make():
        return run(build(8, "currents", drawn=False, traces=True), 25, 55)

    expected, got = run_on("numpy", make), run_on("bionet", make, lazy=True)
    assert differences(expected, got) == []
    assert len(got["spikes"]["i"]) > 100


def test_recording_changes_no_bit():
    without, with_traces = (
        run_on("bionet", lambda t=t: run(build(2, "currents", traces=t), 80), lazy=True, seed=5) for t in (False, True)
    )
    with_traces.pop("trace")
    assert differences(without, with_traces, rounding=0) == []


def run(net: Network, *durations: float) -> Network:
    for duration in durations:
        net.run(duration * ms)
    return net


def test_runs_in_pieces_give_the_same_spikes():
    whole, pieces = (
        run_on("bionet", lambda d=d: run(build(3, "currents"), *d), lazy=True, seed=5)
        for d in ((80,), (33.3, 0.1, 46.6))
    )
    assert differences(whole, pieces) == []
    assert len(whole["spikes"]["i"]) > 100


def test_what_was_stored_is_restored():
    def make():
        net = build(4, "moved", refractory="own")
        net.run(30 * ms)
        net.store()
        net.run(40 * ms)
        before = outcome(net)
        net.restore(restore_random_state=True)
        net.run(40 * ms)
        assert differences(before, outcome(net), rounding=0) == []
        return net

    dense, lazy = outcomes(make)
    assert differences(dense, lazy) == []


def test_parameters_change_between_runs_and_by_python_code():
    def make():
        net = build(5, "currents", refractory="time")
        cells = net["cells"]

        @network_operation(dt=7 * ms)
        def push(t):
            cells.v[::9] += 0.3
            cells.drive[5:50] = 1.2 if 0.02 < t / second < 0.05 else 0.1
            cells.tau[:] = (13 + t / ms / 10) * ms

        net.add(push)
        net.run(40 * ms)
        cells.drive[::2] += 0.1
        cells.lastspike[:5] = net.t
        net.run(30 * ms)
        return net

    dense, lazy = outcomes(make)
    assert differences(dense, lazy) == []
    assert len(dense["spikes"]["i"]) > 100


@pytest.mark.slow
def test_two_groups_wait_each_on_its_own_clock():
    def make():
        net = build(6, "currents")
        slow = NeuronGroup(
            50,
            "dv/dt = (1.2 - v)/(15*ms) : 1",
            threshold="v > 1",
            reset="v = 0",
            method="exact",
            dt=0.3 * ms,
            name="slow",
        )
        slow.v = "0.02*i"
        there = Synapses(net["cells"], slow, on_pre="v += 0.1", name="there")
        there.connect(j="i % 50")
        back = Synapses(slow, net["cells"], on_pre="x += 0.2; v_pre -= 0.01", delay=0.6 * ms, name="back")
        back.connect(j="i")
        net.add(slow, there, back, SpikeMonitor(slow, name="slow_spikes"))
        return net

    dense, lazy = outcomes(make, 80)
    assert differences(dense, lazy) == []
    assert len(dense["slow_spikes"]["i"]) > 50


def test_a_spike_of_nobody_else_is_missed_between_two_steps():
    """Between two steps the membrane is above threshold for a while, at each of them below: no spike, as in Brian2."""

    def make():
        cells = NeuronGroup(
            1,
            "dv/dt = (40*x - v)/(0.2*ms) : 1\ndx/dt = -x/(0.1*ms) : 1",
            threshold="v > top",
            reset="v = 0",
            namespace={"top": 9.0},
            name="cells",
        )
        given = SpikeGeneratorGroup(1, [0], [1] * ms, name="given")
        one = Synapses(given, cells, on_pre="x += 1", name="one")
        one.connect()
        return Network(cells, given, one, SpikeMonitor(cells, name="spikes"))

    # v = 40 (exp(-t/0.2 ms) - exp(-t/0.1 ms)) peaks at 10 after 0.139 ms; 9.55 and 9.30 after one and two steps.
    for top, count in ((9.5, 1), (9.6, 0)):

        def built(top=top):
            net = make()
            net["cells"].namespace["top"] = top
            return net

        dense, lazy = outcomes(built, 5)
        assert differences(dense, lazy) == []
        assert len(lazy["spikes"]["i"]) == count


# What cannot wait, and why


def reason(model: str = "dv/dt = -v/(10*ms) : 1", *more, threshold: str = "v > 1", **options) -> str:
    cells = NeuronGroup(40, model, threshold=threshold, reset="v = 0", name="cells", **{"method": "euler", **options})
    net = Network(cells, *(each(cells) for each in more))
    return explain(net).waiting["cells"]


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (("dv/dt = -v/(10*ms) + 0.1*xi/sqrt(ms) : 1",), {}, "it draws random numbers"),
        (("dv/dt = (1 - v**2)/(10*ms) : 1",), {}, "its equations or its threshold are not linear"),
        (("dv/dt = (sin(t/ms) - v)/(10*ms) : 1",), {}, "its equations or its threshold read 't', which changes"),
        (("dv/dt = (table(t) - v)/(10*ms) : 1",), {}, "it reads a TimedArray"),
        (
            ("dv/dt = -v/(10*ms) : 1",),
            {"threshold": "v > 1 and v < 2"},
            "its threshold is no comparison of two quantities",
        ),
        (
            ("dv/dt = -v/(10*ms) : 1", lambda cells: PoissonInput(cells, "v", 10, 5 * Hz, 0.1)),
            {},
            "'input' reads or sets its states in every step",
        ),
        (
            ("dv/dt = -v/(10*ms) : 1", lambda cells: StateMonitor(cells, "v", record=True, name="trace")),
            {},
            "'trace' reads or sets its states in every step",
        ),
        (("dv/dt = -v/a : 1\nda/dt = -a/ms : second",), {}, "its equations or its threshold are not linear"),
        (
            ("dv/dt = -v/(10*ms) : 1\ndrest/dt = -rest/second : second",),
            {"refractory": "rest"},
            "how long it is refractory changes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_wait_says_why(arguments, options, expected):
    table = TimedArray([0.5, 1], dt=10 * ms)
    with device("bionet"):
        said = reason(*arguments, namespace={"table": table}, **options)
    assert re.sub(r"'poissoninput\w*'", "'input'", said) == f"advanced in every step, as {expected}"


def test_python_code_in_every_step_may_look_at_all():
    with device("bionet"):
        said = reason("dv/dt = -v/(10*ms) : 1", lambda _: NetworkOperation(lambda: None, name="look"))
    assert said == "advanced in every step, as 'look' runs in every step, and may look at it"


def test_a_perfect_integrator_is_advanced_in_every_step():
    def make():
        cells = NeuronGroup(40, "dv/dt = 0.1/ms : 1", threshold="v > 1", reset="v = 0", method="euler", name="cells")
        cells.v = "i/40.0"
        return run(Network(cells, SpikeMonitor(cells, name="spikes")), 30)

    dense, lazy = (run_on("bionet", make, lazy=each) for each in (False, True))
    assert differences(dense, lazy, rounding=0) == []


def test_an_option_that_is_none_is_refused():
    with (
        pytest.raises(InputError, match=r"lazy: got 'often'; expected one of None, True, False"),
        device("bionet", lazy="often"),
    ):
        pass


# When it pays


def sparse(rate: float) -> Network:
    """Build silent cells, whose given inputs fire now and then in the first 0.4 s, and at ``rate`` from then on."""
    draw = np.random.default_rng(7)
    cells = NeuronGroup(N, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells")
    late = np.sort(draw.choice(4000, int(rate * 0.4), replace=False)) if rate else np.empty(0, int)
    indices = np.concatenate([draw.integers(0, 20, 20), np.tile(np.arange(20), len(late))])
    times = np.concatenate([np.arange(20) * 19.9, np.repeat(400 + 0.1 * late, 20)])
    given = SpikeGeneratorGroup(20, indices, times * ms)
    inputs = Synapses(given, cells, on_pre="v += 0.05", delay=1 * ms)
    inputs.connect(i=np.repeat(np.arange(20), 60), j=draw.integers(0, N, 1200))
    return Network(cells, given, inputs, SpikeMonitor(cells, name="spikes"))


def test_neurons_wait_where_that_pays(monkeypatch):
    monkeypatch.setattr("bionet.spiking.engines.choosing._WORTH", 0.0)
    shares = []
    for rate in (0, 3000):
        with device("bionet"):
            net = sparse(rate)
            net.run(800 * ms)
            shares.append(get_device().waited.get("cells", 0))
            said = explain(net).waiting["cells"]
        assert said.endswith(f"in {shares[-1]:.0%} of the last run's steps")
    # Four samples, one each 500 steps, come first; what does not pay any more is given up after 2000 steps at most.
    assert shares[0] == 0.75
    assert 0.25 < shares[1] <= 0.5


def test_a_short_run_compiles_nothing_more():
    with device("bionet"):
        sparse(0).run(500 * ms)
        assert get_device().waited == {}
