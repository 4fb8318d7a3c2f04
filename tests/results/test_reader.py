import os

import numpy as np
import pytest
import xarray

from bionet.errors import ResultFileError
from bionet.random import Stream
from bionet.results import open_result
from bionet.results.seal import seal
from tests.results.result_trees import a_tree


def outcome(path, content, expected):
    """Read a damaged copy: it is refused with one sentence, or what comes is what was written."""
    path.write_bytes(content)
    try:
        tree = open_result(path)
    except ResultFileError as error:
        message = str(error)
    else:
        xarray.testing.assert_identical(tree, expected)
        return "read"
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_a_file_cut_short_is_refused(written, tmp_path):
    whole, expected = written.read_bytes(), open_result(written)
    end = len(whole) - len(seal(b""))
    for size in {0, 1, 7, 8, 9, 100, 2048, end // 2, end - 1, *Stream(0, "cuts").uniform(10, 0) * end}:
        assert outcome(tmp_path / "cut.h5", whole[: int(size)], expected) != "read"
    for size in range(end, len(whole), 12):  # only the seal is cut: the content is whole
        assert outcome(tmp_path / "cut.h5", whole[:size], expected) == "read"


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def test_a_flipped_bit_is_never_read_as_a_number(written, tmp_path):
    whole, expected = written.read_bytes(), open_result(written)
    bits = (Stream(0, "flips").uniform(100, 0) * len(whole) * 8).astype(int)
    results = [outcome(tmp_path / "bit.h5", flipped(whole, int(bit)), expected) for bit in bits]
    assert sum(result != "read" for result in results) > 90  # the rest hit the mark of the seal itself


def test_a_zeroed_page_is_never_read(written, tmp_path):
    whole, expected = written.read_bytes(), open_result(written)
    for start in range(0, len(whole) - 4096, 4096):
        page = whole[start : start + 4096]
        result = outcome(tmp_path / "page.h5", whole[:start] + bytes(4096) + whole[start + 4096 :], expected)
        assert result != "read" or page == bytes(4096)


def test_a_bad_checksum_names_the_array(written, tmp_path):
    whole, expected = written.read_bytes(), open_result(written)
    at = whole.index(np.array(expected["scores/accuracy"]).tobytes())
    assert "/scores/accuracy is damaged" in outcome(tmp_path / "bad.h5", flipped(whole, 8 * at), expected)


def test_names_and_attributes_are_guarded_too(written, tmp_path):
    whole, expected = written.read_bytes(), open_result(written)
    at = whole.index(b"what is measured")
    assert "damaged: its checksum" in outcome(tmp_path / "bad.h5", flipped(whole, 8 * at), expected)


def test_a_file_saved_by_another_tool_is_read(written, tmp_path):
    expected = open_result(written)
    expected.to_netcdf(
        tmp_path / "other.h5",
        engine="h5netcdf",
        encoding={"/scores": {"model": {"dtype": "S1"}, "remark": {"dtype": "S1"}}},
    )
    xarray.testing.assert_identical(open_result(tmp_path / "other.h5"), expected)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(5000), b"CDF\x01" * 99]
)
def test_what_is_not_hdf5_is_refused(tmp_path, content):
    assert outcome(tmp_path / "odd.h5", content, None) != "read"


def test_random_bytes_behind_a_good_start_are_refused(written, tmp_path):
    whole, expected = written.read_bytes(), open_result(written)
    noise = (Stream(0, "bytes").uniform((20, len(whole)), 0) * 256).astype(np.uint8)
    for number, row in enumerate(noise):
        kept = 8 + 10 * number
        assert outcome(tmp_path / "odd.h5", whole[:kept] + row.tobytes()[kept:], expected) != "read"


def test_a_file_that_cannot_be_opened_is_one_sentence(tmp_path):
    with pytest.raises(ResultFileError, match=r"cannot be read \(No such file"):
        open_result(tmp_path / "none.h5")
    with pytest.raises(ResultFileError, match="a folder or a device"):
        open_result(tmp_path)
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(ResultFileError, match="a folder or a device"):
        open_result(tmp_path / "pipe.h5")


def test_the_tree_needs_the_file_no_more(written):
    tree = open_result(written)
    written.unlink()
    assert tree["scores/accuracy"].sizes == {"seed": 2, "model": 2, "probe": 3}
    assert tree["spikes/hidden (e)/t"].size == sum(a_tree(seed)["spikes/hidden (e)"].sizes["spike"] for seed in (0, 1))
