"""The general Boltzmann machine: binary units, any of them linked to any other (Ackley, Hinton, Sejnowski 1985)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from bionet.energy.inputs import (
    check_choice,
    check_clamp,
    check_device,
    check_memory,
    check_number,
    check_range,
    check_whole,
)
from bionet.energy.pairwise import Annealing, Moments, cooling, gibbs, joined, layers, means, summed
from bionet.energy.partition import LARGEST_ENUMERATION, Interval, interval
from bionet.energy.storage import Stored
from bionet.errors import BionetError, InputError
from bionet.progress import Progress
from bionet.random import Stream

Floats = NDArray[np.float64]
States = NDArray[np.int8]
METHODS = ("exact", "sampled")


class Annealed(NamedTuple):
    """What annealing ended with.

    Attributes
    ----------
    states : int8 array, shape (n_chains, n_units)
        The best state that each chain has met at the end of a sweep.
    energy : float array, shape (n_chains,)
        Of those states.
    """

    states: States
    energy: Floats


class BoltzmannMachine(Stored, TransformerMixin, BaseEstimator):
    r"""Binary units that are on with a probability that their neighbours set; it learns the law of its visible units.

    .. math:: E(s) = -\tfrac12 s^\top W s - b^\top s, \qquad p(s) = e^{-E(s)} / Z, \qquad
              \frac{\partial \log p(v)}{\partial W_{ij}} = \langle s_i s_j \rangle_{v\ \mathrm{held}}
              - \langle s_i s_j \rangle_{\mathrm{free}}

    Visible units come first, hidden ones after them. The gradient is local to the two units of a link; nothing is
    propagated backwards.

    Parameters
    ----------
    n_hidden : int
        Hidden units, 0 or more.
    mask : bool array, shape (n_units, n_units), or tuple of int, optional
        Symmetric: which units are linked; or the sizes of layers, each linked to the next. All are, by default.
    method : {"exact", "sampled"}
        Sums over all states and climbs by L-BFGS; or persistent chains by Gibbs sampling and climbs step by step.
    n_iter : int
        Iterations of L-BFGS, or updates.
    learning_rate : float
        Of the first update, when sampled.
    rate_decay : float or None
        Updates after which the rate has halved; it falls as 1 / (1 + t / rate_decay).
    n_chains : int
        Persistent chains.
    n_sweeps : int
        Gibbs sweeps an update, of the free chains and, with hidden units, of those whose visible ones are held.
    weight_decay : float
        Pulls the weights to zero: half of it times their squared sum is taken off the log-likelihood.
    seed : int
        Of weights, chains and orders.
    dtype : {"float64", "float32"}
        Of the weights in sampling; their sums are those of double precision.
    device : {"cpu", "cuda"}
        Where chains are swept; all else is computed on the processor.

    Attributes
    ----------
    weights_ : float array, shape (n_units, n_units)
        Symmetric, zero diagonal, dimensionless.
    bias_ : float array, shape (n_units,)
    n_iter_ : int
    chains_ : int8 array, shape (n_chains, n_units)
        Where the chains ended, when sampled.
    held_ : int8 array, shape (n_samples, n_hidden)
        Hidden units of the chains whose visible units are held at the samples, when sampled.
    history_ : dict of float arrays
        ``"gradient"``: the largest component after each update; with samples it holds their noise.

    Raises
    ------
    InputError
        If a parameter is out of range, or X does not lie in [0, 1].
    BionetError
        If the rate is too high and the weights diverge.

    Notes
    -----
    X holds bits, or probabilities of them. Sums over all states are made up to 25 units; beyond that
    :meth:`log_partition` is an interval from annealing.

    References
    ----------
    D. H. Ackley, G. E. Hinton, T. J. Sejnowski, "A learning algorithm for Boltzmann machines", Cognitive Science 9
    (1985).

    Examples
    --------
    >>> X = [[0, 0], [1, 1], [1, 1], [0, 1]]
    >>> machine = BoltzmannMachine().fit(X)
    >>> np.exp(machine.score_samples([[0, 0], [1, 1], [0, 1]])).round(2).tolist()
    [0.25, 0.5, 0.25]
    """

    def __init__(
        self,
        n_hidden: int = 0,
        mask: NDArray[np.bool_] | tuple[int, ...] | None = None,
        method: str = "exact",
        n_iter: int = 1000,
        learning_rate: float = 0.1,
        rate_decay: float | None = 300.0,
        n_chains: int = 500,
        n_sweeps: int = 5,
        weight_decay: float = 0.0,
        seed: int = 0,
        dtype: str = "float64",
        device: str = "cpu",
    ) -> None:
        self.n_hidden = n_hidden
        self.mask = mask
        self.method = method
        self.n_iter = n_iter
        self.learning_rate = learning_rate
        self.rate_decay = rate_decay
        self.n_chains = n_chains
        self.n_sweeps = n_sweeps
        self.weight_decay = weight_decay
        self.seed = seed
        self.dtype = dtype
        self.device = device

    @classmethod
    def of(cls, weights: ArrayLike, bias: ArrayLike, n_hidden: int = 0, **parameters: object) -> Self:
        """Return a machine of given weights and biases, the last ``n_hidden`` units hidden."""
        machine = cls(n_hidden, **parameters)  # type: ignore[arg-type]
        machine.weights_, machine.bias_ = np.array(weights, dtype=np.float64), np.array(bias, dtype=np.float64)
        w, n_units = machine.weights_, machine.bias_.size
        if w.shape != (n_units, n_units) or machine.bias_.ndim != 1:
            raise InputError(
                f"BoltzmannMachine.weights: got shape {w.shape}, and {n_units} biases; expected (n_units, n_units)"
            )
        if not (np.isfinite(w).all() and np.isfinite(machine.bias_).all()):
            raise InputError("BoltzmannMachine.weights: got NaN or infinite values; expected finite numbers")
        if not np.array_equal(w, w.T) or w.diagonal().any():
            raise InputError("BoltzmannMachine.weights: expected symmetric weights of zero diagonal, such as W + W.T")
        machine.n_features_in_ = n_units - n_hidden
        return machine

    @classmethod
    def of_spins(cls, weights: ArrayLike, bias: ArrayLike, beta: float = 1.0) -> Self:
        r"""Return the machine with the law of -1/+1 units, :math:`\exp(\beta(s^\top J s / 2 + b^\top s))/Z`.

        With s = 2x - 1 the weights are :math:`4 \beta J` and the biases :math:`2 \beta (b - J 1)`; J has no diagonal.
        """
        j = np.asarray(weights, dtype=np.float64)
        return cls.of(4 * beta * j, 2 * beta * (np.asarray(bias, dtype=np.float64) - j.sum(axis=1)))

    def fit(self, X: ArrayLike, y: None = None, progress: Progress | None = None) -> Self:
        """Learn from X, shape (n_samples, n_visible), in [0, 1]."""
        self._check()
        X = check_range(self, "X", X, reset=True)
        self._begin(X)
        if self.method == "exact":
            self._climb_exactly(X)
        else:
            self._begin_chains(X)
            self._climb_by_sampling(X, progress or Progress())
        return self

    def resume(self, X: ArrayLike, progress: Progress | None = None) -> Self:
        """Go on with a :meth:`fit` to the same X that was interrupted, or whose ``n_iter`` has been raised since.

        A sampled one goes on after its last update, an exact one begins again; both end at the bits of one that was
        not interrupted.
        """
        check_is_fitted(self)
        if self.method == "exact":
            return self.fit(X, progress=progress)
        self._check()
        self._climb_by_sampling(check_range(self, "X", X), progress or Progress())
        return self

    def energy(self, states: ArrayLike) -> Floats:
        """Return E(s) of states of all units, dimensionless, shape (n_samples,)."""
        check_is_fitted(self, "weights_")
        s = np.asarray(states, dtype=np.float64)
        return -(s * (0.5 * (s @ self.weights_) + self.bias_)).sum(axis=-1)

    def free_energy(self, visible: ArrayLike) -> Floats:
        r"""Return :math:`F(v) = -\log \sum_h e^{-E(v, h)}`, in nats, shape (n_samples,).

        Hidden units without links among them are summed out in closed form, else 25 of them one state at a time.
        """
        return self._sum_out(self._visible(visible))[0]

    def transform(self, X: ArrayLike) -> Floats:
        """Return the probability that each hidden unit is on, given the visible ones, shape (n_samples, n_hidden)."""
        return self._sum_out(self._visible(X))[1]

    def log_partition(self, n_betas: int = 1000, n_runs: int = 100, seed: int = 0) -> Interval:
        """Return log Z in nats: exactly up to 25 units, else an interval by annealing in both directions."""
        check_is_fitted(self, "weights_")
        if len(self.bias_) <= LARGEST_ENUMERATION:
            return Interval.exact(self._sum_all()[0])
        return interval(Annealing(self.weights_, self.bias_, self.dtype), n_betas, n_runs, seed)

    def log_likelihood(self, X: ArrayLike, n_betas: int = 1000, n_runs: int = 100, seed: int = 0) -> Interval:
        """Return the mean log-likelihood of the rows of X in nats, exact or an interval as :meth:`log_partition` is."""
        return -float(self.free_energy(X).mean()) - self.log_partition(n_betas, n_runs, seed)

    def score_samples(self, X: ArrayLike) -> Floats:
        """Return the log-likelihood of each row of X in nats, shape (n_samples,), with the estimate of log Z."""
        return -self.free_energy(X) - self.log_partition().estimate

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Return the mean log-likelihood of the rows of X, in nats."""
        return float(self.score_samples(X).mean())

    def moments(self) -> Moments:
        """Return the exact means of s s' and s under the model, by a sum over all states of at most 25 units."""
        check_is_fitted(self, "weights_")
        return self._sum_all()[1]

    def held_moments(self, X: ArrayLike) -> Moments:
        """Return the exact means of s s' and s with the visible units held at the rows of X."""
        return self._sum_out(self._visible(X))[2]

    def sample(
        self, n_samples: int, n_sweeps: int = 100, clamp: ArrayLike | None = None, beta: float = 1.0, seed: int = 0
    ) -> States:
        """Draw visible states, 0 or 1, each the end of its own chain of Gibbs sampling, started from fair coins.

        Parameters
        ----------
        n_samples : int
        n_sweeps : int
        clamp : array, shape (n_visible,) or (n_samples, n_visible), optional
            0 or 1 for a unit that is held there, NaN for one that is free.
        beta : float
            Inverse temperature, dimensionless.
        seed : int
        """
        check_is_fitted(self, "weights_")
        check_whole(self, 100, n_samples=n_samples)
        n_units, n_visible = len(self.bias_), self.n_features_in_
        held, fixed = check_clamp(self, clamp, n_samples, n_visible, (0.0, 1.0))
        stream = Stream(seed, "boltzmann/sample")
        start = stream.child("start").bernoulli(np.full((n_samples, n_units), 0.5)).astype(np.int8)
        start[:, :n_visible][:, held] = fixed[:, held]
        free = np.append(~held, np.ones(n_units - n_visible, dtype=bool))
        return self.gibbs(start, n_sweeps, free, beta, stream)[:, :n_visible]

    def gibbs(
        self,
        states: ArrayLike,
        n_sweeps: int,
        free: NDArray[np.bool_] | None = None,
        beta: float = 1.0,
        stream: Stream | None = None,
        step: int = 0,
    ) -> States:
        """Return states of all units after sweeps in which each free unit has its turn, in fresh random orders.

        Parameters
        ----------
        states : array, shape (n_chains, n_units)
            0 or 1; a copy is made.
        n_sweeps : int
        free : bool array, shape (n_units,), optional
            The units that may change; all by default. All chains share the orders.
        beta : float
        stream : Stream, optional
            Of the draws, at steps ``step`` to ``step + n_sweeps - 1``.
        step : int
        """
        check_whole(self, 100, n_sweeps=n_sweeps)
        check_number(self, 1.0, zero=True, beta=beta)
        stream = Stream(self.seed, "boltzmann/gibbs") if stream is None else stream
        return self._gibbs(np.array(states, dtype=np.int8, order="C"), n_sweeps, stream, step, free, beta)

    def anneal(
        self,
        n_chains: int = 100,
        n_sweeps: int = 300,
        betas: ArrayLike | None = None,
        free: NDArray[np.bool_] | None = None,
        states: ArrayLike | None = None,
        seed: int = 0,
    ) -> Annealed:
        """Look for states of low energy by simulated annealing, a sweep at each inverse temperature.

        Parameters
        ----------
        n_chains : int
        n_sweeps : int
            One at each inverse temperature; these rise in equal steps to where almost every unit is decided.
        betas : float array, optional
            Inverse temperatures to be used instead.
        free : bool array, shape (n_units,), optional
            The units that may change.
        states : array, shape (n_chains, n_units), optional
            Where to start; fair coins by default.
        seed : int

        References
        ----------
        S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, "Optimization by simulated annealing", Science 220 (1983).
        """
        check_is_fitted(self, "weights_")
        check_whole(self, 100, n_chains=n_chains, n_sweeps=n_sweeps)
        stream = Stream(seed, "boltzmann/anneal")
        betas = cooling(self.weights_, self.bias_, n_sweeps) if betas is None else np.asarray(betas, dtype=np.float64)
        shape = n_chains, len(self.bias_)
        start = stream.child("start").bernoulli(np.full(shape, 0.5)) if states is None else states
        ends = np.array(start, dtype=np.int8, order="C")
        best, lowest = ends.copy(), self.energy(ends)
        for k, beta in enumerate(betas):
            ends = self._gibbs(ends, 1, stream, k, free, float(beta))
            energy = self.energy(ends)
            better = energy < lowest
            best[better], lowest[better] = ends[better], energy[better]
        return Annealed(best, lowest)

    def _check(self) -> None:
        check_whole(self, 0, least=0, n_hidden=self.n_hidden)
        check_whole(self, 100, n_iter=self.n_iter, n_chains=self.n_chains, n_sweeps=self.n_sweeps)
        check_number(self, 0.1, learning_rate=self.learning_rate)
        check_number(self, 1e-4, zero=True, weight_decay=self.weight_decay)
        if self.rate_decay is not None:
            check_number(self, 300.0, rate_decay=self.rate_decay)
        check_choice(self, METHODS, method=self.method)
        check_device(self, self.device)
        check_choice(self, ("float32", "float64"), dtype=self.dtype)

    def _begin(self, X: Floats) -> None:
        """Check what hangs on the number of units, and start the weights."""
        n_units = self.n_features_in_ + self.n_hidden
        check_memory(self, 8.0 * n_units * (3 * n_units + 2 * self.n_chains), f"a machine of {n_units} units")
        if self.method == "exact" and n_units > LARGEST_ENUMERATION:
            raise InputError(
                f"BoltzmannMachine.method: got 'exact' for {n_units} units; expected at most {LARGEST_ENUMERATION}, "
                "or method='sampled'"
            )
        links = self._links(n_units)
        noise = 0.01 * Stream(self.seed, "boltzmann/weights").normal((n_units, n_units)) if self.n_hidden else 0.0
        self.weights_ = np.triu(noise * links, 1)
        self.weights_ = self.weights_ + self.weights_.T
        mean = (X.sum(axis=0) + 0.5) / (len(X) + 1.0)
        self.bias_ = np.append(np.log(mean / (1.0 - mean)), np.zeros(self.n_hidden))

    def _links(self, n_units: int) -> NDArray[np.bool_]:
        if self.mask is None:
            return ~np.eye(n_units, dtype=bool)
        mask = layers(*self.mask) if np.ndim(self.mask) == 1 else np.asarray(self.mask)
        if mask.shape != (n_units, n_units) or mask.dtype != bool or not np.array_equal(mask, mask.T):
            raise InputError(
                f"BoltzmannMachine.mask: got {mask.dtype} of shape {mask.shape}; "
                f"expected a symmetric bool array of shape ({n_units}, {n_units}), or layers that add up to {n_units}"
            )
        return mask & ~np.eye(n_units, dtype=bool)

    def _climb_exactly(self, X: Floats) -> None:
        """Maximise the exact log-likelihood by L-BFGS."""
        n_units = len(self.bias_)
        links = np.nonzero(np.triu(self._links(n_units), 1))

        def place(parameters: Floats) -> None:
            self.weights_[links] = parameters[n_units:]
            self.weights_.T[links] = parameters[n_units:]
            self.bias_[:] = parameters[:n_units]

        def loss(parameters: Floats) -> tuple[float, Floats]:
            place(parameters)
            free_energy, _, held = self._sum_out(X)
            log_z, model = self._sum_all()
            gradient = held.minus(model)
            weights = parameters[n_units:]
            value = free_energy.mean() + log_z + self.weight_decay / 2 * (weights**2).sum()
            return value, np.append(-gradient.units, self.weight_decay * weights - gradient.pairs[links])

        start = np.append(self.bias_, self.weights_[links])
        options = {"maxiter": self.n_iter, "maxfun": 2 * self.n_iter, "ftol": 0.0, "gtol": 1e-8}
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
        place(found.x)
        self.n_iter_, self.history_ = int(found.nit), {"gradient": np.array([np.abs(found.jac).max()])}

    def _begin_chains(self, X: Floats) -> None:
        """Start chains from fair coins, and with hidden units others whose visible units are held, one a sample."""
        stream, half = Stream(self.seed, "boltzmann/fit"), partial(np.full, fill_value=0.5)
        self.chains_ = stream.child("start").bernoulli(half((self.n_chains, len(self.bias_)))).astype(np.int8)
        held = stream.child("held").child("start").bernoulli(half((len(X), self.n_hidden)))
        self.held_, self.n_iter_, self.history_ = held.astype(np.int8), 0, {"gradient": np.empty(0)}

    def _climb_by_sampling(self, X: Floats, progress: Progress) -> None:
        """Climb with means over persistent chains; hidden units are sampled with the visible ones held, too."""
        links, stream = self._links(len(self.bias_)), Stream(self.seed, "boltzmann/fit")
        seen, largest = Moments(X.T @ X / len(X), X.mean(axis=0)), np.zeros(self.n_iter)
        largest[: self.n_iter_] = self.history_["gradient"][: self.n_iter]
        for t in progress(range(self.n_iter_, self.n_iter), "Boltzmann machine"):
            chains = self._gibbs(self.chains_.copy(), self.n_sweeps, stream, t * self.n_sweeps)
            held, data = self._hold(X, t, stream.child("held")) if self.n_hidden else (self.held_, seen)
            gradient = data.minus(means(chains))
            pairs = (gradient.pairs - self.weight_decay * self.weights_) * links
            rate = self.learning_rate / (1.0 + t / self.rate_decay if self.rate_decay else 1.0)
            weights, bias = self.weights_ + rate * pairs, self.bias_ + rate * gradient.units
            largest[t] = max(np.abs(pairs).max(), np.abs(gradient.units).max())
            if not np.abs(weights).max() < 1e4:
                raise BionetError(
                    f"BoltzmannMachine.learning_rate: got {self.learning_rate:g}; the weights diverged at update "
                    f"{t + 1}; use a smaller rate or a weight_decay"
                )
            # One call, which Ctrl-C comes before or after.
            new = {"weights_": weights, "bias_": bias, "chains_": chains, "held_": held, "n_iter_": t + 1}
            self.__dict__.update(new, history_={"gradient": largest[: t + 1]})

    def _hold(self, X: Floats, update: int, stream: Stream) -> tuple[States, Moments]:
        """Move the chains whose visible units are held; return their hidden units, and the means."""
        # Grey levels are probabilities of bits, drawn anew each time.
        visible = stream.child("bits").bernoulli(X, update).astype(np.int8)
        states, free = np.concatenate([visible, self.held_], axis=1), np.arange(len(self.bias_)) >= X.shape[1]
        states = self._gibbs(states, self.n_sweeps, stream, update * self.n_sweeps, free)
        return states[:, free], means(states)

    def _gibbs(
        self,
        states: States,
        n_sweeps: int,
        stream: Stream,
        step: int,
        free: NDArray[np.bool_] | None = None,
        beta: float = 1.0,
    ) -> States:
        on = check_device(self, self.device)
        return gibbs(self.weights_, self.bias_, states, n_sweeps, stream, step, free, beta, dtype=self.dtype, on=on)

    def _visible(self, X: ArrayLike) -> Floats:
        check_is_fitted(self, "weights_")
        return check_range(self, "X", X)

    def _sum_all(self) -> tuple[float, Moments]:
        """Return log Z and the means, by a sum over the states of all units."""
        return summed(self.weights_, self.bias_)

    def _sum_out(self, X: Floats) -> tuple[Floats, Floats, Moments]:
        """Return F(v), the means of the hidden units, and all means with v held, the hidden units summed out."""
        w, b, n = self.weights_, self.bias_, self.n_features_in_
        bare = -(X * (0.5 * (X @ w[:n, :n]) + b[:n])).sum(axis=1)
        if n == len(b):
            return bare, np.empty((len(X), 0)), Moments(X.T @ X / len(X), X.mean(axis=0))
        field, inside = X @ w[:n, n:] + b[n:], w[n:, n:]
        if not inside.any():
            hidden = expit(field)
            pairs = hidden.T @ hidden / len(X)
            return bare - np.logaddexp(0.0, field).sum(axis=1), hidden, joined(X, hidden, pairs)
        solved = [summed(inside, each) for each in field]
        hidden = np.array([moments.units for _, moments in solved])
        pairs = np.mean([moments.pairs for _, moments in solved], axis=0)
        return bare - np.array([log_z for log_z, _ in solved]), hidden, joined(X, hidden, pairs)
