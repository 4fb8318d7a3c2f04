"""How fast bionet's event engine is, beside its own grid engine and NEST's neurons with exact spike times.

    bionet bench event --only cuba --out event.json

The cost of events is that of the spikes that arrive, the cost of the grid that of its steps; so the networks go from
dense (CUBA) to sparse activity. The grid runs in steps of 0.1 ms and advances every neuron in each, which is what the
aims are about; beside it stands the grid on which neurons wait. Processes, turns and times are those of the spiking
benchmark (``spiking.py``). An aim of 50 ns for a spike that arrives is written as the time that CUBA's 1.78 million
such spikes a second would take.
"""

import sys
from functools import partial
from pathlib import Path

from bionet.app.contest import Contest, Entrant, Reach

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))

from experiments.benchmarks.simulators.task import Task  # noqa: E402

GRID, LAZY, TWO = "bionet, grid of 0.1 ms", "bionet, grid, neurons wait", "bionet, event, 2 threads"
NEST = "NEST, iaf_psc_exp_ps, 1 thread"


def contests(quick: bool = False) -> list[Contest]:
    """Return the contests: name, network, cells, biological seconds, and what is aimed at."""

    def hold(name, title, network, n, seconds, *reaches, nest=False, fresh=False, huge=False):
        seconds = seconds / 4 if quick else seconds
        task = partial(
            Task, network=network, n=n, seconds=seconds, settle=min(0.5, seconds), threads=1, fresh=fresh, once=False
        )
        ours = _entrant("bionet, event", "with_brian", task, "bionet_event", ours=True)
        two = partial(task.func, **task.keywords | {"threads": 2})
        entrants = (ours, _entrant(GRID, "with_brian", task, "bionet_dense", standard=True))
        # All are in memory at a time: of huge networks two must do.
        if not huge:
            entrants += (
                _entrant(LAZY, "with_brian", task, "bionet_lazy"),
                _entrant(TWO, "with_brian", two, "bionet_event"),
            )
        if nest:
            entrants += (_entrant(NEST, "with_nest", task, "nest"),)
        return Contest(name, title, entrants, reaches, per=seconds, unit="s/s")

    def than_grid(times):
        return Reach(1 / times, against=GRID)

    six_gib = Reach(6 * 1024, "memory_mib", absolute=True)
    return [
        hold(
            *("cuba", "CUBA, 4,000 cells, 80 inputs each, delays of 1 ms", "cuba_delayed", 4000, 4.0),
            *(Reach(50e-9 * 1.78e6, absolute=True), Reach(1 / 5, against=NEST)),
            nest=True,
            fresh=True,
        ),
        hold(
            *("cuba_delays", "CUBA, delays of 1 to 5 ms, each synapse its own", "cuba_delays", 4000, 4.0),
            Reach(1 / 3, against=NEST),
            nest=True,
            fresh=True,
        ),
        hold("sparse_10000", "10,000 cells, 100 inputs each, 0.1 Hz", "sparse", 10_000, 20.0, than_grid(15)),
        hold("sparse_100000", "100,000 cells, 100 inputs each, 0.1 Hz", "sparse", 100_000, 10.0, than_grid(6)),
        hold(
            *(
                "sparse_1000000",
                "1,000,000 cells, 100 inputs each, 0.1 Hz",
                "sparse",
                10**6,
                0.3,
                than_grid(4),
                six_gib,
            ),
            huge=True,
        ),
        hold("larva", "Brain of the larval fly, 21 cells driven", "larva", 21, 10.0, than_grid(1)),
    ]


def _entrant(name: str, module: str, task, simulator: str, **kind: bool) -> Entrant:
    return Entrant(name, partial(_command, module, task, simulator), _ROOT, **kind)


def _command(module: str, task, simulator: str, scratch: Path) -> list[str]:
    arguments = task(simulator=simulator, scratch=scratch).arguments()
    return [sys.executable, "-m", f"experiments.benchmarks.simulators.{module}", *arguments]


if __name__ == "__main__":
    from bionet.app.cli import main

    sys.exit(main(["bench", __file__, *sys.argv[1:]]))
