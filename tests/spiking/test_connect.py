"""Fast connectivity: Brian2's own arrays where nothing is random, Brian2's law where something is.

Statistical claims are put to the seeds 1 to 5, fixed beforehand, and fail with a probability of 1e-6 a time.
"""

import itertools
import tracemalloc

import numpy as np
import pytest
from brian2 import NeuronGroup, Synapses, ms, mV, prefs
from brian2.memory.dynamicarray import DynamicArray1D
from scipy import stats

from bionet.errors import InputError
from bionet.random import Stream
from bionet.spiking.connect import create, recognise
from bionet.spiking.synapse_rows import EVERY, ITSELF, OTHERS, Pairs, Rows

SEEDS = range(1, 6)
ERROR = 1e-6
NAMES = {"K": 3, "p_c": 0.25, "none": 0.0, "half": 0.5, "volts": 3 * mV, "many": np.int64(4), "flag": True}


@pytest.fixture(autouse=True)
def _numpy_code():
    before = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = before


def group(n):
    return NeuronGroup(n, "v : 1", threshold="v > 1", reset="v = 0")


def ends(kind):
    """Source and target of some synapses, and what must be kept alive with them."""
    if kind == "one group":
        G = group(5)
        return G, G, []
    G, H = group(6), group(9)
    if kind == "two groups":
        return G, H, []
    if kind == "subgroups":
        return G[2:6], H[3:8], [G, H]
    own = Synapses(G, H, "x : 1")
    own.connect(i=[0, 1, 2, 3, 3, 5, 5], j=[2, 2, 8, 0, 1, 1, 1])
    return (G, own, [H]) if kind == "to synapses" else (own, H, [G])


KINDS = ("one group", "two groups", "subgroups", "to synapses", "from synapses")


def two(kind, **options):
    """Two equal Synapses, and what must be kept alive with them."""
    source, target, alive = ends(kind)
    if kind != "from synapses":
        options["on_pre"] = "w += 1"
    return [Synapses(source, target, "w : 1", **options) for _ in range(2)], (source, target, *alive)


def state(S):
    """Everything that connect leaves behind."""
    names = ["_synaptic_pre", "_synaptic_post", "N", "N_incoming", "N_outgoing", "w"]
    names += [S.multisynaptic_index] if S.multisynaptic_index else []
    arrays = {name: np.array(S.variables[name].get_value()) for name in names}
    arrays |= {path.objname: np.array(path.variables["delay"].get_value()) for path in S._pathways}
    return arrays | {"i": np.array(S.i[:]), "j": np.array(S.j[:]), "size": int(S.variables["w"].size), "len": len(S)}


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert np.array_equal(a[name], b[name]), name
        assert getattr(a[name], "dtype", int) == getattr(b[name], "dtype", int), name


def connect(S, *args, stream=None, **kwds):
    connection = recognise(S, *args, namespace=NAMES, **kwds)
    assert connection is not None
    create(S, connection, stream or Stream(1, "test"))
    return connection


def by_brian2(S, *args, **kwds):
    Synapses.connect.original_function(S, *args, namespace=NAMES, **kwds)


