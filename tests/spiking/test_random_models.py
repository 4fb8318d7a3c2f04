"""Random Brian2 models give the same spikes, rates and states as on Brian2's numpy target.

A failure prints the model as a script: put ``import bionet.spiking; set_device("bionet")`` behind its first line, or
``prefs.codegen.target = "numpy"``, and it runs by itself.
"""

from functools import cache

import numpy as np
import pytest
from brian2 import Network

from tests.spiking.agreement import ROUNDING, Outcome, differences, run_on
from tests.spiking.random_scripts import FEATURES, write

# Between them these show every feature (a test says so), in the least text: few models, much ground.
FEW = (206, 8, 87, 103, 111, 147, 225, 258, 260)
MANY = range(300)


def build(text: str) -> Network:
    """Execute a script and return its network, which has been run."""
    names: dict = {}
    exec(compile(text, "<script>", "exec"), names)
    return names["net"]


@cache
def reference(seed: int) -> Outcome:
    # What cells would be that stand still, refractory, is computed too, and may be 0/0; it is not kept.
    with np.errstate(invalid="ignore"):
        return run_on("numpy", lambda: build(write(seed).text))


def spikes(outcome: Outcome) -> int:
    """Count the spikes of neurons."""
    counted = [values for name, values in outcome.items() if name.startswith("spikes_") and name != "spikes_inputs"]
    return int(sum(values["count"].sum() for values in counted))


def agrees(seed: int) -> None:
    script = write(seed)
    text, expected = script.text, reference(seed)
    # The upstroke of a Hodgkin-Huxley neuron multiplies a difference in the last place by up to 1e4.
    rounding = 1e-10 if "hodgkin_huxley" in script.features else ROUNDING
    try:
        found = differences(expected, run_on("bionet", lambda: build(text)), rounding)
    except Exception as error:
        error.add_note(f"in the model of seed {seed}:\n\n{text}")
        raise
    if found:
        pytest.fail("\n".join([f"the model of seed {seed}:", *found, "", text]), pytrace=False)


@pytest.mark.parametrize("seed", FEW)
def test_model_is_as_in_brian2(seed):
    agrees(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_one_of_many_models_is_as_in_brian2(seed):
    agrees(seed)


def test_few_models_show_every_feature():
    assert set().union(*(write(seed).features for seed in FEW)) == FEATURES


@pytest.mark.slow
def test_most_of_the_models_fire():
    firing = [seed for seed in MANY if spikes(reference(seed))]
    assert len(firing) >= 0.8 * len(MANY)


def test_a_seed_is_one_model():
    assert write(5) == write(5)
    assert write(5).text != write(6).text


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("net.run(", "A.v[0] *= 1 + 1e-9\nnet.run("),
        ("name='spikes_A'", "when='start', name='spikes_A'"),
    ],
)
def test_a_small_difference_is_found(line, changed):
    text = write(FEW[0]).text
    assert line in text
    assert differences(reference(FEW[0]), run_on("numpy", lambda: build(text.replace(line, changed))))


def test_two_runs_of_one_script_are_alike():
    assert differences(reference(FEW[0]), run_on("numpy", lambda: build(write(FEW[0]).text))) == []


def test_differences_names_the_first_event_that_differs():
    one = {"spikes": {"i": np.array([0, 1]), "t": np.array([1e-3, 2e-3]), "count": np.array([1, 1])}}
    two = {"spikes": {"i": np.array([0, 1]), "t": np.array([1e-3, 2.1e-3]), "count": np.array([1, 1])}}
    assert differences(one, two)[0] == "spikes: 2 events, got 2; number 1 is (2 ms, 1), got (2.1 ms, 1)"
    assert differences(one, one) == []
