"""The neurons that random scripts are made of."""

from dataclasses import dataclass

ALL_METHODS = ("euler", "rk2", "rk4", "heun")


@dataclass(frozen=True)
class Kind:
    """A neuron; ``{extra}`` in its equations is further input, ``{unless}`` a flag of ``v``, ``{tau}`` a time.

    Parameters
    ----------
    equations
        Without ``bias``, which the script defines in one of several ways.
    threshold, resets
        The condition, and a few sets of statements to choose from.
    bias
        Range and unit of the drive with which it fires, mostly.
    inputs
        What a synapse may add to, with the size of a step.
    start
        Initial values; ``{n}`` is the size of the group.
    methods
        Of integration; "" is Brian2's choice.
    unit, scale
        Of ``v``.
    end
        A condition for as long as which it stays refractory.
    event
        A condition for a custom event.
    size
        Largest number of neurons.
    bounded
        Whether its state stays finite without a threshold.

    """

    equations: str
    threshold: str
    resets: tuple[str, ...]
    bias: tuple[float, float, str] | None
    inputs: dict[str, str]
    start: dict[str, str]
    methods: tuple[str, ...]
    unit: str = "1"
    scale: str = "1"
    end: str = "timestep(t - lastspike, dt) < timestep(2.6*ms, dt)"
    event: str = "v > 0.7"
    size: int = 9
    bounded: bool = True


