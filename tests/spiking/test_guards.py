"""Every impossible network is refused with a sentence; every network that has a meaning is not."""

from contextlib import nullcontext

import brian2
import numpy as np
import pytest
from brian2 import (
    Clock,
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    SpatialNeuron,
    SpikeGeneratorGroup,
    Synapses,
    TimedArray,
    cm,
    linked_var,
    ms,
    mV,
    nA,
    network_operation,
    nF,
    nS,
    ohm,
    pF,
    second,
    uF,
    um,
    volt,
)
from brian2.devices.device import reset_device
from brian2.utils.logger import BrianLogger
from hypothesis import given, settings
from hypothesis import strategies as st

from bionet.errors import InputError
from bionet.spiking.grammar import Terms, check_code, check_expression, statements
from bionet.spiking.guards import check, check_solution, diverged, first_nonfinite

NAN, INF = np.nan, np.inf


@pytest.fixture(autouse=True)
def _runtime():
    """Brian2's own device and its numpy target: the objects under test, without a compiler."""
    target = brian2.prefs.codegen.target
    brian2.set_device("runtime")
    brian2.prefs.codegen.target = "numpy"
    BrianLogger._log_messages.clear()
    yield
    brian2.prefs.codegen.target = target
    reset_device()


def checked(*objects, duration=0.01, on_grid=True, **namespace):
    check(Network(*objects), duration, namespace, on_grid)


def words(caplog):
    """The warnings of bionet since the last look."""
    found = [each.message for each in caplog.records if each.levelname == "WARNING" and "bionet" in each.name]
    caplog.clear()
    return found


def cells(equations="dv/dt = -v/tau : volt", number=3, **values):
    group = NeuronGroup(number, equations, threshold="v > 1*volt", reset="v = 0*volt", name="cells", method="euler")
    for name, value in values.items():
        setattr(group, name, value)
    return group


def pair(on_pre="v_post += w", model="w : volt", connect=True, **values):
    group = cells("v : volt")
    pathway = Synapses(group, group, model, on_pre=on_pre, name="pair")
    pathway.connect()
    for name, value in values.items():
        setattr(pathway, name, value)
    return group, pathway


# Time constants and capacitances (A1, A2)


@pytest.mark.parametrize("tau", [-10, 0, NAN])
@pytest.mark.parametrize(
    "equation",
    [
        "-v/tau",
        "(v0 - v)/tau",
        "(I*ohm - (v - v0))/tau",
        "1/tau*(v0 - v)",
        "-v*tau**-1",
        "(v0 - v)/(2*tau)",
        "-(v - v0)/tau + xi*mV*ms**-0.5",
        "leak",
    ],
)
def test_an_impossible_time_constant_is_refused(equation, tau):
    group = cells(f"dv/dt = {equation} : volt\nleak = -v/tau : volt/second")
    with pytest.raises(InputError, match=r"^cells: .*tau.*, which divides .*: got .*s; expected"):
        checked(group, tau=tau * ms, v0=-60 * mV, I=1 * nA)


def test_the_sentence_says_which_element_and_what_to_do():
    group = cells("dv/dt = -v/tau : volt\ntau : second", tau=[10, -5, 10] * ms)
    with pytest.raises(InputError) as refusal:
        checked(group)
    assert str(refusal.value) == (
        "cells: tau, which divides the decay of v: got -5. ms at index 1; expected a positive time constant; "
        "for growth write the term with a plus sign"
    )


def test_a_parameter_that_was_never_set_is_refused_where_it_divides():
    with pytest.raises(InputError, match=r"cells: tau, which divides in dv/dt: got 0. s at index 0"):
        checked(cells("dv/dt = -v/tau : volt\ntau : second"))


@pytest.mark.parametrize("capacitance", [-1, 0, NAN])
def test_an_impossible_capacitance_is_refused(capacitance):
    group = cells("dv/dt = (g*(v0 - v) + I)/C : volt")
    with pytest.raises(InputError, match="cells: C, which divides"):
        checked(group, C=capacitance * nF, g=1 * nS, v0=-60 * mV, I=1 * nA)


