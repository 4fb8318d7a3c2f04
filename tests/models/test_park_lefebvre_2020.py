"""Kuramoto oscillators with delays that learn: exact frequencies, and where delays come to rest."""

import numpy as np
import pytest

from bionet.errors import InputError
from models.park_lefebvre_2020 import COMPUTED, EXACT, Oscillators, build, frequency

PAIR = 0.75 * (1 - np.eye(2))


def test_the_frequencies_are_roots_of_the_equations():
    assert frequency() == pytest.approx(EXACT["network"], abs=5e-9)
    assert frequency(g=0.75, tau_0=2.0) == pytest.approx(EXACT["pair, in phase"], abs=5e-9)
    assert frequency(g=-0.75, tau_0=2.0) == pytest.approx(EXACT["pair, anti-phase"], abs=5e-9)


@pytest.mark.parametrize(("apart", "kind"), [(0.1, "pair, in phase"), (3.0, "pair, anti-phase")])
def test_a_pair_without_plasticity_turns_at_one_of_them(apart, kind):
    pair = Oscillators(PAIR, tau_0=2.0, alpha=0.0, phases=[0.0, apart], step=0.05)
    pair.run(100.0)
    assert pair.frequency() == pytest.approx(EXACT[kind], abs=1e-8)
    assert pair.order() == pytest.approx(float(kind == "pair, in phase"), abs=1e-6)
    assert np.all(pair.delays == 2.0)


def test_the_network_without_plasticity_turns_at_its_frequency():
    network = build(n=10, alpha=0.0, step=0.02)
    network.run(60.0)
    assert network.frequency() == pytest.approx(EXACT["network"], abs=1e-8)


def test_locked_delays_are_where_the_phases_hold_them():
    pair = Oscillators(PAIR, tau_0=0.1, kappa=10.0, alpha=2.0, phases=[0.0, 0.5], step=0.02)
    pair.run(200.0)
    assert np.abs(pair.residual()).max() < 1e-10
    assert pair.delays[1, 0] == 0
    assert pair.delays[0, 1] > 1
    # And the phases turn together, each pulled as much as the other.
    ahead = pair.phases[1] - pair.phases[0]
    both = [1 + 0.75 * np.sin(ahead * sign - pair.frequency() * delay)
            for sign, delay in ((1, pair.delays[0, 1]), (-1, pair.delays[1, 0]))]  # fmt: skip
    np.testing.assert_allclose(both, pair.frequency(), rtol=1e-9)


def test_a_step_is_of_second_order():
    """Against steps four times shorter, on the way to locking."""
    found = []
    for step in (0.04, 0.02, 0.005):
        pair = Oscillators(PAIR, tau_0=2.0, kappa=1.0, phases=[0.0, 1.0], step=step)
        pair.run(4.0)
        found.append(pair.phases)
    errors = [np.abs(each - found[-1]).max() for each in found[:-1]]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.5)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"Oscillators.coupling: got shape \(2, 3\)"):
        Oscillators(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"Oscillators.step: got 0"):
        Oscillators(PAIR, step=0)


@pytest.mark.slow
def test_delays_that_learn_bring_the_network_closer_together():
    network = build(step=0.02)
    network.run(300.0)
    assert network.order() == pytest.approx(COMPUTED["order parameter, t 300"], abs=0.004)
    assert np.mean(network.delays < network.eps) == pytest.approx(COMPUTED["delays at 0"], abs=0.1)
