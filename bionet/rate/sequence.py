"""A network as a sequence of layers: its outputs with units silenced, and what a decision costs."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from bionet.errors import InputError
from bionet.rate.threads import one_thread

ACTIVATION_LAYERS = (nn.ReLU, nn.Tanh, nn.Sigmoid)
"""Layers whose outputs are the hidden units."""
LINKING_LAYERS = (nn.Linear, nn.Conv2d, nn.AvgPool2d)
"""Layers that link inputs to outputs by weights; a pooling's weights are 1 / (pixels pooled)."""
SHAPING_LAYERS = (nn.Unflatten, nn.Flatten)
"""Layers that only change the shape."""


def sequence_of(module: nn.Module) -> dict[str, nn.Module]:
    """Return the layers of a module by name, in order.

    Parameters
    ----------
    module : torch.nn.Sequential
        Such as :class:`bionet.rate.MLP` and :class:`bionet.rate.CNN`.

    Raises
    ------
    InputError
        If the module is no sequence of layers.
    """
    if not isinstance(module, nn.Sequential):
        raise InputError(
            f"module: got {type(module).__name__}; expected a torch.nn.Sequential, such as MLP((64, 100, 10))"
        )
    return dict(module.named_children())


def outputs(module: nn.Module, X: ArrayLike, alive: ArrayLike | None = None) -> NDArray[np.float32]:
    """Return what the network answers, with some of its hidden units silenced.

    Parameters
    ----------
    module : torch.nn.Sequential
        The network.
    X : array, shape (n_samples, n_features)
        The inputs, dimensionless.
    alive : array of bool, shape (n_hidden,), optional
        False where a hidden unit is silent: its output is 0. A unit is one output of an activation, so in a
        convolution one map at one position; layer after layer, each in C order (maps, rows, columns).

    Returns
    -------
    array, shape (n_samples, n_outputs)
        The last layer's values.

    Raises
    ------
    InputError
        If ``alive`` does not have one value for each hidden unit.
    """
    values = torch.from_numpy(np.array(X, dtype=np.float32))
    mask = None if alive is None else torch.from_numpy(alive_units(alive, count_hidden(module, values.shape[1:])))
    first = 0
    with torch.no_grad(), one_thread():
        for layer in sequence_of(module).values():
            values = layer(values)
            if mask is not None and isinstance(layer, ACTIVATION_LAYERS):
                n_units = values[0].numel()
                values = values * mask[first : first + n_units].view(values.shape[1:])
                first += n_units
    return values.numpy()


def alive_units(alive: ArrayLike, n_hidden: int) -> NDArray[np.bool_]:
    """Return ``alive`` as an array of bool, one for each hidden unit.

    Parameters
    ----------
    alive : array of bool, shape (n_hidden,)
        False where a unit is silent.
    n_hidden : int
        How many there must be.

    Raises
    ------
    InputError
        If the length or the type is another.
    """
    array = np.array(alive)
    if array.shape != (n_hidden,) or array.dtype != bool:
        raise InputError(
            f"alive: got {array.dtype} of shape {array.shape}; expected bool of shape ({n_hidden},), "
            "one for each hidden unit"
        )
    return array


def count_hidden(module: nn.Module, shape: tuple[int, ...] = (64,)) -> int:
    """Return the number of hidden units: outputs of activations, for one sample.

    Parameters
    ----------
    module : torch.nn.Sequential
        The network.
    shape : tuple of int
        Of one sample.

    Examples
    --------
    >>> from bionet.rate import CNN, MLP
    >>> count_hidden(MLP((64, 100, 10))), count_hidden(CNN((8, 8), maps=(16, 32)))
    (100, 3072)
    """
    values, total = torch.zeros(1, *shape), 0
    with torch.no_grad():
        for layer in sequence_of(module).values():
            values = layer(values)
            total += values.numel() if isinstance(layer, ACTIVATION_LAYERS) else 0
    return total


def multiply_accumulates(module: nn.Module, shape: tuple[int, ...] = (64,)) -> int:
    """Return the multiply-accumulates of one decision: the links from an input to an output, over all layers.

    Parameters
    ----------
    module : torch.nn.Sequential
        The network.
    shape : tuple of int
        Of one sample.

    Returns
    -------
    int
        Dimensionless. Zeros that pad the border of an image are not counted; biases and activations neither.

    Raises
    ------
    InputError
        If a layer is of an unknown kind.

    Examples
    --------
    >>> from bionet.rate import MLP
    >>> multiply_accumulates(MLP((64, 100, 10)))
    7400
    """
    values, total = torch.ones(1, *shape, dtype=torch.float64), 0
    with torch.no_grad():
        for name, layer in sequence_of(module).items():
            if isinstance(layer, LINKING_LAYERS):
                counted = links(layer)(values)
                total += round(counted.sum().item())
                values = torch.ones_like(counted)
            elif isinstance(layer, SHAPING_LAYERS):
                values = layer(values)
            elif not isinstance(layer, ACTIVATION_LAYERS):
                raise InputError(f"module.{name}: cannot count the operations of a {type(layer).__name__}")
    return total


def links(layer: nn.Module) -> nn.Module:
    """Return a copy of a linking layer whose weights are 1 and biases 0, so that it counts the inputs that arrive.

    Parameters
    ----------
    layer : torch.nn.Module
        One of :data:`LINKING_LAYERS`.
    """
    counting = copy.deepcopy(layer).double()
    if isinstance(counting, nn.AvgPool2d):
        counting.divisor_override = 1
    else:
        with torch.no_grad():
            counting.weight.fill_(1.0)
            if counting.bias is not None:
                counting.bias.zero_()
    return counting