def test_a_capacitance_is_found_through_subexpressions():
    group = cells("dv/dt = (leak + I)/C : volt\nleak = g*(v0 - v) : amp")
    with pytest.raises(InputError, match="capacitance"):
        checked(group, C=-1 * nF, g=1 * nS, v0=-60 * mV, I=1 * nA)


@pytest.mark.parametrize("flag", ["clock-driven", "event-driven"])
def test_the_time_constants_of_synapses_are_checked(flag):
    group, pathway = pair("trace += 1", f"dtrace/dt = -trace/tau_pre : 1 ({flag})")
    with pytest.raises(InputError, match="pair: tau_pre, which divides the decay of trace"):
        checked(group, pathway, tau_pre=-20 * ms)


def test_a_linked_time_constant_is_looked_up_where_it_lives():
    source = NeuronGroup(2, "tau : second", name="source")
    source.tau = [5, -5] * ms
    for index, fine in (([0, 0, 0], True), ([0, 1, 0], False)):
        group = cells("dv/dt = -v/tau : volt\ntau : second (linked)")
        group.tau = linked_var(source, "tau", index=np.array(index))
        if fine:
            checked(source, group)
        else:
            with pytest.raises(InputError, match=r"got -5. ms at index 1"):
                checked(source, group)


def test_the_namespace_of_a_group_goes_first():
    group = NeuronGroup(1, "dv/dt = -v/tau : 1", namespace={"tau": 10 * ms})
    checked(group, tau=-1 * ms)


@pytest.mark.parametrize("name", ["Cm", "Ri"])
def test_a_cable_needs_capacitance_and_resistance(name):
    morphology = brian2.Cylinder(length=100 * um, diameter=2 * um, n=4)
    given = {"Cm": 1 * uF / cm**2, "Ri": 100 * ohm * cm}
    equations = "Im = g*(v0 - v) : amp/metre**2"
    names = {"g": 1 * nS / um**2, "v0": -60 * mV}
    checked(SpatialNeuron(morphology, equations, name="cable", **given), **names)
    with pytest.raises(InputError, match=rf"cable.{name}: got 0"):
        checked(SpatialNeuron(morphology, equations, name="cable", **(given | {name: 0 * given[name]})), **names)


@pytest.mark.parametrize("value", [NAN, -5, INF])
@pytest.mark.parametrize("text", [False, True])
def test_an_impossible_refractory_period_is_refused(value, text):
    period = value * ms
    group = NeuronGroup(1, "v : 1", threshold="v > 1", refractory="period" if text else period, name="cells")
    with pytest.raises(InputError, match=r"cells.refractory: got"):
        checked(group, period=period)


def test_an_undefined_threshold_is_refused_and_an_infinite_one_is_not():
    group = NeuronGroup(1, "v : volt", threshold="v > v_th", reset="v = 0*volt", name="cells")
    with pytest.raises(InputError, match=r"cells: v_th in the condition 'v > v_th': got nan V"):
        checked(group, v_th=NAN * volt)
    checked(group, v_th=INF * volt)


def test_a_reset_above_threshold_is_reported(caplog):
    group = NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = v_r", name="cells")
    for reset, messages in ((0, 0), (1, 0), (2, 1)):
        checked(group, v_r=reset)
        assert len(words(caplog)) == messages
    resting = NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = v_r", refractory=2 * ms)
    checked(resting, v_r=2)
    assert not words(caplog)


# State, parameters and weights (A3)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_an_undefined_state_is_refused(value):
    group = cells(v=[0, 0, value] * volt)
    with pytest.raises(InputError, match=r"cells.v: got -?(nan|inf) V at index 2; expected finite numbers"):
        checked(group, tau=10 * ms)


@pytest.mark.parametrize("value", [NAN, INF])
def test_an_undefined_input_is_refused(value):
    group = cells("dv/dt = (I*ohm - v)/tau : volt\nI : amp", I=[0, value, 0] * nA)
    with pytest.raises(InputError, match=r"cells: I in dv/dt: got (nan|inf) A at index 1"):
        checked(group, tau=10 * ms)
    with pytest.raises(InputError, match=r"cells: v0 in dv/dt: got"):
        checked(cells("dv/dt = (v0 - v)/tau : volt"), tau=10 * ms, v0=value * volt)


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize(
    "on_pre", ["v_post += w", "v += 2*w", "v_post = v_post + w/2", "v_post += strong", "by = w*2; v_post += by"]
)
def test_an_undefined_weight_is_refused(on_pre, value):
    group, pathway = pair(on_pre, "w : volt\nstrong = 3*w : volt", w=np.r_[np.zeros(7), value, 0] * volt)
    with pytest.raises(InputError, match=r"pair.*: got (nan|inf) V at index 7"):
        checked(group, pathway)


