"""bionet's device for the length of a block: what models and bridges run their networks on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brian2.devices.device import reset_device, set_device

from bionet.spiking.device import register
from bionet.spiking.engines.grid import Randomness


@contextmanager
def on_engine(engine: str, seed: int = 0) -> Iterator[None]:
    """Run what is within on an engine, and leave the user's device and its random numbers as they were.

    Parameters
    ----------
    engine : str
        "grid" or "event".
    seed : int
        Networks that draw random numbers draw those of this seed.
    """
    device = register()
    before = device.randomness, device.seeded, device.quiet
    set_device("bionet", engine=engine)
    device.randomness, device.seeded, device.quiet = Randomness(seed), False, True
    try:
        yield
    finally:
        reset_device()
        device.randomness, device.seeded, device.quiet = before


@contextmanager
def on_grid() -> Iterator[None]:
    """Run what is within on the grid engine, and leave the user's device and its random numbers as they were.

    What runs outside the compiled loop there is meant to, and nothing is said of it. Networks that draw random
    numbers draw the same ones each time.

    Examples
    --------
    >>> from brian2 import NeuronGroup, Network, ms
    >>> with on_grid():
    ...     cells = NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler")
    ...     Network(cells).run(1*ms)
    >>> print(f"{cells.v[0]:.6f}")
    1.000000
    """
    with on_engine("grid"):
        yield
