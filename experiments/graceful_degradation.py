"""How gracefully does a memory degrade?

Links of a Hopfield network are cut, or rounded to a single bit, and it is started on what it has stored. Theory turns
damage into noise on the couplings, and so predicts the whole curve: half of the links are hardly missed, and at a low
load nine tenths of the weakest ones are not missed at all. Where theory says that memory ends, networks of finite size
end softly.

Run time: about a minute on two cores; with ``--quick`` under half a minute.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bionet.energy import Hopfield, theory
from bionet.energy.damage import CUTS, clip, lesion
from bionet.energy.settling import recall
from bionet.parameters import Count, Fraction, Positive, parameters
from bionet.progress import Progress
from bionet.random import Stream

SEEDS = 4
QUICK_SEEDS = 2


@parameters
class Parameters:
    """What can be asked of the experiment.

    Parameters
    ----------
    n_units : int
        Of the network whose links are cut at random, or rounded.
    loads : tuple of float
        Patterns per unit where links are cut, dimensionless.
    kept : tuple of float
        Shares of the links that are left, dimensionless.
    clipped_loads : tuple of float
        Patterns per unit where weights are rounded to one bit, dimensionless.
    n_starts : int
        Patterns that each network is started on.
    by_size_units : int
        Of the network, 0.05 patterns per unit, whose weakest or strongest links are cut first.
    """

    n_units: Count = 1000
    loads: tuple[Positive, ...] = (0.02, 0.05, 0.08)
    kept: tuple[Fraction, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    clipped_loads: tuple[Positive, ...] = (0.03, 0.05, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13, 0.15)
    n_starts: Count = 25
    by_size_units: Count = 600


QUICK = Parameters(
    n_units=500, loads=(0.05,), kept=(0.1, 0.2, 0.3, 0.5, 0.7, 1.0), clipped_loads=(0.05, 0.09, 0.12), by_size_units=300
)

SOMPOLINSKY = "equations of Sompolinsky 1986; at the edge finite networks hold more"
EXPECTED = {
    "half of the links, 0.05 N": ("99.8 %", SOMPOLINSKY),
    "0.3 of the links, 0.05 N": ("97.7 %", SOMPOLINSKY),
    "0.1 of the links, 0.05 N": ("0 for infinite size; 74 % with 1000 units", "own simulation"),
    "one bit, 0.05 N": ("100.0 %", SOMPOLINSKY),
    "one bit, 0.09 N": ("98.6 %", SOMPOLINSKY),
    "weakest links cut, 0.3 left": ("above random", "order: weakest, random, strongest first"),
    "random links cut, 0.3 left": ("97.7 %", SOMPOLINSKY),
    "strongest links cut, 0.3 left": ("below random", "order: weakest, random, strongest first"),
}


def run(parameters: Parameters, seed: int, progress: Progress) -> xr.DataTree:
    """Damage networks in every way under one seed.

    Returns
    -------
    xarray.DataTree
        ``/scores`` (model: what was done), ``/curves/cut``, ``/curves/clipped`` and ``/curves/by_size``.
    """
    tree = xr.DataTree()
    tree["curves/cut"] = xr.DataTree(_cut(parameters, seed, progress))
    progress.record(tree)
    tree["curves/clipped"] = xr.DataTree(_clipped(parameters, seed, progress))
    tree["curves/by_size"] = xr.DataTree(_by_size(parameters, seed, progress))
    tree["scores"] = xr.DataTree(_scores(tree))
    tree.attrs = {"engine": "Numba"}
    return tree


def stored(load: float, n_units: int, n_starts: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Hebb's weights of random patterns, and the patterns to start on."""
    shape = round(load * n_units), n_units
    x = np.where(Stream(seed, f"degradation/{shape[0]}/{n_units}").bernoulli(np.full(shape, 0.5)), 1, -1)
    return Hopfield().fit(x).weights_, x[:n_starts]


def remembered(weights: np.ndarray, starts: np.ndarray, seed: int) -> float:
    """Return the mean overlap of where the network rests with where it was started."""
    n_units = len(weights)
    end = recall(starts, weights, np.zeros(n_units), np.ones(n_units, dtype=bool), 100, Stream(seed, "degradation"))
    return float((end.states * starts).mean())


