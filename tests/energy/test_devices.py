"""The array form of the kernels, which runs on a GPU: here on arrays with CuPy's manners, against the processor."""

from importlib.util import find_spec

import numpy as np
import pytest

from bionet.energy import (
    DBM,
    DBN,
    RBM,
    AssociativeClassifier,
    BoltzmannMachine,
    ConvolutionalRBM,
    DenseMemory,
    EquilibriumPropagation,
    Hopfield,
    ModernHopfield,
)
from bionet.energy.partition import Interval
from bionet.errors import InputError, MissingExtraError
from bionet.kernels import devices
from bionet.kernels.cpu import gibbs as loops
from bionet.kernels.cpu.blas import ADDRESS
from bionet.kernels.gpu import arrays
from bionet.kernels.gpu import gibbs as tables
from bionet.random import Stream, uniform, words
from tests.energy import elsewhere

BITS = Stream(0, "test/X").bernoulli(np.full((60, 12), 0.4)).astype(float)


def has_gpu():
    try:
        arrays.cupy()
    except InputError:
        return False
    return True


@pytest.fixture(
    params=["elsewhere", pytest.param("CuPy", marks=pytest.mark.skipif(not has_gpu(), reason="no CuPy, or no GPU"))]
)
def cuda(request, monkeypatch):
    """Let device="cuda" run on a GPU, or with something else in CuPy's place."""
    if request.param == "elsewhere":
        monkeypatch.setattr(arrays, "cupy", lambda: elsewhere.MODULE)
    return devices.kernels("cuda")


def test_the_array_form_has_the_names_of_the_loops():
    for name in ("ascent", "boltzmann", "gibbs", "hopfield"):
        own = getattr(devices.Kernels("cuda", np), name)
        assert set(vars(own)) & {"climb", "sweeps", "conditional", "anneal", "settle"}
        assert "numba" not in vars(own)


@pytest.mark.parametrize(("key", "step"), [(0, 0), (2**64 - 1, 2**40 + 3), (12345, 7)])
def test_uniform_numbers_are_the_bits_of_the_streams(cuda, key, step):
    index = np.array([0, 1, 5, 2**32 - 1, 2**32, 2**45 + 9], dtype=np.uint64)
    expected = [uniform(np.uint64(key), np.uint64(step), each) for each in index]
    np.testing.assert_array_equal(cuda.get(arrays.uniform(cuda.xp, key, step, cuda.put(index))), expected)


