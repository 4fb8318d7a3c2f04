"""How fast bionet runs spiking networks, beside every mode of Brian2 and NEST, on the same networks and this machine.

    bionet bench spiking --only cuba_4000 --out cuba.json

The Brian2 text of a network (``simulators/networks.py``) is run unchanged by Brian2 and bionet; NEST's is the nearest
its own models allow. Each simulator is a process of its own, with empty caches; they take turns, each simulating the
same biological time, while all others sleep. Small networks are drawn anew for each turn. A simulator whose firing rate
differs from Brian2's by more than a tenth simulates another network, and does not count.

Times are of the loop over time steps, as the simulator itself reports it, in seconds for a biological second; all of
``run()`` stands beside it. Peers run with the settings they come with. What a user waits for from the start of a
process to the result is in ``start_cold`` (empty caches) and ``start_warm`` (the caches, and for C++ the build folder,
of an earlier process). The memory of C++ is that of the binary alone, without the Python process that wrote it.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bionet.app.contest import Contest, Entrant, Reach

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))

from experiments.benchmarks.simulators.task import Task  # noqa: E402

CPP = "Brian2, C++ standalone, 1 thread"


def contests(quick: bool = False) -> list[Contest]:
    """Return the contests: name, network, cells, biological seconds, and what is aimed at."""

    def simulate(name, title, network, n, seconds, *reaches, settle=0.5, fresh=True):
        seconds, settle = (seconds / 4, settle / 2) if quick else (seconds, settle)
        task = partial(Task, network=network, n=n, seconds=seconds, settle=settle, fresh=fresh, once=False)
        entrants = (*_brian(task), *_nest(task, similar=network == "stdp"))
        return Contest(name, title, entrants, tuple(reaches), per=seconds, unit="s/s")

    def start(name, title, processes, reach):
        seconds = 0.2 if quick else 1.0
        task = partial(Task, network="cuba", n=4000, seconds=seconds, settle=0.0, fresh=False, once=True)
        one_thread_each = [each for each in (*_brian(task), *_nest(task)) if "2 threads" not in each.name]
        return Contest(name, title, tuple(one_thread_each), (reach,), processes)

    brunel = "Brunel, 12,500 cells, 15.6 million synapses"
    no_more_than_cpp = Reach(1.0, "memory_mib", against=CPP)
    return [
        simulate("cuba_4000", "CUBA, 4,000 cells", "cuba", 4000, 10.0, Reach(0.45)),
        simulate("cuba_40000", "CUBA, 40,000 cells", "cuba", 40_000, 2.0, Reach(0.40), fresh=False),
        simulate("coba_4000", "COBA, 4,000 cells", "coba", 4000, 2.0, Reach(0.30)),
        simulate("cobahh_4000", "COBAHH, 4,000 cells", "cobahh", 4000, 1.0, Reach(0.40)),
        simulate("brunel", brunel, "brunel", 12_500, 1.0, Reach(0.25), no_more_than_cpp, fresh=False),
        simulate("stdp", "STDP, 1,000 inputs to one neuron", "stdp", 1000, 100.0, Reach(0.10), settle=0.0),
        start("start_warm", "CUBA, 1 s, from a new process, warm caches", "warm", Reach(1.5, "wall_s", absolute=True)),
        start("start_cold", "CUBA, 1 s, from a new process, empty caches", "cold", Reach(4.0, "wall_s", absolute=True)),
    ]


def _brian(task: Callable[..., Task]) -> list[Entrant]:
    """Return what runs the Brian2 text."""
    modes = [
        ("bionet", "bionet", None),
        ("bionet, 1 thread", "bionet", 1),
        (CPP, "cpp", 1),
        ("Brian2, C++ standalone, 2 threads", "cpp", 2),
        ("Brian2, Cython", "cython", None),
        ("Brian2, numpy", "numpy", None),
    ]
    return [
        Entrant(
            name,
            partial(_command, "with_brian", task, simulator, threads),
            _ROOT,
            ours=simulator == "bionet",
            standard=simulator != "bionet",
        )
        for name, simulator, threads in modes
    ]


def _nest(task: Callable[..., Task], similar: bool = False) -> list[Entrant]:
    return [
        Entrant(name, partial(_command, "with_nest", task, "nest", threads), _ROOT, similar=similar)
        for name, threads in (("NEST, 1 thread", 1), ("NEST, 2 threads", 2))
    ]


def _command(module: str, task: Callable[..., Task], simulator: str, threads: int | None, scratch: Path) -> list[str]:
    arguments = task(simulator=simulator, threads=threads, scratch=scratch).arguments()
    return [sys.executable, "-m", f"experiments.benchmarks.simulators.{module}", *arguments]


if __name__ == "__main__":
    from bionet.app.cli import main

    sys.exit(main(["bench", __file__, *sys.argv[1:]]))
