"""Real data, as labelled arrays that say where they come from.

Every set has a SHA-256 written here, and its bytes are compared with it before anything reads them. What scikit-learn
brings needs nothing else; the larger sets are looked for in the folder ``$BIONET_DATA`` (see ``data/README.md``).
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import io
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import fetch_openml, load_digits, load_sample_image

from bionet.cache import cache_folder
from bionet.errors import DataError, InputError, suggest
from bionet.random import Stream

SHA256 = {
    "digits": "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826",
    "china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    "flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    "mnist": "c2069063c1105f2bf96266aef1ff68c6e13bdda7a54e37bf19c16f1db24efc83",
    "mnist/mnist.npz": "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64",
    "mnist/mnist_5k_1k.npz": "82e58f39e91de446775c6f44d19aa28712f293c5862812c45c7f4a209ab25c80",
    "larva_connectome/G_edgelist.txt": "4f1e576776a1a02d3cc103d997e1ea7fa41a1f0e47859d94ee8f83790e2ed216",
    "larva_connectome/meta_data.csv": "9f393b4c481d31926aa46d031061a559db7999afe76a6ad7d740db43c6f785f4",
    "spikes50/example50.mat": "ea6943833e6fb6a0f2194bf712eefffbea842dd82de7097bc9be46dc965fa664",
}
"""What the bytes of each file must hash to. "digits" and "mnist": all pixels, then all labels, one byte each."""


def load(name: str, **options: Any) -> xr.Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name : str
        "digits", "larva_connectome", "mnist", "mnist_small", "photographs" or "spikes50".
    **options
        What the function of that name takes, such as ``n_patches`` for "photographs".

    Returns
    -------
    xarray.Dataset
        Its variables have ``units`` and ``long_name``; its attributes are ``title``, ``source``, ``licence``,
        ``citation`` and ``sha256``.

    Raises
    ------
    InputError
        If the name or an option is unknown.
    DataError
        If the data are absent, or are not the bytes that were published.

    Examples
    --------
    >>> digits = load("digits")
    >>> X, y = digits.X.values, digits.y.values
    >>> X.shape, y[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    if name not in _SETS:
        raise InputError(f"datasets.load: there is no data set {name!r}{suggest(name, _SETS)}")
    known = inspect.signature(_SETS[name]).parameters
    for option in options:
        if option not in known:
            hint = suggest(option, known) if known else f"; {name} has no options"
            raise InputError(f"datasets.{name}: there is no option {option!r}{hint}")
    return _SETS[name](**options)


def split(y: ArrayLike, fraction: float, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hold out a fraction of the samples, the same fraction of every class.

    Parameters
    ----------
    y : array, shape (n_samples,)
        Labels.
    fraction : float
        Held out, between 0 and 1, dimensionless. ``ceil(fraction * n_samples)`` are held out, each class giving its
        share rounded down or up (largest remainders first).
    seed : int
        Seed of the random choice.

    Returns
    -------
    train, test : arrays of int
        Indices into ``y``, each in random order.

    Raises
    ------
    InputError
        If the fraction is not between 0 and 1, or leaves a class without samples on one side.

    Examples
    --------
    >>> train, test = split([0, 0, 0, 0, 1, 1, 1, 1], fraction=0.25)
    >>> len(train), len(test)
    (6, 2)
    """
    y = np.asarray(y)
    if not 0.0 < fraction < 1.0:
        raise InputError(f"datasets.split: got fraction={fraction!r}; expected a number between 0 and 1, such as 0.2")
    _, label, size = np.unique(y, return_inverse=True, return_counts=True)
    # A billionth makes 0.1 * 30 three, whatever its last bit says.
    n_test = np.floor(fraction * size + 1e-9).astype(int)
    wanted = int(np.ceil(fraction * y.size - 1e-9))
    most = np.argsort(n_test - fraction * size, kind="stable")
    n_test[most[: wanted - n_test.sum()]] += 1
    if y.size == 0 or n_test.min() == 0 or (n_test == size).any():
        raise InputError(
            f"datasets.split: got fraction={fraction} of {y.size} samples; "
            "expected samples of every class on both sides: take another fraction, or drop the rare classes"
        )
    order = Stream(seed, "datasets/split").permutation(y.size)
    test = np.concatenate([order[label[order] == k][:n] for k, n in enumerate(n_test)])
    held = np.isin(order, test)
    return order[~held], order[held]


