"""What 1024 hidden units that have seen MNIST without its labels are worth to those who then get a few of them."""

from functools import cache

import numpy as np
import pytest
import torch

from bionet.bridges.to_mlp import to_mlp
from bionet.datasets import load
from bionet.energy import RBM
from bionet.random import Stream
from bionet.rate import MLP, outputs
from bionet.rate.threads import one_thread

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

N_TRAIN = 55_000


@cache
def digits():
    """Return pictures, grey levels from 0 to 1, and labels: of the training set, and of the test set."""
    data = load("mnist")
    X, y, part = data["X"].values, data["y"].values.astype(np.int64), data["split"].values == "test"
    return X[~part], y[~part], X[part], y[part]


@cache
def machine():
    """Return 784-1024 units that have seen 55,000 pictures six times; not centred, few of them are active at once."""
    rbm = RBM(
        1024,
        learning_rate=0.05,
        rate_decay=None,
        batch_size=20,
        n_iter=6,
        centered=False,
        momentum=0.9,
        weight_decay=1e-5,
        dtype="float32",
    )
    return rbm.fit(digits()[0][:N_TRAIN])


def share_of_right_answers(module, rows, n_epochs, hidden_rate):
    """Train with the labels of these pictures, the hidden layer at its own rate, and read the test set."""
    X, y, X_test, y_test = digits()
    pictures, labels, order = torch.from_numpy(X[rows]), torch.from_numpy(y[rows]), Stream(0, "test/order")
    hidden = {"params": module.hidden_1.parameters(), "lr": hidden_rate}
    adam = torch.optim.Adam([hidden, {"params": module.output.parameters()}], lr=1e-3)
    with one_thread():
        for epoch in range(n_epochs):
            for batch in torch.from_numpy(order.permutation(len(rows), epoch)).split(32):
                adam.zero_grad()
                torch.nn.functional.cross_entropy(module(pictures[batch]), labels[batch]).backward()
                adam.step()
    return (outputs(module, X_test).argmax(axis=1) == y_test).mean()


@pytest.mark.parametrize(
    ("n_labels", "n_epochs", "published"), [(900, 40, (0.9365, 0.8871)), (90, 100, (0.8170, 0.7602))]
)
def test_few_labels_go_further_with_a_machine_that_has_seen_pictures(n_labels, n_epochs, published):
    """Oracle G10: 784-1024-10 units from an RBM's weights, and from random ones; a gain of 3 points or more.

    The published machine learned for 120 passes; its hidden layer too was fine-tuned at a hundredth of the rate.
    Found: 93.97 against 88.34 % with 900 labels, 78.3 against 72.2 % with 90, whose choice alone moves it by 2 points.
    """
    found = []
    for seed in range(3):
        rows = Stream(seed, "test/labels").permutation(N_TRAIN)[:n_labels]
        drawn = MLP((784, 1024, 10), "sigmoid", seed)
        starts = (to_mlp(machine(), 10, seed), 1e-5), (drawn, 1e-3)
        found.append([share_of_right_answers(module, rows, n_epochs, rate) for module, rate in starts])
    learned, random = np.mean(found, axis=0)
    assert learned > random + 0.03
    np.testing.assert_allclose([learned, random], published, atol=0.01 if n_labels > 100 else 0.06)
