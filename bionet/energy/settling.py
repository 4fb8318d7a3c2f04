"""How states of -1/+1 units follow their fields: one unit at a time, or all at once; coldly, or with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.special import expit

from bionet.kernels.cpu.bitwise import pack, products
from bionet.kernels.cpu.blas import ADDRESS, single
from bionet.kernels.cpu.hopfield import add_products, largest_column
from bionet.kernels.cpu.overlaps import are_hebbs, settle
from bionet.kernels.devices import CPU, Kernels
from bionet.random import Stream

Floats = NDArray[np.float64]
States = NDArray[np.int8]

UPDATES = ("asynchronous", "synchronous")
SINGLE = 2**24
"""Below it whole numbers are exact in single precision."""
PANEL = 1024
"""Rows of the weights that are summed in their own precision, before they enter the fields in double precision."""
FEWEST = 16
"""States whose fields are computed together at least: a product with fewer rows takes another way in the library."""


def energy(states: ArrayLike, weights: NDArray[np.floating], bias: Floats | float = 0.0) -> Floats:
    r"""Return :math:`E(s) = -s^\top J s / 2 - b^\top s` of each state, dimensionless.

    Parameters
    ----------
    states : array, shape (..., n_units)
        -1 or +1.
    weights : float array, shape (n_units, n_units)
        Symmetric.
    bias : float array, shape (n_units,), or float

    Examples
    --------
    >>> energy([[1, 1], [1, -1]], np.array([[0.0, 0.5], [0.5, 0.0]])).tolist()
    [-0.5, 0.5]
    """
    s = np.asarray(states, dtype=np.float64)
    return -(s * (0.5 * (s @ weights) + bias)).sum(axis=-1)


@dataclass(frozen=True)
class Recall:
    """What recall ended with.

    Attributes
    ----------
    states : int8 array, shape (n_samples, n_units)
        The last states.
    sweeps : int64 array, shape (n_samples,)
        Sweeps made, the last one, which changed nothing, included.
    energies : float array, shape (n_sweeps + 1, n_samples)
        At the start and after each sweep, dimensionless; what has settled keeps its own.
    period : int8 array, shape (n_samples,)
        1 for a fixed point, 2 for two states that follow one another for ever (synchronous updates only), 0 where the
        sweeps ran out first.
    trajectory : int8 array, shape (n_sweeps + 1, n_samples, n_units), or None
        The states at the start and after each sweep; what has settled stays.
    kind : array of str, shape (n_samples,), or None
        What was reached: ``"stored"``, ``"reversed"``, ``"mixture"`` or ``"spurious"``.
    pattern : int64 array, shape (n_samples,), or None
        The stored pattern that the last state is nearest to, or farthest from, whichever is more.
    """

    states: States
    sweeps: NDArray[np.int64]
    energies: Floats
    period: NDArray[np.int8]
    trajectory: States | None = None
    kind: NDArray[np.str_] | None = None
    pattern: NDArray[np.int64] | None = None

    @property
    def energy(self) -> Floats:
        """Of the last states, dimensionless, shape (n_samples,)."""
        return self.energies[-1]

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Whether a sweep changed nothing, shape (n_samples,)."""
        return self.period == 1


