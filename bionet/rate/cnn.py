"""A small convolutional network for images of about 8 x 8 pixels."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from math import sqrt

from torch import nn
from torch.nn.utils import skip_init

from bionet.errors import InputError
from bionet.random import Stream
from bionet.rate.weights import activation_named, draw_weights, layer_sizes


class CNN(nn.Sequential):
    """Convolutions of 3 x 3 with an activation each, one 2 x 2 average pooling, one linear layer [1]_.

    A convolution gives ``h[o, r, c] = f(b[o] + sum_(i, u, v) K[i, o, u, v] x[i, r + u - 1, c + v - 1])``.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image in pixels; it is given flat, (n_samples, height * width).
    maps : sequence of int
        Feature maps of each convolution.
    n_classes : int
        Units of the output.
    activation : str
        ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
    seed : int
        Of the weights, which start as those of :class:`bionet.rate.MLP` do.

    Raises
    ------
    InputError
        If a size or the activation cannot be used.

    Notes
    -----
    The pooling averages, as its maximum could not be carried over to spikes. The border is padded with zeros.
    Its layers are called ``image``, ``conv_1``, ``activation_1``, ..., ``pooling``, ``flat``, ``output``.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998).

    Examples
    --------
    >>> import torch
    >>> CNN((8, 8))(torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int] = (8, 8),
        maps: tuple[int, ...] = (16, 32),
        n_classes: int = 10,
        activation: str = "relu",
        seed: int = 0,
    ) -> None:
        height, width = _image_shape(shape)
        channels = (1, *layer_sizes("CNN", "maps", maps, least=1))
        (n_classes,) = layer_sizes("CNN", "n_classes", [n_classes], least=1)
        parts: OrderedDict[str, nn.Module] = OrderedDict(image=nn.Unflatten(1, (1, height, width)))
        for k, (n_pre, n_post) in enumerate(pairwise(channels), start=1):
            parts[f"conv_{k}"] = skip_init(nn.Conv2d, n_pre, n_post, kernel_size=3, padding=1)
            parts[f"activation_{k}"] = activation_named(activation, "CNN")
        parts["pooling"] = nn.AvgPool2d(2)
        parts["flat"] = nn.Flatten()
        parts["output"] = skip_init(nn.Linear, channels[-1] * (height // 2) * (width // 2), n_classes)
        super().__init__(parts)
        draw_weights(self, Stream(seed, "cnn/weights"), sqrt(2.0) if activation == "relu" else 1.0)


def _image_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width, each 2 or more."""
    sizes = layer_sizes("CNN", "shape", shape, least=2)
    if len(sizes) != 2 or min(sizes) < 2:
        raise InputError(f"CNN.shape: got {shape!r}; expected a height and a width of 2 or more, such as (8, 8)")
    return sizes[0], sizes[1]
