r"""Spike-timing-dependent plasticity (STDP), as Brian2 synapse equations.

A rule is a frozen record of its constants with four properties, ``model``, ``on_pre``, ``on_post`` and ``namespace``,
which go into :class:`brian2.Synapses` as they are; what a spike does to the neuron is written before them::

    rule = PairSTDP(w_max=0.5)
    synapses = Synapses(source, target, rule.model, on_pre="ge_post += w\n" + rule.on_pre, on_post=rule.on_post,
                        namespace=rule.namespace)
    synapses.frozen = True      # learning off

The same conventions hold for all rules:

* the weight is the synaptic variable ``w``, dimensionless, kept in [0, ``w_max``] whenever it is changed;
* every spike pairs with every other one (all-to-all): traces add up;
* presynaptic and postsynaptic spikes of one time step count as pre before post, the order in which Brian2 runs them;
* a delay of the synapse is axonal: the rule sees the presynaptic spike when it arrives;
* while the shared variable ``frozen`` is true the traces go on but not one bit of any weight changes, not even of
  a weight outside [0, ``w_max``].
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from bionet.brian import import_brian2
from bionet.errors import InputError

import_brian2()

from brian2 import second  # noqa: E402

_FROZEN = "w : 1\nfrozen : boolean (shared)\n"


def _trace(name: str, tau: str) -> str:
    """Return the equation of a trace that decays between the spikes."""
    return f"d{name}/dt = -{name}/{tau} : 1 (event-driven)\n"


def _change(dw: str) -> str:
    """Return the statement that adds ``dw`` to the weight, unless frozen."""
    # Both products are exact, so that w comes out of a frozen synapse bit by bit as it went in.
    return f"w = int(frozen)*w + int(not frozen)*clip(w + {dw}, 0, w_max)\n"


@dataclass(frozen=True)
class _Rule:
    """What the rules share: checked constants, and their Brian2 namespace."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            positive = each.name.startswith("tau") or each.name == "w_max"
            if not (value > 0 if positive else value >= 0) or value == float("inf"):
                allowed = "a positive number" if positive else "a number of at least 0"
                owner = f"{type(self).__name__}.{each.name}"
                raise InputError(f"{owner}: got {value!r}; expected {allowed}, such as {each.default!r}")

    @property
    def namespace(self) -> dict[str, Any]:
        """The constants by name, those that are times with Brian2's unit."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value * second if name.startswith("tau") else value for name, value in values.items()}


@dataclass(frozen=True)
class PairSTDP(_Rule):
    r"""Pair-based STDP: pre before post strengthens, post before pre weakens, less the further apart they are.

    .. math:: \Delta w = a_+ (w_{max} - w)^{\mu_+} e^{-(t_{post} - t_{pre})/\tau_+} \quad (t_{pre} \le t_{post}), \qquad
              \Delta w = -a_- w^{\mu_-} e^{-(t_{pre} - t_{post})/\tau_-} \quad (t_{pre} > t_{post})

    Parameters
    ----------
    a_plus, a_minus : float
        Size of one pair's change at no distance, dimensionless. (In units of w where the exponent is 0.)
    tau_plus, tau_minus : float
        Time constants of the two windows [s].
    mu_plus, mu_minus : float
        How the change depends on the weight, dimensionless: 0 and 0 is the additive rule [1]_, 0 and 1 the
        multiplicative depression of [2]_, 1 and 1 fully multiplicative.
    w_max : float
        The largest weight, dimensionless.

    Raises
    ------
    InputError
        If a constant is negative, not finite, or a time constant or ``w_max`` is 0.

    References
    ----------
    .. [1] S. Song, K. D. Miller, L. F. Abbott, "Competitive Hebbian learning through spike-timing-dependent synaptic
       plasticity", Nature Neuroscience 3:919 (2000).
    .. [2] M. C. W. van Rossum, G. Q. Bi, G. G. Turrigiano, "Stable Hebbian learning from spike timing-dependent
       plasticity", Journal of Neuroscience 20:8812 (2000).

    Examples
    --------
    >>> print(PairSTDP().on_pre)
    w = int(frozen)*w + int(not frozen)*clip(w + -a_minus*w**mu_minus*post_trace, 0, w_max)
    pre_trace += 1
    """

    a_plus: float = 0.01
    a_minus: float = 0.0105
    tau_plus: float = 0.02
    tau_minus: float = 0.02
    mu_plus: float = 0.0
    mu_minus: float = 0.0
    w_max: float = 1.0

    @property
    def model(self) -> str:
        """The synapse's variables: the weight, ``frozen``, and two traces."""
        return _FROZEN + _trace("pre_trace", "tau_plus") + _trace("post_trace", "tau_minus")

    @property
    def on_pre(self) -> str:
        """What a presynaptic spike changes: the weight, then its own trace."""
        return _change("-a_minus*w**mu_minus*post_trace") + "pre_trace += 1"

    @property
    def on_post(self) -> str:
        """What a postsynaptic spike changes: the weight, then its own trace."""
        return _change("a_plus*clip(w_max - w, 0, w_max)**mu_plus*pre_trace") + "post_trace += 1"


