"""The multilayer perceptron."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from math import sqrt

from torch import nn
from torch.nn.utils import skip_init

from bionet.random import Stream
from bionet.rate.weights import activation_named, draw_weights, layer_sizes


class MLP(nn.Sequential):
    """A multilayer perceptron: ``h_k = f(h_(k-1) W_k + b_k)``, the last layer linear [1]_.

    Parameters
    ----------
    layers : sequence of int
        Units of each layer, the input and the output included.
    activation : str
        ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
    seed : int
        Of the weights, which start at N(0, 2 / fan-in) for ``"relu"`` and N(0, 1 / fan-in) otherwise; biases at 0.

    Raises
    ------
    InputError
        If a layer size or the activation cannot be used.

    Notes
    -----
    Its layers are called ``hidden_1``, ``activation_1``, ..., ``output``.

    References
    ----------
    .. [1] D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors",
       Nature 323 (1986).

    Examples
    --------
    >>> import torch
    >>> MLP((64, 100, 10))(torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(self, layers: tuple[int, ...] = (64, 100, 10), activation: str = "relu", seed: int = 0) -> None:
        sizes = layer_sizes("MLP", "layers", layers, least=2)
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for k, (n_pre, n_post) in enumerate(pairwise(sizes[:-1]), start=1):
            parts[f"hidden_{k}"] = skip_init(nn.Linear, n_pre, n_post)
            parts[f"activation_{k}"] = activation_named(activation, "MLP")
        parts["output"] = skip_init(nn.Linear, sizes[-2], sizes[-1])
        super().__init__(parts)
        draw_weights(self, Stream(seed, "mlp/weights"), sqrt(2.0) if activation == "relu" else 1.0)
