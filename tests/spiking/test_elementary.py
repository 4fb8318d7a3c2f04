"""Elementary functions: errors against mpmath, what holds exactly, the same bits from other instructions."""

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest
from llvmlite import binding
from mpmath import mp, mpf
from numba import njit

from bionet.spiking import elementary
from bionet.spiking.elementary import cos, cosh, exp, expm1, exprel, log, log1p, log10, sin, sinh, tan, tanh

INF, NAN = np.inf, np.nan
N = 1500


@cache
def loop(function):
    @njit(error_model="numpy")
    def over(x):
        y = np.empty(x.size)
        for i in range(x.size):
            y[i] = function(x[i])
        return y

    return over


def drawn(*ranges):
    """Numbers from each range; "tiny" are 1e-18 to 1 of both signs, "all" any positive doubles, even in their bits."""
    rng = np.random.default_rng(20)
    parts = []
    for each in ranges:
        if each == "tiny":
            parts.append(rng.choice([-1.0, 1.0], N) * 2.0 ** rng.uniform(-60, 0, N))
        elif each == "all":
            parts.append(rng.integers(1, 0x7FF0000000000000, N).view(np.float64))
        else:
            parts.append(rng.uniform(*each, N))
    return np.concatenate(parts)


ANGLES = (-1, 1), (-10, 10), (-1e5, 1e5), (-1e9, 1e9), (-1e15, 1e15), "tiny"
# What is computed, the exact value, the bound on the error (ulp), and where it is looked at.
BOUNDS = {
    "exp": (exp, mp.exp, 1, [(-1, 1), (-20, 5), (-708, 709.7), (-745, -708), "tiny"]),
    "expm1": (expm1, mp.expm1, 1.25, [(-1, 1), (0.34, 0.38), (-60, 60), (60, 709.7), "tiny"]),
    "exprel": (exprel, lambda x: mp.expm1(x) / x, 2, [(-1, 1), (-60, 60), (-1e308, 0), (60, 716.3), "tiny"]),
    "log": (log, mp.log, 1, [(0.68, 0.75), (0.7, 1.42), (0, 100), "all"]),
    "log1p": (log1p, mp.log1p, 1, [(-1, 1), (-0.3, 0.42), (0, 100), "tiny", "all"]),
    "log10": (log10, mp.log10, 1, [(0.7, 1.42), (0, 100), "all"]),
    "sin": (sin, mp.sin, 1, ANGLES),
    "cos": (cos, mp.cos, 1, ANGLES),
    "tan": (tan, mp.tan, 1.25, ANGLES),
    "tanh": (tanh, mp.tanh, 2, [(-1, 1), (-25, 25), "tiny"]),
    "sinh": (sinh, mp.sinh, 2, [(-1, 1), (-40, 40), (-710.4, 710.4), "tiny"]),
    "cosh": (cosh, mp.cosh, 1.25, [(-1, 1), (-40, 40), (-710.4, 710.4), "tiny"]),
}


def error(y, x, exact):
    """The largest distance of y from the exact value, in units in the last place of the exact value."""
    worst = 0.0
    with mpmath.workprec(200):
        for each, got in zip(x.tolist(), y.tolist(), strict=True):
            value = exact(mpf(each))
            unit = mp.ldexp(1, max(mp.frexp(value)[1] - 53, -1074))
            worst = max(worst, float(abs(mpf(got) - value) / unit))
    return worst


@pytest.mark.parametrize("name", BOUNDS)
def test_errors_stay_below_the_stated_bound(name):
    function, exact, bound, ranges = BOUNDS[name]
    for each in ranges:
        x = drawn(each)
        assert error(loop(function)(x), x, exact) <= bound, each


def close_to_a_quarter_turn():
    """For each exponent the doubles up to 2**50 that lie closest to a multiple of pi/2 (continued fractions)."""
    found = []
    with mpmath.workprec(300):
        for exponent in range(-53, -2):
            ratio = mp.pi / 2 / mp.ldexp(1, exponent)
            whole, before, fraction = 1, 0, ratio
            n, n_before = 0, 1
            while True:
                term = int(mp.floor(fraction))
                whole, before = term * whole + before, whole
                n, n_before = term * n + n_before, n
                if whole >= 2**53:
                    break
                found += [float(mp.ldexp(whole, exponent)) for _ in range(whole.bit_length() == 53)]
                fraction = 1 / (fraction - term)
    return np.array(found)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_quarter_turns(name):
    function, exact, bound, _ = BOUNDS[name]
    x = close_to_a_quarter_turn()
    assert x.size > 20
    assert x.max() > 1e13
    assert error(loop(function)(x), x, exact) <= bound


