"""bionet on the tasks of the energy benchmark."""

from collections.abc import Callable

import numpy as np

import bionet
from bionet.energy import RBM, BoltzmannMachine, Hopfield
from bionet.energy.annealing import AnnealedHarmonium
from bionet.energy.partition import ais
from bionet.kernels.cpu.blas import single
from bionet.random import Stream
from experiments.benchmarks.learners.task import (
    BATCH,
    N_HIDDEN,
    RATE,
    Task,
    links,
    parsed,
    patterns,
    pictures,
    reconstruction,
    spoilt,
)
from experiments.benchmarks.simulators.line import Line, Watch, peak_memory


def main() -> None:
    """Prepare, take a short turn so that all is compiled, then take turns."""
    task, line, watch = parsed(), Line(), Watch()
    work = _WORK[task.work]
    turn = work(task)
    prepared = watch.wall()
    watch = Watch()
    small = {"hopfield": 1000, "boltzmann": 50, "capacity": 200}.get(task.work, 3 * BATCH)
    work(Task(task.work, min(task.n, small), task.k, task.chains))()
    line.say(ready={"version": f"bionet {bionet.__version__}", "build_s": prepared, "compile_s": watch.wall()})

    def timed() -> dict:
        watch = Watch()
        answer = turn()
        wall = watch.wall()
        return {
            **{"simulate_s": wall, "call_s": wall, "cpu_s": watch.cpu()},
            **{"answer": answer, "memory_mib": peak_memory()},
        }

    line.serve(timed)


def _learn(task: Task) -> Callable[[], float]:
    X = pictures(task.n)

    def turn() -> float:
        rbm = RBM(
            N_HIDDEN,
            learning_rate=RATE,
            rate_decay=None,
            batch_size=BATCH,
            n_iter=1,
            k=task.k,
            gradient=task.work,
            n_chains=task.chains,
            centered=False,
            dtype="float32",
        ).fit(X)
        return reconstruction(X[:1000], rbm.weights_, rbm.visible_bias_, rbm.hidden_bias_)

    return turn


def _anneal(task: Task) -> Callable[[], float]:
    X = pictures(1000)
    rbm = RBM(N_HIDDEN, batch_size=BATCH, n_iter=1, dtype="float32").fit(X)
    path = AnnealedHarmonium(rbm.pair, rbm.base_bias_)

    def turn() -> float:
        with single():
            weights = ais(path, np.linspace(0, 1, task.n), 100, Stream(0, "benchmark")).log_weights
        return float(weights.mean())

    return turn


def _recall(task: Task) -> Callable[[], float]:
    X = patterns(task.n // 20, task.n)
    start = spoilt(X)

    def turn() -> float:
        network = Hopfield(dtype="float32").fit(X)
        ends = network.recall(start).states
        return float((ends * X).mean())

    return turn


def _capacity(task: Task) -> Callable[[], float]:
    def turn() -> float:
        overlaps = []
        for load in (0.10, 0.12, 0.13, 0.138, 0.145, 0.20):
            for network in range(3):
                drawn = Stream(network, "benchmark").uniform((round(load * task.n), task.n))
                X = np.where(drawn < 0.5, -1, 1)
                ends = Hopfield(dtype="float32").fit(X).recall(X[:20]).states
                overlaps.append((ends * X[:20]).mean())
        return float(np.mean(overlaps[:3]))

    return turn


def _sweep(task: Task) -> Callable[[], float]:
    machine = BoltzmannMachine.of(*links(task.n))
    start = np.zeros((1000, task.n), dtype=np.int8)

    def turn() -> float:
        return float(machine.gibbs(start, task.k).mean())

    return turn


_WORK = {
    **{"cd": _learn, "pcd": _learn, "tempering": _learn, "ais": _anneal},
    **{"hopfield": _recall, "capacity": _capacity, "boltzmann": _sweep},
}

if __name__ == "__main__":
    main()