def test_an_undefined_weight_is_refused_even_if_learning_changes_it():
    group, pathway = pair("v_post += w; w = clip(w + 1*mV, 0*mV, 5*mV)", w=NAN * volt)
    with pytest.raises(InputError, match=r"pair.w: got nan V at index 0"):
        checked(group, pathway)


def test_an_undefined_weight_is_refused_in_single_precision():
    group = cells("v : volt")
    pathway = Synapses(group, group, "w : volt", on_pre="v_post += w", dtype=np.float32)
    pathway.connect()
    pathway.w = np.r_[np.zeros(4), NAN, np.zeros(4)] * volt
    assert pathway.variables["w"].dtype == np.float32
    with pytest.raises(InputError, match="at index 4"):
        checked(group, pathway)


def test_an_undefined_constant_in_code_is_refused():
    group, pathway = pair("v_post += jump")
    with pytest.raises(InputError, match=r"jump in the code of pair_pre for v_post: got nan V"):
        checked(group, pathway, jump=NAN * volt)
    resetting = NeuronGroup(1, "dv/dt = -v/tau : volt", threshold="v > 1*volt", reset="v = v_r", method="euler")
    with pytest.raises(InputError, match="v_r in the code of"):
        checked(resetting, v_r=NAN * volt, tau=10 * ms)


# Delays (A4)


@pytest.mark.parametrize("delay", [-1, NAN, INF, -INF, 1e12])
def test_an_impossible_delay_is_refused(delay):
    group, pathway = pair()
    pathway.delay = np.r_[np.ones(5), delay, np.ones(3)] * ms
    for on_grid in (True, False):
        with pytest.raises(InputError, match=r"pair_pre.delay: got .* at index 5; expected a finite delay of 0\*ms"):
            checked(group, pathway, on_grid=on_grid)


def test_a_delay_that_would_vanish_is_refused_on_the_grid_only():
    group = cells("v : volt")
    pathway = Synapses(group, group, on_pre="v_post += 1*mV", delay=0.03 * ms, name="pair")
    pathway.connect()
    with pytest.raises(InputError) as refusal:
        checked(group, pathway)
    assert str(refusal.value) == (
        "pair_pre.delay: got 30. us, which rounds to no step at all of dt = 100. us; expected 0*ms, or 50. us and "
        'more; set it so, reduce dt, or choose engine="event", which keeps delays as they are'
    )
    checked(group, pathway, on_grid=False)


@pytest.mark.parametrize(("delay", "rounded"), [(0, 0), (0.1, 0), (0.3, 0), (1.7, 0), (0.05, 1), (0.25, 1), (1.234, 1)])
def test_rounded_delays_are_counted_once(delay, rounded, caplog):
    group, pathway = pair()
    pathway.delay = np.r_[np.ones(6), [delay] * 3] * ms
    for on_grid in (False, True):
        checked(group, pathway, on_grid=on_grid)
        checked(group, pathway, on_grid=on_grid)
        found = words(caplog)
        assert len(found) == (rounded if on_grid else 0)
        assert all("3 delays are no multiples of dt" in text and "3 of pair_pre" in text for text in found)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.0, 3.0), st.sampled_from([0.1, 0.05, 0.025]))
def test_a_delay_is_refused_just_where_brian2_rounds_it_to_nothing(delay, dt):
    group = NeuronGroup(1, "v : 1", threshold="v > 1", reset="", dt=dt * ms)
    pathway = Synapses(group, group, on_pre="v_post += 1", delay=delay * ms)
    pathway.connect()
    delay = pathway.pre.variables["delay"].get_value()[0]
    if delay > 0 and int(delay / float(dt * ms) + 0.5) == 0:
        with pytest.raises(InputError, match="rounds to no step"):
            checked(group, pathway)
    else:
        checked(group, pathway)


