"""What the sweeps of a Boltzmann machine are made of: sums from tables, rounded weights, bars from draws."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from bionet.kernels.cpu import boltzmann, registers, subsets
from bionet.random import Stream

no_registers = pytest.mark.skipif(not registers.available(), reason="this processor has no AVX-512")
both_tables = pytest.mark.parametrize("tables", [subsets, pytest.param(registers, marks=no_registers)])


def bits(n_chains, n_units):
    return Stream(0, "test/bits").bernoulli(np.full((n_chains, n_units), 0.5)).astype(np.int8)


def sums(tables, states, rough, units):
    """Return the sums of the weights of units over what is on, shape (n_units, n_chains), from the tables."""
    codes = tables.pack(states)
    padded = np.zeros((len(rough), tables.EACH * len(codes)), dtype=np.int16)
    padded[:, : rough.shape[1]] = rough
    n = tables.n_places(codes)
    fields, room = subsets.aligned(tables.WIDTH * n, np.float32).reshape(tables.WIDTH, n), tables.room_for(n)
    found = []
    for first in range(0, len(units), tables.WIDTH):
        tables.add_up(units[first : first + tables.WIDTH], padded, codes, room, fields)
        found.append(fields[:, places(len(states), n)])
    return np.concatenate(found)


def places(n_chains, n):
    chains = np.arange(n_chains)
    return chains % 4 * (n // 4) + chains // 4


@both_tables
@pytest.mark.parametrize(
    ("n_chains", "n_units"), [(1, 1), (3, 5), (16, 64), (17, 70), (50, 256), (130, 61), (300, 119), (33, 601)]
)
def test_sums_from_tables_are_the_sums(tables, n_chains, n_units):
    states, draws = bits(n_chains, n_units), Stream(1, "test/weights")
    rough = (200 * draws.uniform((n_units, n_units)) - 100).astype(np.int16)
    units = draws.child("units").permutation(max(n_units, 64))[:64] % n_units
    expected = states.astype(int) @ rough[units].T.astype(int)
    np.testing.assert_array_equal(sums(tables, states, rough, units), expected.T)


@both_tables
def test_sums_reach_to_the_ends_of_their_bits(tables):
    """A panel's sum has 16 bits; panels add up beyond them."""
    most = 2**15 // tables.PANEL - 1
    rough = np.zeros((2, 4 * tables.PANEL), dtype=np.int16)
    rough[0], rough[1] = most, -most
    found = sums(tables, np.ones((5, rough.shape[1]), dtype=np.int8), rough, np.arange(64) % 2)
    np.testing.assert_array_equal(found[:2], rough.sum(axis=1)[:, None] * np.ones((1, 5)))


@both_tables
@pytest.mark.parametrize(("n_chains", "n_units"), [(1, 1), (9, 66), (130, 7)])
def test_what_is_packed_is_unpacked(tables, n_chains, n_units):
    states = bits(n_chains, n_units)
    codes, back = tables.pack(states), np.empty_like(states)
    tables.unpack(codes, back)
    np.testing.assert_array_equal(back, states)
    row = Stream(2, "test/row").normal(n_units)
    for place, state in zip(places(n_chains, tables.n_places(codes)), states, strict=True):
        assert tables.add_exactly(row, codes, place) == pytest.approx(row @ state, rel=1e-13, abs=1e-13)


@both_tables
@pytest.mark.parametrize(("n_chains", "n_units"), [(1, 1), (9, 66), (130, 7)])
def test_units_turn_to_what_is_decided(tables, n_chains, n_units):
    states = bits(n_chains, n_units)
    codes, goals = tables.pack(states), Stream(3, "test/goals").bernoulli(np.full((n_units, n_chains), 0.5))
    n = tables.n_places(codes)
    where = places(n_chains, n)
    for unit in range(n_units):
        goal, change = np.zeros(n, dtype=np.uint8), np.empty(n, dtype=np.float32)
        goal[where] = goals[unit]
        tables.turn(codes, unit, goal, change)
        np.testing.assert_array_equal(change[where], goals[unit].astype(int) - states[:, unit])
    tables.unpack(codes, states)
    np.testing.assert_array_equal(states, goals.T)


def digest():
    draws, n = Stream(4, "test/network"), 150
    weights = np.triu(draws.normal((n, n)), 1) / np.sqrt(n)
    states = bits(70, n)
    orders = np.stack([draws.child(str(k)).permutation(n) for k in range(3)])
    boltzmann.sweeps(states, weights + weights.T, np.zeros(n), orders, 1.0, np.zeros(n), draws.key, 0)
    return hashlib.sha256(states.tobytes()).hexdigest()


@no_registers
def test_a_processor_without_wide_registers_gives_the_same_states(tmp_path):
    code = "from tests.energy import test_boltzmann_kernels as t; print(t.boltzmann.sums.__name__, t.digest())"
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=os.environ | plain,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [subsets.__name__, digest()]


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-11, 0.05, 3e4])
@pytest.mark.parametrize("n_units", [2, 300, 700, 90_000])
def test_rounded_weights_err_by_no_more_than_they_say(n_units, scale):
    """In the two states that gather all errors of one sign: there half the bound is come near to, and not passed."""
    row = scale * Stream(n_units, "test/row").normal(n_units)
    rough = np.zeros(n_units, dtype=np.int16)
    multiple, rest, reach = boltzmann._measured(row, 0.0, 1.0, 0.0, rough)
    per, error = multiple, row * multiple - rough
    assert rest == 0
    assert np.abs(error).max() <= 0.5
    worst = max(error[error > 0].sum(), -error[error < 0].sum())
    assert worst <= reach <= worst * 1.00001 + 1e-5 + 2.0**-15 * per
    for low in range(0, n_units, boltzmann.PANEL):
        part = rough[low : low + boltzmann.PANEL].astype(int)
        assert max(part[part > 0].sum(), -part[part < 0].sum()) < 2**15
    assert max(rough[rough > 0].sum(dtype=int), -rough[rough < 0].sum(dtype=int)) < 2**24


def test_weights_without_measure_are_always_summed_again():
    rough = np.ones(3, dtype=np.int16)
    for row, beta in (
        (np.full(3, 1e300), 1.0),
        (np.full(3, 1e-300), 1e300),
        (np.ones(3), 0.0),
    ):
        assert boltzmann._measured(row, 0.5, beta, 0.5, rough) == (0.0, 0.0, np.inf)


@njit
def logits(words):
    found = np.empty(len(words), dtype=np.float32)
    for k in range(len(words)):
        found[k] = boltzmann.logit(words[k])
    return found


def test_bars_are_logits_of_draws():
    """To 2**-17; a bar allows for 2**-15."""
    ends = [0, 1, 2, 3, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]
    words = np.append(ends, (Stream(3, "test/words").uniform(100_000) * 2**32).astype(np.int64))
    words = np.append(words, 2 ** np.arange(32)).astype(np.uint32)
    exact = np.log(words + 0.5) - np.log(2.0**32 - words - 0.5)
    np.testing.assert_allclose(logits(words), exact, rtol=0, atol=2.0**-17)
