"""bionet's device under a script that knows nothing of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from brian2.core.network import Network
from brian2.devices.device import all_devices, get_device, seed, set_device

from bionet.spiking.explain import prepared


def take_over(random_seed: int | None = None, explained: bool = False, **options: Any) -> None:
    """Choose bionet's device, before a script begins.

    Parameters
    ----------
    random_seed : int, optional
        As if the script began with ``seed(random_seed)``.
    explained : bool
        Print an explanation to standard error before the first run of each network.
    **options
        Those of ``set_device("bionet", ...)``.

    Raises
    ------
    InputError
        If there is no such option or value.
    """
    set_device("bionet", **options)
    device = get_device()
    if random_seed is not None:
        seed(random_seed)
    vars(device).pop("network_before_run", None)
    if explained:
        # Brian2 asks a device for a function of this name before it prepares a run itself.
        device.network_before_run = _Explaining()


def device_name() -> str:
    """Return the name of Brian2's present device."""
    return next(name for name, each in all_devices.items() if each is get_device())


@dataclass
class _Explaining:
    """The preparation of a run, with an explanation the first time; it can be pickled, as a device must be."""

    known: set[UUID] = field(default_factory=set)

    def __call__(self, network: Network, namespace: dict[str, Any]) -> None:
        if network.id in self.known:
            Network.before_run.original_function(network, namespace)
        else:
            self.known.add(network.id)
            print(f"{network.name}: {prepared(network, namespace)}", file=sys.stderr, flush=True)