# Time (A5, A7)


@pytest.mark.parametrize("dt", [-0.1, 0, NAN, INF])
@pytest.mark.parametrize("duration", [0.0, 0.1])
def test_an_impossible_time_step_is_refused(dt, duration):
    clock = Clock(1 * ms, name="ticks")
    group = NeuronGroup(1, "v : 1", clock=clock)
    clock.dt = dt * ms
    with pytest.raises(InputError, match=r"ticks.dt: got .*; expected a positive time step"):
        checked(group, duration=duration)


def test_a_time_step_too_large_for_a_decay_is_reported(caplog):
    group = NeuronGroup(1, "dv/dt = -v/tau : 1", name="cells")
    for tau, messages in ((0.2, 0), (0.1, 1)):
        checked(group, tau=tau * ms)
        assert len(words(caplog)) == messages
    checked(NeuronGroup(1, "dv/dt = -v/ms : 1", dt=1 * ms))
    assert not words(caplog)


@pytest.mark.parametrize("duration", [-1.0, NAN, INF])
def test_an_impossible_duration_is_refused(duration):
    with pytest.raises(InputError, match=r"run: got a duration of .*; expected a finite time"):
        checked(duration=duration)


def test_no_time_at_all_is_no_run():
    checked(cells(v=NAN * volt), duration=0.0)


# Input (A6, A8, A9)


@pytest.mark.parametrize("rate", [-1, NAN, INF, 10_001])
@pytest.mark.parametrize("by_name", [False, True])
def test_an_impossible_poisson_rate_is_refused(rate, by_name):
    group = PoissonGroup(3, "rate" if by_name else [10, 10, rate] * Hz, name="noise")
    with pytest.raises(InputError, match=r"noise.rates: got .*; expected a rate from 0\*Hz to 10. kHz"):
        checked(group, rate=rate * Hz)


def test_a_rate_that_depends_on_time_is_followed_through_the_run():
    stimulus = TimedArray([[0, 100], [0, 100], [0, -100]] * Hz, dt=10 * ms)
    group = PoissonGroup(2, "stimulus(t, i)", name="noise")
    checked(group, stimulus=stimulus, duration=0.02)
    with pytest.raises(InputError, match=r"noise.rates: got -100. Hz"):
        checked(group, stimulus=stimulus, duration=0.0201)


def test_an_undefined_stimulus_is_refused_if_the_run_reaches_it():
    stimulus = TimedArray([0, NAN, 0] * nA, dt=10 * ms)
    group = cells("dv/dt = (stimulus(t)*ohm - v)/tau : volt")
    checked(group, stimulus=stimulus, tau=10 * ms, duration=0.01)
    with pytest.raises(InputError, match=r"cells: stimulus\(t\) in dv/dt: got nan A at index 1"):
        checked(group, stimulus=stimulus, tau=10 * ms, duration=0.02)


@pytest.mark.parametrize("rate", [-1, NAN, 10_001])
def test_an_impossible_rate_of_an_input_is_refused(rate):
    group = cells("v : volt")
    with pytest.raises(InputError, match=r"poissoninput.*.rate: got"):
        checked(group, PoissonInput(group, "v", 10, rate * Hz, weight=1 * mV))


def test_an_impossible_number_or_weight_of_inputs_is_refused():
    group = cells("v : volt")
    for number in (2.5, True):
        with pytest.raises(InputError, match=rf"N: got {number}; expected a whole number"):
            checked(group, PoissonInput(group, "v", number, 10 * Hz, weight=1 * mV))
    with pytest.raises(InputError, match="weight: got nan V"):
        checked(group, PoissonInput(group, "v", 10, 10 * Hz, weight=NAN * volt))


@pytest.mark.parametrize(
    ("indices", "times", "is_sorted", "sentence"),
    [
        ([0, 1], [1, NAN], False, r"spike_time: got nan s at index 1"),
        ([0, 1], [1, INF], False, r"spike_time: got inf s at index 1"),
        ([0, 0.5], [1, 2], False, r"neuron_index: got 0.5 at index 1"),
        ([0, 1], [2, 1], True, r"spike_time: got 1. ms after 2. ms at index 1"),
    ],
)
def test_impossible_spikes_are_refused(indices, times, is_sorted, sentence):
    group = SpikeGeneratorGroup(2, indices, times * ms, sorted=is_sorted, name="train")
    with pytest.raises(InputError, match=sentence):
        checked(group)


