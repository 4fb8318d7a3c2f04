"""Compiled code that is kept: what it is called with, what it says, and what becomes of a file that is damaged."""

import numpy as np
import pytest

from bionet.spiking import machine_code as kept
from bionet.spiking.machine_code import call, entry, machine_code

HEAD = """
from numba import int64, njit, uint16
from bionet.spiking.engines.runtime import *
"""
KINDS = {"values": "int64[]", "few": "uint16[]", "add": "int64"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept, "_loaded", {})
    return tmp_path / "bionet" / "kernels"


def compiled(body: str, head: str = "", kinds: dict[str, str] = KINDS):
    return machine_code(f"{HEAD}{head}{entry(kinds)}\n    {body}\n", tuple(kinds.values()))


def arguments():
    return np.arange(3), np.arange(5, 7, dtype=np.uint16)


def test_memory_is_read_and_written():
    values, few = arguments()
    run = compiled("values[few.size] = values[uint16(1)] + few[1] + add + whole(values)[2]; few[0] = 70000")
    run(values, few, -10)
    assert values.tolist() == [0, 1, 1 + 6 - 10 + 2]
    assert few.tolist() == [70000 % 65536, 6]
    bound = run.bound(values, few, 0)
    bound()
    bound()
    assert values.tolist() == [0, 1, 1 + 6 + (1 + 6 - 1)]


def test_a_part_of_memory_begins_where_it_is_said_to():
    values, few = arguments()
    compiled("part = span(values, uint16(1), uint16(3)); part[0] = 10 * part.size + part[1]")(values, few, 0)
    assert values.tolist() == [0, 22, 2]


def test_truth_takes_a_byte():
    found = np.zeros(4, bool)
    compiled("found[2] = not found[3]", "from numba import bool_\n", {"found": "bool_[]"})(found)
    assert found.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (np.arange(3.0), TypeError, "float64 was handed to code compiled for int64"),
        (np.arange(6)[::2], ValueError, "not contiguous"),
    ],
)
def test_what_it_was_not_compiled_for_is_refused(wrong, error, says):
    with pytest.raises(error, match=says):
        compiled("values[0] = add")(wrong, arguments()[1], 0)


def test_an_error_in_compiled_code_is_one_of_python():
    head = """
@njit
def broken(n):
    if n > 2:
        raise ValueError("too many")
    if n < 0:
        raise KeyError
    if n == 0:
        raise ValueError(n)
    return n

"""
    run, (values, few) = compiled("values[0] = broken(add)", head), arguments()
    run(values, few, 2)
    assert values[0] == 2
    with pytest.raises(ValueError, match=r"^too many") as raised:
        run(values, few, 3)
    assert "set_device('runtime')" in raised.value.__notes__[0]
    with pytest.raises(KeyError):
        run(values, few, -1)
    # Its arguments are in the memory of the loop.
    with pytest.raises(ArithmeticError, match="raised in the compiled loop"):
        run(values, few, 0)


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"no JSON\n", None])
def test_a_damaged_file_is_made_anew(own_cache, monkeypatch, damage):
    values, few = arguments()
    compiled("values[0] = add")(values, few, 1)
    [file] = own_cache.glob("kernel_*")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)
    monkeypatch.setattr(kept, "_loaded", {})
    compiled("values[0] = add")(values, few, 2)
    assert values[0] == 2
    assert kept._read(file) is not None


def test_what_is_kept_is_not_compiled_again(own_cache, monkeypatch):
    values, few = arguments()
    compiled("values[0] = add")(values, few, 1)
    monkeypatch.setattr(kept, "_loaded", {})
    monkeypatch.setattr(kept, "_compiled", None)
    compiled("values[0] = add")(values, few, 2)
    assert values[0] == 2


def test_code_that_needs_more_than_this_process_has_gets_it_from_numba(own_cache):
    values, few = arguments()
    run = compiled("more = np.arange(add); values[0] = more.sum()", "import numpy as np\n")
    run(values, few, 5)
    assert values[0] == 10
    [file] = own_cache.glob("kernel_*")
    assert any(name.startswith("NRT_") for name in kept._read(file)[0]["needed"])


def test_the_oldest_are_forgotten(own_cache, monkeypatch):
    monkeypatch.setitem(kept.KEPT, ".code", 2)
    values, few = arguments()
    for n in range(4):
        compiled(f"values[0] = add + {n}")(values, few, 0)
    assert len(list(own_cache.glob("kernel_*"))) == 2


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_synapses_are_sorted_by_source(dtype):
    sources = np.random.default_rng(1).integers(3, 9, 100).astype(dtype)
    order = np.empty(100, np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(sources - 3, minlength=6))]).astype(np.int32)
    call("by_source", np.empty(0, np.int32), sources, 3, starts[:-1].copy(), order)
    assert order.tolist() == np.argsort(sources, kind="stable").tolist()
