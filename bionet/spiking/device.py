"""The Brian2 device ``bionet``: it runs networks, and arrays stay live in Python, as on Brian2's runtime device."""

from __future__ import annotations

import copy
import gc
import secrets
import sys
import time
from dataclasses import asdict
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2.codegen.codeobject import CodeObject
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.clocks import Clock
from brian2.core.network import Network, TextReport
from brian2.core.preferences import prefs
from brian2.devices.device import all_devices
from brian2.groups.group import Group, get_local_namespace
from brian2.synapses.synapses import Synapses, SynapticPathway
from brian2.units import Quantity, check_units, second
from brian2.utils.logger import get_logger

from bionet.errors import BionetError, InputError, suggest
from bionet.random import Stream
from bionet.spiking.conduction import conduction_of
from bionet.spiking.connect import create, recognise
from bionet.spiking.engines.grid import Grid, Randomness, Surroundings
from bionet.spiking.fused import FUSED, FusedCode
from bionet.spiking.guards import check, check_solution, diverged, first_nonfinite
from bionet.spiking.how_many_threads import how_many
from bionet.spiking.pathways import SpikeQueue
from bionet.spiking.reading import Reading, read
from bionet.spiking.refusals import RefusingDevice, check_texts, check_traces, watch
from bionet.spiking.solutions import kept_solutions
from bionet.spiking.states import restore, store

if TYPE_CHECKING:
    from bionet.spiking.engines.event import Event
    from bionet.spiking.engines.event_memory import Accuracy, Memory

logger = get_logger(__name__)

_OPTIONS: dict[str, tuple[Any, ...]] = {
    "engine": ("grid", "event"),
    "rng": ("bionet", "numpy"),
    "lazy": (None, True, False),
}
_MANY_SYNAPSES = 1e7
_MANY_THREADS = 1024
# What scripts give to any device, and this one has no use for.
_IGNORED = {"directory", "with_output", "profile", "clean", "compile", "run", "debug", "build_on_run"}


