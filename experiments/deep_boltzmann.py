"""Does depth help? A Boltzmann machine of one hidden layer, a belief net of two, a Boltzmann machine of two.

The same pictures are learned, without labels, by an RBM, by a deep belief network (DBN) whose lower layer is of that
RBM's size, and by a deep Boltzmann machine (DBM), pretrained and not. Of each, the log-likelihood of test pictures is
bounded: of the RBM by annealing alone; of the deep ones from below, by what their recognition says, and as wide as
their partition function is uncertain. Then pictures: fantasies of each.

Data: MNIST, a pixel is 1 where it is at least 1/2. With ``--quick``, scikit-learn's 8 x 8 digits.

Run time: a quarter of an hour of one core; with ``--quick`` 18 s on two.
"""

from __future__ import annotations

from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bionet.energy import DBN, RBM
from bionet.energy.partition import Interval
from bionet.parameters import Count, Positive, parameters
from bionet.progress import Progress
from experiments.rbm_mnist import blank_scores, images, independent, pictures, rows_of
from models import salakhutdinov_hinton_2009 as published


@parameters
class Parameters:
    """What can be asked of the experiment.

    Parameters
    ----------
    data : str
        "mnist", "mnist_small" or "digits".
    n_train, n_test : int or None
        Use only so many pictures of each part; None for all.
    n_lower, n_upper : int
        Hidden units of the lower layer, which the RBM has too, and of the upper one.
    n_epochs, n_epochs_pretrain : int
        Passes through the training pictures; for each layer alone.
    batch_size : int
        Samples an update.
    learning_rate : float
        Of the first update, dimensionless.
    n_betas : int
        Inverse temperatures of the annealing, each way.
    n_shown : int
        Fantasies of each machine.
    """

    data: Literal["mnist", "mnist_small", "digits"] = "mnist"
    n_train: Count | None = None
    n_test: Count | None = None
    n_lower: Count = 500
    n_upper: Count = 1000
    n_epochs: Count = 15
    n_epochs_pretrain: Count = 6
    batch_size: Count = 100
    learning_rate: Positive = 0.02
    n_betas: Count = 5000
    n_shown: Count = 12


QUICK = Parameters(
    data="digits",
    n_lower=40,
    n_upper=30,
    n_epochs=60,
    n_epochs_pretrain=20,
    batch_size=20,
    learning_rate=0.05,
    n_betas=500,
    n_shown=6,
)

NAMES = ("RBM", "DBN", "DBM", "DBM, pretrained")
EXPECTED = {
    "RBM": ("-86 to -97", "PyDeep's tutorial, 500 units, 200 passes: AIS -84.86, reverse AIS -96.61"),
    "DBN": ("near the RBM", "a layer more may raise the bound (Hinton, Osindero and Teh 2006); nothing says how far"),
    "DBM": ("near the pretrained", "a guess: a centred gradient should make pretraining dispensable"),
    "DBM, pretrained": (
        f"{published.PUBLISHED['bound']}",
        "Salakhutdinov and Hinton 2009, as quoted by a reproduction, which itself came to "
        f"{published.REPRODUCED['bound']}",
    ),
}
"""On MNIST, after hundreds of passes."""

COLUMNS = {
    "bound": ("bound", "nat"),
    "low": ("at least", "nat"),
    "high": ("at most", "nat"),
    "units": ("hidden units", "1"),
}
NOTE = """\
Passes: the machines see the pictures as often as one another, but an update of a DBM costs several of an RBM's.
Rates: a DBM's falls to 0, those of the RBM and the DBN with the number of updates; some of a difference is that.
Bounds: an RBM's interval holds the likelihood; a DBN's and a DBM's hold a lower bound of it, which may be loose.
"""


def run(parameters: Parameters, seed: int, progress: Progress) -> xr.DataTree:
    """Let every machine learn under one seed.

    Returns
    -------
    xarray.DataTree
        ``/scores`` (model), ``/fantasies/<model>``, ``/fields/<model>``, and ``/learning/DBM`` (epoch): updates of the
        positive phase until its means were settled.
    """
    train, test, shape = pictures(parameters.data)
    train, test = train[: parameters.n_train], test[: parameters.n_test]
    scores = blank_scores("Log-likelihood of a test picture", EXPECTED, COLUMNS).assign_attrs(note=NOTE)
    tree = xr.DataTree.from_dict({"/scores": scores})
    tree.attrs = {"engine": "Numba, BLAS", "independent_pixels": independent(train, test)}
    for name in progress(NAMES, "machines"):
        machine, found, units = learn(name, train, test, parameters, seed, progress)
        scores = tree["scores"].to_dataset()
        for variable, value in zip(COLUMNS, (*ends(found), units), strict=True):
            scores[variable].loc[{"model": name}] = value
        tree["scores"] = xr.DataTree(scores)
        group = name.replace(", ", "_")
        shown = dream(machine, parameters, seed)
        tree[f"fantasies/{group}"] = images("fantasy", shown, shape, name)
        tree[f"fields/{group}"] = images("weight", lower_weights(machine).T[: parameters.n_shown], shape, name)
        if name.startswith("DBM"):
            tree[f"learning/{group}"] = updates(machine, name)
        progress.record(tree)
    return tree


