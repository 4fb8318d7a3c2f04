"""Learning pictures without labels: what a restricted Boltzmann machine's likelihood hangs on.

Machines that differ in one thing each learn handwritten digits, as bits: whether their gradient is centred, whether
black and white are exchanged, and where the chains of the negative phase start. With 16 hidden units the likelihood is
exact: the partition function is summed. A larger machine's is an interval, by annealing in both directions; annealing
forwards alone flatters.

Data: MNIST, a pixel is 1 where it is at least 1/2. With ``--quick``, scikit-learn's 8 x 8 digits.

Run time: 18 minutes on two cores that were busy with other work; with ``--quick`` under a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bionet.datasets import load, split
from bionet.energy import RBM
from bionet.parameters import Count, Positive, parameters
from bionet.progress import Progress
from bionet.random import Stream


@parameters
class Parameters:
    """What can be asked of the experiment.

    Parameters
    ----------
    data : str
        "mnist", "mnist_small" or "digits".
    n_hidden, n_large : int
        Hidden units of the machines whose likelihood is summed, and of the large one.
    n_epochs, n_epochs_large : int
        Passes through the training pictures.
    every : int
        Passes from one likelihood to the next.
    batch_size : int
        Samples an update, and persistent chains.
    learning_rate : float
        Dimensionless; it does not fall.
    n_betas : int
        Inverse temperatures of the annealing, each way.
    n_shown : int
        Pictures in a row of a figure.
    """

    data: Literal["mnist", "mnist_small", "digits"] = "mnist"
    n_hidden: Count = 16
    n_large: Count = 500
    n_epochs: Count = 50
    n_epochs_large: Count = 30
    every: Count = 10
    batch_size: Count = 100
    learning_rate: Positive = 0.01
    n_betas: Count = 5000
    n_shown: Count = 12


QUICK = Parameters(
    data="digits",
    n_large=40,
    n_epochs=60,
    n_epochs_large=60,
    every=20,
    batch_size=20,
    learning_rate=0.05,
    n_betas=500,
    n_shown=6,
)


@dataclass(frozen=True)
class Machine:
    """One way to learn.

    Attributes
    ----------
    name : str
    expected : str
        The test likelihood, nats, on MNIST after 50 passes.
    source : str
    gradient : str
    centered, flipped, large : bool
    """

    name: str
    expected: str
    source: str
    gradient: str = "pcd"
    centered: bool = True
    flipped: bool = False
    large: bool = False


PYDEEP = "PyDeep's tutorial, test set; 16 hidden units, rate 0.01, 50 passes, 100 chains"
MACHINES = (
    Machine("centred", "-142.56", PYDEEP),
    Machine("not centred", "-149.05", PYDEEP, centered=False),
    Machine("centred, flipped", "-142.09", PYDEEP, flipped=True),
    Machine("not centred, flipped", "-183.36", PYDEEP, centered=False, flipped=True),
    Machine("chains from the data", "below the first", "Tieleman 2008: persistent chains are better", gradient="cd"),
    Machine("large", "-84.86 by AIS, -96.61 by reverse AIS", "PyDeep's tutorial: 500 units, 200 passes", large=True),
)


COLUMNS = {
    "test": ("test", "nat"),
    "low": ("at least", "nat"),
    "high": ("at most", "nat"),
    "forward": ("by AIS alone", "nat"),
    "train": ("training", "nat"),
}
NOTE = "At least and at most: 95 % intervals of annealing both ways; the sums are exact."


def pictures(name: str) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return training and test pictures as bits, and their shape."""
    data = load(name)
    bits = (data["X"].values >= 0.5).astype(np.float32)
    if "split" in data.coords:
        test = data["split"].values == "test"
        train_rows, test_rows = np.flatnonzero(~test), np.flatnonzero(test)
    else:
        train_rows, test_rows = split(data["y"].values, 0.2)
    rows, columns = data.attrs["image_shape"]
    return bits[train_rows], bits[test_rows], (int(rows), int(columns))


