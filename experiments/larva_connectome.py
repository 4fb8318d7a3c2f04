"""Who answers in the brain of a larval fly when 21 of its sensory neurons fire, and do steps of time change that?

All 3,554 neurons of the published wiring are leaky cells of one kind [1]_; a pair's current is in proportion to its
number of synapses. The same network runs in continuous time and in steps. A driven cell fires at every event of its
own Poisson source, since each lifts it over threshold: at r, in steps at r/(1 + r dt), because what arrives in the
step of a spike is wiped out by the reset.

The wiring says nothing of transmitters. Here local neurons and the APL cells inhibit and all others excite: an
assumption, with which a picture of activity can be drawn, and no more.

Run time: about half a minute on two cores. Needs the connectome in ``$BIONET_DATA``.

References
----------
.. [1] P. K. Shiu et al., "A Drosophila computational brain model reveals sensorimotor processing", Nature 634:210
   (2024): the cell, its constants and the drive; there for the adult fly.
.. [2] M. Winding et al., "The connectome of an insect brain", Science 379:eadd9330 (2023): the wiring.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import bionet.datasets as datasets
from bionet.parameters import Count, Positive, parameters
from bionet.progress import Progress

SEEDS = 3
QUICK_SEEDS = 1


@parameters
class Parameters:
    """What can be asked of the experiment.

    Parameters
    ----------
    driven : int
        Sensory neurons that are driven, the first of the table.
    rate : float
        Events of the source of each, in Hz.
    weight : float
        Jump of a cell's current for each synapse, in mV.
    duration : float
        Biological time of a run, in s.
    steps : tuple of float
        Time steps to compare with none, in ms.
    """

    driven: Count = 21
    rate: Positive = 150.0
    weight: Positive = 0.275
    duration: Positive = 10.0
    steps: tuple[Positive, ...] = (0.1, 0.5, 1.0)


QUICK = Parameters(duration=2.0, steps=(0.1, 1.0))

CONTINUOUS = "continuous"
_TEXT = {"units": "1", "table": "Who answers, by time step"}


def brain(parameters: Parameters):
    """Build the network, in Brian2's language.

    Parameters
    ----------
    parameters : Parameters

    Returns
    -------
    network : brian2.Network
    spikes : brian2.SpikeMonitor
    driven : int array, shape (n_driven,)
    """
    from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeMonitor, Synapses, ms, mV

    data = datasets.load("larva_connectome")
    constants = {"v_rest": -52 * mV, "v_th": -45 * mV, "tau_m": 20 * ms, "tau_s": 5 * ms}
    cells = NeuronGroup(
        data.sizes["neuron"],
        """dv/dt = (g - (v - v_rest))/tau_m : volt (unless refractory)
        dg/dt = -g/tau_s : volt (unless refractory)
        dead : second (constant)""",
        threshold="v > v_th",
        reset="v = v_rest; g = 0*mV",
        refractory="dead",
        method="exact",
        namespace=constants,
        name="cells",
    )
    cells.v, cells.dead = constants["v_rest"], 2.2 * ms
    inhibits = np.isin(data.group.values, ["LNs"]) | np.isin(data.cell_class.values, ["APL"])
    wiring = Synapses(cells, cells, "w : volt (constant)", on_pre="g += w", delay=1.8 * ms, name="wiring")
    wiring.connect(i=data.pre.values, j=data.post.values)
    wiring.w = parameters.weight * mV * np.where(inhibits, -1, 1)[data.pre.values] * data.n_synapses.values
    driven = np.flatnonzero(data.io.values == "input")[: parameters.driven]
    cells.dead[driven] = 0 * ms
    sources = PoissonGroup(len(driven), rates=parameters.rate * Hz, name="sensory")
    drive = Synapses(sources, cells, on_pre="v += 68.75*mV", name="drive")
    drive.connect(i=np.arange(len(driven)), j=driven)
    spikes = SpikeMonitor(cells, name="spikes")
    return Network(cells, wiring, sources, drive, spikes), spikes, driven


def run(parameters: Parameters, seed: int, progress: Progress) -> xr.DataTree:
    """Run the network in continuous time and in steps.

    Returns
    -------
    xarray.DataTree
        ``/scores`` (model: the time steps), ``/rates`` (model, neuron) and ``/driven``.
    """
    models = [CONTINUOUS, *(f"{step:g} ms" for step in parameters.steps)]
    rates = []
    for model in progress(models, "time steps"):
        rates.append(_rates(parameters, seed, None if model == CONTINUOUS else float(model.removesuffix(" ms"))))
    found = np.array([each for each, _ in rates])
    driven = rates[0][1]
    others = np.delete(found, driven, axis=1)
    r, dt = parameters.rate, np.array([0.0, *parameters.steps]) / 1e3

    def score(values, long_name, units="1", display=""):
        return ("model", np.asarray(values, float), {**_TEXT, "units": units, "long_name": long_name})

    scores = xr.Dataset(
        {
            "driven_rate": score(found[:, driven].mean(axis=1), "mean rate of driven cells", "Hz"),
            "source_rate": score(r / (1 + r * dt), "r/(1 + r dt)", "Hz"),
            "answering": score((others > 0.5).sum(axis=1), "other cells above 0.5 Hz"),
            "spikes": score(others.sum(axis=1) * parameters.duration, "spikes of other cells"),
            "difference": score(np.abs(others - others[0]).max(axis=1), "largest change of a rate", "Hz"),
        },
        {"model": ("model", models, {"units": "1", "long_name": "time step"})},
    )
    about = {"units": "Hz", "long_name": "firing rate"}
    tree = xr.DataTree.from_dict(
        {
            "scores": scores,
            "rates": xr.Dataset({"rate": (("model", "neuron"), found, about)}, scores.coords),
            "driven": xr.Dataset({"neuron": ("cell", driven, {"units": "1", "long_name": "number of the neuron"})}),
        }
    )
    tree.attrs = {"engine": "bionet, event and grid"}
    return tree


def _rates(parameters: Parameters, seed: int, step: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the rate of each cell [Hz], in steps [ms] or without, and the numbers of the driven cells."""
    from brian2 import defaultclock, ms, second

    from bionet.spiking.on_grid import on_engine

    before = defaultclock.dt
    try:
        with on_engine("grid" if step else "event", seed):
            defaultclock.dt = (step or 0.1) * ms
            network, spikes, driven = brain(parameters)
            network.run(parameters.duration * second)
            return np.asarray(spikes.count) / parameters.duration, driven
    finally:
        defaultclock.dt = before


