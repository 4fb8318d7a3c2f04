"""scikit-learn's ``BernoulliRBM``: persistent contrastive divergence, one sweep an update, one chain a sample."""

import sklearn
from sklearn.neural_network import BernoulliRBM

from experiments.benchmarks.learners.task import BATCH, N_HIDDEN, RATE, parsed, pictures, reconstruction
from experiments.benchmarks.simulators.line import Line, Watch, peak_memory


def main() -> None:
    """Prepare, then take turns."""
    task, line = parsed(), Line()
    X = pictures(task.n)

    def turn() -> dict:
        rbm = BernoulliRBM(N_HIDDEN, learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=0)
        watch = Watch()
        rbm.fit(X)
        wall = watch.wall()
        parts = rbm.components_.T, rbm.intercept_visible_, rbm.intercept_hidden_
        return {
            **{"simulate_s": wall, "call_s": wall, "cpu_s": watch.cpu()},
            **{"answer": reconstruction(X[:1000], *parts), "memory_mib": peak_memory()},
        }

    BernoulliRBM(N_HIDDEN, batch_size=BATCH, n_iter=1).fit(X[: 5 * BATCH])
    line.say(ready={"version": f"scikit-learn {sklearn.__version__}"})
    line.serve(turn)


if __name__ == "__main__":
    main()
