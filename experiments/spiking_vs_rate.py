"""Spiking or rate: what difference does it make?

Spiking networks run on discrete events in continuous time; rate networks on continuous values in discrete time. The
same handwritten digits, the same split and the same seeds are put to networks of every kind, and each is asked
the same things: how often it is right, how long it takes to decide, what work that is, what noise and damage it
survives, and what it cost to learn.

Data: scikit-learn's 1,797 handwritten digits, 8 x 8 pixels, grey. A fifth is held out; the split is drawn anew with
each seed and is the same for all contestants. Settings were chosen on the training part of some splits, and labels of
held-out digits are used for scoring alone; but what one split holds out is in the training part of others.

Run time: under 8 minutes on two cores; with ``--quick`` under a minute.
"""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bionet.compare import probes
from bionet.compare.contestants import Associative, Backprop, Converted, Features, Logistic, SelfOrganised
from bionet.compare.question import Contestant, Question, digits
from bionet.energy import RBM, AssociativeClassifier
from bionet.hebbian import SoftHebb
from bionet.parameters import Count, Fraction, NonNegative, Positive, parameters
from bionet.progress import Progress
from bionet.rate import RateClassifier
from models.diehl_cook_2015 import DiehlCook

SEEDS = 6
QUICK_SEEDS = 2


