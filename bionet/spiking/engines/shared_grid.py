"""The ``grid`` engine on several threads: the same numbers as on one, bit for bit."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

import bionet.spiking.program as p
from bionet.spiking.engines import printing
from bionet.spiking.engines.grid import Grid, Randomness, Surroundings
from bionet.spiking.engines.joining import narrow_indices
from bionet.spiking.engines.shared_printing import print_shared
from bionet.spiking.engines.sharing import Sharing
from bionet.spiking.engines.text import Layout, Place
from bionet.spiking.engines.threads import Crew, border
from bionet.spiking.machine_code import address
from bionet.spiking.pathways import SpikeQueue

# Calls from which it shows whether threads have a core each [s]; the least part of the time for which they then are
# busy; and after how many calls without the threads are too many.
_LONG, _BUSY, _PATIENCE = 0.02, 0.8, 3


class SharedGrid(Grid):
    """A compiled program that several threads run.

    Parameters
    ----------
    program : Program
    surroundings : Surroundings
    randomness : Randomness
        Advanced by the run.
    n_threads : int
        At least two.
    insisting : bool
        Take as many even where other processes take the cores: threads that wait for one that has no core lose time.
    """

    def __init__(
        self,
        program: p.Program,
        surroundings: Surroundings,
        randomness: Randomness,
        n_threads: int,
        insisting: bool = True,
    ) -> None:
        self.n_threads, self.insisting, self.crowded = n_threads, insisting, 0
        values = surroundings.values()
        self.sharing = Sharing(
            program, [each.size for each in values], [int(each.begin[-1]) for each in surroundings.queues]
        )
        self.narrow = narrow_indices(program, values)
        for number, queue in enumerate(surroundings.queues):
            if number not in self.sharing.splits:
                queue.unite()
        self.parts = self._divided(program, surroundings.queues, values)
        self.crew = Crew(n_threads)
        self.mine = [np.array([thread, n_threads]) for thread in range(n_threads)]
        self.common: dict[Place, NDArray] = {}
        # The first thread's memory is the network's; what each has by itself, the others have copies of.
        self.copies: dict[tuple[int, str, int, str], NDArray] = {}
        self.renewed: list[tuple[NDArray, NDArray]] = []
        self.others: list[tuple[NDArray, NDArray]] = []
        super().__init__(program, surroundings, randomness)

    def _divided(
        self, program: p.Program, queues: list[SpikeQueue], values: list[NDArray]
    ) -> dict[int, list[SpikeQueue]]:
        """Return the queues of the threads, for each pathway whose synapses are shared out."""
        found = {}
        for number, split in self.sharing.splits.items():
            borders = [border(split.n, k, self.n_threads) for k in range(self.n_threads + 1)]
            if split.index is None:
                found[number] = queues[number].divide((self.n_threads, None), None, borders)
            else:
                index = program.arrays[split.index]
                key = (self.n_threads, split.n, index.owner, index.name)
                column = split.index, "uint16" if split.index in self.narrow else f"u{index.dtype}"
                found[number] = queues[number].divide(key, values[split.index], borders, column)
        return found

    def _printed(self, profile: bool) -> printing.Source:
        layouts = [
            Layout(each.homogeneous, self.parts[number][0].in_order if number in self.parts else each.in_order)
            for number, each in enumerate(self.around.queues)
        ]
        source, self.n_meetings = print_shared(self.program, layouts, self.sharing, self.narrow)
        return source

    def _queues(self) -> list[SpikeQueue]:
        whole = [each for number, each in enumerate(self.around.queues) if number not in self.parts]
        return whole + [each for parts in self.parts.values() for each in parts]

    # Memory

    def bind(self) -> None:
        """Take the addresses of all memory, for each thread."""
        super().bind()
        self.renewed, self.others = [], []
        for thread in range(1, self.n_threads):
            table, sizes = self.table.copy(), self.sizes.copy()
            for k, place in enumerate(self.source.places):
                memory = self._own_memory(place, thread)
                if memory is not None:
                    table[k], sizes[k] = address(memory), memory.size
            self.others.append((table, sizes))

    def _memory(self, place: Place) -> NDArray | None:
        if place.kind == "meeting":
            return self.crew.meeting
        if place.kind == "found":
            return self.common.setdefault(place, np.zeros(8 * self.n_threads, np.int64))
        if place.kind == "segments":
            return self.common.setdefault(place, np.empty_like(self.arrays[int(place.part)]))
        own = self._own_memory(place, 0)
        return super()._memory(place) if own is None else own

    def _own_memory(self, place: Place, thread: int) -> NDArray | None:
        """Return what a thread has by itself; None if that is everybody's, or the first thread's."""
        match place.kind:
            case "mine":
                return self.mine[thread]
            case "queue" if place.number in self.parts:
                return getattr(self.parts[place.number][thread], place.part)
            case "column" if place.number in self.parts:
                array = int(place.part)
                return self.parts[place.number][thread].column(array, self.arrays[array], place.dtype)
            case "array" if place.number in self.sharing.private and thread:
                return self._copy(place, thread)
            case "hazard" | "hits" if thread:
                return self._copy(place, thread)
        return None

    def _copy(self, place: Place, thread: int) -> NDArray:
        original = super()._memory(place)
        assert original is not None
        # One array may be read as numbers of several types.
        name = (thread, place.kind, place.number, place.part)
        copy = self.copies.get(name)
        if copy is None or copy.size != original.size:
            copy = self.copies[name] = original.copy()
        self.renewed.append((copy, original))
        return copy

    # Running

    def run(self, ends: list[int]) -> None:
        """Run until each clock has reached its end (in steps), or until told to stop."""
        try:
            super().run(ends)
        finally:
            self.crew.leave()

    def _call(self, segment: int) -> None:
        for copy, original in self.renewed:
            copy[:] = original
        values = self.program.floats, self.program.integers
        mine = self.table, self.sizes, *values, self.control, self.keys
        others = [(*each, *values, self.control.copy(), self.keys) for each in self.others]
        wall, busy = time.perf_counter(), time.process_time()
        self.crew.run(self.kernel, [mine, *others])
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        if not self.insisting and self.n_threads > 1 and wall > _LONG:
            # Who waits is busy too: a thread that is not busy has no core.
            self.crowded = self.crowded + 1 if busy < _BUSY * self.n_threads * wall else 0
            if self.crowded == _PATIENCE:
                self._go_on_alone()

    def _go_on_alone(self) -> None:
        self.n_threads = self.mine[0][1] = 1
        self.parts = self._divided(self.program, self.around.queues, self.arrays)
        self.bind()
