"""Plain NumPy on the tasks of the energy benchmark; and its matrix products alone, at the best this machine can do."""

from collections.abc import Callable

import numpy as np

from experiments.benchmarks.learners.task import Task, links, parsed, patterns, spoilt
from experiments.benchmarks.simulators.line import Line, Watch, peak_memory

_SIDE = 3000


def main() -> None:
    """Take turns."""
    task, line = parsed(), Line()
    turn = _WORK.get(task.work, _products)(task)
    line.say(ready={"version": f"NumPy {np.__version__}"})
    line.serve(turn)


def _timed(work: Callable[[], float]) -> Callable[[], dict]:
    def turn() -> dict:
        watch = Watch()
        answer = work()
        wall = watch.wall()
        return {
            **{"simulate_s": wall, "call_s": wall, "cpu_s": watch.cpu()},
            **{"answer": answer, "memory_mib": peak_memory()},
        }

    return turn


def _products(task: Task) -> Callable[[], dict]:
    """Say how long the task's products would take at the speed of large ones, measured each turn."""
    A = np.random.default_rng(0).random((_SIDE, _SIDE), dtype=np.float32)
    out = np.empty_like(A)
    np.matmul(A, A, out=out)

    def turn() -> dict:
        watch, best = Watch(), np.inf
        for _ in range(5):
            one = Watch()
            np.matmul(A, A, out=out)
            best = min(best, one.wall())
        per_second = 2 * _SIDE**3 / best
        return {"simulate_s": task.flops / per_second, "cpu_s": watch.cpu(), "gflop_per_s": per_second / 1e9}

    return turn


def _recall(task: Task) -> Callable[[], dict]:
    X = patterns(task.n // 20, task.n)
    start, order = spoilt(X), np.random.default_rng(4)

    def turn() -> float:
        stored = X.astype(np.float32)
        J = stored.T @ stored / np.float32(task.n)
        np.fill_diagonal(J, 0)
        states = start.astype(np.float32)
        for _ in range(100):
            before = states.copy()
            for unit in order.permutation(task.n):
                field = states @ J[unit]
                states[:, unit] = np.where(field == 0, states[:, unit], np.sign(field))
            if (before == states).all():
                break
        return float((states * X).mean())

    return _timed(turn)


def _sweep(task: Task) -> Callable[[], dict]:
    weights, bias = links(task.n)
    draws = np.random.default_rng(5)

    def turn() -> float:
        states = np.zeros((1000, task.n))
        for _ in range(task.k):
            for unit in range(task.n):
                p = 1 / (1 + np.exp(-(states @ weights[unit] + bias[unit])))
                states[:, unit] = draws.random(1000) < p
        return float(states.mean())

    return _timed(turn)


_WORK = {"hopfield": _recall, "boltzmann": _sweep}

if __name__ == "__main__":
    main()
