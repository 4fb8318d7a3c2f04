"""The equations of memories of infinite size against published numbers, and simulations against the equations."""

import numpy as np
import pytest

from bionet.energy import theory
from bionet.energy.damage import clip, lesion
from bionet.energy.hopfield import Hopfield
from bionet.energy.settling import recall
from bionet.errors import InputError
from bionet.random import Stream


def random_patterns(n_patterns, n_units, seed):
    return np.where(Stream(seed, "test/patterns").bernoulli(np.full((n_patterns, n_units), 0.5)), 1, -1)


def remembered(n_units, n_patterns, damage, n_networks=4, n_starts=25):
    """Return the overlap each network ends with, started on its patterns, its weights damaged."""
    found = []
    for seed in range(n_networks):
        patterns = random_patterns(n_patterns, n_units, seed)
        weights, starts = damage(Hopfield().fit(patterns).weights_, seed), patterns[:n_starts]
        free, none = np.ones(n_units, dtype=bool), np.zeros(n_units)
        found.append((recall(starts, weights, none, free, 100, Stream(seed, "test/order")).states * starts).mean())
    return np.array(found)


def test_capacity_is_that_of_amit_gutfreund_and_sompolinsky():
    assert theory.capacity().load == pytest.approx(0.1379, abs=1e-4)
    assert theory.capacity().overlap == pytest.approx(0.967, abs=1e-3)
    loads = [0.05, 0.10, 0.12, 0.13, 0.135]
    np.testing.assert_allclose(theory.overlap(loads), [0.99999, 0.9980, 0.9932, 0.9872, 0.9808], atol=1e-4)
    assert theory.overlap(0.138) == 0


def test_signs_alone_hold_a_tenth():
    assert theory.capacity(theory.CLIPPED).load == pytest.approx(0.1018, abs=1e-4)
    assert theory.capacity(theory.CLIPPED).overlap == pytest.approx(0.948, abs=1e-3)
    np.testing.assert_allclose(theory.overlap([0.05, 0.09, 0.10], theory.CLIPPED), [0.9996, 0.9856, 0.9659], atol=1e-4)


@pytest.mark.parametrize(("kept", "load"), [(0.9, 0.1285), (0.7, 0.1085), (0.5, 0.0865), (0.3, 0.0610), (0.1, 0.0276)])
def test_capacity_falls_with_the_links_that_are_cut(kept, load):
    assert theory.capacity(theory.diluted(kept)).load == pytest.approx(load, abs=1e-4)


def test_most_of_the_links_can_be_cut_at_a_low_load():
    found = [float(theory.overlap(0.05, theory.diluted(kept))) for kept in (0.5, 0.4, 0.3)]
    np.testing.assert_allclose(found, [0.9982, 0.9941, 0.9772], atol=1e-4)
    assert theory.overlap(0.05, theory.diluted(0.227)) > 0.9 > theory.overlap(0.05, theory.diluted(0.225)) == 0


def test_the_law_is_a_fixed_point_of_its_equations():
    """m, r and C of the docstring, iterated instead of solved."""
    alpha, noise, m, r = 0.08, 0.3, 1.0, 1.0
    for _ in range(2000):
        y = m / np.sqrt(2 * alpha * (r + noise))
        m, C = theory.erf(y), 2 / np.sqrt(np.pi) * y / m * np.exp(-(y**2))
        r = (1 - C) ** -2
    assert float(theory.overlap(alpha, noise)) == pytest.approx(m, abs=1e-9)


def test_sequences_reach_the_published_capacity():
    assert theory.sequence_capacity().load == pytest.approx(0.269, abs=5e-4)


def test_patterns_without_error_thin_out():
    np.testing.assert_allclose(theory.share_without_error([36, 72, 110], 1000), [0.9999, 0.91, 0.28], atol=6e-3)


@pytest.mark.parametrize("load", [0.09, 0.10])
def test_clipped_network_remembers_no_less_than_theory_says(load):
    """Finite networks do better near the edge; 4 networks vary by 0.005."""
    found = remembered(1000, round(load * 1000), lambda weights, seed: clip(weights))
    assert found.mean() == pytest.approx(float(theory.overlap(load, theory.CLIPPED)), abs=0.03)
    assert found.mean() > theory.overlap(load, theory.CLIPPED) - 0.01


@pytest.mark.parametrize(("kept", "size"), [(0.5, 0.002), (0.4, 0.004), (0.3, 0.011)])
def test_lesioned_network_follows_the_curve(kept, size):
    """Within what finite size adds, and 4 standard errors of 4 networks."""
    found = remembered(1000, 50, lambda weights, seed: lesion(weights, kept, seed=seed))
    assert found.mean() == pytest.approx(float(theory.overlap(0.05, theory.diluted(kept))), abs=size)


def test_memory_ends_gracefully_where_theory_says_it_ends():
    found = {k: remembered(1000, 50, lambda w, seed, k=k: lesion(w, k, seed=seed)).mean() for k in (0.3, 0.2, 0.1)}
    assert found[0.3] > 0.97 > found[0.2] > 0.88 > found[0.1] > 0.6


def test_weak_links_matter_least_and_strong_ones_most():
    """The order holds in each of ten networks (0.001 by chance, for each of two comparisons)."""
    by_size = {
        first: remembered(600, 30, lambda w, seed, first=first: lesion(w, 0.3, first, seed), 10, 20)
        for first in ("weakest", "random", "strongest")
    }
    assert (by_size["weakest"] > by_size["random"]).all()
    assert (by_size["random"] > by_size["strongest"]).all()


@pytest.mark.slow
def test_small_and_large_networks_cross_at_the_capacity():
    """Below it more units remember better, above it worse; 8 networks of each size."""
    small, large = (
        [remembered(n, round(load * n), lambda w, seed: w, 8, 20).mean() for load in (0.12, 0.16)] for n in (500, 4000)
    )
    assert small[0] < large[0]
    assert small[1] > large[1]


def test_lesion_keeps_symmetry_and_the_share_asked_for():
    weights = Hopfield().fit(random_patterns(5, 40, 0)).weights_
    weights += np.abs(weights).max() * (weights == 0)
    for first in ("random", "weakest", "strongest"):
        left = lesion(weights, 0.25, first, seed=2)
        np.testing.assert_array_equal(left, left.T)
        assert (left[np.triu_indices(40, 1)] != 0).sum() == 195
        assert ((left == weights) | (left == 0)).all()
    size = np.abs(weights)[np.triu_indices(40, 1)]
    kept = np.abs(lesion(weights, 0.25, "weakest"))[np.triu_indices(40, 1)]
    assert np.sort(kept)[-195:].sum() == pytest.approx(np.sort(size)[-195:].sum())


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: theory.overlap(-0.1), "theory.load: expected finite"),
        (lambda: theory.capacity(-1.0), "theory.noise: got -1"),
        (lambda: theory.diluted(0.0), "theory.kept: got 0.0"),
        (lambda: lesion(np.eye(3), 1.1), "lesion.kept: got 1.1"),
        (lambda: lesion(np.eye(3), 0.1, "weak"), "lesion.first: got 'weak'; did you mean 'weakest'"),
        (lambda: lesion(np.triu(np.ones((3, 3))), 0.5), "lesion.weights: got asymmetric"),
    ],
)
def test_bad_input_is_one_sentence(act, message):
    with pytest.raises(InputError, match=message):
        act()
