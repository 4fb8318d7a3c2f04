"""Products of rows of bits by tables of sums, against the same sums made in the same order by NumPy."""

import numba
import numpy as np
import pytest

from bionet.energy.harmonium import conditional
from bionet.energy.units import Bernoulli, Gaussian
from bionet.kernels.cpu.ascent import EXTRA, climb
from bionet.kernels.cpu.bits import MANY_ROWS, read, read_columns
from bionet.kernels.cpu.blas import ADDRESS, single
from bionet.kernels.cpu.vectors import FEW, MANY
from bionet.random import Stream

DRAWS = Stream(0, "test/bits")


def two_valued(shape, low, high, dtype):
    return np.where(DRAWS.uniform(shape, 1) < 0.4, high, low).astype(dtype)


def in_pairs(terms):
    """Return the sum of pairs, then of pairs of those; what is left over comes last."""
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + (terms[-1:] if len(terms) % 2 else [])
    return terms[0]


def sums_in_order(states, weights, low, high):
    """Return states @ weights: a group of neighbours, those of half a word in pairs, then one word after the other."""
    groups = FEW if len(states) < MANY_ROWS else MANY
    n_words = -(-len(weights) // 32)
    weights = np.pad(weights, ((0, 32 * n_words - len(weights)), (0, 0)))
    states = np.pad(states, ((0, 0), (0, len(weights) - states.shape[1])), constant_values=low)
    low, high = weights.dtype.type(low), weights.dtype.type(high)
    total, first = np.zeros((len(states), weights.shape[1]), weights.dtype), 0
    for _ in range(n_words):
        halves = []
        for _ in range(2):
            found = []
            for size in groups:
                found.append(sum_of_group(states[:, first : first + size], weights[first : first + size], low, high))
                first += size
            halves.append(in_pairs(found))
        total = total + (halves[0] + halves[1])
    return total


def sum_of_group(states, weights, low, high):
    """Return what one half of the neighbours adds to all of them at ``low``, and then what the other half adds."""
    all_low, middle = weights[0], len(weights) // 2
    for row in weights[1:]:
        all_low = all_low + row
    parts = []
    for start, which in ((low * all_low, slice(middle)), (0 * all_low, slice(middle, None))):
        entry = np.repeat(start[None], len(states), axis=0)
        for row, state in zip(weights[which], states[:, which].T, strict=True):
            entry = np.where((state == high)[:, None], entry + (high - low) * row, entry)
        parts.append(entry)
    return parts[0] + parts[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 0.3)])
@pytest.mark.parametrize(
    "shape",
    [(100, 32, 32), (91, 33, 47), (60, 79, 50), (33, 500, 250), (159, 100, 80), (161, 105, 83), (203, 250, 500)],
)
def test_fields_of_bits_are_sums_in_a_fixed_order(shape, low, high, turn, dtype):
    n_rows, n_neighbours, n_units = shape
    states, bias = two_valued((n_rows, n_neighbours), low, high, dtype), DRAWS.normal(n_units, 3).astype(dtype)
    weights = DRAWS.normal((n_neighbours, n_units), 2).astype(dtype)
    given = np.ascontiguousarray(weights.T) if turn else weights
    field = np.empty((n_rows, n_units), dtype)
    assert len(read(states, n_units)[0])
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        with single():
            conditional(Gaussian(), states, given, bias, field, turn=turn)
        numba.set_num_threads(before)
        np.testing.assert_array_equal(field, sums_in_order(states, weights, low, high) + bias)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1)])