def run(parameters: Parameters, seed: int, progress: Progress) -> xr.DataTree:
    """Let every machine learn under one seed.

    Returns
    -------
    xarray.DataTree
        ``/scores`` (model), ``/learning/<model>`` (epoch), ``/fields/<model>``, ``/fantasies`` and ``/inpainting``.
    """
    train, test, shape = pictures(parameters.data)
    scores = blank_scores("Log-likelihood", {each.name: (each.expected, each.source) for each in MACHINES}, COLUMNS)
    scores["low"].attrs["note"] = NOTE
    tree = xr.DataTree.from_dict({"/scores": scores})
    tree.attrs = {"engine": "Numba, BLAS", "independent_pixels": independent(train, test)}
    for machine in progress(MACHINES, "machines"):
        rbm = learn(machine, train, test, parameters, seed, progress, tree)
        show(machine, rbm, test, shape, parameters, seed, tree)
        progress.record(tree)
    return tree


def blank_scores(table: str, expected: dict[str, tuple[str, str]], columns: dict[str, tuple[str, str]]) -> xr.Dataset:
    """Return a table of that title with nothing in it yet.

    Parameters
    ----------
    table : str
    expected : dict of str to (str, str)
        Of each machine: what is expected, and after whom.
    columns : dict of str to (str, str)
        Of each number: its long name and its units.
    """
    numbers, sources = zip(*expected.values(), strict=True)
    text = {"units": "1", "table": table}
    coords = {
        "model": ("model", list(expected), {"units": "1", "long_name": "machine"}),
        "expected": ("model", list(numbers), {**text, "long_name": "expected on MNIST"}),
        "source": ("model", list(sources), {**text, "long_name": "expected after"}),
    }
    values = {
        name: ("model", np.full(len(expected), np.nan), {"units": units, "long_name": long_name, "table": table})
        for name, (long_name, units) in columns.items()
    }
    return xr.Dataset(values, coords)


def learn(
    machine: Machine,
    train: np.ndarray,
    test: np.ndarray,
    parameters: Parameters,
    seed: int,
    progress: Progress,
    tree: xr.DataTree,
) -> RBM:
    """Let one machine learn, and write its likelihoods into the tree."""
    rbm = RBM(
        parameters.n_large if machine.large else parameters.n_hidden,
        learning_rate=parameters.learning_rate,
        rate_decay=None,
        batch_size=parameters.batch_size,
        gradient=machine.gradient,
        centered=machine.centered,
        dtype="float32",
        seed=seed,
    )
    parts = [1 - part if machine.flipped else part for part in (train, test)]
    n_epochs = parameters.n_epochs_large if machine.large else parameters.n_epochs
    stops = [*range(parameters.every, n_epochs, parameters.every), n_epochs]
    found = []
    for stop in progress(stops, machine.name):
        again = rbm.set_params(n_iter=stop)
        (again.resume if found else again.fit)(parts[0], progress=progress)
        log_z = rbm.log_partition(n_betas=parameters.n_betas, seed=seed, exact=not machine.large)
        free = [rbm.free_energy(part).mean(dtype=float) for part in parts]
        forward = log_z.parts[0].estimate if log_z.parts else log_z.estimate
        found.append(
            [-free[1] - value for value in (log_z.estimate, log_z.high, log_z.low, forward)]
            + [-free[0] - log_z.estimate]
        )
    scores, curves = tree["scores"].to_dataset(), np.array(found).T
    for name, values in zip(COLUMNS, curves, strict=True):
        scores[name].loc[{"model": machine.name}] = values[-1]
    tree["scores"] = xr.DataTree(scores)
    attrs = {"units": "nat", "long_name": "log-likelihood"}
    tree[f"learning/{key(machine)}"] = xr.DataTree(
        xr.Dataset(
            {name: ("epoch", values, attrs) for name, values in zip(COLUMNS, curves, strict=True)},
            coords={"epoch": ("epoch", np.array(stops), {"units": "1", "long_name": "pass"})},
            attrs={"model": machine.name},
        )
    )
    return rbm


