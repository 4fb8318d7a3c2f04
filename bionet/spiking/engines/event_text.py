"""The text of the ``event`` engine's module: what is different for each network, printed for Numba."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager

import bionet.spiking.program as p
from bionet.spiking.continuous import Given, PoissonDrive, PoissonSource
from bionet.spiking.departures import at_a_time
from bionet.spiking.engines import event_arrivals
from bionet.spiking.engines.event_arrivals import FARTHEST
from bionet.spiking.engines.event_batches import LOT
from bionet.spiking.engines.event_front_text import FrontText
from bionet.spiking.engines.event_fronts import AXON
from bionet.spiking.engines.event_names import decorated, is_called_by_address
from bionet.spiking.engines.event_queues import DRAW, FIRST_MONITOR, NEVER, WHO, WRONG
from bionet.spiking.flow import DELAY, LENGTH, REFRACTORY, Flow

_TOUCHING = "w, off, now, draw, touched, n_touched, seen, memory"


class EventText(FrontText):
    """Prints a network's functions."""

    def print(self) -> str:
        """Return the module's text."""
        for number, flow in enumerate(self.network.flows):
            for column, array in enumerate(flow.states):
                self.columns[array] = (number, column)
        operations = self.network.reading.program.operations
        for number, flow in enumerate(self.network.flows):
            if self.flow_layouts[number].free is None:
                self.integrated(number, flow)
            else:
                self.advance(number, flow)
                self.search(number, flow)
                if self.is_batched(number):
                    self.advance_many(number, flow)
            self.move(number)
            self.show(number, flow)
            self.reset(
                number, [each for each in operations if isinstance(each, p.Reset) and each.events == flow.events]
            )
        for number, source in enumerate((*self.network.flows, *self.network.sources)):
            self.fire(number, source)
            self.launch(number, source)
            if isinstance(source, PoissonSource) and source.moves:
                self.rates(number, source)
        for each in operations:
            if isinstance(each, p.Deliver):
                self.deliver(each)
                self.fetch(each)
        self.fronts()
        for number, drive in enumerate(self.network.drives):
            self.inject(number, drive)
        for number, each in enumerate(operations):
            if isinstance(each, p.Update):
                self.regular(number, each)
            if isinstance(each, p.RecordStates):
                self.sample(number, each)
        self.flights()
        self.silences()
        # What is called by address is compiled as it is read: what it calls comes before it.
        return "\n".join([*sorted(self.functions, key=is_called_by_address), ""])

    def fire(self, number: int, each: Flow | Given | PoissonSource) -> None:
        """Print what a spike is to its own neuron, and to monitors."""
        with self.function(f"fire_{number}(i, w, off, now, control, memory)"):
            self.add(f"draw = control[{DRAW}]")
            for operation in self.program.operations:
                if isinstance(operation, p.RecordEvents) and operation.events == each.events:
                    self.record(operation)
                if isinstance(operation, p.RecordRate) and operation.events == each.events:
                    start, stop = self.constant(operation.start), self.constant(operation.stop)
                    with self.block(f"if i >= {start} and i < {stop}:"):
                        self.add(f"{self.place('count', operation.monitor, '', 'int64')}[0] += 1")
            if isinstance(each, Flow) and each.hazard is not None:
                self.draw_hazard(number, each)
            if isinstance(each, Flow) and each.not_refractory is not None and each.last_spike is not None:
                n, rows = len(each.states), self.rows(number)
                if each.released_at:
                    self.add(f"r = i * np.uint64({self.flow_layouts[number].stride})")
                    self.add(f"{rows}[r + np.uint64({n + 2})], {rows}[r + np.uint64({n + 3})] = {NEVER}, 0.0")
                    self.add(f"{self.array(each.not_refractory)}[i] = False")
                    self.add(f"{self.array(each.last_spike)}[i] = now")
                    return
                self.operation += 1
                self.scalars(each.code)
                self.elements(each.code, "i")
                self.add(f"r = i * np.uint64({self.flow_layouts[number].stride})")
                self.add(f"later = off + {self.local(REFRACTORY)}")
                self.add("carry = np.floor(later / window)")
                with self.block(f"if {self.local(REFRACTORY)} > 0.0:"):
                    self.add(f"{rows}[r + np.uint64({n + 2})] = w + carry")
                    self.add(f"{rows}[r + np.uint64({n + 3})] = later - carry * window")
                    self.add(f"{self.array(each.not_refractory)}[i] = False")
                self.add(f"{self.array(each.last_spike)}[i] = now")

    def draw_hazard(self, number: int, each: Flow) -> None:
        """Print how a neuron that fires at random draws how much of its hazard the next spike takes."""
        assert each.hazard is not None
        row, key = self.row(number), self.place("hazard", number, "", "uint64")
        left, drawn = row[each.hazard], row[each.hazard + 1]
        self.add(f"r = i * np.uint64({self.flow_layouts[number].stride})")
        self.add(f"{left} = -function_log1p(-uniform({key}[0], np.int64({drawn}), i))")
        self.add(f"{drawn} += 1.0")

    def record(self, each: p.RecordEvents) -> None:
        """Print how a spike is recorded."""
        place = FIRST_MONITOR + 3 * each.monitor
        self.operation += 1
        start, stop = self.constant(each.start), self.constant(each.stop)
        with self.block(f"if i >= {start} and i < {stop}:"):
            self.scalars(each.code)
            self.elements(each.code, "i")
            self.add(f"place = control[{place}]")
            for k, (name, array) in enumerate(each.columns):
                column = self.place("events", each.monitor, str(k), self.program.arrays[array].dtype)
                self.add(f"{column}[place] = {self.local(name)}")
            self.add(f"control[{place}] = place + 1")
            self.add(f"{self.array(each.count)}[i - np.uint64({start})] += 1")

    def rates(self, number: int, each: PoissonSource) -> None:
        """Print the rates of processes of a source at times."""
        self.operation += 1
        with self.function(f"rates_{number}(processes, windows, offsets, found, memory)"):
            self.add("draw = 0")
            with self.block("for k in range(processes.size):"):
                self.add("i = np.uint64(processes[k])")
                self.add("now = windows[k] * window + offsets[k]")
                self.scalars(each.code)
                self.elements(each.code, "i")
                self.add(f"found[k] = {self.local('_rate')}")

    def launch(self, number: int, each: Flow | Given | PoissonSource) -> None:
        """Print how a spike leaves along pathways."""
        with self.function(f"launch_{number}(i, w, off, window, memory)"):
            self.add("c = agenda_of(memory)")
            for operation in self.program.operations:
                if isinstance(operation, p.Push) and operation.events == each.events:
                    pathway = operation.pathway
                    bounds = self.place("bounds", 1 + pathway, "", "int64")
                    starts, delay = self.axons(pathway, "starts"), self.axons(pathway, "delay")
                    with self.block(f"if i >= {bounds}[0] and i < {bounds}[1]:"):
                        self.add(f"row = np.int64(i) - {bounds}[0]")
                        self.add(f"k, end = {starts}[row], {starts}[row + 1]")
                        if pathway in self.network.changing:
                            self.launch_row(pathway, self.network.changing[pathway])
                        elif pathway in self.network.fronts:
                            self.set_out(pathway)
                        elif self.is_by_row(pathway):
                            with self.block("if end > k:"):
                                self.add(f"send({pathway}, row, w, off, {delay}[0], window, c)")
                        else:
                            with self.block("if end > k:"):
                                self.add(f"take_off({pathway}, k, end, w, off, {delay}[k], window, c)")
            self.add("return")

    def flights(self) -> None:
        """Print how flights go on, whose delays are their synapses' own and stay."""
        with self.function("delays_of(pathway, memory)"):
            for number, layout in enumerate(self.axon_layouts):
                if not layout.homogeneous:
                    self.add(f"if pathway == {number}: return {self.axons(number, 'delay')}")
            self.add("return view(0, 0, float64)")
        for each in event_arrivals.FUNCTIONS:
            self.functions.append(decorated(each.__name__) + inspect.getsource(each))

    def launch_row(self, pathway: int, code: p.Code) -> None:
        """Print how a spike leaves along a row of synapses, each with the delay that it has now."""
        with self.each_of_row(pathway, code):
            delay = self.local(DELAY)
            with self.block(f"if not (0.0 <= {delay} < {FARTHEST} * window):"):
                self.add(f"c.control[{WRONG}], c.control[{WHO}] = {pathway} + 1, i")
                self.add(f"{delay} = 0.0")
            self.add(f"send({pathway}, np.int64(k), w, off, {delay}, window, c)")

    @contextmanager
    def each_of_row(self, pathway: int, code: p.Code) -> Iterator[None]:
        """Print a loop over the synapses of a row along which a spike leaves, and what code computes of each."""
        in_order = self.axon_layouts[pathway].in_order
        self.operation += 1
        self.add("now, draw = w * window + off, 0")
        self.scalars(code)
        with self.block("for k in range(np.uint64(k), np.uint64(end)):"):
            self.add("i = k" if in_order else f"i = {self.axons(pathway, 'order')}[k]")
            self.is_touching = False
            self.run_code(code, "i")
            self.is_touching = True
            yield

    def set_out(self, pathway: int) -> None:
        """Print how a spike leaves along synapses as a front."""
        with self.each_of_row(pathway, at_a_time(self.network.fronts[pathway], (LENGTH,))):
            axon = f"{self.front('bases')}[{pathway}] + np.int64(k)"
            self.add(f"depart({axon}, {pathway}, np.int64(i), w, off, window, {self.local(LENGTH)}, memory)")

    def deliver(self, each: p.Deliver) -> None:
        """Print what happens at synapses, or rows of them, that are reached at once."""
        self.operation += 1
        in_order, together = self.axon_layouts[each.pathway].in_order, self.reached_together(each)
        with self.function(f"deliver_{each.pathway}(k, stop, {_TOUCHING})"):
            self.scalars(each.code)
            if self.is_by_row(each.pathway):
                starts = self.axons(each.pathway, "starts")
                self.add(f"k, stop = {starts}[k], {starts}[stop]")
            self.sorted_pathway = None if in_order else each.pathway
            with self.block(f"for low in range(np.uint64(k), np.uint64(stop), np.uint64({LOT})):"):
                self.add(f"high = min(low + np.uint64({LOT}), np.uint64(stop))")
                if together:
                    self.bring_together(each, *together)
                with self.block("for k in range(low, high):"):
                    if in_order:
                        self.add("i = k")
                    start = len(self.lines)
                    with self.velocities_changed(each.code):
                        self.run_code(each.code, "i", present=together is not None)
                    self.look_up_synapse(each.pathway, start)
            self.sorted_pathway = None
            self.add("return n_touched")

    def fetch(self, each: p.Deliver) -> None:
        """Print how what a synapse needs that is reached next is fetched from memory, while others are computed.

        A row that is reached at once is not: its synapses do not wait for each other's memory.
        """
        layout, own = self.axon_layouts[each.pathway], (*each.code.vector_reads, *each.code.vector_writes)
        if self.is_by_row(each.pathway):
            return
        references = [each.code.names[name] for name in own]
        arrays = {it.array: 0 for it in references if isinstance(it, p.Reference) and it.index == "_idx"}
        with self.function(f"fetch_{each.pathway}(k, later, seen, place_of, due, wanted, memory)"):
            self.sorted_pathway = None if layout.in_order else each.pathway
            self.add("k, later = np.uint64(k), np.uint64(later)")
            if not layout.in_order:
                self.add(f"fetch_line({self.axons(each.pathway, 'order')}, later)")
            if each.pathway in self.network.fronts:
                self.add(f"base = np.uint64({self.front('bases')}[{each.pathway}])")
                self.add(f"fetch_line({self.front('slots')}, base + later)")
                self.add(f"row = {self.front('slots')}[base + k]")
                with self.block("if row >= 0:"):
                    self.add(f"fetch_line({self.front('axons')}, np.uint64(row) * np.uint64({AXON}))")
            if layout.in_order:
                self.add("i = k")
            start = len(self.lines)
            self.follow(each.code, own, "i")
            for line in self.lines[start:]:
                found = re.fullmatch(r"\s*\w+ = (\w+)\[([ik])\]", line)
                if found and (found[2] == "k" or layout.in_order):
                    self.add(f"fetch_line({found[1]}, later)")
            for array in arrays:
                self.add(f"fetch_line({self.array(array)}, np.uint64(i))")
            for flow, at in self.present(each.code, "i"):
                self.add(f"fetch_line({self.rows(flow)}, np.uint64({at}) * np.uint64({self.stride(flow)}))")
                self.add(f"u = np.uint64({self.place('bounds', 0, '', 'int64')}[{flow}]) + np.uint64({at})")
                for name in ("seen", "place_of", "due", "wanted"):
                    self.add(f"fetch_line({name}, u)")
            self.look_up_synapse(each.pathway, start)
            self.sorted_pathway = None

    def inject(self, number: int, each: PoissonDrive) -> None:
        """Print what a Poisson event does to its neuron."""
        self.operation += 1
        with self.function(f"inject_{number}(u, {_TOUCHING})"):
            self.scalars(each.code)
            self.add("i = np.uint64(u)")
            self.run_code(each.code, "i")
            self.add("return n_touched")

    def reset(self, number: int, operations: list[p.Reset]) -> None:
        """Print the reset of a neuron."""
        with self.function(f"reset_{number}(i, w, off, now, draw, memory)"):
            for each in operations:
                self.operation += 1
                self.scalars(each.code)
                self.follow(each.code, (*each.code.vector_reads, *each.code.vector_writes), "i")
                self.elements(each.code, "i")
            self.add("return")

    def sample(self, number: int, each: p.RecordStates) -> None:
        """Print how one row of states is recorded; afterwards the neurons are where they were."""
        self.operation += 1
        with self.function(f"sample_{number}(w, off, now, place, memory)"):
            self.add("draw = 0")
            self.scalars(each.code)
            n = self.constant(each.n_indices)
            keys = list(self.present(each.code, "i"))
            for k, (flow, _) in enumerate(keys):
                self.add(f"kept_{k} = np.empty({self.flow_layouts[flow].stride})")
            with self.block(f"for k in range(np.uint64({n})):"):
                self.add(f"i = {self.indices(each.indices)}[k]")
                self.follow(each.code, (*each.code.vector_reads, *each.code.vector_writes), "i")
                for k, (flow, at) in enumerate(keys):
                    self.put_aside(k, flow, at, f"kept_{k}[m] = {{}}")
                    self.add(f"advance_{flow}({at}, w, off, memory)")
                self.elements(each.code, "i")
                for k, (flow, at) in enumerate(keys):
                    self.put_aside(k, flow, at, f"{{}} = kept_{k}[m]")
                for column, (name, array) in enumerate(each.columns):
                    out = self.place("states", each.monitor, str(column), self.program.arrays[array].dtype)
                    self.add(f"{out}[np.uint64(place) * np.uint64({n}) + k] = {self.local(name)}")

    def put_aside(self, k: int, flow: int, at: str, copy: str) -> None:
        """Print how a neuron's row is copied, or copied back, its readiness to fire with it."""
        stride, free = self.flow_layouts[flow].stride, self.network.flows[flow].not_refractory
        with self.block(f"for m in range({stride}):"):
            self.add(copy.format(f"{self.rows(flow)}[np.uint64({at}) * np.uint64({stride}) + np.uint64(m)]"))
        if free is not None:
            cell = f"{self.array(free)}[np.uint64({at})]"
            self.add(f"free_{k} = {cell}" if copy.startswith("kept") else f"{cell} = free_{k}")

    def regular(self, number: int, each: p.Update) -> None:
        """Print code that is run for all elements at its own times."""
        self.operation += 1
        self.is_touching = False
        with self.function(f"regular_{number}(w, off, now, draw, memory)"):
            self.scalars(each.code)
            if each.code.vector:
                with self.block(f"for i in range(np.uint64({self.constant(each.n)})):"):
                    self.run_code(each.code, "i")
        self.is_touching = True