def digits() -> xr.Dataset:
    """Load 1,797 handwritten digits of 8x8 pixels, the ones that come with scikit-learn.

    Returns
    -------
    xarray.Dataset
        ``X`` (sample 1797, feature 64), grey levels 0, 1/16 ... 1; ``y`` (sample), the digit written.

    References
    ----------
    E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, UCI Machine Learning Repository (1998).
    """
    bunch = load_digits()
    pixels, labels = bunch.data.astype(np.uint8), bunch.target.astype(np.uint8)
    _verify("digits", pixels.tobytes() + labels.tobytes(), "scikit-learn's load_digits()")
    return _images(
        pixels / 16.0,
        labels,
        (8, 8),
        title="Handwritten digits, 8x8 pixels",
        source="scikit-learn, load_digits(): the test part of UCI's Optical Recognition of Handwritten Digits",
        licence="CC BY 4.0 (UCI)",
        citation="E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, UCI ML Repository, 1998",
        sha256=SHA256["digits"],
    )


def mnist() -> xr.Dataset:
    """Load MNIST: 60,000 + 10,000 handwritten digits of 28x28 pixels, in the published order.

    They are taken from ``$BIONET_DATA/mnist/mnist.npz``, else from the cache (:func:`cache_folder`), else from
    openml.org, and then kept in the cache.

    Returns
    -------
    xarray.Dataset
        ``X`` (sample 70000, feature 784), grey levels 0 to 1 in single precision; ``y`` (sample), the digit written;
        the coordinate ``split`` (sample), "train" or "test": ``data.X[data.split == "train"]``.

    Raises
    ------
    DataError
        If it is nowhere and cannot be fetched, or is not the published data.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
    Proc. IEEE 86:2278 (1998).
    """
    if _in_folder("mnist/mnist.npz"):
        return _mnist_file("mnist/mnist.npz")
    kept = cache_folder() / "mnist.bytes"
    content = kept.read_bytes() if kept.is_file() else _mnist_from_openml()
    _verify("mnist", content, str(kept) if kept.is_file() else "openml.org's mnist_784")
    if not kept.is_file():
        _keep(kept, content)
    pixels, labels = np.frombuffer(content, np.uint8, 70_000 * 784), np.frombuffer(content, np.uint8, -1, 70_000 * 784)
    return _mnist(pixels.reshape(-1, 784), labels, 60_000, "openml.org, mnist_784, version 1", "mnist")


def mnist_small() -> xr.Dataset:
    """Load 500 + 100 of each of MNIST's digits, for quick tests, from ``$BIONET_DATA/mnist/mnist_5k_1k.npz``.

    Returns
    -------
    xarray.Dataset
        As of :func:`mnist`, with 5,000 + 1,000 samples.

    Raises
    ------
    DataError
        If it is absent, or not the published file.
    """
    return _mnist_file("mnist/mnist_5k_1k.npz")


def photographs(n_patches: int = 10_000, size: int = 12, seed: int = 0) -> xr.Dataset:
    """Cut random square patches, in grey, out of the two photographs that come with scikit-learn.

    Parameters
    ----------
    n_patches : int
        How many.
    size : int
        Side of a patch, 1 to 427 pixels.
    seed : int
        Seed of the random places; every place of both photographs is equally likely.

    Returns
    -------
    xarray.Dataset
        ``X`` (sample, feature size**2), luminance 0 to 1, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); coordinates
        ``photograph`` (its file), ``row`` and ``column`` (sample), the patch's top left pixel.

    Raises
    ------
    InputError
        If the number or the size is out of range.

    Notes
    -----
    The checksum is of the JPEG files; decoders may differ by one grey level in 255.
    """
    names = ("china.jpg", "flower.jpg")
    for name in names:
        _verify(name, files("sklearn.datasets.images").joinpath(name).read_bytes(), f"scikit-learn's {name}")
    grey = np.stack([load_sample_image(name) @ np.array([0.299, 0.587, 0.114]) / 255.0 for name in names])
    if not (_whole(n_patches) and n_patches >= 1):
        raise InputError(f"photographs.n_patches: got {n_patches!r}; expected a whole number from 1, such as 10000")
    if not (_whole(size) and 1 <= size <= min(grey.shape[1:])):
        raise InputError(f"photographs.size: got {size!r}; expected 1 to {min(grey.shape[1:])} pixels, such as 12")
    places = (grey.shape[0], grey.shape[1] - size + 1, grey.shape[2] - size + 1)
    which, row, column = (Stream(seed, "datasets/photographs").uniform((n_patches, 3)) * places).astype(int).T
    along = np.arange(size)
    rows, columns = row[:, None, None] + along[:, None], column[:, None, None] + along
    patches = grey[which[:, None, None], rows, columns]
    pixel = {"units": "pixel"}
    return xr.Dataset(
        {"X": (("sample", "feature"), patches.reshape(n_patches, -1), _about("1", "luminance of a pixel"))},
        {
            "photograph": ("sample", np.array(names)[which], _about("1", "file that the patch was cut from")),
            "row": ("sample", row, {**pixel, "long_name": "top row of the patch"}),
            "column": ("sample", column, {**pixel, "long_name": "left column of the patch"}),
        },
        {
            "title": f"Patches of two photographs, {size}x{size} pixels",
            "image_shape": [size, size],
            "source": "scikit-learn, load_sample_images(): china.jpg by danielbuechele, flower.jpg by vultilion",
            "licence": "CC BY 2.0",
            "citation": "F. Pedregosa et al., Scikit-learn: machine learning in Python, JMLR 12:2825, 2011",
            "sha256": ", ".join(f"{name}: {SHA256[name]}" for name in names),
        },
    )


