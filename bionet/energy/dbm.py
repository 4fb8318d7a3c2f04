"""The deep Boltzmann machine: layers with links between neighbours, learned by mean field and fantasy particles."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bionet.energy.annealing import log_partition
from bionet.energy.harmonium import Harmonium, Statistics, conditional
from bionet.energy.inputs import check_choice, check_device, check_memory, check_number, check_whole
from bionet.energy.partition import Interval
from bionet.energy.pretraining import Layer, pretrain
from bionet.energy.sampling import gibbs
from bionet.energy.storage import Stored, draft
from bionet.energy.training import SLIDING, Learned
from bionet.energy.units import Bernoulli
from bionet.errors import BionetError, InputError
from bionet.kernels.cpu.ascent import follow
from bionet.kernels.cpu.blas import single
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[Any]

MEAN_FIELDS = ("parallel", "in turn")


class DBM(Stored, TransformerMixin, BaseEstimator):
    r"""Layers of 0/1 units, each linked to the next one up and down [1]_.

    .. math:: E(v, h^1, \dots, h^L) = -v^\top W^1 h^1 - \sum_l h^{l\top} W^{l+1} h^{l+1} - \sum_l b^{l\top} h^l

    Every other layer is independent of the rest given the others. So a deep machine is one of TWO layers, the even
    ones (the visible among them) and the odd ones, and is sampled, summed and annealed as such.

    Learning climbs :math:`\langle x y^\top \rangle_{data} - \langle x y^\top \rangle_{model}`, x and y neighbours.
    Positive phase: hidden means start at 1/2 and follow :math:`q \leftarrow \sigma(field)`, all layers at once,
    until none changes. Negative phase: persistent fantasy particles, updated layer after layer.

    Parameters
    ----------
    layers : tuple of int
        Hidden units, from the bottom up.
    learning_rate : float
        Of the first update, dimensionless.
    rate_decay : float or None
        The rate after t updates is ``learning_rate / (1 + t / rate_decay)``; None keeps it as it is.
    batch_size, n_iter : int
        Samples an update; passes through the data.
    n_iter_pretrain : int
        Passes of greedy learning of each layer before (:mod:`bionet.energy.pretraining`); 0 for none.
    mean_field : {"parallel", "in turn"}
        Whether all hidden layers change at once in the positive phase, or first the odd and then the even ones, which
        raises the bound with each update and settles in about half as many.
    n_mean_field : int
        The most updates of the positive phase.
    tolerance : float
        A largest change of a mean that counts as none.
    k : int
        Sweeps of the fantasy particles, an update.
    n_chains : int or None
        Fantasy particles; None for as many as samples in a batch.
    centered : bool
        Whether the gradient is the centred one [2]_.
    momentum, weight_decay : float
        As in :class:`RBM`.
    dtype : {"float64", "float32"}
    device : {"cpu"}
        There is no way yet to run on a GPU.
    seed : int

    Attributes
    ----------
    weights_ : list of float arrays, shape (n_below, n_above)
    biases_ : list of float arrays
        The first one is the visible layer's.
    n_iter_ : int
        Passes made.
    history_ : dict of float arrays, shape (n_iter,)
        ``"updates"``: updates until the means were settled, in the mean over batches.

    Raises
    ------
    InputError
        If a parameter is out of range, or X does not lie in [0, 1].
    BionetError
        If learning diverges, in the epoch that it names.

    References
    ----------
    .. [1] R. Salakhutdinov, G. Hinton, "Deep Boltzmann machines", AISTATS (2009).
    .. [2] J. Melchior, A. Fischer, L. Wiskott, "How to center deep Boltzmann machines", JMLR 17 (2016).

    Examples
    --------
    >>> X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 8, dtype=float)
    >>> dbm = DBM((4, 3), n_iter=500, learning_rate=0.1, batch_size=16).fit(X)
    >>> float(np.exp(dbm.score_samples(X[:2])).sum()) > 0.6
    True
    """

    def __init__(
        self,
        layers: tuple[int, ...] = (100, 100),
        learning_rate: float = 0.05,
        rate_decay: float | None = 3000.0,
        batch_size: int = 20,
        n_iter: int = 40,
        n_iter_pretrain: int = 0,
        mean_field: str = "parallel",
        n_mean_field: int = 30,
        tolerance: float = 1e-4,
        k: int = 5,
        n_chains: int | None = None,
        centered: bool = True,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        dtype: str = "float64",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.layers = layers
        self.learning_rate = learning_rate
        self.rate_decay = rate_decay
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.n_iter_pretrain = n_iter_pretrain
        self.mean_field = mean_field
        self.n_mean_field = n_mean_field
        self.tolerance = tolerance
        self.k = k
        self.n_chains = n_chains
        self.centered = centered
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dtype = dtype
        self.device = device
        self.seed = seed

    def fit(self, X: ArrayLike, y: None = None, progress: Progress | None = None) -> Self:
        """Learn from X, shape (n_samples, n_visible), in [0, 1], from the start."""
        self._check()
        X = self._data(X, reset=True)
        self._begin(X)
        return self._go_on(X, progress)

    def resume(self, X: ArrayLike, progress: Progress | None = None) -> Self:
        """Go on with a :meth:`fit` to the same X after its last whole epoch, or whose ``n_iter`` has been raised."""
        check_is_fitted(self)
        self._check()
        return self._go_on(self._data(X), progress)

    def transform(self, X: ArrayLike) -> Floats:
        """Return the settled means of the uppermost layer, shape (n_samples, n_units)."""
        check_is_fitted(self)
        even, odd, _ = self.settle(self._data(X))
        return (odd if len(self.layers) % 2 else even)[:, -self.layers[-1] :]

    def settle(self, X: Floats, max_updates: int | None = None) -> tuple[Floats, Floats, int]:
        """Return the means of the even and of the odd layers with the visible one held at X, and the updates made.

        All hidden layers change from 1/2. Should they run out of updates, or end in a cycle of two, as those do that
        change in parallel, they are what they are by then; any means make a valid :meth:`bound`.
        """
        pair, n = self.pair, X.shape[1]
        if len(self.layers) == 1:
            return X, pair.given_visible(X), 1
        top, bias = pair.weights[n:], pair.visible_bias[n:]
        odd, new_odd = (np.full((len(X), len(pair.hidden_bias)), 0.5, X.dtype) for _ in range(2))
        even, new_even = (np.full((len(X), len(bias)), 0.5, X.dtype) for _ in range(2))
        updates, change, in_turn = 0, np.inf, self.mean_field == "in turn"
        with single():
            below = X @ pair.weights[:n]
            while change >= self.tolerance and updates < (max_updates or self.n_mean_field):
                updates += 1
                conditional(pair.hidden, even, top, pair.hidden_bias, new_odd, more=below)
                conditional(pair.visible, new_odd if in_turn else odd, top, bias, new_even, turn=True)
                change = max(np.abs(new_odd - odd).max(), np.abs(new_even - even).max())
                odd, new_odd, even, new_even = new_odd, odd, new_even, even
        return np.concatenate([X, even], axis=1), odd, updates

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
        """Return states of the visible layer, each the end of its own chain; see :meth:`RBM.sample`."""
        check_is_fitted(self)
        check_whole("DBM.sample", 10, n_samples=n_samples, n_sweeps=n_sweeps)
        check_number("DBM.sample", 1.0, zero=True, beta=beta)
        pair, n, held = self.pair, self.n_features_in_, None
        shape = n_samples, len(pair.visible_bias)
        if clamp is not None:
            held = np.full(shape, np.nan, pair.weights.dtype)
            try:
                held[:, :n] = clamp
            except ValueError as error:
                raise InputError(f"DBM.clamp: expected shape ({n},) or ({n_samples}, {n})") from error
        start = pair.visible.sample(np.zeros(shape, pair.weights.dtype), Stream(seed, "dbm/start"), 0)
        return gibbs(pair, start, n_sweeps, Stream(seed, "dbm/sample"), held, beta, progress)[int(means)][:, :n]

    def log_partition(
        self,
        n_betas: int = 1000,
        n_runs: int = 100,
        seed: int = 0,
        betas: Floats | None = None,
        exact: bool | None = None,
        progress: Progress | None = None,
    ) -> Interval:
        """Return log Z in nats, exactly or as an interval; see :meth:`RBM.log_partition`."""
        check_is_fitted(self)
        return log_partition(self.pair, self.base_bias_, n_betas, n_runs, seed, betas, exact, progress)

    def unnormalised(self, X: ArrayLike) -> Floats:
        """Return log p(v) + log Z of each row, exactly, by a sum over the hidden layers: at most 25 units of them."""
        check_is_fitted(self)
        X, pair, n = self._data(X), self.pair, self.n_features_in_
        top, bias = pair.weights[n:], pair.visible_bias[n:]
        rest = [Harmonium(top, bias, pair.hidden_bias + v @ pair.weights[:n]).log_partition() for v in X]
        return X @ pair.visible_bias[:n] + np.array(rest)

    def score_samples(self, X: ArrayLike) -> Floats:
        """Return the log-likelihood of each row, in nats, the hidden layers summed out: at most 25 units of them."""
        return self.unnormalised(X) - self.log_partition().estimate

    def evidence(self, X: ArrayLike) -> Floats:
        r"""Return a lower bound of log p(v) + log Z of each row: -E of the settled means, plus their entropy.

        .. math:: \log p(v) + \log Z \ge -E(v, q) + \sum_i H(q_i)
        """
        check_is_fitted(self)
        rows = self._data(X)
        even, odd, _ = self.settle(rows)
        uncertain = np.concatenate([even[:, rows.shape[1] :], odd], axis=1).astype(np.float64)
        return (entr(uncertain) + entr(1 - uncertain)).sum(axis=1) - self.pair.energy(even, odd)

    def bound(self, X: ArrayLike, **how: Any) -> Interval:
        """Return the mean lower bound of the log-likelihood of the rows of X, in nats, as wide as log Z is uncertain.

        ``how`` is as :meth:`log_partition` takes it.
        """
        return float(self.evidence(X).mean()) - self.log_partition(**how)

    def pack(self) -> dict[str, Floats]:
        """Return all learned arrays by name."""
        own = {"base_bias": self.base_bias_, "sizes": np.array([self.n_features_in_, *self.layers])}
        for level, layer in enumerate(self.pretraining_ or ()):
            own |= {f"pretraining_{level}__{name}": np.asarray(each) for name, each in vars(layer).items()}
        if self.pretraining_ is not None:
            own["pretraining"] = np.array(len(self.pretraining_))
        return {**self.learned_.pack(), **own, **self.history_}

    def unpack(self, arrays: dict[str, Floats]) -> None:
        """Take over the arrays that :meth:`pack` has returned."""
        self.n_features_in_, *layers = (int(size) for size in arrays["sizes"])
        self.layers = tuple(layers)
        self.learned_, self.base_bias_ = Learned.unpack(arrays), arrays["base_bias"]
        self.history_ = {"updates": arrays["updates"]}
        self.n_iter_ = len(self.history_["updates"])
        self.pretraining_: list[Layer] | None = None
        if "pretraining" in arrays:
            stems = [f"pretraining_{level}__" for level in range(int(arrays["pretraining"]))]
            parts = [[arrays[stem + each.name] for each in fields(Layer)] for stem in stems]
            self.pretraining_ = [Layer(W, below, above, int(n)) for W, below, above, n in parts]

    @property
    def pair(self) -> Harmonium:
        """The machine as one of two layers: the even layers, the visible one first, and the odd ones."""
        return Harmonium(self.learned_.weights, self.learned_.visible_bias, self.learned_.hidden_bias)

    @property
    def weights_(self) -> list[Floats]:
        """The weights from each layer to the next, as views."""
        return [
            self.learned_.weights[rows, columns] if level % 2 == 0 else self.learned_.weights[rows, columns].T
            for level, (rows, columns) in enumerate(self._blocks())
        ]

    @property
    def biases_(self) -> list[Floats]:
        """The bias of each layer, as views."""
        both = self.learned_.visible_bias, self.learned_.hidden_bias
        return [both[level % 2][where] for level, where in enumerate(self._places())]

    def _places(self) -> list[slice]:
        """Return where each layer lies among the even or the odd units."""
        ends, places = [0, 0], []
        for level, size in enumerate([self.n_features_in_, *self.layers]):
            places.append(slice(ends[level % 2], ends[level % 2] + size))
            ends[level % 2] += size
        return places

    def _blocks(self) -> list[tuple[slice, slice]]:
        """Return where the weights between each layer and the next lie in those from even to odd units."""
        places = self._places()
        return [
            (places[level], places[level + 1]) if level % 2 == 0 else (places[level + 1], places[level])
            for level in range(len(self.layers))
        ]

    def _mask(self) -> Floats | None:
        """Return 1 where there are links, 0 where there are none; None if all even and odd units are linked."""
        if len(self.layers) <= 2:
            return None
        mask = np.zeros_like(self.learned_.weights)
        for block in self._blocks():
            mask[block] = 1
        return mask

    def _check(self) -> None:
        if not self.layers:
            raise InputError("DBM.layers: got none; expected hidden units of each layer, such as (500, 1000)")
        check_whole(self, 100, **{f"layers[{i}]": n for i, n in enumerate(self.layers)})
        check_whole(self, 20, batch_size=self.batch_size, n_iter=self.n_iter, n_chains=self.n_chains or 1)
        check_whole(self, 5, k=self.k, n_mean_field=self.n_mean_field)
        check_whole(self, 5, 0, n_iter_pretrain=self.n_iter_pretrain)
        check_number(self, 0.01, learning_rate=self.learning_rate, tolerance=self.tolerance)
        if self.rate_decay is not None:
            check_number(self, 3000.0, rate_decay=self.rate_decay)
        check_number(self, 2e-4, zero=True, momentum=self.momentum, weight_decay=self.weight_decay)
        check_choice(self, ("float32", "float64"), dtype=self.dtype)
        check_choice(self, MEAN_FIELDS, mean_field=self.mean_field)
        check_device(self, self.device)

    def _data(self, X: ArrayLike, reset: bool = False) -> Floats:
        try:
            array: Floats = validate_data(self, X, reset=reset, dtype=np.dtype(self.dtype), order="C")
        except ValueError as error:
            raise InputError(f"DBM.X: {error}") from error
        Bernoulli().check("DBM.X", array)
        return array

    def _begin(self, X: Floats) -> None:
        sizes = [X.shape[1], *self.layers]
        n_even, n_odd = sum(sizes[::2]), sum(sizes[1::2])
        check_memory(self, 4.0 * np.dtype(self.dtype).itemsize * n_even * n_odd, "its weights and their copies")
        kind, mean = X.dtype, X.mean(axis=0, dtype=np.float64).astype(X.dtype)
        free = Harmonium(np.zeros((n_even, n_odd)), np.zeros(n_even), np.zeros(n_odd))
        even_bias, half = np.zeros(n_even, kind), np.full(n_even, 0.5, kind)
        even_bias[: sizes[0]], half[: sizes[0]] = free.visible.bias(mean, len(X)), mean
        chains = np.zeros((self.n_chains or self.batch_size, n_odd), kind)
        weights = (0.01 * Stream(self.seed, "dbm/weights").normal((n_even, n_odd))).astype(kind)
        self.learned_ = Learned(
            weights=weights,
            visible_bias=even_bias,
            hidden_bias=np.zeros(n_odd, kind),
            velocity=np.zeros_like(weights),
            visible_velocity=np.zeros(n_even, kind),
            hidden_velocity=np.zeros(n_odd, kind),
            visible_offset=half * self.centered,
            hidden_offset=np.full(n_odd, 0.5 * self.centered, kind),
            activity=np.zeros(n_odd, kind),
            chains=free.hidden.sample(chains, Stream(self.seed, "dbm/chains"), 0),
            clock=np.zeros(1, dtype=np.int64),
        )
        mask = self._mask()
        if mask is not None:
            weights *= mask
        self.base_bias_ = even_bias.copy()
        self.history_ = {"updates": np.full(0, np.nan)}
        self.n_iter_ = 0
        self.pretraining_ = [] if self.n_iter_pretrain else None

    def _pretrain(self, begun: list[Layer], X: Floats, progress: Progress | None) -> None:
        """Learn layer by layer, from where that was broken off, and start all layers together from there."""
        how = self.n_iter_pretrain, self.batch_size, self.seed, progress
        weights, biases = pretrain(begun, X, self.layers, *how)
        with draft(self) as machine:
            for place, start in zip([*machine.weights_, *machine.biases_], [*weights, *biases], strict=True):
                place[:] = start
            machine.pretraining_ = None

    def _go_on(self, X: Floats, progress: Progress | None) -> Self:
        if self.pretraining_ is not None:
            self._pretrain(self.pretraining_, X, progress)
        order, size, mask = Stream(self.seed, "dbm/order"), self.batch_size, self._mask()
        for epoch in (progress or Progress())(range(self.n_iter_, self.n_iter), "DBM"):
            with draft(self) as machine:
                rows = order.permutation(len(X), epoch)
                updates = [machine._update(X[rows[start : start + size]], mask) for start in range(0, len(X), size)]
                if machine.learned_.diverged():
                    raise BionetError(
                        f"DBM.learning_rate: learning diverged in epoch {epoch + 1} at {self.learning_rate:g}; the "
                        f"weights are those of before; take a smaller one, such as {self.learning_rate / 10:g}"
                    )
                machine.history_ = {"updates": np.append(self.history_["updates"], np.mean(updates))}
                machine.n_iter_ = epoch + 1
        return self

    def _update(self, batch: Floats, mask: Floats | None) -> int:
        """Climb one step; return how many updates the positive phase took."""
        learned, kind = self.learned_, batch.dtype
        clock = int(learned.clock[0])
        even, odd, updates = self.settle(batch)
        positive = Statistics(even.T @ odd / len(batch), even.mean(axis=0), odd.mean(axis=0))
        change = positive - self._fantasies(clock)
        gradient = change.centred(learned.visible_offset, learned.hidden_offset, mask)
        rate = self.learning_rate / (1.0 + clock / self.rate_decay if self.rate_decay else 1.0)
        rates = np.array([rate, self.momentum, self.weight_decay, SLIDING * self.centered, 0.0, 0.0, 0.0])
        follow(
            *(rates, gradient.weights.astype(kind), learned.weights, learned.velocity),
            *((gradient.visible_bias.astype(kind), gradient.hidden_bias.astype(kind)),),
            *((learned.visible_bias, learned.hidden_bias), (learned.visible_velocity, learned.hidden_velocity)),
            *((learned.visible_offset, learned.hidden_offset),),
            *((positive.visible_bias.astype(kind), positive.hidden_bias.astype(kind)), learned.activity),
            learned.clock,
        )
        return updates

    def _fantasies(self, clock: int) -> Statistics:
        """Move the particles on, and return their means; the odd layers by their own means given the even ones."""
        pair, chains, draws = self.pair, self.learned_.chains, Stream(self.seed, "dbm/gibbs")
        even = np.empty((len(chains), len(pair.visible_bias)), chains.dtype)
        mean, odd = np.empty_like(even), np.empty_like(chains)
        with single():
            for sweep in range(clock * self.k, (clock + 1) * self.k):
                step = 2 * sweep
                conditional(pair.visible, chains, pair.weights, pair.visible_bias, mean, draws, step, even, turn=True)
                conditional(pair.hidden, even, pair.weights, pair.hidden_bias, odd, draws, step + 1, chains)
        return Statistics(even.T @ odd / len(chains), even.mean(axis=0), odd.mean(axis=0))
