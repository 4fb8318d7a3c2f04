"""How much does a Hopfield network hold?

Random patterns are stored by Hebb's rule; the network is started on some of them and follows its fields until it rests:
is the pattern still there? Theory for networks of infinite size says that memory ends abruptly, at 0.138 patterns per
unit; "0.15 N", as one often reads, is too many. Beside it: sequences, which end at 0.269 (all units updated at once);
the share of patterns held without a single error; dense memories, which hold more patterns than units; where random
starts end, which is not always a stored pattern; and the energy of two graded units as a landscape, with the ways down.

Run time: about a minute and a half on two cores; with ``--quick`` under half a minute.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bionet.energy import DenseMemory, Hopfield, theory
from bionet.parameters import Count, Positive, parameters
from bionet.progress import Progress
from bionet.random import Stream

SEEDS = 3
QUICK_SEEDS = 2


@parameters
class Parameters:
    """What can be asked of the experiment.

    Parameters
    ----------
    sizes : tuple of int
        Units of the networks of the first curve, dimensionless.
    loads : tuple of float
        Patterns per unit, dimensionless.
    sequence_loads : tuple of float
        Patterns per unit of the sequences, dimensionless.
    n_starts : int
        Patterns that each network is started on.
    orders : tuple of int
        Orders of the dense memories.
    kinds : tuple of int
        Patterns stored in 500 units for the random starts.
    """

    sizes: tuple[Count, ...] = (500, 1000, 2000)
    loads: tuple[Positive, ...] = (0.05, 0.08, 0.10, 0.11, 0.12, 0.13, 0.138, 0.145, 0.15, 0.16, 0.18, 0.20)
    sequence_loads: tuple[Positive, ...] = (0.1, 0.15, 0.2, 0.22, 0.24, 0.26, 0.28, 0.3)
    n_starts: Count = 20
    orders: tuple[Count, ...] = (2, 3, 4)
    kinds: tuple[Count, ...] = (2, 5, 10, 15, 20, 25, 35, 50)


QUICK = Parameters(
    sizes=(500, 1000),
    loads=(0.05, 0.10, 0.12, 0.138, 0.15, 0.20),
    sequence_loads=(0.1, 0.2, 0.3),
    orders=(2, 3),
    kinds=(5, 10, 25),
)

KINDS = ("stored", "reversed", "mixture", "spurious")
AGS = "Amit, Gutfreund and Sompolinsky 1985"
EXPECTED = {
    "overlap at 0.10 N": ("99.8 %", AGS),
    "overlap at 0.12 N": ("99.3 %", AGS),
    "overlap at 0.15 N": ("0 for infinite size; finite networks fall late", AGS),
    "overlap at 0.20 N": ("0 for infinite size; 20 to 40 % is left of it", AGS),
    "overlap of a sequence at 0.2 N": ("96.6 %", "Düring, Coolen and Sherrington 1998"),
    "overlap of a sequence at 0.3 N": ("0 %", "Düring, Coolen and Sherrington 1998"),
    "share held without error, 1000 units, 72 patterns": ("91 %", "McEliece et al. 1987"),
    "random starts that end on a stored pattern, 10 patterns": ("38 %, and as many on a reverse", "own simulation"),
}


def run(parameters: Parameters, seed: int, progress: Progress) -> xr.DataTree:
    """Measure every curve under one seed.

    Returns
    -------
    xarray.DataTree
        ``/scores`` (model: what was measured), ``/curves/hebb``, ``/curves/sequence``, ``/curves/dense``,
        ``/curves/starts``, ``/landscape`` and ``/ways``.
    """
    tree = xr.DataTree()
    tree["curves/hebb"] = xr.DataTree(_hebb(parameters, seed, progress))
    progress.record(tree)
    tree["curves/sequence"] = xr.DataTree(_sequence(parameters, seed, progress))
    tree["curves/dense"] = xr.DataTree(_dense(parameters, seed, progress))
    tree["curves/starts"] = xr.DataTree(_starts(parameters, seed, progress))
    tree["landscape"], tree["ways"] = (xr.DataTree(each) for each in _landscape(seed))
    tree["scores"] = xr.DataTree(_scores(tree, parameters, seed))
    tree.attrs = {"engine": "Numba"}
    return tree


def patterns(n_patterns: int, n_units: int, seed: int) -> np.ndarray:
    """Return random patterns of -1 and +1."""
    return np.where(
        Stream(seed, f"capacity/{n_patterns}/{n_units}").bernoulli(np.full((n_patterns, n_units), 0.5)), 1, -1
    )


def _hebb(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    found = np.empty((len(parameters.sizes), len(parameters.loads)))
    for i, n_units in enumerate(progress(parameters.sizes, "Hebb")):
        for k, load in enumerate(parameters.loads):
            x = patterns(round(load * n_units), n_units, seed)
            starts = x[: parameters.n_starts]
            found[i, k] = (Hopfield(seed=seed).fit(x).recall(starts).states * starts).mean()
    dims = {"size": list(parameters.sizes), "load": list(parameters.loads)}
    return _curve(found, dims, {"size": "units", "load": "patterns per unit"}, "overlap with the pattern started on")


def _sequence(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    n_units, found = max(parameters.sizes), []
    for load in progress(parameters.sequence_loads, "sequences"):
        x = patterns(round(load * n_units), n_units, seed)
        steps = 50
        end = Hopfield("sequence", seed=seed).fit(x).recall(x[:5], update="synchronous", max_sweeps=steps)
        found.append((end.states * np.roll(x, -steps, axis=0)[:5]).mean())
    dims = {"load": list(parameters.sequence_loads)}
    return _curve(np.array(found), dims, {"load": "patterns per unit"}, "overlap with the pattern whose turn it is")


def _dense(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    times = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    found = np.empty((len(parameters.orders), len(times)))
    for i, order in enumerate(progress(parameters.orders, "dense memories")):
        for k, share in enumerate(times):
            wrong = []
            for network in range(20 if order == 2 else 2):
                x = patterns(max(1, round(share * theory.dense_capacity(50, order))), 50, 1000 * seed + network)
                wrong.append((DenseMemory(order).fit(x).field(x[:100]) * x[:100] <= 0).mean())
            found[i, k] = np.mean(wrong)
    dims = {"order": list(parameters.orders), "share": list(times)}
    names = {"order": "order of the energy", "share": "patterns, in units of the capacity"}
    return _curve(found, dims, names, "wrong bits after one update")


def _starts(parameters: Parameters, seed: int, progress: Progress) -> xr.Dataset:
    found = np.empty((len(parameters.kinds), len(KINDS)))
    for i, n_patterns in enumerate(progress(parameters.kinds, "random starts")):
        ends: list[str] = []
        for network in range(10):
            x = patterns(n_patterns, 500, 1000 * seed + network)
            start = patterns(30, 500, 1000 * seed + 500 + network)
            ends += list(Hopfield(seed=network).fit(x).recall(start).kind)
        found[i] = [ends.count(kind) / len(ends) for kind in KINDS]
    dims = {"n_patterns": list(parameters.kinds), "kind": list(KINDS)}
    return _curve(found, dims, {"n_patterns": "patterns stored", "kind": "where it ended"}, "share of random starts")


def _landscape(seed: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the energy of two graded units that remember (+1, +1), over both outputs, and how states come down."""
    network, gain, n_steps = Hopfield().fit([[1, 1]]), 4.0, 100
    outputs = np.linspace(-0.99, 0.99, 81)
    grid = np.stack(np.meshgrid(outputs, outputs, indexing="ij"), axis=-1).reshape(-1, 2)
    energy = network.flow(grid, gain, max_steps=1).energies[0].reshape(81, 81)
    ways = [1.9 * Stream(seed, "capacity/ways").uniform((16, 2)) - 0.95]
    for _ in range(n_steps):
        ways.append(network.flow(ways[-1], gain, max_steps=1).states)
    one = {"units": "1", "long_name": "output of a unit"}
    surface = xr.Dataset(
        {"energy": (("first", "second"), energy, {"units": "1", "long_name": "energy"})},
        {"first": ("first", outputs, one), "second": ("second", outputs, one)},
    )
    return surface, xr.Dataset({"output": (("step", "start", "unit"), np.array(ways), one)})


