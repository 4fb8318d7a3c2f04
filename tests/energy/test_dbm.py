"""The deep Boltzmann machine against sums over all its states."""

import itertools

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from bionet.datasets import load
from bionet.energy import DBM
from bionet.energy.annealing import AnnealedHarmonium
from bionet.energy.harmonium import Harmonium
from bionet.energy.partition import ais
from bionet.errors import BionetError, InputError
from bionet.random import Stream
from tests.energy.enumerated import all_states, bars_and_stripes, chi_square, slopes

X = (Stream(0, "test/X").uniform((20, 4)) < np.array([0.2, 0.4, 0.6, 0.8])).astype(float)


def random_dbm(*layers, seed=0, scale=1.0):
    """A machine of 4 visible units whose parameters are then replaced by random ones."""
    dbm, draws = DBM(layers, n_iter=1).fit(X), Stream(seed, "test/dbm")
    for step, (weights, bias) in enumerate(zip(dbm.weights_, dbm.biases_[1:], strict=True)):
        weights[:], bias[:] = (
            scale * draws.normal(weights.shape, 2 * step),
            0.5 * draws.normal(bias.shape, 2 * step + 1),
        )
    dbm.biases_[0][:] = 0.5 * draws.normal(4, 99)
    return dbm


def brute_force(dbm):
    """Return the joint log-weight of all states, straight from the energy, one axis a layer."""
    sizes = [4, *dbm.layers]
    total = np.zeros([2**size for size in sizes])
    for where in itertools.product(*(range(2**size) for size in sizes)):
        states = [all_states(size)[place] for size, place in zip(sizes, where, strict=True)]
        links = sum(a @ W @ b for a, W, b in zip(states, dbm.weights_, states[1:], strict=False))
        total[where] = links + sum(a @ b for a, b in zip(states, dbm.biases_, strict=True))
    return total


@pytest.mark.parametrize("layers", [(3,), (3, 2), (2, 3, 2)])
def test_the_machine_of_two_layers_is_the_deep_one(layers):
    dbm = random_dbm(*layers)
    joint = brute_force(dbm)
    assert dbm.log_partition().estimate == pytest.approx(logsumexp(joint), abs=1e-12)
    law = logsumexp(joint, axis=tuple(range(1, joint.ndim))) - logsumexp(joint)
    np.testing.assert_allclose(dbm.score_samples(all_states(4)), law, atol=1e-12)


@pytest.mark.parametrize("layers", [(3, 2), (2, 3, 2)])
def test_sampled_pictures_have_the_law(layers):
    """Chi-square over 16 states of 4000 chains; each of the two fails one time in 10,000."""
    dbm = random_dbm(*layers)
    drawn = dbm.sample(4000, n_sweeps=100)
    assert chi_square(drawn, all_states(4), dbm.score_samples(all_states(4))) > 1e-4
    held = dbm.sample(4000, n_sweeps=100, clamp=[1, np.nan, np.nan, 0])
    states = all_states(4)[(all_states(4)[:, 0] == 1) & (all_states(4)[:, 3] == 0)]
    assert chi_square(held, states, dbm.score_samples(states)) > 1e-4


@pytest.mark.parametrize("layers", [(3, 2), (2, 3, 2)])
def test_the_gradient_is_a_difference_of_two_means(layers):
    """Oracle E14: held at the data, less free; no pass backwards."""
    dbm = random_dbm(*layers)
    pair, model = dbm.pair, dbm.pair.sum_out()[1]
    held = np.zeros_like(model.weights)
    for v in X:
        rest = Harmonium(pair.weights[4:], pair.visible_bias[4:], pair.hidden_bias + v @ pair.weights[:4]).sum_out()[1]
        held[:4] += np.outer(v, rest.hidden_bias) / len(X)
        held[4:] += rest.weights / len(X)
    found = slopes(lambda: dbm.score_samples(X).mean(), pair.weights)
    np.testing.assert_allclose(held - model.weights, found, rtol=1e-6, atol=1e-9)


