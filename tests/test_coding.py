"""Codes: decoding inverts encoding within the stated resolution; Poisson trains are Poisson.

Statistical claims are put to the seeds 1 to 5, fixed beforehand, and fail with a probability of 1e-6 a time.
"""

import numpy as np
import pytest
from scipy import stats

from bionet import coding
from bionet.coding import Latency, Population, RankOrder, Rate, Spikes, from_thermometer, thermometer
from bionet.errors import InputError
from bionet.random import Stream

SEEDS = [1, 2, 3, 4, 5]
ERROR = 1e-6


def values(n_samples=50, n_features=20):
    """Values in [0, 1]: random ones, then both ends, then the middle."""
    X = Stream(0, "values").uniform((n_samples, n_features))
    X[-1], X[-2], X[-3] = 0.0, 1.0, 0.5
    return X


def on_a_grid(spikes, dt):
    """The same spikes, with times known to a step only."""
    return Spikes(np.rint(spikes.t / dt) * dt, spikes.i, spikes.sample, spikes.n_samples, spikes.n_neurons)


CODES = [Rate(regular=True), Latency(), Latency(scale="logarithmic", minimum=0.01), Population(), RankOrder()]


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_spikes_are_flat_arrays_in_order(code):
    X = values()
    spikes = code.encode(X)
    assert spikes.t.shape == spikes.i.shape == spikes.sample.shape
    assert (spikes.t >= 0).all()
    assert np.array_equal(np.lexsort((spikes.t, spikes.sample)), np.arange(spikes.t.size))
    assert (spikes.n_samples, spikes.n_neurons % X.shape[1]) == (50, 0)
    one = code.encode(X[7:8])
    assert all(np.array_equal(a, b) for a, b in zip(spikes.of(7), one.of(0), strict=True))


def test_counts_and_first_spikes():
    spikes = Spikes(
        t=np.array([0.1, 0.2, 0.3, 0.05]),
        i=np.array([2, 0, 2, 1]),
        sample=np.array([0, 0, 0, 2]),
        n_samples=3,
        n_neurons=3,
    )
    assert spikes.counts().tolist() == [[1, 0, 2], [0, 0, 0], [0, 1, 0]]
    inf = np.inf
    assert spikes.first().tolist() == [[0.2, inf, 0.1], [inf, inf, inf], [inf, 0.05, inf]]
    assert [each.tolist() for each in spikes.of(0)] == [[0.1, 0.2, 0.3], [2, 0, 2]]
    assert [each.size for each in spikes.of(1)] == [0, 0]


@pytest.mark.parametrize(("duration", "maximum"), [(0.35, 100.0), (0.1, 63.75), (1.0, 5.0)])
def test_regular_trains_are_decoded_within_half_a_spike(duration, maximum):
    X = values()
    code = Rate(duration=duration, maximum=maximum, regular=True)
    spikes = code.encode(X)
    assert (spikes.t < duration).all()
    assert abs(code.decode(spikes) - X).max() <= 0.5 / (duration * maximum) + 1e-12


def test_regular_trains_are_regular():
    t, _ = Rate(duration=1.0, maximum=40.0, regular=True).encode([[0.25]]).of(0)
    assert np.allclose(t, (np.arange(10) + 0.5) / 10)


@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_counts_have_the_stated_mean_and_variance(seed):
    code, x, n = Rate(duration=0.35, maximum=60.0), 0.4, 20_000
    decoded = code.decode(code.encode(np.full((n, 1), x), Stream(seed, "rate")))
    z = (decoded.mean() - x) / np.sqrt(x / (0.35 * 60.0) / n)
    assert 2 * stats.norm.sf(abs(z)) > ERROR
    counts = np.rint(decoded * 0.35 * 60.0)
    # Fisher's dispersion test: (n - 1) variance / mean is chi-square.
    dispersion = (n - 1) * counts.var(ddof=1) / counts.mean()
    assert 2 * min(stats.chi2.sf(dispersion, n - 1), stats.chi2.cdf(dispersion, n - 1)) > ERROR


