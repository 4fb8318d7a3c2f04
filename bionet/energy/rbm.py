"""The restricted Boltzmann machine, trained by centred contrastive divergence or a better estimate of the gradient."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.energy.annealing import log_partition
from bionet.energy.harmonium import Harmonium, Statistics
from bionet.energy.inputs import check_choice, check_device, check_memory, check_number, check_whole
from bionet.energy.partition import Interval
from bionet.energy.sampling import gibbs
from bionet.energy.storage import Stored
from bionet.energy.training import GRADIENTS, Ascent, Learned, Rule, begin
from bionet.energy.units import Units, hidden_units, visible_units
from bionet.errors import BionetError, InputError
from bionet.kernels.cpu.blas import single
from bionet.kernels.devices import CPU
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
"""At which the weights are noted after each pass."""
_MONITORED = 1000
_MONITORS = ("reconstruction", "weight_quantiles", "free_energy_gap")


class RBM(Stored, TransformerMixin, BaseEstimator):
    r"""A Boltzmann machine of two layers, with links between the layers only.

    .. math:: E(v, h) = -v^\top W h - b^\top v - c^\top h, \qquad p(v, h) = e^{-E(v, h)} / Z

    Learning climbs the log-likelihood: :math:`\langle v h^\top \rangle_{data} - \langle v h^\top \rangle_{model}`, and
    the ways to do so differ in how they come by the second mean.

    Parameters
    ----------
    n_components : int
        Hidden units.
    learning_rate : float
        Of the first update, dimensionless.
    rate_decay : float or None
        The rate after t updates is ``learning_rate / (1 + t / rate_decay)``; None keeps it as it is.
    batch_size : int
        Samples an update.
    n_iter : int
        Passes through the data.
    k : int
        Gibbs sweeps an update.
    gradient : {"cd", "pcd", "tempering", "exact"}
        Contrastive divergence: chains start anew from the data [1]_. Persistent chains go on from update to update
        [2]_; tempered ones also exchange places with hotter ones [3]_. "exact" sums over all states of the smaller
        layer.
    reconstruction : {"sample", "mean"}
        What the visible units are in a sweep of "cd": drawn, or their means, as much code in use has it [7]_. Means of
        grey pixels are as grey as the data, and hidden units that have learned so are better features.
    n_chains : int or None
        Persistent chains; None for as many as samples in a batch.
    n_temperatures : int
        Of "tempering": inverse temperatures from 0 to 1 in equal steps.
    centered : bool
        Whether the gradient is the centred one [4]_: offsets start at the means of data and of hidden units without
        a field, and slide.
    momentum, weight_decay : float
        The share of the last step in the next; the share of a weight that is lost, per unit of learning rate.
    sparsity_target, sparsity_cost : float
        What the mean of each hidden unit is drawn to, and how strongly; 0 for not at all.
    visible : {"bernoulli", "spin", "softmax", "labelled", "gaussian"}
        Kind of visible units (:mod:`bionet.energy.units`): 0/1, -1/+1, one of ``n_states`` alternatives in as many
        columns (Potts), 0/1 with one such unit at the end, or any number, with variance 1 about its field:
        standardise such data.
    hidden : {"bernoulli", "spin", "relu"}
        Kind of hidden units; "relu" are at least 0. "gaussian" with "relu" has no finite Z in general, and is refused.
    n_states : int
        Alternatives of a "softmax" unit, or of the label of "labelled" ones.
    dtype : {"float64", "float32"}
        Of all numbers learned; products are twice as fast in the second.
    device : {"cpu", "cuda"}
        Where learning, sampling, free energies and annealing are computed; what is learned is kept in NumPy arrays
        either way. "cuda" is for "cd" and "pcd" with two-valued units, and agrees to rounding.
    seed : int
        Of weights, order of samples and Gibbs sampling.

    Attributes
    ----------
    weights_ : float array, shape (n_visible, n_hidden)
        Dimensionless, started from N(0, 0.01).
    visible_bias_ : float array, shape (n_visible,)
        Started such that free units have the data's means: at log p / (1 - p) for 0/1 units.
    hidden_bias_ : float array, shape (n_hidden,)
        Started at 0.
    base_bias_ : float array, shape (n_visible,)
        What the visible bias started at; likelihoods are estimated along a path from there.
    learned_ : Learned
        The arrays above with chains, velocities and offsets: all that learning changes.
    n_iter_ : int
        Passes made.
    history_ : dict of float arrays, shape (n_iter,) or (n_iter, 5)
        Monitors, not scores, of at most 1000 samples. ``"reconstruction"``: mean squared difference between data and
        its first reconstruction. ``"weight_quantiles"``: of the weights, at :data:`QUANTILES`. With ``validation``
        rows, ``"free_energy_gap"``: their mean free energy less that of the data, in nats; where it goes on rising,
        the machine learns its data by heart [6]_.

    Raises
    ------
    InputError
        If a parameter is out of range, or X holds what a visible unit cannot be.
    BionetError
        If learning diverges: in the epoch that it names. The machine is left as it was before that epoch.

    Notes
    -----
    X of 0/1 units holds bits, or grey levels taken as probabilities; which of the two decides what a likelihood means.
    Hidden means, not samples, enter the statistics of both phases. With "pcd", a rate that does not decay ends in
    divergence of the likelihood after some thousand updates [5]_.

    The same seed gives the same bits for any number of threads. Ctrl-C ends ``fit`` between two updates;
    :meth:`resume` then goes on, in this process or, with :meth:`save` and :meth:`load`, in another, and ends at the
    same bits as if nothing had happened.

    References
    ----------
    .. [1] G. E. Hinton, "Training products of experts by minimizing contrastive divergence",
       Neural Computation 14 (2002).
    .. [2] T. Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient",
       ICML (2008).
    .. [3] G. Desjardins, A. Courville, Y. Bengio, P. Vincent, O. Delalleau, "Parallel tempering for training of
       restricted Boltzmann machines", AISTATS (2010).
    .. [4] J. Melchior, A. Fischer, L. Wiskott, "How to center deep Boltzmann machines", JMLR 17 (2016).
    .. [5] A. Fischer, C. Igel, "Empirical analysis of the divergence of Gibbs sampling based learning algorithms for
       restricted Boltzmann machines", ICANN (2010).
    .. [6] G. E. Hinton, "A practical guide to training restricted Boltzmann machines" (2012), section 6.
    .. [7] The same, section 3.2.

    Examples
    --------
    >>> X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 8, dtype=float)
    >>> rbm = RBM(n_components=4, n_iter=500, learning_rate=0.2, batch_size=16).fit(X)
    >>> float(np.exp(rbm.score_samples(X[:2])).sum()) > 0.8
    True
    """

    def __init__(
        self,
        n_components: int = 100,
        learning_rate: float = 0.1,
        rate_decay: float | None = 3000.0,
        batch_size: int = 20,
        n_iter: int = 40,
        k: int = 1,
        gradient: str = "cd",
        reconstruction: str = "sample",
        n_chains: int | None = None,
        n_temperatures: int = 10,
        centered: bool = True,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        sparsity_target: float = 0.1,
        sparsity_cost: float = 0.0,
        visible: str = "bernoulli",
        hidden: str = "bernoulli",
        n_states: int = 2,
        dtype: str = "float64",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.rate_decay = rate_decay
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.k = k
        self.gradient = gradient
        self.reconstruction = reconstruction
        self.n_chains = n_chains
        self.n_temperatures = n_temperatures
        self.centered = centered
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.visible = visible
        self.hidden = hidden
        self.n_states = n_states
        self.dtype = dtype
        self.device = device
        self.seed = seed

    def fit(
        self, X: ArrayLike, y: None = None, progress: Progress | None = None, validation: ArrayLike | None = None
    ) -> Self:
        """Learn from X, shape (n_samples, n_visible), from the start; ``validation`` rows are only looked at."""
        self._check()
        X = self._data(X, reset=True)
        self._begin(X)
        return self._go_on(X, progress, validation)

    def resume(self, X: ArrayLike, progress: Progress | None = None, validation: ArrayLike | None = None) -> Self:
        """Go on with a :meth:`fit` to the same X that was interrupted, or whose ``n_iter`` has been raised since."""
        check_is_fitted(self)
        self._check()
        return self._go_on(self._data(X), progress, validation)

    def partial_fit(self, X: ArrayLike, y: None = None) -> Self:
        """Learn from X once, in batches as they come; from the start if nothing has been learned yet."""
        self._check()
        first = not hasattr(self, "learned_")
        X = self._data(X, reset=first)
        if first:
            self._begin(X)
        before, ascent = self.learned_.copy(), self._ascent()
        there = ascent.on.put(X)
        with single():
            for start in range(0, len(X), self.batch_size):
                ascent.update(there, np.arange(start, min(start + self.batch_size, len(X))))
        self._take(ascent.learned.home(ascent.on))
        self._refuse_divergence(before, "in this call of partial_fit")
        return self

    def transform(self, X: ArrayLike, alive: NDArray[np.bool_] | None = None) -> Floats:
        """Return the mean of each hidden unit, for 0/1 units its probability, shape (n_samples, n_hidden).

        Parameters
        ----------
        X : array, shape (n_samples, n_visible)
        alive : array of bool, shape (n_hidden,), optional
            False where a unit is silent: it is 0.
        """
        check_is_fitted(self)
        hidden = self.pair.given_visible(self._data(X))
        return hidden if alive is None else hidden * alive

    def reconstruct(self, hidden: ArrayLike) -> Floats:
        """Return the mean of each visible unit given rows of hidden ones, shape (n_samples, n_visible)."""
        check_is_fitted(self)
        return self.pair.given_hidden(np.asarray(hidden, dtype=self.weights_.dtype))

    def energy(self, visible: ArrayLike, hidden: ArrayLike) -> Floats:
        """Return E(v, h) of each pair of rows, shape (n_samples,); continuous units add half their square."""
        return self.pair.energy(visible, hidden)

    def free_energy(self, visible: ArrayLike) -> Floats:
        r"""Return F(v), the hidden units summed out, shape (n_samples,), in nats.

        For 0/1 units it is :math:`-b^\top v - \sum_j \log(1 + e^{c_j + (W^\top v)_j})`.
        """
        v = np.asarray(visible, dtype=float)
        if v.shape[-1:] != self.visible_bias_.shape:
            raise InputError(f"RBM.visible: got shape {v.shape}; expected (n_samples, {len(self.visible_bias_)})")
        return self._pair_there().free_energy(v)

    def log_partition(
        self,
        n_betas: int = 1000,
        n_runs: int = 100,
        seed: int = 0,
        betas: Floats | None = None,
        exact: bool | None = None,
        progress: Progress | None = None,
    ) -> Interval:
        """Return log Z in nats: exactly where it is quickly summed, else an interval by annealing in both directions.

        Parameters
        ----------
        n_betas, n_runs, seed, betas
            Of the annealing; see :func:`bionet.energy.partition.interval`.
        exact : bool, optional
            True for a sum whatever it takes (at most 25 two-valued units in the smaller layer: some ten minutes), False
            for annealing; if absent, a sum up to 20 units.
        """
        check_is_fitted(self)
        on = check_device(self, self.device)
        return log_partition(self.pair, self.base_bias_, n_betas, n_runs, seed, betas, exact, progress, on)

    def log_likelihood(self, X: ArrayLike, **how: Any) -> Interval:
        """Return the mean log-likelihood of the rows of X, in nats; ``how`` as :meth:`log_partition` takes it."""
        check_is_fitted(self)
        return -float(self.free_energy(self._data(X)).mean(dtype=np.float64)) - self.log_partition(**how)

    def score_samples(self, X: ArrayLike) -> Floats:
        """Return the log-likelihood of each row, -F(v) - log Z, in nats, with the estimate where Z is an interval."""
        check_is_fitted(self)
        return -self.free_energy(self._data(X)) - self.log_partition().estimate

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Return the mean log-likelihood of the rows of X, in nats; the middle one where it is an interval."""
        return self.log_likelihood(X).estimate

    def statistics(self, visible: Floats) -> Statistics:
        """Return the means of v h', v and h over rows of the visible layer, h by its means."""
        return self.pair.statistics(visible)

    def model_statistics(self) -> Statistics:
        """Return the exact means of v h', v and h under the model, by enumeration of the smaller layer."""
        check_is_fitted(self)
        return self.pair.sum_out()[1]

    def gibbs(self, visible: ArrayLike, n_sweeps: int = 1, seed: int = 0) -> Floats:
        """Return the visible layer after alternating Gibbs sweeps from ``visible``, of the same shape."""
        check_is_fitted(self)
        return gibbs(self._pair_there(), self._data(visible), n_sweeps, Stream(seed, "rbm/sample"))[0]

    def sample(
        self,
        n_samples: int,
        n_sweeps: int = 1000,
        clamp: ArrayLike | None = None,
        beta: float = 1.0,
        seed: int = 0,
        means: bool = False,
        progress: Progress | None = None,
    ) -> Floats:
        """Return states of the visible layer, each the end of its own chain, which starts from units without a field.

        Parameters
        ----------
        n_samples, n_sweeps : int
        clamp : float array, shape (n_visible,) or (n_samples, n_visible), optional
            What units are held at, NaN where they are free: the others are sampled from the law that remains.
        beta : float
            Inverse temperature; 0 leaves units without a field.
        seed : int
        means : bool
            Whether to return the means that the last states were drawn with, which make smoother pictures.
        """
        check_is_fitted(self)
        check_whole("RBM.sample", 10, n_samples=n_samples, n_sweeps=n_sweeps)
        check_number("RBM.sample", 1.0, zero=True, beta=beta)
        shape = n_samples, len(self.visible_bias_)
        held = None if clamp is None else self._held(clamp, shape)
        start = self.pair.visible.sample(np.zeros(shape, self.weights_.dtype), Stream(seed, "rbm/start"), 0)
        return gibbs(self._pair_there(), start, n_sweeps, Stream(seed, "rbm/sample"), held, beta, progress)[int(means)]

    def inpaint(self, X: ArrayLike, n_sweeps: int = 100, seed: int = 0) -> Floats:
        """Return X with its NaN replaced by the means of those units given the others, after so many Gibbs sweeps."""
        check_is_fitted(self)
        pictures = np.asarray(X, dtype=self.weights_.dtype)
        if pictures.ndim != 2:
            raise InputError(f"RBM.inpaint: got shape {pictures.shape}; expected (n_samples, n_visible)")
        return self.sample(len(pictures), n_sweeps, pictures, seed=seed, means=True)

    def pack(self) -> dict[str, Floats]:
        """Return all learned arrays by name, as :meth:`save` keeps them."""
        return {**self.learned_.pack(), "base_bias": self.base_bias_, **self.history_}

    def unpack(self, arrays: dict[str, Floats]) -> None:
        """Take over the arrays that :meth:`pack` has returned."""
        self.base_bias_ = arrays["base_bias"]
        self.history_ = {name: arrays[name] for name in _MONITORS if name in arrays}
        self.n_iter_, self.n_features_in_ = len(self.history_["reconstruction"]), len(self.base_bias_)
        self._take(Learned.unpack(arrays))

    @property
    def pair(self) -> Harmonium:
        """The law of the two layers."""
        visible, hidden = self._units()
        return Harmonium(self.weights_, self.visible_bias_, self.hidden_bias_, visible, hidden)

    def _pair_there(self) -> Harmonium:
        """Return the law with its arrays on the device."""
        return self.pair.sent(check_device(self, self.device))

    def _units(self) -> tuple[Units, Units]:
        return visible_units("RBM", self.visible, self.n_states), hidden_units("RBM", self.hidden)

    def _rule(self) -> Rule:
        return Rule(
            *(self.gradient, self.k, self.n_chains or self.batch_size, self.n_temperatures, self.learning_rate),
            *(self.rate_decay, self.momentum, self.weight_decay, self.sparsity_target, self.sparsity_cost),
            *(self.centered, self.reconstruction == "mean"),
        )

    def _check(self) -> None:
        check_whole(self, 100, n_components=self.n_components, n_chains=self.n_chains or 1)
        check_whole(self, 20, batch_size=self.batch_size)
        check_whole(self, 40, n_iter=self.n_iter)
        check_whole(self, 1, k=self.k)
        check_whole(self, 10, least=2, n_temperatures=self.n_temperatures)
        check_number(self, 0.05, learning_rate=self.learning_rate)
        if self.rate_decay is not None:
            check_number(self, 3000.0, rate_decay=self.rate_decay)
        check_number(self, 0.5, zero=True, momentum=self.momentum, sparsity_target=self.sparsity_target)
        check_number(self, 2e-4, zero=True, weight_decay=self.weight_decay, sparsity_cost=self.sparsity_cost)
        check_choice(self, GRADIENTS, gradient=self.gradient)
        check_choice(self, ("sample", "mean"), reconstruction=self.reconstruction)
        check_choice(self, ("float32", "float64"), dtype=self.dtype)
        visible, hidden = self._units()
        if visible.name == "gaussian" and hidden.name == "relu":
            raise InputError(
                'RBM.hidden: got "relu" with "gaussian" visible units; expected "bernoulli" or "spin" there'
            )
        if check_device(self, self.device) is not CPU:
            two_valued = {visible.name, hidden.name} <= {"bernoulli", "spin"}
            if self.gradient not in ("cd", "pcd") or not two_valued:
                raise InputError(
                    f'RBM.device: got "{self.device}" for gradient={self.gradient!r} and {visible.name}-{hidden.name} '
                    'units; expected "cd" or "pcd" and two-valued units there, or device="cpu"'
                )
        if self.momentum >= 1:
            raise InputError(f"RBM.momentum: got {self.momentum!r}; expected a number below 1, such as 0.5")

    def _data(self, X: ArrayLike, reset: bool = False) -> Floats:
        """Return X as numbers that the visible units can be, or means of such."""
        try:
            pictures: Floats = validate_data(self, X, reset=reset, dtype=np.dtype(self.dtype), order="C")
        except ValueError as error:
            raise InputError(f"RBM.X: {error}") from error
        self._units()[0].check("RBM.X", pictures)
        return pictures

    def _held(self, clamp: ArrayLike, shape: tuple[int, int]) -> Floats:
        array = np.asarray(clamp, dtype=self.weights_.dtype)
        if array.shape not in (shape[1:], shape):
            raise InputError(f"RBM.clamp: got shape {array.shape}; expected {shape[1:]} or {shape}")
        held = np.broadcast_to(array, shape)
        given = held[~np.isnan(held)]
        if given.size and self.visible not in ("softmax", "labelled"):
            self._units()[0].check("RBM.clamp", given)
        return held

    def _begin(self, X: Floats) -> None:
        size = np.dtype(self.dtype).itemsize * self.n_components
        rows = self._rule().n_chains * (self.n_temperatures if self.gradient == "tempering" else 1)
        check_memory(self, size * (3.0 * X.shape[1] + 4.0 * rows), "its weights, their copies and its chains")
        visible, hidden = self._units()
        mean = X.mean(axis=0, dtype=np.float64).astype(X.dtype)
        learned = begin(self._rule(), visible, hidden, mean, len(X), self.n_components, self.seed, "rbm")
        self.base_bias_ = learned.visible_bias.copy()
        self.history_ = {"reconstruction": np.full(0, np.nan)}
        self._take(learned)
        self.n_iter_ = 0

    def _take(self, learned: Learned) -> None:
        # One call, which Ctrl-C comes before or after.
        self.__dict__.update(
            learned_=learned,
            weights_=learned.weights,
            visible_bias_=learned.visible_bias,
            hidden_bias_=learned.hidden_bias,
        )

    def _ascent(self) -> Ascent:
        draws, on = Stream(self.seed, "rbm/gibbs"), check_device(self, self.device)
        return Ascent(self._rule(), *self._units(), self.learned_.sent(on), self.batch_size, draws, on)

    def _go_on(self, X: Floats, progress: Progress | None, validation: ArrayLike | None = None) -> Self:
        """Make the updates that are left; where the clock stands says which."""
        other = None if validation is None else self._data(validation)[:_MONITORED]
        ascent, order, size = self._ascent(), Stream(self.seed, "rbm/order"), self.batch_size
        n_batches, there = -(-len(X) // size), ascent.on.put(X)
        done, missing = divmod(int(self.learned_.clock[0]), n_batches)
        if done > self.n_iter_ and not missing:  # it was interrupted when all but this was done
            self._note(X[:_MONITORED], done - 1, other)
        with single():
            for epoch in (progress or Progress())(range(min(done, self.n_iter), self.n_iter), "RBM"):
                before = self.learned_.copy()
                rows = order.permutation(len(X), epoch)
                for start in range((missing if epoch == done else 0) * size, len(X), size):
                    ascent.update(there, rows[start : start + size])
                self._take(ascent.learned.home(ascent.on))
                self._refuse_divergence(before, f"in epoch {epoch + 1}")
                self._note(X[:_MONITORED], epoch, other)
        return self

    def _note(self, X: Floats, epoch: int, other: Floats | None) -> None:
        pair = self.pair
        error = ((X - pair.given_hidden(pair.given_visible(X))) ** 2).mean(dtype=np.float64)
        seen = {"reconstruction": error, "weight_quantiles": np.quantile(self.weights_, QUANTILES).astype(np.float64)}
        if other is not None:
            seen["free_energy_gap"] = pair.free_energy(other).mean() - pair.free_energy(X).mean()
        notes = {}
        for name, value in seen.items():
            notes[name] = np.full((epoch + 1, *np.shape(value)), np.nan)
            so_far = self.history_.get(name, notes[name][:0])[:epoch]
            notes[name][: len(so_far)], notes[name][epoch] = so_far, value
        self.history_ = notes
        self.n_iter_ = epoch + 1

    def _refuse_divergence(self, before: Learned, when: str) -> None:
        if self.learned_.diverged():
            self.learned_.restore(before)
            raise BionetError(
                f"RBM.learning_rate: learning diverged {when} at {self.learning_rate:g}; the weights are those of "
                f"before; take a smaller one, such as {self.learning_rate / 10:g}"
            )