LEAST = 5e-324
EXACT = [
    (exp, [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (709.79, INF), (1e300, INF), (-745.14, 0.0)]),
    (exp, [(-745.0, LEAST), (LEAST, 1.0)]),
    (expm1, [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (-50.0, -1.0), (709.79, INF), (LEAST, LEAST)]),
    (exprel, [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (717.0, INF), (-LEAST, 1.0), (-1e308, 1e-308)]),
    (log, [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN), (-LEAST, NAN)]),
    (log1p, [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-1.1, NAN), (-INF, NAN), (-LEAST, -LEAST)]),
    (log10, [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN)]),
    (log10, [(float(f"1e{n}"), float(n)) for n in range(23)]),
    (sin, [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (LEAST, LEAST), (np.pi / 2, 1.0), (2.0**51, NAN)]),
    (cos, [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (LEAST, 1.0), (np.pi, -1.0), (-(2.0**51), NAN)]),
    (tan, [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (LEAST, LEAST), (2.0**51, NAN)]),
    (tanh, [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (20.0, 1.0), (1e300, 1.0), (-LEAST, -LEAST)]),
    (sinh, [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (711.0, INF), (-LEAST, -LEAST)]),
    (cosh, [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (711.0, INF), (LEAST, 1.0)]),
]


@pytest.mark.parametrize(("function", "pairs"), EXACT)
def test_what_holds_exactly(function, pairs):
    x, expected = np.array(pairs).T
    y = loop(function)(x)
    assert np.array_equal(y, expected, equal_nan=True)
    assert (np.signbit(y) == np.signbit(expected))[y == 0].all()


@pytest.mark.parametrize("name", BOUNDS)
def test_nan_stays(name):
    assert np.isnan(loop(BOUNDS[name][0])(np.array([NAN, -NAN]))).all()


@pytest.mark.parametrize("function", [sin, tan, sinh, tanh])
def test_odd_functions_are_odd(function):
    x = drawn((0, 1), (0, 100), "tiny")
    assert np.array_equal(loop(function)(-x), -loop(function)(x))


@pytest.mark.parametrize("name", BOUNDS)
def test_arguments_of_any_type_are_converted(name):
    function = BOUNDS[name][0]
    for value in (1, True, np.float32(1.0)):
        assert function(value) == function(1.0)


def fuses():
    features = binding.get_host_cpu_features()
    return features.get("fma", False) or features.get("neon", False)


@pytest.mark.skipif(not fuses(), reason="this processor has no fused multiply-add")
@pytest.mark.parametrize("name", BOUNDS)
def test_a_loop_is_vectorised(name):
    over = loop(BOUNDS[name][0])
    over(np.ones(1))
    assert "@llvm.fma.v" in over.inspect_llvm(over.signatures[0])


def digests():
    return [
        f"{name} {hashlib.sha256(loop(function)(drawn(*ranges)).tobytes()).hexdigest()}"
        for name, (function, _, _, ranges) in BOUNDS.items()
    ]


def test_the_plainest_processor_of_this_kind_gives_the_same_bits(tmp_path):
    """On x86-64 that is one without fused multiply-adds and with vectors of two."""
    code = "from tests.spiking.test_elementary import digests; print(*digests(), sep=chr(10))"
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=os.environ | plain, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == digests()


def interpolant(function, low, high, degree):
    """The coefficients of the polynomial that meets a function at Chebyshev's nodes."""
    nodes = [
        (low + high + (high - low) * mp.cos(mp.pi * (2 * k + 1) / (2 * degree + 2))) / 2 for k in range(degree + 1)
    ]
    powers = mp.matrix([[node**j for j in range(degree + 1)] for node in nodes])
    return tuple(float(each) for each in mp.lu_solve(powers, mp.matrix([function(node) for node in nodes])))


def series(coefficient):
    return lambda x: mp.fsum(coefficient(n) * x**n for n in range(60))


def test_the_polynomials_are_interpolants():
    with mpmath.workdps(60):
        slightly = 1 + mpf(2) ** -20
        half = mp.log(2) / 2 * slightly
        most = (3 - 2 * mp.sqrt(2)) ** 2 * slightly
        turn = mpf("0.86") ** 2
        assert interpolant(series(lambda n: 1 / mp.factorial(n + 2)), -half, half, 10) == elementary._EXP
        assert interpolant(series(lambda n: mpf(2) / (2 * n + 3)), 0, most, 6) == elementary._LOG
        assert interpolant(series(lambda n: (-1) ** (n + 1) / mp.factorial(2 * n + 3)), 0, turn, 6) == elementary._SIN
        assert interpolant(series(lambda n: (-1) ** n / mp.factorial(2 * n + 4)), 0, turn, 5) == elementary._COS


@pytest.mark.parametrize(
    ("parts", "exact"),
    [
        (elementary._LN2, lambda: mp.log(2)),
        (elementary._LOG10_2, lambda: mp.log10(2)),
        (elementary._LOG10_E, lambda: mp.log10(mp.e)),
        (elementary._HALF_PI, lambda: mp.pi / 2),
        ((elementary._PER_LN2,), lambda: 1 / mp.log(2)),
        ((elementary._PER_HALF_PI,), lambda: 2 / mp.pi),
    ],
)
def test_constants_are_sums_of_roundings(parts, exact):
    with mpmath.workdps(80):
        left = exact()
        for part in parts:
            assert part == float(left)
            left -= part
