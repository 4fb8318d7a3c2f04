"""The C++ program that Brian2 wrote, run when told to; ``with_brian.py`` turns into this when the program is built."""

import os
import sys
from array import array
from bisect import bisect_left
from pathlib import Path

from experiments.benchmarks.simulators.line import Line, Watch, mebibytes
from experiments.benchmarks.simulators.task import Task, parsed


def main() -> None:
    """Take turns."""
    times, cells, out, *arguments = sys.argv[1:]
    task = parsed(arguments)
    Line(int(out)).serve(lambda: _turn(task, times, int(cells)))


def _turn(task: Task, times: str, cells: int) -> dict:
    folder = task.scratch / "cpp"
    watch = Watch()
    process = os.posix_spawn("/bin/sh", ["sh", "-c", f'cd "{folder}" && exec ./main >&2'], os.environ)
    _, status, used = os.wait4(process, 0)
    call, cpu = watch.wall(), watch.cpu()
    if status:
        raise SystemExit(f"the C++ program ended with code {os.waitstatus_to_exitcode(status)}")
    loop = float((folder / "results" / "last_run_info.txt").read_text().split()[0])
    return task.result(
        _count_after(folder / "results" / times, task.settle),
        cells,
        simulate_s=loop,
        call_s=call,
        cpu_s=cpu,
        memory_mib=mebibytes(used.ru_maxrss),
    )


def _count_after(path: Path, settle: float) -> int:
    spikes = array("d", path.read_bytes())
    return len(spikes) - bisect_left(spikes, settle - 1e-9)  # times are in order; half a step and more to spare


if __name__ == "__main__":
    main()