def larva_connectome() -> xr.Dataset:
    """Load the wiring of the whole brain of the larval fruit fly, from ``$BIONET_DATA/larva_connectome``.

    Returns
    -------
    xarray.Dataset
        One row for each of 119,010 connected pairs: ``pre`` and ``post`` (edge), indices into ``neuron``, and
        ``n_synapses`` (edge). For each of 3,554 neurons: ``id``, ``hemisphere`` (L, R, C), ``group``,
        ``cell_class``, ``io`` (input, inter, output) and ``pair`` (the ``id`` of its twin on the other side, -1 if
        none). 37 neurons of the published table are left out: they have no edge.

    Raises
    ------
    DataError
        If it is absent, or not the published files.

    Notes
    -----
    The data have no transmitters: whether a synapse excites or inhibits is not known from them, and any rule that
    gives it a sign is an assumption to be stated. 577 of the edges join a neuron to itself.

    References
    ----------
    M. Winding et al., "The connectome of an insect brain", Science 379:eadd9330 (2023).
    """
    edges = np.loadtxt(io.BytesIO(_read("larva_connectome", "G_edgelist.txt"))).astype(np.int64)
    table = csv.DictReader(io.StringIO(_read("larva_connectome", "meta_data.csv").decode()))
    ids = np.unique(edges[:, :2])
    rows = {int(row[""]): row for row in table}
    neurons = [rows[each] for each in ids.tolist()]
    pre, post = np.searchsorted(ids, edges[:, :2].T)
    text = {
        "hemisphere": ("hemisphere", "side of the brain: left, right or centre"),
        "group": ("simple_group", "group of cell classes"),
        "cell_class": ("class1", "cell class"),
        "io": ("io", "input to, inside, or output of the brain"),
    }
    return xr.Dataset(
        {
            "pre": ("edge", pre, _about("1", "index of the presynaptic neuron")),
            "post": ("edge", post, _about("1", "index of the postsynaptic neuron")),
            "n_synapses": ("edge", edges[:, 2], _about("1", "number of synapses")),
            "id": ("neuron", ids, _about("1", "number of the neuron in the published table")),
            "pair": ("neuron", np.array([int(row["pair"]) for row in neurons]), _about("1", "id of the twin, or -1")),
            **{
                name: ("neuron", np.array([row[column] for row in neurons]), _about("1", meaning))
                for name, (column, meaning) in text.items()
            },
        },
        attrs={
            "title": "Connectome of the larval fruit fly's brain",
            "source": "neurodata/bilateral-connectome, data/elife",
            "licence": "MIT",
            "citation": "M. Winding et al., The connectome of an insect brain, Science 379:eadd9330, 2023",
            "sha256": ", ".join(
                f"{name}: {SHA256[f'larva_connectome/{name}']}" for name in ("G_edgelist.txt", "meta_data.csv")
            ),
        },
    )


def spikes50() -> xr.Dataset:
    """Load the spikes of 50 neurons in 40,000 bins, from ``$BIONET_DATA/spikes50/example50.mat``.

    Returns
    -------
    xarray.Dataset
        ``X`` (sample 40000, neuron 50), 1 where the neuron fired in the bin, else 0.

    Raises
    ------
    DataError
        If it is absent, or not the published file.

    Notes
    -----
    The file says neither whose neurons they are nor how long a bin is.

    References
    ----------
    O. Maoz, E. Schneidman, maxent_toolbox, github.com/orimaoz/maxent_toolbox (2017).
    """
    content = _read("spikes50", "example50.mat")
    # A MATLAB file of version 7.3 is HDF5 behind a header of 512 bytes.
    with xr.open_dataset(io.BytesIO(content[512:]), engine="h5netcdf", phony_dims="access") as file:
        spikes = file["spikes50"].values
    return xr.Dataset(
        {"X": (("sample", "neuron"), spikes, _about("1", "whether the neuron fired in the bin"))},
        attrs={
            "title": "Spikes of 50 neurons",
            "source": "orimaoz/maxent_toolbox, example50.mat",
            "licence": "MIT",
            "citation": "O. Maoz, E. Schneidman, maxent_toolbox: maximum entropy toolbox for MATLAB, 2017",
            "sha256": SHA256["spikes50/example50.mat"],
        },
    )


