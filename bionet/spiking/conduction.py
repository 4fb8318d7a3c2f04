"""Conduction delays that a network changes while it runs, as activity changes myelin."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from brian2.synapses.synapses import Synapses, SynapticPathway

from bionet.errors import InputError, suggest

_known: WeakKeyDictionary[SynapticPathway, Conduction] = WeakKeyDictionary()
_EMISSION, _FRONT = "emission", "front"


@dataclass(frozen=True)
class Conduction:
    """How spikes are conducted: expressions over the variables of the synapses.

    Attributes
    ----------
    delay : str or None
        A delay, in seconds.
    length, velocity : str or None
        In its place, the length of a path [m] and the velocity on it [m/s].
    in_flight : {"emission", "front"}
        What a change is to the spikes under way.
    """

    delay: str | None = None
    length: str | None = None
    velocity: str | None = None
    in_flight: str = _EMISSION

    @property
    def expression(self) -> str:
        """What a delay is computed from, in seconds."""
        return self.delay or f"({self.length})/({self.velocity})"


def conduction(
    synapses: Synapses | SynapticPathway,
    delay: str | None = None,
    *,
    length: str | None = None,
    velocity: str | None = None,
    in_flight: str = _EMISSION,
) -> Conduction:
    r"""Let the delay of each synapse be a variable of its own, which code and equations may change during a run.

    Parameters
    ----------
    synapses : brian2.Synapses or brian2.SynapticPathway
        Synapses, of which the delays of the first pathway (``pre``) are meant, or one pathway, such as ``S.post``.
    delay : str
        An expression over variables of the synapses, in units of time: a delay, ``"d"``, or the length of a path over
        a conduction velocity, ``"length/velocity"``. It takes the place of ``S.delay``.
    length, velocity : str
        The two apart, in place of ``delay``.
    in_flight : {"emission", "front"}
        What a change is to the spikes under way. ``"emission"``: nothing; a spike takes the delay of the moment at
        which it leaves. ``"front"``: a spike is a front that moves with the velocity of each moment; this needs
        ``length`` and ``velocity``.

    Returns
    -------
    Conduction

    Raises
    ------
    InputError
        If there is no such variable, or a front has no length and velocity.

    Notes
    -----
    Delays, lengths and velocities may be parameters, changed by ``on_pre`` and ``on_post`` code, ``run_regularly`` or
    Python, or follow ``(event-driven)`` equations. What counts is their value before any code of the same instant.

    Under ``"emission"`` a spike may overtake an earlier one of its axon, if the delay falls by more than the time
    between them. Under ``"front"`` it never does: a spike that left at :math:`t_0` arrives when

    .. math:: \int_{t_0}^{t} v(s)\,ds = \ell,

    the length :math:`\ell` being that of the departure. Where the velocity stands still between changes the integral is
    a sum, exact but for rounding; where it follows equations, it is found by Gauss and Kronrod's rule of 15 points, and
    :func:`bionet.spiking.accuracy` says how well. At velocity 0 a spike stands still until that changes; length 0 is no
    delay. A negative or infinite velocity ends the run with a sentence. A front reads variables of its own synapse
    alone.

    Only ``engine="event"`` runs such a network: on a grid delays would change in steps.

    Examples
    --------
    >>> from brian2 import NeuronGroup, Synapses
    >>> G = NeuronGroup(2, "v : 1", threshold="v > 1", name="conducting")
    >>> S = Synapses(G, G, "d : second\nl : metre\nc : metre/second", on_pre="v_post += 1; d *= 0.9", name="axons")
    >>> conduction(S, delay="d").in_flight
    'emission'
    >>> conduction(S, length="l", velocity="c", in_flight="front").expression
    '(l)/(c)'
    """
    pathway = synapses if isinstance(synapses, SynapticPathway) else getattr(synapses, "pre", None)
    if not isinstance(pathway, SynapticPathway):
        raise InputError(f"conduction: got {synapses!r}; expected Synapses with on_pre code, or one of their pathways")
    owner = pathway.synapses
    if in_flight not in (_EMISSION, _FRONT):
        raise InputError(f"{owner.name}: conduction: in_flight: got {in_flight!r}; expected 'emission' or 'front'")
    if (delay is None) == (length is None or velocity is None) or (delay and (length or velocity)):
        raise InputError(
            f"{owner.name}: conduction: got delay={delay!r}, length={length!r}, velocity={velocity!r}; expected a "
            "delay, or a length and a velocity"
        )
    if in_flight == _FRONT and delay is not None:
        raise InputError(
            f"{owner.name}: conduction: got delay={delay!r}, in_flight='front'; a front covers a length with a "
            "velocity: expected the two apart, such as length='length', velocity='velocity'"
        )
    for name in (delay, velocity):
        if name is not None and name.strip().isidentifier() and name.strip() not in owner.variables:
            raise InputError(
                f"{owner.name}: conduction: no variable {name.strip()!r}{suggest(name.strip(), owner.equations.names)}"
            )
    _known[pathway] = Conduction(delay, length, velocity, in_flight)
    return _known[pathway]


def conduction_of(pathway: SynapticPathway) -> Conduction | None:
    """Return what was said of a pathway's delay."""
    return _known.get(pathway)