def _curve(values: np.ndarray, dims: dict[str, list], names: dict[str, str], long_name: str) -> xr.Dataset:
    coordinates = {name: (name, np.array(at), {"units": "1", "long_name": names[name]}) for name, at in dims.items()}
    return xr.Dataset({"value": (tuple(dims), values, {"units": "1", "long_name": long_name})}, coordinates)


def _scores(tree: xr.DataTree, parameters: Parameters, seed: int) -> xr.Dataset:
    """Put the figures with a known value beside it."""
    hebb = tree["curves/hebb"]["value"].sel(size=max(parameters.sizes))
    sequence, starts = tree["curves/sequence"]["value"], tree["curves/starts"]["value"]
    held = []
    for network in range(10):
        x = patterns(72, 1000, 1000 * seed + network)
        held.append((Hopfield().fit(x).field(x) * x > 0).all(axis=1).mean())
    found = [_at(hebb, "load", load) for load in (0.10, 0.12, 0.15, 0.20)]
    found += [_at(sequence, "load", load) for load in (0.2, 0.3)]
    found += [np.mean(held), _at(starts.sel(kind="stored"), "n_patterns", 10)]
    text = {"units": "1", "table": "Expected and found"}
    expected, source = zip(*EXPECTED.values(), strict=True)
    return xr.Dataset(
        {"value": ("model", np.array(found, dtype=float), {**text, "long_name": "found", "display": "%"})},
        {
            "model": ("model", list(EXPECTED), {"units": "1", "long_name": "what was measured"}),
            "expected": ("model", list(expected), {**text, "long_name": "expected"}),
            "source": ("model", list(source), {**text, "long_name": "after"}),
        },
    )


