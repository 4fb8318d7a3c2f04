"""The text of what many neurons do at one instant: those that a spike reaches move on together.

What a loop does for each of them is written for a lot of neurons at a time, without branches, from columns of a table
that stays in the first cache: so the compiler makes vector instructions of it, and the bits are those of one at a time.
"""

from __future__ import annotations

import bionet.spiking.program as p
from bionet.spiking.crossing import HORIZON
from bionet.spiking.engines.event_flows import FlowText
from bionet.spiking.flow import Flow

#: As many neurons as are moved at a time.
LOT = 256


class BatchText(FlowText):
    """Prints the functions of many neurons."""

    def is_batched(self, number: int) -> bool:
        """Return whether the neurons of a flow can move together: with one closed form for all."""
        layout = self.flow_layouts[number]
        return layout.free is not None and not layout.many_classes

    def is_by_row(self, pathway: int) -> bool:
        """Return whether a spike reaches all synapses of its row at once: all of a pathway have one delay, for good."""
        stays = pathway not in self.network.changing and pathway not in self.network.fronts
        return stays and self.axon_layouts[pathway].homogeneous

    def column(self, number: int, k: int) -> str:
        """Return the place of a neuron of the lot in a column: a variable's, an input's, then two of any use."""
        return f"{self.place('room', number, 'columns', 'float64')}[np.uint64({k * LOT}) + k]"

    def gather(self, number: int, flow: Flow) -> None:
        """Print how the variables and inputs of one of the lot get into the columns."""
        layout, row, n = self.flow_layouts[number], self.row(number), len(flow.states)
        self.add(f"r = i * np.uint64({layout.stride})")
        for column in range(n):
            self.add(f"{self.column(number, column)} = {row[column]}")
        if layout.many_inputs:
            inputs = self.place("inputs", number, "", "float64")
            for column in range(layout.n_inputs + 1):
                place = f"i * np.uint64({layout.n_inputs + 1}) + np.uint64({column})"
                self.add(f"{self.column(number, n + column)} = {inputs}[{place}]")

    def inputs_at_once(self, number: int, flow: Flow) -> None:
        """Print the inputs that are the same for all."""
        layout, n = self.flow_layouts[number], len(flow.states)
        self.add("kind = 0")
        if not layout.many_inputs:
            inputs = self.place("inputs", number, "", "float64")
            for column in range(layout.n_inputs + 1):
                self.add(f"x{n + column} = {inputs}[{column}]")

    def columns_read(self, number: int, flow: Flow) -> None:
        """Print how variables and inputs are read from the columns."""
        layout, n = self.flow_layouts[number], len(flow.states)
        for column in range(n + (layout.n_inputs + 1 if layout.many_inputs else 0)):
            self.add(f"x{column} = {self.column(number, column)}")

    def advance_many(self, number: int, flow: Flow) -> None:
        """Print how the neurons of the lot are brought to a time."""
        n, row, lot = len(flow.states), self.row(number), self.place("room", 0, "lot", "uint32")
        last = n + self.flow_layouts[number].n_inputs + 1
        with self.function(f"advance_many_{number}(n, w, off, memory)"):
            with self.block("for k in range(np.uint64(n)):"):
                self.add(f"i = np.uint64({lot}[k])")
                if flow.refractory:
                    self.add(f"r = i * np.uint64({self.flow_layouts[number].stride})")
                    with self.block(f"if {row.is_refractory}:"):
                        self.add(f"advance_{number}(i, w, off, memory)")
                self.gather(number, flow)
                self.add(f"{self.column(number, last)} = (w - {row[n]}) * window + (off - {row[n + 1]})")
            self.inputs_at_once(number, flow)
            self.constants_of(number, "free")
            with self.block("for k in range(np.uint64(n)):"):
                self.columns_read(number, flow)
                self.add(f"h = {self.column(number, last)}")
                for k in range(n):
                    self.add(f"z{k} = x{k}")
                self.step(number, flow, "free")
                for k in range(n):
                    self.add(f"{self.column(number, k)} = x{k} if h > 0.0 else z{k}")
            with self.block("for k in range(np.uint64(n)):"):
                self.add(f"r = np.uint64({lot}[k]) * np.uint64({self.flow_layouts[number].stride})")
                for k in range(n):
                    self.add(f"{row[k]} = {self.column(number, k)}")
                for line in row.set_time():
                    self.add(line)

    def silences(self) -> None:
        """Print how long each of the neurons that have been touched at (w, off) is surely silent.

        Those to be looked at on their own have a time below 0.
        """
        with self.function("silences(touched, n_touched, quiet, w, off, memory)"):
            self.add("quiet[:n_touched] = -1.0")
            bounds = self.place("bounds", 0, "", "int64")
            lot, places = (self.place("room", 0, part, "uint32") for part in ("lot", "places"))
            with self.block(f"for low in range(np.uint64(0), np.uint64(n_touched), np.uint64({LOT})):"):
                self.add(f"high = min(low + np.uint64({LOT}), np.uint64(n_touched))")
                for number, flow in enumerate(self.network.flows):
                    if not self.is_batched(number) or flow.fires_at is None or flow.hazard is not None:
                        continue
                    self.add("n = np.uint64(0)")
                    with self.block("for k in range(low, high):"):
                        self.add("u = touched[k]")
                        with self.block(f"if {bounds}[{number}] <= u < {bounds}[{number + 1}]:"):
                            self.add(f"r = np.uint64(u - {bounds}[{number}]) * np.uint64({self.stride(number)})")
                            waits = self.row(number).is_refractory if flow.refractory else "False"
                            with self.block(f"if not {waits}:"):
                                self.add(f"{lot}[n] = u - {bounds}[{number}]")
                                self.add(f"{places}[n] = k")
                                self.add("n += np.uint64(1)")
                    self.silence_of_lot(number, flow)
                    with self.block("for k in range(n):"):
                        self.add(f"quiet[{places}[k]] = {self.column(number, 0)}")

    def stride(self, number: int) -> int:
        """Return how many numbers a row has."""
        return self.flow_layouts[number].stride

    def silence_of_lot(self, number: int, flow: Flow) -> None:
        """Print the silence of the neurons of the lot, all at the same time, into the first column."""
        pattern, lot = self.flow_layouts[number].free, self.place("room", 0, "lot", "uint32")
        assert pattern is not None
        with self.block("for k in range(n):"):
            self.add(f"i = np.uint64({lot}[k])")
            self.gather(number, flow)
        self.inputs_at_once(number, flow)
        self.add("first = 0")
        self.distance_constants(number, pattern)
        with self.block("for k in range(n):"):
            self.columns_read(number, flow)
            for q, part in enumerate(self.distance(number, flow)):
                self.add(f"f{q} = {part}")
            value, slope, bend, highest = self.bounds_at_start(number, pattern)
            self.add(f"value, slope, bend = {value}, {slope}, {bend}")
            self.add("steep = slope + math.sqrt(slope * slope - 2.0 * bend * value)")
            self.add(f"silent = min(-2.0 * value / steep, {HORIZON})")
            self.add(f"silent = inf if ({highest} < 0.0) | (steep <= 0.0) else silent")
            self.add(f"{self.column(number, 0)} = -1.0 if value >= 0.0 else silent")

    def reached_together(self, each: p.Deliver) -> tuple[int, str] | None:
        """Return the flow and index of the neurons that a row of synapses reaches, if they can move together."""
        if not self.is_by_row(each.pathway):
            return None
        found = list(self.present(each.code, "i"))
        return found[0] if len(found) == 1 and self.is_batched(found[0][0]) else None

    def bring_together(self, each: p.Deliver, flow: int, at: str) -> None:
        """Print how the neurons that synapses [low, high) reach are brought to the present."""
        lot = self.place("room", 0, "lot", "uint32")
        with self.block("for k in range(low, high):"):
            if self.axon_layouts[each.pathway].in_order:
                self.add("i = k")
            start = len(self.lines)
            self.follow(each.code, (*each.code.vector_reads, *each.code.vector_writes), "i")
            self.look_up_synapse(each.pathway, start)
            self.add(f"{lot}[k - low] = {at}")
            self.add(f"fetch_line({self.rows(flow)}, np.uint64({at}) * np.uint64({self.stride(flow)}))")
        self.add(f"advance_many_{flow}(high - low, w, off, memory)")
