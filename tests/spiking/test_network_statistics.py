"""Whole networks, which are chaotic: continuous time and ever so short steps agree in what can agree, statistics.

Rates, coefficients of variation and correlations are means over runs with starts and sources of their own; two engines
may differ by three standard errors of the difference. Three networks, three numbers each: by chance alone, one of the
nine is beyond that with a probability of 2 % for many runs, 15 % for runs as few as these (Student's law).
"""

import numpy as np
import pytest
from brian2 import defaultclock, ms, second, seed

from bionet.random import Stream
from experiments.benchmarks.simulators.networks import NETWORKS

from .agreement import device

#: Cells, biological seconds before and within the measurement, and runs.
RUNS = {"cuba": (4000, 0.3, 2.0, 6), "coba": (4000, 0.3, 0.5, 5), "brunel": (12_500, 0.1, 0.25, 4)}


def statistics(i, t, n, start, end):
    """Mean rate [Hz], mean coefficient of variation of intervals, mean correlation of counts in 5 ms."""
    rate = len(i) / n / (end - start)
    order = np.lexsort((t, i))
    intervals, same = np.diff(t[order]), np.diff(i[order]) == 0
    cell = i[order][1:][same]
    count = np.bincount(cell, minlength=n)
    mean = np.bincount(cell, intervals[same], n) / np.maximum(count, 1)
    square = np.bincount(cell, intervals[same] ** 2, n) / np.maximum(count, 1)
    some = count >= 4
    variation = np.sqrt(np.maximum(square - mean**2, 0))[some] / mean[some]
    chosen = np.argsort(Stream(0, "cells").uniform(n))[:500]
    edges = np.arange(start, end, 5e-3)
    counts = np.array([np.histogram(t[i == k], edges)[0] for k in chosen])
    counts = counts[counts.std(axis=1) > 0]
    correlation = np.corrcoef(counts)[np.triu_indices(len(counts), 1)]
    return rate, variation.mean(), correlation.mean()


def measured(name, engine):
    """Return the statistics of runs that fire on: COBA, which nothing drives, falls silent at once from some starts."""
    n, settle, duration, runs = RUNS[name]
    found, silent, start = [], 0, 100 if engine == "event" else 0
    while len(found) < runs:
        with device("bionet", engine=engine):
            seed(start + len(found) + silent)
            defaultclock.dt = 0.01 * ms
            network, spikes = NETWORKS[name](n)
            network.run((settle + duration) * second)
            i, t = np.asarray(spikes.i), np.asarray(spikes.t)
            later = t >= settle
            if np.any(later):
                found.append(statistics(i[later], t[later], n, settle, settle + duration))
            else:
                silent += 1
    print(name, engine, "silent", silent)
    assert silent == 0 or name == "coba"
    return np.array(found)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", RUNS)
def test_networks_agree_in_their_statistics(name):
    event, grid = measured(name, "event"), measured(name, "grid")
    error = np.sqrt(event.var(axis=0, ddof=1) / len(event) + grid.var(axis=0, ddof=1) / len(grid))
    difference = np.abs(event.mean(axis=0) - grid.mean(axis=0))
    print(name, "event", event.mean(axis=0), "grid", grid.mean(axis=0), "in standard errors", difference / error)
    assert np.all(difference <= 3 * error)
