"""A ReLU network as spikes: exact rounding first, then agreement as time grows, then what is refused."""

import numpy as np
import pytest
import torch
from brian2 import prefs, set_device
from brian2.devices import get_device, reset_device
from sklearn.datasets import load_digits
from torch import nn

from bionet.bridges import to_spiking as bridge
from bionet.bridges.integrate_and_fire import Layer, run_layers
from bionet.bridges.to_spiking import to_spiking
from bionet.errors import InputError
from bionet.random import Stream
from bionet.rate import CNN, MLP, RateClassifier, outputs

X = Stream(1, "tests/spiking").uniform((6, 64))


def spikes_of_drive(drive, n_steps):
    """Spikes of one neuron for each constant drive, counted by an output that sums them with weight 1."""
    neurons = Layer(np.zeros((1, drive.size)), drive, np.zeros((1, drive.size), bool))
    counters = Layer(np.eye(drive.size), np.zeros(drive.size), np.eye(drive.size, dtype=bool))
    alive = np.ones(drive.size, dtype=bool)
    return run_layers([neurons, counters], np.zeros((1, 1)), alive, n_steps, 0.001).potential[:, 0]


@pytest.mark.parametrize("drive", [np.arange(-32, 97) / 64, Stream(2, "tests/drive").uniform(500) * 1.5 - 0.25])
def test_a_layer_is_a_relu_clipped_and_rounded(drive):
    """B1 of the oracles: floor(T x + 1/2) spikes at every T, so the rate errs by at most 1 / (2 T)."""
    counted = spikes_of_drive(drive, 60)
    steps = np.arange(1, 61)[:, None]
    np.testing.assert_array_equal(counted, np.clip(np.floor(steps * drive + 0.5), 0, steps))
    assert np.all(np.abs(counted / steps - drive.clip(0, 1)) <= 1 / (2 * steps) + 1e-12)


@pytest.mark.parametrize("n_steps", [10, 50, 200])
def test_outputs_err_by_no_more_than_the_rounding(n_steps):
    """With no activation clipped, |v / T - z| <= scale / (2 T) sum |W| for one hidden layer; biases are in it."""
    module = MLP((64, 40, 10), seed=1)
    with torch.no_grad():
        module.hidden_1.bias.copy_(torch.from_numpy(0.3 * Stream(3, "tests/bias").normal(40)))
        module.output.bias.copy_(torch.from_numpy(Stream(4, "tests/bias").normal(10)))
    network = to_spiking(module, X, percentile=100)
    answered = network.respond(X, duration=n_steps * 0.001).potential[-1] / n_steps
    bound = network.scales_["hidden_1"] / (2 * n_steps) * np.abs(network.weights_["output"]).sum(axis=0)
    assert np.all(np.abs(answered - outputs(module, X)) <= bound + 1e-5)


@pytest.mark.parametrize("module", [MLP((64, 30, 20, 10), seed=2), CNN((8, 8), (3, 4), seed=2)], ids=["mlp", "cnn"])
def test_deeper_networks_tend_to_the_trained_outputs(module):
    network = to_spiking(module, X, percentile=100)
    z = outputs(module, X)
    response = network.respond(X, duration=1.0)
    error = [np.abs(response.potential[t - 1] / t - z).max() / np.abs(z).max() for t in (10, 100, 1000)]
    assert error[0] > error[1] > error[2]
    assert error[2] < 0.02


@pytest.mark.parametrize("module", [MLP((64, 30, 20, 10), seed=2), CNN((8, 8), (3, 4), seed=2)], ids=["mlp", "cnn"])
def test_damage_and_other_weights_are_those_of_the_trained_network(module):
    network = to_spiking(module, X, percentile=100)
    alive = Stream(5, "tests/alive").bernoulli(np.full(network.n_hidden_, 0.7))
    z = outputs(module, X, alive)
    answered = network.respond(X[:2], duration=1.0, alive=alive).potential[-1] / 1000
    np.testing.assert_allclose(answered, z[:2], atol=0.03 * np.abs(z).max())
    halved = {"output": network.weights_["output"] / 2}
    whole, half = (network.respond(X[:2], weights=each).potential for each in (None, halved))
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6, atol=1e-12)  # biases are 0
    assert not network.respond(X, alive=np.zeros(network.n_hidden_, dtype=bool)).events.any()