class BionetDevice(RefusingDevice):
    """Runs Brian2's networks with bionet's engines; chosen by ``set_device("bionet")``.

    Options of ``set_device``: ``engine`` ("grid"), ``rng`` ("bionet": counter-based random numbers; "numpy": drawn as
    Brian2's numpy target draws them, slowly, for comparisons), ``seed`` (a whole number; or call ``seed()``),
    ``threads`` (results are the same bits for any number; if absent, as many as pay on the grid, one for events),
    ``lazy`` (whether neurons of linear groups on the grid wait until something reaches them; None: where that pays).
    """

    def __init__(self) -> None:
        super().__init__()
        self.rng = "bionet"
        self.randomness = Randomness(secrets.randbits(62))
        self.seeded, self.connections, self.quiet = False, 0, False
        self.engine = "grid"
        self.threads: int | None = None
        self.lazy: bool | None = None
        self.left: Memory | None = None
        self.last_event: Event | None = None
        self.warned: set[str] = set()
        self.last_reading: Reading | None = None
        self.waited: dict[str, float] = {}

    def activate(self, build_on_run: bool = True, **options: Any) -> None:
        """Take the options of ``set_device``.

        Raises
        ------
        InputError
            If one is not known, or has no such value.
        """
        known = {name: value for name, value in options.items() if name not in _IGNORED}
        for name, value in known.items():
            if name == "seed":
                self.seed(int(value))
            elif name == "threads":
                _check_threads(value)
            elif name not in _OPTIONS:
                options_there = [*_OPTIONS, "seed", "threads"]
                raise InputError(f"set_device('bionet'): no option {name!r}{suggest(name, options_there)}")
            elif value not in _OPTIONS[name]:
                choices = ", ".join(map(repr, _OPTIONS[name]))
                raise InputError(f"set_device('bionet'): {name}: got {value!r}; expected one of {choices}")
        self.rng, self.engine = known.get("rng", "bionet"), known.get("engine", "grid")
        self.threads, self.lazy = known.get("threads"), known.get("lazy")
        # Brian2 gives these back when it returns to this device, which is no reason to draw the same numbers again.
        super().activate(build_on_run, **{name: value for name, value in options.items() if name != "seed"})

    # Code

    def code_object(
        self,
        owner: Any,
        name: str,
        abstract_code: dict[str, str],
        variables: dict[str, Any],
        template_name: str,
        variable_indices: dict[str, str],
        codeobj_class: type[CodeObject] | None = None,
        template_kwds: dict[str, Any] | None = None,
        override_conditional_write: Any = None,
        compiler_kwds: dict[str, Any] | None = None,
    ) -> CodeObject:
        """Return a code object; those of the step list wait to be read into one loop."""
        arguments = {
            "owner": owner,
            "name": name,
            "abstract_code": abstract_code,
            "variables": variables,
            "template_name": template_name,
            "variable_indices": variable_indices,
            "codeobj_class": codeobj_class,
            "template_kwds": template_kwds,
            "override_conditional_write": override_conditional_write,
            "compiler_kwds": compiler_kwds,
        }
        if template_name in FUSED and codeobj_class is NumpyCodeObject:
            return FusedCode(self, {**arguments, "dtype": prefs["core.default_float_dtype"]})
        return super().code_object(**arguments)

    def code_object_of_brian2(self, arguments: dict[str, Any]) -> CodeObject:
        """Return the code object that Brian2 would make of the same arguments."""
        return super().code_object(**{name: value for name, value in arguments.items() if name != "dtype"})

    def code_object_class(
        self, codeobj_class: type[CodeObject] | None = None, fallback_pref: str = "codegen.target"
    ) -> type[CodeObject]:
        """Return the class of a code object; what runs outside the loop is NumPy's unless the user chose."""
        if codeobj_class is None and fallback_pref == "codegen.target":
            return NumpyCodeObject
        return super().code_object_class(codeobj_class, fallback_pref=fallback_pref)

    def spike_queue(self, source_start: int, source_end: int) -> SpikeQueue:
        """Return the queue of a pathway."""
        return SpikeQueue(source_start, source_end)

    def synapses_connect(
        self,
        synapses: Synapses,
        condition: Any = None,
        i: Any = None,
        j: Any = None,
        p: Any = 1.0,
        n: Any = 1,
        skip_if_invalid: bool = False,
        namespace: dict[str, Any] | None = None,
        level: int = 0,
    ) -> None:
        """Create synapses, as ``Synapses.connect`` says.

        Connections that leave nothing to chance are Brian2's. Random ones follow the same law; they are other ones than
        Brian2 would draw, and so are left to Brian2 after ``seed(...)``, unless there are more than ten million.
        """
        if namespace is None:
            namespace = get_local_namespace(level=level + 2)
        check_texts(f"{synapses.name}.connect", condition=condition, i=i, j=j, p=p, n=n)
        found = recognise(synapses, condition, i, j, p, n, skip_if_invalid, namespace=namespace)
        if found is None or (found.random and not self._draws_connections(found.expected)):
            original = Synapses.connect.original_function
            original(synapses, condition, i, j, p, n, skip_if_invalid, namespace, level)
            return
        self.connections += 1
        create(synapses, found, Stream(self._connection_seed(), f"connect/{self.connections}"))

    def _draws_connections(self, expected: float) -> bool:
        return self.rng == "bionet" and (not self.seeded or expected > _MANY_SYNAPSES)

    def _connection_seed(self) -> int:
        # Scripts that seed NumPy's generator alone stay repeatable.
        return self.randomness.seed if self.seeded else int(np.random.randint(2**31))  # noqa: NPY002

    # Randomness

    def seed(self, seed: int | None = None) -> None:
        """Seed NumPy's generator, for what is set by strings, and that of the step list."""
        super().seed(seed)
        self.randomness = Randomness(secrets.randbits(62) if seed is None else int(np.uint64(seed)))
        self.seeded, self.connections = seed is not None, 0

    def get_random_state(self) -> dict[str, Any]:
        """Return the state of all random numbers."""
        return {**super().get_random_state(), "bionet": asdict(self.randomness)}

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Set the state of all random numbers."""
        super().set_random_state(state)
        self.randomness = Randomness(**copy.deepcopy(state["bionet"]))

    # States

    def network_store(self, network: Network, name: str = "default", filename: Any = None) -> None:
        """Store the state of a network, as ``Network.store`` says; files are bionet's own and hold no pickles."""
        store(network, name, filename, {} if self.left is None else self.left.plain())

    def network_restore(
        self, network: Network, name: str = "default", filename: Any = None, restore_random_state: bool = False
    ) -> None:
        """Restore the state of a network, as ``Network.restore`` says."""
        left = restore(network, name, filename, restore_random_state)
        if left or self.left is not None:
            from bionet.spiking.engines.event_memory import Memory

            self.left = Memory.of_plain({**left, "network": network.name})

    # Running

    @check_units(duration=second, report_period=second)
    def network_run(
        self,
        network: Network,
        duration: Quantity,
        report: Any = None,
        report_period: Quantity = 10 * second,
        namespace: dict[str, Any] | None = None,
        profile: bool | None = None,
        level: int = 0,
    ) -> None:
        """Run a network, as ``Network.run`` says."""
        gc.collect()  # shows the warnings of objects that are in no network
        objects = network.sorted_objects
        network._clocks = {each.clock for each in objects}
        clocks = sorted(network._clocks, key=lambda clock: clock.name)
        start, end = network.t, network.t + duration
        for clock in clocks:
            clock.set_interval(start, end)
        if namespace is None:
            namespace = get_local_namespace(level=level + 3)
        check(network, float(duration), namespace, on_grid=self.engine == "grid")
        if self.engine == "event":
            self._run_events(network, objects, clocks, namespace, report, report_period, duration)
            return
        _refuse_changing_delays(objects)
        with kept_solutions():
            network.before_run(namespace)
        check_solution(network, namespace)
        if not objects:
            return
        reading = read([each for each in objects if each.active], clocks, self.rng)
        self.last_reading = reading
        check_traces(reading)
        self._say_what_is_slow(reading)
        progress = _Progress(self, network, clocks, report, float(report_period), start, duration)
        around = Surroundings(
            values=reading.values,
            queues=[pathway.queue for pathway in reading.pathways],
            append=reading.append,
            outside=lambda number: progress.outside(reading.objects[number]),
            breathe=progress.breathe,
            diverged=lambda: progress.diverged(reading),
        )
        if profile is None:
            profile = self.build_options.get("profile", False)
        engine = self._grid(reading, around, bool(profile))
        progress.begin()
        Network._globally_running = True
        try:
            engine.run([clock._i_end for clock in clocks])
        finally:
            Network._globally_running = False
        progress.end(end)
        self.waited = {} if engine.waiting is None else engine.waiting.shares()
        for each in objects:
            if isinstance(each, Group):
                each._check_for_invalid_states()
        progress.report_end()
        network.after_run()
        network._profiling_info = [(name, spent * second) for name, spent in engine.times.items()] if profile else None

    def _grid(self, reading: Reading, around: Surroundings, profile: bool) -> Grid:
        # Threads share neurons by ranges, each of which is advanced in every step: nobody waits there.
        threads = 1 if profile or self.lazy else how_many(reading, self.threads).number
        if threads > 1:
            # One thread needs nothing of this.
            from bionet.spiking.engines.shared_grid import SharedGrid

            return SharedGrid(reading.program, around, self.randomness, threads, self.threads is not None)
        for queue in around.queues:
            queue.unite()
        return Grid(reading.program, around, self.randomness, profile, self.lazy)

    def _run_events(
        self,
        network: Network,
        objects: list[Any],
        clocks: list[Clock],
        namespace: dict[str, Any],
        report: Any,
        period: Quantity,
        duration: Quantity,
    ) -> None:
        """Run a network in continuous time."""
        # A network on the grid needs nothing of this.
        from bionet.spiking.continuous import read_continuous
        from bionet.spiking.engines.event_memory import Memory
        from bionet.spiking.unstepped import event_run, without_steps

        if self.left is None or (self.left.network, self.left.t) != (network.name, float(network.t_)):
            self.left = Memory(network.name)
        with kept_solutions(), without_steps():
            network.before_run(namespace)
        if not objects:
            return
        reading = read_continuous([each for each in objects if each.active], clocks, namespace)
        self.last_reading = reading.reading
        end = network.t + duration
        progress = _Progress(self, network, clocks, report, float(period), network.t, duration)
        Network._globally_running = True
        try:
            self.last_event = event_run(self, network, reading, clocks, progress, float(end))
        finally:
            Network._globally_running = False
        if self.last_event.reached == float(end):
            for clock in clocks:
                clock.variables["timestep"].set_value(np.int64(clock._i_end))
                clock.variables["t"].set_value(clock._i_end * clock.dt_)
        progress.end(end)
        self.left.t = float(network.t_)
        progress.report_end()
        network.after_run()

    def _say_what_is_slow(self, reading: Reading) -> None:
        for each in reading.program.outside():
            if each.name not in self.warned and not self.quiet:
                self.warned.add(each.name)
                logger.warn(
                    f"'{each.name}' runs outside the compiled loop, as Brian2 runs it, because {each.reason}; "
                    "everything else stays in the loop.",
                    "outside",
                    once=True,
                )


