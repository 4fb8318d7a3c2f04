"""The text of how neurons move between events: by a closed form, or integrated, each in steps of its own."""

from __future__ import annotations

import inspect
import re

import bionet.spiking.adaptive as adaptive
from bionet.spiking.closed_form import Pattern
from bionet.spiking.crossing import Functions
from bionet.spiking.engines.event_exponentials import ExponentialText, plain_bounds, total
from bionet.spiking.engines.event_names import STEP, TAIL, after, decorated
from bionet.spiking.engines.event_queues import NEVER
from bionet.spiking.flow import DISTANCE, HOLD, Flow

#: A time in which an integrated state leaves a threshold by more than the errors of its steps [s].
_NOTHING = 1e-8


class FlowText(ExponentialText):
    """Prints the functions of flows."""

    def advance(self, number: int, flow: Flow) -> None:
        """Print how a neuron is brought to a time."""
        row, now = self.row(number), ("w", "off")
        with self.function(f"advance_{number}(i, w, off, memory)"):
            self.add(f"r = i * np.uint64({self.flow_layouts[number].stride})")
            self.add(f"h = {after(now, row.time)}")
            with self.block("if h <= 0.0:"):
                self.settle(number, flow)
                self.add("return")
            self.load(number, flow)
            if flow.refractory:
                with self.block(f"if {row.is_refractory}:"):
                    self.add(f"free_for = {after(now, row.until)}")
                    with self.block("if free_for >= 0.0:"):
                        self.add(f"h = {after(row.until, row.time)}")
                    self.constants_of(number, "clamped")
                    self.step(number, flow, "clamped")
                    self.add("h = max(free_for, 0.0)")
                    with self.block("if free_for >= 0.0:"):
                        self.release(number, flow)
            with self.block("if h > 0.0:"):
                self.constants_of(number, "free")
                self.step(number, flow, "free")
            for k in range(len(flow.states)):
                self.add(f"{row[k]} = x{k}")
            for line in row.set_time():
                self.add(line)

    def release(self, number: int, flow: Flow) -> None:
        """Print the end of a refractory period."""
        self.add(f"{self.row(number)[len(flow.states) + 2]} = -1.0")
        assert flow.not_refractory is not None
        self.add(f"{self.array(flow.not_refractory)}[i] = True")

    def settle(self, number: int, flow: Flow) -> None:
        """Print the end of a refractory period that is right now."""
        if flow.refractory:
            window, offset = self.row(number).until
            with self.block(f"if {window} == w and {offset} == off:"):
                self.release(number, flow)

    def load(self, number: int, flow: Flow) -> None:
        """Print the variables of a row, and the constants of its equations."""
        layout, row, n = self.flow_layouts[number], self.row(number), len(flow.states)
        self.add(f"r = i * np.uint64({layout.stride})")
        for k in range(n):
            self.add(f"x{k} = {row[k]}")
        inputs = self.place("inputs", number, "", "float64")
        base = f"i * np.uint64({layout.n_inputs + 1}) + np.uint64" if layout.many_inputs else "np.uint64"
        for k in range(layout.n_inputs + 1):
            self.add(f"x{n + k} = {inputs}[{base}({k})]")
        self.add(f"kind = {self.place('classes', number, '', 'int64')}[{'i' if layout.many_classes else '0'}]")

    def constants_of(self, number: int, part: str) -> None:
        """Print the coefficients and rates of a flow's solution."""
        pattern: Pattern = getattr(self.flow_layouts[number], part)
        table = self.coefficients(number, part)
        self.add(f"base = kind * {len(pattern.entries) + len(pattern.distance)}")
        self.add(f"first = kind * {len(pattern.terms)}")
        for k in range(len(pattern.entries)):
            self.add(f"c{k} = {table}[base + {k}]")
        for q, (_, wave, zero) in enumerate(pattern.terms):
            if not zero:
                self.add(f"alpha{q} = {self.term(number, 'alpha', part)}[first + {q}]")
            if wave:
                self.add(f"omega{q} = {self.term(number, 'omega', part)}[first + {q}]")

    def step(self, number: int, flow: Flow, part: str) -> None:
        """Print how the variables move on by a time ``h``."""
        pattern: Pattern = getattr(self.flow_layouts[number], part)
        n = len(flow.states)
        known: set[int] = set()
        for q in sorted({q for q, _, _ in pattern.entries}):
            power, wave, zero = pattern.terms[q]
            # Terms of one cluster share their exponential.
            root = q - power * (2 if wave else 1) - (wave == 2)
            if not zero and root not in known:
                self.add(f"e{root} = exp(alpha{root} * h)")
                known.add(root)
            factors = ([] if zero else [f"e{root}"]) + ["h"] * power
            if wave:
                factors.append(f"{'cos' if wave == 1 else 'sin'}(omega{q} * h)")
            self.add(f"p{q} = {' * '.join(factors) or '1.0'}")
        for i in range(n):
            sums: dict[int, list[str]] = {}
            for k, (q, into, j) in enumerate(pattern.entries):
                if into == i:
                    sums.setdefault(q, []).append(f"c{k} * x{j}")
            products = [f"p{q} * ({' + '.join(each)})" for q, each in sums.items()]
            self.add(f"y{i} = {' + '.join(products) or '0.0'}")
        for i in range(n):
            self.add(f"x{i} = y{i}")

    def coefficients(self, number: int, part: str) -> str:
        """Return the table of a flow's coefficients."""
        return self.place("coefficients", number, part, "float64")

    def term(self, number: int, name: str, part: str = "free") -> str:
        """Return a column of the terms of a flow's solutions, all classes one after another."""
        return self.place("functions", number, f"{part}/{name}", "int64" if name in ("power", "wave") else "float64")

    def move(self, number: int) -> None:
        """Print how all neurons are brought to a time."""
        with self.function(f"move_{number}(n, w, off, memory)"), self.block("for i in range(np.uint64(n)):"):
            self.add(f"advance_{number}(i, w, off, memory)")

    def show(self, number: int, flow: Flow) -> None:
        """Print what the states of all neurons are at a time; they stay where they are."""
        stride, n = self.flow_layouts[number].stride, len(flow.states)
        with self.function(f"show_{number}(n, w, off, shown, memory)"):
            self.add(f"kept = np.empty({stride})")
            with self.block("for i in range(np.uint64(n)):"):
                cell = f"{self.rows(number)}[i * np.uint64({stride}) + np.uint64(m)]"
                with self.block(f"for m in range({stride}):"):
                    self.add(f"kept[m] = {cell}")
                self.add(f"advance_{number}(i, w, off, memory)")
                with self.block(f"for m in range({n}):"):
                    self.add(f"shown[i, m] = {cell}")
                with self.block(f"for m in range({stride}):"):
                    self.add(f"{cell} = kept[m]")

    def distance_constants(self, number: int, pattern: Pattern) -> None:
        """Print the coefficients of the distance to threshold, and the rates of its terms."""
        table, width = self.coefficients(number, "free"), len(pattern.entries)
        self.add(f"base = kind * {width + len(pattern.distance)}")
        self.add(f"first = kind * {len(pattern.terms)}")
        for k in range(len(pattern.distance)):
            self.add(f"s{k} = {table}[base + {width + k}]")
        names = ("alpha",) if pattern.is_plain else ("alpha", "omega", "high", "low", "convex", "concave")
        for name in names:
            for q, (_, _, zero) in enumerate(pattern.terms):
                if not (zero and pattern.is_plain):
                    self.add(f"{name}{q} = {self.term(number, name)}[first + {q}]")

    def distance(self, number: int, flow: Flow) -> list[str]:
        """Return the coefficients of the distance to threshold, by term."""
        layout = self.flow_layouts[number]
        assert layout.free is not None
        return self.sums(layout.free, len(flow.states) + layout.n_inputs)

    def sums(self, pattern: Pattern, constant: int) -> list[str]:
        """Return the coefficients of a distance, by term; ``constant`` is the place of what depends on no state."""
        found = []
        for q, (power, wave, zero) in enumerate(pattern.terms):
            parts = [f"s{k} * x{j}" for k, (a, j) in enumerate(pattern.distance) if a == q]
            if zero and power == 0 and wave == 0:
                parts.append(f"x{constant}")
            found.append(" + ".join(parts) or "0.0")
        return found

    def search(self, number: int, flow: Flow) -> None:
        """Print when a neuron fires."""
        row, pattern = self.row(number), self.flow_layouts[number].free
        assert pattern is not None
        with self.function(f"search_{number}(i, w, memory)"):
            if flow.fires_at is None:
                self.add(f"return np.inf, {NEVER}")
                return
            self.load(number, flow)
            self.add(f"start_w, start_off = {row.time[0]}, {row.time[1]}")
            if flow.released_at:
                self.find_release(number, flow)
            if flow.refractory:
                with self.block(f"if {row.is_refractory}:"):
                    self.add(f"until_w, until_off = {row.until[0]}, {row.until[1]}")
                    with self.block("if until_w > w:"):
                        self.add("return np.inf, until_w")
                    self.add(f"h = {after(('until_w', 'until_off'), ('start_w', 'start_off'))}")
                    with self.block("if h > 0.0:"):
                        self.constants_of(number, "clamped")
                        self.step(number, flow, "clamped")
                    self.add("start_w, start_off = until_w, until_off")
            self.silence(number, flow, pattern)
            if pattern.is_plain:
                self.plain_search(number, pattern)
            self.add(f"return {self.look(number, pattern, 'free')}")

    def look(self, number: int, pattern: Pattern, part: str) -> str:
        """Print the coefficients f0, f1, ... into an array; return the call of the general search."""
        held, count = "_held" * (part == "clamped"), len(pattern.terms)
        f = self.place("room", number, f"f{held}", "float64")
        for q in range(count):
            self.add(f"{f}[{q}] = f{q}")
        own = f"[kind * {count} : kind * {count} + {count}]"
        self.add(
            f"terms{held} = Functions({', '.join(self.term(number, name, part) + own for name in Functions._fields)})"
        )
        room = ", ".join(self.place("room", number, f"{each}{held}", "float64") for each in ("here", "there"))
        self.add(f"room = ({room}, {self.place('accuracy', 0, '', 'float64')})")
        return f"look({f}, terms{held}, start_w, start_off, w, window, room)"

    def find_release(self, number: int, flow: Flow) -> None:
        """Print when a refractory period that is a condition ends, and a return if it does not in this window.

        What was found out in an earlier window holds: whatever reaches the neuron has it looked at in the same one.
        """
        row, layout, n = self.row(number), self.flow_layouts[number], len(flow.states)
        pattern = layout.clamped
        assert pattern is not None
        window, offset = row[n + 2], row[n + 3]
        with self.block(f"if {row.is_refractory} and {row.until[0]} >= w:"):
            table, width = self.coefficients(number, "clamped"), len(pattern.entries)
            self.add(f"base = kind * {width + len(pattern.distance)}")
            for k in range(len(pattern.distance)):
                self.add(f"s{k} = {table}[base + {width + k}]")
            for q, part in enumerate(self.sums(pattern, n + layout.n_inputs - 1)):
                self.add(f"f{q} = {part}")
            self.add(f"first = kind * {len(pattern.terms)}")
            for q, (_, wave, zero) in enumerate(pattern.terms):
                for name in ("alpha",) * (not zero) + ("omega",) * (wave > 0):
                    self.add(f"{name}{q} = {self.term(number, name, 'clamped')}[first + {q}]")
            value, slope = value_and_slope(pattern)
            self.add(f"value = {value}")
            self.fall(pattern, slope)
            with self.block(f"if value {flow.released_at} 0.0:"):
                self.release(number, flow)
            with self.block("else:"):
                self.add(f"released, due = {self.look(number, pattern, 'clamped')}")
                with self.block("if released == np.inf:"):
                    self.add(f"{window}, {offset} = {NEVER}, 0.0")
                    self.add("return np.inf, due")
                self.add(f"{window}, {offset} = w, released")

    def silence(self, number: int, flow: Flow, pattern: Pattern) -> None:
        """Print the coefficients of the distance, and a return if the neuron fires now, or not in this window."""
        self.add(f"waits = {self.row(number).is_refractory if flow.refractory else 'False'}")
        self.distance_constants(number, pattern)
        for q, part in enumerate(self.distance(number, flow)):
            self.add(f"f{q} = {part}")
        value, slope, bend, highest = self.bounds_at_start(number, pattern)
        self.add(f"value = {value}")
        if flow.hazard is not None:
            self.check_hazard(number, pattern, slope)
        with self.block(f"if value {flow.fires_at} 0.0 and not waits:"):
            self.add("return start_off, NOW")
        if flow.released_at:
            with self.block("if waits:"):
                self.fall(pattern, slope)
        self.add("end = (w + 1 - start_w) * window - start_off")
        self.add(f"silent = silence(value, {slope}, {bend}, {highest})")
        with self.block("if silent >= end:"):
            self.add("return np.inf, window_after(start_w, start_off + silent, window, w)")

    def fall(self, pattern: Pattern, slope: str) -> None:
        """Print that a distance that is 0 but for rounding, and falls, is below 0.

        So it is where a refractory period begins or ends at the very threshold.
        """
        constant = pattern.terms.index((0, 0, True))
        self.add(f"least = 1e-13 * ({total(f'abs(f{q})' for q in range(len(pattern.terms)))})")
        with self.block(f"if abs(value) <= least and {slope} < 0.0:"):
            self.add(f"f{constant} -= value + least")
            self.add("value = -least")

    def check_hazard(self, number: int, pattern: Pattern, slope: str) -> None:
        """Print a note if the rate at which a neuron fires is or becomes negative: it lies between now and at last."""
        at_last = total(f"f{q}" for q, (power, _, _) in enumerate(pattern.terms) if power == 1)
        negative = self.place("negative", 0, "", "int64")
        bounds = self.place("bounds", 0, "", "int64")
        self.add(f"rate, at_last = {slope}, {at_last}")
        with self.block("if not min(rate, at_last) >= -1e-12 * (abs(at_last) + abs(rate - at_last)):"):
            self.add(f"{negative}[0], {negative}[1] = {bounds}[{number}] + np.int64(i) + 1, start_w")

    def bounds_at_start(self, number: int, pattern: Pattern) -> tuple[str, str, str, str]:
        """Return value and slope of the distance at its start, and bounds of its bend and height from then on."""
        if pattern.is_plain:
            return plain_bounds("f", pattern)
        bend: list[str] = []
        highest: list[str] = []
        for q, (power, wave, zero) in enumerate(pattern.terms):
            if zero and power == 0 and wave == 0:
                highest.append(f"f{q}")
                continue
            for sums, up, down in ((bend, "convex", "concave"), (highest, "high", "low")):
                sums.append(f"(f{q} * {up}{q} if f{q} > 0.0 else -f{q} * {down}{q})")
        return *value_and_slope(pattern), total(bend), total(highest)

    # Without a closed form

    def integrated(self, number: int, flow: Flow) -> None:
        """Print the functions of a flow that is integrated numerically, each neuron in steps of its own.

        Where nothing reaches a neuron, its state at the beginning of each window is kept, so that the steps do not
        depend on who looks at it.
        """
        self.slopes(number, flow)
        self.integrator(number, f"distance_{number}", f"_{number}")
        if flow.released_at:
            self.integrator(number, f"hold_{number}", f"_held_{number}")
        self.advance_integrated(number, flow)
        self.search_integrated(number, flow)

    def start(self, number: int) -> None:
        """Print the time of a row."""
        row = self.row(number)
        self.add(f"r = i * np.uint64({self.flow_layouts[number].stride})")
        self.add(f"start_w, start_off = {row.time[0]}, {row.time[1]}")
        self.add("t = start_w * window + start_off")

    def copy_state(self, flow: Flow, copy: str, number: int, ahead: bool = False) -> None:
        """Print how a state is copied from a row or to it."""
        n = len(flow.states)
        if copy.startswith("y"):
            self.add(f"y = np.empty({n})")
        with self.block(f"for m in range({n}):"):
            self.add(copy.format(self.row(number)[f"{n + TAIL + STEP if ahead else 0} + m"]))

    def integrate(self, number: int, span: str, clamped: str, looking: str = "False") -> str:
        """Return the call that integrates a neuron's equations."""
        step, atol = (
            self.row(number)[len(self.network.flows[number].states) + TAIL],
            self.place("atol", number, "", "float64"),
        )
        return f"follow_{number}(i, t, y, {span}, {step}, {atol}, {clamped}, {looking}, memory)"

    def refractoriness(self, number: int, flow: Flow, is_kept: bool) -> None:
        """Print how a state goes through what is left of its refractory period."""
        row = self.row(number)
        if flow.refractory:
            with self.block(f"if {row.is_refractory}:"):
                self.add(f"to_end = {after(row.until, ('start_w', 'start_off'))}")
                self.add("held = max(min(to_end, h), 0.0)")
                with self.block("if held > 0.0:"):
                    self.add(self.integrate(number, "held", "True"))
                if is_kept:
                    with self.block("if to_end <= h:"):
                        self.release(number, flow)
                self.add("t += held")
                self.add("h -= held")

    def advance_integrated(self, number: int, flow: Flow) -> None:
        """Print how a neuron is brought to a time."""
        row, n = self.row(number), len(flow.states)
        known = row[n + TAIL + 1]
        with self.function(f"advance_{number}(i, w, off, memory)"):
            self.start(number)
            self.add(f"h = {after(('w', 'off'), ('start_w', 'start_off'))}")
            self.add(f"is_known = {known} > 0.0")
            self.add(f"{known} = 0.0")
            with self.block("if h <= 0.0:"):
                self.settle(number, flow)
                self.add("return")
            with self.block("if is_known and off == 0.0 and w == start_w + 1:"):
                self.copy_state(flow, f"{row['m']} = {{}}", number, ahead=True)
            with self.block("else:"):
                self.copy_state(flow, "y[m] = {}", number)
                self.refractoriness(number, flow, is_kept=True)
                with self.block("if h > 0.0:"):
                    self.add(self.integrate(number, "h", "False"))
                self.copy_state(flow, "{} = y[m]", number)
            for line in row.set_time():
                self.add(line)

    def search_integrated(self, number: int, flow: Flow) -> None:
        """Print when a neuron fires; what was found out on the way is kept for the next window."""
        row, n = self.row(number), len(flow.states)
        with self.function(f"search_{number}(i, w, memory)"):
            if flow.fires_at is None:
                self.add(f"return np.inf, {NEVER}")
                return
            self.start(number)
            if flow.refractory and not flow.released_at:
                with self.block(f"if {row.until[0]} > w:"):
                    self.add(f"return np.inf, {row.until[0]}")
            with self.block("if start_w < w:"):
                self.add(f"advance_{number}(i, w, 0.0, memory)")
                self.add("start_w, start_off, t = w, 0.0, w * window")
            self.copy_state(flow, "y[m] = {}", number)
            if flow.released_at:
                self.find_release_integrated(number, flow)
            self.add(f"was_free = {f'not {row.is_refractory}' if flow.refractory else 'True'}")
            with self.block(f"if was_free and distance_{number}(i, t, y, memory) {flow.fires_at} 0.0:"):
                self.add("return start_off, NOW")
            self.add("h = window - start_off")
            self.refractoriness(number, flow, is_kept=False)
            if flow.released_at:
                with self.block("if not was_free:"):
                    self.fall_integrated(number, f"distance_{number}", "False")
            self.add(f"crossing, width, next_step = {self.integrate(number, 'h', 'False', 'True')}")
            with self.block("if crossing < h:"):
                accuracy = self.place("accuracy", 0, "", "float64")
                self.add(f"{accuracy}[0] = max({accuracy}[0], width)")
                self.add("return min(window - h + crossing, window * (1 - 2.0**-53)), w")
            self.add(f"{row[n + TAIL]} = next_step")
            with self.block("if was_free:"):
                self.add(f"{row[n + TAIL + 1]} = 1.0")
                self.copy_state(flow, "{} = y[m]", number, ahead=True)
            self.add("return np.inf, w + 1")

    def find_release_integrated(self, number: int, flow: Flow) -> None:
        """Print when a refractory period that is a condition ends, and a return if it does not in this window."""
        row, n = self.row(number), len(flow.states)
        window, offset = row[n + 2], row[n + 3]
        with self.block(f"if {row.is_refractory} and {row.until[0]} >= w:"):
            self.add("h = window - start_off")
            self.fall_integrated(number, f"hold_{number}", "True")
            with self.block(f"if hold_{number}(i, t, y, memory) {flow.released_at} 0.0:"):
                self.release(number, flow)
            with self.block("else:"):
                call = self.integrate(number, "h", "True", "True").replace("follow_", "follow_held_", 1)
                self.add(f"released, width, next_step = {call}")
                with self.block("if not released < h:"):
                    self.add(f"{window}, {offset} = {NEVER}, 0.0")
                    self.add("return np.inf, w + 1")
                self.add(f"{window}, {offset} = w, min(window - h + released, window * (1 - 2.0**-53))")
            self.copy_state(flow, "y[m] = {}", number)
            self.add("t = start_w * window + start_off")

    def fall_integrated(self, number: int, distance: str, clamped: str) -> None:
        """Print a step of nothing where a distance exceeds 0, but for errors of its integration, and falls.

        So it does where a refractory period begins or ends at the very threshold.
        """
        with self.block(f"if {distance}(i, t, y, memory) >= 0.0:"):
            self.add("slope = np.empty(y.size)")
            self.add(f"slopes_{number}(i, t, y, slope, {clamped}, memory)")
            with self.block(f"if {distance}(i, t, y + {_NOTHING} * slope, memory) < 0.0:"):
                self.add(f"y += {_NOTHING} * slope")
                self.add(f"t += {_NOTHING}")
                self.add(f"h -= {_NOTHING}")

    def slopes(self, number: int, flow: Flow) -> None:
        """Print a flow's equations, its distance to threshold, and that to the end of its refractory period."""
        n = len(flow.states)
        self.operation += 1
        heads = [f"slopes_{number}(i, t, y, out, clamped, memory)", f"distance_{number}(i, t, y, memory)"]
        for head in (*heads, *([f"hold_{number}(i, t, y, memory)"] if flow.released_at else [])):
            with self.function(head):
                self.add("now = t")
                self.add("draw = 0")
                self.peeked = {(number, "i"): "y"}
                self.scalars(flow.code)
                self.elements(flow.code, "i")
                self.peeked = {}
                if head.startswith("distance"):
                    self.add(f"return {self.local(DISTANCE)}" if flow.fires_at else "return -1.0")
                    continue
                if head.startswith("hold"):
                    self.add(f"return {self.local(HOLD)}")
                    continue
                for k in range(n):
                    name = flow.derivatives[k]
                    value = self.local(name) if name else "0.0"
                    self.add(f"out[{k}] = {f'0.0 if clamped else {value}' if flow.clamped[k] and name else value}")

    def integrator(self, number: int, distance: str, ending: str) -> None:
        """Add the functions that integrate a flow's equations, to where a distance exceeds 0; how their names end."""
        names = "|".join(each.__name__ for each in adaptive.FUNCTIONS)
        for each in adaptive.FUNCTIONS:
            source = re.sub(rf"\b({names})\(", rf"\1{ending}(", inspect.getsource(each))
            source = re.sub(r"\bdistance\(", f"{distance}(", re.sub(r"\bslopes\(", f"slopes_{number}(", source))
            self.functions.append(decorated("") + source)


def value_and_slope(pattern: Pattern) -> tuple[str, str]:
    """Return value and slope, at its start, of a distance with the coefficients f0, f1, ..."""
    value: list[str] = []
    slope: list[str] = []
    for q, (power, wave, zero) in enumerate(pattern.terms):
        if power == 0:
            value += [f"f{q}"] if wave < 2 else []
            if wave == 2 or not zero:
                slope.append(f"f{q} * {'omega' if wave == 2 else 'alpha'}{q}")
        elif power == 1 and wave < 2:
            slope.append(f"f{q}")
    return total(value), total(slope)