def _at(curve: xr.DataArray, dim: str, value: float) -> float:
    """Return the value at a place, NaN where it was not measured."""
    near = curve.sel({dim: value}, method="nearest")
    return float(near) if abs(float(near[dim]) - value) < 1e-9 else np.nan


def figures(tree: xr.DataTree) -> dict[str, Figure]:
    """Draw the result, captions to figures; ``tree`` is the stacked tree, as read from the file."""
    return {
        "Overlap of what is recalled with the pattern that the network was started on: points are networks (mean over "
        "seeds, bar one standard deviation), the line is the theory for infinite size, which ends at the capacity. The "
        "larger the network, the sharper the end: to the left of it more units remember better, to the right worse.": (
            overlaps(tree)
        ),
        "Bits that one update changes in a stored pattern of a dense memory, against the number of patterns in units "
        "of the capacity that Krotov and Hopfield give for each order.": dense(tree),
        "Where random starts end in a network of 500 units: on a stored pattern, its reverse, a mixture of three or "
        "more, or elsewhere.": starts(tree),
        "Energy of two graded units that remember (+1, +1), at a gain of 4: two valleys, the pattern and its reverse, "
        "and a pass between them at (0, 0). Lines lead from random starts, dots, down to where they rest.": (
            landscape(tree)
        ),
    }