def learn(
    name: str, train: np.ndarray, test: np.ndarray, parameters: Parameters, seed: int, progress: Progress
) -> tuple[Any, Interval, int]:
    """Let one machine learn; return it, the bound of the test pictures, and its hidden units."""
    layers, rising = (parameters.n_lower, parameters.n_upper), published.betas(parameters.n_betas)
    how = {"betas": rising, "seed": seed, "exact": False, "progress": progress}
    both = {"batch_size": parameters.batch_size, "learning_rate": parameters.learning_rate}
    shared: dict[str, Any] = {**both, "rate_decay": 20_000.0, "dtype": "float32"}
    if name == "RBM":
        rbm = RBM(layers[0], n_iter=parameters.n_epochs, gradient="pcd", seed=seed, **shared)
        return rbm.fit(train, progress=progress), rbm.log_likelihood(test, **how), layers[0]
    if name == "DBN":
        dbn = DBN(layers, n_iter=parameters.n_epochs, gradient="pcd", seed=seed, **shared)
        dbn.fit(train, progress=progress)
        log_z = dbn.top_.log_partition(**how)
        return dbn, float(dbn.bound(test, 0.0, seed=seed).mean()) - log_z, sum(layers)
    pretrain = parameters.n_epochs_pretrain if "pretrained" in name else 0
    dbm = published.build(layers, parameters.n_epochs, pretrain, seed).set_params(**both)
    published.learn(dbm, train, progress)
    return dbm, dbm.set_params(n_mean_field=50).bound(test, **how), sum(layers)


def ends(found: Interval) -> tuple[float, float, float]:
    """Return the three numbers of an interval."""
    return found.estimate, found.low, found.high


def dream(machine: Any, parameters: Parameters, seed: int) -> np.ndarray:
    """Return fantasies: means of the pixels."""
    more = {} if isinstance(machine, DBN) else {"means": True}
    return machine.sample(parameters.n_shown, 2000, seed=seed, **more)


def lower_weights(machine: Any) -> np.ndarray:
    """Return the weights of the lowest layer."""
    if isinstance(machine, DBN):
        return machine.generative_[0][0]
    return machine.weights_ if isinstance(machine, RBM) else machine.weights_[0]


def updates(machine: Any, name: str) -> xr.DataTree:
    """Return how many updates the positive phase took, over the passes."""
    found = machine.history_["updates"]
    attrs = {"units": "1", "long_name": "mean-field updates until settled"}
    passes = ("epoch", np.arange(1, len(found) + 1), {"units": "1", "long_name": "pass"})
    return xr.DataTree(xr.Dataset({"updates": ("epoch", found, attrs)}, {"epoch": passes}, {"model": name}))


def figures(tree: xr.DataTree) -> dict[str, Figure]:
    """Draw the result, captions to figures; ``tree`` is the stacked tree, as read from the file."""
    fantasies = [(node.attrs["model"], node["fantasy"]) for node in tree["fantasies"].children.values()]
    fields = [(node.attrs["model"], node["weight"]) for node in tree["fields"].children.values()]
    return {
        "Log-likelihood of test pictures, or a lower bound of it: 95 % intervals of annealing both ways, averaged over "
        "the seeds. Dashed: pixels that know nothing of each other.": bounds(tree),
        "Fantasies: means of the pixels after 2000 Gibbs sweeps from noise.": rows_of(fantasies, "gray_r"),
        "Receptive fields: weights from the pixels to some units of the lowest layer.": rows_of(fields, "RdBu_r"),
        "Mean-field updates, odd layers and even ones in turn, from 1/2, until no mean changed by 0.001; 8 at most.": (
            settling(tree)
        ),
    }


def bounds(tree: xr.DataTree) -> Figure:
    """Draw the intervals side by side."""
    scores = tree["scores"].to_dataset()
    mean = scores[["bound", "low", "high"]].mean("seed") if "seed" in scores.dims else scores
    figure, panel = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for place, name in enumerate(scores["model"].values):
        one = mean.sel(model=name)
        panel.plot([place] * 2, [one["low"], one["high"]], color="#2f855a", linewidth=6, alpha=0.35)
        panel.plot(place, one["bound"], "o", color="#2f855a")
    panel.axhline(float(np.mean(tree.attrs["independent_pixels"])), color="0.6", linestyle="--", linewidth=0.8)
    panel.set_xticks(range(scores.sizes["model"]), list(scores["model"].values))
    panel.set_ylabel("log-likelihood, or bound [nat]")
    return figure


def settling(tree: xr.DataTree) -> Figure:
    """Draw the updates of the positive phase over the passes."""
    figure, panel = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for node in tree["learning"].children.values():
        run = node.to_dataset()
        mean = run.mean("seed") if "seed" in run.dims else run
        panel.plot(mean["epoch"], mean["updates"], label=node.attrs["model"])
    panel.set(xlabel="pass through the training pictures", ylabel="updates until settled")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False)
    return figure