def _cut(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    found = np.empty((len(parameters.loads), len(parameters.kept)))
    for i, load in enumerate(progress(parameters.loads, "links cut at random")):
        weights, starts = stored(load, parameters.n_units, parameters.n_starts, seed)
        found[i] = [remembered(lesion(weights, kept, seed=seed), starts, seed) for kept in parameters.kept]
    return _curve(found, {"load": parameters.loads, "kept": parameters.kept})


def _clipped(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    found = []
    for load in progress(parameters.clipped_loads, "one bit"):
        weights, starts = stored(load, parameters.n_units, parameters.n_starts, seed)
        found.append(remembered(clip(weights), starts, seed))
    return _curve(np.array(found), {"load": parameters.clipped_loads})


def _by_size(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    weights, starts = stored(0.05, parameters.by_size_units, parameters.n_starts, seed)
    found = np.empty((len(CUTS), len(parameters.kept)))
    for i, first in enumerate(progress(CUTS, "links cut by size")):
        found[i] = [remembered(lesion(weights, kept, first, seed), starts, seed) for kept in parameters.kept]
    return _curve(found, {"first": CUTS, "kept": parameters.kept})


NAMES = {"load": "patterns per unit", "kept": "share of the links left", "first": "links cut first"}


def _curve(values: np.ndarray, dims: dict[str, tuple]) -> xr.Dataset:
    coordinates = {name: (name, np.array(at), {"units": "1", "long_name": NAMES[name]}) for name, at in dims.items()}
    attrs = {"units": "1", "long_name": "overlap with the pattern started on"}
    return xr.Dataset({"value": (tuple(dims), values, attrs)}, coordinates)


def _scores(tree: xr.DataTree) -> xr.Dataset:
    """Put the figures with a known value beside it; NaN where a place was not measured."""
    cut, clipped, by_size = (tree[f"curves/{name}"]["value"] for name in ("cut", "clipped", "by_size"))

    def at(curve: xr.DataArray, **place: float | str) -> float:
        there = all(value in curve[name].values for name, value in place.items())
        return float(curve.sel(place)) if there else np.nan

    found = [at(cut, load=0.05, kept=kept) for kept in (0.5, 0.3, 0.1)]
    found += [at(clipped, load=load) for load in (0.05, 0.09)]
    found += [at(by_size, first=first, kept=0.3) for first in ("weakest", "random", "strongest")]
    text = {"units": "1", "table": "Expected and found"}
    expected, source = zip(*EXPECTED.values(), strict=True)
    return xr.Dataset(
        {"value": ("model", np.array(found), {**text, "long_name": "overlap", "display": "%"})},
        {
            "model": ("model", list(EXPECTED), {"units": "1", "long_name": "what was done"}),
            "expected": ("model", list(expected), {**text, "long_name": "expected"}),
            "source": ("model", list(source), {**text, "long_name": "after"}),
        },
    )


def figures(tree: xr.DataTree) -> dict[str, Figure]:
    """Draw the result, captions to figures; ``tree`` is the stacked tree, as read from the file."""
    return {
        "Overlap with a stored pattern after a random part of the links was cut. Points are networks (mean over seeds, "
        "bar one standard deviation), lines the theory for infinite size, which ends where dotted.": cut(tree),
        "All weights rounded to their sign, one bit each: points are networks, the line the theory, which ends at "
        "0.102; grey, the theory of whole weights.": clipped(tree),
        "Which links are cut first matters: the weakest are hardly missed, the strongest first of all.": by_size(tree),
    }


def _spread(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    return (values.mean("seed"), values.std("seed")) if "seed" in values.dims else (values, 0 * values)


def cut(tree: xr.DataTree) -> Figure:
    """Draw points and lines for each load."""
    figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
    mean, spread = _spread(tree["curves/cut"]["value"])
    kept = np.linspace(0.01, 1.0, 400)
    for k, load in enumerate(mean["load"].values):
        style = {"fmt": "os^D"[k % 4], "markersize": 4, "color": f"C{k}"}
        panel.errorbar(mean["kept"], mean.sel(load=load), spread.sel(load=load), label=f"{load:g} N patterns", **style)
        line = np.array([float(theory.overlap(load, theory.diluted(c))) for c in kept])
        alive = line > 0
        panel.plot(kept[alive], line[alive], color=f"C{k}", linewidth=1.2)
        if alive.any():
            panel.plot([kept[alive][0]] * 2, [0, line[alive][0]], color=f"C{k}", linewidth=0.8, linestyle=":")
    panel.set(xlabel="share of the links left", ylabel="overlap", ylim=(-0.05, 1.05))
    panel.legend(frameon=False, loc="lower right")
    return figure


def clipped(tree: xr.DataTree) -> Figure:
    """Draw points and line for one-bit weights."""
    figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
    mean, spread = _spread(tree["curves/clipped"]["value"])
    for noise, colour, label in ((0.0, "0.7", "theory, whole weights"), (theory.CLIPPED, "black", "theory, one bit")):
        end = theory.capacity(noise)
        loads = np.append(np.linspace(0.01, end.load, 200)[:-1], end.load * (1 - 1e-9))
        panel.plot(loads, theory.overlap(loads, noise), color=colour, label=label)
        panel.plot([end.load, end.load], [0, end.overlap], color=colour, linewidth=0.8, linestyle=":")
    panel.errorbar(mean["load"], mean, spread, fmt="o", markersize=4, color="C3", label="networks, one bit")
    panel.set(xlabel="patterns per unit", ylabel="overlap", ylim=(-0.05, 1.05))
    panel.legend(frameon=False, loc="lower left")
    return figure


def by_size(tree: xr.DataTree) -> Figure:
    """Draw the three orders of cutting."""
    figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
    mean, spread = _spread(tree["curves/by_size"]["value"])
    for k, first in enumerate(mean["first"].values):
        style = {"fmt": "os^"[k % 3] + "-", "markersize": 4}
        panel.errorbar(
            mean["kept"], mean.sel(first=first), spread.sel(first=first), label=f"{first} cut first", **style
        )
    panel.set(xlabel="share of the links left", ylabel="overlap", ylim=(-0.05, 1.05))
    panel.legend(frameon=False, loc="lower right")
    return figure