def recall(
    states: ArrayLike,
    weights: NDArray[np.floating],
    bias: Floats,
    free: NDArray[np.bool_],
    max_sweeps: int,
    stream: Stream,
    record: bool = False,
    update: str = "asynchronous",
    temperature: float = 0.0,
    on: Kernels = CPU,
    patterns: States | None = None,
) -> Recall:
    """Let the free units of each state follow their fields until none wants to change.

    Parameters
    ----------
    states : array, shape (n_samples, n_units)
        -1, +1, or 0 for a unit that is silent.
    weights : float array, shape (n_units, n_units)
        Dimensionless, from the unit of the row to the unit of the column, in single or double precision.
    bias : float array, shape (n_units,)
    free : bool array, shape (n_units,)
        The units that may change.
    max_sweeps : int
    stream : Stream
        Draws the order of the units, and the noise.
    record : bool
        Whether to keep the trajectory.
    update : {"asynchronous", "synchronous"}
        One unit at a time, in a fresh random order each sweep, or all at once.
    temperature : float
        0, or that of Glauber's dynamics (one at a time) or Little's (all at once): +1 with probability
        1 / (1 + exp(-2 field / temperature)). With noise all sweeps are made.
    on : Kernels
        Of the device to compute on.
    patterns : int8 array, shape (n_patterns, n_units), optional
        -1 or +1, as the states then are: what the weights may be Hebb's of. One by one, units then follow sums over
        the patterns instead of the weights, which is exact and takes less, if it is so to the last bit.

    Notes
    -----
    A field within rounding of zero counts as zero and keeps the state, so the energy falls with every asynchronous
    change. All states follow the same orders, so without noise what becomes of one does not depend on the others it is
    recalled with.

    Examples
    --------
    >>> J = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> recall([[1, -1]], J, np.zeros(2), np.array([False, True]), 9, Stream(0, "order")).states.tolist()
    [[1, 1]]
    """
    ends, bias = np.array(states, dtype=np.int8, order="C"), np.array(bias, dtype=np.float64)
    weights = np.asarray(weights, order="C")
    if weights.dtype != np.float32:
        weights = np.asarray(weights, dtype=np.float64)
    if not weights.flags.writeable:
        # Numba compiles a second time for arrays that are read-only.
        weights = weights.copy()
    may_be = update == "asynchronous" and on is CPU and not bias.any()
    # To find out takes less than a pass over the weights, and to go without takes at least two.
    if may_be and patterns is not None and 2 * len(patterns) <= len(bias) and are_those_of(weights, patterns, stream):
        given = ends, weights, patterns, np.flatnonzero(free), float(temperature), max_sweeps, stream
        return _by_overlaps(*given, record)
    top = float(largest_column(weights))
    tie = np.finfo(weights.dtype).eps * top + len(bias) * np.finfo(float).eps * (top + float(np.abs(bias).max()))
    follow = _all_at_once if update == "synchronous" else _one_at_a_time
    return follow(ends, weights, bias, np.asarray(free), tie, float(temperature), max_sweeps, stream, record, on)


def overlaps(states: States, patterns: States) -> Floats:
    """Return m = s'x / N of each state with each pattern, shape (n_samples, n_patterns).

    Examples
    --------
    >>> overlaps(np.array([[1, -1]], dtype=np.int8), np.array([[1, -1], [1, 1]], dtype=np.int8)).tolist()
    [[1.0, 0.0]]
    """
    return _products(states, patterns, np.float64) / states.shape[1]


def kinds(overlap: Floats) -> NDArray[np.str_]:
    """Say what states with these overlaps are, as :meth:`bionet.energy.Hopfield.kind` does.

    Examples
    --------
    >>> kinds(np.array([[1.0, 0.0], [0.0, -1.0], [0.0, 0.1]])).tolist()
    ['stored', 'reversed', 'spurious']
    """
    mixture = (np.abs(overlap) > 0.4).sum(axis=1) >= 3
    cases = [overlap.max(axis=1) > 0.9, overlap.min(axis=1) < -0.9, mixture]
    return np.select(cases, ["stored", "reversed", "mixture"], "spurious")