# What has a meaning passes


@pytest.mark.parametrize("tau", [10, -10])
@pytest.mark.parametrize("equation", ["v/tau", "(v - v0)/tau", "-(v0 - v)/tau", "v**2/(tau*volt)"])
def test_growth_is_the_users_wish(equation, tau):
    checked(cells(f"dv/dt = {equation} : volt"), tau=tau * ms, v0=0 * mV)


def test_an_infinite_time_constant_is_no_decay():
    checked(cells("dv/dt = -v/tau : volt\ntau : second", tau=[10, INF, 10] * ms))
    checked(cells("dv/dt = (v0 - v)/(C/g) : volt"), C=1 * pF, g=0 * nS, v0=-60 * mV)


def test_zero_inside_a_function_is_not_refused():
    checked(cells("dv/dt = mV*exp((v - v_t)/slope)/ms : volt"), v_t=1 * mV, slope=0 * mV)


def test_synapses_without_a_synapse_have_nothing_to_refuse():
    group = cells("v : volt")
    pathway = Synapses(group, group, "dw/dt = -w/tau : volt (clock-driven)\ntau : second", on_pre="v_post += w")
    pathway.connect(condition="False")
    checked(group, pathway)


def test_what_no_code_uses_may_be_anything():
    checked(cells("dv/dt = -v/ms : volt\nlabel : 1\nlast : second", label=NAN, last=-INF * second))
    checked(*pair("v_post += w", "w : volt\nlabel : 1", label=NAN))


def test_a_last_time_may_be_infinitely_long_ago_and_a_bound_infinitely_high():
    on_pre = "v_post += w*exp((last - t)/(20*ms)); last = t; w = clip(w, 0*volt, w_max)"
    checked(*pair(on_pre, "w : volt\nlast : second\nw_max : volt", last=-INF * second, w_max=INF * volt))


def test_what_the_network_computes_itself_is_not_looked_at():
    group = cells("dv/dt = -v/tau : volt\ntau : second")
    group.run_regularly("tau = 10*ms")
    checked(group)
    summed = cells("dv/dt = -v/(1*pF/g) + I/(g*ms) : volt\ng : siemens\nI : amp/second*second*second*siemens/siemens")
    pathway = Synapses(summed, summed, "x : siemens\ng_post = x : siemens (summed)")
    pathway.connect()
    checked(summed, pathway)


def test_what_python_code_may_compute_is_not_looked_at():
    group = cells("dv/dt = -v/tau : volt\ntau : second")

    @network_operation
    def settle():
        group.tau = 10 * ms

    checked(group, settle)


def test_what_is_switched_off_is_not_looked_at():
    group = cells("dv/dt = -v/tau : volt\ntau : second")
    group.active = False
    for each in group.contained_objects:
        each.active = False
    checked(group)


def test_what_cannot_be_resolved_is_left_to_brian2():
    checked(cells("dv/dt = -v/nowhere : volt"))
    checked(cells("dv/dt = -v/tau : volt"), tau=10 * mV)
    checked(NeuronGroup(1, "v : 1", threshold="v >", reset="v ="))


def test_usual_networks_pass_without_a_word(caplog):
    group = NeuronGroup(
        100,
        """dv/dt = (g_e + g_i - (v - v_l))/tau_m : volt (unless refractory)
        dg_e/dt = -g_e/tau_e : volt
        dg_i/dt = -g_i/tau_i : volt""",
        threshold="v > v_t",
        reset="v = v_r",
        refractory=5 * ms,
        method="exact",
    )
    excitatory = Synapses(group, group, "w : volt", on_pre="g_e += w", delay=1.5 * ms)
    excitatory.connect(i=np.arange(99), j=np.arange(1, 100))
    excitatory.w = 1 * mV
    empty = Synapses(group, group, on_pre="g_i -= 9*mV")
    empty.connect(condition="False")
    noise = PoissonInput(group, "g_e", 10, 10 * Hz, weight="2*mV")
    names = {"tau_m": 20 * ms, "tau_e": 5 * ms, "tau_i": 10 * ms, "v_l": -49 * mV, "v_t": -50 * mV, "v_r": -60 * mV}
    checked(group, excitatory, empty, noise, PoissonGroup(2, 1 / brian2.defaultclock.dt), **names)
    assert not words(caplog)