@dataclass(frozen=True)
class TripletSTDP(_Rule):
    r"""Triplet STDP: the change also depends on the spike before, so that fast pairing strengthens more.

    .. math:: w \to w + r_1 (a_2^+ + a_3^+ o_2) \text{ at a postsynaptic spike}, \qquad
              w \to w - o_1 (a_2^- + a_3^- r_2) \text{ at a presynaptic spike}

    with traces r of the presynaptic and o of the postsynaptic spikes; o_2 and r_2 are taken just before the spike.

    Parameters
    ----------
    a2_plus, a2_minus, a3_plus, a3_minus : float
        Size of one pair's and one triplet's change, in units of w (dimensionless).
    tau_plus, tau_x, tau_minus, tau_y : float
        Time constants of r_1, r_2, o_1 and o_2 [s].
    w_max : float
        The largest weight, dimensionless.

    Raises
    ------
    InputError
        If a constant is negative, not finite, or a time constant or ``w_max`` is 0.

    Notes
    -----
    The amplitudes, ``tau_plus`` and ``tau_x`` are the defaults of NEST's ``stdp_triplet_synapse``, which names
    the paper's table 3 as their source; ``tau_minus`` and ``tau_y`` are those commonly used with them.

    References
    ----------
    .. [1] J.-P. Pfister, W. Gerstner, "Triplets of spikes in a model of spike timing-dependent plasticity", Journal of
       Neuroscience 26:9673 (2006).

    Examples
    --------
    >>> TripletSTDP().namespace["tau_x"]
    101. * msecond
    """

    a2_plus: float = 5e-10
    a2_minus: float = 7e-3
    a3_plus: float = 6.2e-3
    a3_minus: float = 2.3e-4
    tau_plus: float = 0.0168
    tau_x: float = 0.101
    tau_minus: float = 0.0337
    tau_y: float = 0.125
    w_max: float = 1.0

    @property
    def model(self) -> str:
        """The synapse's variables: the weight, ``frozen``, and four traces."""
        traces = _trace("r1", "tau_plus") + _trace("r2", "tau_x") + _trace("o1", "tau_minus") + _trace("o2", "tau_y")
        return _FROZEN + traces

    @property
    def on_pre(self) -> str:
        """What a presynaptic spike changes: the weight, then its own traces."""
        return _change("-o1*(a2_minus + a3_minus*r2)") + "r1 += 1\nr2 += 1"

    @property
    def on_post(self) -> str:
        """What a postsynaptic spike changes: the weight, then its own traces."""
        return _change("r1*(a2_plus + a3_plus*o2)") + "o1 += 1\no2 += 1"


@dataclass(frozen=True)
class PresynapticTrace(_Rule):
    r"""STDP at postsynaptic spikes only: synapses that were active lately grow, the others shrink.

    .. math:: \Delta w = \eta (x - x_{target}) (w_{max} - w)^{\mu}, \qquad
              x = \sum_{t_{pre} \le t_{post}} e^{-(t_{post} - t_{pre})/\tau}

    Parameters
    ----------
    eta : float
        Learning rate, dimensionless.
    x_target : float
        The trace at which a synapse neither grows nor shrinks, dimensionless.
    mu : float
        How the change depends on the weight, dimensionless.
    tau : float
        Time constant of the presynaptic trace [s].
    w_max : float
        The largest weight, dimensionless.

    Raises
    ------
    InputError
        If a constant is negative, not finite, or ``tau`` or ``w_max`` is 0.

    Notes
    -----
    With no depression at presynaptic spikes the rule costs one weight update per postsynaptic spike, and these are few.

    References
    ----------
    .. [1] P. U. Diehl, M. Cook, "Unsupervised learning of digit recognition using spike-timing-dependent plasticity",
       Frontiers in Computational Neuroscience 9:99 (2015), doi:10.3389/fncom.2015.00099.
    .. [2] D. Querlioz, O. Bichler, P. Dollfus, C. Gamrat, "Immunity to device variations in a spiking neural network
       with memristive nanodevices", IEEE Transactions on Nanotechnology 12:288 (2013).

    Examples
    --------
    >>> PresynapticTrace().on_pre
    'x += 1'
    """

    eta: float = 0.01
    x_target: float = 0.4
    mu: float = 1.0
    tau: float = 0.02
    w_max: float = 1.0

    @property
    def model(self) -> str:
        """The synapse's variables: the weight, ``frozen``, and the presynaptic trace."""
        return _FROZEN + _trace("x", "tau")

    @property
    def on_pre(self) -> str:
        """What a presynaptic spike changes: the trace."""
        return "x += 1"

    @property
    def on_post(self) -> str:
        """What a postsynaptic spike changes: the weight."""
        return _change("eta*(x - x_target)*clip(w_max - w, 0, w_max)**mu")
