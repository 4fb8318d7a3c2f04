"""Layers of integrate-and-fire neurons driven by constant currents, run by Brian2 for many samples at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bionet.brian import import_brian2

import_brian2()

from brian2 import Clock, Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, second  # noqa: E402

from bionet.spiking.on_grid import on_grid  # noqa: E402


@dataclass(frozen=True)
class Layer:
    """A layer of neurons and what drives them, in units of the threshold.

    Attributes
    ----------
    weights : array, shape (n_pre, n_post)
        Dimensionless, added to ``v`` at each spike of the layer before, or for the first layer times the input.
    current : array, shape (n_post,)
        Dimensionless, added to ``v`` in each time step.
    wiring : array of bool, shape (n_pre, n_post)
        True where a synapse is.
    """

    weights: NDArray[np.float64]
    current: NDArray[np.float64]
    wiring: NDArray[np.bool_]


@dataclass(frozen=True)
class Run:
    """What came out for a lot of samples; hidden spikes are parallel arrays in the order of their steps.

    Attributes
    ----------
    potential : array, shape (n_steps, n_samples, n_outputs)
        Of the last layer, which never fires, after each time step.
    step, sample, unit : array, shape (n_spikes,)
        When, in which sample, and which hidden unit, counted through the layers.
    reached : array, shape (n_spikes,)
        Synapses that the spike reached.
    """

    potential: NDArray[np.float64]
    step: NDArray[np.int64]
    sample: NDArray[np.int64]
    unit: NDArray[np.int64]
    reached: NDArray[np.int64]

    @property
    def events(self) -> NDArray[np.int64]:
        """Synaptic events so far, shape (n_steps, n_samples)."""
        return self._so_far(self.reached)

    @property
    def spike_counts(self) -> NDArray[np.int64]:
        """Hidden spikes so far, shape (n_steps, n_samples)."""
        return self._so_far(np.ones_like(self.step))

    def _so_far(self, amount: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum an amount of each spike up to each step, for each sample."""
        n_steps, n_samples, _ = self.potential.shape
        total = np.bincount(self.step * n_samples + self.sample, amount, n_steps * n_samples)
        return total.astype(np.int64).reshape(n_steps, n_samples).cumsum(axis=0)


def run_layers(
    layers: Sequence[Layer], X: NDArray[np.float64], alive: NDArray[np.bool_], n_steps: int, dt: float
) -> Run:
    """Show one lot of samples, side by side in one Brian2 network.

    In each step ``v += current``; then what has ``v >= 1`` fires, its spikes arrive, and its ``v -= 1``. Hidden
    neurons start at v = 1/2, those of the last layer at 0.

    Parameters
    ----------
    layers : sequence of Layer
        From the first hidden one to the output.
    X : array, shape (n_samples, n_features)
        Inputs, dimensionless.
    alive : array of bool, shape (n_hidden,)
        False where a hidden neuron never fires.
    n_steps : int
        Time steps.
    dt : float
        The time step [s].

    Notes
    -----
    Unit k of sample s is neuron ``s * n_units + k`` of its group.
    """
    with on_grid():
        clock = Clock(dt * second)
        groups = _groups(layers, X, alive, clock)
        links = zip(groups[:-1], groups[1:], layers[1:], strict=True)
        synapses = [_synapses(pre, post, layer, len(X), clock) for pre, post, layer in links]
        monitors = [SpikeMonitor(group) for group in groups[:-1]]
        trace = StateMonitor(groups[-1], "v", record=True, clock=clock, when="end")
        Network(groups, synapses, monitors, trace).run(n_steps * clock.dt, namespace={})
        potential = np.array(trace.v).T.reshape(n_steps, len(X), -1)
        fired = [(np.rint(np.array(monitor.t) / dt).astype(np.int64), np.array(monitor.i)) for monitor in monitors]
    return Run(potential, *_in_order(fired, layers))


def _groups(layers: Sequence[Layer], X: NDArray[np.float64], alive: NDArray[np.bool_], clock: Clock) -> list:
    """Return the neurons of every layer, their constant currents set, the last layer without a threshold."""
    groups: list[NeuronGroup] = []
    first_unit, n_samples = 0, len(X)
    for layer in layers:
        n_units, hidden = layer.current.size, layer is not layers[-1]
        group = NeuronGroup(
            n_samples * n_units,
            "v : 1\ncurrent : 1 (constant)\nalive : boolean (constant)",
            threshold="v >= 1 and alive" if hidden else None,
            reset="v -= 1" if hidden else None,
            clock=clock,
        )
        group.run_regularly("v += current", clock=clock)
        group.v = 0.5 if hidden else 0.0
        drive = layer.current if groups else X @ layer.weights + layer.current
        group.current = np.broadcast_to(drive, (n_samples, n_units)).reshape(-1)
        group.alive = np.tile(alive[first_unit : first_unit + n_units], n_samples) if hidden else True
        groups.append(group)
        first_unit += n_units
    return groups


def _synapses(pre: NeuronGroup, post: NeuronGroup, layer: Layer, n_samples: int, clock: Clock) -> Synapses:
    """Return the synapses into a layer, the same ones within every sample."""
    n_pre, n_post = layer.wiring.shape
    i, j = np.nonzero(layer.wiring)
    sample = np.arange(n_samples)[:, None]
    synapses = Synapses(pre, post, "w : 1 (constant)", on_pre="v_post += w", clock=clock)
    synapses.connect(i=(sample * n_pre + i).reshape(-1), j=(sample * n_post + j).reshape(-1))
    synapses.w = np.tile(layer.weights[i, j], n_samples)
    return synapses


def _in_order(
    fired: list[tuple[NDArray[np.int64], NDArray[np.int64]]], layers: Sequence[Layer]
) -> Iterator[NDArray[np.int64]]:
    """Join the spikes of all layers into step, sample, unit and synapses reached, in the order of the steps."""
    columns, first_unit = [np.zeros((4, 0), dtype=np.int64)], 0
    for (step, neuron), after in zip(fired, layers[1:], strict=True):
        n_units = after.wiring.shape[0]
        sample, unit = np.divmod(neuron, n_units)
        columns.append(np.stack([step, sample, first_unit + unit, after.wiring.sum(axis=1)[unit]]))
        first_unit += n_units
    spikes = np.concatenate(columns, axis=1)
    return iter(spikes[:, np.argsort(spikes[0], kind="stable")])
