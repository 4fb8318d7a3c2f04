"""Machines written to a file and read again."""

import numpy as np
import pytest

from bionet.energy import RBM
from bionet.errors import InputError, ResultFileError
from bionet.random import Stream
from bionet.results import ResultWriter


def fitted(**wanted):
    X = Stream(0, "test/X").bernoulli(np.full((20, 5), 0.4)).astype(float)
    return RBM(3, n_iter=2, **wanted).fit(X), X


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_read_is_what_was_written(tmp_path, dtype):
    rbm, X = fitted(dtype=dtype, gradient="pcd", seed=7)
    rbm.save(tmp_path / "rbm.h5")
    again = RBM.load(tmp_path / "rbm.h5")
    assert again.get_params() == rbm.get_params()
    for name, array in rbm.pack().items():
        found = again.pack()[name]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(again.transform(X), rbm.transform(X))
    assert again.n_features_in_ == 5


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path):
    rbm, _ = fitted()
    rbm.save(tmp_path / "rbm.h5")
    with pytest.raises(InputError, match="this file is there already"):
        rbm.save(tmp_path / "rbm.h5")
    rbm.save(tmp_path / "rbm.h5", force=True)


def test_files_that_hold_something_else_are_refused(tmp_path):
    rbm, _ = fitted()
    with ResultWriter(tmp_path / "other.h5", {}):
        pass
    with pytest.raises(ResultFileError, match="got no machine; expected RBM"):
        RBM.load(tmp_path / "other.h5")
    rbm.learned_.hidden_bias = np.zeros(9)
    rbm.save(tmp_path / "odd.h5")
    with pytest.raises(ResultFileError, match=r"not a whole RBM \(hidden_bias has shape \(9,\), not \(3,\)\)"):
        RBM.load(tmp_path / "odd.h5")
