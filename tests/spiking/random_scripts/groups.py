"""Lines for the groups of a random script."""

from tests.spiking.random_scripts.draft import Draft, Population
from tests.spiking.random_scripts.kinds import KINDS, Kind

# Of x, which is about one in size: between them the functions that equations may use.
LOOKS = (
    "floor(3*x) + sign(x)",
    "ceil(2*x)*abs(x)",
    "log(1 + abs(x)) - log10(2 + abs(x))",
    "exprel(x) + expm1(-x)",
    "sqrt(abs(x)) + x**3",
    "int(x > 0.5) + int(not (x < 0.2))",
    "arctan(x) + sinh(clip(x, -2, 2))",
    "log1p(abs(x)) + tanh(x)*cosh(clip(x, -1, 1))",
    "sin(x) + cos(2*x) + tan(0.3*clip(x, -1, 1))",
    "arcsin(clip(x, -1, 1)) - arccos(clip(x, -1, 1))",
    "(x % 0.3) + (-x) % 0.7",
    "exp(-x**2/2)",
)


def spike_generator(draft: Draft, name: str, duration: float) -> Population:
    """Write a SpikeGeneratorGroup; no neuron has two spikes in one step."""
    size, spikes = draft.count(1, 8), draft.count(10, 60)
    dt = draft.one((0.1, 0.2, 0.5)) if draft.takes("clock of its own: generator", 0.2) else None
    grid = dt or 0.5
    period = draft.one((7.0, 13.0, 20.0)) if draft.takes("generator with a period", 0.4) else None
    slots = int((period or duration) / grid)
    draft.say(f"events = values.choice({slots * size}, {min(spikes, slots * size)}, replace=False)")
    keywords = "".join((f", period={period}*ms" if period else "", f", dt={dt}*ms" if dt else ""))
    draft.create(
        name,
        f"SpikeGeneratorGroup({size}, events % {size}, events//{size}*{grid}*ms{keywords}, name={name!r})",
    )
    if not period:
        change = f"{name}.set_spikes(events[::2] % {size}, events[::2]//{size}*{grid}*ms + net.t)"
        draft.changes.append(("spikes of a generator changed between runs", change))
    return Population(name, size, divisible=False)


def neurons(draft: Draft, name: str, earlier: list[Population]) -> Population:
    """Write a NeuronGroup of a random kind, with all that belongs to it."""
    kind_name = draft.feature(*KINDS)
    return _Neurons(draft, name, KINDS[kind_name], earlier).write()


