"""Every machine of the room, broken off anywhere, written to a file, read again, and gone on with: the same bits."""

import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import bionet.energy as room
from bionet.energy import (
    DBM,
    DBN,
    RBM,
    AssociativeClassifier,
    BoltzmannMachine,
    ConvolutionalRBM,
    DenseMemory,
    EquilibriumPropagation,
    Hopfield,
    ModernHopfield,
)
from bionet.energy.storage import Stored
from bionet.errors import ResultFileError
from bionet.progress import Progress
from bionet.random import Stream

BITS = Stream(0, "test/X").bernoulli(np.full((17, 9), 0.4)).astype(float)
LABELS = np.array(["odd", "even"])[BITS[:, :3].sum(axis=1).astype(int) % 2]
MASK = np.add.outer(np.arange(11), np.arange(11)) % 3 > 0

LEARNERS = {
    "RBM": RBM(3, n_iter=4, batch_size=5, gradient="pcd", momentum=0.5),
    "DBM": DBM((3, 2), n_iter=3, n_iter_pretrain=2, batch_size=5, momentum=0.5),
    "DBM of three layers": DBM((3, 2, 2), n_iter=2, n_iter_pretrain=2, batch_size=5, dtype="float32"),
    "DBN": DBN((4, 3), n_iter=3, n_iter_fine=3, batch_size=5),
    "DBN with labels": DBN((4, 3, 2), n_iter=2, n_iter_fine=2, batch_size=5, gradient="pcd"),
    "DBN of one layer": DBN((3,), n_iter=3, batch_size=5),
    "BoltzmannMachine": BoltzmannMachine(method="sampled", n_iter=6, n_chains=7),
    "BoltzmannMachine with hidden units": BoltzmannMachine(2, MASK, "sampled", n_iter=6, n_chains=7),
    "ConvolutionalRBM": ConvolutionalRBM(2, 2, n_iter=5, batch_size=5),
    "EquilibriumPropagation": EquilibriumPropagation((4,), n_epochs=5, batch_size=5, activation="tanh"),
    "EquilibriumPropagation, two layers": EquilibriumPropagation((4, 3), n_epochs=5, batch_size=5),
}
MEMORIES = {
    "Hopfield": Hopfield("storkey", seed=3).fit(2 * BITS[:3] - 1),
    "DenseMemory": DenseMemory("exponential").fit(2 * BITS[:3] - 1),
    "ModernHopfield": ModernHopfield(3.0).fit(BITS),
    "AssociativeClassifier": AssociativeClassifier(levels=2, n_prototypes=2).fit(BITS, LABELS),
    "BoltzmannMachine": BoltzmannMachine(1, np.ones((10, 10), dtype=bool), n_iter=3).fit(BITS),
}


class Stop(Progress):
    """Ctrl-C when so many things have been begun."""

    def __init__(self, after):
        self.left = after

    def __call__(self, items, label, total=None):
        for item in items:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield item


def given(model):
    labelled = isinstance(model, EquilibriumPropagation) or model.get_params().get("layers") == (4, 3, 2)
    return (BITS, LABELS) if labelled else (BITS,)


def same(one, other):
    assert one.get_params().keys() == other.get_params().keys()
    for name, value in one.get_params().items():
        np.testing.assert_array_equal(other.get_params()[name], value, err_msg=name)
    one, other = one.pack(), other.pack()
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert other[name].dtype == np.asarray(array).dtype, name
        np.testing.assert_array_equal(other[name], array, err_msg=name)


@pytest.mark.parametrize("name", LEARNERS)
def test_broken_off_between_passes_it_goes_on_from_a_file_to_the_same_bits(name, tmp_path):
    model = LEARNERS[name]
    whole, after, stopped = type(model)(**model.get_params()).fit(*given(model)), 0, True
    while stopped:
        cut = type(model)(**model.get_params())
        try:
            cut.fit(*given(model), progress=Stop(after))
            stopped = False
        except KeyboardInterrupt:
            cut.save(tmp_path / "cut.h5", force=True)
            cut = type(model).load(tmp_path / "cut.h5")
            cut.resume(*given(model))
        same(whole, cut)
        after += 1
    assert after > 3


class Interrupted(Progress):
    """Ctrl-C at a call of a Python function of the room: the first one after ``left`` others, loops once begun."""

    def __init__(self, left):
        self.left = left

    def __call__(self, items, label, total=None):
        sys.setprofile(self.count)
        return iter(items)

    def count(self, frame, event, argument):
        if event == "call" and ("/energy/" in frame.f_code.co_filename or frame.f_code.co_name == "__exit__"):
            self.left -= 1
            if self.left < 0:
                sys.setprofile(None)
                raise KeyboardInterrupt


@pytest.mark.parametrize("name", LEARNERS)
def test_broken_off_anywhere_it_goes_on_to_the_same_bits(name):
    model, before = LEARNERS[name], sys.getprofile()
    try:
        everything = Interrupted(10**9)
        whole = type(model)(**model.get_params()).fit(*given(model), progress=everything)
        n_calls = 10**9 - everything.left
        assert n_calls > 10
        for place in range(0, n_calls, max(1, n_calls // 23)):
            cut = type(model)(**model.get_params())
            with pytest.raises(KeyboardInterrupt):
                cut.fit(*given(model), progress=Interrupted(place))
            same(whole, cut.resume(*given(model)))
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("name", MEMORIES)
def test_what_is_read_is_what_was_written(name, tmp_path):
    model = MEMORIES[name]
    model.save(tmp_path / "model.h5")
    again = type(model).load(tmp_path / "model.h5")
    same(model, again)
    assert again.n_features_in_ == model.n_features_in_
    if hasattr(model, "predict"):
        shown = BITS if name in ("ModernHopfield", "AssociativeClassifier") else 2 * BITS - 1
        np.testing.assert_array_equal(again.predict(shown), model.predict(shown))


def test_names_of_columns_and_classes_are_kept(tmp_path):
    X = pd.DataFrame(BITS, columns=[f"pixel {k}" for k in range(9)])
    for model in (EquilibriumPropagation((2,), n_epochs=1), DBN((3, 2), n_iter=1)):
        model.fit(X, LABELS.astype(object)).save(tmp_path / "net.h5", force=True)
        again = type(model).load(tmp_path / "net.h5")
        assert again.feature_names_in_.tolist() == list(X.columns)
        assert again.predict(X).tolist() == model.predict(X).tolist()


def test_every_machine_of_the_room_can_be_saved():
    machines = [each for each in vars(room).values() if isinstance(each, type) and issubclass(each, BaseEstimator)]
    assert len(machines) == 10
    assert all(issubclass(each, Stored) for each in machines)


def test_a_file_that_lacks_an_array_is_refused(tmp_path):
    MEMORIES["Hopfield"].save(tmp_path / "net.h5")
    with h5py.File(tmp_path / "net.h5", "a") as file:
        del file["model/weights"]
    with pytest.raises(ResultFileError):
        Hopfield.load(tmp_path / "net.h5")
