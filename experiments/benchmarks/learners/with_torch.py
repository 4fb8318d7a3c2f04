"""Contrastive divergence as one would write it in PyTorch."""

from experiments.benchmarks.learners.task import BATCH, N_HIDDEN, N_VISIBLE, RATE, parsed, pictures, reconstruction
from experiments.benchmarks.simulators.line import Line, Watch, peak_memory


def main() -> None:
    """Prepare, then take turns."""
    task, line = parsed(), Line()
    try:
        import torch
    except ImportError as error:
        line.say(absent=f"cannot be imported: {error}; get it with: pip install torch")
        return
    torch.manual_seed(0)
    X = torch.from_numpy(pictures(task.n))

    @torch.no_grad()
    def learn(X, W, b, c):
        for start in range(0, len(X), BATCH):
            v = X[start : start + BATCH]
            h = torch.sigmoid(torch.addmm(c, v, W))
            v_after, h_after = v, h
            for _ in range(task.k):
                v_after = torch.bernoulli(torch.sigmoid(torch.addmm(b, torch.bernoulli(h_after), W.T)))
                h_after = torch.sigmoid(torch.addmm(c, v_after, W))
            W.add_(v.T @ h - v_after.T @ h_after, alpha=RATE / BATCH)
            b.add_((v - v_after).mean(0), alpha=RATE)
            c.add_((h - h_after).mean(0), alpha=RATE)

    def turn() -> dict:
        W, b, c = torch.randn(N_VISIBLE, N_HIDDEN) * 0.01, torch.zeros(N_VISIBLE), torch.zeros(N_HIDDEN)
        watch = Watch()
        learn(X, W, b, c)
        wall = watch.wall()
        answer = reconstruction(X[:1000].numpy(), W.numpy(), b.numpy(), c.numpy())
        return {
            **{"simulate_s": wall, "call_s": wall, "cpu_s": watch.cpu()},
            **{"answer": answer, "memory_mib": peak_memory()},
        }

    learn(X[: 5 * BATCH], torch.zeros(N_VISIBLE, N_HIDDEN), torch.zeros(N_VISIBLE), torch.zeros(N_HIDDEN))
    line.say(ready={"version": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"})
    line.serve(turn)


if __name__ == "__main__":
    main()
