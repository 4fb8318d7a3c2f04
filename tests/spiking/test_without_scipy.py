"""Numba's functions of arrays are there without SciPy's linear algebra, which comes when something needs it."""

import subprocess
import sys

SCRIPT = """
import sys
from bionet.spiking.machine_code import import_compiler

import_compiler()
from numba import njit
from numba.np import arraymath, linalg
import numpy as np

assert "scipy.linalg" not in sys.modules
assert arraymath.ensure_blas is linalg.ensure_blas
assert linalg.ensure_blas.__name__ == "ensure_blas"

@njit
def product(a, b):
    return np.dot(a, b), np.linalg.solve(a, b)

a = np.array([[2.0, 1.0], [0.0, 4.0]])
assert np.allclose(product(a, a), (a @ a, np.eye(2)))
assert "scipy.linalg" in sys.modules
"""


def test_linear_algebra_is_imported_when_it_is_compiled():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