def test_means_settle_where_they_agree():
    dbm = random_dbm(3, 2, scale=0.5)
    even, odd, updates = dbm.settle(X, 1000)
    (first, second), (_, below, above) = dbm.weights_, dbm.biases_
    np.testing.assert_allclose(odd, expit(X @ first + even[:, 4:] @ second.T + below), atol=1e-3)
    np.testing.assert_allclose(even[:, 4:], expit(odd @ second + above), atol=1e-3)
    assert 3 < updates < 100
    np.testing.assert_array_equal(even[:, :4], X)
    np.testing.assert_allclose(dbm.transform(X), even[:, 4:], atol=1e-2)


@pytest.mark.parametrize("layers", [(3, 2), (2, 3, 2)])
def test_layers_in_turn_settle_at_the_same_means_in_fewer_updates(layers):
    dbm = random_dbm(*layers, scale=0.5)
    even, odd, updates = dbm.settle(X, 1000)
    in_turn = dbm.set_params(mean_field="in turn").settle(X, 1000)
    np.testing.assert_allclose(in_turn[0], even, atol=1e-3)
    np.testing.assert_allclose(in_turn[1], odd, atol=1e-3)
    assert in_turn[2] < updates


@pytest.mark.parametrize("layers", [(3, 2), (2, 3, 2)])
def test_each_update_in_turn_raises_the_bound(layers):
    """Also where all at once they would go to and fro for ever."""
    for seed in range(20):
        dbm = random_dbm(*layers, seed=seed, scale=4.0).set_params(mean_field="in turn", tolerance=1e-12)
        bounds = [dbm.set_params(n_mean_field=n).evidence(all_states(4)) for n in range(1, 10)]
        assert np.diff(bounds, axis=0).min() > -1e-9


@pytest.mark.parametrize("layers", [(3,), (3, 2), (2, 3, 2)])
def test_the_bound_is_below(layers):
    for seed in range(20):
        dbm = random_dbm(*layers, seed=seed, scale=2.0)
        gap = dbm.unnormalised(all_states(4)) - dbm.evidence(all_states(4))
        assert gap.min() > -1e-9
        if len(layers) == 1:
            np.testing.assert_allclose(gap, 0, atol=1e-9)


def test_the_bound_of_a_machine_too_large_to_sum_is_an_interval():
    dbm = random_dbm(5, 3)
    found, exact = dbm.bound(X, n_betas=300, exact=False), dbm.evidence(X).mean() - dbm.log_partition().estimate
    assert abs(found.estimate - exact) < 2 * found.width


@pytest.mark.parametrize(("layers", "pretrain"), [((6,), 0), ((6, 4), 0), ((6, 4), 20), ((6, 4, 3), 20)])
def test_learning_raises_the_likelihood(layers, pretrain):
    wanted = {"batch_size": 8, "learning_rate": 0.2, "rate_decay": None, "n_chains": 50, "n_iter_pretrain": pretrain}
    start = DBM(layers, n_iter=1, **wanted).fit(bars_and_stripes(2))
    dbm = DBM(layers, n_iter=2500, **wanted).fit(bars_and_stripes(2))
    likelihood = dbm.score_samples(bars_and_stripes(2)).mean()
    assert start.score_samples(bars_and_stripes(2)).mean() + 0.3 < likelihood < -13.863 / 8
    assert dbm.history_["updates"].shape == (2500,)
    if len(layers) == 3:
        assert (dbm.learned_.weights[dbm._mask() == 0] == 0).all()


def test_pretraining_raises_the_bound_of_a_wide_machine():
    """Not centred, the mean of many weights would drive the visible biases to and fro."""
    pictures = (load("digits")["X"].values[:500] >= 0.5).astype(float)
    wanted = {"n_iter": 1, "learning_rate": 1e-9, "batch_size": 50}
    start, end = (DBM((300, 200), n_iter_pretrain=n, **wanted).fit(pictures) for n in (0, 20))
    found = [machine.bound(pictures[:100], n_betas=100) for machine in (start, end)]
    assert found[1].low > found[0].high + 0.2


