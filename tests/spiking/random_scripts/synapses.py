"""Lines for the synapses of a random script."""

from dataclasses import dataclass, field

from tests.spiking.random_scripts.draft import Draft, Population

MODELS = (
    "one number for all",
    "static weights",
    "two pathways",
    "saturating input",
    "STDP event-driven",
    "STDP clock-driven",
    "short-term plasticity",
    "integer and boolean in synapses",
)


@dataclass
class Projection:
    """A Synapses in the making: what the script says of it."""

    model: list[str] = field(default_factory=list)
    on_pre: str = ""
    on_post: str = ""
    slow: str = ""
    method: str = ""
    start: dict[str, str] = field(default_factory=dict)
    recordable: list[str] = field(default_factory=list)
    # Those whose delays are not set yet.
    paths: tuple[str, ...] = ("pre",)


def synapses(draft: Draft, name: str, source: Population, target: Population) -> tuple[str, ...]:
    """Write a Synapses from one group to another, and give what a monitor may record of it."""
    pre, n_pre = source.part(draft, "subgroup as source")
    post, n_post = target.part(draft, "subgroup as target")
    made = _model(draft, target)
    copies = _multiple(draft, made)
    if target.counts and draft.takes("integer added to", 0.5):
        made.on_pre += "; hits_post += 1"
    if source.counts and draft.takes("presynaptic variable added to", 0.5):
        # Code that Brian2's numpy target has to take synapse by synapse loses one of two additions to one element.
        loses = source.name == target.name and "_post = clip(" in made.on_pre
        made.on_pre += "" if loses else "; hits_pre += 1"
    _create(draft, name, pre, post, made, source.event, copies)
    _connect(draft, name, pre == post, n_pre, n_post, copies)
    for variable, value in made.start.items():
        draft.say(f"{name}.{variable} = {value.format(n=f'len({name})')}")
    _delays(draft, name, made)
    if "w" in made.start and draft.takes("run_regularly on synapses", 0.15):
        draft.say(f"{name}.run_regularly('w = clip(1.02*w, 0, 1)', dt=2*ms, name='regular_{name}')")
    if "w" in made.start:
        draft.changes.append(("weights changed between runs", f"{name}.w = 'clip(w*1.3, 0, 1)'"))
    draft.changes.append(("synapses added between runs", f"{name}.connect(i=[0], j=[{n_post - 1}])"))
    return tuple(made.recordable)


def sum_up(draft: Draft, name: str, source: Population, target: Population) -> tuple[str, ...]:
    """Write a Synapses whose summed variable the target waits for."""
    post, n_post = target.part(draft, "subgroup as target of a sum")
    gaps = source.unit is not None and target.unit == source.unit and draft.takes("gap junctions", 0.5)
    start = {"w": "values.uniform(0, 1, {n})"}
    words = [f"name={name!r}"]
    assert target.summed
    value, unit = target.summed
    if gaps or not source.spikes:
        trace = f"(v_pre - v_post)/{target.scale}" if gaps else "cos(t/(5*ms) + i + j)"
    else:
        draft.shows("summed trace, clock-driven")
        trace = "s"
        start["s"] = "values.uniform(0, 1, {n})"
        words += ["on_pre='s += 1'", f"method={draft.one(('exact', 'euler', 'rk2', 'exponential_euler'))!r}"]
    model = ["w : 1", *(["ds/dt = -s/(6.2*ms) : 1 (clock-driven)"] if trace == "s" else [])]
    model.append(f"total_post = w*{value}*{trace} : {unit} (summed)")
    lines = "".join(f"\n    {line}" for line in model)
    draft.create(name, f"Synapses({source.name}, {post}, '''{lines}''',\n    {', '.join(words)})")
    _connect(draft, name, False, source.size, n_post, None)
    for variable, values in start.items():
        draft.say(f"{name}.{variable} = {values.format(n=f'len({name})')}")
    return tuple(start)


