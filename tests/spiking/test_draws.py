"""Draws of compiled loops: the numbers of bionet.random, the laws of tables to the last word, gaps between successes.

Every statistical claim is put to the seeds 1 to 5, fixed beforehand, and fails with a probability of 1e-6 a time.
"""

from collections import Counter

import numpy as np
import pytest
from mpmath import mp, mpf
from numba import njit
from scipy import stats

from bionet import random
from bionet.errors import InputError
from bionet.random import Stream
from bionet.spiking.draws import (
    NEVER,
    bits,
    fill_from_table,
    from_table,
    geometric_gap,
    normal,
    uniform,
)
from bionet.spiking.tables import binomial_table, poisson_table
from tests.test_random import ERROR, SEEDS, chi_square


@njit(error_model="numpy")
def numbers(key, step, n):
    out = np.empty((2, n))
    for index in range(n):
        out[0, index] = uniform(key, step, index)
        out[1, index] = normal(key, step, index)
    return out


@njit(error_model="numpy")
def counts(threshold, outcome, key, step, first, n):
    out = np.empty(n, np.int64)
    for index in range(n):
        out[index] = from_table(threshold, outcome, key, step, first + index)
    return out


@njit(error_model="numpy")
def gaps(p, key, step, n):
    out = np.empty(n, np.int64)
    for index in range(n):
        out[index] = geometric_gap(p, key, step, index)
    return out


def filled(table, key, step, first, n):
    out = np.full(n, -1)
    fill_from_table(out, *table, key, step, first)
    return out


def test_bits_are_those_of_bionet_random():
    for key, step, index in np.random.default_rng(3).integers(0, 2**64, (200, 3), dtype=np.uint64):
        assert bits(key, step, index) == random.bits(key, step, index)


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_are_those_of_bionet_random(seed):
    stream = Stream(seed, "draws")
    u, z = numbers(np.uint64(stream.key), 7, 10_000)
    assert np.array_equal(u, stream.uniform(10_000, step=7))
    assert np.allclose(z, stream.normal(10_000, step=7), rtol=1e-13, atol=1e-14)
    assert stats.kstest(z, "norm").pvalue > ERROR


def words(threshold, outcome):
    """How many of the 2**64 words give each outcome."""
    held = Counter()
    for column, below in enumerate(threshold.tolist()):
        assert below % threshold.size == 0
        held[int(outcome[2 * column])] += below // threshold.size
        held[int(outcome[2 * column + 1])] += 2**64 // threshold.size - below // threshold.size
    assert held.total() == 2**64
    return {each: number for each, number in held.items() if number}


def is_law(held, probability, low, high):
    """Every share is the law's, to a part in 1e12 or a word; outside are less than a word's shares."""
    assert low <= min(held)
    assert max(held) <= high
    for k in range(max(low, min(held) - 3), min(high, max(held) + 3) + 1):
        due = float(probability(k) * 2**64)
        assert held.get(k, 0) == pytest.approx(due, rel=1e-12, abs=1.0), k
    return True


@pytest.mark.parametrize(("n", "p"), [(1000, 0.002), (10, 0.5), (1, 0.3), (400, 0.9), (7, 1e-9), (3000, 0.4)])
def test_binomial_tables_are_the_law(n, p):
    held = words(*binomial_table(n, p))
    with mp.workdps(40):
        assert is_law(held, lambda k: mp.binomial(n, k) * mpf(p) ** k * (1 - mpf(p)) ** (n - k), 0, n)


@pytest.mark.parametrize("rate", [1e-9, 0.3, 2.0, 40.0, 2000.0])
def test_poisson_tables_are_the_law(rate):
    held = words(*poisson_table(rate))
    with mp.workdps(30):
        assert is_law(held, lambda k: mp.exp(-rate + k * mp.log(rate) - mp.loggamma(k + 1)), 0, 10**9)


@pytest.mark.parametrize(
    ("table", "only"),
    [(binomial_table(0, 0.3), 0), (binomial_table(5, 0.0), 0), (binomial_table(5, 1.0), 5), (poisson_table(0.0), 0)],
)
def test_laws_of_one_outcome(table, only):
    assert words(*table) == {only: 2**64}
    assert set(filled(table, 1, 2, 0, 100)) == {only}


def test_large_laws_have_their_mean_and_variance():
    for table, mean, variance in [(poisson_table(1e6), 1e6, 1e6), (binomial_table(10**7, 0.25), 2.5e6, 1.875e6)]:
        held = words(*table)
        average = sum(k * number for k, number in held.items()) / 2**64
        assert average == pytest.approx(mean, rel=1e-12)
        assert sum((k - mean) ** 2 * number for k, number in held.items()) / 2**64 == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("first", [0, 1, 6, 511])
@pytest.mark.parametrize("n", [0, 1, 2, 511, 512, 513, 2000])
def test_an_array_holds_what_single_draws_give(first, n):
    table = poisson_table(30.0)
    assert np.array_equal(filled(table, 9, 4, first, n), counts(*table, 9, 4, first, n))


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_counts_follow_the_law(seed):
    key = np.uint64(Stream(seed, "counts").key)
    assert chi_square(filled(binomial_table(1000, 0.002), key, 0, 0, 200_000), stats.binom(1000, 0.002)) > ERROR
    assert chi_square(filled(poisson_table(17.5), key, 1, 0, 200_000), stats.poisson(17.5)) > ERROR


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbours_that_share_a_block_are_independent(seed):
    drawn = filled(binomial_table(1, 0.5), np.uint64(Stream(seed, "pairs").key), 0, 0, 200_000)
    pairs = np.bincount(2 * drawn[0::2] + drawn[1::2], minlength=4)
    assert stats.chisquare(pairs).pvalue > ERROR


@pytest.mark.parametrize("p", [0.9, 0.3, 0.01])
@pytest.mark.parametrize("seed", SEEDS)
def test_gaps_are_geometric(seed, p):
    drawn = gaps(p, np.uint64(Stream(seed, "gaps").key), 0, 100_000)
    assert chi_square(drawn, stats.geom(p, loc=-1)) > ERROR


@pytest.mark.parametrize("p", [1e-6, 1e-15])
@pytest.mark.parametrize("seed", SEEDS)
def test_gaps_of_rare_events_are_exponential(seed, p):
    drawn = gaps(p, np.uint64(Stream(seed, "rare").key), 0, 100_000)
    assert stats.kstest(drawn * p, "expon").pvalue > ERROR


def test_gaps_at_the_ends():
    assert set(gaps(1.0, 1, 0, 1000)) == set(gaps(1.5, 1, 0, 1000)) == {0}
    for p in (0.0, -0.1, 1e-300, np.nan):
        assert set(gaps(p, 1, 0, 1000)) == {NEVER}


@pytest.mark.parametrize(
    ("n", "p"), [(-1, 0.5), (2.5, 0.5), (np.nan, 0.5), (1e10, 0.5), (5, -0.1), (5, 1.1), (5, np.nan)]
)
def test_laws_that_are_none(n, p):
    with pytest.raises(InputError, match=r"binomial_table\.[np]: got"):
        binomial_table(n, p)


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf, 1e10])
def test_rates_that_are_none(rate):
    with pytest.raises(InputError, match=r"poisson_table\.rate: got"):
        poisson_table(rate)
