"""Functions of the user: in the loop where their value depends on their arguments alone, else as Brian2 has it."""

import brian2 as b2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, check_units, clip, exp, implementation, ms, mV, prefs, second, volt

from bionet.errors import InputError
from bionet.spiking import explain
from bionet.spiking.explanation import IN_THE_LOOP
from bionet.spiking.plain import is_pure, never_returns, plain_function

FACTOR = 3
STEP = 2 * mV
KNOWN = [1.0, 2.0]


@pytest.fixture(autouse=True)
def _target():
    target = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = target
    b2.set_device("runtime")
    b2.start_scope()


@check_units(x=1, result=1)
def curve(x):
    return FACTOR * exp(-(x**2)) + np.sqrt(abs(x)) + clip(x, 0, 1) + np.sin(x)


@check_units(v=volt, result=volt)
def shifted(v):
    return 0.5 * v + STEP


@check_units(x=1, result=bool)
def is_large(x):
    return x > 0.5


@check_units(x=1, result=1)
def through_another(x):
    return 2 * curve(x)


def piecewise(x):
    return np.where(x > 0, 1.0, 0.0)


def state(device, equations, function, **options):
    """Return v after 5 ms, and the explanation if the device has one."""
    b2.set_device(device)
    group = NeuronGroup(4, equations, namespace={function.__name__: function}, **options)
    group.v = [0.1, 0.4, 0.6, 2.0] * (volt if "volt" in equations else 1)
    network = Network(group)
    network.run(5 * ms)
    return np.array(group.v), explain(network) if device == "bionet" else None


@pytest.mark.parametrize(
    ("function", "equations"),
    [
        (curve, "dv/dt = (curve(v) - v)/(10*ms) : 1"),
        (shifted, "dv/dt = (shifted(v) - v)/(10*ms) : volt"),
        (is_large, "dv/dt = (2*int(is_large(v)) - v)/(10*ms) : 1"),
        (through_another, "dv/dt = (through_another(v) - v)/(10*ms) : 1"),
    ],
    ids=["curve", "units", "truth", "through another"],
)
def test_functions_of_numbers_run_in_the_loop_and_agree_with_brian2(function, equations):
    expected, _ = state("runtime", equations, function, method="euler")
    found, explained = state("bionet", equations, function, method="euler")
    assert {each.place for each in explained.steps} == {IN_THE_LOOP}
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def drawn(x):
    return x * np.random.rand()  # noqa: NPY002


def remembered(x):
    KNOWN.append(x)
    return x


def imported(x):
    import random

    return x * random.random()


def counted():
    count = 0

    def count_up(x):
        nonlocal count
        count += 1
        return x + count

    return count_up


def test_what_draws_or_remembers_is_not_pure():
    for function in (drawn, remembered, imported, counted(), lambda x: KNOWN[0] * x, lambda x: input()):
        assert not is_pure(function), function
    for function in (curve._orig_func, shifted._orig_func, is_large._orig_func, through_another._orig_func, piecewise):
        assert is_pure(function), function


def test_what_draws_runs_outside_and_says_why():
    function = check_units(x=1, result=1)(drawn)
    group = NeuronGroup(2, "dv/dt = draw(v)/second : 1", method="euler", namespace={"draw": function}, name="cells")
    b2.set_device("bionet")
    (step,) = explain(Network(group)).steps
    assert (step.place, step.remark) == (
        "Brian2 (numpy)",
        "the function 'draw' may draw random numbers or keep a state of its own",
    )


def test_a_function_is_compiled_once_for_the_same_values():
    def scaled(factor):
        return lambda x: factor * x

    assert plain_function(scaled(2.0)) is plain_function(scaled(2.0))
    assert plain_function(scaled(2.0)) is not plain_function(scaled(3.0))
    assert plain_function(scaled(3.0))(2.0) == 6.0


def test_what_gives_no_number_for_a_number_is_not_compiled():
    assert plain_function(lambda x: np.array([x, x])) is None
    assert plain_function(lambda x: {1.0: 2.0}.get(x, x)) is None


# Functions whose code is for a compiler


def compiled_only(language, code):
    @implementation(language, code)
    @check_units(x=1, result=1)
    def twice(x):
        raise NotImplementedError(f"use {language}")

    return twice


def does_nothing(x):
    """Say so."""


def returns_nothing_or_something(x):
    if x > 0:
        return None
    return x


def test_functions_that_only_raise_or_do_nothing_never_return():
    assert never_returns(compiled_only("cpp", "").pyfunc._orig_func)
    assert never_returns(does_nothing)
    assert never_returns(None)
    assert not any(map(never_returns, (curve._orig_func, returns_nothing_or_something, lambda x: 0, np.sin)))


@pytest.mark.parametrize("python", ["raises", "nothing", "none"])
def test_a_function_with_cpp_code_alone_is_refused_and_said(python):
    twice = compiled_only("cpp", "double twice(double x) { return 2*x; }")
    if python != "raises":
        twice = b2.Function(does_nothing if python == "nothing" else None, arg_units=[1], return_unit=1)
        twice.implementations.add_implementation("cpp", "double twice(double x) { return 2*x; }")
    b2.set_device("bionet")
    group = NeuronGroup(2, "dv/dt = twice(v)/second : 1", method="euler", name="cells", namespace={"twice": twice})
    with pytest.raises(InputError, match="cells: the function 'twice' has only cpp code; expected Python or Cython"):
        Network(group).run(1 * ms)


def test_a_function_with_cpp_code_and_code_for_numpy_runs_by_numpy():
    twice = compiled_only("cpp", "double twice(double x) { return 2*x; }")
    twice.implementations.add_implementation("numpy", np.vectorize({1.0: 2.0}.get))
    b2.set_device("bionet")
    group = NeuronGroup(2, "v : 1", name="cells", namespace={"twice": twice})
    group.run_regularly("v = twice(v)")
    group.v = 1
    network = Network(group)
    network.run(0.1 * ms)
    assert group.v[:].tolist() == [2.0, 2.0]
    assert {each.place for each in explain(network).steps} >= {"Brian2 (numpy)"}


def test_a_function_with_cython_code_alone_runs_outside_and_says_why():
    pytest.importorskip("Cython")
    twice = compiled_only("cython", "cdef double twice(double x):\n    return 2*x")
    b2.set_device("bionet")
    group = NeuronGroup(
        2,
        "dv/dt = twice(v)/second : 1",
        threshold="v > 100",
        reset="v = 0",
        method="euler",
        name="cells",
        namespace={"twice": twice},
    )
    group.v = 1
    network = Network(group)
    steps = {each.name: (each.place, each.remark) for each in explain(network).steps}
    assert steps["cells_stateupdater"] == ("Brian2 (cython)", "the function 'twice' has only cython code")
    assert steps["cells_spike_thresholder"] == (IN_THE_LOOP, "")
    network.run(0.2 * ms)
    np.testing.assert_allclose(group.v, (1 + 2 * float(0.1 * ms / second)) ** 2, rtol=1e-14)


def test_a_function_that_only_raises_raises_as_with_brian2():
    @check_units(x=1, result=1)
    def wrong(x):
        raise ValueError("as it says")

    b2.set_device("bionet")
    group = NeuronGroup(2, "dv/dt = wrong(v)/second : 1", method="euler", namespace={"wrong": wrong})
    with pytest.raises(b2.BrianObjectException) as error:
        Network(group).run(1 * ms)
    assert "as it says" in str(error.value.__cause__)
