"""The one place that chooses by device which kernels run, and which arrays they are given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Kernels:
    """The hot loops of a device, and the way of arrays to it and back.

    Attributes
    ----------
    device : {"cpu", "cuda"}
    xp : module
        NumPy, or CuPy: what makes arrays there.

    Examples
    --------
    >>> CPU.get(CPU.put(np.ones(2))).tolist()
    [1.0, 1.0]
    """

    device: str
    xp: Any

    def put(self, array: ArrayLike) -> NDArray[Any]:
        """Return a NumPy array as one of the device's own, which on the processor is itself."""
        return np.asarray(array) if self.device == "cpu" else self.xp.array(array)

    def get(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return one of the device's arrays as a NumPy array."""
        if self.device == "cpu":
            return array
        return array.copy() if self.xp is np else self.xp.asnumpy(array)

    @cached_property
    def ascent(self) -> ModuleType:
        """Steps up the gradient of two layers."""
        return self._room("ascent")

    @cached_property
    def boltzmann(self) -> ModuleType:
        """Sweeps of a general Boltzmann machine."""
        return self._room("boltzmann")

    @cached_property
    def gibbs(self) -> ModuleType:
        """A layer given its neighbours."""
        return self._room("gibbs")

    @cached_property
    def hopfield(self) -> ModuleType:
        """Recall."""
        return self._room("hopfield")

    def _room(self, name: str) -> ModuleType:
        return import_module(f"bionet.kernels.{'cpu' if self.device == 'cpu' else 'gpu'}.{name}")


CPU = Kernels("cpu", np)


def kernels(device: str) -> Kernels:
    """Return the kernels of a device.

    Raises
    ------
    MissingExtraError, InputError
        If it is "cuda", and CuPy is not installed, or sees no GPU.

    Examples
    --------
    >>> kernels("cpu").device
    'cpu'
    """
    return CPU if device == "cpu" else Kernels(device, import_module("bionet.kernels.gpu.arrays").cupy())