@pytest.mark.parametrize("layers", [(100, 80), (60, 60, 60)])
def test_what_was_learned_layer_by_layer_beats_pixels_that_know_nothing_of_each_other(layers):
    """A layer's bias is the mean of those of its two machines; with the lower one's alone it was 10 nats worse."""
    pictures = (load("digits")["X"].values >= 0.5).astype(float)
    p = (pictures.sum(axis=0) + 0.5) / (len(pictures) + 1)
    alone = (pictures @ np.log(p) + (1 - pictures) @ np.log(1 - p)).mean()
    machine = DBM(layers, n_iter_pretrain=20, n_iter=1, learning_rate=1e-9, batch_size=20).fit(pictures)
    assert machine.bound(pictures, n_betas=100).low > alone + 3


def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    wanted = {"batch_size": 6, "momentum": 0.5, "n_iter_pretrain": 1, "seed": 3}
    whole, cut = DBM((3, 2), n_iter=5, **wanted).fit(X), DBM((3, 2), n_iter=5, **wanted)
    move, calls = DBM._fantasies, []

    def stop(self, clock):
        calls.append(clock)
        if len(calls) == 11:
            raise KeyError("stopped")
        return move(self, clock)

    monkeypatch.setattr(DBM, "_fantasies", stop)
    with pytest.raises(KeyError):
        cut.fit(X)
    monkeypatch.undo()
    assert cut.n_iter_ == 2
    cut.save(tmp_path / "dbm.h5")
    resumed = DBM.load(tmp_path / "dbm.h5").resume(X)
    for name, array in whole.pack().items():
        np.testing.assert_array_equal(resumed.pack()[name], array, err_msg=name)
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))


def test_bad_input_is_one_sentence():
    for wrong, message in [
        ({"layers": ()}, r"DBM.layers: got none"),
        ({"layers": (3, -1)}, r"DBM.layers\[1\]: got -1"),
        ({"learning_rate": 0}, r"DBM.learning_rate: got 0"),
        ({"k": 0}, r"DBM.k: got 0"),
        ({"mean_field": "serial"}, r"DBM.mean_field: got .serial"),
        ({"layers": (10**7, 10**7)}, r"DBM: its weights and their copies would take"),
    ]:
        with pytest.raises(InputError, match=message):
            DBM(**wrong).fit(X)
    with pytest.raises(InputError, match=r"DBM.X: got values from 0 to 2"):
        DBM().fit(2 * X)
    with pytest.raises(InputError, match=r"DBM.clamp: expected shape"):
        random_dbm(3).sample(2, clamp=[1.0, 0.0])
    with pytest.raises(BionetError, match=r"DBM.learning_rate: learning diverged in epoch 1 at 1e\+06"):
        DBM((3, 2), learning_rate=1e6).fit(X)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bars_and_stripes_are_learned_and_log_z_is_known_all_the_way():
    """Oracle E25: 4-16-4 units, 3 positive and 5 negative sweeps, rate 0.005, 100,000 updates."""
    rows = bars_and_stripes(2)
    wanted = {"learning_rate": 0.005, "rate_decay": None, "batch_size": 8, "n_mean_field": 3, "k": 5}
    betas = np.concatenate([np.linspace(0, 0.5, 100), np.linspace(0.5, 0.9, 800), np.linspace(0.9, 1, 2000)])
    dbm, likelihood = DBM((16, 4), n_iter=10_000, **wanted).fit(rows), []
    for step in range(1, 11):
        dbm.set_params(n_iter=10_000 * step).resume(rows)
        exact, draws = dbm.log_partition().estimate, Stream(step, "test/ais")
        weights = ais(AnnealedHarmonium(dbm.pair, dbm.base_bias_), betas, 100, draws).log_weights
        assert logsumexp(weights) - np.log(100) == pytest.approx(exact, abs=0.1)
        likelihood.append(dbm.score_samples(rows).sum())
        assert dbm.evidence(rows).sum() - 8 * exact < likelihood[-1] + 1e-9
    assert likelihood[0] < likelihood[-1] < -13.863
    assert likelihood[-1] > -18
