"""The import of what Numba knows of NumPy, without SciPy's linear algebra."""

import sys

from numba.np import linalg


def import_numba_for_arrays() -> None:
    """Import Numba's functions of arrays, which ask whether there is a BLAS by importing SciPy's linear algebra.

    That is a tenth of a second and 20 MiB for every network, and none has a use for it. SciPy is there, as bionet needs
    it itself; whatever multiplies matrices in compiled code still imports it, when it is compiled.
    """
    if "numba.np.arraymath" in sys.modules or not hasattr(linalg, "ensure_blas"):
        return
    ensure_blas, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        from numba.np import arraymath

        arraymath.ensure_blas = ensure_blas
    finally:
        linalg.ensure_blas = ensure_blas