CERTAIN = [
    {},
    {"condition": True},
    {"condition": "True ", "n": 3},
    {"n": 0},
    {"p": 1},
    {"p": 0},
    {"p": 0.0, "condition": "i != j"},
    {"p": "none"},
    {"p": "half + 2*p_c"},
    {"condition": "i != j"},
    {"condition": "(j!=i)", "n": 2},
    {"condition": "i == j"},
    {"condition": "j == i", "n": 2},
    {"j": "i", "skip_if_invalid": True},
    {"i": "j", "skip_if_invalid": True, "n": 2},
    {"j": "k for k in range(N_post)"},
    {"i": "k for k in range(1, N_pre - 1)", "n": 2},
    {"j": "k for k in range(1, 1)"},
    {"j": "q for q in range(2, N_post) if q != i"},
    {"j": "k for k in range(N_post) if j != i"},
    {"i": "k for k in range(K) if j == k"},
    {"i": "k for k in range(0, many, 1) if i == j"},
    {"j": "k for k in sample(N_post, p=1)"},
    {"i": "k for k in sample(N_pre, p=0)"},
    {"i": "k for k in sample(N_pre, p=1) if k != j"},
    {"j": "k for k in sample(N_post, size=N_post)"},
    {"j": "k for k in sample(1, 2 + 2*1, size=K)"},
    {"j": "k for k in sample(N_post, size=N_post) if k != i"},
    {"i": "k for k in sample(N_pre, size=0)"},
    {"i": "k for k in sample(N_pre, size=int(half) + N_pre) if k == j"},
    {"i": 1, "j": 2},
    {"i": [3, 0, 3], "j": [1, 1, 0]},
    {"i": [3, 0, 3], "j": 2, "n": 3},
    {"i": np.int32(1), "j": np.array([2, 0], dtype=np.int8), "p": 1.0},
    {"i": np.arange(8)[::-2] // 2, "j": np.arange(4, dtype=np.int64), "n": 2},
    {"i": np.array([1, 2]), "j": np.array([0, 1]), "n": 0},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CERTAIN, ids=str)
def test_what_is_certain_equals_brian2(kind, call):
    (ours, brians), _alive = two(kind)
    connection = connect(ours, **call)
    by_brian2(brians, **call)
    same(state(ours), state(brians))
    assert not connection.random
    assert connection.expected == pytest.approx(len(brians), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [None, "copy"])
def test_calls_append_like_brian2(kind, index):
    (ours, brians), _alive = two(kind, multisynaptic_index=index)
    for number, call in enumerate(CERTAIN):
        connect(ours, **call)
        by_brian2(brians, **call)
        for each in (ours, brians):
            each.w[number:] = number
        same(state(ours), state(brians))
    # Brian2's own calls, of one row at a time, go on from there.
    for each in (ours, brians):
        by_brian2(each, "i < j")
    same(state(ours), state(brians))


def test_calling_is_remembered_even_without_synapses():
    G = group(3)
    S = Synapses(G, G, "w : 1")
    with pytest.raises(TypeError, match="connect"):
        S.w = 1
    connect(S, p=0.0)
    S.w = 1
    assert len(S) == 0


def test_no_pairs_are_no_synapses():
    G = group(3)
    S = Synapses(G, G, "w : 1")
    connect(S, i=np.array([], dtype=int), j=np.array([], dtype=int))
    assert len(S) == 0
    assert S.N_incoming[:].tolist() == []
    own = Synapses(G, S)
    connect(own, p=0.5)
    connect(own, i="k for k in sample(N_pre, size=2)")
    assert len(own) == 0


LEFT_TO_BRIAN2 = [
    {"condition": False},
    {"condition": "False"},
    {"condition": "i < j"},
    {"condition": "i != j != i"},
    {"condition": "i != i"},
    {"condition": "i != K"},
    {"condition": "i !="},
    {"condition": "v_pre == v_post"},
    {"condition": "i != j", "j": "i"},
    {"p": "0.1*(i != j)"},
    {"p": "w"},
    {"p": "volts"},
    {"p": "nowhere"},
    {"p": "flag"},
    {"p": "1/0"},
    {"p": "1e-9*9" + 400 * "9"},
    {"p": "rand()"},
    {"n": "2"},
    {"n": -1},
    {"j": "i"},
    {"j": "i + 1"},
    {"j": "i", "p": 0.5},
    {"j": "i", "i": [1, 2]},
    {"i": "k", "j": "k"},
    {"j": "2*k for k in range(3)"},
    {"j": "k for k in range(0, 6, 2)"},
    {"j": "k for k in range(N_post + 1)"},
    {"j": "k for k in range(-1, 3)"},
    {"j": "k for k in range(3, 1)"},
    {"j": "k for k in range(2.0)"},
    {"j": "k for k in range(True)"},
    {"j": "k for k in range(flag)"},
    {"j": "k for k in range(i)"},
    {"j": "k for k in range(N)"},
    {"j": "k for k in range(K) if k < i"},
    {"j": "k for k in range(K) if rand() < 0.5"},
    {"j": "K for K in range(K)"},
    {"j": "w for w in range(K)"},
    {"j": "k for k in sample(N_post, size=N_post + 1)"},
    {"j": "k for k in sample(N_post, size=-1)"},
    {"j": "k for k in sample(N_post, size=2.5)"},
    {"j": "k for k in sample(N_post, size=int(1e300))"},
    {"j": "k for k in sample(N_post, size=i)"},
    {"j": "k for k in sample(N_post)"},
    {"j": "k for k in other(N_post)"},
    {"i": [0, 1], "j": [0, 1], "p": 0.5},
    {"i": [0, 1], "j": [0, 1], "skip_if_invalid": True},
    {"i": [0, 1], "j": [0, 4]},
    {"i": [0, -1], "j": [0, 1]},
    {"i": [0, 1]},
]


@pytest.mark.parametrize("call", LEFT_TO_BRIAN2, ids=str)
def test_the_rest_is_left_to_brian2(call):
    S = Synapses(group(6), group(4), "w : 1")
    assert recognise(S, namespace=NAMES, **call) is None
    assert not S._connect_called


@pytest.mark.parametrize(
    "call",
    [
        {"p": 1.5},
        {"p": -0.1},
        {"p": float("nan")},
        {"p": "K"},
        {"condition": "i < j", "p": 2},
        {"i": [0], "j": [0], "p": -1},
        {"j": "k for k in sample(N_post, p=1.1)"},
        {"j": "k for k in sample(N_post, p=-p_c)"},
    ],
    ids=str,
)
def test_a_probability_is_one(call):
    G = group(4)
    with pytest.raises(InputError, match=r"Synapses.connect.p: got .*; expected a probability from 0 to 1"):
        recognise(Synapses(G, G, "w : 1"), namespace=NAMES, **call)


@pytest.mark.parametrize(
    "call",
    [{"condition": [1, 2]}, {"p": None}, {"n": 1.5}, {"i": object(), "j": 1}, {"i": [1.1], "j": [2.2]}],
    ids=["condition", "p", "n", "object", "not whole"],
)
def test_wrong_kinds_meet_brian2s_own_errors(call):
    G = group(4)
    with pytest.raises(TypeError):
        recognise(Synapses(G, G, "w : 1"), namespace={}, **call)


def test_names_are_the_callers_or_the_groups():
    G = group(10)
    S = Synapses(G, G, "w : 1", namespace={"own": 5})
    found = recognise(S, j="k for k in sample(K, N_post - K, size=many)", namespace=NAMES)
    assert found == Rows(by_source=True, n_rows=10, low=3, high=7, size=4)
    found = recognise(S, i="k for k in sample(own, p=p_c) if j != i", n=2, namespace=NAMES)
    assert found == Rows(by_source=False, n_rows=10, low=0, high=5, where=OTHERS, p=0.25, copies=2)


def test_too_many_synapses_are_refused_and_change_nothing():
    G = group(50_000)
    S = Synapses(G, G, "w : 1")
    connect(S, j="i")
    before = state_of_indices(S)
    with pytest.raises(InputError, match="2500050000 synapses; expected at most 2147483647"):
        connect(S)
    assert np.array_equal(state_of_indices(S), before)
    assert len(S) == 50_000


def state_of_indices(S):
    return np.array([S.variables[name].get_value() for name in ("_synaptic_pre", "_synaptic_post")])


def test_memory_is_sixteen_bytes_a_synapse():
    if not hasattr(DynamicArray1D(1), "factor"):
        pytest.skip("the arrays of this Brian2 are C++ objects, whose memory Python does not see")
    G, H = group(2_000), group(1_000)
    S = Synapses(G, H, "w : 1", on_pre="w += 1", delay=1 * ms)
    connect(Synapses(G, H, "w : 1"), i="k for k in sample(N_pre, size=3)")
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        connect(S, i="k for k in sample(N_pre, size=400)")
        now, peak = (each - start for each in tracemalloc.get_traced_memory())
        assert 16 * 400_000 <= now <= peak < 16.3 * 400_000
        connect(S, i="k for k in sample(N_pre, size=100)")
        assert 16 * 500_000 <= tracemalloc.get_traced_memory()[0] - start < 16.3 * 500_000
        i, j = np.arange(100_000) % 2_000, np.arange(100_000) // 100
        start = tracemalloc.get_traced_memory()[0] - 16 * 500_000
        connect(S, i=i, j=j)
        assert 16 * 600_000 <= tracemalloc.get_traced_memory()[0] - start < 16.3 * 600_000
    finally:
        tracemalloc.stop()


def drawn(rows, seed, name="test"):
    """Rows and columns of all synapses."""
    number, write = rows.draw(Stream(seed, name))
    sources, targets = np.empty(number, np.int32), np.empty(number, np.int32)
    if number:
        write(sources, targets)
    return (sources, targets) if rows.by_source else (targets, sources)


def two_sided(p_value_below, p_value_above):
    assert 2 * min(p_value_below, p_value_above) > ERROR


def spread(numbers, mean, variance, degrees):
    """The sum of squares of nearly normal numbers is chi-square."""
    total = ((numbers - mean) ** 2 / variance).sum()
    two_sided(stats.chi2.cdf(total, degrees), stats.chi2.sf(total, degrees))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("where", [EVERY, OTHERS])
@pytest.mark.parametrize("p", [0.02, 0.4, 0.8])
def test_pairs_are_taken_independently(seed, where, p):
    N = 600
    rows, columns = drawn(Rows(True, N, 0, N, where, p=p), seed)
    count = N if where == EVERY else N - 1
    if where == OTHERS:
        assert not (rows == columns).any()
        # Places among the candidates, in which a row leaps over itself.
        columns = columns - (columns > rows)
    assert stats.binomtest(len(rows), N * count, p).pvalue > ERROR
    for index in (rows, columns):
        degrees = np.bincount(index, minlength=count)[:count]
        spread(degrees, N * p if index is columns else count * p, count * p * (1 - p), len(degrees))

    # Read row by row, the gaps between those taken are geometric.
    gaps = np.diff(rows.astype(np.int64) * count + columns)
    edges = np.unique(stats.geom.ppf(np.linspace(0, 1, 12)[:-1], p))
    observed = np.array([((gaps > a) & (gaps <= b)).sum() for a, b in itertools.pairwise([*edges, np.inf])])
    law = np.diff([*stats.geom.cdf(edges, p), 1.0])
    assert gaps.min() >= 1
    assert stats.chisquare(observed, law * len(gaps)).pvalue > ERROR

    taken = np.zeros((N, count), dtype=bool)
    taken[rows, columns] = True
    both = (taken[::2] & taken[1::2]).sum()
    assert stats.binomtest(int(both), N // 2 * count, p * p).pvalue > ERROR


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [1, 3, 4, 6])
def test_every_set_of_a_size_is_equally_probable(seed, size):
    n = 20_000
    rows, columns = drawn(Rows(False, n, 2, 9, size=size), seed)
    assert np.array_equal(rows, np.repeat(np.arange(n), size))
    sets, observed = np.unique(columns.reshape(n, size), axis=0, return_counts=True)
    assert sets.tolist() == [list(each) for each in itertools.combinations(range(2, 9), size)]
    assert stats.chisquare(observed).pvalue > ERROR


@pytest.mark.parametrize("seed", SEEDS)
def test_every_set_has_the_probability_of_independent_draws(seed):
    n, p = 20_000, 0.3
    rows, columns = drawn(Rows(True, n, 0, 4, p=p), seed)
    observed = np.bincount(np.bincount(rows, 2.0**columns, minlength=n).astype(int), minlength=16)
    law = [p ** each.bit_count() * (1 - p) ** (4 - each.bit_count()) for each in range(16)]
    assert stats.chisquare(observed, n * np.array(law)).pvalue > ERROR


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("where", "size"), [(OTHERS, 1), (OTHERS, 3), (ITSELF, 2)])
def test_a_condition_removes_from_a_sample_of_fixed_size(seed, where, size):
    n, N = 3_000, 4
    observed: dict[tuple, int] = {}
    for repeat in range(n):
        rows, columns = drawn(Rows(True, N, 0, N, where, size=size), seed, str(repeat))
        for row in range(N):
            found = (row, *columns[rows == row].tolist())
            observed[found] = observed.get(found, 0) + 1
    law: dict[tuple, float] = {}
    samples = list(itertools.combinations(range(N), size))
    for row, sample in itertools.product(range(N), samples):
        left = (row, *(each for each in sample if (each == row) == (where == ITSELF)))
        law[left] = law.get(left, 0.0) + n / len(samples)
    assert observed.keys() <= law.keys()
    assert stats.chisquare([observed.get(each, 0) for each in law], list(law.values())).pvalue > ERROR


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("size", "N"), [(40, 10_000), (700, 1_000), (2_100, 4_097)])
def test_fixed_sizes_reach_all_columns_alike(seed, size, N):
    n = 800
    columns = drawn(Rows(True, n, 0, N, size=size), seed)[1]
    assert (np.diff(columns.reshape(n, size), axis=1) > 0).all()
    q = size / N
    # Sampling without replacement: degrees have variance n q (1 - q) and correlation -1 / (N - 1).
    spread(np.bincount(columns, minlength=N), n * q, n * q * (1 - q) * N / (N - 1), N - 1)


