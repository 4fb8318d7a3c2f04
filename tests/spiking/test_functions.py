"""Functions of Brian2's language: what NumPy and Brian2 give for the same arguments, down to NaN and signs of zero."""

import numpy as np
import pytest
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.functions import timestep as brian_timestep
from numba import njit

from bionet.spiking.functions import FUNCTIONS, absolute, ceil, clip, floor, int_, mod, pow_int, sign, timestep

NUMBERS = [0.0, -0.0, 0.1, 0.3, -0.5, 1.0, -1.0, 2.5, -3.0, 7.0, 1e-300, -1e300, np.inf, -np.inf, np.nan]
WHOLE = [-7, -3, -1, 0, 1, 2, 5]


def same(ours, theirs):
    """Equal in value and sign of zero; NaN is equal to NaN."""
    return (ours == theirs and np.signbit(ours) == np.signbit(theirs)) or (np.isnan(ours) and np.isnan(theirs))


def test_every_function_without_state_has_its_own():
    assert FUNCTIONS.keys() - {"mod"} == DEFAULT_FUNCTIONS.keys() - {"rand", "randn", "poisson"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"mod", "clip", "timestep"}))
def test_values_are_those_of_brian(name):
    brian = DEFAULT_FUNCTIONS[name].pyfunc
    rng = np.random.default_rng(7)
    for x in np.concatenate((rng.uniform(-1, 1, 50), rng.uniform(-30, 30, 50), [0.0, 1.0, -1.0])).tolist():
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = float(brian(x))
        assert float(FUNCTIONS[name](x)) == pytest.approx(expected, rel=1e-14, abs=1e-300, nan_ok=True), x


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(sign, np.sign), (absolute, np.abs), (floor, np.floor), (ceil, np.ceil)],
    ids=lambda f: f.__name__,
)
def test_exact_functions_of_one_number(ours, theirs):
    assert all(same(ours(x), theirs(x)) for x in NUMBERS)
    assert all(ours(x) == theirs(x) for x in WHOLE)
    assert all(ours(np.int32(x)) == theirs(x) for x in WHOLE)


def test_signs_and_sizes_keep_their_type():
    assert type(sign(-3)) is type(absolute(-3)) is int
    assert type(sign(-3.0)) is type(absolute(-3.0)) is float


def test_floor_and_ceil_are_not_confined_to_32_bits():
    assert floor(3e9 + 0.5) == 3e9
    assert ceil(-3e9 - 0.5) == -3e9


@pytest.mark.parametrize("y", NUMBERS)
def test_remainders_are_those_of_numpy(y):
    with np.errstate(all="ignore"):
        assert all(same(mod(x, y), np.remainder(x, y)) for x in NUMBERS)


@pytest.mark.parametrize("y", WHOLE)
def test_remainders_of_whole_numbers_are_those_of_numpy(y):
    with np.errstate(all="ignore"):
        assert all(mod(x, y) == np.remainder(np.int64(x), np.int64(y)) for x in WHOLE)


def test_clip_is_that_of_numpy():
    for low, high in [(0.0, 1.0), (2.0, 1.0), (np.nan, 1.0), (0.0, np.nan), (-np.inf, np.inf)]:
        assert all(same(clip(x, low, high), np.clip(x, low, high)) for x in NUMBERS)
    assert clip(7, -2, 5) == 5


def test_int_cuts_the_fraction_off():
    x = np.random.default_rng(1).uniform(-1e9, 1e9, 200)
    assert [int_(each) for each in x] == np.int32(x).tolist()
    assert (int_(True), int_(False), int_(-0.9), int_(4_000_000_000.7)) == (1, 0, 0, 4_000_000_000)


@pytest.mark.parametrize("dt", [1e-4, 5e-5, 1e-3, 1 / 3])
def test_timestep_is_that_of_brian(dt):
    k = np.arange(-20_000, 20_000, 7)
    for t in (k * dt, np.nextafter(k * dt, -1e9), (k - 0.9e-3) * dt, (k - 1.1e-3) * dt):
        assert [timestep(each, dt) for each in t] == brian_timestep(t, dt).tolist()
    assert [timestep(each, dt) for each in k[k >= 0] * dt] == k[k >= 0].tolist()


def test_powers():
    x = np.concatenate((np.random.default_rng(2).uniform(-3, 3, 300), NUMBERS))
    with np.errstate(all="ignore"):
        assert all(same(pow_int(each, 2), each**2) for each in x)
        assert all(same(pow_int(each, -1), 1 / each) for each in x)
        for n in range(-20, 21):
            ours = [pow_int(each, n) for each in x]
            assert np.allclose(ours, np.power(x, float(n)), rtol=2.3e-16 * (abs(n) + 1), atol=1e-300, equal_nan=True), n
    assert pow_int(np.nan, 0) == 1


def test_a_constant_power_leaves_no_loop():
    @njit(error_model="numpy")
    def fourth(x):
        return pow_int(x, 4)

    assert fourth(3.0) == 81.0
    text = fourth.inspect_llvm(fourth.signatures[0])
    assert "llvm.pow" not in text
    body = text[text.index("define ") : text.index("\n}")]
    assert body.count("fmul double") == 2
