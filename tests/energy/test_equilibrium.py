"""Equilibrium propagation against central differences, and on real digits."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.datasets import load, split
from bionet.energy import EquilibriumPropagation
from bionet.errors import BionetError, InputError
from bionet.random import Stream

EXACT = {"n_steps": 5000, "tol": 1e-15}


def small(activation="tanh", nudging="symmetric", beta=0.1):
    """5 inputs, 8 hidden units, 3 outputs, weights of standard deviation 0.3 and 0.2; two samples and their targets."""
    draws = Stream(0, "test/equilibrium")
    net = EquilibriumPropagation((8,), activation, nudging, beta)
    net.weights_ = [0.3 * draws.normal((5, 8), 0), 0.2 * draws.normal((8, 3), 1)]
    net.biases_ = [0.3 + 0.1 * draws.normal(8, 2), 0.1 * draws.normal(3, 3)]
    return net, draws.normal((2, 5), 4), draws.uniform((2, 3), 5)


def cost(net, X, target):
    return 0.5 * ((net.settle(X, **EXACT)[-1] - target) ** 2).sum() / len(X)


def slopes(net, X, target, step=1e-5):
    """Return minus the derivatives of the cost by central differences, all weights in a row."""
    found = []
    for array in (*net.weights_, *net.biases_):
        for place in np.ndindex(array.shape):
            before, ends = array[place], []
            for shift in (step, -step):
                array[place] = before + shift
                ends.append(cost(net, X, target))
            array[place] = before
            found.append((ends[1] - ends[0]) / (2 * step))
    return np.array(found)


def flat(gradient):
    return np.concatenate([each.ravel() for part in gradient for each in part])


def estimate(net, X, target):
    return flat(net.gradient(X, target, net.settle(X, **EXACT), **EXACT))


@pytest.fixture(scope="module")
def exact():
    return slopes(*small())


@pytest.mark.parametrize(("nudging", "slope"), [("one-sided", 1.0), ("symmetric", 2.0)])
def test_the_nudge_errs_by_its_size_or_by_its_square(nudging, slope, exact):
    errors = []
    for beta in (0.03, 0.003, 0.0003):
        net, X, target = small(nudging=nudging, beta=beta)
        errors.append(np.linalg.norm(estimate(net, X, target) - exact) / np.linalg.norm(exact))
    found = np.diff(np.log10(errors))
    np.testing.assert_allclose(found, [-slope, -slope], atol=0.05)
    assert errors[0] < 0.2


def test_hard_sigmoid_has_the_same_gradient():
    net, X, target = small("hard sigmoid", beta=1e-4)
    np.testing.assert_allclose(estimate(net, X, target), slopes(net, X, target), atol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "hard sigmoid"])
def test_settling_lowers_the_energy(activation):
    net, X, _ = small(activation)
    states = [np.zeros((2, 8)), np.zeros((2, 3))]
    energies = []
    for _ in range(600):
        energies.append(net.energy(X, states))
        states = net.settle(X, start=states, n_steps=1)
    assert (np.diff(energies, axis=0) < 1e-13).all()
    pull = X @ net.weights_[0] + net.biases_[0] + states[1] @ net.weights_[1].T
    if activation == "hard sigmoid":
        np.testing.assert_allclose(states[0], np.clip(pull, 0, 1), atol=1e-9)
    else:
        np.testing.assert_allclose(states[0], pull / np.cosh(states[0]) ** 2, atol=1e-9)


def test_contrastive_learning_is_the_limit_of_a_strong_nudge():
    """At infinite beta the outputs are held; the products differ as if beta times the estimate were taken."""
    net, X, target = small(nudging="contrastive")
    held = estimate(net, X, target)
    strong, _, _ = small(nudging="one-sided", beta=1e6)
    strong.step = 1e-6
    free = net.settle(X, **EXACT)
    near = strong.settle(X, target, 1e6, free, 3)
    np.testing.assert_allclose(near[-1], target, atol=1e-5)
    net_near = net.settle(X, target, np.inf, free, **EXACT)
    np.testing.assert_array_equal(net_near[-1], target)
    assert (held[-3:] * (target - free[-1]).mean(axis=0) > 0).all()


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    X, y = data["X"].values, data["y"].values
    train, test = split(y, 0.2, seed=0)
    return X[train], y[train], X[test], y[test]


@pytest.mark.parametrize("nudging", ["symmetric", "contrastive"])
def test_digits_are_learnt(nudging, digits):
    """An MLP with backprop reaches 97 to 98 %; 360 digits are held out, so a standard error is 1 %."""
    net = EquilibriumPropagation(nudging=nudging, n_epochs=15).fit(digits[0], digits[1])
    assert net.score(digits[2], digits[3]) > 0.93
    assert net.history_["cost"][-1] < 0.3 * net.history_["cost"][0]


@pytest.mark.slow
def test_digits_are_learnt_as_well_as_by_other_rules(digits):
    assert EquilibriumPropagation().fit(digits[0], digits[1]).score(digits[2], digits[3]) > 0.95


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: EquilibriumPropagation((0,)), InputError, "EquilibriumPropagation.hidden: got 0"),
        (
            lambda: EquilibriumPropagation(activation="relu"),
            InputError,
            "EquilibriumPropagation.activation: got 'relu'",
        ),
        (lambda: EquilibriumPropagation(nudging="both"), InputError, "EquilibriumPropagation.nudging: got 'both'"),
        (lambda: EquilibriumPropagation(beta=-1.0), InputError, "EquilibriumPropagation.beta: got -1.0"),
        (lambda: EquilibriumPropagation(learning_rate=1e4), BionetError, "the weights diverged in epoch"),
    ],
)
def test_bad_input_is_one_sentence(act, error, message):
    with pytest.raises(error, match=message):
        act().fit(np.eye(4) + 0.5, [0, 1, 0, 1])


def test_one_class_is_refused():
    with pytest.raises(InputError, match=r"EquilibriumPropagation.y: got one class"):
        EquilibriumPropagation().fit(np.eye(3), [1, 1, 1])


@parametrize_with_checks([EquilibriumPropagation((10,), n_epochs=15, n_steps=10)])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
