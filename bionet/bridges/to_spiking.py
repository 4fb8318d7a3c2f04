"""From a trained ReLU network to integrate-and-fire neurons, run by Brian2."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bionet.errors import InputError, require
from bionet.metrics import decision_index

require("torch", "torch", "the bridge to spiking")

import torch  # noqa: E402
from torch import nn  # noqa: E402

from bionet.bridges.integrate_and_fire import Layer, Run, run_layers  # noqa: E402
from bionet.rate.sequence import (  # noqa: E402
    LINKING_LAYERS,
    SHAPING_LAYERS,
    alive_units,
    links,
    multiply_accumulates,
    sequence_of,
)
from bionet.rate.weights import require_finite, weights_of, with_weights  # noqa: E402

MOST_SYNAPSES = 2_000_000
"""Samples that would need more synapses than this are run one lot after another, to bound the memory."""


@dataclass(frozen=True)
class Response:
    """What the spiking network did with each sample, as time went on.

    Attributes
    ----------
    times : array, shape (n_times,)
        Ends of the time steps [s].
    potential : array, shape (n_times, n_samples, n_outputs)
        Of the output neurons, which integrate and never fire, dimensionless. The largest is the decision; divided by
        the number of steps, they tend to the outputs of the trained network.
    events : array, shape (n_times, n_samples)
        Synaptic events so far: spikes times the synapses each one reached; a silenced receiver is still reached.
    spike_counts : array, shape (n_times, n_samples)
        Spikes of the hidden neurons so far.
    updates : int
        Neurons updated over the whole time in each sample's network: neurons times steps.
    input_macs : int
        Multiply-accumulates for the constant currents of the input, needed once a sample.
    t, i, sample : array, shape (n_spikes,), or None
        Spikes in order of time, if recorded: when [s], which hidden unit, counted through the layers, and in the
        network of which sample.
    """

    times: NDArray[np.float64]
    potential: NDArray[np.float64]
    events: NDArray[np.int64]
    spike_counts: NDArray[np.int64]
    updates: int
    input_macs: int
    t: NDArray[np.float64] | None = None
    i: NDArray[np.int64] | None = None
    sample: NDArray[np.int64] | None = None

    @property
    def decision(self) -> NDArray[np.int64]:
        """The output of largest potential at each time, shape (n_times, n_samples); of equals the first."""
        return self.potential.argmax(axis=2)

    @property
    def decided(self) -> NDArray[np.intp]:
        """For each sample the index into ``times`` from which the decision stays what it is at the end."""
        return decision_index(self.decision)


@dataclass(frozen=True)
class Stage:
    """One layer of spiking neurons: all that is linear up to an activation, and how much it fires.

    Attributes
    ----------
    name : str
        Of its last linear layer.
    names : tuple of str
        Of all its linear layers, in order.
    shape : tuple of int
        Of one sample where they begin.
    wiring : array of bool, shape (n_pre, n_post)
        True where a synapse is, whatever its weight.
    scale : float
        The activation of the trained network that is one spike a time step; 1 for the output.
    """

    name: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    wiring: NDArray[np.bool_]
    scale: float


class SpikingNetwork:
    """A ReLU network carried over to integrate-and-fire neurons [1]_ [2]_; made by :func:`to_spiking`.

    In a time step a hidden neuron of layer l does ``v += I + sum_(pre spikes) w``; if then ``v >= 1``, it fires and
    ``v -= 1``; with ``w = W scale_(l-1) / scale_l`` and the constant current ``I = b / scale_l``, to which the first
    layer adds ``x W / scale_1``. It starts at v = 1/2, so that a constant drive a gives ``floor(a T + 1/2)`` spikes in
    T steps: a ReLU clipped to [0, 1] and rounded to T levels.

    Attributes
    ----------
    weights_ : dict of str to array
        The weights of the trained network, (pre, post), as :func:`bionet.rate.weights_of` gives them.
    scales_ : dict of str to float
        The activation of the trained network that is one spike a time step, layer by layer.
    n_hidden_ : int
        Hidden neurons.

    References
    ----------
    .. [1] P. U. Diehl et al., "Fast-classifying, high-accuracy spiking deep networks through weight and threshold
       balancing", IJCNN (2015).
    .. [2] B. Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven networks for
       image classification", Front. Neurosci. 11 (2017).
    """

    def __init__(self, module: nn.Sequential, stages: tuple[Stage, ...]) -> None:
        self._module = module
        self._stages = stages

    @property
    def weights_(self) -> dict[str, NDArray[np.float32]]:
        """Layer name to weights, copies."""
        return weights_of(self._module)

    @property
    def scales_(self) -> dict[str, float]:
        """Layer name to the activation that is one spike a time step."""
        return {stage.name: stage.scale for stage in self._stages}

    @property
    def n_hidden_(self) -> int:
        """Hidden neurons."""
        return sum(stage.wiring.shape[1] for stage in self._stages[:-1])

    def respond(
        self,
        X: ArrayLike,
        duration: float = 0.1,
        dt: float = 0.001,
        weights: Mapping[str, ArrayLike] | None = None,
        alive: ArrayLike | None = None,
        record: bool = False,
    ) -> Response:
        """Show samples to the network, each as constant currents, and watch it decide.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Inputs from 0 to 1, dimensionless.
        duration : float
            How long [s].
        dt : float
            The time step [s]; a neuron fires at most once in each.
        weights : mapping of str to array, optional
            Weights to use instead of the trained ones, as ``weights_`` gives them; scales and biases stay.
        alive : array of bool, shape (n_hidden,), optional
            False where a hidden neuron never fires; layer after layer, as in :func:`bionet.rate.outputs`.
        record : bool
            Whether to keep the spikes.

        Raises
        ------
        InputError
            If an argument cannot be used.

        Notes
        -----
        A neuron that a spike reaches fires in the next time step at the earliest. Samples run side by side in one
        Brian2 network, in lots of at most :data:`MOST_SYNAPSES`.
        """
        X, n_steps = _images(X, self._stages[0].wiring.shape[0]), _steps(duration, dt)
        mask = np.ones(self.n_hidden_, dtype=bool) if alive is None else alive_units(alive, self.n_hidden_)
        module = self._module if weights is None else with_weights(self._module, weights)
        layers = _normalised(module, self._stages)
        lot = max(1, MOST_SYNAPSES // max(1, sum(int(stage.wiring.sum()) for stage in self._stages[1:])))
        starts = range(0, len(X), lot)
        runs = [run_layers(layers, X[first : first + lot], mask, n_steps, dt) for first in starts]
        sizes = [stage.wiring.shape[1] for stage in self._stages]
        return Response(
            times=dt * np.arange(1, n_steps + 1, dtype=np.float64),
            potential=np.concatenate([run.potential for run in runs], axis=1),
            events=np.concatenate([run.events for run in runs], axis=1),
            spike_counts=np.concatenate([run.spike_counts for run in runs], axis=1),
            updates=sum(sizes) * n_steps,
            input_macs=multiply_accumulates(_chain(self._module, self._stages[0]), self._stages[0].shape),
            **(_spikes(runs, starts, dt) if record else {}),
        )


def _spikes(runs: list[Run], starts: range, dt: float) -> dict[str, NDArray]:
    """Join the spikes of all lots, in order of time, then of sample and unit."""
    step = np.concatenate([run.step for run in runs])
    sample = np.concatenate([run.sample + first for run, first in zip(runs, starts, strict=True)])
    unit = np.concatenate([run.unit for run in runs])
    order = np.lexsort((unit, sample, step))
    return {"t": dt * (step[order] + 1), "i": unit[order], "sample": sample[order]}


def to_spiking(module: nn.Module, X_train: ArrayLike, percentile: float = 99.9) -> SpikingNetwork:
    """Carry a trained ReLU network over to integrate-and-fire neurons, scaled on its training data.

    Parameters
    ----------
    module : torch.nn.Sequential
        Linear layers, convolutions and average poolings, with ReLU between them and a linear layer at the end.
    X_train : array, shape (n_samples, n_features)
        Training data, from 0 to 1, dimensionless.
    percentile : float
        Of a layer's activations over the training data, its zeros included: what becomes one spike a time step. Below
        100 the rare largest activations are clipped, and all others are the finer for it.

    Raises
    ------
    InputError
        If a layer cannot be carried over (another activation, batch normalisation, maximum pooling), a weight is not
        finite, or an argument cannot be used.

    Examples
    --------
    >>> from bionet.rate import MLP
    >>> X = np.array([[0.0, 1.0], [1.0, 0.5]])
    >>> network = to_spiking(MLP((2, 5, 3)), X)
    >>> network.respond(X, duration=0.02).potential.shape
    (20, 2, 3)
    """
    if not isinstance(percentile, int | float) or not 0 < percentile <= 100:
        raise InputError(f"to_spiking.percentile: got {percentile!r}; expected above 0 and up to 100, such as 99.9")
    _refuse(sequence_of(module))
    module = copy.deepcopy(module)
    layers = sequence_of(module)
    values = torch.from_numpy(_images(X_train, None))
    stages, names, shape = [], [], tuple(values.shape[1:])
    with torch.no_grad():
        for name, layer in layers.items():
            try:
                values = copy.deepcopy(layer).double()(values)
            except RuntimeError as error:
                raise InputError(f"module.{name}: does not fit what reaches it ({error})") from error
            if not isinstance(layer, nn.ReLU):
                names.append(name)
            else:
                # A layer that is silent on all training data has no scale, and needs none.
                scale = float(np.percentile(values.numpy(), percentile) or values.max() or 1.0)
                stages.append(_stage(layers, names, shape, scale))
                names, shape = [], tuple(values.shape[1:])
    return SpikingNetwork(module, (*stages, _stage(layers, names, shape, 1.0)))


def _refuse(layers: dict[str, nn.Module]) -> None:
    """Refuse a network that cannot be carried over, naming the layer."""
    linked = False
    for name, layer in layers.items():
        for parameter in layer.parameters():
            require_finite(f"module.{name}", parameter.detach().numpy())
        if isinstance(layer, nn.ReLU):
            if not linked:
                raise InputError(f"module.{name}: this ReLU follows no weights; expected a linear layer before it")
            linked = False
        elif isinstance(layer, LINKING_LAYERS):
            linked = True
        elif not isinstance(layer, SHAPING_LAYERS):
            raise InputError(
                f"module.{name}: a {type(layer).__name__} cannot be carried over to spikes; "
                f"expected {_INSTEAD.get(type(layer).__name__, 'linear layers, average pooling and ReLU')}"
            )
    if not linked:
        raise InputError("module: the last layer is no linear one; expected outputs without an activation")


_INSTEAD = {
    "Tanh": "ReLU, as a rate of spikes is not negative",
    "Sigmoid": "ReLU, which a rate of spikes follows exactly",
    "MaxPool2d": "average pooling, such as AvgPool2d(2)",
    "BatchNorm1d": "it folded into the layer before",
    "BatchNorm2d": "it folded into the layer before",
}


def _stage(layers: dict[str, nn.Module], names: list[str], shape: tuple[int, ...], scale: float) -> Stage:
    """Return a stage; its synapses are where a one that goes in comes out."""
    linking = [name for name in names if isinstance(layers[name], LINKING_LAYERS)]
    counting = [links(layers[name]) if name in linking else layers[name] for name in names]
    return Stage(linking[-1], tuple(names), shape, _matrix(nn.Sequential(*counting), shape)[0] > 0, scale)


def _chain(module: nn.Module, stage: Stage) -> nn.Sequential:
    """Return the linear layers of a stage."""
    layers = sequence_of(module)
    return nn.Sequential(*(layers[name] for name in stage.names))


def _matrix(chain: nn.Module, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights (n_pre, n_post) and biases that a chain of linear layers amounts to."""
    n_pre = int(np.prod(shape))
    probes = torch.cat([torch.zeros(1, n_pre), torch.eye(n_pre)]).double().view(-1, *shape)
    with torch.no_grad():
        answers = copy.deepcopy(chain).double()(probes).flatten(1).numpy()
    return answers[1:] - answers[0], answers[0]


