"""The closed form of a flow for the values that its parameters have now: tables of numbers for the compiled loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.crossing import Functions, functions
from bionet.spiking.expressions import Node
from bionet.spiking.flow import Flow, LinearSystem, NotLinearError, evaluated
from bionet.spiking.modes import Modes, Term, solve

#: Neurons with different time constants are solved one by one, each in some milliseconds.
MOST_CLASSES = 2000
_CONSTANT = Term(0.0, 0.0, 0, 0)


@dataclass(frozen=True)
class Pattern:
    """What is alike in the solutions of all neurons of a flow: enough to print them.

    Attributes
    ----------
    terms : tuple of (int, int, bool)
        Power, wave and whether the rate is 0, of each term.
    entries : tuple of (int, int, int)
        Term, row and column of each coefficient that is not 0 in all of them.
    distance : tuple of (int, int)
        The same of the distance to threshold: term and column.
    is_plain : bool
        Whether all terms are a constant and decaying exponentials.
    """

    terms: tuple[tuple[int, int, bool], ...]
    entries: tuple[tuple[int, int, int], ...]
    distance: tuple[tuple[int, int], ...]
    is_plain: bool


@dataclass(frozen=True)
class Solution:
    """The solutions of all neurons of a flow.

    Attributes
    ----------
    pattern : Pattern
    table : float array, shape (n_classes, n_entries + n_distance)
        The coefficients.
    functions : list of Functions
        The terms of each class.
    """

    pattern: Pattern
    table: NDArray
    functions: list[Functions]


@dataclass(frozen=True)
class ClosedForm:
    """A flow's solution.

    Attributes
    ----------
    free, clamped : Solution
        Outside the refractory period, and within it; the same where nothing stands still.
    n_inputs : int
        Constant drives, columns of the solution behind those of the states; where a refractory period is a condition,
        the last one is that part of its distance from its end that depends on no state.
    inputs : float array, shape (n_neurons or 1, n_inputs + 1)
        Their values, and behind them the distance's part that depends on no state.
    classes : int64 array, shape (n_neurons,) or (1,)
        Which solution is a neuron's.
    """

    free: Solution
    clamped: Solution
    n_inputs: int
    inputs: NDArray
    classes: NDArray

    @property
    def shape(self) -> tuple:
        """What printed code depends on."""
        many = (len(self.inputs) > 1, len(self.classes) > 1)
        return self.free.pattern, self.clamped.pattern, self.n_inputs, many


def closed_form(
    flow: Flow, system: LinearSystem, values: Mapping[str, NDArray | float], program: p.Program
) -> ClosedForm:
    """Solve a flow's equations.

    Parameters
    ----------
    flow : Flow
    system : LinearSystem
        Its equations.
    values : mapping of str to array or float
        What the names in its code stand for.
    program : Program
        Holds constants.

    Raises
    ------
    NotLinearError
        If neurons differ in the form of their solutions, or in more time constants than can be solved one by one.
    """
    n = len(flow.states)
    scalars = dict(values)
    for each in flow.code.scalar:
        scalars[each.target] = evaluated(each.value, scalars, flow.code, program)

    def number(tree: Node | None) -> NDArray:
        return (
            np.zeros(1)
            if tree is None
            else np.atleast_1d(np.asarray(evaluated(tree, scalars, flow.code, program), float))
        )

    drives = [number(each) for each in system.drive]
    driven = [i for i in range(n) if system.drive[i] is not None]
    of_hold = [number(system.hold_offset)] if flow.released_at else []
    size = n + len(driven) + len(of_hold)
    elements = [[number(each) for each in row] for row in system.matrix]
    gradient = [number(each) for each in system.gradient]
    hold = [number(each) for each in system.hold]
    offset = number(system.offset)
    wide = np.broadcast_arrays(*[x for row in elements for x in row], *gradient, *hold)
    stacked = np.stack(wide, axis=1) if wide else np.zeros((1, 0))
    distinct, classes = np.unique(stacked, axis=0, return_inverse=True)
    if len(distinct) > MOST_CLASSES:
        raise NotLinearError(f"{len(distinct)} neurons differ in their time constants")
    inputs = np.stack(np.broadcast_arrays(*[drives[i] for i in driven], *of_hold, offset), axis=1)
    free, clamped = [], []
    for row in distinct:
        matrix = np.zeros((size, size))
        matrix[:n, :n] = row[: n * n].reshape(n, n)
        for column, i in enumerate(driven):
            matrix[i, n + column] = 1.0
        free.append(_with_constant(solve(matrix)))
        still = [i for i in range(n) if flow.clamped[i]]
        if (still and flow.refractory) or flow.released_at:
            matrix[still] = 0.0
            clamped.append(_with_constant(solve(matrix)))
    gradients, holds = distinct[:, n * n : n * n + n], distinct[:, n * n + n :]
    solution = _solution(free, gradients, n)
    if flow.hazard is not None and not _is_bounded_by_ends(solution):
        raise NotLinearError("the rate of its spikes may fall below 0 between events")
    return ClosedForm(
        solution,
        _solution(clamped, holds if flow.released_at else gradients, n) if clamped else solution,
        len(driven) + len(of_hold),
        np.ascontiguousarray(inputs),
        classes.astype(np.int64).reshape(-1) if len(distinct) > 1 else np.zeros(1, np.int64),
    )


def _is_bounded_by_ends(solution: Solution) -> bool:
    """Tell whether a distance is a constant, a multiple of the time and one decaying exponential at most.

    Then its slope stays between what it is now and what it will be.
    """
    terms = solution.pattern.terms
    moving = {q for q, _ in solution.pattern.distance if terms[q] not in ((0, 0, True), (1, 0, True))}
    decays = all(each.alpha[q] < 0 for each in solution.functions for q in moving)
    return len(moving) <= 1 and decays and all(terms[q][:2] == (0, 0) for q in moving)


def _with_constant(modes: Modes) -> Modes:
    if _CONSTANT in modes.terms:
        return modes
    terms = tuple(sorted((_CONSTANT, *modes.terms), key=lambda term: (-term.alpha, term.omega, term.power, term.wave)))
    nothing = np.zeros(modes.coefficients.shape[1:])
    known = dict(zip(modes.terms, modes.coefficients, strict=True))
    return Modes(terms, np.array([known.get(term, nothing) for term in terms]))


def _solution(modes: list[Modes], gradients: NDArray, n: int) -> Solution:
    kinds = [tuple((term.power, term.wave, term.alpha == 0) for term in each.terms) for each in modes]
    if any(each != kinds[0] for each in kinds):
        raise NotLinearError("the solutions of its neurons differ in form: some have equal time constants")
    coefficients = np.array([each.coefficients for each in modes])
    distance = np.einsum("ci,cqij->cqj", gradients, coefficients[:, :, :n, :])
    entries = np.argwhere(np.any(coefficients[:, :, :n, :] != 0, axis=0))
    of_distance = np.argwhere(np.any(distance != 0, axis=0))
    table = np.concatenate(
        [
            coefficients[:, entries[:, 0], entries[:, 1], entries[:, 2]],
            distance[:, of_distance[:, 0], of_distance[:, 1]],
        ],
        axis=1,
    )
    is_plain = all(term.alpha <= 0 and term.power == term.wave == 0 for each in modes for term in each.terms)
    pattern = Pattern(kinds[0], tuple(map(tuple, entries.tolist())), tuple(map(tuple, of_distance.tolist())), is_plain)
    return Solution(pattern, np.ascontiguousarray(table), [functions(each.terms) for each in modes])