def figures(tree: xr.DataTree) -> dict[str, Figure]:
    """Draw the result, captions to figures; ``tree`` is the stacked tree, as read from the file."""
    return {
        "Rates of all cells that fire, in steps of time against continuous time: on the line nothing changes. Runs "
        "differ in the events of their sources too, so that points lie beside the line by chance as well; the driven "
        "cells, at the top, fire less with coarser steps, as they must.": scatter(tree)
    }


def scatter(tree: xr.DataTree) -> Figure:
    """Draw rates in steps against rates in continuous time."""
    rates = tree["rates"]["rate"]
    rates = rates.mean("seed") if "seed" in rates.dims else rates
    figure, panel = plt.subplots(figsize=(5.5, 5), layout="constrained")
    models = [str(each) for each in rates["model"].values]
    exact = rates.sel(model=CONTINUOUS)
    for k, model in enumerate(each for each in models if each != CONTINUOUS):
        some = (exact > 0) | (rates.sel(model=model) > 0)
        panel.plot(exact[some], rates.sel(model=model)[some], "os^D"[k % 4], markersize=4, alpha=0.7, label=model)
    top = float(rates.max()) * 1.05
    panel.plot([0, top], [0, top], color="black", linewidth=0.8)
    panel.set(
        xlabel="rate in continuous time [Hz]", ylabel="rate in steps of time [Hz]", xlim=(-2, top), ylim=(-2, top)
    )
    panel.legend(frameon=False, title="time step")
    return figure
