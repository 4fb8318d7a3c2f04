"""scikit-learn's contract, for the machines whose pictures are probabilities."""

import numpy as np
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from bionet.energy import DBM, DBN, ConvolutionalRBM
from bionet.errors import InputError


class AnyRange:
    """Squeezes what the general checks feed, which is not made of probabilities, into [0, 1]."""

    def _data(self, X, reset=False):
        try:
            return super()._data(X, reset)
        except InputError as error:
            if "expected [0, 1]" not in str(error):
                raise
            return expit(np.asarray(X, dtype=self.dtype))


class AnyRangeDBM(AnyRange, DBM):
    """See above."""


class AnyRangeDBN(AnyRange, DBN):
    """See above."""


class AnyShapeRBM(ConvolutionalRBM):
    """Takes rows of any length for pictures of one column."""

    def _shape(self):
        return self.n_features_in_, 1


@parametrize_with_checks(
    [
        AnyRangeDBM((3, 2), n_iter=2),
        AnyRangeDBN((3, 2), n_iter=2),
        AnyShapeRBM(2, 1, n_iter=2, visible="gaussian", learning_rate=1e-4),
    ]
)
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)
