"""The text of operations: thresholds, synapses, monitors and the rest of a step, printed for Numba.

Two rules make the compiler vectorise the inner loops: indices are unsigned, so that none can count from the end; and
what collects events looks for any in a block of elements first.
"""

from __future__ import annotations

import re

import bionet.spiking.program as p
from bionet.spiking.engines.text import Text
from bionet.spiking.expressions import FLOAT, Node

#: Elements in which events are looked for at a time: as many as stay in the first cache.
BLOCK = 256
#: The first place in ``control`` of the monitors' counters.
FIRST_MONITOR = 8


class Operations(Text):
    """Prints operations."""

    def counter(self, monitor: int) -> tuple[str, str]:
        """Return where a monitor's count and the room for it are."""
        place = FIRST_MONITOR + 2 * monitor
        return f"control[{place}]", f"control[{place + 1}]"

    def ends(self, n: p.Constant) -> tuple[str, str]:
        """Return between which elements, of n, a loop goes."""
        return "uint64(0)", f"uint64({self.constant(n)})"

    def span(self, n: p.Constant) -> str:
        """Return the range of a loop over elements."""
        return f"uint64({self.constant(n)})"

    def collected(self, each: p.Threshold) -> str:
        """Return the array into which events are collected."""
        return self.indices(each.events)

    def update(self, each: p.Update, joined: tuple[int, p.Threshold] | None) -> None:
        """Print a loop over elements, and with it the threshold that was joined to it."""
        self.scalars(each.code)
        self.constant(each.n)
        if joined is None:
            if each.code.vector:
                place = len(self.lines)
                self.ahead.append((each.n, []))
                with self.block(f"for i in range({self.span(each.n)}):"):
                    self.elements(each.code, "i")
                _, drawn = self.ahead.pop()
                self.lines[place:place] = ["    " * self.depth + line for line in drawn]
            return
        own, (number, threshold) = self.operation, joined
        self.operation = number
        self.scalars(threshold.code)
        self.collecting(threshold, own, each)

    def threshold(self, each: p.Threshold) -> None:
        """Print a threshold."""
        if each.hazard is not None:
            self.drawn_threshold(each, each.hazard)
            return
        self.scalars(each.code)
        self.collecting(each, self.operation, None)

    def collecting(self, each: p.Threshold, number: int, update: p.Update | None) -> None:
        """Print the loop over blocks of elements that collects events, after an update of the same elements."""
        (begin, end), events, own = self.ends(each.n), self.collected(each), self.operation
        hits = self.place("hits", 0, "", "bool")
        self.add(f"found = {begin}")
        with self.block(f"for low in range({begin}, {end}, uint64({BLOCK})):"):
            self.add(f"high = min(low + uint64({BLOCK}), {end})")
            self.add("hit = False")
            with self.block("for i in range(low, high):"):
                if update is not None:
                    self.operation = number
                    self.elements(update.code, "i")
                    self.operation = own
                self.elements(each.code, "i")
                self.add(f"{hits}[i - low] = {self.local('_cond')}")
                self.add(f"hit |= {self.local('_cond')}")
            with self.block("if hit:"), self.block("for i in range(low, high):"), self.block(f"if {hits}[i - low]:"):
                self.add(f"{events}[found] = i")
                self.add("found += uint64(1)")
        self.events_found(each)

    def events_found(self, each: p.Threshold) -> None:
        """Print what follows when all events of a step are known."""
        events = self.indices(each.events)
        self.add(f"{events}[uint64({self.constant(each.n)})] = found")
        if each.not_refractory is not None and each.last_spike is not None and each.t is not None:
            arrays = ", ".join(self.array(number) for number in (each.not_refractory, each.last_spike, each.t))
            self.add(f"make_refractory({events}, uint64(0), found, {arrays})")

    def drawn_threshold(self, each: p.Threshold, hazard: Node) -> None:
        """Print a threshold ``rand() < hazard``, for a hazard that stays as it is.

        The gaps between events are geometric at the greatest hazard, and an event is kept with the probability of its
        own hazard over that (thinning).
        """
        number = self.operation
        state = self.place("hazard", self.hazards, "state", "int64")
        greatest = self.place("hazard", self.hazards, "greatest", "float64")
        self.hazards += 1
        key, n, events = self.key(), self.constant(each.n), self.indices(each.events)
        most, keep = f"most_{number}", self.key()

        lines, self.lines, depth, self.depth = self.lines, [], self.depth, 1
        self.scalars(each.code)
        self.add(f"{most} = 0.0")
        with self.block(f"for i in range(uint64({n})):"):
            self.hazard(each.code, hazard)
            self.add(f"{most} = max({most}, hazard)")
        with self.block(f"if {greatest}[0] != {most}:"):
            self.add(f"{greatest}[0] = {most}")
            self.add(f"{state}[0] = geometric_gap({most}, {key}, {state}[1], 0)")
            self.add(f"{state}[1] += 1")
        self.entry += self.lines
        self.lines, self.depth = lines, depth

        self.add("found = uint64(0)")
        with self.block(f"while {state}[0] < {n}:"):
            self.add(f"i = uint64({state}[0])")
            self.hazard(each.code, hazard)
            with self.block(f"if hazard >= {most} or uniform({keep}, {state}[1], 0) * {most} < hazard:"):
                self.add(f"{events}[found] = i")
                self.add("found += uint64(1)")
            self.add(f"{state}[0] += 1 + geometric_gap({most}, {key}, {state}[1], 0)")
            self.add(f"{state}[1] += 1")
        self.add(f"{state}[0] -= {n}")
        self.events_found(each)

    def hazard(self, code: p.Code, hazard: Node) -> None:
        """Print the hazard of element i."""
        self.follow(code, code.vector_reads, "i")
        for name in code.vector_reads:
            self.add(f"{self.local(name)} = {self.read(code, name, 'i')}")
        self.add(f"hazard = {self.value(code, hazard, FLOAT, 'i')}")

    def n_events(self, events: int) -> str:
        """Return how many events there are: the last element says it."""
        return f"{self.indices(events)}[{self.size(events)} - 1]"

    def reset(self, each: p.Reset) -> None:
        """Print code for the elements that had an event."""
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            self.scalars(each.code)
            with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
                self.add(f"i = {self.indices(each.events)}[k]")
                self.elements(each.code, "i")

    def push(self, each: p.Push) -> None:
        """Print how events leave along a pathway: their groups are put into the ring."""
        homogeneous = self.layouts[each.pathway].homogeneous
        parts = ("ring", "fill", "shape") if homogeneous else ("ring", "fill", "shape", "first", "delay")
        queue = ", ".join(self.queue(each.pathway, part) for part in parts)
        bounds = self.place("bounds", each.pathway, "sources", "uint64")
        push = "push_sources" if homogeneous else "push_groups"
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            self.add(f"{push}({self.indices(each.events)}, {self.n_events(each.events)}, {bounds}, {queue})")

    def deliver(self, each: p.Deliver) -> None:
        """Print code for the synapses that are reached now, strays first."""
        ring, fill, shape, begin, end, stray_begin, stray_end, strays = (
            self.queue(each.pathway, part)
            for part in ("ring", "fill", "shape", "begin", "end", "stray_begin", "stray_end", "strays")
        )
        self.add(f"slot = {shape}[3]")
        self.add(f"n_strays = {stray_end}[slot] - {stray_begin}[slot]")
        self.add(f"n_due = n_strays + {fill}[slot]")
        with self.block("if n_due > uint64(0):"):
            self.scalars(each.code)
            with self.block("for q in range(n_due):"):
                with self.block("if q < n_strays:"):
                    self.add(f"low = uint64({strays}[{stray_begin}[slot] + q])")
                    self.add("high = low + uint64(1)")
                with self.block("else:"):
                    self.add(f"group = {ring}[slot * {shape}[1] + q - n_strays]")
                    self.add(f"low = uint64({begin}[group])")
                    self.add(f"high = uint64({end}[group])")
                self.reached(each)
            self.add(f"{fill}[slot] = uint64(0)")
            self.add(f"{stray_end}[slot] = {stray_begin}[slot]")
        self.add("slot += uint64(1)")
        self.add(f"{shape}[3] = uint64(0) if slot == {shape}[0] else slot")

    def reached(self, each: p.Deliver) -> None:
        """Print code for the synapses of a group.

        Where they are not ordered by source, indices come from columns that are; so do those of 16 bits. The number of
        the synapse is looked up only if something of its own is needed.
        """
        self.sorted_pathway, self.in_order = each.pathway, self.layouts[each.pathway].in_order
        with self.block("for k in range(low, high):"):
            start = len(self.lines)
            self.elements(each.code, "i")
            if any(re.search(r"\bi\b", line) for line in self.lines[start:]):
                number = "k" if self.in_order else f"{self.queue(each.pathway, 'order')}[k]"
                self.lines.insert(start, "    " * self.depth + f"i = {number}")
        self.sorted_pathway = None

    def record_events(self, each: p.RecordEvents) -> None:
        """Print how events are recorded."""
        events, (count, _) = self.indices(each.events), self.counter(each.monitor)
        start, stop = self.constant(each.start), self.constant(each.stop)
        columns = [
            (name, self.place("events", each.monitor, str(k), self.program.arrays[array].dtype))
            for k, (name, array) in enumerate(each.columns)
        ]
        with self.block(f"if {self.n_events(each.events)} > 0:"):
            self.scalars(each.code)
            self.add(f"place = uint64({count})")
            with self.block(f"for k in range(uint64({self.n_events(each.events)})):"):
                self.add(f"i = {events}[k]")
                with self.block(f"if i >= {start} and i < {stop}:"):
                    if columns:
                        self.elements(each.code, "i")
                        for name, column in columns:
                            self.add(f"{column}[place] = {self.local(name)}")
                    self.add("place += uint64(1)")
                    self.add(f"{self.array(each.count)}[uint64(i - {start})] += 1")
            self.add(f"{count} = place")

    def record_states(self, each: p.RecordStates) -> None:
        """Print how one row of states is recorded."""
        n, (count, _) = self.constant(each.n_indices), self.counter(each.monitor)
        self.add(f"place = uint64({count})")
        self.add(f"{self.place('states', each.monitor, 't', 'float64')}[place] = {self.array(each.clock_t)}[0]")
        self.scalars(each.code)
        with self.block(f"for k in range(uint64({n})):"):
            self.add(f"i = {self.indices(each.indices)}[k]")
            self.elements(each.code, "i")
            for number, (name, array) in enumerate(each.columns):
                column = self.place("states", each.monitor, str(number), self.program.arrays[array].dtype)
                self.add(f"{column}[place * uint64({n}) + k] = {self.local(name)}")
        self.add(f"{count} += 1")

    def record_rate(self, each: p.RecordRate) -> None:
        """Print how the rate of this step is recorded."""
        events, (count, _) = self.indices(each.events), self.counter(each.monitor)
        bounds = f"{self.constant(each.start)}, {self.constant(each.stop)}"
        self.add(f"spikes = events_within({events}, {self.n_events(each.events)}, {bounds})")
        self.add(f"place = uint64({count})")
        self.add(f"{self.place('states', each.monitor, 't', 'float64')}[place] = {self.array(each.clock_t)}[0]")
        rate = f"1.0 * spikes / {self.array(each.clock_dt)}[0] / {self.constant(each.n_sources)}"
        self.add(f"{self.place('states', each.monitor, '0', self.program.arrays[each.rate].dtype)}[place] = {rate}")
        self.add(f"{count} += 1")

    def replay(self, each: p.Replay) -> None:
        """Print how given spikes are put into the list of events."""
        numbers = (each.events, each.indices, each.bins, each.last, each.period, each.timestep)
        self.add(f"replay({', '.join(self.array(number) for number in numbers)})")

    def sum(self, each: p.Sum) -> None:
        """Print how a variable is summed over synapses."""
        target, index = self.array(each.target), self.indices(each.target_index)
        self.scalars(each.code)
        with self.block(f"for k in range({self.constant(each.start)}, {self.constant(each.stop)}):"):
            self.add(f"{target}[k] = 0")
        with self.block(f"for i in range(uint64({self.constant(each.n)})):"):
            self.elements(each.code, "i")
            self.add(f"{target}[{index}[i]] += {self.name(each.code, '_synaptic_var')}")

    def diffuse(self, each: p.Diffuse) -> None:
        """Print a loop over compartments for their conductances and currents, and the step that follows."""
        self.scalars(each.code)
        with self.block(f"for i in range(uint64({self.constant(each.n)})):"):
            self.elements(each.code, "i")
            self.add(f"{self.array(each.conductance)}[i] = {self.local('_gtot')}")
            self.add(f"{self.array(each.current)}[i] = {self.local('_I0')}")
        numbers = (each.v, each.charging, each.capacitance, each.area, each.conductance, each.current)
        membrane = ", ".join(f"whole({self.array(number)})" for number in numbers)
        points = ", ".join(f"whole({self.indices(number)})" for number in (each.compartment, each.parent))
        rest = ", ".join(f"whole({self.array(number)})" for number in (each.toward, each.work))
        self.add(f"diffuse({membrane}, {self.array(each.dt)}[0], {points}, {rest})")
