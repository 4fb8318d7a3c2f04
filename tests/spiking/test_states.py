"""What store() keeps comes back to the bit, from memory and from a file; what is no such file is refused."""

import io
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
import zipfile

import brian2 as b2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import bionet.spiking  # noqa: F401
from bionet.errors import InputError
from bionet.spiking.states import read_states, write_states


@pytest.fixture(autouse=True)
def _device():
    b2.set_device("bionet", seed=3)
    yield
    b2.set_device("bionet")
    b2.seed()
    b2.set_device("runtime")
    b2.start_scope()


# Delays, which Brian2 2.9 forgets


@pytest.mark.parametrize(("delay", "other"), [([1, 2] * ms, [5, 6] * ms), ([1, 2] * ms, [4, 4] * ms)])
def test_delays_come_back_with_what_is_under_way(delay, other):
    source = b2.SpikeGeneratorGroup(2, [0, 1], [1, 2] * ms)
    target = NeuronGroup(2, "v : 1")
    synapses = Synapses(source, target, on_pre="v += 1")
    synapses.connect(j="i")
    synapses.delay = delay
    trace = StateMonitor(target, "v", record=True)
    network = Network(source, target, synapses, trace)
    network.run(1.5 * ms)
    network.store()
    synapses.delay = other
    network.run(0.3 * ms)
    network.restore()
    np.testing.assert_array_equal(synapses.delay[:], delay)
    network.run(4 * ms)
    arrived = [trace.t[np.flatnonzero(v)[0]] / ms for v in trace.v]
    np.testing.assert_allclose(arrived, [2.1, 4.1])


def test_one_delay_for_all_comes_back():
    group = NeuronGroup(2, "v : 1", threshold="v > 1", reset="v = 0")
    synapses = Synapses(group, group, on_pre="v += 1", delay=2 * ms)
    synapses.connect()
    network = Network(group, synapses)
    network.run(0.1 * ms)
    network.store()
    synapses.delay = 3 * ms
    network.restore()
    assert synapses.delay == 2 * ms


# Files

SCRIPT = """
    import sys
    import brian2 as b2
    import numpy as np
    from brian2 import *
    import bionet.spiking

    set_device("bionet", seed=int(sys.argv[1]))
    sources = PoissonGroup(20, 300*Hz, name="sources")
    cells = NeuronGroup(30, "dv/dt = (1.1 - v)/(10*ms) + 0.1*xi/sqrt(ms) : 1", threshold="v > 1", reset="v = 0",
                        refractory=2*ms, method="euler", name="cells")
    inputs = Synapses(sources, cells, "w : 1", on_pre="v += w", name="inputs")
    inputs.connect(p=0.3)
    inputs.w = "0.2*rand()"
    inputs.delay = "5*ms*rand()"
    recurrent = Synapses(cells, cells, on_pre="v -= 0.02", delay=1.5*ms, name="recurrent")
    recurrent.connect(p=0.4)
    spikes = SpikeMonitor(cells, name="spikes")
    network = Network(collect())

    def show():
        for each in (spikes.i[:], spikes.t_[:], cells.v[:], inputs.delay[:], inputs.i[:], inputs.j[:]):
            print(np.asarray(each).tobytes().hex())
"""


def python(script, *arguments):
    code = textwrap.dedent(SCRIPT) + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_new_process_goes_on_with_the_same_bits(tmp_path):
    """Connections, delays, spikes under way and random counters: all that a network of another seed has not."""
    file = str(tmp_path / "half")
    expected = python("network.run(20*ms); network.store('half', sys.argv[2]); network.run(20*ms); show()", "1", file)
    found = python(
        "network.restore('half', sys.argv[2], restore_random_state=True); network.run(20*ms); show()", "2", file
    )
    assert found == expected
    assert expected != python("network.run(20*ms); network.run(20*ms); show()", "2")


def recurrent(n=5):
    group = NeuronGroup(
        n, "dv/dt = (1.5 - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="ring"
    )
    synapses = Synapses(group, group, on_pre="v_post += 0.1", name="ring_synapses")
    synapses.connect(j="(i + 1) % N_pre")
    monitor = SpikeMonitor(group, name="ring_spikes")
    return Network(group, synapses, monitor), group


def test_a_file_holds_states_of_several_names(tmp_path):
    network, group = recurrent()
    for name in ("one", "two"):
        network.run(3 * ms)
        network.store(name, tmp_path / "states")
    later = group.v[:].copy()
    network.restore("one", str(tmp_path / "states"))
    assert network.t == 3 * ms
    network.restore("two", str(tmp_path / "states"))
    np.testing.assert_array_equal(group.v[:], later)
    with pytest.raises(KeyError, match=r"no state 'three'\. Known: one, two"):
        network.restore("three", str(tmp_path / "states"))