@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_intervals_are_exponential_and_times_uniform(seed):
    t, _ = Rate(duration=1000.0, maximum=100.0).encode([[0.3]], Stream(seed, "rate")).of(0)
    assert stats.kstest(np.diff(t), "expon", (0, 1 / 30.0)).pvalue > ERROR
    assert stats.kstest(t / 1000.0, "uniform").pvalue > ERROR
    assert stats.pearsonr(np.diff(t)[:-1], np.diff(t)[1:]).pvalue > ERROR


def test_poisson_trains_follow_stream_and_step_and_silence_stays_silent():
    X, code, stream = values(), Rate(), Stream(1, "rate")
    first, again, later = (code.encode(X, stream, step) for step in (0, 0, 1))
    assert np.array_equal(first.t, again.t)
    assert not np.array_equal(first.counts(), later.counts())
    assert not first.counts()[-1].any()
    assert (first.t < code.duration).all()


@pytest.mark.parametrize("minimum", [0.0, 0.3])
def test_linear_latency_is_inverted_exactly(minimum):
    X = values()
    code = Latency(duration=0.02, minimum=minimum)
    spikes = code.encode(X)
    assert spikes.t.max() <= 0.02 * (1 + 1e-12)
    assert np.allclose(code.decode(spikes), np.where(minimum <= X, X, 0.0), rtol=0, atol=1e-14)
    dt = 0.0005
    error = abs(code.decode(on_a_grid(spikes, dt)) - X)[minimum <= X]
    assert error.max() <= (1 - minimum) * dt / (2 * 0.02) + 1e-12


def test_logarithmic_latency_is_inverted_exactly():
    X, minimum, dt = values(), 0.01, 0.0005
    code = Latency(duration=0.02, scale="logarithmic", minimum=minimum)
    spikes = code.encode(X)
    assert spikes.t.max() <= 0.02 * (1 + 1e-12)
    assert np.allclose(code.decode(spikes), np.where(minimum <= X, X, 0.0), rtol=1e-12, atol=0)
    fires = minimum <= X
    factor = code.decode(on_a_grid(spikes, dt))[fires] / X[fires]
    assert abs(np.log(factor)).max() <= -np.log(minimum) * dt / (2 * 0.02) + 1e-12


def test_a_common_factor_is_a_common_shift_of_logarithmic_latencies():
    X = 0.1 + 0.8 * values()
    code = Latency(duration=0.02, scale="logarithmic", minimum=0.001)
    shift = code.encode(X / 2).first() - code.encode(X).first()
    assert np.allclose(shift, 0.02 * np.log(0.5) / np.log(0.001))


@pytest.mark.parametrize(("n_units", "width"), [(2, 0.6), (5, 1.0), (8, 1.5), (20, 0.7)])
def test_population_code_is_inverted_exactly(n_units, width):
    X = np.vstack([values(), np.linspace(0, 1, 20)])
    code = Population(n_units=n_units, width=width)
    spikes = code.encode(X)
    assert spikes.n_neurons == 20 * n_units
    assert np.allclose(code.decode(spikes), X, rtol=0, atol=1e-12)
    dt = 0.0002
    e, b = dt / (2 * code.duration), np.exp(-1 / (2 * width**2))
    bound = -2 * width**2 * np.log(1 - e / (b - 2 * e)) / (n_units - 1)
    assert abs(code.decode(on_a_grid(spikes, dt)) - X).max() <= bound


def test_the_unit_whose_centre_is_the_value_fires_at_once():
    t, i = Population(n_units=5).encode([[0.25, 1.0]]).of(0)
    assert i[t == 0].tolist() == [1, 5 + 4]


def test_rank_order_is_inverted_up_to_the_table():
    X, code = values(), RankOrder(interval=0.001)
    spikes = code.encode(X)
    assert np.allclose(np.sort(spikes.t.reshape(50, 20), axis=1), 0.001 * np.arange(20))
    table = np.sort(X[:10], axis=1)[:, ::-1].mean(axis=0)
    for each in (None, table):
        decoded = code.decode(spikes, each)
        entries = np.linspace(1, 0, 20) if each is None else each
        assert abs(decoded - X).max() <= abs(np.sort(X, axis=1)[:, ::-1] - entries).max() + 1e-15
        assert np.array_equal(np.argsort(-decoded, axis=1, kind="stable")[:-3], np.argsort(-X, axis=1)[:-3])
    ladder = X[:1].argsort(axis=1) / 19
    assert np.allclose(code.decode(code.encode(ladder)), ladder, rtol=0, atol=1e-15)