# Solutions


def test_equal_time_constants_are_refused_where_the_solution_divides_by_their_difference():
    group = NeuronGroup(1, "dv/dt = (g - v)/tau_m : 1\ndg/dt = -g/tau_s : 1", method="exact", name="cells")
    network = Network(group)
    names = {"tau_m": 5 * ms, "tau_s": 6 * ms}
    for tau_s, equal in ((6, False), (5, True)):
        names["tau_s"] = tau_s * ms
        network.run(0 * ms, namespace=names)
        if equal:
            with pytest.raises(InputError, match=r"cells: the solution for v divides by tau_\w - tau_\w, which is 0"):
                check_solution(network, names)
        else:
            check_solution(network, names)


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize(
    ("model", "constants", "other"),
    [
        # v: divides by tau_m - tau_s*int(not_refractory)
        ("dv/dt = (g - v)/tau_m : 1 (unless refractory)\ndg/dt = -g/tau_s : 1", {"tau_m": 5, "tau_s": 5}, "tau_s"),
        # 17 % of v are lost in ten steps
        ("dv/dt = (g - v)/tau_m : 1\ndg/dt = -g/tau_s : 1", {"tau_m": 5, "tau_s": 5 + 4e-15}, "tau_s"),
        # 1.3e-23 s**3
        (
            "dv/dt = (y - v)/tau_m : 1\ndy/dt = (g - y)/tau_y : 1\ndg/dt = -g/tau_s : 1",
            {"tau_m": 7, "tau_y": 3, "tau_s": 7},
            "tau_s",
        ),
        # C/g_l is tau_s, but for rounding
        ("dv/dt = g_l*(g - v)/tau_m : 1\ndg/dt = -g/tau_s : 1", {"tau_m": 0.7, "g_l": 0.1, "tau_s": 7}, "tau_s"),
    ],
)
def test_constants_that_are_equal_but_for_rounding_are_refused_too(model, constants, other, equal):
    if not equal:
        constants = {**constants, other: constants[other] * (1 + 1e-6)}
    names = {name: value if name == "g_l" else value * ms for name, value in constants.items()}
    group = NeuronGroup(1, model, threshold="v > 9", reset="v = 0", refractory=2 * ms, method="exact", name="cells")
    network = Network(group)
    network.run(0 * ms, namespace=names)
    if equal:
        with pytest.raises(InputError, match=r"cells: the solution for v divides by .*, which is 0 but for rounding"):
            check_solution(network, names)
    else:
        check_solution(network, names)


def test_one_name_for_equal_constants_and_infinite_ones_are_solved():
    for model in ("dv/dt = (g - v)/tau_m : 1\ndg/dt = -g/tau_m : 1", "dv/dt = (g - v)/tau_m : 1\ndg/dt = -g/tau_s : 1"):
        network = Network(NeuronGroup(1, model, method="exact"))
        names = {"tau_m": 5 * ms, "tau_s": INF * ms}
        network.run(0 * ms, namespace=names)
        check_solution(network, names)


@pytest.mark.parametrize("on_pre", ["x += 1", "x += 1/(tau_x - tau_x)*second"])
def test_event_driven_solutions_are_checked_and_code_is_not(on_pre):
    group = NeuronGroup(2, "v : 1", threshold="v > 1")
    model = "dx/dt = -x/tau_x : 1 (event-driven)\ndy/dt = (x - y)/tau_y : 1 (event-driven)"
    pathway = Synapses(group, group, model, on_pre=on_pre, name="pair")
    pathway.connect()
    network = Network(group, pathway)
    for tau_y, refused in ((5, True), (6, False)):
        names = {"tau_x": 5 * ms, "tau_y": tau_y * ms}
        network.run(0 * ms, namespace=names)
        with pytest.raises(InputError, match="pair: the solution for y") if refused else nullcontext():
            check_solution(network, names)


