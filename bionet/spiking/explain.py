"""Which object of a network runs where, and why: asked before a run or after it, without a trace in what follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from brian2.core.base import BrianObject
from brian2.core.clocks import Clock
from brian2.core.magic import magic_network
from brian2.core.network import Network
from brian2.devices.device import get_device
from brian2.groups.group import get_local_namespace
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException

from bionet.errors import InputError
from bionet.spiking.device import BionetDevice
from bionet.spiking.explanation import Explanation, explanation
from bionet.spiking.how_many_threads import how_many
from bionet.spiking.reading import read
from bionet.spiking.solutions import kept_solutions

if TYPE_CHECKING:
    from bionet.spiking.explain_event import EventExplanation


def explain(network: Network | None = None) -> Explanation | EventExplanation:
    """Explain what a run of a network would do, or has done: print what is returned.

    Parameters
    ----------
    network : brian2.Network, optional
        If absent, what ``run()`` would run if it were called here.

    Returns
    -------
    Explanation or EventExplanation

    Raises
    ------
    InputError
        If the device is another than ``"bionet"``.

    Examples
    --------
    >>> from brian2 import NeuronGroup, ms, set_device
    >>> from brian2.devices import reset_device
    >>> set_device("bionet")
    >>> model = "dv/dt = (2 - v)/(10*ms) : 1"
    >>> cells = NeuronGroup(10, model, threshold="v > 1", reset="v = 0", method="exact", name="explained")
    >>> print(explain())
    3 of 3 objects run in one compiled loop. A step runs, in this order:
    <BLANKLINE>
    object                       slot        dt      runs         method  n
    explained_stateupdater       groups      0.1 ms  in the loop  exact   10
    ...
    >>> reset_device()

    Notes
    -----
    The network is prepared as for a run. Random numbers, times, queues of spikes and what Brian2 remembers of earlier
    runs are left as they were. What would be refused when the run begins, such as states that are not finite, is not
    looked for.
    """
    if not isinstance(get_device(), BionetDevice):
        raise InputError(
            f"explain: got the device {get_device()!r}; expected bionet's; call set_device('bionet') first"
        )
    namespace = get_local_namespace(level=1)
    with _without_trace():
        if network is None:
            network = magic_network
            network._update_magic_objects(level=1)
        network._clocks = {each.clock for each in network.sorted_objects}
        for clock in network._clocks:
            clock.variables["t"].set_value(network.t_)
        return prepared(network, namespace)


def prepared(network: Network, namespace: dict[str, Any]) -> Explanation | EventExplanation:
    """Prepare a network for a run, as Brian2 does, and explain it.

    Parameters
    ----------
    network : brian2.Network
    namespace : dict
        The names around the call of ``run``.
    """
    if get_device().engine == "event":
        # A network on the grid needs nothing of this.
        from bionet.spiking.explain_event import explained

        return explained(network, namespace)
    with _methods() as methods, kept_solutions():
        Network.before_run.original_function(network, namespace)
    active = [each for each in network.sorted_objects if each.active]
    clocks = sorted(network._clocks, key=lambda clock: clock.name)
    reading = read(active, clocks, get_device().rng)
    threads = how_many(reading, get_device().threads)
    return explanation(network, reading, methods, str(threads), get_device().waited)


@contextmanager
def _methods() -> Iterator[dict[str, str]]:
    """Note the integration methods that Brian2 chooses, by group."""
    chosen: dict[str, str] = {}
    original = StateUpdateMethod.apply_stateupdater

    def noted(equations, variables, method, **options):
        code = original(equations, variables, method, **options)
        group = str(options.get("group_name"))
        if isinstance(method, str) or callable(method):
            chosen[group] = method if isinstance(method, str) else getattr(method, "__name__", repr(method))
        elif group not in chosen:
            # Brian2 knew the code from an earlier run; otherwise it has come here with each method of the list.
            for each in method:
                with suppress(UnsupportedEquationsException):
                    noted(equations, variables, each, group_name=group)
                    break
        return code

    StateUpdateMethod.apply_stateupdater = staticmethod(noted)
    try:
        yield chosen
    finally:
        StateUpdateMethod.apply_stateupdater = staticmethod(original)


@contextmanager
def _without_trace() -> Iterator[None]:
    """Put back what the preparation of a run leaves behind and the next one finds."""
    objects = [(each, each._network, each._active) for each in _alive(BrianObject)]
    clocks = [(each, each.variables["t"].get_value().copy()) for each in _alive(Clock)]
    generators = [(each, each._spikes_changed) for each in _alive(SpikeGeneratorGroup)]
    collected, identity, t = set(magic_network.objects), magic_network._id, magic_network.t_
    try:
        yield
    finally:
        for each, network, active in objects:
            each._network, each._active = network, active
        for clock, time in clocks:
            clock.variables["t"].set_value(time)
        for generator, changed in generators:
            # Its spikes are sorted into steps again.
            generator._spikes_changed, generator._previous_dt = changed, None
        magic_network.objects, magic_network._id, magic_network.t_ = collected, identity, t


def _alive(kind: Any) -> list[Any]:
    return [each for each in (reference() for reference in list(kind.__instances__())) if each is not None]