def test_equal_values_fire_in_the_order_of_their_features():
    assert RankOrder().encode([[0.5, 0.7, 0.5]]).i.tolist() == [1, 0, 2]


@pytest.mark.parametrize("levels", [1, 2, 4, 16])
def test_thermometer_is_inverted_within_half_a_level(levels):
    X = values()
    code = thermometer(X, levels)
    assert code.shape == (50, 20 * levels)
    assert set(np.unique(code)) == {-1.0, 1.0}
    assert abs(from_thermometer(code, levels) - X).max() <= 0.5 / levels
    grid = np.arange(levels + 1)[None] / levels
    assert np.array_equal(from_thermometer(thermometer(grid, levels), levels), grid)


def test_thermometer_is_as_stated():
    X = values(5, 3)
    code = thermometer(X, 4).reshape(5, 3, 4)
    for k in range(4):
        assert np.array_equal(code[:, :, k] == 1, (k + 0.5) / 4 < X)


def test_distances_of_thermometer_codes_are_distances_of_values():
    X = np.array([[0.0, 0.25, 1.0], [0.75, 0.25, 0.5]])
    code = thermometer(X, 4)
    assert (code[0] != code[1]).sum() == 3 + 0 + 2


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Rate().encode([[0.5]]), "Rate.encode: got no stream; expected one for Poisson trains"),
        (lambda: Rate(regular=True).encode([[1.5]]), "Rate.encode: got 1.5 in X; expected numbers from 0 to 1"),
        (lambda: Rate(regular=True).encode([[np.nan]]), "Rate.encode: got nan in X; expected numbers from 0 to 1"),
        (lambda: Latency().encode([0.5]), "Latency.encode: got X of shape (1,); expected (n_samples, n_features)"),
        (lambda: Rate(duration=-0.1), "Rate.duration: got -0.1; expected a number above 0"),
        (lambda: Latency(scale="log"), "Latency.scale: got 'log'; expected 'linear' or 'logarithmic'"),
        (
            lambda: Latency(scale="logarithmic").encode([[0.5]]),
            "Latency.minimum: got 0.0; expected below 1, and above 0",
        ),
        (lambda: Latency(minimum=1.0).encode([[0.5]]), "Latency.minimum: got 1.0; expected below 1"),
        (lambda: Population(n_units=1).encode([[0.5]]), "Population.n_units: got 1; expected at least 2"),
        (
            lambda: Population(minimum=0.7).encode([[0.5]]),
            "Population.minimum: got 0.7; expected above 0 and, for width=1",
        ),
        (lambda: Population(minimum=0.0).encode([[0.5]]), "Population.minimum: got 0.0; expected above 0"),
        (lambda: Population(n_units=2).decode(Latency().encode([[0.5, 0.5, 0.5]])), "Population.decode: got 3 neurons"),
        (
            lambda: RankOrder().decode(RankOrder().encode([[0.5]]), [1, 0]),
            "RankOrder.decode: got a table of shape (2,)",
        ),
        (lambda: thermometer([[0.5]], 0), "thermometer.levels: got 0; expected at least 1"),
        (lambda: thermometer([[-0.1]], 4), "thermometer: got -0.1 in X; expected numbers from 0 to 1"),
        (
            lambda: from_thermometer([[1.0, -1.0, 1.0]], 2),
            "from_thermometer.code: got shape (1, 3); expected (n_samples,",
        ),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InputError) as refusal:
        call()
    assert str(refusal.value).startswith(sentence)


def test_a_population_with_one_spike_says_nothing():
    spikes = Population(n_units=3, width=1.0).encode([[0.5]])
    one = Spikes(spikes.t[:1], spikes.i[:1], spikes.sample[:1], 1, 3)
    with pytest.raises(InputError, match=r"^Population\.decode: got a feature with fewer than two spikes"):
        Population(n_units=3).decode(one)


def test_no_samples_make_no_spikes():
    spikes = coding.Rate(regular=True).encode(np.empty((0, 4)))
    assert spikes.counts().shape == (0, 4)
