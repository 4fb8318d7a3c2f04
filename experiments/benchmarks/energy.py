"""How fast bionet's energy room is, beside PyTorch, scikit-learn, plain NumPy, and what this machine's BLAS could do.

    bionet bench energy --only rbm_cd --out energy.json

Everyone is a process of its own with the threads it takes by itself; they take turns while all others sleep. Whoever
learns comes to a reconstruction error; one that differs from the others' by more than a tenth learns something else,
and does not count. "sgemm at its peak" is not a program: it is the time that the matrix products of the task alone
would take at the speed of products of 3000 x 3000, measured in the same round: a bound for who multiplies, which bionet
need not where states are bits. What nobody else does has an aim in seconds.
"""

import sys
from functools import partial
from pathlib import Path

from bionet.app.contest import Contest, Entrant, Reach

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))

from experiments.benchmarks.learners.task import Task  # noqa: E402

PEAK = "sgemm at its peak"
SHARE = 0.65
"""The share of that peak that is aimed at."""
PYTORCH, SKLEARN, NUMPY = "PyTorch", "scikit-learn (PCD-1)", "plain NumPy"


def contests(quick: bool = False) -> list[Contest]:
    """Return the contests: name, task, who enters, and what is aimed at."""

    def hold(name, title, task, others, *reaches, answer="reconstruction error"):
        entrants = (_entrant("bionet", "with_bionet", task, ours=True), *(_entrant(*each, task) for each in others))
        return Contest(name, title, entrants, reaches, answer=answer)

    peak, at_peak = (PEAK, "with_numpy"), Reach(1 / SHARE, against=PEAK)
    pytorch, sklearn, numpy = (PYTORCH, "with_torch"), (SKLEARN, "with_sklearn"), (NUMPY, "with_numpy")
    epoch, part = (6000, 1200) if quick else (60_000, 12_000)
    steps, units, cells, loads = (1450, 1000, 100, 400) if quick else (14_500, 10_000, 1000, 2000)
    ten = f"{part:,} samples"
    return [
        hold(
            *("rbm_cd", f"RBM 784-500, CD-1, {epoch:,} samples", Task("cd", epoch), (pytorch, sklearn, peak)),
            *(Reach(0.7), at_peak),
        ),
        hold("rbm_cd25", f"RBM 784-500, CD-25, {ten}", Task("cd", part, k=25), (pytorch, peak), at_peak),
        hold(
            *("rbm_pcd", f"RBM 784-500, PCD-1 with 500 chains, {ten}", Task("pcd", part, chains=500)),
            *((peak,), at_peak),
        ),
        hold("rbm_tempering", f"RBM 784-500, tempering 10 x 100, {ten}", Task("tempering", part), (peak,), at_peak),
        hold(
            *("ais", f"AIS of 784-500, 100 runs, {steps:,} temperatures", Task("ais", steps), (peak,)),
            Reach(40.0, absolute=True),
            answer="mean log weight",
        ),
        hold(
            *(
                "hopfield",
                f"Hopfield, {units:,} units: a twentieth as many patterns stored and recalled",
                Task("hopfield", units),
                (numpy,),
            ),
            Reach(1 / 20),
            answer="overlap",
        ),
        hold(
            *("capacity", f"Capacity curve, {loads:,} units", Task("capacity", loads), ()),
            Reach(3.0, absolute=True),
            answer="overlap at load 0.10",
        ),
        hold(
            *("boltzmann", f"Boltzmann machine, {cells:,} units, 1,000 chains, 50 sweeps"),
            *(Task("boltzmann", cells, k=50), (numpy,), Reach(1 / 20)),
            answer="mean of the units",
        ),
    ]


def _entrant(name: str, module: str, task: Task, ours: bool = False) -> Entrant:
    bound = name == PEAK
    standard = not (ours or bound)
    return Entrant(name, partial(_command, module, task), _ROOT, ours=ours, standard=standard, bound=bound)


def _command(module: str, task: Task, scratch: Path) -> list[str]:
    return [sys.executable, "-m", f"experiments.benchmarks.learners.{module}", *task.arguments()]


if __name__ == "__main__":
    from bionet.app.cli import main

    sys.exit(main(["bench", __file__, *sys.argv[1:]]))