def fields(states: States, weights: NDArray[np.floating], bias: Floats) -> Floats:
    """Return ``states @ weights + bias`` in double precision, the same for a state whatever its company."""
    n_samples, n_units = states.shape
    padded = np.zeros((-(-n_samples // FEWEST) * FEWEST, n_units), dtype=weights.dtype)
    padded[:n_samples] = states
    total = np.zeros(padded.shape)
    with single():
        add_products(ADDRESS[weights.dtype], padded, weights, PANEL, total)
    total += bias
    return total[:n_samples]


def _products(states: States, patterns: States, dtype: DTypeLike) -> NDArray:
    """Return ``states @ patterns.T``, of tables of -1 and +1."""
    out = np.empty((len(states), len(patterns)), dtype=dtype)
    words, others = (pack(np.ascontiguousarray(table.T))[0] for table in (states, patterns))
    products(words, others, states.shape[1], out)
    return out


def are_those_of(weights: NDArray[np.floating], patterns: States, stream: Stream) -> bool:
    """Return whether weights are Hebb's of the patterns; others are taken for them by a chance of less than 2**-36."""
    n_patterns, n_units = patterns.shape
    most = min(2**26, 2**52 // (n_patterns * n_units))
    probes = np.floor(stream.child("probes").uniform((2, n_units)) * most)
    return are_hebbs(weights, patterns, bool(weights[0, 0]), probes)


def _by_overlaps(
    ends: States,
    weights: NDArray[np.floating],
    patterns: States,
    places: NDArray[np.int64],
    temperature: float,
    max_sweeps: int,
    stream: Stream,
    record: bool,
) -> Recall:
    n_patterns, n_units = patterns.shape
    dtype = np.dtype(np.float32 if n_patterns * n_units < SINGLE else np.float64)
    own = 0 if weights[0, 0] else n_patterns
    words, columns = pack(patterns)[0], np.ascontiguousarray(patterns.T)
    overlap = _products(ends, patterns, dtype)
    notes = _blank(ends.shape, max_sweeps, record)
    how = places, temperature, max_sweeps, *_keys(stream)
    with single():
        settle(ADDRESS[dtype], ends, words, columns, overlap, own, *how, *notes)
    return _ended(ends, *notes)


def _one_at_a_time(
    ends: States,
    weights: NDArray[np.floating],
    bias: Floats,
    free: NDArray[np.bool_],
    tie: float,
    temperature: float,
    max_sweeps: int,
    stream: Stream,
    record: bool,
    on: Kernels,
) -> Recall:
    start, notes = fields(ends, weights, bias), _blank(ends.shape, max_sweeps, record)
    there, how = on.put(ends), (np.flatnonzero(free), tie, temperature, max_sweeps, *_keys(stream))
    on.hopfield.settle(there, on.put(weights), on.put(start), on.put(bias), *how, *notes)
    return _ended(on.get(there), *notes)


def _keys(stream: Stream) -> tuple[np.uint64, np.uint64]:
    """Return the keys of the orders and of the noise."""
    return np.uint64(stream.key), np.uint64(stream.child("noise").key)


def _blank(shape: tuple[int, int], max_sweeps: int, record: bool) -> tuple[States, Floats, NDArray, NDArray]:
    """Return what kernels write to: trajectory, energies, sweeps, and which states are quiet."""
    trajectory = np.empty((max_sweeps + 1 if record else 0, *shape), dtype=np.int8)
    energies, sweeps = np.empty((max_sweeps + 1, shape[0])), np.empty(shape[0], dtype=np.int64)
    return trajectory, energies, sweeps, np.empty(shape[0], dtype=np.bool_)


def _ended(ends: States, trajectory: States, energies: Floats, sweeps: NDArray, quiet: NDArray) -> Recall:
    last = sweeps.max(initial=0) + 1
    kept = trajectory[:last] if len(trajectory) else None
    return Recall(ends, sweeps, energies[:last], quiet.astype(np.int8), kept)


def _all_at_once(
    ends: States,
    weights: NDArray[np.floating],
    bias: Floats,
    free: NDArray[np.bool_],
    tie: float,
    temperature: float,
    max_sweeps: int,
    stream: Stream,
    record: bool,
    on: Kernels,
) -> Recall:
    n_samples = len(ends)
    sweeps, period = np.zeros(n_samples, dtype=np.int64), np.zeros(n_samples, dtype=np.int8)
    before, trajectory, energies = np.zeros_like(ends), [ends], []
    there = on.put(weights), on.put(bias)
    for sweep in range(max_sweeps):
        going = period == 0
        if not going.any():
            break
        field = fields(ends, weights, bias) if on is CPU else on.get(on.hopfield.product(on.put(ends), *there))
        energies.append(-0.5 * (ends * (field + bias)).sum(axis=1))
        if temperature > 0:
            up = stream.child("noise").uniform(ends.shape, sweep) < expit(2.0 * field / temperature)
            wish = np.where(up, 1, -1)
        else:
            wish = np.where(np.abs(field) > tie, np.sign(field), ends)
        after = np.where(free & going[:, None], wish, ends).astype(np.int8)
        sweeps += going
        if temperature == 0:
            period[going & (after == before).all(axis=1)] = 2
            period[going & (after == ends).all(axis=1)] = 1
        before, ends = ends, after
        trajectory.append(ends)
    energies.append(energy(ends, weights, bias))
    return Recall(ends, sweeps, np.array(energies), period, np.array(trajectory) if record else None)
