"""What the tests of energy models share: all states, sampled histograms held against laws, slopes of functions."""

import numpy as np
from scipy.stats import chi2


def all_states(n_units):
    return (np.arange(2**n_units)[:, None] >> np.arange(n_units) & 1).astype(float)


def bars_and_stripes(size):
    bars = all_states(size)
    return np.concatenate([np.repeat(bars, size, axis=1), np.tile(bars, (1, size))])


def chi_square(drawn, states, log_weight):
    """Return the probability that independent draws from the law would look at least as far off as these.

    Rare states are put together until five are expected of each lot.
    """
    law = np.exp(log_weight - log_weight.max())
    law /= law.sum()
    place = {tuple(state): k for k, state in enumerate(np.round(states).astype(int))}
    counts = np.bincount([place[tuple(row)] for row in np.round(drawn).astype(int)], minlength=len(law))
    expected, found, lots = 0.0, 0, []
    for k in np.argsort(law):
        expected, found = expected + law[k] * len(drawn), found + counts[k]
        if expected >= 5:
            lots.append((found, expected))
            expected, found = 0.0, 0
    lots[-1] = lots[-1][0] + found, lots[-1][1] + expected
    seen, wanted = np.array(lots).T
    return chi2.sf(((seen - wanted) ** 2 / wanted).sum(), len(lots) - 1)


def slopes(function, array, step=1e-5):
    """Return the central differences of a function by each number of an array, which it reads."""
    found = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        start, ends = array[place], []
        for change in (step, -step):
            array[place] = start + change
            ends.append(function())
        array[place] = start
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found