class _Neurons:
    """The equations, keywords and initial values of one NeuronGroup, as they are collected."""

    def __init__(self, draft: Draft, name: str, kind: Kind, earlier: list[Population]):
        self.draft, self.name, self.kind, self.earlier = draft, name, kind, earlier
        self.size = draft.count(1, kind.size)
        self.equations: list[str] = []
        self.extra = ""
        self.start = dict(kind.start)
        self.keywords: dict[str, str] = {"threshold": repr(kind.threshold)}
        self.resets = [draft.one(kind.resets)]
        self.after: list[str] = []
        self.recordable = ["v"]
        # Whether the drive changes within a step, so that there is no exact solution.
        self.of_time = False

    def write(self) -> Population:
        """Write it."""
        draft, kind, name = self.draft, self.kind, self.name
        if draft.takes("clock of its own: neurons", 0.2):
            self.keywords["dt"] = f"{draft.one((0.05, 0.2, 0.25))}*ms"
        unless = self._refractoriness()
        if kind.bias:
            self._bias()
        summed = self._waits_for_a_sum()
        self._link()
        tau = self._time_constant()
        event = self._event()
        counts = self._counters()
        self._look()
        self._method()
        text = kind.equations.format(extra=self.extra, unless=unless, tau=tau)
        equations = "".join([text, *(f"\n    {line}" for line in self.equations)])
        silent = kind.bias is not None and kind.bounded and draft.takes("no threshold", 0.08)
        if silent:
            del self.keywords["threshold"]
            self.keywords.pop("refractory", None)
            equations = equations.replace(" (unless refractory)", "")
        else:
            self.keywords["reset"] = repr("; ".join(self.resets))
        keywords = "".join(f",\n    {key}={value}" for key, value in self.keywords.items())
        draft.create(name, f"NeuronGroup({self.size}, '''{equations}'''{keywords},\n    name={name!r})")
        for variable, value in self.start.items():
            draft.say(f"{name}.{variable} = {value.format(n=self.size)}")
        draft.say(*self.after)
        self._regular()
        return Population(
            name, self.size, kind.inputs, kind.unit, kind.scale, summed, event, tuple(self.recordable), counts,
            spikes=not silent, divisible="link" not in self.extra, clamped=bool(unless),
        )  # fmt: skip

    def _refractoriness(self) -> str:
        """Choose whether and how it is refractory, and give the flag for ``v``."""
        draft = self.draft
        if not draft.takes("refractory", 0.6):
            return ""
        form = draft.feature("refractory for a time", "refractory for a time per neuron", "refractory on a condition")
        if form == "refractory for a time":
            self.keywords["refractory"] = f"{draft.number(0.3, 4)}*ms"
        elif form == "refractory for a time per neuron":
            self.equations.append("t_ref : second (constant)")
            self.start["t_ref"] = "values.uniform(0, 4, {n})*ms"
            self.keywords["refractory"] = "'t_ref'"
        else:
            self.keywords["refractory"] = repr(self.kind.end)
        return " (unless refractory)" if draft.takes("(unless refractory)", 0.7 if self.kind.bounded else 1) else ""

    def _bias(self) -> None:
        """Define the drive."""
        assert self.kind.bias
        low, high, unit = self.kind.bias
        draft, name = self.draft, self.name
        values = f"values.uniform({low}, {high}, {{n}})*{unit}".removesuffix("*1")
        one = f"{draft.number(low, high)}*{unit}".removesuffix("*1")
        form = draft.feature(
            "parameter", "constant parameter", "shared parameter", "subexpression", "subexpression constant over dt",
            "shared parameter that code changes", "TimedArray 1-d", "TimedArray 2-d",
        )  # fmt: skip
        if form == "parameter":
            self.equations.append(f"bias : {_si(unit)}")
            self.start["bias"] = values
            draft.changes.append(("parameter changed between runs", f"{name}.bias *= {draft.number(0.8, 1.3)}"))
        elif form == "constant parameter":
            self.equations.append(f"bias : {_si(unit)} (constant)")
            self.start["bias"] = values
            draft.changes.append(("parameter changed between runs", f"{name}.bias = 'bias*(1 + 0.1*(i % 2))'"))
        elif form == "shared parameter":
            self.equations.append(f"bias : {_si(unit)} (shared)")
            self.start["bias"] = one
            draft.changes.append(("parameter changed between runs", f"{name}.bias = {one}*1.2"))
        elif form == "shared parameter that code changes":
            self.equations.append(f"bias : {_si(unit)} (shared)")
            self.start["bias"] = one
            self.after.append(f"{name}.run_regularly('bias *= 1.002', dt=1*ms, name='drift_{name}')")
        else:
            self.equations.append(f"base : {_si(unit)}")
            self.start["base"] = values
            self._moving(form, unit)
        self.recordable.append("bias")

    def _moving(self, form: str, unit: str) -> None:
        """Define the drive as ``base`` times a function of time."""
        draft, name = self.draft, self.name
        if form.startswith("subexpression"):
            factor, flag = f"(1 + 0.3*sin(2*pi*t/({draft.number(5, 20)}*ms) + i))", ""
            if form == "subexpression constant over dt":
                flag = " (constant over dt)"
            else:
                self.of_time = True
        else:
            columns = self.size if form == "TimedArray 2-d" else None
            shape = draft.count(3, 12) if columns is None else f"({draft.count(3, 12)}, {columns})"
            step = draft.one(("0.5*ms", "3*ms", "2.17*ms"))
            # Only such an array counts as constant over the steps of every group, and only if it has no index.
            self.of_time = columns is not None or step != "3*ms"
            draft.say(f"stimulus_{name} = TimedArray(values.uniform(0.6, 1.5, {shape}), dt={step})")
            factor, flag = f"stimulus_{name}(t{', i' if columns else ''})", ""
        self.equations.append(f"bias = base*{factor} : {_si(unit)}{flag}")

    def _waits_for_a_sum(self) -> tuple[str, str] | None:
        """Take further input from a variable that a Synapses will sum up."""
        if not self.kind.bias or not self.draft.takes("summed variable", 0.35):
            return None
        low, high, unit = self.kind.bias
        self.equations.append(f"total : {_si(unit)}")
        self.extra += " + total"
        self.recordable.append("total")
        return f"{(low + high) / 20:.3g}*{unit}".removesuffix("*1"), _si(unit)

    def _link(self) -> None:
        """Take further input from the ``v`` of another group."""
        # Brian2 takes a group's own not_refractory at the index of the link, if what it links to has one too.
        refractory = "refractory" in self.keywords
        others = [each for each in self.earlier if each.unit and not (refractory and each.clamped)]
        if not self.kind.bias or not others or not self.draft.takes("linked variable", 0.3):
            return
        other = self.draft.one(others)
        low, high, unit = self.kind.bias
        self.equations.append(f"link : {other.unit} (linked)")
        self.extra += f" + {(low + high) / 10:.3g}*{unit}*tanh(link/{other.scale})".replace("*1*", "*")
        if other.size == self.size and self.draft.takes("linked variable without index", 0.5):
            self.after.append(f"{self.name}.link = linked_var({other.name}, 'v')")
        else:
            index = f"values.integers(0, {other.size}, {self.size})"
            self.after.append(f"{self.name}.link = linked_var({other.name}, 'v', index={index})")

    def _time_constant(self) -> str:
        """Give the time constant of ``v``: a number, a name of the namespace, or a value per neuron."""
        if "{tau}" not in self.kind.equations:
            return ""
        form = self.draft.feature("time constant in the equations", "time constant outside", "time constant per neuron")
        time = f"{self.draft.number(11, 25)}*ms"
        if form == "time constant in the equations":
            return f"({time})"
        if form == "time constant outside":
            self.draft.say(f"tau_{self.name} = {time}")
            return f"tau_{self.name}"
        self.equations.append("tau : second (constant)")
        self.start["tau"] = "values.uniform(11, 25, {n})*ms"
        return "tau"

    def _event(self) -> str | None:
        """Define a custom event, and what it does."""
        draft, name = self.draft, self.name
        if not draft.takes("custom event", 0.3):
            return None
        self.keywords["events"] = repr({"high": self.kind.event})
        if draft.takes("run_on_event", 0.7):
            self.equations.append("highs : integer")
            self.recordable.append("highs")
            code = "highs += 1"
            if self.kind.bias:
                variable, step = next(iter(self.kind.inputs.items()))
                code += f"; {variable} -= 0.05*{step}"
            self.after.append(f"{name}.run_on_event('high', {code!r})")
        if draft.takes("event schedule", 0.3):
            self.after.append(
                f"{name}.set_event_schedule('high', when={draft.one(('after_groups', 'after_resets'))!r})"
            )
        return "high"

    def _counters(self) -> bool:
        """Add integers and booleans that the reset changes."""
        draft = self.draft
        if draft.takes("boolean variable", 0.25):
            self.equations.append("odd : boolean")
            self.recordable.append("odd")
            self.resets.append("odd = not odd")
            if "bias" in self.recordable:
                self.extra += " - 0.1*bias*int(odd)"
        if not draft.takes("integer variable", 0.4):
            return False
        self.equations.append("hits : integer")
        self.start["hits"] = "values.integers(0, 3, {n})"
        self.recordable.append("hits")
        self.resets.append("hits = (hits + 3) % 7")
        return True

    def _look(self) -> None:
        """Add a subexpression for a monitor."""
        if self.draft.takes("functions", 0.5):
            self.equations += [f"x = v/{self.kind.scale} : 1", f"look = {self.draft.one(LOOKS)} : 1"]
            self.recordable.append("look")

    def _method(self) -> None:
        methods = [each for each in self.kind.methods if each != "exact" or not self.of_time]
        method = self.draft.one(methods)
        self.draft.shows(f"method {method or 'by default'}")
        if method:
            self.keywords["method"] = repr(method)

    def _regular(self) -> None:
        """Add code that runs regularly, with a clock and a slot of its own."""
        draft, name = self.draft, self.name
        if not draft.takes("run_regularly", 0.3):
            return
        variable, step = draft.one(tuple(self.kind.inputs.items()))
        code = draft.one((f"{variable} += {step}*int(i % 2 == 0)", f"{variable} = 0.6*{variable}"))
        dt = f", dt={draft.one((0.7, 1.0, 3.0))}*ms" if draft.takes("clock of its own: run_regularly", 0.7) else ""
        when = draft.one(("start", "before_groups", "end"))
        draft.say(f"regular_{name} = {name}.run_regularly({code!r}{dt}, when={when!r}, name='regular_{name}')")
        draft.changes.append(("object inactive", f"regular_{name}.active = False"))


def _si(unit: str) -> str:
    """Equations are declared in units without prefix."""
    return unit.removeprefix("p").removeprefix("m") if unit != "1" else unit