KINDS = {
    "leaky": Kind(
        equations="""
    dv/dt = (bias + ge - gi - v{extra})/{tau} : 1{unless}
    dge/dt = -ge/(5.1*ms) : 1
    dgi/dt = -gi/(9.3*ms) : 1""",
        threshold="v > 1",
        resets=("v = 0", "v -= 1", "v = 0; ge *= 0.8; gi += 0.1"),
        bias=(0.9, 1.7, "1"),
        inputs={"ge": "0.3", "gi": "0.2", "v": "0.15"},
        start={"v": "values.uniform(-0.2, 1, {n})", "ge": "values.uniform(0, 0.3, {n})"},
        methods=("", "exact", "exact", "exponential_euler", *ALL_METHODS),
    ),
    "alpha": Kind(
        equations="""
    dv/dt = (bias + g - v{extra})/{tau} : 1{unless}
    dg/dt = (h - g)/(4.3*ms) : 1
    dh/dt = -h/(4.3*ms) : 1""",
        threshold="v > 1",
        resets=("v = -0.1", "v = 0; h *= 0.5"),
        bias=(0.9, 1.7, "1"),
        inputs={"h": "0.6"},
        start={"v": "values.uniform(0, 1, {n})", "h": "values.uniform(0, 0.5, {n})"},
        methods=("", "exact", "exact", *ALL_METHODS),
    ),
    "adapting": Kind(
        equations="""
    dv/dt = (bias + g - v{extra})/{tau} : 1{unless}
    dg/dt = -g/(3.7*ms) : 1
    dtheta/dt = (1 - theta)/(41*ms) : 1""",
        threshold="v > theta",
        resets=("v = 0; theta += 0.15", "v -= theta; theta = clip(theta*1.2, 0.5, 1.6)"),
        bias=(1.2, 2.2, "1"),
        inputs={"g": "0.4", "theta": "0.02"},
        start={"v": "values.uniform(0, 1, {n})", "theta": "1"},
        methods=("", "exact", "exact", "exponential_euler", *ALL_METHODS),
        event="v > 0.8*theta",
    ),
    "quadratic": Kind(
        equations="""
    dv/dt = (v**2 + bias + g{extra})/(4*ms) : 1{unless}
    dg/dt = -g/(5.3*ms) : 1""",
        threshold="v > 12",
        resets=("v = -12", "v = -5; g *= 0.9"),
        bias=(0.3, 2.5, "1"),
        inputs={"g": "1.5"},
        start={"v": "values.uniform(-3, 1, {n})"},
        methods=("", *ALL_METHODS),
        scale="5",
        end="v > 0 or timestep(t - lastspike, dt) < 9",
        event="v > 3 and g > 0",
        bounded=False,
    ),
    "izhikevich": Kind(
        equations="""
    dv/dt = (0.04*v**2 + 5*v + 140 - u + bias + g{extra})/ms : 1{unless}
    du/dt = a*(b*v - u)/ms : 1
    dg/dt = -g/(4.9*ms) : 1
    a : 1 (constant)
    b : 1 (constant, shared)""",
        threshold="v >= 30",
        resets=("v = -65; u += 8", "v = -55; u += 4", "v = -65; u += 2; g *= 0.9"),
        bias=(7, 16, "1"),
        inputs={"g": "4", "v": "3"},
        start={
            "v": "values.uniform(-70, -55, {n})",
            "u": "values.uniform(-15, -11, {n})",
            "a": "values.uniform(0.02, 0.1, {n})",
            "b": "0.2",
        },
        methods=ALL_METHODS,
        scale="60",
        event="v > -50",
        bounded=False,
    ),
    "exponential": Kind(
        equations="""
    dv/dt = (30*nS*(-70.6*mV - v) + 60*pA*exp(steepness) - slow + bias + g{extra})/(281*pF) : volt{unless}
    steepness = clip((v + 50.4*mV)/(2*mV), -60, 9) : 1
    dslow/dt = (4*nS*(v + 70.6*mV) - slow)/(144*ms) : amp
    dg/dt = -g/(5.7*ms) : amp""",
        threshold="v > -35*mV",
        resets=("v = -70.6*mV; slow += 80.5*pA", "v = -58*mV; slow += 40*pA"),
        bias=(700, 1300, "pamp"),
        inputs={"g": "150*pA", "v": "1.5*mV"},
        start={"v": "values.uniform(-70, -55, {n})*mV"},
        methods=ALL_METHODS,
        unit="volt",
        scale="(50*mV)",
        event="v > -55*mV",
        bounded=False,
    ),
    "conductance": Kind(
        equations="""
    dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - 60*mV - v + bias{extra})/{tau} : volt{unless}
    dge/dt = -ge/(4.7*ms) : 1
    dgi/dt = -gi/(10.3*ms) : 1""",
        threshold="v > -50*mV",
        resets=("v = -60*mV", "v = -62*mV; ge *= 0.7"),
        bias=(9, 20, "mvolt"),
        inputs={"ge": "0.2", "gi": "0.4", "v": "1*mV"},
        start={"v": "values.uniform(-65, -51, {n})*mV", "ge": "values.uniform(0, 0.3, {n})"},
        methods=("exponential_euler", *ALL_METHODS),
        unit="volt",
        scale="(50*mV)",
        event="v > -52*mV and ge > 0.01",
    ),
    "hodgkin_huxley": Kind(
        equations="""
    dv/dt = (leak + sodium + 6*uS*(n*n*n*n)*(-90*mV - v) + bias + g{extra})/(200*pF) : volt
    leak = 10*nS*(-60*mV - v) : amp
    sodium = 20*uS*(m*m*m)*h*(50*mV - v) : amp
    dm/dt = 0.32*4/exprel((13*mV - v - 63*mV)/(4*mV))/ms*(1 - m) - 0.28*5/exprel((v + 63*mV - 40*mV)/(5*mV))/ms*m : 1
    dn/dt = 0.032*5/exprel((15*mV - v - 63*mV)/(5*mV))/ms*(1 - n) - 0.5*exp((10*mV - v - 63*mV)/(40*mV))/ms*n : 1
    dh/dt = 0.128*exp((17*mV - v - 63*mV)/(18*mV))/ms*(1 - h) - 4./(1 + exp((40*mV - v - 63*mV)/(5*mV)))/ms*h : 1
    dg/dt = -g/(5*ms) : amp""",
        threshold="v > -20*mV",
        resets=("g *= 0.95",),
        bias=(250, 700, "pamp"),
        inputs={"g": "100*pA"},
        start={"v": "values.uniform(-65, -60, {n})*mV", "h": "1"},
        methods=("exponential_euler",),
        unit="volt",
        scale="(50*mV)",
        end="v > -40*mV",
        event="v > -45*mV and m > 0.1",
        size=4,
    ),
    "resonator": Kind(
        equations="""
    dv/dt = (2*bias*cos(2*pi*t/(13*ms)) + g - v{extra})/{tau} : 1{unless}
    dg/dt = -g/(6.1*ms) : 1""",
        threshold="v > 0.3 and t > 1*ms",
        resets=("v = -0.2", "v *= 0.1; g = 0"),
        bias=(0.9, 1.7, "1"),
        inputs={"g": "0.4"},
        start={"v": "values.uniform(0, 0.3, {n})"},
        methods=("exponential_euler", *ALL_METHODS),
        end="v > 0.05 or t - lastspike < 1.9*ms",
        event="v > 0.25",
    ),
    "phase": Kind(
        equations="""
    dv/dt = (bias{extra})/(9*ms) : 1{unless}
    saw = (v - 0.5) % 0.7 + floor(3*v) : 1""",
        threshold="v >= 1",
        resets=("v -= 1", "v = v % 1"),
        bias=(0.4, 1.5, "1"),
        inputs={"v": "0.11"},
        start={"v": "values.uniform(-1, 1, {n})"},
        methods=ALL_METHODS,
        event="saw > 1",
    ),
    "metronome": Kind(
        equations="""
    period : integer (constant)
    offset : integer (constant)
    v : 1""",
        threshold="(timestep(t, dt) - offset) % period == 0",
        resets=("v = 0", "v *= -0.5"),
        bias=None,
        inputs={"v": "1"},
        start={"period": "values.integers(40, 150, {n})", "offset": "values.integers(0, 90, {n})"},
        methods=("",),
        event="v > 1.5",
    ),
}
