"""The weights of a PyTorch module: drawn from a seed, read as (pre, post), replaced in a copy."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from bionet.errors import InputError, suggest
from bionet.random import Stream

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
"""The activations a module can be built with, by name."""


def activation_named(name: str, owner: str) -> nn.Module:
    """Return a new activation layer.

    Parameters
    ----------
    name : str
        ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
    owner : str
        Whose parameter it is, the subject of the error.

    Raises
    ------
    InputError
        If there is no such activation.
    """
    if name not in ACTIVATIONS:
        raise InputError(f"{owner}.activation: there is no {name!r}{suggest(str(name), ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def layer_sizes(owner: str, name: str, sizes: object, least: int) -> tuple[int, ...]:
    """Return the sizes of layers as a tuple of whole numbers above 0, at least ``least`` of them.

    Parameters
    ----------
    owner, name : str
        Whose parameter it is, the subject of the error.
    sizes : sequence of int
        Units or maps, dimensionless.
    least : int
        How many there must be.

    Raises
    ------
    InputError
        If they are anything else.
    """
    listed = list(sizes) if isinstance(sizes, tuple | list | np.ndarray) else [0]
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in listed)
    if not whole or len(listed) < least:
        example = (64, 100, 10)[:least]
        raise InputError(f"{owner}.{name}: got {sizes!r}; expected {least} or more counts above 0, such as {example}")
    return tuple(int(n) for n in listed)


def draw_weights(module: nn.Module, stream: Stream, gain: float) -> None:
    """Draw weights from N(0, gain**2 / fan-in) and set biases to 0 [1]_.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    stream : Stream
        Where the numbers come from; PyTorch's global generator is left alone.
    gain : float
        sqrt(2) keeps the variance through ReLU layers, 1 through linear ones.

    References
    ----------
    .. [1] K. He et al., "Delving deep into rectifiers", ICCV (2015).
    """
    for step, parameter in enumerate(module.parameters()):
        with torch.no_grad():
            if parameter.ndim < 2:
                parameter.zero_()
            else:
                scale = gain / np.sqrt(parameter[0].numel())
                parameter.copy_(torch.from_numpy(scale * stream.normal(tuple(parameter.shape), step)))


def weights_of(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return the weights of every layer, without the biases, as copies.

    Parameters
    ----------
    module : torch.nn.Module
        Its layers with a ``weight`` of two or more dimensions are read.

    Returns
    -------
    dict of str to array
        Layer name to weights: (pre, post), or (pre maps, post maps, height, width) for a convolution.

    Examples
    --------
    >>> from bionet.rate import MLP
    >>> {name: weight.shape for name, weight in weights_of(MLP((64, 100, 10))).items()}
    {'hidden_1': (64, 100), 'output': (100, 10)}
    """
    return {name: layer.weight.detach().transpose(0, 1).numpy().copy() for name, layer in _weighted(module).items()}


def with_weights(module: nn.Module, weights: Mapping[str, ArrayLike]) -> nn.Module:
    """Return a copy of the module with some of its weights replaced.

    Parameters
    ----------
    module : torch.nn.Module
        Not changed.
    weights : mapping of str to array
        As :func:`weights_of` gives them; layers that are not named keep theirs, and biases are kept.

    Raises
    ------
    InputError
        If a layer is unknown, or an array has the wrong shape or a number that is not finite.
    """
    module = copy.deepcopy(module)
    layers = _weighted(module)
    for name, weight in weights.items():
        if name not in layers:
            raise InputError(f"weights.{name}: there is no such layer{suggest(name, layers)}")
        target = layers[name].weight.detach().transpose(0, 1)
        array = np.array(weight, dtype=np.float64)
        if array.shape != tuple(target.shape):
            raise InputError(f"weights.{name}: got shape {array.shape}; expected {tuple(target.shape)}")
        require_finite(f"weights.{name}", array)
        target.copy_(torch.from_numpy(array))
    return module


def require_finite(name: str, array: NDArray[np.floating]) -> None:
    """Refuse an array that holds NaN or infinity.

    Parameters
    ----------
    name : str
        What the array is, the subject of the error.
    array : array
        Any shape.

    Raises
    ------
    InputError
        If a number is not finite.
    """
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)]
        raise InputError(f"{name}: got {bad.flat[0]} in {bad.size} of {array.size} places; expected finite numbers")


def _weighted(module: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that have a weight matrix or kernel, by name."""
    named = module.named_modules()
    return {
        name: each
        for name, each in named
        if isinstance(getattr(each, "weight", None), nn.Parameter) and each.weight.ndim >= 2
    }
