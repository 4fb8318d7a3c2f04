"""How long bionet takes to start: ``import bionet`` and ``bionet --help``, each in a process of its own.

The commands are run in turn, so that whatever else the machine is doing falls on all of them alike; the bare
interpreter and ``import brian2``, which every user of Brian2 pays, stand beside them.

    python experiments/benchmarks/startup.py [rounds]
"""

import os
import statistics
import subprocess
import sys
from time import perf_counter

COMMANDS = {
    "python, nothing imported": [sys.executable, "-c", "pass"],
    "import bionet": [sys.executable, "-c", "import bionet"],
    "bionet --help": [sys.executable, "-m", "bionet", "--help"],
    "import brian2 (for comparison)": [sys.executable, "-c", "import brian2"],
}


def main(rounds: int) -> None:
    """Print the median, least and greatest wall time of each command."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            start = perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            seconds[name].append(perf_counter() - start)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {rounds} rounds; wall time [s]")
    for name, times in seconds.items():
        print(f"{name:32} median {statistics.median(times):.3f}   min {min(times):.3f}   max {max(times):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