@parameters
class Parameters:
    """What can be asked of the experiment.

    Parameters
    ----------
    test_fraction : float
        The part of the digits held out, dimensionless.
    n_train, n_test : int or None
        Use only so many digits of each part; None for all.
    noise : tuple of float
        Standard deviations of the noise on the pixels, dimensionless; pixels run from 0 to 1.
    lesion : tuple of float
        Fractions of the hidden units removed, dimensionless.
    bits : tuple of int
        Bits each weight is rounded to, dimensionless.
    n_hidden : int
        Hidden units of the MLP, the RBM and the Hebbian layer, and excitatory neurons of the STDP network.
    effort : float
        Passes through the training digits, relative to what each learner usually takes, dimensionless.
    duration : float
        How long the converted network is shown a digit [s].
    """

    test_fraction: Fraction = 0.2
    n_train: Count | None = None
    n_test: Count | None = None
    noise: tuple[NonNegative, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    lesion: tuple[Fraction, ...] = (0.2, 0.4, 0.6, 0.8)
    bits: tuple[Count, ...] = (1, 2, 3, 4, 8)
    n_hidden: Count = 100
    effort: Positive = 1.0
    duration: Positive = 0.1


QUICK = Parameters(n_train=250, n_test=100, noise=(0.3,), lesion=(0.5,), bits=(1, 4), n_hidden=50, duration=0.05)

NEIGHBOUR = "nearest neighbour on these digits: 98.0 (optdigits, Alpaydin and Kaynak 1998)"
EXPECTED = {
    "logistic regression": ((0.94, 0.98), f"linear, so below the {NEIGHBOUR}"),
    "MLP": ((0.97, 0.99), NEIGHBOUR),
    "CNN": ((0.98, 0.995), f"above the MLP, as on any picture; {NEIGHBOUR}"),
    "MLP, spiking": ((0.965, 0.99), "the MLP, less half a point (Diehl et al. 2015, Rueckauer et al. 2017)"),
    "STDP": ((0.78, 0.92), "Diehl and Cook 2015: 95.0 on MNIST with 6400 neurons; fewer, with 100 and fewer digits"),
    "RBM": ((0.95, 0.985), "no worse than its read-out alone on pixels"),
    "soft winner-take-all": ((0.94, 0.98), "no worse than its read-out alone on pixels"),
    "Hopfield": ((0.85, 0.96), "no better than the nearest of the prototypes it stores"),
    "Hopfield, Hebb": ((0.05, 0.3), "chance: Hebb's rule keeps what correlated patterns share, and nothing else"),
}
"""Accuracy from lowest to highest, and why."""

UNEQUAL = """\
Expected: the ranges were written with first results in sight, as reasons for what is there, not as predictions.
Labels: the STDP network, the RBM and the Hebbian layer learn without labels, which then name neurons or fit a read-out.
Read-out: the RBM and the Hebbian layer hand real numbers to a logistic regression; the STDP network is read by spikes.
Size: each contestant has the size its own literature gives it, not the same number of weights.
Lesion: hidden units are removed; where there are none (logistic regression, Hopfield), pixels are removed instead.
Noise: drawn once for each digit and level; it does not change while a digit is shown.
Work: 32-bit operations at 45 nm (Horowitz 2014) for all, though spikes and two-valued units would need less.
Work: an update of one variable of one neuron in one time step counts as a multiply-accumulate.
Work: memory traffic, activation functions and the making of input spikes are counted for nobody.
Time: milliseconds of biology, sweeps and layers are different clocks; they stand side by side, not converted.
Time: the converted network may fire 1000 times a second; held to 100, it would take ten times as long.
Stable: that a decision no longer changes is known only afterwards; a machine that stops there needs a rule to stop.
"""


def run(parameters: Parameters, seed: int, progress: Progress) -> xr.DataTree:
    """Put the question to every contestant under one seed.

    Returns
    -------
    xarray.DataTree
        ``/scores`` (model), ``/in_time/<model>``, ``/fields/<model>``, ``/learning/<model>``, ``/spikes/<model>`` and
        ``/recall``; see the attributes of each variable.
    """
    question = digits(seed, parameters.test_fraction, parameters.n_train, parameters.n_test)
    everyone = lineup(parameters, seed)
    tree = xr.DataTree.from_dict({"/scores": blank_scores(everyone, parameters)})
    tree.attrs = {"engine": "Brian2 (numpy target), PyTorch, Numba"}
    for contestant in progress(everyone, "contestants"):
        measure(contestant, question, parameters, seed, progress, tree)
        progress.record(tree)
    return tree


def lineup(parameters: Parameters, seed: int) -> list[Contestant]:
    """Return the contestants, not yet trained, in the order of the table."""
    size = parameters.n_hidden

    def passes(usual: int) -> int:
        return max(1, round(usual * parameters.effort))

    mlp = Backprop("MLP", *EXPECTED["MLP"], RateClassifier("mlp", (size,), n_epochs=passes(30), seed=seed))
    cnn = RateClassifier("cnn", (16, 32), n_epochs=passes(30), seed=seed)
    rbm = RBM(size, n_iter=passes(40), seed=seed)
    hebbian = SoftHebb(size, n_iter=passes(50), seed=seed)
    return [
        Logistic("logistic regression", *EXPECTED["logistic regression"]),
        mlp,
        Backprop("CNN", *EXPECTED["CNN"], cnn),
        Converted("MLP, spiking", *EXPECTED["MLP, spiking"], mlp, parameters.duration),
        SelfOrganised("STDP", *EXPECTED["STDP"], DiehlCook(size, n_iter=passes(2), seed=seed)),
        Features("RBM", *EXPECTED["RBM"], "energy", rbm, levels=4),
        Features("soft winner-take-all", *EXPECTED["soft winner-take-all"], "hebbian", hebbian),
        Associative("Hopfield", *EXPECTED["Hopfield"], AssociativeClassifier("pseudo-inverse", seed=seed)),
        Associative("Hopfield, Hebb", *EXPECTED["Hopfield, Hebb"], AssociativeClassifier("hebb", seed=seed)),
    ]


def blank_scores(everyone: list[Contestant], parameters: Parameters) -> xr.Dataset:
    """Return the table of scores with nothing in it yet: one NaN for each number to come."""
    names = [each.name for each in everyone]
    low_high = [f"{100 * each.expected[0]:.1f} to {100 * each.expected[1]:.1f}" for each in everyone]
    text = {"units": "1", "table": "Accuracy"}
    coordinates = {
        "model": ("model", names, {"units": "1", "long_name": "contestant"}),
        "family": ("model", [each.family for each in everyone], {**text, "long_name": "kind"}),
        "expected": ("model", low_high, {**text, "long_name": "expected of a full run, %"}),
        "source": ("model", [each.source for each in everyone], {**text, "long_name": "expected after"}),
    }
    scores = xr.Dataset(coords=coordinates, attrs={"note": UNEQUAL})
    for name, (table, long_name, units, display) in SCORES.items():
        attrs = {"long_name": long_name, "units": units, "display": display, "table": table}
        if name in NOTES:
            attrs["note"] = NOTES[name]
        scores[name] = ("model", np.full(len(names), np.nan), attrs)
    for probe, (level, how) in probes.CURVES.items():
        levels = np.asarray(getattr(parameters, probe))
        scores = scores.assign_coords({probe: (probe, levels, {"units": "1", "long_name": level})})
        attrs = {"long_name": "accuracy", "units": "1", "display": "%", "note": how}
        scores[f"accuracy_{probe}"] = (("model", probe), np.full((len(names), levels.size), np.nan), attrs)
    return scores


SCORES = {
    "accuracy": ("Accuracy", "accuracy", "1", "%"),
    "decision_s": ("Time to decide", "stable after", "s", "ms"),
    "decision_spikes": ("Time to decide", "spikes until then", "1", "1"),
    "decision_sweep": ("Time to decide", "sweeps", "1", "1"),
    "decision_layer": ("Time to decide", "layers", "1", "1"),
    "multiply_accumulates": ("Work per decision", "multiply-accumulates", "1", "1"),
    "events": ("Work per decision", "synaptic events", "1", "1"),
    "energy": ("Work per decision", "energy", "J", "nJ"),
    "energy_to_decision": ("Work per decision", "energy until stable", "J", "nJ"),
    "samples_seen": ("Cost of learning", "samples seen", "1", "1"),
    "labels_used": ("Cost of learning", "labels used", "1", "1"),
    "training_time": ("Cost of learning", "time", "s", "s"),
}


NOTES = {
    "decision_s": "Medians over digits.",
    "samples_seen": "Of a read-out, those of its final fit; the search for its C is in the time.",
}


def measure(
    contestant: Contestant,
    question: Question,
    parameters: Parameters,
    seed: int,
    progress: Progress,
    tree: xr.DataTree,
) -> None:
    """Train one contestant, put every probe to it, and write what came out into the tree."""
    name, key = contestant.name, re.sub(r"\W+", "_", contestant.name)
    scores = tree["scores"].to_dataset()
    found = probes.train(contestant, question, progress)
    decision = contestant.decide(question.X_test)
    found |= probes.judge(decision, question.y_test)
    for variable, value in found.items():
        scores[variable].loc[{"model": name}] = value
    for probe in probes.CURVES:
        levels = getattr(parameters, probe)
        values = probes.along(probe, contestant, question, levels, seed, progress)
        scores[f"accuracy_{probe}"].loc[{"model": name}] = values
    tree["scores"] = xr.DataTree(scores)
    if decision.times.size > 1:
        tree[f"in_time/{key}"] = xr.DataTree(
            xr.Dataset({"accuracy": probes.accuracy_in_time(decision, question.y_test)}, attrs={"model": name})
        )
    for group, dataset in contestant.records(question).items():
        tree[f"{group}/{key}"] = xr.DataTree(dataset.assign_attrs(model=name))


def figures(tree: xr.DataTree) -> dict[str, Figure]:
    """Draw the result, captions to figures; ``tree`` is the stacked tree, as read from the file."""
    scores = tree["scores"].to_dataset()
    drawn = {
        "Accuracy against noise, lesion and bits per weight: mean over the seeds, band one standard deviation. "
        "The dot at the left (right, for bits) is the intact network.": damage(scores),
        "Accuracy of the running answer while it is being made. Spiking networks: milliseconds of biology; "
        "Hopfield: sweeps through its units; the marks at the right margin are the feed-forward networks, which "
        "answer once.": in_time(tree),
        "Work against accuracy: energy of one decision over the whole presentation (full) and until the answer is "
        "stable (hollow). Left is cheaper, up is better.": work(scores),
        "What units have learned to look for: the receptive fields of twenty units of each contestant, each in its own "
        "scale (red positive, blue negative). The spiking MLP has those of the MLP; a Hopfield network shows what it "
        "has stored.": fields(tree),
        "Spikes of ten held-out digits of the first seed, shown one after another; above, what each digit is.": raster(
            tree
        ),
        "Hopfield recall with all units free: the digit as given, and the state it settles in.": recall(tree),
        "What each contestant followed while it learned.": learning(tree),
    }
    return {caption: figure for caption, figure in drawn.items() if figure is not None}


COLOURS = {"baseline": "0.45", "rate": "#2b6cb0", "spiking": "#c53030", "energy": "#2f855a", "hebbian": "#b7791f"}
MARKS = ("o", "s", "^", "D")


def looks(scores: xr.Dataset) -> dict[str, dict[str, str]]:
    """Give each contestant its kind's colour, and a mark and a line of its own within the kind."""
    seen: dict[str, int] = {}
    styles = {}
    for name, family in zip(scores["model"].values, scores["family"].values, strict=True):
        k = seen[family] = seen.get(family, -1) + 1
        styles[name] = {"color": COLOURS[family], "marker": MARKS[k], "linestyle": ("-", "--", ":", "-.")[k]}
    return styles


def damage(scores: xr.Dataset) -> Figure:
    """Draw accuracy along the three probes that have a level."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), sharey=True, layout="constrained")
    for panel, (probe, (level, _)) in zip(axes, probes.CURVES.items(), strict=True):
        for name, style in looks(scores).items():
            one = scores.sel(model=name)
            intact = 32.0 if probe == "bits" else 0.0
            at = np.append(intact, one[probe].values.astype(float))
            values = np.column_stack([one["accuracy"].values, one[f"accuracy_{probe}"].values]) * 100
            order = np.argsort(at)
            mean, spread = values.mean(axis=0)[order], values.std(axis=0)[order]
            panel.plot(at[order], mean, label=name, markersize=4, **style)
            panel.fill_between(at[order], mean - spread, mean + spread, color=style["color"], alpha=0.12, linewidth=0)
        panel.set_xlabel(level)
    axes[2].set_xscale("log", base=2)
    axes[2].set_xticks([*scores["bits"].values, 32], [*map(str, scores["bits"].values), "32"])
    axes[0].set_ylabel("accuracy on held-out digits [%]")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def in_time(tree: xr.DataTree) -> Figure | None:
    """Draw the accuracy of the running answer, one panel for each kind of clock."""
    scores = tree["scores"].to_dataset()
    runs = [node.to_dataset() for node in tree["in_time"].children.values()] if "in_time" in tree.children else []
    if not runs:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    for run in runs:
        unit = run["time"].attrs["units"]
        panel, factor = (axes[0], 1e3) if unit == "s" else (axes[1], 1.0)
        mean = run["accuracy"].mean("seed") * 100 if "seed" in run["accuracy"].dims else run["accuracy"] * 100
        style = looks(scores)[run.attrs["model"]] | {"marker": "" if unit == "s" else "o"}
        panel.plot(run["time"] * factor, mean, label=run.attrs["model"], markersize=3, **style)
    for name, style in looks(scores).items():
        one = scores.sel(model=name)
        if np.isfinite(one["decision_layer"]).any():
            for panel in axes:
                panel.plot(
                    1.0, one["accuracy"].mean() * 100, transform=panel.get_yaxis_transform(), clip_on=False, **style
                )
    axes[0].set(ylim=(0, 101), xlabel="time since the digit appeared [ms]", ylabel="accuracy of the running answer [%]")
    axes[1].set(xlabel="sweeps")
    for panel in axes:
        panel.legend(frameon=False, loc="center right")
    return figure


def work(scores: xr.Dataset) -> Figure:
    """Draw energy against accuracy."""
    figure, panel = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, style in looks(scores).items():
        one = scores.sel(model=name).mean("seed")
        x, until, y = (float(one[v]) for v in ("energy", "energy_to_decision", "accuracy"))
        colour, mark = style["color"], style["marker"]
        panel.plot([until * 1e9, x * 1e9], [100 * y, 100 * y], color=colour, linewidth=0.8)
        panel.plot(until * 1e9, 100 * y, mark, color=colour, markerfacecolor="white")
        panel.plot(x * 1e9, 100 * y, mark, color=colour, label=name)
    panel.set(xscale="log", xlabel="energy per decision [nJ]", ylabel="accuracy on held-out digits [%]")
    panel.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def fields(tree: xr.DataTree) -> Figure | None:
    """Draw twenty receptive fields of each contestant that has some."""
    nodes = list(tree["fields"].children.values()) if "fields" in tree.children else []
    if not nodes:
        return None
    figure, axes = plt.subplots(len(nodes), 20, figsize=(12, 0.8 * len(nodes)), squeeze=False)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.97, hspace=0.35)
    for row, node in zip(axes, nodes, strict=True):
        first = node["field"].isel(seed=0) if "seed" in node["field"].dims else node["field"]
        chosen = np.linspace(0, first.shape[0] - 1, min(20, first.shape[0])).round().astype(int)
        for panel in row:
            panel.axis("off")
        for panel, picture in zip(row, first.values[chosen], strict=False):
            top = max(float(np.abs(picture).max()), 1e-12)
            panel.imshow(picture, cmap="RdBu_r", vmin=-top, vmax=top)
        row[0].set_title(node.attrs["model"], loc="left", fontsize=8)
    return figure


def raster(tree: xr.DataTree) -> Figure | None:
    """Draw the spikes of a few digits in each spiking network."""
    nodes = list(tree["spikes"].children.values()) if "spikes" in tree.children else []
    if not nodes:
        return None
    figure, axes = plt.subplots(len(nodes), 1, figsize=(12, 3 * len(nodes)), squeeze=False, layout="constrained")
    for panel, node in zip(axes[:, 0], nodes, strict=True):
        spikes, duration = node.to_dataset(), float(node.attrs["duration"])
        if "seed" in spikes:
            spikes = spikes.isel(spike=spikes["seed"].values == spikes["seed"].values.min(initial=0))
        panel.scatter(spikes["t"] * 1e3, spikes["i"], s=2 if spikes["t"].size > 1000 else 10, c="black", linewidths=0)
        for k, digit in enumerate(node.attrs["digits"].splitlines()[0].split()):
            panel.axvline(k * duration * 1e3, color="0.8", linewidth=0.8, zorder=0)
            panel.text((k + 0.5) * duration * 1e3, 1.01, digit, transform=panel.get_xaxis_transform(), ha="center")
        panel.set(xlabel="time [ms]", ylabel="neuron")
        panel.set_title(node.attrs["model"], loc="left", pad=16)
    return figure


def recall(tree: xr.DataTree) -> Figure | None:
    """Draw digits as given to the Hopfield networks, and what they settle in."""
    nodes = list(tree["recall"].children.values()) if "recall" in tree.children else []
    if not nodes:
        return None
    n = min(12, nodes[0]["picture"].sizes["digit"])
    figure, axes = plt.subplots(2 * len(nodes), n, figsize=(12, 2.3 * len(nodes)), squeeze=False)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.96, hspace=0.2)
    for k, node in enumerate(nodes):
        pictures = node["picture"].isel(seed=0) if "seed" in node["picture"].dims else node["picture"]
        for stage, word in enumerate(pictures["stage"].values):
            for panel, picture in zip(axes[2 * k + stage], pictures.sel(stage=word).values, strict=False):
                panel.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
                panel.set(xticks=[], yticks=[])
            axes[2 * k + stage, 0].set_title(f"{node.attrs['model']}: {word}", loc="left", fontsize=8)
    return figure


def learning(tree: xr.DataTree) -> Figure | None:
    """Draw what was followed while learning, one panel for each contestant that kept something."""
    nodes = list(tree["learning"].children.values()) if "learning" in tree.children else []
    if not nodes:
        return None
    figure, axes = plt.subplots(1, len(nodes), figsize=(4.5 * len(nodes), 3.2), squeeze=False, layout="constrained")
    for panel, node in zip(axes[0], nodes, strict=True):
        for values in node.data_vars.values():
            curves = np.atleast_2d(values.values)
            style = {"color": "0.2", "linewidth": 0.8, "linestyle": "-" if values.attrs["units"] == "1" else "--"}
            lines = panel.plot(node["epoch"], curves.T, **style)
            lines[0].set_label(f"{values.attrs['long_name']} [{values.attrs['units']}]")
        panel.set(xlabel="epoch", title=node.attrs["model"])
        panel.legend(frameon=False)
    return figure
