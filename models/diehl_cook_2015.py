"""Digits told apart by spiking neurons that learn without labels (Diehl and Cook 2015), scaled to small pictures.

Every pixel is a Poisson neuron, connected to every excitatory neuron by a synapse that learns (STDP with a presynaptic
trace). A spike of one excitatory neuron inhibits all the others; each spike raises its own neuron's threshold a
little. So the neurons compete, and share the pictures among them. Labels come in only afterwards: a neuron is
given the class that it answered to most while the TRAINING pictures were shown once more, with learning off.

What is as in the paper and its published program: the equations and all constants of the excitatory neuron
(tau_m 100 ms, tau_e 1 ms, tau_i 2 ms, refractory 5 ms, threshold -52 mV + theta, reset and rest -65 mV), the strength
of inhibition (17 leak conductances), largest weight 1, trace 20 ms, normalised weights, threshold kept while tested.

What was scaled, and why:

=====================  ======================  ==================  ====================================================
what                   paper                   here                why
=====================  ======================  ==================  ====================================================
picture                784 pixels              any; 64 for digits
rate of a full pixel   63.75 Hz                300 Hz              64 pixels in 50 ms must say enough
presentation, rest     350 ms, 150 ms          50 ms, none         processor time; the state is reset instead
too few spikes         shown again, brighter   not repeated        all presentations are alike, so many run at once
sum of the weights     78                      10                  fewer pixels, more spikes from each
theta, each spike      0.05 mV, over 10^4 s    0.3 mV, over 150 s  2,900 presentations, not 60,000 or more
time step              0.5 ms                  1 ms                processor time
inhibitory neurons     one per excitatory one  direct              an inhibitory neuron only passes on, a moment later,
                                                                   the spike of its partner to all the others
learning rule          four                    presynaptic trace   the fewest operations
=====================  ======================  ==================  ====================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from brian2 import (
    Clock,
    Network,
    NetworkOperation,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    Synapses,
    TimedArray,
    linked_var,
    ms,
    mV,
    second,
    volt,
)
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.errors import InputError
from bionet.hebbian.spike_timing import PresynapticTrace
from bionet.progress import Progress
from bionet.random import Stream
from bionet.spiking.on_grid import on_grid

PUBLISHED = {6400: 0.950}
"""Accuracy on MNIST by number of excitatory neurons (Diehl and Cook 2015, abstract)."""

DT = 1e-3  # time step [s]
BIN = 5e-3  # resolution in time of a response [s]
CHUNK = 200  # presentations in one run of Brian2, whose every start costs a fraction of a second
BATCH = 512  # pictures presented side by side when learning is off

EXCITATORY = """
dv/dt = ((v_rest - v) + ge*(e_exc - v) + gi*(e_inh - v))/tau_m : volt (unless refractory)
dge/dt = -ge/tau_e : 1
gi = inhibition*(spikes_of_all - spikes_of_own) : 1
dspikes_of_own/dt = -spikes_of_own/tau_i : 1
spikes_of_all : 1 (linked)
"""
ADAPTING = "dtheta/dt = -theta/tau_theta : volt\nn_spikes : integer\n"
FIXED = "theta : volt (constant)\n"
CONSTANTS = {
    "v_rest": -65 * mV,
    "v_reset": -65 * mV,
    "v_th": -52 * mV,
    "e_exc": 0 * mV,
    "e_inh": -100 * mV,
    "tau_m": 100 * ms,
    "tau_e": 1 * ms,
    "tau_i": 2 * ms,
    "t_ref": 5 * ms,
}
STATE_VARIABLES = 3  # v, ge, gi

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """What the excitatory neurons did while pictures were presented, learning off.

    Attributes
    ----------
    times : array, shape (n_times,)
        Ends of the time bins, from the beginning of the presentation [s].
    counts : array of int16, shape (n_times, n_samples, n_neurons)
        Spikes of each neuron up to each time.
    events : array of int64, shape (n_times, n_samples)
        Synaptic events up to each time: input spikes times the neurons each reaches, and spikes of the excitatory
        neurons times the neurons each inhibits.
    updates : int
        Updates of neuron state for one sample: neurons x state variables x time steps.
    t, i, sample : array, shape (n_spikes,), or None
        Spikes of the excitatory neurons in order of time, if recorded: when [s], which neuron, for which sample.
    """

    times: Floats
    counts: NDArray[np.int16]
    events: NDArray[np.int64]
    updates: int
    t: Floats | None = None
    i: NDArray[np.intp] | None = None
    sample: NDArray[np.intp] | None = None


class DiehlCook(ClassifierMixin, BaseEstimator):
    r"""Spiking network that learns pictures by STDP, lateral inhibition and adaptive thresholds, without labels.

    .. math:: \tau_m \dot v = (v_{rest} - v) + g_e (e_{exc} - v) + g_i (e_{inh} - v), \qquad
              \Delta w = \eta (x - x_{target})(w_{max} - w)^{\mu} \text{ at a spike of the excitatory neuron}

    A spike adds ``theta_plus`` to the neuron's threshold, which decays with ``tau_theta``. Before each
    presentation the weights onto every neuron are scaled to the sum ``total_weight``.

    Parameters
    ----------
    n_neurons : int
        Excitatory neurons, dimensionless.
    n_iter : int
        Passes through the pictures, dimensionless.
    duration : float
        Time for which a picture is presented [s].
    max_rate : float
        Rate of the Poisson input of a pixel of value 1 [Hz].
    learning_rate, x_target, mu : float
        The constants of :class:`bionet.hebbian.spike_timing.PresynapticTrace`, dimensionless.
    tau_trace : float
        Time constant of the presynaptic trace [s].
    total_weight : float
        Sum of the weights onto one neuron, in units of the leak conductance (dimensionless); the largest weight is 1.
    theta_plus : float
        What one spike adds to the threshold [V].
    tau_theta : float
        Time constant with which the threshold comes back [s].
    inhibition : float
        Inhibitory conductance of one spike, in units of the leak conductance (dimensionless).
    seed : int
        Seed of initial weights, order of the pictures and input spikes, dimensionless.

    Attributes
    ----------
    weights_ : array, shape (n_features, n_neurons)
        Learned weights (pre, post), dimensionless.
    theta_ : array, shape (n_neurons,)
        Learned rise of the thresholds [V].
    n_spikes_ : array of int, shape (n_neurons,)
        Spikes of each neuron while learning.
    classes_ : array, shape (n_classes,)
        The labels (only if ``fit`` was given any).
    assignment_ : array of int, shape (n_neurons,)
        Index into ``classes_`` of the class that the neuron answers to, -1 if it never answered.

    Raises
    ------
    InputError
        If a parameter or X is out of range.

    Notes
    -----
    Learning shows one picture after another. With learning off all pictures are shown at once, to as many copies of
    the network, in one Brian2 network; a synapse then only multiplies, so the input to all copies is one matrix
    product. The networks run on the grid engine, and every random number comes from :class:`bionet.random.Stream`.

    References
    ----------
    .. [1] P. U. Diehl, M. Cook, "Unsupervised learning of digit recognition using spike-timing-dependent plasticity",
       Frontiers in Computational Neuroscience 9:99 (2015), doi:10.3389/fncom.2015.00099.

    Examples
    --------
    >>> X = np.repeat(np.eye(2), 4, axis=1)
    >>> model = DiehlCook(n_neurons=4, n_iter=20, total_weight=3.0).fit(X, ["left", "right"])
    >>> model.predict(X).tolist()
    ['left', 'right']
    """

    PUBLISHED = PUBLISHED

    def __init__(
        self,
        n_neurons: int = 100,
        *,
        n_iter: int = 2,
        duration: float = 0.05,
        max_rate: float = 300.0,
        learning_rate: float = 0.01,
        x_target: float = 0.5,
        mu: float = 1.0,
        tau_trace: float = 0.02,
        total_weight: float = 10.0,
        theta_plus: float = 0.3e-3,
        tau_theta: float = 150.0,
        inhibition: float = 17.0,
        seed: int = 0,
    ) -> None:
        self.n_neurons = n_neurons
        self.n_iter = n_iter
        self.duration = duration
        self.max_rate = max_rate
        self.learning_rate = learning_rate
        self.x_target = x_target
        self.mu = mu
        self.tau_trace = tau_trace
        self.total_weight = total_weight
        self.theta_plus = theta_plus
        self.tau_theta = tau_theta
        self.inhibition = inhibition
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike | None = None, progress: Progress | None = None) -> Self:
        """Learn from the pictures alone, then label the neurons, if there are labels.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Pictures, in [0, 1].
        y : array, shape (n_samples,), optional
            Their classes, used only after learning, for ``assignment_``.
        progress : Progress, optional
            Told of every chunk of presentations.

        Raises
        ------
        InputError
            If a parameter, X or y cannot be used.
        """
        X = self._pictures(X, reset=True)
        self._check(X.shape[1])
        labels = None if y is None else np.asarray(y)
        if labels is not None and labels.shape != (len(X),):
            raise InputError(f"DiehlCook.y: got shape {labels.shape} for {len(X)} pictures; expected one label each")
        self._learn(X, progress or Progress())
        if labels is not None:
            self._label(X, labels)
        return self

    def respond(
        self,
        X: ArrayLike,
        seed_step: int = 0,
        weights: Floats | None = None,
        alive: NDArray[np.bool_] | None = None,
        record: bool = False,
    ) -> Response:
        """Present pictures with learning off, and report spikes and work against time.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Pictures, in [0, 1].
        seed_step : int
            Another number gives other input spikes, dimensionless; a picture's depend on it and on its place in X.
        weights : array, shape (n_features, n_neurons), optional
            In place of ``weights_``.
        alive : array of bool, shape (n_neurons,), optional
            Neurons that are False take no part.
        record : bool
            Keep the spikes.

        Raises
        ------
        InputError
            If an array has a wrong shape, or X is out of range.
        """
        check_is_fitted(self)
        X = self._pictures(X)
        alive = np.ones(self.n_neurons, dtype=bool) if alive is None else np.asarray(alive, dtype=bool)
        weights = self.weights_ if weights is None else np.asarray(weights, dtype=float)
        for name, got, expected in (("alive", alive, (self.n_neurons,)), ("weights", weights, self.weights_.shape)):
            if got.shape != expected:
                raise InputError(f"DiehlCook.respond.{name}: got shape {got.shape}; expected {expected}")
        return self._respond(X, Stream(self.seed, "diehl_cook/respond"), seed_step << 32, weights, alive, record)

    def votes(self, counts: NDArray[np.integer]) -> Floats:
        """Return the mean spike count of the neurons of each class.

        Parameters
        ----------
        counts : array, shape (..., n_neurons)
            Spike counts, such as ``Response.counts``.

        Returns
        -------
        array, shape (..., n_classes)
            The paper's vote; 0 for a class that no neuron stands for.
        """
        check_is_fitted(self, "assignment_")
        members = self.assignment_[:, None] == np.arange(len(self.classes_))
        return counts @ (members / np.maximum(members.sum(axis=0), 1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return for each picture the class whose neurons spiked most on average (the first one on a tie)."""
        check_is_fitted(self, "assignment_")
        return self.classes_[self.votes(self.respond(X).counts[-1]).argmax(axis=1)]

    @property
    def _n_steps(self) -> int:
        return round(self.duration / DT)

    def _check(self, n_features: int) -> None:
        for name, least in {"n_neurons": 2, "n_iter": 1}.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"DiehlCook.{name}: got {value!r}; expected a whole number of at least {least}")
        positive = ("duration", "max_rate", "learning_rate", "tau_trace", "total_weight", "tau_theta")
        for name in (*positive, "x_target", "mu", "theta_plus", "inhibition"):
            value = getattr(self, name)
            if not 0 <= value < np.inf or (name in positive and value == 0):
                raise InputError(f"DiehlCook.{name}: got {value!r}; expected a positive, finite number")
        if self.duration < DT:
            raise InputError(f"DiehlCook.duration: got {self.duration} s; expected at least one step of {DT} s")
        if self.max_rate * DT > 1:
            raise InputError(
                f"DiehlCook.max_rate: got {self.max_rate} Hz; expected at most one spike a step, {1 / DT:g} Hz"
            )
        if self.total_weight >= n_features:
            raise InputError(
                f"DiehlCook.total_weight: got {self.total_weight}; expected less than {n_features}, one a pixel"
            )

    def _pictures(self, X: ArrayLike, reset: bool = False) -> Floats:
        X = validate_data(self, X, reset=reset, dtype=np.float64)
        if X.min() < 0 or X.max() > 1:
            raise InputError(
                f"DiehlCook.X: got values from {X.min():g} to {X.max():g}; expected [0, 1], such as X / X.max()"
            )
        return X

    def _input_spikes(self, X: Floats, stream: Stream, first: int) -> NDArray[np.bool_]:
        """Draw Poisson spikes, shape (n_samples, n_steps, n_features); picture k draws at step ``first + k``."""
        shape = self._n_steps, X.shape[1]
        draws = np.stack([stream.uniform(shape, first + k) for k in range(len(X))])
        return draws < self.max_rate * DT * X[:, None, :]

    @on_grid()
    def _learn(self, X: Floats, progress: Progress) -> None:
        """Show the pictures one after another, ``n_iter`` times, in a fresh order each time."""
        start = Stream(self.seed, "diehl_cook/weights").uniform((X.shape[1], self.n_neurons))
        network, inputs, excitatory, synapses = self._learning_network(start)
        order, spikes = Stream(self.seed, "diehl_cook/order"), Stream(self.seed, "diehl_cook/learn")
        shown = np.concatenate([order.permutation(len(X), each) for each in range(self.n_iter)])
        for first in progress(range(0, len(shown), CHUNK), "STDP"):
            chunk = X[shown[first : first + CHUNK]]
            picture, step, pixel = np.nonzero(self._input_spikes(chunk, spikes, first))
            inputs.set_spikes(pixel, ((first + picture) * self._n_steps + step) * DT * second)
            network.run(len(chunk) * self._n_steps * DT * second, namespace={})
        self.weights_ = _normalised(synapses.w[:].reshape(start.shape), self.total_weight)
        self.theta_ = np.array(excitatory.theta / volt)
        self.n_spikes_ = np.array(excitatory.n_spikes[:])

    def _learning_network(self, weights: Floats) -> tuple[Network, SpikeGeneratorGroup, NeuronGroup, Synapses]:
        """Build one network whose input synapses learn."""
        clock = Clock(dt=DT * second)
        excitatory, inhibition, lateral = self._neurons(clock, 1, learning=True)
        inputs = SpikeGeneratorGroup(len(weights), [], [] * second, clock=clock)
        rule = PresynapticTrace(eta=self.learning_rate, x_target=self.x_target, mu=self.mu, tau=self.tau_trace)
        synapses = Synapses(
            inputs,
            excitatory,
            rule.model,
            on_pre="ge_post += w\n" + rule.on_pre,
            on_post=rule.on_post,
            namespace=rule.namespace,
            clock=clock,
        )
        synapses.connect()
        synapses.w = weights.ravel()

        def between_pictures() -> None:
            excitatory.v, excitatory.ge, excitatory.spikes_of_own = CONSTANTS["v_rest"], 0, 0
            excitatory.lastspike, inhibition.spikes_of_all, synapses.x = -1e4 * second, 0, 0
            synapses.w = _normalised(synapses.w[:].reshape(weights.shape), self.total_weight).ravel()

        rest = NetworkOperation(between_pictures, dt=self._n_steps * DT * second, when="start")
        return Network(excitatory, inhibition, lateral, inputs, synapses, rest), inputs, excitatory, synapses

    def _neurons(self, clock: Clock, n_copies: int, learning: bool) -> tuple[NeuronGroup, NeuronGroup, Synapses]:
        """Build the excitatory neurons of ``n_copies`` networks, and what makes them inhibit each other.

        All but the neuron itself inhibit it, so its conductance is what all spikes of its copy leave behind, less
        its own: two traces in place of n (n - 1) synapses.
        """
        copy = np.repeat(np.arange(n_copies), self.n_neurons)
        adapt = "\ntheta += theta_plus\nn_spikes += 1" if learning else ""
        given = {
            "inhibition": self.inhibition,
            "theta_plus": self.theta_plus * volt,
            "tau_theta": self.tau_theta * second,
        }
        excitatory = NeuronGroup(
            copy.size,
            EXCITATORY + (ADAPTING if learning else FIXED),
            threshold="v > v_th + theta",
            reset="v = v_reset\nspikes_of_own += 1" + adapt,
            refractory="t_ref",
            method="exponential_euler",
            namespace=CONSTANTS | given,
            clock=clock,
        )
        # Last in every step: Brian2 orders equals by name, "neurongroup_10" before "neurongroup_9".
        inhibition = NeuronGroup(
            n_copies,
            "dspikes_of_all/dt = -spikes_of_all/tau_i : 1",
            method="exact",
            namespace=CONSTANTS,
            clock=clock,
            order=1,
        )
        excitatory.spikes_of_all = linked_var(inhibition, "spikes_of_all", index=copy)
        excitatory.v = CONSTANTS["v_rest"]
        lateral = Synapses(excitatory, inhibition, on_pre="spikes_of_all_post += 1", clock=clock)
        lateral.connect(i=np.arange(copy.size), j=copy)
        return excitatory, inhibition, lateral

    def _label(self, X: Floats, y: NDArray[Any]) -> None:
        """Give each neuron the class that it answered to most, averaged over the class's pictures."""
        self.classes_, label = np.unique(y, return_inverse=True)
        everyone = np.ones(self.n_neurons, dtype=bool)
        counts = self._respond(X, Stream(self.seed, "diehl_cook/label"), 0, self.weights_, everyone, False).counts[-1]
        mean = np.stack([counts[label == each].mean(axis=0) for each in range(len(self.classes_))])
        self.assignment_ = np.where(mean.max(axis=0) > 0, mean.argmax(axis=0), -1)

    def _respond(
        self, X: Floats, stream: Stream, step: int, weights: Floats, alive: NDArray[np.bool_], record: bool
    ) -> Response:
        """Present all pictures, ``BATCH`` side by side."""
        ends = np.minimum(
            np.arange(1, int(np.ceil(self._n_steps * DT / BIN - 1e-9)) + 1) * round(BIN / DT), self._n_steps
        )
        counts, sent, spiked = [], [], []
        for first in range(0, len(X), BATCH):
            spikes = self._input_spikes(X[first : first + BATCH], stream, step + first)
            when, sample, neuron = self._present(spikes, weights * alive)
            spiked.append((when * DT, neuron, sample + first))
            each = np.zeros((len(ends), len(spikes), self.n_neurons), dtype=np.int16)
            np.add.at(each, (np.searchsorted(ends, when, side="right"), sample, neuron), 1)
            counts.append(each.cumsum(axis=0, dtype=np.int16))
            sent.append(spikes.sum(axis=2, dtype=np.int64).cumsum(axis=1)[:, ends - 1].T)
        all_counts, n_alive = np.concatenate(counts, axis=1), int(alive.sum())
        events = np.concatenate(sent, axis=1) * n_alive + all_counts.sum(axis=2, dtype=np.int64) * max(n_alive - 1, 0)
        updates = n_alive * STATE_VARIABLES * self._n_steps
        raster = [np.concatenate(column) for column in zip(*spiked, strict=True)]
        order = np.lexsort((raster[1], raster[2], raster[0]))
        return Response(ends * DT, all_counts, events, updates, *([each[order] for each in raster] if record else ()))

    @on_grid()
    def _present(self, spikes: NDArray[np.bool_], weights: Floats) -> tuple[NDArray[np.intp], ...]:
        """Show each picture to a copy of the network; return step, sample and neuron of every excitatory spike."""
        n_copies, n_steps, n_features = spikes.shape
        drive = (spikes.reshape(-1, n_features).astype(float) @ weights).reshape(n_copies, n_steps, -1)
        clock = Clock(dt=DT * second)
        excitatory, inhibition, lateral = self._neurons(clock, n_copies, learning=False)
        excitatory.theta = np.tile(self.theta_, n_copies) * volt
        excitatory.namespace["drive"] = TimedArray(drive.swapaxes(0, 1).reshape(n_steps, -1), dt=DT * second)
        synapses = excitatory.run_regularly("ge += drive(t, i)", when="synapses", clock=clock)
        monitor = SpikeMonitor(excitatory)
        Network(excitatory, inhibition, lateral, synapses, monitor).run(n_steps * DT * second, namespace={})
        sample, neuron = np.divmod(np.asarray(monitor.i[:]), self.n_neurons)
        return np.rint(np.asarray(monitor.t / second) / DT).astype(int), sample, neuron


def _normalised(weights: Floats, total: float) -> Floats:
    """Scale the weights onto each neuron to the same sum."""
    return weights * (total / weights.sum(axis=0))