@pytest.mark.parametrize("N", [1, 2, 63, 64, 65, 128, 4095, 4096, 4097, 8200])
@pytest.mark.parametrize("where", [EVERY, OTHERS, ITSELF])
@pytest.mark.parametrize("low", [0, 5])
def test_rows_are_whole_at_the_edges_of_words(N, where, low):
    n_rows = min(N + low, 70)
    for size in {0, 1, N // 2, N // 2 + 1, N - 1, N}:
        rows, columns = drawn(Rows(True, n_rows, low, low + N, where, size=size, copies=2), 1)
        assert np.array_equal(rows[::2], rows[1::2])
        assert np.array_equal(columns[::2], columns[1::2])
        rows, columns = rows[::2], columns[::2]
        assert (np.diff(rows) >= 0).all()
        assert (np.diff(columns)[np.diff(rows) == 0] > 0).all()
        assert ((low <= columns) & (columns < low + N)).all()
        inside = (low <= np.arange(n_rows)) & (np.arange(n_rows) < low + N)
        numbers = np.bincount(rows, minlength=n_rows)
        if where == EVERY:
            assert (numbers == size).all()
        elif where == OTHERS:
            assert (rows != columns).all()
            assert (numbers[~inside] == size).all()
            assert np.isin(numbers[inside], (size - 1, size)).all()
        else:
            assert (rows == columns).all()


@pytest.mark.parametrize("law", [{"p": 0.3}, {"size": 20}])
def test_a_row_is_the_same_however_many_there_are(law):
    few = drawn(Rows(True, 10, 0, 100, OTHERS, **law), 7)
    many = drawn(Rows(True, 90, 0, 100, OTHERS, **law), 7)
    assert np.array_equal(few, np.array(many)[:, : len(few[0])])
    assert many[0][len(few[0])] == 10
    assert not np.array_equal(few[1], drawn(Rows(True, 10, 0, 100, OTHERS, **law), 8)[1][: len(few[1])])
    assert not np.array_equal(few[1], drawn(Rows(True, 10, 0, 100, OTHERS, **law), 7, "else")[1][: len(few[1])])


@pytest.mark.parametrize("where", [EVERY, OTHERS, ITSELF])
@pytest.mark.parametrize(("n_rows", "low", "high"), [(5, 0, 5), (9, 2, 5), (3, 1, 7), (4, 6, 8), (4, 2, 2)])
def test_the_expected_number(where, n_rows, low, high):
    pairs = [
        (row, column)
        for row, column in itertools.product(range(n_rows), range(low, high))
        if where == EVERY or (row == column) == (where == ITSELF)
    ]
    assert Rows(True, n_rows, low, high, where, p=0.3, copies=2).expected == pytest.approx(0.6 * len(pairs))
    size = (high - low) // 2
    if size:
        found = Rows(True, n_rows, low, high, where, size=size)
        assert found.random
        assert found.expected == pytest.approx(len(pairs) * size / (high - low))
    assert Pairs(np.arange(n_rows), np.arange(n_rows), copies=3).expected == 3 * n_rows


@pytest.mark.parametrize(
    "call",
    [
        {"p": 0.4},
        {"condition": "i != j", "p": "p_c", "n": 2},
        {"j": "k for k in sample(N_post, p=0.4) if j != i"},
        {"j": "k for k in sample(1, N_post, size=K)", "n": 3},
        {"i": "k for k in sample(N_pre, size=K) if i != j"},
        {"i": "k for k in sample(1, N_pre, p=p_c)"},
    ],
    ids=str,
)
def test_random_synapses_are_numbered_counted_and_shifted_like_brian2s(call):
    """With the pairs that were drawn as index arrays, Brian2 gives the same state; its own draw has the same order."""
    G, H = group(40), group(50)
    source, target = G[3:33], H[5:45]
    ours, brians = (Synapses(source, target, "w : 1", on_pre="w += 1", multisynaptic_index="copy") for _ in range(2))
    connection = connect(ours, **call)
    assert connection.random
    by_brian2(brians, i=np.array(ours.i[:]), j=np.array(ours.j[:]))
    same(state(ours), state(brians))
    drawn_by_brian2 = Synapses(source, target, "w : 1")
    by_brian2(drawn_by_brian2, **call)
    for each in (ours, drawn_by_brian2):
        inner, outer = (each.j[:], each.i[:]) if connection.by_source else (each.i[:], each.j[:])
        assert np.array_equal(np.lexsort((inner, outer)), np.arange(len(each)))
        assert len(each) > 0
