"""Brian2 in each of its modes, and bionet, on one network: a process of its own that runs when it is told to.

``python -m experiments.benchmarks.simulators.with_brian cython cuba 4000 --seconds 1``, and then the word ``go``, as
often as wanted. Everything but :func:`_choose` is the same for all of them. What compiles does so in a process before
the one that takes the turns, as it does in all of a user's runs but the first: nobody's memory is that of a compiler.

The time of a turn, ``simulate_s``, is the loop over the time steps as Brian2 itself reports it (``_last_run_time``,
which a C++ binary writes into ``last_run_info.txt``); ``call_s`` is all of ``run()``, or of the binary.
"""

import gc
import json
import os
import shutil
import sys

from experiments.benchmarks.simulators.line import Line, Watch, peak_memory
from experiments.benchmarks.simulators.task import Task, parsed

# Options of the device; "dense" is the grid on which every neuron is advanced in every step.
_BIONET = {
    "bionet": {},
    "bionet_dense": {"lazy": False},
    "bionet_lazy": {"lazy": True},
    "bionet_event": {"engine": "event"},
}


def main() -> None:
    """Prepare the network, then take turns."""
    task, watch = parsed(), Watch()
    compiled = task.scratch / "compiled.json"
    known = json.loads(compiled.read_text()) if compiled.exists() else {}
    compiled.unlink(missing_ok=True)
    line = Line(known.pop("line", None))
    try:
        import brian2

        if task.simulator in _BIONET:
            import bionet.spiking  # noqa: F401 (registers the device)
    except ImportError as error:
        line.say(absent=f"cannot be imported: {error}")
        return
    if task.simulator == "cpp" and not (shutil.which("make") and shutil.which(os.environ.get("CXX", "g++"))):
        line.say(absent="needs a C++ compiler and make, which are not here")
        return
    brian2.BrianLogger.suppress_hierarchy("brian2.codegen")
    brian2.seed(1)
    _choose(task, brian2)
    brian2.defaultclock.dt = 0.1 * brian2.ms
    ready = {"version": _version(task), "import_s": watch.wall()}
    if task.simulator == "cpp" and not task.once:
        _become_binary(task, line, ready)
    turns = _Turns(task)
    if task.simulator != "numpy" and not task.once and not known:
        task.scratch.mkdir(parents=True, exist_ok=True)
        compiled.write_text(json.dumps({"line": line.out, **ready, **turns.prepared, "memory_mib": peak_memory()}))
        os.set_inheritable(line.out, True)
        os.execv(sys.executable, [sys.executable, "-m", __spec__.name, *task.arguments()])
    line.say(ready=ready | turns.prepared | known)
    line.serve(turns.take)


def _choose(task: Task, brian2) -> None:
    """Choose the simulator: these are the lines in which users' scripts would differ."""
    if task.simulator in _BIONET:
        threads = {"threads": task.threads} if task.threads else {}
        brian2.set_device("bionet", **_BIONET[task.simulator], **threads)
    elif task.simulator == "cpp":
        brian2.set_device("cpp_standalone", directory=str(task.scratch / "cpp"), build_on_run=task.once)
        brian2.prefs.devices.cpp_standalone.openmp_threads = task.threads if (task.threads or 1) > 1 else 0
    else:
        brian2.prefs.codegen.target = task.simulator
        brian2.prefs.codegen.runtime.cython.cache_dir = str(task.scratch / "cython")


class _Turns:
    """A network that stays in this process."""

    def __init__(self, task: Task) -> None:
        from brian2 import second

        self._task, self._second, self._used = task, second, False
        self.prepared = self._prepare()

    def _prepare(self) -> dict[str, float]:
        from experiments.benchmarks.simulators.networks import NETWORKS

        # With the last network gone, the objects of the next have the same names, and code compiled for them serves.
        self._network = self._spikes = None
        gc.collect()
        watch = Watch()
        self._network, self._spikes = NETWORKS[self._task.network](self._task.n)
        build = watch.wall()
        if self._task.once:
            return {"build_s": build}
        self._network.run(0 * self._second)
        compiled = watch.wall() - build
        self._network.run(self._task.settle * self._second)
        return {"build_s": build, "compile_s": compiled}

    def take(self) -> dict:
        """Run once and return what was measured."""
        from brian2 import get_device

        turn = Watch()
        if self._task.fresh and self._used:
            self._prepare()
        self._used = True
        before = 0 if self._task.once else self._spikes.num_spikes
        watch = Watch()
        self._network.run(self._task.seconds * self._second)
        call = watch.wall()
        return self._task.result(
            int(self._spikes.num_spikes) - int(before),
            len(self._spikes.source),
            simulate_s=get_device()._last_run_time,
            call_s=call,
            cpu_s=turn.cpu(),
            memory_mib=peak_memory(),
        )


def _become_binary(task: Task, line: Line, ready: dict) -> None:
    """Build the C++ program, then give this process over to ``binary.py``, which is small and runs it."""
    from brian2 import get_device, second

    from experiments.benchmarks.simulators.networks import NETWORKS

    watch = Watch()
    network, spikes = NETWORKS[task.network](task.n)
    if task.settle:
        network.run(task.settle * second)
    network.run(task.seconds * second)
    build = watch.wall()
    device = get_device()
    device.build(directory=str(task.scratch / "cpp"), run=False)
    # Brian2 compiles the settling and the measured run apart, so this is more than a script with one run waits for.
    line.say(ready={**ready, "build_s": build, "compile_s": watch.wall() - build, "memory_mib": peak_memory()})
    os.set_inheritable(line.out, True)
    times = device.get_array_filename(spikes.variables["t"])
    small = [sys.executable, "-S", "-m", "experiments.benchmarks.simulators.binary"]
    os.execv(small[0], [*small, times, str(len(spikes.source)), str(line.out), *task.arguments()])


def _version(task: Task) -> str:
    from importlib.metadata import version

    if task.simulator in _BIONET:
        return f"bionet {version('bionet')}, Numba {version('numba')}, Brian2 {version('brian2')}"
    return f"Brian2 {version('brian2')}" + (f", Cython {version('cython')}" if task.simulator == "cython" else "")


if __name__ == "__main__":
    main()
