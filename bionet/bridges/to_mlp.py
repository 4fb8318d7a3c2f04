"""From a Boltzmann machine that has learned without labels to a perceptron that goes on with a few of them."""

from __future__ import annotations

from bionet.energy import DBN, RBM
from bionet.errors import InputError, require

require("torch", "torch", "the bridge to a perceptron")

import torch  # noqa: E402

from bionet.rate.mlp import MLP  # noqa: E402

ACTIVATIONS = {"bernoulli": "sigmoid", "spin": "tanh"}
"""What the mean of a hidden unit is of its field."""


def to_mlp(machine: RBM | DBN, n_outputs: int, seed: int = 0) -> MLP:
    """Return a perceptron whose hidden layers are those of the machine, and whose output layer is drawn afresh [1]_.

    Parameters
    ----------
    machine : RBM or DBN
        Fitted; of an RBM, the hidden units are "bernoulli" or "spin". It is left as it is.
    n_outputs : int
        Such as classes.
    seed : int
        Of the output layer's weights.

    Raises
    ------
    InputError
        If the machine's hidden units have no counterpart.

    Notes
    -----
    Before it is trained on, the activations of its last hidden layer are ``machine.transform(X)``. Backprop goes on
    from there: ``RateClassifier(...).fit(X, y, start=to_mlp(machine, 10))``.

    References
    ----------
    .. [1] G. E. Hinton, R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313
       (2006).

    Examples
    --------
    >>> import numpy as np
    >>> to_mlp(RBM(3, n_iter=1).fit(np.eye(4)), n_outputs=2)(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    """
    kind = machine.hidden if isinstance(machine, RBM) else "bernoulli"
    if kind not in ACTIVATIONS:
        raise InputError(f"to_mlp.machine: got hidden units {kind!r}; expected {' or '.join(map(repr, ACTIVATIONS))}")
    layers = [(machine.weights_, machine.hidden_bias_)] if isinstance(machine, RBM) else machine.stack()
    sizes = len(layers[0][0]), *(len(bias) for _, bias in layers)
    module = MLP((*sizes, n_outputs), ACTIVATIONS[kind], seed)
    with torch.no_grad():
        for level, (weights, bias) in enumerate(layers, start=1):
            layer = module.get_submodule(f"hidden_{level}")
            layer.weight.copy_(torch.from_numpy(weights.T))
            layer.bias.copy_(torch.from_numpy(bias))
    return module