def digits(seed):
    X, y = load_digits(return_X_y=True)
    order = Stream(seed, "split").permutation(len(X))
    held_out, training = order[: len(X) // 5], order[len(X) // 5 :]
    return X[training] / 16, y[training], X[held_out] / 16, y[held_out]


@pytest.mark.parametrize("seed", range(2))
def test_digits_are_read_as_well_as_by_the_trained_network(seed):
    """As B2 of the oracles: at most 0.5 points are lost with the robust scale, and the loss falls with time."""
    X_train, y_train, X_test, y_test = digits(seed)
    trained = RateClassifier(seed=seed).fit(X_train, y_train)
    for percentile in (99.9, 100.0):
        response = to_spiking(trained.module_, X_train, percentile).respond(X_test, duration=0.1)
        assert (response.decision[-1] == y_test).mean() >= trained.score(X_test, y_test) - 0.005
        disagree = (response.decision != trained.predict(X_test)).mean(axis=1)
        assert disagree[0] > disagree[9] >= disagree[99]
        np.testing.assert_array_equal(
            response.decision[response.decided, np.arange(len(y_test))], response.decision[-1]
        )


def test_spikes_and_events_are_counted():
    network = to_spiking(MLP((64, 30, 20, 10), seed=2), X)
    response = network.respond(X, duration=0.05, record=True)
    assert response.potential.shape == (50, 6, 10)
    np.testing.assert_allclose(response.times, np.arange(1, 51) / 1000)
    assert np.all(np.diff(response.t) >= 0)
    assert set(np.unique(response.i)) <= set(range(50))
    reached = np.where(response.i < 30, 20, 10)
    for sample in range(6):
        own = response.sample == sample
        events = [reached[own & (response.t <= time + 1e-9)].sum() for time in response.times]
        np.testing.assert_array_equal(response.events[:, sample], events)
        assert response.spike_counts[-1, sample] == own.sum()
    assert response.updates == 50 * (30 + 20 + 10)
    assert response.input_macs == 64 * 30
    assert network.respond(X, duration=0.05).t is None


def test_a_silenced_receiver_is_still_reached_and_counts_nothing_itself():
    network = to_spiking(MLP((64, 30, 20, 10), seed=2), X)
    whole, cut = (network.respond(X, alive=np.arange(50) < n) for n in (50, 30))
    np.testing.assert_array_equal(cut.events, 20 * cut.spike_counts)
    assert np.all(cut.events[-1] < whole.events[-1])


def test_lots_do_not_change_what_a_sample_does(monkeypatch):
    network = to_spiking(MLP((64, 30, 20, 10), seed=2), X)
    together = network.respond(X, duration=0.03, record=True)
    monkeypatch.setattr(bridge, "MOST_SYNAPSES", 1700)
    apart = network.respond(X, duration=0.03, record=True)
    for name in ("potential", "events", "spike_counts", "t", "i", "sample"):
        np.testing.assert_allclose(getattr(apart, name), getattr(together, name), rtol=1e-12, atol=1e-12)


def test_decided_is_the_last_change_of_mind():
    potential = np.zeros((4, 3, 2))
    potential[:, 0, 1] = [1, 1, 1, 1]
    potential[:, 1, 1] = [1, 0, 1, 1]
    potential[:, 2, 1] = [1, 0, 1, 0]
    counts = np.zeros((4, 3), dtype=int)
    assert bridge.Response(np.arange(1, 5) / 1e3, potential, counts, counts, 0, 0).decided.tolist() == [0, 2, 3]


def test_the_network_is_a_copy():
    module = MLP((64, 30, 10))
    network = to_spiking(module, X)
    before = network.respond(X, duration=0.01).potential
    with torch.no_grad():
        module.output.weight.zero_()
    np.testing.assert_array_equal(network.respond(X, duration=0.01).potential, before)


def test_brian_is_quiet_and_its_settings_come_back(capfd):
    set_device("cpp_standalone", build_on_run=False)
    target = prefs.codegen.target
    try:
        device = get_device()
        to_spiking(MLP((64, 30, 10)), X).respond(X, duration=0.01)
        assert get_device() is device
        assert prefs.codegen.target == target
    finally:
        reset_device()
    assert capfd.readouterr() == ("", "")


def sequence(*middle):
    return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 2, 3), *middle, nn.Flatten(), nn.Linear(72, 10))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (MLP((64, 5, 3), "tanh"), "module.activation_1: a Tanh cannot be carried over to spikes; expected ReLU"),
        (MLP((64, 5, 3), "sigmoid"), "module.activation_1: a Sigmoid cannot"),
        (sequence(nn.BatchNorm2d(2), nn.ReLU()), "module.2: a BatchNorm2d cannot .* folded into the layer before"),
        (sequence(nn.ReLU(), nn.MaxPool2d(1)), r"module.3: a MaxPool2d cannot .* AvgPool2d\(2\)"),
        (sequence(nn.ReLU(), nn.Dropout()), "module.3: a Dropout cannot .* expected linear layers, average pooling"),
        (sequence(nn.ReLU(), nn.ReLU()), "module.3: this ReLU follows no weights"),
        (nn.Sequential(nn.Linear(64, 10), nn.ReLU()), "the last layer is no linear one"),
        (nn.Linear(64, 10), "module: got Linear; expected a torch.nn.Sequential"),
        (MLP((63, 5, 3)), "module.hidden_1: does not fit what reaches it"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_layer(module, said):
    with pytest.raises(InputError, match=said):
        to_spiking(module, X)


def test_weights_that_are_not_finite_are_refused():
    module = MLP((64, 5, 3))
    with torch.no_grad():
        module.output.weight[1, 2] = float("nan")
    with pytest.raises(InputError, match=r"module.output: got nan in 1 of 15 places"):
        to_spiking(module, X)
    network = to_spiking(MLP((64, 5, 3)), X)
    with pytest.raises(InputError, match=r"weights.output: got inf in 15 of 15 places"):
        network.respond(X, weights={"output": np.full((5, 3), np.inf)})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"X": 2 * X}, r"X: got values from .* expected 0 to 1"),
        ({"X": X - 1}, r"X: got values from -"),
        ({"X": np.where(X > 0.9, np.nan, X)}, "X: got nan"),
        ({"X": X[:, 1:]}, r"X: got shape \(6, 63\); expected \(n_samples, 64\)"),
        ({"X": X[0]}, "X: got shape"),
        ({"duration": 0.0}, "SpikingNetwork.duration: got 0.0; expected a time above 0 in seconds"),
        ({"duration": 1e-4}, "SpikingNetwork.duration: got 0.0001 s; expected one step"),
        ({"dt": float("nan")}, "SpikingNetwork.dt: got nan"),
        ({"alive": np.ones(4, dtype=bool)}, r"alive: got bool of shape \(4,\); expected bool of shape \(5,\)"),
        ({"weights": {"hidden": np.zeros((64, 5))}}, "weights.hidden: there is no such layer; did you mean 'hidden_1'"),
    ],
)
def test_bad_arguments_are_refused(changed, said):
    network = to_spiking(MLP((64, 5, 3)), X)
    with pytest.raises(InputError, match=said):
        network.respond(**{"X": X, "duration": 0.01, **changed})


@pytest.mark.parametrize("percentile", [0, 101, float("nan"), "all"])
def test_a_bad_percentile_is_refused(percentile):
    with pytest.raises(InputError, match=r"to_spiking.percentile: got"):
        to_spiking(MLP((64, 5, 3)), X, percentile)


def test_training_data_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"X: got values from .* expected 0 to 1"):
        to_spiking(MLP((64, 5, 3)), 16 * X)
