"""Conduction delays that a network changes while it runs, as activity changes myelin."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from brian2.synapses.synapses import Synapses, SynapticPathway

from bionet.errors import InputError, suggest

_known: WeakKeyDictionary[SynapticPathway, Conduction] = WeakKeyDictionary()


@dataclass(frozen=True)
class Conduction:
    """What a delay is computed from: ``expression`` over the variables of the synapses, in seconds."""

    expression: str


def conduction(synapses: Synapses | SynapticPathway, delay: str) -> Conduction:
    """Let the delay of each synapse be a variable of its own, which code and equations may change during a run.

    Parameters
    ----------
    synapses : brian2.Synapses or brian2.SynapticPathway
        Synapses, of which the delays of the first pathway (``pre``) are meant, or one pathway, such as ``S.post``.
    delay : str
        An expression over variables of the synapses, in units of time: a delay, ``"d"``, or the length of a path over
        a conduction velocity, ``"length/velocity"``. It takes the place of ``S.delay``.

    Returns
    -------
    Conduction

    Raises
    ------
    InputError
        If there is no such variable.

    Notes
    -----
    A spike takes the delay of the moment at which it leaves, before any code of the same instant; later changes do not
    touch it. On one axon a spike may so overtake an earlier one, if the delay falls by more than the time between them.
    Only ``engine="event"`` runs such a network: on a grid delays would change in steps.

    Examples
    --------
    >>> from brian2 import NeuronGroup, Synapses
    >>> G = NeuronGroup(2, "v : 1", threshold="v > 1", name="conducting")
    >>> S = Synapses(G, G, "d : second", on_pre="v_post += 1; d *= 0.9", name="axons")
    >>> conduction(S, delay="d")
    Conduction(expression='d')
    """
    pathway = synapses if isinstance(synapses, SynapticPathway) else getattr(synapses, "pre", None)
    if not isinstance(pathway, SynapticPathway):
        raise InputError(f"conduction: got {synapses!r}; expected Synapses with on_pre code, or one of their pathways")
    owner = pathway.synapses
    names = [each for each in delay.replace("/", " ").replace("*", " ").split() if each.isidentifier()]
    for name in names:
        if name not in owner.variables and len(names) == 1:
            own = list(owner.equations.names)
            raise InputError(f"{owner.name}: conduction: no variable {name!r}{suggest(name, own)}")
    _known[pathway] = Conduction(delay)
    return _known[pathway]


def conduction_of(pathway: SynapticPathway) -> Conduction | None:
    """Return what was said of a pathway's delay."""
    return _known.get(pathway)