def show(
    machine: Machine,
    rbm: RBM,
    test: np.ndarray,
    shape: tuple[int, int],
    parameters: Parameters,
    seed: int,
    tree: xr.DataTree,
) -> None:
    """Write receptive fields into the tree, and of the large machine fantasies and pictures made whole."""
    n, key_ = parameters.n_shown, key(machine)
    tree[f"fields/{key_}"] = images("weight", rbm.weights_.T[:n], shape, machine.name)
    if not machine.large:
        return
    tree["fantasies"] = images("fantasy", rbm.sample(2 * n, 2000, means=True, seed=seed), shape, machine.name)
    chosen = test[Stream(seed, "rbm_mnist/chosen").permutation(len(test))[:n]]
    holes = chosen.reshape(n, *shape).copy()
    holes[:, shape[0] // 2 :] = np.nan
    whole = rbm.inpaint(holes.reshape(n, -1), 200, seed=seed)
    stages = np.concatenate([chosen, np.nan_to_num(holes.reshape(n, -1), nan=0.5), whole])
    tree["inpainting"] = images("picture", stages, shape, machine.name)


def images(name: str, rows: np.ndarray, shape: tuple[int, int], model: str) -> xr.DataTree:
    """Return rows of pixels as pictures."""
    values = np.asarray(rows, dtype=np.float32).reshape(-1, *shape)
    attrs = {"units": "1", "long_name": name}
    return xr.DataTree(xr.Dataset({name: (("unit", "row", "column"), values, attrs)}, attrs={"model": model}))


def key(machine: Machine) -> str:
    """Return a machine's name as that of a group."""
    return machine.name.replace(", ", "_").replace(" ", "_")


def independent(train: np.ndarray, test: np.ndarray) -> float:
    """Return the test likelihood of the model in which pixels know nothing of each other, in nats."""
    p = (train.sum(axis=0, dtype=float) + 0.5) / (len(train) + 1)
    return float((test @ np.log(p) + (1 - test) @ np.log(1 - p)).mean())


def figures(tree: xr.DataTree) -> dict[str, Figure]:
    """Draw the result, captions to figures; ``tree`` is the stacked tree, as read from the file."""
    drawn = {
        "Test log-likelihood over learning: lines are exact sums; the band is the 95 % interval of the large machine, "
        "annealed both ways, and the dots what annealing forwards says alone. Dashed: pixels that know nothing of each "
        "other.": likelihoods(tree),
        "Receptive fields: weights from the pixels to some of the hidden units, red positive, blue negative.": rows_of(
            [(node.attrs["model"], node["weight"]) for node in tree["fields"].children.values()], "RdBu_r"
        ),
        "Fantasies: means of the pixels after 2000 Gibbs sweeps from noise.": rows_of(
            [(tree["fantasies"].attrs["model"], tree["fantasies"]["fantasy"])], "gray_r", 2
        ),
        "Pictures of the test set, their upper halves, and what the machine makes of these.": rows_of(
            [("", tree["inpainting"]["picture"])], "gray_r", 3
        ),
    }
    return {caption: figure for caption, figure in drawn.items() if figure is not None}


COLOURS = ("#2f855a", "#b7791f", "#2b6cb0", "#c53030", "0.4", "black")


def likelihoods(tree: xr.DataTree) -> Figure:
    """Draw the likelihoods over the passes."""
    figure, panel = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for colour, node in zip(COLOURS, tree["learning"].children.values(), strict=False):
        run = node.to_dataset()
        mean = run.mean("seed") if "seed" in run.dims else run
        panel.plot(mean["epoch"], mean["test"], "o-", color=colour, markersize=3, label=node.attrs["model"])
        if not np.allclose(mean["low"], mean["high"]):
            panel.fill_between(mean["epoch"], mean["low"], mean["high"], color=colour, alpha=0.2, linewidth=0)
            panel.plot(mean["epoch"], mean["forward"], "k.", markersize=7)
    panel.axhline(float(np.mean(tree.attrs["independent_pixels"])), color="0.6", linestyle="--", linewidth=0.8)
    panel.set(xlabel="pass through the training pictures", ylabel="log-likelihood of a test picture [nat]")
    panel.legend(frameon=False)
    return figure


def rows_of(named: list[tuple[str, xr.DataArray]], colours: str, n_rows: int = 1) -> Figure:
    """Draw pictures in rows: each set in ``n_rows`` of them."""
    sets = [(name, (values.isel(seed=0) if "seed" in values.dims else values).values) for name, values in named]
    n = len(sets[0][1]) // n_rows
    figure, axes = plt.subplots(
        len(sets) * n_rows, n, figsize=(0.9 * n, 1.05 * len(sets) * n_rows), squeeze=False, layout="constrained"
    )
    for k, (name, values) in enumerate(sets):
        for panel, picture in zip(axes[k * n_rows : (k + 1) * n_rows].flat, values, strict=False):
            top = float(np.abs(values).max())
            low = -top if colours == "RdBu_r" else 0.0
            panel.imshow(picture, cmap=colours, vmin=low, vmax=top)
            panel.set(xticks=[], yticks=[])
        axes[k * n_rows, 0].set_title(name, loc="left", fontsize=8)
    return figure
