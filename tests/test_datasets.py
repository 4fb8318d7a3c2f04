"""Data sets: what they hold, where they say they come from, and that damaged or absent data are refused.

What needs ``$BIONET_DATA`` skips without it; every way to it is tested with small stand-ins as well.
"""

import hashlib
import io
import os
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import fetch_openml, load_digits, load_sample_image

from bionet import datasets
from bionet.cache import cache_folder
from bionet.errors import DataError, InputError

needs_data = pytest.mark.skipif(
    not Path(os.environ.get("BIONET_DATA", "/nowhere"), "mnist").is_dir(), reason="BIONET_DATA is not set"
)
PROVENANCE = {"title", "source", "licence", "citation", "sha256"}


def is_labelled(data):
    described = all({"units", "long_name"} <= each.attrs.keys() for each in data.variables.values())
    return described and data.attrs.keys() >= PROVENANCE and all(data.attrs[each] for each in PROVENANCE)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty data folder, an empty cache, and no network."""

    def unreachable(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("BIONET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "fetch_openml", unreachable)
    return tmp_path


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_digits_are_scikit_learns():
    data = datasets.load("digits")
    assert is_labelled(data)
    assert dict(data.sizes) == {"sample": 1797, "feature": 64}
    assert np.array_equal(data.X.values * 16, load_digits().data)
    assert np.array_equal(data.y.values, load_digits().target)
    assert data.attrs["image_shape"] == [8, 8]
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_other_digits_are_refused(monkeypatch):
    other = load_digits()
    other.data[0, 0] += 1
    monkeypatch.setattr(datasets, "load_digits", lambda: other)
    with pytest.raises(DataError, match=r"^digits: the SHA-256 of scikit-learn's load_digits\(\) is \w{64}; expected"):
        datasets.load("digits")


def test_photographs_are_patches_of_the_two_photographs():
    data = datasets.load("photographs", n_patches=500, size=9, seed=3)
    assert is_labelled(data)
    assert dict(data.sizes) == {"sample": 500, "feature": 81}
    assert data.attrs["image_shape"] == [9, 9]
    assert data.X.min() >= 0
    assert data.X.max() <= 1
    image = {name: load_sample_image(name) for name in ("china.jpg", "flower.jpg")}
    for patch, name, row, column in zip(data.X.values, *(data[each].values for each in data.coords), strict=True):
        r, g, b = np.moveaxis(image[name][row : row + 9, column : column + 9] / 255, 2, 0)
        assert np.allclose(patch.reshape(9, 9), 0.299 * r + 0.587 * g + 0.114 * b, rtol=0, atol=1e-12)


def test_photographs_follow_their_seed_and_are_drawn_from_everywhere():
    data = datasets.photographs(20_000, size=27)
    assert data.identical(datasets.photographs(20_000, size=27, seed=0))
    assert not data.X.equals(datasets.photographs(20_000, size=27, seed=1).X)
    # A share of 1/2 and means of uniform places, each within 5 standard errors (error probability 6e-7 a time).
    assert abs((data.photograph == "china.jpg").mean() - 0.5) < 5 * np.sqrt(0.25 / 20_000)
    for place, last in ((data.row, 400), (data.column, 613)):
        assert place.min() >= 0
        assert place.max() <= last
        assert abs(place.mean() - last / 2) < 5 * last / np.sqrt(12 * 20_000)


def test_a_whole_photograph_is_white_at_most():
    assert datasets.photographs(50, size=427).X.max() <= 1


def test_other_photographs_are_refused(monkeypatch):
    monkeypatch.setitem(datasets.SHA256, "flower.jpg", "0" * 64)
    with pytest.raises(DataError, match=r"^flower\.jpg: the SHA-256 of scikit-learn's flower\.jpg is a77f6ec4"):
        datasets.load("photographs")


@needs_data
@pytest.mark.parametrize(("name", "n_train", "n_test"), [("mnist", 60_000, 10_000), ("mnist_small", 5_000, 1_000)])
def test_mnist(name, n_train, n_test):
    data = datasets.load(name)
    assert is_labelled(data)
    assert dict(data.sizes) == {"sample": n_train + n_test, "feature": 784}
    assert (data.split == "train").sum() == n_train
    assert (data.split[:n_train] == "train").all()
    assert data.y.values[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.X.min() == 0
    assert data.X.max() == 1
    if name == "mnist":
        # The published mean and standard deviation of the training pixels.
        train = data.X.values[:n_train].astype(float)
        assert (round(train.mean(), 4), round(train.std(), 4)) == (0.1307, 0.3081)
        assert np.bincount(data.y[n_train:]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@needs_data
def test_the_checksum_of_fetched_mnist_is_that_of_the_archive():
    archive = np.load(Path(os.environ["BIONET_DATA"], "mnist", "mnist.npz"))
    content = b"".join(archive[each].tobytes() for each in ("x_train", "x_test", "y_train", "y_test"))
    assert hashlib.sha256(content).hexdigest() == datasets.SHA256["mnist"]


@needs_data
def test_larva_connectome():
    data = datasets.load("larva_connectome")
    assert is_labelled(data)
    assert dict(data.sizes) == {"edge": 119_010, "neuron": 3_554}
    assert (int(data.n_synapses.sum()), int(data.n_synapses.min()), int(data.n_synapses.max())) == (376_091, 1, 121)
    assert np.array_equal(np.union1d(data.pre, data.post), np.arange(3_554))
    assert np.unique(data.pre * 3_554 + data.post).size == 119_010
    assert int((data.pre == data.post).sum()) == 577
    assert {each: int((data.hemisphere == each).sum()) for each in "LRC"} == {"L": 1774, "R": 1778, "C": 2}
    # The first line of the published list: 29 8419602 9.0, both Kenyon cells.
    first = data.isel(edge=0)
    assert data.id.values[[int(first.pre), int(first.post)]].tolist() == [29, 8419602]
    assert int(first.n_synapses) == 9
    assert data.group.values[[int(first.pre), int(first.post)]].tolist() == ["KCs", "KCs"]
    paired = np.isin(data.pair, data.id)
    twin = np.searchsorted(data.id, data.pair[paired])
    assert np.array_equal(data.pair.values[twin], data.id.values[paired])


@needs_data
def test_spikes50():
    data = datasets.load("spikes50")
    assert is_labelled(data)
    assert dict(data.sizes) == {"sample": 40_000, "neuron": 50}
    assert set(np.unique(data.X)) == {0, 1}
    # 175,945 spikes; the most active neuron fires in 27 % of the bins.
    assert int(data.X.sum()) == 175_945
    assert float(data.X.mean("sample").max()) == 0.273875


def test_a_connectome_is_read_as_edges_between_the_rows_of_its_table(elsewhere, monkeypatch):
    folder = elsewhere / "data" / "larva_connectome"
    table = b",hemisphere,simple_group,class1,io,pair\n7,L,KCs,KC,inter,40\n40,R,KCs,KC,inter,7\n9,C,unk,unk,input,-1\n"
    monkeypatch.setitem(datasets.SHA256, "larva_connectome/meta_data.csv", put(folder / "meta_data.csv", table))
    edges = put(folder / "G_edgelist.txt", b"40 7 3.0\n7 7 1.0\n")
    monkeypatch.setitem(datasets.SHA256, "larva_connectome/G_edgelist.txt", edges)
    data = datasets.load("larva_connectome")
    assert data.id.values.tolist() == [7, 40]
    assert [data[each].values.tolist() for each in ("pre", "post", "n_synapses")] == [[1, 0], [0, 0], [3, 1]]
    assert [data[each].values.tolist() for each in ("hemisphere", "pair")] == [["L", "R"], [40, 7]]


def archive(n_train, n_test):
    x, y = np.arange((n_train + n_test) * 784) % 256, np.arange(n_train + n_test) % 10
    x, y = x.astype(np.uint8).reshape(-1, 28, 28), y.astype(np.uint8)
    out = io.BytesIO()
    np.savez(out, x_train=x[:n_train], y_train=y[:n_train], x_test=x[n_train:], y_test=y[n_train:])
    return out.getvalue(), x.reshape(-1, 784), y


def test_an_archive_in_the_data_folder_is_read(elsewhere, monkeypatch):
    content, x, y = archive(3, 2)
    sha256 = put(elsewhere / "data" / "mnist" / "mnist.npz", content)
    monkeypatch.setitem(datasets.SHA256, "mnist/mnist.npz", sha256)
    data = datasets.load("mnist")
    assert np.allclose(data.X * 255, x)
    assert data.y.values.tolist() == y.tolist()
    assert data.split.values.tolist() == ["train"] * 3 + ["test"] * 2
    assert data.attrs["sha256"] == sha256


@pytest.mark.parametrize("name", ["mnist/mnist.npz", "mnist/mnist_5k_1k.npz", "larva_connectome/G_edgelist.txt"])
def test_a_damaged_file_is_refused_before_it_is_parsed(elsewhere, monkeypatch, name):
    put(elsewhere / "data" / name, archive(3, 2)[0])
    monkeypatch.setattr(datasets.np, "load", lambda *args, **kwargs: pytest.fail("parsed before verified"))
    monkeypatch.setattr(datasets.np, "loadtxt", lambda *args, **kwargs: pytest.fail("parsed before verified"))
    which = {"mnist/mnist.npz": "mnist", "mnist/mnist_5k_1k.npz": "mnist_small"}.get(name, "larva_connectome")
    with pytest.raises(DataError, match=rf"^{name}: the SHA-256 of .*{Path(name).name} is \w{{64}}; expected \w{{64}}"):
        datasets.load(which)


@pytest.mark.parametrize("name", ["mnist_small", "larva_connectome", "spikes50"])
def test_absent_data_say_how_to_get_them(elsewhere, monkeypatch, name):
    with pytest.raises(DataError, match=r"there is no \S+ in BIONET_DATA=\S+; set BIONET_DATA to a folder that holds"):
        datasets.load(name)
    monkeypatch.delenv("BIONET_DATA")
    with pytest.raises(DataError, match=r"BIONET_DATA is not set; set BIONET_DATA to a folder that holds \S+ \(data/"):
        datasets.load(name)


def test_mnist_absent_and_offline_is_one_sentence(elsewhere):
    with pytest.raises(DataError) as refusal:
        datasets.load("mnist")
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert sentence.endswith("set BIONET_DATA to a folder that holds it, or load it once with a network")
    assert not (elsewhere / "cache").exists()


@pytest.fixture
def openml(elsewhere, monkeypatch):
    """An openml.org that serves seventy thousand blank images, as scikit-learn would hand them over."""
    served = SimpleNamespace(
        data=np.zeros((70_000, 784), dtype=np.int64), target=np.array(["3"] * 70_000, dtype=object)
    )
    calls = []

    def fetch(name, *, version, as_frame, **rest):
        calls.append((name, version, as_frame))
        return served

    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    return SimpleNamespace(calls=calls, cache=elsewhere / "cache" / "bionet" / "mnist.bytes")


def test_openml_is_asked_once_and_then_the_cache_serves(openml, monkeypatch):
    content = bytes(70_000 * 784) + bytes([3]) * 70_000
    monkeypatch.setitem(datasets.SHA256, "mnist", hashlib.sha256(content).hexdigest())
    first = datasets.load("mnist")
    assert openml.cache.read_bytes() == content
    assert [each.name for each in openml.cache.parent.iterdir()] == ["mnist.bytes"]
    assert first.identical(datasets.load("mnist"))
    assert openml.calls == [("mnist_784", 1, False)]
    assert is_labelled(first)
    assert first.X.shape == (70_000, 784)
    assert (first.y == 3).all()
    assert int((first.split == "test").sum()) == 10_000


def test_what_openml_serves_instead_is_refused_and_not_kept(openml):
    with pytest.raises(DataError, match=r"^mnist: the SHA-256 of openml\.org's mnist_784 is \w{64}; expected"):
        datasets.load("mnist")
    assert not openml.cache.exists()


def test_a_damaged_cache_is_refused(openml):
    put(openml.cache, b"half of it")
    with pytest.raises(DataError, match=r"^mnist: the SHA-256 of \S+mnist\.bytes is \w{64}; expected .* remove them"):
        datasets.load("mnist")
    assert openml.calls == []


def test_a_cache_that_cannot_be_written_costs_nothing_else(openml, monkeypatch):
    content = bytes(70_000 * 784) + bytes([3]) * 70_000
    monkeypatch.setitem(datasets.SHA256, "mnist", hashlib.sha256(content).hexdigest())
    put(openml.cache.parent, b"a file where the folder should be")
    assert datasets.load("mnist").sizes["sample"] == 70_000


def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/bionet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "bionet"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: datasets.load("digit"), "datasets.load: there is no data set 'digit'; did you mean 'digits'? Known: "),
        (
            lambda: datasets.load("photographs", patches=3),
            "datasets.photographs: there is no option 'patches'; did you mean 'n_patches'? Known: ",
        ),
        (lambda: datasets.load("digits", seed=1), "datasets.digits: there is no option 'seed'; digits has no options"),
        (lambda: datasets.photographs(n_patches=0), "photographs.n_patches: got 0; expected "),
        (lambda: datasets.photographs(n_patches=2.5), "photographs.n_patches: got 2.5; expected "),
        (lambda: datasets.photographs(size=0), "photographs.size: got 0; expected 1 to 427 pixels"),
        (lambda: datasets.photographs(size=428), "photographs.size: got 428; expected 1 to 427 pixels"),
        (lambda: datasets.photographs(seed=-1), "Stream.seed: got -1; expected "),
        (lambda: datasets.split([0, 1], 0.0), "datasets.split: got fraction=0.0; expected a number between 0 and 1"),
        (lambda: datasets.split([0, 1], 1.0), "datasets.split: got fraction=1.0; expected a number between 0 and 1"),
        (lambda: datasets.split([0, 1], float("nan")), "datasets.split: got fraction=nan; expected "),
        (lambda: datasets.split([], 0.5), "datasets.split: got fraction=0.5 of 0 samples; expected samples of every"),
        (lambda: datasets.split([0, 0, 1], 0.5), "datasets.split: got fraction=0.5 of 3 samples; expected samples of"),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InputError) as refusal:
        call()
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.29, 0.5, 0.9])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_split_takes_its_share_of_every_class(fraction, seed):
    y = load_digits().target
    train, test = datasets.split(y, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(1797))
    assert test.size == int(np.ceil(fraction * 1797))
    assert (abs(np.bincount(y[test]) - fraction * np.bincount(y)) < 1).all()


def test_split_of_equal_classes_is_exact_whatever_the_last_bit():
    for fraction, held in ((0.1, 3), (0.3, 9), (0.7, 21)):
        _, test = datasets.split(np.repeat([5, 7, 9], 30), fraction)
        assert np.bincount(test // 30).tolist() == [held] * 3


def test_split_follows_its_seed_and_every_sample_is_as_likely():
    y = np.arange(40) % 2
    one, two = datasets.split(y, 0.25, 1), datasets.split(y, 0.25, 1)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    held = np.zeros(40)
    order = np.zeros(40)
    for seed in range(1000):
        train, test = datasets.split(y, 0.25, seed)
        held[test] += 1
        order[train] += np.arange(train.size)
    # Binomial(1000, 1/4), and ranks of 750 uniform draws: 6 standard errors, error probability 2e-9 for each of 80.
    assert (abs(held - 250) < 6 * np.sqrt(1000 * 0.25 * 0.75)).all()
    assert (abs(order / (1000 - held) - 14.5) < 6 * 30 / np.sqrt(12 * (1000 - held))).all()


def test_scikit_learn_itself_finds_no_network(elsewhere, monkeypatch):
    def refused(*given, **more):
        raise urllib.error.URLError("Network is unreachable")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", refused)
    monkeypatch.setattr(datasets, "fetch_openml", fetch_openml)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(elsewhere))
    with pytest.raises(DataError, match=r"cannot be reached.*Network is unreachable"):
        datasets.load("mnist")