@pytest.mark.parametrize("shape", [(1, 3), (4, 5), (11, 700)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_units_of_a_layer_draw_a_word_each_on_either_side(cuda, shape, dtype):
    n_rows, n_units = shape
    draws, bias = Stream(5, "test"), Stream(6, "test").normal(n_units).astype(dtype)
    key, step = np.uint64(draws.key), np.uint64(2**33 + 5)
    word = [[words(key, step, row // 4 * n_units + unit)[row % 4] for unit in range(n_units)] for row in range(n_rows)]
    expected = np.array(word) * 2.0**-32
    np.testing.assert_array_equal(cuda.get(arrays.layer(cuda.xp, key, step, shape)), expected)
    mean, sample, none = np.empty(shape, dtype), np.empty(shape, dtype), np.empty((0, 0), dtype)
    states, weights = np.zeros((n_rows, 2), dtype), np.zeros((2, n_units), dtype)
    given = np.uint64(ADDRESS[bias.dtype]), loops.BERNOULLI, states, weights, False, none, bias, none.reshape(0)
    loops.conditional(*given, key, step, mean, sample, none)
    np.testing.assert_array_equal(sample, expected < mean)


@pytest.mark.parametrize("kind", [loops.LINEAR, loops.BERNOULLI, loops.SPIN])
@pytest.mark.parametrize("turn", [False, True])
def test_a_layer_given_its_neighbours(cuda, kind, turn):
    draws = Stream(3, "test")
    states, weights, bias = (draws.normal(shape, k) for k, shape in enumerate([(9, 7), (7, 5), (5,)]))
    scale, more = 1 + draws.uniform(9, 5), draws.normal((9, 5), 6)
    if turn:
        weights = np.ascontiguousarray(weights.T)
    drawn = kind != loops.LINEAR
    found = []
    for on, module in ((devices.CPU, loops), (cuda, tables)):
        mean, sample = on.put(np.zeros((9, 5))), on.put(np.zeros((9, 5) if drawn else (0, 0)))
        dot = on.put(np.zeros((1, 9) if drawn else (0, 0)))
        given = [on.put(each) for each in (states, weights, more, bias, scale)]
        address = np.uint64(ADDRESS[np.dtype(float)])
        module.conditional(
            *(address, kind, given[0], given[1], turn, given[2], given[3], given[4]),
            *(np.uint64(draws.key), np.uint64(9), mean, sample, dot),
        )
        found.append([on.get(each) for each in (mean, sample, dot)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-14)
    assert not drawn or 0 < (found[0][1] == 1).mean() < 1


RBMS = {
    "CD-1": {},
    "CD-3, momentum, sparsity": {"k": 3, "momentum": 0.5, "sparsity_cost": 0.1, "weight_decay": 1e-3},
    "PCD, not centred": {"gradient": "pcd", "centered": False, "n_chains": 13},
    "PCD, spins": {"gradient": "pcd", "visible": "spin", "hidden": "spin", "learning_rate": 0.2},
    "float32": {"gradient": "pcd", "dtype": "float32"},
}


@pytest.mark.parametrize("name", RBMS)
def test_rbms_learn_the_same(cuda, name):
    X = 2 * BITS - 1 if "spins" in name else BITS
    how = {"n_iter": 20, "batch_size": 16, "learning_rate": 1.0, **RBMS[name]}
    one, other = (RBM(6, device=each, **how).fit(X) for each in ("cpu", "cuda"))
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if name == "float32" else {"rtol": 1e-8, "atol": 1e-10}
    for key, array in one.learned_.pack().items():
        found = other.learned_.pack()[key]
        assert isinstance(found, np.ndarray)
        assert found.dtype == array.dtype
        np.testing.assert_allclose(found, array, err_msg=key, **tolerance)
    assert np.abs(one.weights_).max() > 0.1
    np.testing.assert_allclose(other.history_["reconstruction"], one.history_["reconstruction"], rtol=1e-4)


def test_a_machine_samples_and_is_annealed_the_same(cuda):
    one = RBM(6, n_iter=200, learning_rate=0.3, batch_size=20).fit(BITS)
    other = RBM(6, device="cuda", n_iter=200, learning_rate=0.3, batch_size=20)
    other.unpack(one.pack())
    clamp = np.where(np.arange(12) < 3, 1.0, np.nan)
    for how in ({}, {"clamp": clamp}, {"beta": 0.5}, {"means": True}):
        np.testing.assert_allclose(other.sample(20, 30, **how), one.sample(20, 30, **how), rtol=1e-9)
    np.testing.assert_allclose(other.free_energy(BITS), one.free_energy(BITS), rtol=1e-12)
    np.testing.assert_allclose(other.gibbs(BITS, 5), one.gibbs(BITS, 5))
    intervals = [each.log_partition(n_betas=50, n_runs=20, exact=False) for each in (one, other)]
    assert isinstance(intervals[1], Interval)
    assert intervals[1].width > 0
    np.testing.assert_allclose(intervals[1].estimate, intervals[0].estimate, rtol=1e-9)
    np.testing.assert_allclose(intervals[1].high, intervals[0].high, rtol=1e-9)
    np.testing.assert_allclose(other.score(BITS), one.score(BITS), rtol=1e-12)
    np.testing.assert_array_equal(other.transform(BITS), one.transform(BITS))
    np.testing.assert_array_equal(other.partial_fit(BITS).weights_.shape, (12, 6))
    np.testing.assert_allclose(other.weights_, one.partial_fit(BITS).weights_, rtol=1e-9)


def test_an_interrupted_fit_there_goes_on_here(cuda):
    """A pass that was broken off on a GPU is made again, from what the processor holds of it."""

    class StoppedError(Exception):
        pass

    whole = RBM(4, n_iter=5, batch_size=20, device="cuda").fit(BITS)
    cut, calls = RBM(4, n_iter=5, batch_size=20, device="cuda"), []
    climb = cuda.ascent.climb

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == 8:
            raise StoppedError
        climb(*arguments)

    try:
        cuda.ascent.climb = stop
        with pytest.raises(StoppedError):
            cut.fit(BITS)
    finally:
        cuda.ascent.climb = climb
    assert (cut.n_iter_, int(cut.learned_.clock[0])) == (2, 6)
    np.testing.assert_array_equal(cut.resume(BITS).weights_, whole.weights_)


@pytest.mark.parametrize("how", [{}, {"temperature": 0.4}, {"update": "synchronous"}, {"record": True}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hopfield_states_settle_the_same(cuda, how, dtype):
    draws = Stream(1, "test/patterns")
    patterns, start = (np.where(draws.bernoulli(np.full((n, 80), 0.5), n), 1, -1) for n in (12, 30))
    how = {"max_sweeps": 7 if "temperature" in how else 50, **how}
    clamp = np.arange(80) < 5
    one, other = (
        Hopfield(dtype=dtype, device=each).fit(patterns).recall(start, clamp, **how) for each in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(other.states, one.states)
    np.testing.assert_array_equal(other.sweeps, one.sweeps)
    np.testing.assert_array_equal(other.period, one.period)
    np.testing.assert_allclose(other.energies, one.energies, rtol=1e-5 if dtype == "float32" else 1e-10)
    if "record" in how:
        np.testing.assert_array_equal(other.trajectory, one.trajectory)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_boltzmann_machines_move_their_chains_the_same(cuda, dtype):
    noise = Stream(2, "test/weights").normal((150, 150)) / 12
    weights = np.triu(noise, 1) + np.triu(noise, 1).T
    one, other = (
        BoltzmannMachine.of(weights, noise[0], 50, dtype=dtype, device=each).sample(40, 6, seed=3)
        for each in ("cpu", "cuda")
    )
    # In single precision a field within 1e-6 of the draw could go either way: in about one of 10,000 seeds.
    np.testing.assert_array_equal(other, one)
    X = BITS[:, :6]
    fits = [
        BoltzmannMachine(2, None, "sampled", n_iter=20, n_chains=30, device=each).fit(X) for each in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(fits[1].weights_, fits[0].weights_, rtol=1e-9)


def test_deep_belief_nets_learn_greedily_there(cuda):
    one, other = (DBN((6, 4), n_iter=5, device=each).fit(BITS) for each in ("cpu", "cuda"))
    np.testing.assert_allclose(other.top_.weights_, one.top_.weights_, rtol=1e-8)


def test_what_has_no_way_to_run_there_says_so(cuda):
    with pytest.raises(InputError, match=r"RBM.device: got .cuda. for gradient='tempering' and bernoulli-bernoulli"):
        RBM(gradient="tempering", device="cuda").fit(BITS)
    with pytest.raises(InputError, match=r'RBM.device: got "cuda" for .* gaussian-bernoulli'):
        RBM(visible="gaussian", device="cuda").fit(BITS)
    for kind in (AssociativeClassifier, ConvolutionalRBM, DBM, DenseMemory, EquilibriumPropagation, ModernHopfield):
        given = (2 * BITS - 1,) if kind is DenseMemory else (BITS, BITS[:, 0])
        with pytest.raises(InputError, match=rf'{kind.__name__}.device: got "cuda"; expected "cpu": on a GPU'):
            kind(device="cuda").fit(*given)
    with pytest.raises(InputError, match=r"Hopfield.device: got 'gpu'"):
        Hopfield(device="gpu").fit(2 * BITS - 1)


def test_no_cupy_is_one_sentence():
    if find_spec("cupy") is not None:
        pytest.skip("CuPy is here")
    with pytest.raises(MissingExtraError, match=r'device="cuda" needs cupy, which is not installed'):
        RBM(device="cuda").fit(BITS)


def test_no_gpu_is_one_sentence(monkeypatch):
    class Blind:
        class cuda:  # noqa: N801
            @staticmethod
            def is_available():
                return False

    monkeypatch.setattr(arrays, "require", lambda *arguments: Blind)
    with pytest.raises(InputError, match="CuPy sees no NVIDIA GPU here"):
        RBM(device="cuda").fit(BITS)
