"""The benchmark of changing delays: whatever happens to delays, every spike reaches its targets."""

import numpy as np
import pytest
from brian2 import ms

from experiments.benchmarks.changing_delays import KINDS, network
from tests.spiking.agreement import device


@pytest.mark.slow
def test_every_kind_delivers_the_same_spikes():
    found = {}
    for kind in KINDS:
        with device("bionet", engine="event", seed=1):
            net = network(kind, n=50, per_source=20, rate=200.0)
            net.run(300 * ms)
            found[kind] = float(np.sum(net["targets"].v))
    # The same sources fire at the same times. Of some 2,000 arrivals that are still remembered some 200 come a little
    # earlier or later than they would: by chance, a difference of a tenth has one below 1e-15.
    for kind in KINDS[1:]:
        assert found[kind] == pytest.approx(found["plain"], rel=0.1)