def _model(draft: Draft, target: Population) -> Projection:
    """Choose what a spike does."""
    variable, step = draft.one(tuple(target.inputs.items()))
    if variable == "v":
        draft.shows("jump of v")
    hit = f"{variable}_post += w*{step}"
    weights = {"w": "values.uniform(0.1, 1, {n})"}
    form = draft.feature(*(each for each in MODELS if target.spikes or not each.startswith("STDP")))
    if form == "one number for all":
        return Projection(on_pre=f"{variable}_post += {draft.number(0.2, 0.8)}*{step}")
    if form == "static weights":
        return Projection(["w : 1 (constant)"], hit, start=weights)
    if form == "two pathways":
        return Projection(
            ["w : 1"],
            hit,
            slow=f"{variable}_post -= 0.5*w*{step}",
            start=weights,
            recordable=["w"],
            paths=("fast", "slow"),
        )
    if form == "saturating input":
        most = f"(1.5*{step} + abs({variable}_post))"
        code = f"{variable}_post = clip({variable}_post + w*{step}, -{most}, 1.2*{step} + 0.9*{variable}_post)"
        return Projection(["w : 1"], code, start=weights, recordable=["w"])
    if form.startswith("STDP"):
        how = form.split()[1]
        return Projection(
            [f"dapre/dt = -apre/(15*ms) : 1 ({how})", f"dapost/dt = -apost/(21*ms) : 1 ({how})", "w : 1"],
            f"{hit}; apre += 0.1; w = clip(w - apost, 0, 1)",
            "apost += 0.12; w = clip(w + apre, 0, 1)",
            method=draft.one(("exact", "euler", "exponential_euler", "rk2")),
            start=weights,
            recordable=["w", "apre"],
            paths=("pre", "post"),
        )
    if form == "short-term plasticity":
        return Projection(
            [
                "dready/dt = (0.2 - ready)/(50*ms) : 1 (event-driven)",
                "dstock/dt = (1 - stock)/(33*ms) : 1 (event-driven)",
                "w : 1",
            ],
            f"ready += 0.2*(1 - ready); {variable}_post += 2*w*ready*stock*{step}; stock -= ready*stock",
            start=weights | {"ready": "0.2", "stock": "1"},
            recordable=["ready", "stock"],
        )
    return Projection(
        ["w : 1", "arrivals : integer", "on : boolean"],
        f"arrivals += 1; on = (arrivals % 3 != 0); {variable}_post += w*{step}*int(on)",
        start=weights | {"arrivals": "values.integers(0, 5, {n})"},
        recordable=["arrivals", "on"],
    )


def _multiple(draft: Draft, made: Projection) -> str | None:
    """Choose whether a pair has several synapses, told apart by an index."""
    if not draft.takes("several synapses per pair", 0.2):
        return None
    if "w" in made.start and draft.takes("multisynaptic index", 0.7):
        made.on_pre = made.on_pre.replace("+= w*", "+= w/(1 + copy)*")
        return "copy"
    return ""


def _create(draft: Draft, name: str, pre: str, post: str, made: Projection, event: str | None, copies: str | None):
    """Write the call."""
    words = []
    if made.slow:
        words.append(f"on_pre={ {'fast': made.on_pre, 'slow': made.slow}!r}")
        if draft.takes("delay as a keyword of a pathway", 0.4):
            words.append(f"delay={{'fast': {draft.number(0.5, 3)}*ms}}")
            made.paths = ("slow",)
    else:
        words.append(f"on_pre={made.on_pre!r}")
        if draft.takes("delay as a keyword", 0.25):
            words.append(f"delay={draft.number(0.5, 5)}*ms")
            made.paths = made.paths[1:]
    if made.on_post:
        words.append(f"on_post={made.on_post!r}")
    if made.method:
        words.append(f"method={made.method!r}")
    if event and draft.takes("pathway of a custom event", 0.6):
        events = dict.fromkeys(("fast", "slow") if made.slow else ("pre",), event)
        words.append(f"on_event={events | ({'post': 'spike'} if made.on_post else {})!r}")
    if copies:
        words.append(f"multisynaptic_index={copies!r}")
    model = "".join(f"\n    {line}" for line in made.model)
    draft.create(name, f"Synapses({pre}, {post}, '''{model}''',\n    {', '.join(words)}, name={name!r})")


def _connect(draft: Draft, name: str, same: bool, n_pre: int, n_post: int, copies: str | None) -> None:
    """Write the call of connect, in one of Brian2's ways."""
    n = ", n=2" if copies is not None else ""
    form = draft.feature("connect all", "connect pairs", "connect on a condition", "connect by a generator")
    if form == "connect pairs":
        count = draft.count(1, n_pre * n_post)
        draft.say(
            f"pairs = values.permutation({n_pre * n_post})[:{count}]",
            f"{name}.connect(i=pairs//{n_post}, j=pairs % {n_post}{n})",
        )
    elif form == "connect on a condition":
        condition = "i != j" if same and n_pre > 1 else "(i + 2*j) % 3 != 1"
        draft.say(f"{name}.connect(condition={condition!r}{n})")
    elif form == "connect by a generator":
        draft.say(f"{name}.connect(j='k for k in range(i % N_post, N_post, 2)'{n})")
    else:
        draft.say(f"{name}.connect({n.removeprefix(', ')})")


def _delays(draft: Draft, name: str, made: Projection) -> None:
    """Set the delays of those pathways that got none by keyword; none of them is shorter than a step."""
    for path in made.paths:
        form = draft.feature("no delay", "one delay", "a delay per synapse", "delays from an expression")
        if form == "one delay":
            draft.say(f"{name}.{path}.delay = {draft.number(0.5, 4)}*ms")
        elif form == "a delay per synapse":
            draft.say(f"{name}.{path}.delay = values.uniform(0.5, 5, len({name}))*ms")
            # Longer only: Brian2's numpy target loses one of two spikes that arrive at a synapse in the same step.
            draft.changes.append(("delays changed with spikes in flight", f"{name}.{path}.delay = 'delay + 1.3*ms'"))
        elif form == "delays from an expression":
            draft.say(f"{name}.{path}.delay = '0.5*ms + 0.3*ms*((i + 2*j) % 5)'")
