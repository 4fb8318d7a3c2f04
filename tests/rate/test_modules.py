"""The modules against NumPy and SciPy, their seeds, their weights, and what a decision costs."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn

from bionet.errors import InputError
from bionet.random import Stream
from bionet.rate import CNN, MLP, count_hidden, multiply_accumulates, outputs, weights_of, with_weights

X = Stream(1, "tests/rate").uniform((4, 64))
ACTIVATION = {"relu": lambda a: np.maximum(a, 0), "tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a))}


@pytest.mark.parametrize("activation", ACTIVATION)
def test_mlp_is_its_equation(activation):
    module = MLP((64, 7, 5, 3), activation, seed=3).double()
    w1, w2, w3 = weights_of(module).values()
    f = ACTIVATION[activation]
    answered = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(answered, f(f(X @ w1) @ w2) @ w3, rtol=1e-12, atol=1e-14)


def test_cnn_is_scipys_correlation():
    """R1 of the oracles: a convolution layer equals SciPy's correlation to 1e-12."""
    module = CNN((8, 8), maps=(3, 2), seed=2).double()
    kernels_1, kernels_2, readout = weights_of(module).values()
    images = X.reshape(4, 1, 8, 8)
    for kernels in (kernels_1, kernels_2):
        n_pre, n_post = kernels.shape[:2]
        images = np.array(
            [
                [sum(correlate2d(each[i], kernels[i, o], mode="same") for i in range(n_pre)) for o in range(n_post)]
                for each in images
            ]
        ).clip(0)
    pooled = images.reshape(4, 2, 4, 2, 4, 2).mean(axis=(3, 5)).reshape(4, 32)
    answered = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(answered, pooled @ readout, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [MLP, CNN])
def test_the_seed_decides_and_the_global_generator_is_left_alone(kind):
    before = torch.get_rng_state()
    one, two, other = (weights_of(kind(seed=seed)) for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, two[name])
        assert not np.array_equal(weight, other[name])


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2 / 400), ("tanh", 1 / 400)])
def test_weights_start_with_the_variance_that_is_stated(activation, variance):
    """The variance of 160,000 normal numbers has a standard error of 0.35 %; 5 of them are allowed."""
    module = MLP((400, 400, 10), activation, seed=1)
    assert weights_of(module)["hidden_1"].var() == pytest.approx(variance, rel=0.018)
    assert not module.hidden_1.bias.detach().numpy().any()


def test_weights_are_pre_by_post_copies_and_can_be_replaced():
    module = MLP((64, 7, 3))
    weights = weights_of(module)
    assert {name: each.shape for name, each in weights.items()} == {"hidden_1": (64, 7), "output": (7, 3)}
    assert weights_of(CNN((8, 8), maps=(4, 6)))["conv_2"].shape == (4, 6, 3, 3)
    before = outputs(module, X)
    doubled = with_weights(module, {"output": 2 * weights["output"]})
    np.testing.assert_allclose(outputs(doubled, X), 2 * before, rtol=1e-6)
    weights["output"][:] = 0
    np.testing.assert_array_equal(outputs(module, X), before)


@pytest.mark.parametrize("module", [MLP((64, 9, 6, 3)), CNN((8, 8), maps=(3, 2))], ids=["mlp", "cnn"])
def test_silent_units_are_zero(module):
    """Silencing is what multiplying the outputs of the activations by 0 does, layer after layer."""
    n_hidden = count_hidden(module)
    assert n_hidden == (15 if isinstance(module, MLP) else 5 * 64)
    alive = Stream(4, "tests/alive").bernoulli(np.full(n_hidden, 0.6))
    values, first = torch.from_numpy(X.astype(np.float32)), 0
    for layer in module:
        values = layer(values)
        if isinstance(layer, nn.ReLU):
            here = values.detach().reshape(4, -1)
            mask = torch.from_numpy(alive[first : first + here.shape[1]])
            values, first = (here * mask).reshape(values.shape), first + here.shape[1]
    np.testing.assert_allclose(outputs(module, X, alive), values.detach().numpy(), atol=1e-6)
    assert not outputs(module, X, np.zeros(n_hidden, bool)).any()  # biases start at 0
    np.testing.assert_array_equal(outputs(module, X, np.ones(n_hidden, bool)), outputs(module, X))


def test_multiply_accumulates_of_a_cnn_by_hand():
    """A 3 x 3 kernel on 8 x 8 pixels has (8 + 7 + 7)**2 links: zeros of the border are not counted."""
    links = 22 * 22
    by_hand = 16 * links + 16 * 32 * links + 32 * 16 * 4 + 32 * 16 * 10
    assert multiply_accumulates(CNN((8, 8), maps=(16, 32))) == by_hand == 262_720


def test_multiply_accumulates_are_the_nonzero_derivatives_of_a_linear_layer():
    layer = nn.Sequential(nn.Unflatten(1, (2, 5, 7)), nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, groups=2))
    jacobian = torch.autograd.functional.jacobian(layer, torch.ones(1, 70))
    assert multiply_accumulates(layer, (70,)) == torch.count_nonzero(jacobian).item()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: MLP((64,)), r"MLP.layers: got \(64,\); expected 2 or more counts above 0"),
        (lambda: MLP((64, -1, 10)), "MLP.layers: got"),
        (lambda: MLP(activation="rely"), "MLP.activation: there is no 'rely'; did you mean 'relu'"),
        (lambda: CNN((8, 1)), r"CNN.shape: got \(8, 1\); expected a height and a width"),
        (lambda: CNN(maps=()), "CNN.maps: got"),
        (lambda: CNN(n_classes=2.5), "CNN.n_classes: got"),
        (lambda: with_weights(MLP(), {"ouput": np.zeros((100, 10))}), "no such layer; did you mean 'output'"),
        (lambda: with_weights(MLP(), {"output": np.zeros((10, 100))}), r"got shape \(10, 100\); expected \(100, 10\)"),
        (lambda: with_weights(MLP(), {"output": np.full((100, 10), np.nan)}), "weights.output: got nan in 1000 of"),
        (lambda: outputs(MLP(), X, np.ones(99, bool)), r"alive: got bool of shape \(99,\); expected bool of shape"),
        (lambda: outputs(MLP(), X, np.ones(100)), "alive: got float64"),
        (lambda: outputs(nn.Linear(64, 10), X), "module: got Linear; expected a torch.nn.Sequential"),
        (lambda: multiply_accumulates(nn.Sequential(nn.LSTM(64, 3))), "module.0: cannot count .* LSTM"),
    ],
)
def test_bad_input_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