# During the run (B1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("at", [0, 1, 1023, 1024, 4999])
def test_the_first_number_that_is_not_finite_is_found(dtype, value, at):
    arrays = [np.full(5000, np.finfo(dtype).max, dtype) for _ in range(3)]
    assert first_nonfinite(arrays) is None
    arrays[1][at:] = value
    arrays[2][0] = value
    assert first_nonfinite(arrays) == (1, at)
    assert first_nonfinite([each.reshape(50, 100) for each in arrays]) == (1, at)
    assert first_nonfinite([each[::-1] for each in arrays[:2]]) == (1, 0)


def test_empty_and_whole_numbers_are_finite():
    assert first_nonfinite([np.zeros(0), np.arange(3), np.ones(2, bool)]) is None


def test_the_sentence_of_a_divergence_names_neuron_value_and_time():
    assert diverged("cells.v", 7, INF * volt, 0.012, 0.013).startswith(
        "cells.v: got inf V at index 7 between t = 12. ms and t = 13. ms; expected finite numbers; "
    )


# Texts (F1, F2)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9**9",
        "(9**16)**16",
        "((((x**4)**4)**4)**4)",
        "x**65",
        "x**-65",
        "x**(8*9)",
        "x**1e400",
        "1e400*x",
        "9" * 400,
        "x + " * 3000 + "x",
        "x+" * 2500 + "x",
        "-" * 70 + "x",
        "(" * 4000 + "x" + ")" * 4000,
        "-" * 9000 + "x",
        "x.__class__",
        "x[0]",
        "'text'",
        "f'{x}'",
        "lambda: x",
        "[x for x in y]",
        "(x, y)",
        "__import__('os')",
        "__name__",
        "f(a=1)",
        "f(*a)",
        "(x := 3)",
        "x if y else z",
        "1j*x",
        "x ^ 2",
        "x; y",
        "",
        "x +",
        "None",
    ],
)
def test_an_expression_that_is_no_arithmetic_or_costs_too_much_is_refused(text):
    with pytest.raises(InputError, match=r"^cells: got"):
        check_expression(text, "cells")


@pytest.mark.parametrize(
    "text",
    [
        "-v/(10*ms)",
        "v**64",
        "(v/K)**20",
        "v**-0.5",
        "x**(1/3)",
        "3**((T - 37)/10)",
        "(v**2)**4",
        "int(i == j) and not (v > 1)",
        "0.032*(mV**-1)*(15*mV - v + VT)/(exp((15*mV - v + VT)/(5*mV)) - 1)/ms*(1 - n) - 0.5*exp((10*mV - v)/mV)*n",
        "f() // 2 % 3",
        "+".join(["x*y"] * 60),
    ],
)
def test_an_expression_of_a_model_passes(text):
    assert check_expression(text)


def test_a_costly_threshold_is_refused_before_brian2_analyses_it():
    group = NeuronGroup(1, "v : 1", threshold="v > 9**9**9**9", reset="v = 0", name="cells")
    with pytest.raises(InputError, match=r"cells_spike_thresholder: got a power of"):
        checked(group)
    for code in ("v = 9**9**9**9", "v = 0; v += 9**9**9**9", "v = 0\nv = -(9**9**9**9)"):
        with pytest.raises(InputError, match="a power of"):
            check_code(code)


@given(
    st.sampled_from([-1, 1]), st.sampled_from(["v", "-v", "(a - v)", "(a + v)", "-(a - v)", "b*(a - v)", "w", "v*v"])
)
def test_a_decay_is_what_brings_the_state_down(sign, numerator):
    """The flag is the sign of the derivative of the right-hand side by the state, for positive names."""
    text = f"{'-' if sign < 0 else ''}{numerator}/tau + w/c"
    names = {"a": 1.0, "b": 2.0, "w": 3.0, "tau": 4.0, "c": 5.0}
    value = [eval(text, names | {"v": v}) for v in (1.0, 1.1)]  # noqa: S307
    found = Terms(check_expression(text), "v")
    assert [divisor.tree.id for divisor in found.divisors] == ["tau", "c"]
    assert [divisor.decay for divisor in found.divisors] == [value[1] < value[0], False]


def test_a_name_that_means_itself_ends():
    right = dict(statements("x = 2*x*x"))
    assert Terms(check_expression("x*w"), "x", right).factors
