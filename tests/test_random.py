"""Random numbers: the published vectors, one number for one counter, and the laws they follow.

Every statistical claim is put to the seeds 1 to 5, fixed beforehand, and fails with a probability of 1e-6 a time.
"""

import hashlib
import math

import numba
import numpy as np
import pytest
from scipy import stats

from bionet import random, variates
from bionet.errors import InputError
from bionet.random import Stream, binomial, binomials, bits, uniform, uniforms

SEEDS = [1, 2, 3, 4, 5]
ERROR = 1e-6
LOW = 2**32 - 1


def philox(counter, key):
    """Philox4x32-10 in whole numbers of Python, written from the paper."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & LOW, (a >> 32) ^ c[3] ^ k[1], a & LOW]
        k = [(k[0] + 0x9E3779B9) & LOW, (k[1] + 0xBB67AE85) & LOW]
    return c


# kat_vectors of the Random123 library, philox 4x32, 10 rounds: counter, key, answer.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


@numba.njit
def block(c, k):
    return variates.philox4x32(c[0], c[1], c[2], c[3], k[0], k[1])


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_published_vectors(counter, key, answer):
    counter, key, answer = words(counter), words(key), words(answer)
    assert [int(each) for each in block(np.array(counter, np.uint64), np.array(key, np.uint64))] == answer
    assert philox(counter, key) == answer


def test_bits_are_philox_of_index_step_and_key():
    for key, step, index in np.random.default_rng(0).integers(0, 2**64, (200, 3), dtype=np.uint64).tolist():
        w = philox([index & LOW, index >> 32, step & LOW, step >> 32], [key & LOW, key >> 32])
        got = random.bits(np.uint64(key), np.uint64(step), np.uint64(index))
        assert [int(each) for each in got] == [w[0] | w[1] << 32, w[2] | w[3] << 32]


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_and_normal_are_the_stated_functions_of_the_bits(seed):
    stream = Stream(seed, "functions")
    for index, (u, z) in enumerate(zip(stream.uniform(50, step=3), stream.normal(50, step=3), strict=True)):
        w = philox([index, 0, 3, 0], [stream.key & LOW, stream.key >> 32])
        a, b = (w[0] | w[1] << 32) >> 11, (w[2] | w[3] << 32) >> 11
        assert u == a / 2**53
        assert z == pytest.approx(math.sqrt(-2 * math.log((a + 1) / 2**53)) * math.cos(2 * math.pi * b / 2**53))


@numba.njit
def one_at_a_time(key, step, n):
    out = np.empty((5, n))
    for index in range(n - 1, -1, -1):
        out[0, index] = random.uniform(key, step, index)
        out[1, index] = random.normal(key, step, index)
        out[2, index] = random.bernoulli(0.3, key, step, index)
        out[3, index] = random.poisson(4.5, key, step, index)
        out[4, index] = random.binomial(20, 0.3, key, step, index)
    return out


def all_at_once(stream, step, n):
    draws = stream.uniform(n, step), stream.normal(n, step), stream.bernoulli(np.full(n, 0.3), step)
    return np.array([*draws, stream.poisson(np.full(n, 4.5), step), stream.binomial(np.full(n, 20), 0.3, step)])


@pytest.mark.parametrize("seed", SEEDS)
def test_arrays_hold_what_the_kernels_draw_in_any_order(seed):
    stream = Stream(seed, "kernel")
    assert np.array_equal(one_at_a_time(np.uint64(stream.key), 7, 1000), all_at_once(stream, 7, 1000))


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread only")
def test_numbers_do_not_depend_on_the_number_of_threads():
    before = numba.get_num_threads()
    drawn = {}
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            drawn[threads] = all_at_once(Stream(1, "threads"), 0, 10_001)
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(drawn[1], drawn[2])


def test_a_longer_draw_begins_with_the_shorter_and_shape_does_not_matter():
    stream = Stream(1, "length")
    assert np.array_equal(all_at_once(stream, 0, 10_000)[:, :10], all_at_once(stream, 0, 10))
    assert np.array_equal(stream.normal((4, 25)).reshape(-1), stream.normal(100))
    assert stream.poisson(2.0).shape == ()
    assert stream.uniform(0).shape == (0,)


def chi_square(draws, law):
    """The p-value of counts against a law of scipy.stats, cells of at least 20 expected."""
    values = np.arange(draws.max() + 2)
    expected = law.pmf(values) * draws.size
    expected[-1] += law.sf(values[-1]) * draws.size
    observed = np.bincount(draws, minlength=values.size)
    cells, so_far = [], np.zeros(2)
    for both in zip(observed, expected, strict=True):
        so_far = so_far + both
        if so_far[1] >= 20:
            cells.append(so_far)
            so_far = np.zeros(2)
    cells[-1] = cells[-1] + so_far
    seen, due = np.transpose(cells)
    return stats.chisquare(seen, due * seen.sum() / due.sum()).pvalue


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_law(seed):
    u = Stream(seed, "uniform").uniform(100_000)
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > ERROR
    assert stats.chisquare(np.bincount((u * 1000).astype(int), minlength=1000)).pvalue > ERROR
    low_digits = (u * 2**53).astype(np.int64) % 256
    assert stats.chisquare(np.bincount(low_digits, minlength=256)).pvalue > ERROR


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_law(seed):
    z = Stream(seed, "normal").normal(100_000)
    assert stats.kstest(z, "norm").pvalue > ERROR
    assert stats.chisquare(np.bincount((stats.norm.cdf(z) * 1000).astype(int), minlength=1000)).pvalue > ERROR


@pytest.mark.parametrize("p", [0.001, 0.3, 0.999])
@pytest.mark.parametrize("seed", SEEDS)
def test_bernoulli_law(seed, p):
    n = 100_000
    assert stats.binomtest(int(Stream(seed, "bernoulli").bernoulli(np.full(n, p)).sum()), n, p).pvalue > ERROR


@pytest.mark.parametrize("rate", [0.02, 0.7, 5.0, 80.3, 5000.0, 1e6])
@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_law(seed, rate):
    draws = Stream(seed, "poisson").poisson(np.full(20_000, rate))
    assert chi_square(draws - draws.min(), shifted(stats.poisson(rate), draws.min())) > ERROR


@pytest.mark.parametrize(
    ("n", "p"), [(1, 0.5), (10, 0.3), (1000, 0.5), (1000, 0.999), (100_000, 1e-4), (1_000_000, 0.25)]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_binomial_law(seed, n, p):
    draws = Stream(seed, "binomial").binomial(np.full(20_000, n), p)
    assert draws.max() <= n
    assert chi_square(draws - draws.min(), shifted(stats.binom(n, p), draws.min())) > ERROR


class shifted:  # noqa: N801
    """A law seen from ``start``; everything below it counts as ``start``."""

    def __init__(self, law, start):
        self.law, self.start = law, start

    def pmf(self, k):
        return np.where(k == 0, self.law.cdf(self.start), self.law.pmf(k + self.start))

    def sf(self, k):
        return self.law.sf(k + self.start)


def test_the_edges_of_the_laws():
    stream = Stream(1, "edges")
    n = np.full(1000, 7)
    assert not stream.poisson(np.zeros(1000)).any()
    assert not stream.binomial(n, 0.0).any()
    assert not stream.binomial(0 * n, 0.5).any()
    assert (stream.binomial(n, 1.0) == 7).all()
    assert not stream.bernoulli(np.zeros(1000)).any()
    assert stream.bernoulli(np.ones(1000)).all()


def test_draws_from_the_largest_laws_stay_near_the_mean():
    stream = Stream(1, "large")
    for draws in (stream.poisson(np.full(200, 1e9)), stream.binomial(np.full(200, 1e9), 0.5) * 2):
        assert abs(draws - 1e9).max() < 8 * math.sqrt(1e9)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("n", [1e6, 1e8, 1e9])
@pytest.mark.parametrize("p", [0.3, 0.5])
def test_the_largest_uniform_number_ends_the_walk(n, p, monkeypatch):
    # Rounding leaves a little of a law out; such a draw must not walk through a billion values to find it.
    monkeypatch.setattr(random, "uniform", lambda key, step, index: 1 - 2**-53)
    assert abs(random.binomial.py_func(n, p, 0, 0, 0) - n * p) < 12 * math.sqrt(n)
    assert abs(random.poisson.py_func(n * p, 0, 0, 0) - n * p) < 12 * math.sqrt(n)


def correlation_is_zero(a, b):
    return stats.pearsonr(a, b).pvalue > ERROR and stats.kendalltau(a[:2000], b[:2000]).pvalue > ERROR


@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("seed", SEEDS)
def test_streams_steps_seeds_and_neighbours_are_uncorrelated(seed, law):
    def draw(seed, name, step=0):
        return getattr(Stream(seed, name), law)(50_000, step)

    a = draw(seed, "a")
    assert correlation_is_zero(a, draw(seed, "b"))
    assert correlation_is_zero(a, draw(seed, "a", step=1))
    assert correlation_is_zero(a, draw(seed + 1, "a"))
    for lag in (1, 2, 3, 4):
        assert correlation_is_zero(a[:-lag], a[lag:])


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbouring_seeds_names_and_steps_fill_the_unit_interval(seed):
    first = np.array([Stream(s, "x").uniform(1)[0] for s in range(1000 * seed, 1000 * seed + 1000)])
    names = np.array([Stream(seed, f"neuron{k}").uniform(1)[0] for k in range(1000)])
    steps = np.array([Stream(seed, "x").uniform(1, step)[0] for step in range(1000)])
    for draws in (first, names, steps):
        assert stats.kstest(draws, "uniform").pvalue > ERROR


@pytest.mark.parametrize("seed", SEEDS)
def test_all_permutations_are_equally_likely(seed):
    stream = Stream(seed, "permutation")
    code = [int(stream.permutation(4, step) @ [64, 16, 4, 1]) for step in range(4800)]
    _, counts = np.unique(code, return_counts=True)
    assert counts.size == 24
    assert stats.chisquare(counts).pvalue > ERROR
    assert np.array_equal(np.sort(stream.permutation(1000)), np.arange(1000))


def test_large_steps_and_indices_are_not_folded():
    key = np.uint64(Stream(1, "large").key)
    places = [(0, 0), (2**32, 0), (2**40, 0), (2**63 - 1, 0), (0, 2**32), (0, 2**40), (0, 2**63 - 1), (2**40, 2**40)]
    assert len({random.uniform(key, step, index) for step, index in places}) == len(places)
    assert Stream(1, "large").uniform(1, step=2**40)[0] == random.uniform(key, 2**40, 0)


def test_seeds_and_names_give_keys_of_their_own():
    keys = {Stream(seed, name).key for seed in (0, 1, 2**32, 2**64 - 1) for name in ("", "a", "b", "a/b")}
    assert len(keys) == 16
    assert Stream(1, "a").child("b") == Stream(1, "a/b")
    assert Stream(np.uint8(7), "a").key == Stream(7, "a").key


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None, True, float("nan")])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(InputError, match=r"^Stream\.seed: got .*; expected a whole number from 0 to 2\*\*64 - 1"):
        Stream(seed, "a")


@pytest.mark.parametrize(
    "draw",
    [
        lambda stream: stream.bernoulli([0.5, 1.1]),
        lambda stream: stream.bernoulli([math.nan]),
        lambda stream: stream.poisson(-0.1),
        lambda stream: stream.poisson(math.inf),
        lambda stream: stream.poisson(1e10),
        lambda stream: stream.binomial(10, -0.1),
        lambda stream: stream.binomial(-1, 0.5),
        lambda stream: stream.binomial(2.5, 0.5),
    ],
)
def test_a_law_that_is_none_is_refused(draw):
    with pytest.raises(InputError, match=r"^Stream\.\w+: got .*; expected "):
        draw(Stream(1, "a"))


@pytest.mark.parametrize("n", [0, 1, 7, 400, 100_000])
@pytest.mark.parametrize("p", [0.0, 1e-6, 0.02, 0.5, 0.97, 1.0])
def test_what_is_drawn_without_a_compiler_is_the_same(n, p):
    """The logarithm of the gamma function has another last digit: 1 in 1e9 such draws might differ."""
    key, steps = Stream(2**63, "number").key, np.array([0, 1, 5, 77, 4_000_000, 2**40, *range(100, 300)])
    assert uniforms(key, steps).tolist() == [uniform(np.uint64(key), step, 0) for step in steps]
    assert binomials(n, p, key, steps).tolist() == [binomial(n, p, np.uint64(key), step, 0) for step in steps]


def test_a_key_is_made_of_a_compiled_functions_bits():
    digest = int.from_bytes(hashlib.blake2b(b"name", digest_size=8).digest(), "little")
    for seed in (0, 1, 2**64 - 1):
        assert Stream(seed, "name").key == int(bits(np.uint64(seed), np.uint64(0), np.uint64(digest))[0])
