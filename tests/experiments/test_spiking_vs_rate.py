"""The first question: every contestant answers, every probe is filled in, every figure can be drawn."""

import numpy as np
import pytest
from matplotlib import pyplot

from bionet.compare.question import digits
from bionet.errors import InputError
from bionet.progress import Progress, Silence
from bionet.results import stack
from experiments import spiking_vs_rate as experiment

SMALL = experiment.Parameters(
    n_train=200, n_test=40, noise=(0.3,), lesion=(0.5,), bits=(2,), n_hidden=30, effort=0.2, duration=0.03
)


class Listener(Progress):
    """Keeps how many numbers each record held."""

    def __init__(self):
        self.known = []

    def __call__(self, items, label, total=None):
        return iter(items)

    def record(self, tree):
        self.known.append(int(tree["scores"]["accuracy"].notnull().sum()))


@pytest.fixture(scope="module")
def listener():
    return Listener()


@pytest.fixture(scope="module")
def tree(listener):
    return experiment.run(SMALL, 1, listener)


def test_every_contestant_stands_in_every_table(tree):
    scores = tree["scores"].to_dataset()
    assert list(scores["model"].values) == list(experiment.EXPECTED)
    for name in ("accuracy", "accuracy_noise", "accuracy_lesion", "accuracy_bits"):
        assert scores[name].notnull().all(), name
        assert ((scores[name] >= 0) & (scores[name] <= 1)).all(), name
    clocks = scores[["decision_s", "decision_sweep", "decision_layer"]].to_array()
    assert (clocks.notnull().sum("variable") == 1).all()
    assert (scores["energy"] > 0).all()
    assert (scores["energy_to_decision"] <= scores["energy"] * (1 + 1e-12)).all()


def test_what_is_known_is_recorded_after_each_contestant(tree, listener):
    assert listener.known == list(range(1, len(experiment.EXPECTED) + 1))


def test_the_networks_that_learn_are_far_above_chance_and_hebbs_rule_is_not(tree):
    # Chance is 10 %; 40 digits at 30 % or more have probability below 1e-3 by chance.
    accuracy = tree["scores"]["accuracy"].to_series()
    assert (accuracy.drop(["Hopfield, Hebb", "STDP"]) > 0.5).all()
    assert accuracy["STDP"] > 0.3
    assert accuracy["Hopfield, Hebb"] < 0.4


def test_the_spiking_twin_answers_nearly_as_its_origin(tree):
    accuracy = tree["scores"]["accuracy"].to_series()
    assert abs(accuracy["MLP"] - accuracy["MLP, spiking"]) <= 3 / 40


def test_every_figure_is_drawn_from_the_stacked_tree_of_several_seeds(tree):
    figures = experiment.figures(stack({1: tree, 2: experiment.run(SMALL, 2, Silence())}))
    assert len(figures) == 7
    for figure in figures.values():
        figure.canvas.draw()
    pyplot.close("all")


@pytest.fixture(scope="module")
def question():
    return digits(2, n_train=300, n_test=30)


@pytest.fixture(scope="module")
def contestants(question):
    return {each.name: each.fit(question, Silence()) for each in experiment.lineup(SMALL, 2)}


@pytest.mark.parametrize("name", experiment.EXPECTED)
def test_a_contestant_obeys_what_the_probes_rely_on(name, contestants, question):
    one, X = contestants[name], question.X_test
    plain = one.decide(X)
    assert plain.answers.shape == plain.events.shape == plain.multiply_accumulates.shape == (plain.times.size, len(X))
    assert (np.diff(plain.times) > 0).all()
    for work in (plain.events, plain.multiply_accumulates, *([] if plain.spikes is None else [plain.spikes])):
        assert (work >= 0).all()
        assert (np.diff(work, axis=0) >= 0).all()
    again = one.decide(X, weights=one.weights, alive=np.ones(one.n_units, dtype=bool))
    assert np.array_equal(plain.answers, again.answers)
    silent = {each: np.zeros_like(values) for each, values in one.weights.items()}
    assert np.unique(one.decide(X, weights=silent).labels).size == 1
    dead = one.decide(X, alive=np.zeros(one.n_units, dtype=bool))
    assert np.unique(dead.labels).size == 1
    for dataset in one.records(question).values():
        assert all({"units", "long_name"} <= each.attrs.keys() for each in dataset.variables.values())


def test_the_split_is_the_same_for_a_seed_and_another_for_another():
    first, again, other = digits(0), digits(0), digits(1)
    assert np.array_equal(first.X_test, again.X_test)
    assert not np.array_equal(first.X_test, other.X_test)
    assert len(first.X_test) + len(first.X_train) == 1797


def test_more_digits_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"digits.n_train: got 1500; expected 1 to 1437"):
        digits(0, n_train=1500)


@pytest.mark.published
def test_a_full_run_is_as_accurate_as_expected():
    tree = experiment.run(experiment.Parameters(noise=(0.3,), lesion=(0.5,), bits=(8,)), 0, Silence())
    for name, accuracy in tree["scores"]["accuracy"].to_series().items():
        low, high = experiment.EXPECTED[name][0]
        # One seed of 360 digits: three standard errors beside the range.
        slack = 3 * np.sqrt(0.98 * 0.02 / 360)
        assert low - slack <= accuracy <= high + slack, name
