"""What the online rules accept: samples, counts, rates, and weights that stayed bounded."""

from __future__ import annotations

from math import isfinite
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from bionet.errors import InputError


def learning_samples(learner: BaseEstimator, X: ArrayLike) -> NDArray[np.float64]:
    """Return the samples a learner is fitted to, and note the number of features.

    Parameters
    ----------
    learner : BaseEstimator
        Gets ``n_features_in_``.
    X : array, shape (n_samples, n_features)
        Finite numbers.

    Raises
    ------
    InputError
        If they are anything else.
    """
    return _samples(learner, "fit", X, reset=True)


def more_samples(learner: BaseEstimator, X: ArrayLike) -> NDArray[np.float64]:
    """Return samples for a fitted learner, of as many features as it was fitted to.

    Parameters
    ----------
    learner : BaseEstimator
        Fitted.
    X : array, shape (n_samples, n_features)
        Finite numbers.

    Raises
    ------
    InputError
        If they are anything else.
    """
    return _samples(learner, "transform", X, reset=False)


def _samples(learner: BaseEstimator, method: str, X: ArrayLike, reset: bool) -> NDArray[np.float64]:
    try:
        return validate_data(learner, X, dtype=np.float64, order="C", reset=reset)
    except ValueError as error:
        raise InputError(f"{type(learner).__name__}.{method}: {error}") from error


def check_count(learner: BaseEstimator, name: str) -> None:
    """Refuse a parameter that is not a whole number above 0.

    Parameters
    ----------
    learner : BaseEstimator
        Whose parameter it is.
    name : str
        The parameter.

    Raises
    ------
    InputError
        With what was got.
    """
    value = getattr(learner, name)
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{type(learner).__name__}.{name}: got {value!r}; expected a whole number above 0, such as 10")


def check_positive(learner: BaseEstimator, name: str) -> None:
    """Refuse a parameter that is not a finite number above 0.

    Parameters
    ----------
    learner : BaseEstimator
        Whose parameter it is.
    name : str
        The parameter.

    Raises
    ------
    InputError
        With what was got.
    """
    value = getattr(learner, name)
    if not isinstance(value, Real) or isinstance(value, bool) or not isfinite(value) or value <= 0:
        raise InputError(f"{type(learner).__name__}.{name}: got {value!r}; expected a positive number, such as 0.1")


def check_bounded(learner: BaseEstimator, weights: NDArray[np.float64]) -> None:
    """Refuse weights that a too large learning rate has driven out of bounds.

    Parameters
    ----------
    learner : BaseEstimator
        Whose ``learning_rate`` it is.
    weights : array, shape (n_pre, n_post)
        As the rule left them, dimensionless; rules of Oja's kind end at norms of 1.

    Raises
    ------
    InputError
        If a weight is above 100 or not a number.
    """
    if not np.all(np.abs(weights) < 100.0):
        raise InputError(
            f"{type(learner).__name__}.learning_rate: got {learner.learning_rate!r}, with which the weights grew "
            f"without bound; expected a smaller one, such as {learner.learning_rate / 10:g}"
        )
