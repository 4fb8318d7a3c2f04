"""STDP rules against the plain sums over all spike pairs and triples (K17)."""

import math

import numpy as np
import pytest
from brian2 import Clock, Network, SpikeGeneratorGroup, Synapses, ms, prefs, second

from bionet.errors import InputError
from bionet.hebbian.spike_timing import PairSTDP, PresynapticTrace, TripletSTDP
from bionet.random import Stream

DT = 1e-3
N_SPIKES = 200
RULES = {
    "additive": PairSTDP(a_plus=1e-3, a_minus=1.1e-3, tau_plus=0.017, tau_minus=0.034),
    "depression proportional to w": PairSTDP(mu_minus=1.0),
    "multiplicative": PairSTDP(mu_plus=0.7, mu_minus=0.4),
    "triplet": TripletSTDP(a2_plus=4e-4, a2_minus=3e-4, a3_plus=5e-4, a3_minus=3e-4),
    "presynaptic trace": PresynapticTrace(),
    "presynaptic trace, mu 0.2": PresynapticTrace(mu=0.2, eta=0.003),
}


@pytest.fixture(autouse=True)
def _numpy_code():
    before = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = before


def trains(seed):
    """Two trains of 200 spikes in 2 s, as step numbers; some fall on the same step."""
    return [np.sort(Stream(seed, f"stdp/{side}").permutation(2000)[:N_SPIKES]) for side in ("pre", "post")]


def simulate(rule, pre, post, w, frozen=False, delay=0.0):
    clock = Clock(dt=DT * second)
    one = np.zeros(len(pre), int)
    source = SpikeGeneratorGroup(1, one, pre * DT * second, clock=clock)
    target = SpikeGeneratorGroup(1, np.zeros(len(post), int), post * DT * second, clock=clock)
    synapses = Synapses(
        source, target, rule.model, on_pre=rule.on_pre, on_post=rule.on_post, namespace=rule.namespace, clock=clock
    )
    synapses.connect(i=np.zeros(len(w), int), j=np.zeros(len(w), int))
    synapses.w = w
    synapses.frozen = frozen
    synapses.delay = delay * second
    duration = (max(pre.max(), post.max()) + 20) * DT
    Network(source, target, synapses).run(duration * second, namespace={})
    return np.array(synapses.w[:])


def trace(spikes, t, tau, including):
    """The sum over all earlier spikes, and over those of this very step where they count as earlier."""
    return sum(math.exp(-(t - s) * DT / tau) for s in spikes if s < t or (including and s == t))


def plain_sum(rule, pre, post, w):
    """Go through the spikes in order; each change is a sum over all the pairs or triples it ends."""
    events = sorted([(t, 0) for t in pre] + [(t, 1) for t in post])
    for t, is_post in events:
        if isinstance(rule, PairSTDP):
            if is_post:
                dw = rule.a_plus * (rule.w_max - w) ** rule.mu_plus * trace(pre, t, rule.tau_plus, True)
            else:
                dw = -rule.a_minus * w**rule.mu_minus * trace(post, t, rule.tau_minus, False)
        elif isinstance(rule, TripletSTDP):
            if is_post:
                triples = rule.a3_plus * trace(post, t, rule.tau_y, False)
                dw = trace(pre, t, rule.tau_plus, True) * (rule.a2_plus + triples)
            else:
                triples = rule.a3_minus * trace(pre, t, rule.tau_x, False)
                dw = -trace(post, t, rule.tau_minus, False) * (rule.a2_minus + triples)
        elif is_post:
            dw = rule.eta * (trace(pre, t, rule.tau, True) - rule.x_target) * (rule.w_max - w) ** rule.mu
        else:
            dw = 0.0
        w = min(max(w + dw, 0.0), rule.w_max)
    return w


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_rule_is_the_sum_over_all_pairs_and_triples(name, seed):
    rule, (pre, post) = RULES[name], trains(seed)
    assert np.intersect1d(pre, post).size > 0
    start = np.array([0.2, 0.5, 0.9])
    expected = [plain_sum(rule, pre, post, w) for w in start]
    found = simulate(rule, pre, post, start)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert np.abs(found - start).min() > 1e-3


def test_the_additive_rule_far_from_its_bounds_is_one_double_sum():
    rule = PairSTDP(a_plus=1e-4, a_minus=1e-4, tau_plus=0.02, tau_minus=0.03)
    pre, post = trains(seed=2)
    gap = (post[None, :] - pre[:, None]) * DT
    grown = 1e-4 * np.exp(-gap[gap >= 0] / 0.02).sum()
    shrunk = 1e-4 * np.exp(gap[gap < 0] / 0.03).sum()
    np.testing.assert_allclose(simulate(rule, pre, post, np.array([0.5])), 0.5 + grown - shrunk, rtol=0, atol=1e-10)


def test_a_delay_moves_the_presynaptic_spikes():
    rule, (pre, post) = RULES["additive"], trains(seed=3)
    late = simulate(rule, pre, post, np.array([0.5]), delay=0.007)
    np.testing.assert_allclose(late, plain_sum(rule, pre + 7, post, 0.5), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", RULES)
def test_with_learning_off_not_one_bit_changes(name):
    rule, (pre, post) = RULES[name], trains(seed=0)
    start = np.array([0.0, 1e-300, 0.1, 1.0 / 3.0, 1.0, 1.7])
    assert simulate(rule, pre, post, start, frozen=True).tobytes() == start.tobytes()


@pytest.mark.parametrize("name", RULES)
def test_weights_stay_in_bounds(name):
    strong = {"a_plus": 0.5, "a_minus": 0.4, "a3_plus": 0.3, "a2_minus": 0.3, "eta": 0.4}
    rule, (pre, post) = RULES[name], trains(seed=1)
    known = {each: value for each, value in strong.items() if hasattr(rule, each)}
    found = simulate(type(rule)(**known, w_max=0.8), pre, post, np.linspace(0, 0.8, 5))
    assert found.min() >= 0
    assert found.max() <= 0.8


def test_triplets_at_high_rate_turn_depression_into_potentiation():
    # Pre 10 ms before post, 60 times: at 1 Hz the triplet rule hardly strengthens, at 50 Hz it does, as in cortex.
    change = {}
    for interval in (1000, 20):
        pre = np.arange(60) * interval
        change[interval] = simulate(TripletSTDP(), pre, pre + 10, np.array([0.5]))[0] - 0.5
    assert abs(change[1000]) < 0.01
    assert change[20] > 0.2


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: PairSTDP(tau_plus=0), r"PairSTDP.tau_plus: got 0; expected a positive number, such as 0.02"),
        (lambda: PairSTDP(a_plus=-0.1), r"PairSTDP.a_plus: got -0.1; expected a number of at least 0"),
        (lambda: TripletSTDP(tau_x=float("nan")), r"TripletSTDP.tau_x: got nan"),
        (lambda: PresynapticTrace(w_max=float("inf")), r"PresynapticTrace.w_max: got inf"),
    ],
)
def test_bad_constants_get_a_sentence(build, sentence):
    with pytest.raises(InputError, match=sentence):
        build()


def test_times_carry_brian2s_unit():
    assert PresynapticTrace(tau=0.005).namespace["tau"] == 5 * ms