def test_a_file_leaves_the_states_in_memory_alone(tmp_path):
    network, _ = recurrent()
    network.store()
    network.run(3 * ms)
    network.store(filename=tmp_path / "states")
    network.restore()
    assert network.t == 0 * ms
    network.restore(filename=tmp_path / "states")
    assert network.t == 3 * ms
    network.restore()
    assert network.t == 0 * ms


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    network, _ = recurrent()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "states").write_bytes(pickle.dumps({"default": Hostile()}, protocol))
        with pytest.raises(InputError, match=r"states: (is a pickle|cannot be read)"):
            network.restore(filename=tmp_path / "states")
        with pytest.raises(InputError, match=r"states: (is a pickle|cannot be read)"):
            network.store("another", tmp_path / "states")
    assert not (tmp_path / "ran").exists()


def archive(**parts):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for name, content in parts.items():
            file.writestr(f"{name}.npy", content)
    return memory.getvalue()


def header(shape, dtype="<f8"):
    memory = io.BytesIO()
    np.lib.format.write_array_header_1_0(memory, {"descr": dtype, "fortran_order": False, "shape": shape})
    return memory.getvalue()


def objects():
    memory = io.BytesIO()
    np.savez(memory, tree=np.array([{}], dtype=object))
    return memory.getvalue()


def compressed():
    memory = io.BytesIO()
    np.savez_compressed(memory, tree=np.zeros(1 << 20, np.uint8))
    return memory.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89HDF\r\n\x1a\n",
        b"PK\x03\x04",
        archive(tree=b""),
        archive(tree=header((1 << 60,))),
        archive(tree=header((3,)) + bytes(8)),
        archive(tree=header((3,)) + bytes(100)),
        archive(other=header((0,))),
        archive(tree=header((2,), "|u1") + b"{}"),
        archive(tree=header((4,), "|u1") + b'{"a}'),
        objects(),
        compressed(),
    ],
    ids=[
        "empty",
        "HDF5",
        "cut",
        "no array",
        "huge",
        "short",
        "long",
        "no tree",
        "no format",
        "no JSON",
        "objects",
        "bomb",
    ],
)
def test_a_strangers_file_is_refused_in_a_sentence(content, tmp_path):
    path = tmp_path / "states"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"states: .*; expected a file that store\(filename=...\) has written"):
        read_states(path)


def test_a_newer_format_is_refused(tmp_path):
    np.savez(tmp_path / "new.npz", tree=np.frombuffer(b'{"format": "bionet states", "version": 2}', np.uint8))
    with pytest.raises(InputError, match="is of format 'bionet states', version 2; expected"):
        read_states(tmp_path / "new.npz")


def test_damage_is_found_or_changes_nothing(tmp_path):
    path = tmp_path / "states"
    states = {"default": {"cells": {"v": (np.linspace(0, 1, 7), 7)}, "0_t": 0.1}}
    write_states(path, states)
    whole, path = path.read_bytes(), tmp_path / "damaged"
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    damaged += [whole[:k] + bytes([whole[k] ^ 1 << k % 8]) + whole[k + 1 :] for k in range(len(whole))]
    for content in damaged:
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = read_states(path)
            except InputError:
                continue
        np.testing.assert_equal(found, states)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "states"
    write_states(path, {"default": 1})
    with pytest.raises(InputError, match="got a object in the state of the network; expected numbers"):
        write_states(path, {"default": {"cells": object()}})
    with pytest.raises(InputError, match="an array of Python objects"):
        write_states(path, {"default": np.array([{}])})
    with pytest.raises(InputError, match="cannot be written"):
        write_states(tmp_path / "nowhere" / "states", {"default": 1})
    assert read_states(path) == {"default": 1}
    assert os.listdir(tmp_path) == ["states"]


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    arrays.arrays(st.sampled_from(["f8", "f4", "i4", "u8", "?", "U3"]), arrays.array_shapes(min_dims=0, min_side=0)),
    st.sampled_from([np.float64(0.1), np.int32(7), np.bool_(True)]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=8,
)


def same(a, b):
    if isinstance(a, np.ndarray | np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


@given(TREES)
def test_every_state_comes_back_to_the_bit(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("states") / "states"
    write_states(path, {"default": tree})
    assert same(read_states(path)["default"], tree)