_SETS: dict[str, Callable[..., xr.Dataset]] = {
    each.__name__: each for each in (digits, larva_connectome, mnist, mnist_small, photographs, spikes50)
}


def _mnist_file(name: str) -> xr.Dataset:
    """Read one of the two MNIST archives in ``$BIONET_DATA``."""
    archive = np.load(io.BytesIO(_read(*name.split("/"))), allow_pickle=False)
    pixels = np.concatenate([archive["x_train"], archive["x_test"]])
    labels = np.concatenate([archive["y_train"], archive["y_test"]])
    source = f"$BIONET_DATA/{name}, rebuilt from rasbt/mnist-pngs"
    return _mnist(pixels.reshape(-1, 784), labels, len(archive["y_train"]), source, name)


def _mnist(pixels: NDArray[np.uint8], labels: NDArray[np.uint8], n_train: int, source: str, key: str) -> xr.Dataset:
    data = _images(
        pixels / np.float32(255),
        labels,
        (28, 28),
        title="MNIST handwritten digits, 28x28 pixels",
        source=source,
        licence="as stated by rasbt/mnist-pngs: MIT; the collection: Y. LeCun, C. Cortes",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proc. IEEE 86:2278, 1998",
        sha256=SHA256[key],
    )
    part = np.where(np.arange(labels.size) < n_train, "train", "test")
    return data.assign_coords(split=("sample", part, _about("1", "part that the sample was published in")))


def _mnist_from_openml() -> bytes:
    """Fetch MNIST with scikit-learn; return its pixels, then its labels, one byte each."""
    try:
        with warnings.catch_warnings():
            # scikit-learn warns of each attempt that fails; the sentence below says it once.
            warnings.simplefilter("ignore")
            data = fetch_openml("mnist_784", version=1, as_frame=False, n_retries=1, delay=0.1)
    except (OSError, ValueError) as error:
        raise DataError(
            f"mnist: it is neither in $BIONET_DATA/mnist/mnist.npz nor in {cache_folder()}, and openml.org cannot be "
            f"reached ({error}); set BIONET_DATA to a folder that holds it, or load it once with a network"
        ) from error
    return data.data.astype(np.uint8).tobytes() + data.target.astype(np.uint8).tobytes()


def _images(X: NDArray[np.floating], y: NDArray[np.uint8], shape: tuple[int, int], **attrs: str) -> xr.Dataset:
    return xr.Dataset(
        {
            "X": (("sample", "feature"), X, _about("1", "grey level of a pixel, 0 is paper and 1 is ink")),
            "y": ("sample", y.astype(np.int64), _about("1", "digit that was written")),
        },
        attrs={"image_shape": list(shape), **attrs},
    )


def _about(units: str, long_name: str) -> dict[str, str]:
    return {"units": units, "long_name": long_name}


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _in_folder(name: str) -> Path | None:
    """Return the file of that name under ``$BIONET_DATA``, if it is there."""
    folder = os.environ.get("BIONET_DATA")
    path = Path(folder, name) if folder else None
    return path if path and path.is_file() else None


def _read(folder: str, file: str) -> bytes:
    """Return the verified bytes of a file under ``$BIONET_DATA``."""
    name = f"{folder}/{file}"
    path = _in_folder(name)
    if path is None:
        place = os.environ.get("BIONET_DATA")
        got = f"there is no {name} in BIONET_DATA={place}" if place else "BIONET_DATA is not set"
        raise DataError(f"{folder}: {got}; set BIONET_DATA to a folder that holds {name} (data/README.md says whence)")
    content = path.read_bytes()
    _verify(name, content, str(path))
    return content


def _verify(name: str, content: bytes, where: str) -> None:
    """Refuse bytes that are not those that were published."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise DataError(
            f"{name}: the SHA-256 of {where} is {found}; expected {SHA256[name]}: "
            "the data are damaged or of another version; remove them and get them again"
        )


def _keep(path: Path, content: bytes) -> None:
    """Write a file of the cache, whole or not at all; a cache that cannot be written only costs the next fetch."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