def _spread(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    if "seed" not in values.dims:
        return values, 0 * values
    return values.mean("seed"), values.std("seed")


def overlaps(tree: xr.DataTree) -> Figure:
    """Draw points and line for patterns and for sequences."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    mean, spread = _spread(tree["curves/hebb"]["value"])
    for k, size in enumerate(mean["size"].values):
        style = {
            "fmt": "os^D"[k % 4],
            "markersize": 4,
            "color": plt.get_cmap("viridis")(0.8 * k / max(1, len(mean) - 1)),
        }
        axes[0].errorbar(mean["load"], mean.sel(size=size), spread.sel(size=size), label=f"{size} units", **style)
    _line(axes[0], theory.capacity(), theory.overlap)
    mean, spread = _spread(tree["curves/sequence"]["value"])
    axes[1].errorbar(mean["load"], mean, spread, fmt="o", markersize=4, color="C3", label="sequences")
    _line(axes[1], theory.sequence_capacity(), theory.sequence_overlap)
    axes[0].set(xlabel="patterns per unit", ylabel="overlap", ylim=(-0.05, 1.05), title="patterns, Hebb's rule")
    axes[1].set(xlabel="patterns per unit", title="sequences, all units at once")
    for panel in axes:
        panel.legend(frameon=False, loc="lower left")
    return figure


def _line(panel: plt.Axes, end: theory.Capacity, law) -> None:
    loads = np.append(np.linspace(0.01, end.load, 200)[:-1], end.load * (1 - 1e-9))
    panel.plot(loads, law(loads), color="black", linewidth=1.2, label="theory, infinite size")
    panel.plot([end.load, end.load], [end.overlap, 0.0], color="black", linewidth=0.8, linestyle=":")
    panel.annotate(f"{end.load:.3f}", (end.load, 0.4), xytext=(-36, 0), textcoords="offset points")


def dense(tree: xr.DataTree) -> Figure:
    """Draw bit errors around the capacity."""
    figure, panel = plt.subplots(figsize=(6, 4), layout="constrained")
    mean, spread = _spread(tree["curves/dense"]["value"])
    for k, order in enumerate(mean["order"].values):
        n_patterns = theory.dense_capacity(50, int(order))
        label = f"order {order}: capacity {n_patterns:.0f} patterns in 50 units"
        panel.errorbar(
            mean["share"], mean.sel(order=order), spread.sel(order=order), fmt="os^D"[k % 4] + "-", label=label
        )
    panel.set_xscale("log", base=2)
    panel.set(xlabel="patterns, in units of the capacity", ylabel="wrong bits")
    panel.legend(frameon=False)
    return figure


def landscape(tree: xr.DataTree) -> Figure:
    """Draw the energy as a map, and the ways down."""
    figure, panel = plt.subplots(figsize=(5.4, 4.4), layout="constrained")
    surface, ways = (tree[name].to_dataset() for name in ("landscape", "ways"))
    if "seed" in ways.dims:
        surface, ways = surface.isel(seed=0), ways.isel(seed=0)
    places = surface["first"].values, surface["second"].values
    filled = panel.contourf(*places, surface["energy"].values.T, levels=24, cmap="viridis")
    for way in np.moveaxis(ways["output"].values, 1, 0):
        panel.plot(*way.T, color="white", linewidth=0.9)
        panel.plot(*way[0], "o", color="white", markersize=3)
    figure.colorbar(filled, label="energy")
    ticks = np.linspace(-0.5, 0.5, 3)
    panel.set(xlabel="output of the first unit", ylabel="output of the second unit", aspect="equal")
    panel.set(xticks=ticks, yticks=ticks)
    return figure


def starts(tree: xr.DataTree) -> Figure:
    """Draw the shares of the four kinds, one above the other."""
    figure, panel = plt.subplots(figsize=(6, 4), layout="constrained")
    mean, _ = _spread(tree["curves/starts"]["value"])
    shares = [mean.sel(kind=kind) for kind in KINDS]
    panel.stackplot(mean["n_patterns"], shares, labels=KINDS, colors=["#2b6cb0", "#90cdf4", "#b7791f", "#cbd5e0"])
    panel.set(
        xlabel="patterns stored in 500 units",
        ylabel="share of random starts",
        ylim=(0, 1),
        xlim=mean["n_patterns"][[0, -1]],
    )
    panel.legend(frameon=True, loc="upper right")
    return figure