def test_single_precision_errs_as_little_as_so_few_roundings_can(low, high):
    """A word is one addition, pairs are 3, and a table is 3, or 7 of sums up to three times as large for spins."""
    states, weights = two_valued((50, 784), low, high, "float32"), DRAWS.normal((784, 60), 2).astype("float32")
    field = np.empty((50, 60), "float32")
    conditional(Gaussian(), states, weights, np.zeros(60, "float32"), field)
    exact = states.astype(float) @ weights.astype(float)
    roundings = 25 + 3 + (3 if low == 0 else 3 * 7)
    bound = roundings * 2.0**-24 * np.abs(weights.astype(float)).sum(axis=0)
    assert (np.abs(field - exact) < bound).all()
    assert np.abs(field - exact).max() > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("shape", [(30, 20, 65, 51), (60, 60, 300, 460)])
def test_links_to_bits_move_by_sums_in_a_fixed_order(shape, momentum, dtype):
    n, m, n_visible, n_hidden = shape
    visible = two_valued((n + m + EXTRA, n_visible), 0, 1, dtype)
    hidden = DRAWS.uniform((n + m + EXTRA, n_hidden), 4).astype(dtype)
    weights = DRAWS.normal((n_visible, n_hidden), 5).astype(dtype)
    velocity = DRAWS.normal(weights.shape, 6).astype(dtype) if momentum else np.empty((0, 0), dtype)
    kind = weights.dtype.type
    parts = hidden[: n + m] * np.repeat([kind(1 / n), kind(-1 / m)], [n, m])[:, None]
    change = kind(0.1) * sums_in_order(visible[: n + m].T, parts, 0, 1)
    speed = kind(momentum) * velocity + change if momentum else change
    expected = kind(1 - 0.1 * 0.2) * weights + speed
    zeros, chains = (
        [tuple(np.zeros(k, dtype) for k in (n_visible, n_hidden)) for _ in range(3)],
        np.empty((0, 0), dtype),
    )
    rates, address = np.array([0.1, momentum, 0.2, 0, 0, 0, 0]), ADDRESS[weights.dtype]
    with single():
        climb(
            *(address, visible, hidden, n, rates, weights, zeros[0], velocity, zeros[1], zeros[2]),
            *(np.zeros(n_hidden, dtype), chains, chains, np.zeros(1, np.int64)),
        )
    np.testing.assert_array_equal(weights, expected)
    if momentum:
        np.testing.assert_array_equal(velocity, speed)


@pytest.mark.parametrize("place", [(0, 0), (3, 40), (79, 69)])
@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, np.nan])
def test_other_numbers_are_no_bits(place, value):
    states = two_valued((80, 70), 0, 1, float)
    for reads, given in ((read, states), (read_columns, np.ascontiguousarray(states.T))):
        words, values = reads(given, 40)
        assert values == (0, 1)
        bits = np.unpackbits(np.ascontiguousarray(words.T).view(np.uint8), axis=1, bitorder="little")
        np.testing.assert_array_equal(bits[:, :70], states)
        assert not bits[:, 70:].any()
        spoilt = given.copy()
        spoilt[place if reads is read else place[::-1]] = value
        assert not len(reads(spoilt, 40)[0])


def test_states_that_are_all_the_same_are_bits():
    for value in (0.0, 1.0, -1.0):
        states, weights, field = np.full((80, 70), value), DRAWS.normal((70, 40), 2), np.empty((80, 40))
        assert len(read(states, 40)[0])
        conditional(Gaussian(), states, weights, np.zeros(40), field)
        np.testing.assert_allclose(field, states @ weights, atol=1e-13)


def test_samples_of_bits_and_of_what_is_nearly_bits_are_the_same():
    """One grey state takes the whole product to BLAS; the other rows' samples stay as they are."""
    states, weights = two_valued((60, 300), 0, 1, float), DRAWS.normal((300, 250), 2) / 10
    found = []
    for spoil in (0.0, 1e-300):
        states[0, 0] = spoil
        mean, sample = np.empty((60, 250)), np.empty((60, 250))
        with single():
            conditional(Bernoulli(), states, weights, np.zeros(250), mean, DRAWS, 7, sample)
        found.append((mean, sample))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    np.testing.assert_array_equal(found[0][1], found[1][1])
