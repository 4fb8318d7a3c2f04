"""Files made to do harm: each is refused in one sentence before anything of it is read."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from bionet.errors import ResultFileError
from bionet.results import open_result


def external_storage(file, secret):
    file.create_dataset("x", (4,), "u1", external=[(str(secret), 0, 4)])


def external_link(file, secret):
    file["x"] = h5py.ExternalLink(str(secret), "/")


def virtual(file, secret):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
    file.create_virtual_dataset("x", layout)


def endless_virtual(file, secret):
    """Asking the shape of this one opens its sources."""
    layout = h5py.VirtualLayout((4,), "u1", maxshape=(None,))
    source = h5py.VirtualSource(str(secret), "x", (4,), maxshape=(None,))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    file.create_virtual_dataset("x", layout)


def soft_link(file, secret):
    file["x"] = h5py.SoftLink("/scores")


def soft_loop(file, secret):
    file["x"] = h5py.SoftLink("/x")


def cycle(file, secret):
    file["scores/again"] = file["/"]


def two_names(file, secret):
    file["other"] = file["scores/accuracy"]


def references(file, secret):
    file.create_dataset("x", (1,), h5py.ref_dtype)[0] = file["scores"].ref


def region_references(file, secret):
    file.create_dataset("x", (1,), h5py.regionref_dtype)


def referring_attribute(file, secret):
    file["scores"].attrs["x"] = file["scores"].ref


def hidden_dimension(file, secret):
    """A dimension scale that no link leads to; its bytes are there as long as somebody has it open."""
    layout = h5py.VirtualLayout((3,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "x", (3,))
    hidden = file.create_virtual_dataset("hidden", layout)
    listed = np.empty(3, object)
    listed[:] = [np.array([hidden.ref], object)] * 3
    file["scores/accuracy"].attrs.create("DIMENSION_LIST", listed, dtype=h5py.vlen_dtype(h5py.ref_dtype))
    del file["hidden"]
    file.flush()
    return Path(file.filename).read_bytes()


def named_type(file, secret):
    file["x"] = np.dtype("f8")


def of_named_type(file, secret):
    file["x"] = np.dtype("f8")
    file.create_dataset("y", (3,), file["x"])
    del file["x"]


def record(file, secret):
    file["x"] = np.zeros(3, [("a", "f8"), ("b", "i4")])


def enumeration(file, secret):
    file.create_dataset("x", (3,), h5py.enum_dtype({"a": 1}))


def text_of_any_length(file, secret):
    file["x"] = ["abc", "de"]


def null(file, secret):
    file["x"] = h5py.Empty("f8")


def unknown_filter(file, secret):
    file.create_dataset("x", (100,), dtype="f8", compression="lzf")


def giant_chunk(file, secret):
    file.create_dataset("x", (2**24,), "f8", chunks=(2**24,))


def declared_exabytes(file, secret):
    file.create_dataset("x", (2**59,), "f8", chunks=(1024,))


def overflowing_size(file, secret):
    file.create_dataset("x", (2**32, 2**31), "f8", chunks=(32, 32))


def many_large(file, secret):
    for number in range(9):
        file.create_dataset(f"x{number}", (2**26,), "f8", chunks=(1024,)).id.write_direct_chunk((0,), bytes(8192))


def bomb(file, secret):
    data = file.create_dataset("x", (2**27,), "f8", chunks=(2**20,), compression="gzip")
    data[: 2**20] = 0


def deep(file, secret):
    for _ in range(20):
        file = file.create_group("g")


def very_deep(file, secret):
    for _ in range(5000):
        file = file.create_group("g")


def many_objects(file, secret):
    for number in range(10_001):
        file.create_group(f"g{number}")


def many_attributes(file, secret):
    group = file["scores"]
    for number in range(1001):
        group.attrs[f"a{number}"] = number


def long_text(file, secret):
    file["scores"].attrs["x"] = "x" * 70_000


def several_texts(file, secret):
    file["scores"].attrs["x"] = ["a", "b"]


def longer_dimension(file, secret):
    """A small array along a dimension declared long: the reader would fill it up."""
    scale = file.create_dataset("long", (2**40,), ">f4", chunks=(1024,))
    scale.make_scale("This is a netCDF dimension but not a netCDF variable.")
    data = file.create_dataset("x", (3,), "f8")
    data.dims[0].attach_scale(scale)


def padded(file, secret):
    scale = file.create_dataset("long", (2**20,), ">f4", chunks=(1024,))
    scale.make_scale("This is a netCDF dimension but not a netCDF variable.")
    data = file.create_dataset("x", (3, 3, 3), "f8")
    for axis in range(3):
        data.dims[axis].attach_scale(scale)


def no_dimensions(file, secret):
    file["x"] = np.zeros(3)


def other_schema(file, secret):
    file.attrs["schema"] = "somebody-else's"


def no_schema(file, secret):
    del file.attrs["schema"]


def newer_schema(file, secret):
    file.attrs["schema_version"] = 2


def odd_version(file, secret):
    file.attrs["schema_version"] = "one"


HOSTILE = {
    external_storage: "/x: got data kept in another file",
    external_link: "/x: got a ExternalLink",
    virtual: "/x: got a virtual dataset",
    endless_virtual: "/x: got a virtual dataset",
    soft_link: "/x: got a SoftLink",
    soft_loop: "/x: got a SoftLink",
    cycle: "/scores/again: got a second name",
    two_names: "got a second name",
    references: "/x: got references, records",
    region_references: "/x: got references, records",
    referring_attribute: "/scores, attribute 'x': got a reference",
    hidden_dimension: "'DIMENSION_LIST': got a reference to something else",
    named_type: "/x: got a named type",
    of_named_type: "/y: got references, records",
    record: "/x: got references, records",
    enumeration: "/x: got references, records",
    text_of_any_length: "/x: got references, records or texts",
    null: "/x: got no dataspace",
    unknown_filter: "/x: got filters",
    giant_chunk: "/x: got chunks of 134217728 bytes",
    declared_exabytes: "bytes so far; expected at most 4294967296",
    overflowing_size: "bytes so far; expected at most 4294967296",
    many_large: "expected at most",
    bomb: "expected at most 1100 times what is stored",
    deep: "groups nested 16 deep",
    very_deep: "groups nested 16 deep",
    many_objects: "objects; expected at most 10000",
    many_attributes: "/scores: got 1004 attributes",
    long_text: "/scores, attribute 'x': got 70000 bytes",
    several_texts: "/scores, attribute 'x': got several texts",
    longer_dimension: "bytes so far; expected at most",
    padded: r"/x: got sizes \(3, 3, 3\)",
    no_dimensions: "has no dimension scale",
    other_schema: 'attribute schema: got "somebody-else',
    no_schema: "attribute schema: got None",
    newer_schema: "schema_version: got (np.int64.)?2.*newer bionet",
    odd_version: "schema_version: got 'one'|schema_version: got np.str_",
}


@pytest.mark.parametrize("harm", HOSTILE, ids=lambda harm: harm.__name__)
def test_a_hostile_file_is_refused(harm, written, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.arange(4, dtype="u1")
    with h5py.File(written, "r+") as file:
        content = harm(file, secret)
    written.write_bytes(content or written.read_bytes())
    with pytest.raises(ResultFileError, match=HOSTILE[harm]) as caught:
        open_result(written)
    assert str(caught.value).startswith(str(written))
    assert "\n" not in str(caught.value)


def test_names_in_a_message_command_no_terminal(written):
    with h5py.File(written, "r+") as file:
        file["\x1b[2Jx"] = h5py.SoftLink("/scores")
    with pytest.raises(ResultFileError) as caught:
        open_result(written)
    assert str(caught.value).isprintable()
