"""Dense memories against their capacity, Hopfield's network, and attention."""

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads
from scipy.special import softmax
from sklearn.utils import check_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.energy import DenseMemory, Hopfield, ModernHopfield, theory
from bionet.errors import InputError
from bionet.random import Stream


def random_patterns(n_patterns, n_units, seed):
    return np.where(Stream(seed, "test/patterns").bernoulli(np.full((n_patterns, n_units), 0.5)), 1, -1)


def unit_patterns(n_patterns, n_features, seed):
    x = Stream(seed, "test/unit").normal((n_patterns, n_features))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize(("order", "at", "twice"), [(2, 0.001, 0.020), (3, 0.003, 0.025), (4, 0.003, 0.025)])
def test_bit_errors_at_the_capacity_and_at_twice_of_it(order, at, twice):
    """One update from a stored pattern, N = 50; 20,000 bits and more: standard errors below 0.001."""
    for times, expected in ((1, at), (2, twice)):
        wrong = []
        n_patterns = round(times * theory.dense_capacity(50, order))
        for seed in range({2: 100, 3: 10, 4: 3}[order]):
            patterns = random_patterns(n_patterns, 50, seed)
            wrong.append((DenseMemory(order).fit(patterns).field(patterns[:200]) * patterns[:200] <= 0).mean())
        assert np.mean(wrong) == pytest.approx(expected, abs=0.005)


def test_field_is_the_difference_of_energies():
    for order in (3, "exponential"):
        memory = DenseMemory(order).fit(random_patterns(4, 9, 0))
        state = random_patterns(1, 9, 1)
        field = memory.field(state)[0]
        for i in range(9):
            up, down = state.copy(), state.copy()
            up[0, i], down[0, i] = 1, -1
            lower = [memory.energy(each)[0] for each in (up, down)]
            if order == 3:
                assert field[i] == pytest.approx(lower[1] - lower[0], abs=1e-12)
            else:
                assert np.sign(field[i]) == np.sign(lower[1] - lower[0])


def test_order_two_is_hebbs_network():
    patterns, start = random_patterns(10, 101, 0), random_patterns(50, 101, 1)
    dense, hebb = DenseMemory(2).fit(patterns), Hopfield().fit(patterns)
    np.testing.assert_allclose(dense.field(start), 4 * hebb.field(start) / 101, atol=1e-12)
    assert (np.diff(dense.recall(start, record=True).energies, axis=0) <= 1e-12).all()


@pytest.mark.parametrize("order", [3, 4, "exponential"])
def test_more_patterns_than_units_are_recalled_from_noise(order):
    patterns = random_patterns(150, 100, 0)
    noisy = patterns.copy()
    noisy[:, :5] *= -1
    memory = DenseMemory(order).fit(patterns)
    end = memory.recall(noisy, record=True)
    assert end.settled.all()
    assert (np.diff(end.energies, axis=0) <= 1e-12).all()
    assert (end.kind == "stored").mean() > 0.99
    np.testing.assert_array_equal(end.pattern[end.kind == "stored"], np.flatnonzero(end.kind == "stored"))
    assert (Hopfield().fit(patterns).recall(noisy).kind == "stored").mean() < 0.1


def test_exponential_memory_does_not_overflow():
    patterns = random_patterns(5000, 1000, 0)
    start = patterns[:5].copy()
    start[:, :300] *= -1
    np.testing.assert_array_equal(DenseMemory("exponential").fit(patterns).predict(start), patterns[:5])


def test_reverse_is_stable_for_even_orders_alone():
    patterns = random_patterns(5, 200, 0)
    assert (DenseMemory(4).fit(patterns).recall(-patterns).kind == "reversed").all()
    assert (DenseMemory(3).fit(patterns).recall(-patterns).kind != "reversed").all()


def test_recall_is_the_same_for_any_number_of_threads_and_any_company():
    memory, start = DenseMemory(3, seed=3).fit(random_patterns(200, 60, 0)), random_patterns(30, 60, 1)
    threads, together = get_num_threads(), memory.predict(start)
    try:
        set_num_threads(1)
        np.testing.assert_array_equal(memory.predict(start), together)
    finally:
        set_num_threads(threads)
    np.testing.assert_array_equal(memory.predict(start[7:8])[0], together[7])


def test_an_update_is_attention():
    x, q = unit_patterns(50, 64, 0), unit_patterns(9, 64, 1)
    memory = ModernHopfield(beta=8.0).fit(x)
    attention = softmax(8.0 * q @ x.T, axis=1) @ x
    np.testing.assert_allclose(memory.update(q), attention, rtol=1e-13, atol=1e-15)
    torch = pytest.importorskip("torch")
    query, keys = (torch.from_numpy(each)[None] for each in (q, x))
    theirs = torch.nn.functional.scaled_dot_product_attention(query, keys, keys, scale=8.0)[0].numpy()
    np.testing.assert_allclose(memory.update(q), theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("beta", "distance"), [(8.0, 0.05), (16.0, 3e-4), (32.0, 1e-7)])
def test_one_update_ends_near_the_pattern(beta, distance):
    x = unit_patterns(50, 64, 0)
    noise = 0.3 * unit_patterns(50, 64, 1)
    memory = ModernHopfield(beta=beta).fit(x)
    assert np.median(np.linalg.norm(memory.update(x + noise) - x, axis=1)) < 2 * distance
    end = memory.recall(x + noise)
    assert end.settled.all()
    assert (np.diff(end.energies, axis=0) < 1e-12).all()
    assert (end.energies > -1e-12).all()


def test_cold_memory_separates_and_warm_memory_blends():
    x = unit_patterns(50, 64, 0)
    np.testing.assert_allclose(ModernHopfield(beta=0.01).fit(x).predict(x), np.tile(x.mean(axis=0), (50, 1)), atol=1e-3)
    np.testing.assert_allclose(ModernHopfield(beta=100.0).fit(x).predict(x), x, atol=1e-6)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: DenseMemory(1).fit([[1, -1]]), "DenseMemory.order: got 1; expected a whole number of at least 2"),
        (lambda: DenseMemory("exp").fit([[1, -1]]), "DenseMemory.order: got 'exp'"),
        (lambda: DenseMemory().fit([[0.5, -1]]), "DenseMemory.patterns: got other values"),
        (lambda: ModernHopfield(beta=0.0).fit([[1.0]]), "ModernHopfield.beta: got 0.0"),
        (lambda: ModernHopfield().fit([[np.inf]]), "ModernHopfield.X: got NaN or infinite"),
        (lambda: ModernHopfield().fit([[1.0]]).predict([[1.0, 2.0]]), "ModernHopfield.states: X has 2 features"),
    ],
)
def test_bad_input_is_one_sentence(act, message):
    with pytest.raises(InputError, match=message):
        act()


class SignMemory(DenseMemory):
    """Takes the signs of what the general checks feed, which is not made of -1 and +1."""

    def fit(self, patterns, y=None):
        return super().fit(as_signs(patterns))

    def predict(self, X):
        return super().predict(as_signs(X))

    def score(self, X, y=None):
        return super().score(as_signs(X))


def as_signs(X):
    """Leave what is no table of finite numbers as it is, for the network to refuse."""
    try:
        table = check_array(X)
    except (ValueError, TypeError):
        return X
    return np.where(table > 0, 1, -1)


@parametrize_with_checks([SignMemory(), ModernHopfield()])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
