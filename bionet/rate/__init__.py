"""Rate networks: continuous values in discrete time, PyTorch modules trained by backprop.

>>> from bionet.rate import MLP, RateClassifier
"""

from bionet.errors import require

require("torch", "torch", "the rate room")

from bionet.rate.cnn import CNN  # noqa: E402
from bionet.rate.mlp import MLP  # noqa: E402
from bionet.rate.sequence import count_hidden, multiply_accumulates, outputs  # noqa: E402
from bionet.rate.training import RateClassifier  # noqa: E402
from bionet.rate.weights import weights_of, with_weights  # noqa: E402

__all__ = [
    "CNN",
    "MLP",
    "RateClassifier",
    "count_hidden",
    "multiply_accumulates",
    "outputs",
    "weights_of",
    "with_weights",
]
