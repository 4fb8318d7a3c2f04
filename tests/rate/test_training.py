"""Backprop with scikit-learn's contract: what it learns, what it repeats, what it refuses."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from bionet import datasets
from bionet.errors import DataError, InputError
from bionet.random import Stream
from bionet.rate import MLP, RateClassifier, outputs, weights_of, with_weights
from bionet.rate.threads import one_thread


def digits(seed):
    X, y = load_digits(return_X_y=True)
    order = Stream(seed, "split").permutation(len(X))
    held_out, training = order[: len(X) // 5], order[len(X) // 5 :]
    return X[training] / 16, y[training], X[held_out] / 16, y[held_out]


@pytest.fixture(scope="module")
def trained():
    X, y, *_ = digits(0)
    return RateClassifier(hidden=(30,), n_epochs=5).fit(X, y), X, y


@pytest.mark.parametrize("seed", range(2))
def test_mlp_reads_digits(seed):
    """Computed: 98.05 % (sd .5) over 5 seeds."""
    X, y, X_test, y_test = digits(seed)
    assert RateClassifier(seed=seed).fit(X, y).score(X_test, y_test) > 0.96


def test_cnn_reads_digits():
    """Computed: 98.83 % (sd .4) over 5 seeds."""
    X, y, X_test, y_test = digits(0)
    assert RateClassifier("cnn", hidden=(16, 32)).fit(X, y).score(X_test, y_test) > 0.97


@pytest.mark.published
@pytest.mark.parametrize("seed", range(3))
def test_backprop_on_small_mnist(seed):
    """L1s of the oracles: 784-240-240-10, tanh, plain descent of rate 0.05; test error 7.5 to 9.5 %."""
    try:
        data = datasets.load("mnist_small")
    except DataError as error:
        pytest.skip(str(error))
    X, y = torch.from_numpy(data.X.values.astype(np.float32)), torch.from_numpy(data.y.values)
    module = MLP((784, 240, 240, 10), "tanh", seed)
    descent = torch.optim.SGD(module.parameters(), lr=0.05)
    with one_thread():
        for epoch in range(40):
            for batch in torch.from_numpy(Stream(seed, "tests/order").permutation(5000, epoch)).split(50):
                descent.zero_grad()
                torch.nn.functional.cross_entropy(module(X[batch]), y[batch]).backward()
                descent.step()
    wrong = outputs(module, X.numpy()).argmax(axis=1) != y.numpy()
    assert wrong[:5000].mean() < 0.01
    assert 0.075 <= wrong[5000:].mean() <= 0.095


def test_two_fits_are_equal_and_global_state_is_left_alone():
    X, y, *_ = digits(0)
    state = torch.get_rng_state()
    learner = RateClassifier(hidden=(20,), n_epochs=2, seed=3)
    one = learner.fit(X, y).logits(X)
    np.testing.assert_array_equal(one, learner.fit(X, y).logits(X))
    np.testing.assert_array_equal(one, clone(learner).fit(X, y).logits(X))
    assert not np.array_equal(one, clone(learner).set_params(seed=4).fit(X, y).logits(X))
    assert torch.equal(state, torch.get_rng_state())


def test_threads_change_nothing_and_are_left_alone():
    X, y, *_ = digits(0)
    before, answers = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            answers.append(RateClassifier("cnn", hidden=(4,), n_epochs=1).fit(X, y).logits(X))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


def test_history_has_an_entry_for_each_epoch(trained):
    learner, X, y = trained
    assert learner.history_["loss"].shape == learner.history_["accuracy"].shape == (5,)
    assert learner.history_["loss"][0] > learner.history_["loss"][-1] > 0
    assert learner.history_["accuracy"][-1] == pytest.approx(learner.score(X, y), abs=0.03)


def test_history_before_any_step_is_that_of_the_first_weights():
    """One epoch of one batch: its loss is the cross-entropy of the untrained network."""
    X, y, *_ = digits(0)
    learner = RateClassifier(hidden=(20,), n_epochs=1, batch_size=5000, seed=2).fit(X, y)
    z = outputs(MLP((64, 20, 10), seed=2), X).astype(np.float64)
    loss = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y])
    assert learner.history_["loss"][0] == pytest.approx(loss, rel=1e-5)


def test_labels_of_any_kind():
    X, y, X_test, _ = digits(0)
    names = np.array(["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    learner = RateClassifier(hidden=(20,), n_epochs=2)
    plain = learner.fit(X, y).predict_proba(X_test)
    assert np.allclose(plain.sum(axis=1), 1)
    named = learner.fit(X, names[y])
    assert named.classes_.tolist() == sorted(names)
    assert set(named.predict(X_test)) <= set(names)


def test_other_weights_and_silent_units_do_not_change_the_network(trained):
    learner, X, y = trained
    before = learner.predict(X)
    rounded = {name: np.round(weight, 1) for name, weight in learner.weights_.items()}
    np.testing.assert_array_equal(learner.logits(X, rounded), outputs(with_weights(learner.module_, rounded), X))
    alive = np.arange(30) % 2 == 0
    cut = {"output": learner.weights_["output"] * alive[:, None]}
    np.testing.assert_allclose(learner.logits(X, alive=alive), learner.logits(X, cut), atol=1e-5)
    assert (learner.predict(X, alive=np.zeros(30, dtype=bool)) == y).mean() < 0.2
    np.testing.assert_array_equal(learner.predict(X), before)
    assert weights_of(learner.module_).keys() == learner.weights_.keys()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "mpl"}, "RateClassifier.kind: there is no 'mpl'; did you mean 'mlp'"),
        ({"hidden": (0,)}, "RateClassifier.hidden: got"),
        ({"hidden": 30}, "RateClassifier.hidden: got 30"),
        ({"kind": "cnn", "hidden": ()}, "RateClassifier.hidden: got"),
        ({"activation": "softplus"}, "MLP.activation: there is no 'softplus'"),
        ({"n_epochs": 0}, "RateClassifier.n_epochs: got"),
        ({"batch_size": 2.5}, "RateClassifier.batch_size: got"),
        ({"learning_rate": -0.1}, "RateClassifier.learning_rate: got -0.1; expected a finite number above 0"),
        ({"learning_rate": float("inf")}, "RateClassifier.learning_rate: got inf"),
        ({"weight_decay": float("nan")}, "RateClassifier.weight_decay: got nan"),
        ({"learning_rate": 1e30, "n_epochs": 3}, "with which the loss became .* expected a smaller one"),
        ({"seed": "one"}, "Stream.seed: got 'one'"),
    ],
)
def test_bad_parameters_are_refused_by_name(changed, said):
    X, y, *_ = digits(0)
    with pytest.raises(InputError, match=said):
        RateClassifier(**changed).fit(X[:200], y[:200])


def test_bad_samples_are_refused(trained):
    learner, X, y = trained
    with pytest.raises(InputError, match=r"RateClassifier\.fit: .*NaN"):
        RateClassifier().fit(np.where(X > 0.9, np.nan, X), y)
    with pytest.raises(InputError, match=r"RateClassifier\.fit: .*inconsistent"):
        RateClassifier().fit(X, y[:-1])
    with pytest.raises(InputError, match="expects a square image"):
        RateClassifier("cnn").fit(X[:, :60], y)
    with pytest.raises(InputError, match=r"RateClassifier\.predict: .*63 features"):
        learner.predict(X[:, 1:])
