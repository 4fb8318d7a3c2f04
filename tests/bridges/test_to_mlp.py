"""Layers learned without labels: as a perceptron they are what they were, and a few labels then go further."""

import numpy as np
import pytest
import torch

from bionet.bridges.to_mlp import to_mlp
from bionet.energy import DBN, RBM
from bionet.errors import InputError
from bionet.rate import MLP, RateClassifier, outputs

X = (np.arange(60).reshape(10, 6) % 7 < 3).astype(float)
LABELS = np.arange(10) % 7 % 2


@pytest.mark.parametrize(
    "machine", [RBM(4, n_iter=3), DBN((5, 4), n_iter=3), DBN((5, 4, 3), n_iter=3)], ids=["RBM", "DBN", "deeper"]
)
def test_hidden_layers_are_those_of_the_machine(machine):
    module = to_mlp(machine.fit(X), n_outputs=2, seed=1)
    hidden = torch.nn.Sequential(*list(module)[:-1])(torch.from_numpy(X.astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(hidden, machine.transform(X), atol=1e-6)
    assert module(torch.zeros(3, 6)).shape == (3, 2)


def test_hidden_units_of_two_signs_become_tanh():
    rbm = RBM(4, n_iter=3, hidden="spin").fit(X)
    hidden = torch.nn.Sequential(*list(to_mlp(rbm, 2))[:-1])(torch.from_numpy(X.astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(hidden, rbm.transform(X), atol=1e-6)


def test_backprop_goes_on_from_there_and_leaves_the_start_as_it_was():
    rbm = RBM(4, n_iter=3).fit(X)
    start = to_mlp(rbm, 2)
    before = outputs(start, X)
    learner = RateClassifier(n_epochs=1, batch_size=10, learning_rate=1e-7, weight_decay=0.0)
    np.testing.assert_allclose(learner.fit(X, LABELS, start=start).logits(X), before, atol=1e-4)
    learned = learner.set_params(n_epochs=200, learning_rate=0.05).fit(X, LABELS, start=start)
    assert learned.history_["loss"][-1] < learned.history_["loss"][0] / 2
    np.testing.assert_array_equal(outputs(start, X), before)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"to_mlp\.machine: got hidden units 'relu'; expected 'bernoulli' or 'spin'"):
        to_mlp(RBM(4, n_iter=1, hidden="relu").fit(X), 2)
    with pytest.raises(InputError, match=r"RateClassifier\.start: got 3 outputs; expected one for each of 2 classes"):
        RateClassifier().fit(X, LABELS, start=MLP((6, 4, 3)))
    with pytest.raises(InputError, match=r"RateClassifier\.start: it does not take 6 features"):
        RateClassifier().fit(X, LABELS, start=MLP((5, 4, 2)))