def _check_threads(threads: Any) -> None:
    whole = isinstance(threads, Integral) and not isinstance(threads, bool)
    if threads is not None and not (whole and 1 <= threads <= _MANY_THREADS):
        raise InputError(
            f"set_device('bionet'): threads: got {threads!r}; expected a whole number from 1 to {_MANY_THREADS}, such "
            "as 2, or None"
        )


def _refuse_changing_delays(objects: list[Any]) -> None:
    for each in objects:
        if isinstance(each, SynapticPathway) and conduction_of(each) is not None:
            raise InputError(
                f'{each.name}: its delays change during the run, which engine="grid" cannot do; '
                'call set_device("bionet", engine="event")'
            )


class _Progress:
    """What happens around the loop: reports, stops, the network's time."""

    def __init__(
        self,
        device: BionetDevice,
        network: Network,
        clocks: list[Clock],
        report: Any,
        period: float,
        start: Quantity,
        duration: Quantity,
    ) -> None:
        self.device, self.network, self.clocks = device, network, clocks
        self.start, self.duration, self.period = start, duration, period
        self.report = _reporter(report)

    def begin(self) -> None:
        self.began = time.time()
        self.next_report = self.began + self.period
        if self.report:
            self.report(0 * second, 0.0, self.start, self.duration)

    def _stopped(self) -> bool:
        return self.network._stopped or Network._globally_stopped

    def _now(self) -> float:
        return min(float(clock.variables["t"].get_value()[0]) for clock in self.clocks)

    def outside(self, each: Any) -> None:
        self.network.t_ = self._now()
        each.run()

    def diverged(self, reading: Reading) -> None:
        """Say which state is not finite, and stop.

        Raises
        ------
        BionetError
        """
        now = self.network.t_ = self._now()
        states = [(k, memory) for k, memory in enumerate(reading.values()) if reading.program.arrays[k].integrated]
        found = first_nonfinite([memory for _, memory in states])
        if found is not None:
            number, index = found
            array, memory = reading.program.arrays[states[number][0]], states[number][1]
            dt = min(clock.dt_ for clock in self.clocks)
            name = f"{array.owner}.{array.name}"
            raise BionetError(diverged(name, index, memory[index], max(now - 128 * dt, float(self.start)), now))

    def breathe(self) -> bool:
        self.network.t_ = self._now()
        now = time.time()
        if self.report and now > self.next_report:
            done = (self.network.t_ - float(self.start)) / float(self.duration)
            self.report((now - self.began) * second, done, self.start, self.duration)
            self.next_report = now + self.period
        limit = self.device._maximum_run_time
        if limit is not None and now - self.began > float(limit):
            self.network._stopped = True
        return self._stopped()

    def end(self, end: Quantity) -> None:
        self.took = time.time() - self.began
        self.network.t_ = self._now() if self._stopped() else float(end)
        self.device._last_run_time = self.took
        done = float(self.network.t_ - float(self.start)) / float(self.duration) if self.duration > 0 else 1.0
        self.device._last_run_completed_fraction = done

    def report_end(self) -> None:
        if self.report:
            done = self.device._last_run_completed_fraction
            self.report(self.took * second, done, self.start, self.duration)


def _reporter(report: Any) -> Any:
    if report is None or callable(report):
        return report
    streams = {"text": sys.stdout, "stdout": sys.stdout, "stderr": sys.stderr}
    if isinstance(report, str):
        if report not in streams:
            raise ValueError(f'Do not know how to handle report argument "{report}".')
        return TextReport(streams[report])
    raise TypeError(
        "Do not know how to handle report argument, it has to be one of 'text', 'stdout', 'stderr', or a callable "
        f"function/object, but it is of type {type(report)}"
    )


def accuracy() -> Accuracy:
    """Return how well the spike times of the last run in continuous time are known.

    Returns
    -------
    Accuracy
        The widest bracket of a spike [s], and how many grazes of a threshold rounding left open.

    Raises
    ------
    InputError
        If there was no such run.
    """
    last = register().last_event
    if last is None:
        raise InputError(
            "accuracy: nothing was run in continuous time; expected a run after set_device('bionet', engine='event')"
        )
    return last.accuracy()


def register() -> BionetDevice:
    """Make the device known to Brian2, once."""
    device = all_devices.get("bionet")
    if device is None:
        device = all_devices["bionet"] = BionetDevice()
        watch()
    return device
