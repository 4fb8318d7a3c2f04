"""What a spiking network may not contain: refused before its first step, or found where it appears during a run.

Brian2 runs a network with negative time constants, undefined weights or delays, and gives numbers without meaning.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable

import numpy as np
from brian2.core.namespace import DEFAULT_UNITS
from brian2.core.network import Network
from brian2.core.variables import ArrayVariable, Subexpression
from brian2.equations.equations import Equations
from brian2.groups import neurongroup
from brian2.groups.group import CodeRunner, Group
from brian2.input.poissongroup import PoissonGroup
from brian2.input.poissoninput import PoissonInput
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.spatialneuron.spatialneuron import SpatialStateUpdater
from brian2.synapses import synapses
from brian2.units.allunits import farad, meter, second
from brian2.units.fundamentalunits import DIMENSIONLESS, Quantity, get_dimensions, get_unit
from brian2.utils.logger import get_logger
from numpy.typing import NDArray

from bionet.errors import InputError
from bionet.spiking.grammar import Terms, check_code, right_side, statements, summands
from bionet.spiking.scope import ON_GRID, STATE_UPDATERS, Run, Scope, code_of, with_unit

_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.nextafter(0.0, 1.0))
_MOST_STEPS = 2.0**31
# Elements that NumPy is given at a time, so that what it makes of them stays in the cache.
_PART = 1 << 15
# A rate may be the rounded 1/dt.
_ROUNDED = 1 + 1e-9
# Of its terms: a difference that is smaller has lost more than half its digits.
_DIFFERENT = 1e-9
# Methods that a step longer than a time constant does not make unstable.
_STABLE = ("exact", "linear", "exponential_euler")
_NEVER_NEGATIVE = (second.dim, farad.dim, (farad / meter**2).dim)
_logger = get_logger("bionet.spiking")


@np.errstate(all="ignore")
def check(network: Network, duration: float, namespace: dict, on_grid: bool = True) -> None:
    """Refuse what would make a run meaningless, before Brian2 prepares it.

    Parameters
    ----------
    network : brian2.Network
        What is about to run.
    duration : float
        How long [s]. Nothing but the clocks is looked at if it is 0.
    namespace : dict
        The names around the call of ``run``.
    on_grid : bool
        Whether spikes travel in whole steps: then no delay may vanish by rounding, and rounding is reported.

    Raises
    ------
    InputError
        If the duration or a time step is no time; if the state or anything that is added to it is not finite; if a
        time constant, a capacitance, a delay, a refractory period, a rate, the time of a spike or a text is impossible.

    Notes
    -----
    Values are looked at where they matter: the variables of differential equations, what their right-hand sides add,
    multiply and divide by, and what resets, pathways and other code add to the state. What the code of the network
    itself computes is left to `first_nonfinite`; a parameter that no code uses may be anything. An infinite time
    constant is no decay, and allowed.
    """
    if not 0 <= duration <= _LARGEST:
        raise InputError(
            f"run: got a duration of {duration} s; expected a finite time of 0 s or more, such as 1*second"
        )
    run = Run.of(network, duration, namespace)
    for clock in {each.clock for each in run.objects if hasattr(each.clock, "dt")}:
        _within(f"{clock.name}.dt", clock.dt, _SMALLEST, _LARGEST, "a positive time step, such as 0.1*ms")
    if duration == 0:
        return
    for each in run.objects:
        # Before Brian2 analyses it, which may never end.
        check_code(code_of(each), each.name)
        for kind, inspect in _CHECKS.items():
            if isinstance(each, kind):
                inspect(each, run)
    if on_grid:
        _check_grid([each for each in run.objects if isinstance(each, synapses.SynapticPathway)])


@np.errstate(all="ignore")
def check_solution(network: Network, namespace: dict) -> None:
    """Refuse a closed solution that divides by zero, or by rounding, after Brian2 has prepared the network.

    Parameters
    ----------
    network : brian2.Network
        What is about to run.
    namespace : dict
        The names around the call of ``run``.

    Raises
    ------
    InputError
        If constants are equal that Brian2's ``exact`` needs to differ, as in ``g*tau_s*(...)/(tau_m - tau_s)``, or
        differ by less than a billionth: then each step loses all but seven digits.
    """
    run = Run.of(network, 0.0, namespace)
    for each in run.objects:
        if not isinstance(each, (*STATE_UPDATERS, synapses.SynapticPathway)):
            continue
        scope = Scope(each.group, run)
        # Outside the refractory period; within it the divisor is another, and no difference.
        for target, right in statements(each.abstract_code.replace("int(not_refractory)", "1")):
            for divisor, _ in Terms(right).divisors if target.startswith("_") else ():
                value, sizes = scope.find(divisor), [scope.find(summand) for summand in summands(divisor)]
                at = -1 if value is None else _cancelled(value, sizes)
                if value is not None and at >= 0:
                    raise InputError(
                        f"{each.group.name}: the solution for {target.strip('_')} divides by {ast.unparse(divisor)}, "
                        f"which is 0 but for rounding{_place(value, at)}; expected constants that differ; write one "
                        "name for those that are equal, or choose method='exponential_euler' or method='rk4'"
                    )


def first_nonfinite(arrays: Iterable[NDArray]) -> tuple[int, int] | None:
    """Find the first number that is NaN or infinite.

    Parameters
    ----------
    arrays : iterable of ndarray
        Arrays of any shape.

    Returns
    -------
    tuple of int, or None
        Which array, and which element of it (flat); None where all numbers are finite.

    Examples
    --------
    >>> first_nonfinite([np.zeros(3), np.array([1.0, np.inf])])
    (1, 1)
    """
    for number, array in enumerate(arrays):
        at = _first_outside(_flat(array), -_LARGEST, _LARGEST)
        if at >= 0:
            return number, at
    return None


def diverged(name: str, index: int, value: float | Quantity, since: float, until: float) -> str:
    """Return the sentence for a state that became NaN or infinite during a run.

    Parameters
    ----------
    name : str
        Object and variable, such as ``"neurongroup.v"``.
    index : int
        Which neuron or synapse.
    value : float or Quantity
        What it became.
    since, until : float
        The times of the last look that found it finite, and of this one [s].

    Examples
    --------
    >>> print(diverged("neurongroup.v", 3, float("nan"), 0.0, 0.01))
    neurongroup.v: got nan at index 3 between t = 0. s and t = 10. ms; expected finite numbers; reduce dt, ...
    """
    return (
        f"{name}: got {_text(value)} at index {index} between t = {since * second} and t = {until * second}; "
        "expected finite numbers; reduce dt, choose another method, or look for weights and inputs that are too large"
    )


def _check_state_updater(updater: CodeRunner, run: Run) -> None:
    group = updater.group
    _check_equations(group, group.equations, run, updater.method_choice in _STABLE)
    refractory = getattr(group, "_refractory", False)
    if isinstance(refractory, str):
        refractory = Scope(group, run).find(right_side(refractory))
    if isinstance(refractory, Quantity) and refractory.dim is second.dim:
        # An infinite period counts as none in Brian2, whose integer steps overflow.
        allowed = "a finite time of 0*ms or more; for silence after the first spike write refractory='True'"
        _within(f"{group.name}.refractory", refractory, 0.0, _LARGEST, allowed)


def _check_equations(group: Group, equations: Equations, run: Run, is_stable: bool) -> None:
    """Check the state of differential equations, and what their right-hand sides are made of."""
    scope = Scope(group, run)
    meanings = scope.meanings()
    for state in equations.diff_eq_names:
        _finite(f"{group.name}.{state}", with_unit(group.variables[state]), "start from finite values")
        terms = Terms(right_side(equations[state].expr.code), state, meanings)
        _check_terms(terms, scope, f"d{state}/dt")
        for divisor, decay in terms.divisors:
            if decay:
                _check_decay(divisor, scope, state, is_stable)


def _check_terms(terms: Terms, scope: Scope, place: str) -> None:
    """Check that what is added or multiplied is finite, and what divides is not zero."""
    name = scope.owner.name
    for factor in terms.factors:
        value = scope.find(factor)
        if value is not None:
            _finite(f"{name}: {ast.unparse(factor)} in {place}", value, "set it before the run")
    for divisor, _ in terms.divisors:
        value = scope.find(divisor)
        if value is not None:
            what = f"{name}: {ast.unparse(divisor)}, which divides in {place}"
            _within(what, value, _SMALLEST, np.inf, "a number other than 0; set it before the run", np.abs(value))


def _check_decay(divisor: ast.expr, scope: Scope, state: str, is_stable: bool) -> None:
    """Check that what divides a decay is positive, where it is a time or a capacitance."""
    value = scope.find(divisor)
    if value is None or value.dim not in _NEVER_NEGATIVE:
        return
    name, text, dt = scope.owner.name, ast.unparse(divisor), scope.owner.clock.dt
    what = "time constant" if value.dim is second.dim else "capacitance"
    allowed = f"a positive {what}; for growth write the term with a plus sign"
    _within(f"{name}: {text}, which divides the decay of {state}", value, _SMALLEST, np.inf, allowed)
    is_named = isinstance(divisor, ast.Name) and divisor.id not in DEFAULT_UNITS
    if is_named and not is_stable and value.dim is second.dim and np.min(value, initial=np.inf) < 2 * dt:
        _logger.warn(
            f"{name}: dt is {dt}, more than half of {text} = {np.min(value)}: with a method other than 'exact' or "
            f"'exponential_euler' {state} is inaccurate or diverges; reduce dt.",
            "large_dt",
            once=True,
        )


def _check_cable(updater: SpatialStateUpdater, run: Run) -> None:
    neuron = updater.group
    _finite(f"{neuron.name}.v", with_unit(neuron.variables["v"]), "start from finite values")
    for name in ("Cm", "Ri"):
        _within(f"{neuron.name}.{name}", with_unit(neuron.variables[name]), _SMALLEST, _LARGEST, "a positive number")


def _check_pathway(pathway: synapses.SynapticPathway, run: Run) -> None:
    parent = pathway.synapses
    if parent.event_driven is not None:
        _check_equations(parent, parent.event_driven, run, True)
    longest = _MOST_STEPS * float(pathway.source.clock.dt)
    allowed = "a finite delay of 0*ms or more, and less than 2**31 steps"
    _within(f"{pathway.name}.delay", with_unit(pathway.variables["delay"]), 0.0, longest, allowed)


def _check_grid(pathways: Iterable[synapses.SynapticPathway]) -> None:
    """Refuse delays that would vanish by rounding to whole steps, and say once how many are rounded."""
    rounded = {}
    for pathway in pathways:
        delay, dt = with_unit(pathway.variables["delay"]), pathway.source.clock.dt
        vanishing, count = _rounding(_flat(delay), float(dt))
        # One in a hundred of the delays of rand()*10*ms is as short as that, and is meant to be: it is rounded.
        if vanishing and vanishing == np.size(delay):
            at = np.flatnonzero((delay > 0 * second) & (delay < dt / 2))[0]
            raise InputError(
                f"{pathway.name}.delay: got {delay[at]}{_place(delay, at)}, which rounds to no step at all of dt = "
                f'{dt}; expected 0*ms, or {dt / 2} and more; set it so, reduce dt, or choose engine="event", which '
                "keeps delays as they are"
            )
        if count:
            rounded[pathway.name] = count
    if rounded:
        each = ", ".join(f"{count} of {name}" for name, count in rounded.items())
        _logger.warn(
            f"{sum(rounded.values())} delays are no multiples of dt and are rounded to whole steps: {each}; "
            'engine="event" keeps them as they are.',
            "rounded_delays",
            once=True,
        )


def _check_code(runner: CodeRunner, run: Run) -> None:
    """Check what the code of resets, pathways and regular operations adds to the state of neurons or synapses."""
    owner = runner.group
    scope = Scope(owner, run)
    meanings = scope.meanings()
    for target, right in statements(code_of(runner)):
        variable = owner.variables.get(target)
        if not isinstance(variable, ArrayVariable):
            meanings[target] = right
        elif _is_state(variable, owner):
            terms = Terms(right, meanings=meanings)
            _check_terms(terms, scope, f"the code of {runner.name} for {target}")
            for factor in terms.factors:
                if scope.find(factor) is None:
                    _check_weight(ast.unparse(factor), owner)


def _is_state(variable: ArrayVariable, owner: Group) -> bool:
    """Tell whether a variable is integrated, or a neuron's that synapses write."""
    own = getattr(variable.owner, "equations", None)
    is_integrated = isinstance(own, Equations) and variable.name in own.diff_eq_names
    return is_integrated or (isinstance(owner, synapses.Synapses) and variable.owner.name != owner.name)


