r"""How long a neuron with a linear step can be left alone: powers of its matrix, and bounds of how far it may rise.

One step makes :math:`x \to M x + c`. With the state of rest :math:`s = M s + c`, k steps make
:math:`x \to s + M^k (x - s)`, and the distance to threshold after them is

.. math:: g^\top M^k (x - s) + g^\top s + d.

Of each element of the row :math:`g^\top M^k` the greatest and the least value over 1, 2, 3..4, 5..8, ... steps are
known; so the distance during each of these stretches has a bound, and where it is below 0 there is no spike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.expressions import Node
from bionet.spiking.flow import Affine, NotLinearError, evaluated
from bionet.spiking.linear_step import Form, LinearStep, key

#: Up to so many different matrices, powers have digits of 4 bits; of more, of one.
_FEW = 32
#: Neurons that differ in their time constants by more than so many kinds take too much memory.
MOST_KINDS = 20_000
#: Steps that are looked at ahead: for few kinds of neurons, for many; and of how many kinds at a time.
_FARTHEST, _FAR, _AT_A_TIME = 1 << 14, 1 << 10, 64
#: Of the size of the terms of a distance: less than this is rounding.
_ROUNDING = 1e-11
#: A state that moves by less than this part in a step does not come to rest.
_STILL = 1e-7


@dataclass(frozen=True)
class Silence:
    """Tables for the neurons of a group.

    Attributes
    ----------
    shift : float array, shape (n_neurons or 1, n_states + 1)
        The state of rest, and how far it is above threshold.
    kinds : uint64 array, shape (n_neurons,) or (1,)
        Which matrix is a neuron's.
    bits : int
        Of a digit of a power.
    powers : float array, shape (n_kinds, n_digits * 2**bits, n_entries)
        The powers :math:`M^{d B^p}` of each digit d at each place p, B being 2**bits; only the elements `entries`.
    reach : float array, shape (n_kinds, n_stretches + 1, n_states, 2)
        The greatest and the least value of each element of the row, over all steps and then over each stretch.
    farthest : int
        How many steps ahead is known.
    """

    shift: NDArray
    kinds: NDArray
    bits: int
    powers: NDArray
    reach: NDArray
    farthest: int


def entries(step: LinearStep) -> list[tuple[int, int]]:
    """Return the (row, column) of the elements that are not 0 in all powers of the matrix of a step."""
    n = len(step.states)
    filled = np.eye(n, dtype=bool)
    for row, each in enumerate(step.step.sums):
        for column, array in enumerate(step.states):
            filled[row, column] |= key(array) in each.slopes
    for _ in range(n):
        filled = filled @ filled
    return [(int(row), int(column)) for row, column in np.argwhere(filled)]


def silence(step: LinearStep, arrays: Sequence[NDArray], program: p.Program) -> Silence:
    """Return the tables of a group, for the values that its parameters have now.

    Parameters
    ----------
    step : LinearStep
    arrays : sequence of array
        The memory of the program's arrays.
    program : Program

    Raises
    ------
    NotLinearError
        If a neuron has no state of rest, or neurons differ in too many time constants.
    """
    n = len(step.states)
    step_numbers, threshold_numbers = (_Numbers(form, arrays, program) for form in (step.step, step.distance))
    elements = [step_numbers.slope(each, array) for each in step.step.sums for array in step.states]
    gradient = [threshold_numbers.slope(step.distance.sums[0], array) for array in step.states]
    drive = [step_numbers.rest(each) for each in step.step.sums]
    offset = threshold_numbers.rest(step.distance.sums[0])
    rows = np.stack(np.broadcast_arrays(*elements, *gradient), axis=1)
    distinct, kinds = np.unique(rows, axis=0, return_inverse=True) if len(rows) > 1 else (rows, np.zeros(1, int))
    if len(distinct) > MOST_KINDS:
        raise NotLinearError(f"{len(distinct)} of its neurons differ in their time constants")
    kinds = kinds.reshape(-1) if len(distinct) > 1 else np.zeros(1, int)
    matrices, gradients = distinct[:, : n * n].reshape(-1, n, n), distinct[:, n * n :]
    constants = np.stack(np.broadcast_arrays(*drive, offset), axis=1)
    rest = _rest(matrices, constants[:, :n], kinds)
    at_rest = gradients[kinds] * rest
    high = at_rest.sum(1) + constants[:, n] + _ROUNDING * (np.abs(at_rest).sum(1) + np.abs(constants[:, n]))
    shift = np.concatenate([rest, high[:, None]], axis=1)
    bits = 4 if len(distinct) <= _FEW else 1
    farthest = _FARTHEST if len(distinct) <= _AT_A_TIME else _FAR
    parts = [slice(begin, begin + _AT_A_TIME) for begin in range(0, len(distinct), _AT_A_TIME)]
    reach = np.concatenate([_reach(matrices[part], gradients[part], farthest) for part in parts])
    return Silence(
        np.ascontiguousarray(shift),
        kinds.astype(np.uint64),
        bits,
        _powers(matrices, bits, entries(step)),
        reach,
        farthest,
    )


class _Numbers:
    """The values of what a form is made of."""

    def __init__(self, form: Form, arrays: Sequence[NDArray], program: p.Program) -> None:
        self.code, self.program = form.code, program
        self.values: dict[str, NDArray | float] = {}
        for name, reference in form.code.names.items():
            if isinstance(reference, p.Reference):
                self.values[name] = self._read(form.code, reference, arrays)
        # The tables are those of neurons that are not refractory.
        self.values["not_refractory"] = True
        for name, tree in form.numbers:
            self.values[name] = evaluated(tree, self.values, self.code, program)

    def _read(self, code: p.Code, reference: p.Reference, arrays: Sequence[NDArray]) -> NDArray | float:
        memory = arrays[reference.array]
        if reference.index == "0":
            return memory[0]
        if reference.index == "_idx":
            return memory
        index = code.names[reference.index]
        assert isinstance(index, p.Reference)
        return memory[np.asarray(self._read(code, index, arrays))]

    def _of(self, tree: Node | None) -> NDArray:
        value = 0.0 if tree is None else evaluated(tree, self.values, self.code, self.program)
        return np.atleast_1d(np.asarray(value, float))

    def slope(self, form: Affine, array: int) -> NDArray:
        """Return by how much a sum grows with a state."""
        return self._of(form.slopes.get(key(array)))

    def rest(self, form: Affine) -> NDArray:
        """Return the part of a sum that depends on no state."""
        return self._of(form.rest)


def _rest(matrices: NDArray, constants: NDArray, kinds: NDArray) -> NDArray:
    """Return the states of rest; of a state that nothing moves, 0."""
    n = matrices.shape[1]
    moving = [i for i in range(n) if np.any(matrices[:, i] != np.eye(n)[i]) or np.any(constants[:, i])]
    if not (np.all(np.isfinite(matrices)) and np.all(np.isfinite(constants))):
        raise NotLinearError("its parameters are not finite")
    rest = np.zeros((max(len(kinds), len(constants)), n))
    if not moving:
        return rest
    places = np.ix_(range(len(matrices)), moving, moving)
    exact = (np.eye(n) - matrices.astype(np.longdouble))[places]
    if np.any(np.abs(np.linalg.eigvals(exact.astype(float))) < _STILL):
        raise NotLinearError("it has no state of rest, as a perfect integrator has none")
    inverse = np.linalg.inv(exact.astype(float))
    wanted = np.broadcast_to(constants[:, moving], (len(rest), len(moving))).astype(np.longdouble)
    found = np.zeros_like(wanted)
    for _ in range(3):
        missing = wanted - np.einsum("kij,kj->ki", exact[kinds], found)
        found = found + np.einsum("kij,kj->ki", inverse[kinds], missing)
    rest[:, moving] = found
    return rest


def _powers(matrices: NDArray, bits: int, wanted: list[tuple[int, int]]) -> NDArray:
    """Return the powers of matrices for each digit of a number of 32 bits."""
    n = matrices.shape[1]
    base = np.array(matrices, np.longdouble)
    found = []
    for _ in range(32 // bits):
        power = np.broadcast_to(np.eye(n, dtype=np.longdouble), base.shape)
        for _ in range(1 << bits):
            found.append(power)
            power = _product(power, base)
        base = power
    rows, columns = zip(*wanted, strict=True)
    table = np.stack(found, axis=1)[:, :, rows, columns].astype(float)
    # Numbers with fewer digits are slow, and nothing beside the others.
    table[np.abs(table) < 1e-300] = 0.0
    return np.ascontiguousarray(table)


def _product(a: NDArray, b: NDArray) -> NDArray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("kij,kjl->kil", a, b)


def _reach(matrices: NDArray, gradients: NDArray, farthest: int) -> NDArray:
    """Return the bounds of the rows :math:`g^T M^k` over all steps, and over 1, 2, 3..4, 5..8, ... steps."""
    rows = np.einsum("ki,kij->kj", gradients, matrices)[:, None, :]
    power = matrices
    while rows.shape[1] < farthest:
        rows = np.concatenate([rows, rows @ power], axis=1)
        power = _product(power, power)
    if not np.all(np.isfinite(rows)):
        raise NotLinearError("its states grow without bound")
    ends = [0, 1, *(1 << np.arange(1, rows.shape[1].bit_length()))]
    stretches = [rows, *(rows[:, start:stop] for start, stop in pairwise(ends))]
    bounds = np.stack([np.stack([each.max(1), each.min(1)], axis=2) for each in stretches], axis=1)
    room = _ROUNDING * np.abs(rows).max(1)[:, None, :, None]
    return np.ascontiguousarray(bounds + room * np.array([1.0, -1.0]))
