"""One weight matrix, one law: the general machine, the restricted one and the deep one (oracle E28)."""

import itertools

import numpy as np
import pytest

from bionet.energy import DBM, RBM, BoltzmannMachine
from bionet.random import Stream
from tests.energy.enumerated import all_states, chi_square


def general(blocks, biases):
    """Return the weights of all units in a row, layer after layer, linked by the blocks."""
    sizes = [len(bias) for bias in biases]
    ends = np.cumsum([0, *sizes])
    weights = np.zeros((ends[-1], ends[-1]))
    for level, block in enumerate(blocks):
        weights[ends[level] : ends[level + 1], ends[level + 1] : ends[level + 2]] = block
    return weights + weights.T, np.concatenate(biases)


def parts(seed, *sizes):
    draws = Stream(seed, "test/law")
    blocks = [draws.normal(shape, k) for k, shape in enumerate(itertools.pairwise(sizes))]
    return blocks, [0.5 * draws.normal(size, 50 + k) for k, size in enumerate(sizes)]


def restricted(block, below, above):
    rbm = RBM(len(above), n_iter=1).fit(np.zeros((2, len(below))))
    rbm.weights_[:], rbm.visible_bias_[:], rbm.hidden_bias_[:] = block, below, above
    return rbm


def deep(blocks, biases):
    dbm = DBM(tuple(len(bias) for bias in biases[1:]), n_iter=1).fit(np.zeros((2, len(biases[0]))))
    for place, value in zip([*dbm.weights_, *dbm.biases_], [*blocks, *biases], strict=True):
        place[:] = value
    return dbm


def test_a_masked_machine_a_restricted_one_and_a_deep_one_of_one_layer_agree():
    blocks, biases = parts(0, 5, 4)
    rbm, dbm, states = restricted(blocks[0], *biases), deep(blocks, biases), all_states(5)
    machine = BoltzmannMachine.of(*general(blocks, biases), n_hidden=4)
    exact = rbm.score_samples(states)
    np.testing.assert_allclose(machine.score_samples(states), exact, atol=1e-12)
    np.testing.assert_allclose(dbm.score_samples(states), exact, atol=1e-12)
    np.testing.assert_allclose(machine.transform(states), rbm.transform(states), atol=1e-12)
    np.testing.assert_allclose(dbm.transform(states), rbm.transform(states), atol=1e-12)


def test_layers_of_two_two_and_one_in_three_machines():
    """Chi-square over 32 states, 8000 chains of 100 sweeps; each of the three fails one time in 10,000."""
    blocks, biases = parts(1, 2, 2, 1)
    machine = BoltzmannMachine.of(*general(blocks, biases))
    states = all_states(5)
    law = -machine.energy(states)
    assert chi_square(machine.sample(8000, 100), states, law) > 1e-4
    # The middle layer is hidden, the outer two are visible.
    rbm = restricted(np.vstack([blocks[0], blocks[1].T]), np.concatenate([biases[0], biases[2]]), biases[1])
    outer = rbm.sample(8000, 100)
    middle = Stream(2, "test/middle").bernoulli(rbm.transform(outer))
    assert chi_square(np.hstack([outer[:, :2], middle, outer[:, 2:]]), states, law) > 1e-4
    dbm = deep(blocks, biases)
    assert chi_square(dbm.sample(8000, 100), all_states(2), dbm.score_samples(all_states(2))) > 1e-4
    np.testing.assert_allclose(
        dbm.score_samples(all_states(2)),
        BoltzmannMachine.of(*general(blocks, biases), n_hidden=3).score_samples(all_states(2)),
        atol=1e-12,
    )
    assert dbm.log_partition().estimate == pytest.approx(machine.log_partition().estimate, abs=1e-12)