def _check_weight(name: str, owner: Group) -> None:
    """Check a synaptic variable that is added to the state, although the network changes it later."""
    weight = owner.variables.get(name)
    if isinstance(owner, synapses.Synapses) and isinstance(weight, ArrayVariable) and weight.owner.name == owner.name:
        _finite(f"{owner.name}.{name}", with_unit(weight), "set it for every synapse before the run")


def _check_threshold(thresholder: neurongroup.Thresholder, run: Run) -> None:
    group, text = thresholder.group, thresholder.group.events[thresholder.event]
    scope, tree = Scope(group, run), right_side(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for factor in Terms(node.left).factors + Terms(node.comparators[0]).factors:
                value = scope.find(factor)
                if value is not None:
                    # An infinite threshold is never reached, as it says; with NaN every comparison is false.
                    name = f"{group.name}: {ast.unparse(factor)} in the condition {text!r}"
                    _within(name, value, -np.inf, np.inf, "a number; set it before the run")
    if group._refractory is False and isinstance(tree, ast.Compare) and isinstance(tree.ops[0], ast.Gt | ast.GtE):
        _warn_of_reset(thresholder, tree, scope)


def _warn_of_reset(thresholder: neurongroup.Thresholder, condition: ast.Compare, scope: Scope) -> None:
    """Warn of a reset to where the neuron fires again at the next step."""
    group, exceeds = thresholder.group, operator.gt if isinstance(condition.ops[0], ast.Gt) else operator.ge
    threshold = scope.find(condition.comparators[0])
    for target, right in statements(group.event_codes.get(thresholder.event) or ""):
        reset = scope.find(right) if target == ast.unparse(condition.left) else None
        if threshold is None or reset is None or reset.dim is not threshold.dim:
            continue
        if np.any(exceeds(reset, threshold)):
            _logger.warn(
                f"{group.name}: the reset to {target} = {ast.unparse(right)} satisfies the condition "
                f"{ast.unparse(condition)!r} for a spike, and there is no refractory period.",
                "reset_above_threshold",
                once=True,
            )


def _check_poisson_group(group: PoissonGroup, run: Run) -> None:
    rates = group.variables["rates"]
    if isinstance(rates, Subexpression):
        check_code(f"rates = {rates.expr}", group.name)
        value = Scope(group, run).find(right_side(rates.expr))
    else:
        value = with_unit(rates)
    if value is not None:
        _check_rate(f"{group.name}.rates", value, group.clock.dt)


def _check_poisson_input(source: PoissonInput, run: Run) -> None:
    _check_rate(f"{source.name}.rate", Quantity(source.rate), source.clock.dt)
    if isinstance(source.N, bool | np.bool_) or not 0 <= source.N <= _LARGEST or source.N % 1:
        raise InputError(f"{source.name}.N: got {source.N}; expected a whole number of inputs, such as 100")
    if not isinstance(source.weight, str):
        _finite(f"{source.name}.weight", Quantity(source.weight), "such as 1*mV")


def _check_rate(name: str, rate: Quantity, dt: Quantity) -> None:
    allowed = f"a rate from 0*Hz to {1 / dt}, which is one spike per step; reduce the rate or dt"
    _within(name, rate, 0.0, float(1 / dt) * _ROUNDED, allowed)


def _check_spikes(group: SpikeGeneratorGroup, run: Run) -> None:
    times = with_unit(group.variables["spike_time"])
    _within(f"{group.name}.spike_time", times, 0.0, _LARGEST, "finite times of 0*ms or more")
    asked = np.asarray(group._neuron_index)
    _within(f"{group.name}.neuron_index", asked, 0.0, 0.0, "whole numbers, such as 3", asked % 1)
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        raise InputError(
            f"{group.name}.spike_time: got {times[back[0] + 1]} after {times[back[0]]} at index {back[0] + 1}; "
            "expected sorted times; leave out sorted=True"
        )


_CHECKS: dict[type | tuple[type, ...], Callable] = {
    STATE_UPDATERS: _check_state_updater,
    SpatialStateUpdater: _check_cable,
    synapses.SynapticPathway: _check_pathway,
    neurongroup.Thresholder: _check_threshold,
    CodeRunner: _check_code,
    PoissonGroup: _check_poisson_group,
    PoissonInput: _check_poisson_input,
    SpikeGeneratorGroup: _check_spikes,
}


def _finite(name: str, value: Quantity, advice: str) -> None:
    _within(name, value, -_LARGEST, _LARGEST, f"finite numbers; {advice}")


def _within(name: str, value: NDArray, low: float, high: float, expected: str, tested: NDArray | None = None) -> None:
    """Refuse a quantity unless each element of it, or of what is ``tested`` in its place, is in [low, high]."""
    at = _first_outside(_flat(value if tested is None else tested), low, high)
    if at >= 0:
        got = Quantity(_flat(value)[at], dim=get_dimensions(value))
        raise InputError(f"{name}: got {_text(got)}{_place(value, at)}; expected {expected}")


def _text(value: float | Quantity) -> str:
    """Return the value with its unit; Brian2 itself looks for the best prefix, and writes inf YV."""
    dim = get_dimensions(value)
    if np.isfinite(value):
        return str(value)
    return f"{float(value)}" if dim is DIMENSIONLESS else f"{float(value)} {get_unit(dim)!s}"


def _place(value: NDArray, at: int) -> str:
    return f" at index {at}" if np.size(value) > 1 else ""


def _flat(value: NDArray) -> NDArray:
    array = np.asarray(value)
    return np.ascontiguousarray(array if array.dtype.kind == "f" else array.astype(np.float64)).reshape(-1)


def _cancelled(value: Quantity, sizes: list[Quantity | None]) -> int:
    """Return where a sum is so much smaller than its terms that rounding decides its value; -1 if nowhere."""
    scale = sum(np.abs(np.asarray(each)) for each in sizes if each is not None)
    ratio = np.abs(np.asarray(value)) >= np.maximum(_DIFFERENT * scale, _SMALLEST)
    return _first_outside(_flat(ratio), 1.0, 1.0)


def _first_outside(array: NDArray, low: float, high: float) -> int:
    """Return the index of the first element that is not in [low, high], as NaN is not; -1 where there is none."""
    # In double precision, whatever the array's: the largest double is infinite in single.
    low, high = np.float64(low), np.float64(high)
    for begin in range(0, array.size, _PART):
        part = array[begin : begin + _PART]
        inside = (part >= low) & (part <= high)
        if not inside.all():
            return begin + int(np.argmin(inside))
    return -1


def _rounding(delay: NDArray, dt: float) -> tuple[int, int]:
    """Count the delays of trunc(delay/dt + 1/2) = 0 steps that are not 0, and those off the grid."""
    vanishing, rounded = 0, 0
    for begin in range(0, delay.size, _PART):
        steps = delay[begin : begin + _PART] / dt
        whole = np.floor(steps + 0.5)
        vanishing += int(np.count_nonzero((whole == 0.0) & (steps > 0.0)))
        rounded += int(np.count_nonzero(np.abs(steps - whole) > ON_GRID))
    return vanishing, rounded