def _normalised(module: nn.Module, stages: tuple[Stage, ...]) -> list[Layer]:
    """Return the layers with weights and biases in units of the threshold and of spikes."""
    layers, before = [], 1.0
    for stage in stages:
        weights, bias = _matrix(_chain(module, stage), stage.shape)
        layers.append(Layer(weights * before / stage.scale, bias / stage.scale, stage.wiring))
        before = stage.scale
    return layers


def _images(X: ArrayLike, n_features: int | None) -> NDArray[np.float64]:
    """Return samples as float64, refusing what is no image of ``n_features`` values from 0 to 1."""
    array = np.array(X, dtype=np.float64)
    if array.ndim != 2 or array.size == 0 or n_features not in (None, array.shape[1]):
        raise InputError(f"X: got shape {array.shape}; expected (n_samples, {n_features or 'n_features'})")
    require_finite("X", array)
    if array.min() < 0 or array.max() > 1:
        raise InputError(f"X: got values from {array.min():g} to {array.max():g}; expected 0 to 1, such as X / X.max()")
    return array


def _steps(duration: float, dt: float) -> int:
    """Return how many time steps there are in the duration, one or more."""
    for name, value in (("duration", duration), ("dt", dt)):
        if not isinstance(value, int | float) or not np.isfinite(value) or value <= 0:
            raise InputError(f"SpikingNetwork.{name}: got {value!r}; expected a time above 0 in seconds, such as 0.1")
    if round(duration / dt) < 1:
        raise InputError(f"SpikingNetwork.duration: got {duration} s; expected one step of {dt} s or more")
    return round(duration / dt)
