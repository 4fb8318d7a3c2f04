"""A whole random script: groups, synapses, monitors, and a plan of runs."""

from dataclasses import dataclass

from tests.spiking.random_scripts.draft import Draft, Population
from tests.spiking.random_scripts.groups import neurons, spike_generator
from tests.spiking.random_scripts.synapses import sum_up, synapses


@dataclass(frozen=True)
class Script:
    """The text of a script, which builds and runs the network ``net``, and what it is made of."""

    text: str
    features: frozenset[str]


def write(seed: int) -> Script:
    """Write the script of a seed."""
    draft = Draft(seed)
    step = draft.one((0.1, 0.1, 0.1, 0.05, 0.2))
    duration = draft.one((40.0, 60.0, 80.0))
    draft.say("from brian2 import *", "import numpy as np", "")
    draft.say(f"defaultclock.dt = {step}*ms", f"values = np.random.default_rng({seed})", "")
    groups = _groups(draft, duration)
    recordable = _synapses(draft, groups)
    _monitors(draft, groups, recordable)
    _operation(draft, groups)
    draft.say("", f"net = Network({', '.join(draft.objects)})")
    _runs(draft, duration)
    return Script("\n".join(draft.lines) + "\n", frozenset(draft.features))


def _groups(draft: Draft, duration: float) -> list[Population]:
    groups = []
    if draft.takes("spike generator", 0.5):
        groups.append(spike_generator(draft, "inputs", duration))
    for name in "ABC"[: draft.count(1, 3)]:
        groups.append(neurons(draft, name, groups))
        draft.say("")
    return groups


def _synapses(draft: Draft, groups: list[Population]) -> dict[str, tuple[str, ...]]:
    """Write the Synapses, and give by name what a monitor may record of them."""
    sources = [each for each in groups if each.spikes]
    targets = [each for each in groups if each.inputs]
    made = {}
    for number in range(draft.count(0 if len(groups) == 1 else 1, 3)):
        if sources:
            name = f"S{number}"
            made[name] = synapses(draft, name, draft.one(sources), draft.one(targets))
            draft.say("")
    for target in targets:
        if target.summed:
            name = f"sum_{target.name}"
            made[name] = sum_up(draft, name, draft.one([each for each in groups if each.unit or each.spikes]), target)
            draft.say("")
    return made


def _monitors(draft: Draft, groups: list[Population], synaptic: dict[str, tuple[str, ...]]) -> None:
    for group in groups:
        if group.spikes:
            part, _ = group.part(draft, "subgroup of a spike monitor", 0.15)
            words = ""
            if group.recordable and draft.takes("spike monitor with variables", 0.3):
                words = f", variables={list(group.recordable)!r}"
            elif draft.takes("spike monitor of counts", 0.1):
                words = ", record=False"
            draft.create(f"spikes_{group.name}", f"SpikeMonitor({part}{words}, name='spikes_{group.name}')")
            if draft.takes("rate monitor", 0.3):
                part, _ = group.part(draft, "subgroup of a rate monitor")
                draft.create(f"rate_{group.name}", f"PopulationRateMonitor({part}, name='rate_{group.name}')")
        if group.event:
            draft.shows("event monitor")
            words = f"{group.name}, 'high', variables=['v'], name='events_{group.name}'"
            draft.create(f"events_{group.name}", f"EventMonitor({words})")
        if group.recordable and draft.takes("state monitor", 0.6):
            part, size = group.part(draft, "subgroup of a state monitor", 0.2)
            _state_monitor(draft, group.name, part, group.recordable, size)
    for name, variables in synaptic.items():
        if variables and draft.takes("state monitor of synapses", 0.5):
            _state_monitor(draft, name, name, variables, 1)


def _state_monitor(draft: Draft, name: str, part: str, variables: tuple[str, ...], size: int) -> None:
    record = "True"
    if draft.takes("state monitor of a few", 0.4):
        record = f"{sorted(int(each) for each in draft.random.permutation(size)[: draft.count(1, size)])}"
    when = f", when={draft.one(('end', 'after_thresholds'))!r}" if draft.takes("state monitor in a slot", 0.4) else ""
    dt = f", dt={draft.one((0.5, 1.0))}*ms" if draft.takes("clock of its own: monitor", 0.3) else ""
    call = f"StateMonitor({part}, {list(variables)!r}, record={record}{when}{dt}, name='states_{name}')"
    draft.create(f"states_{name}", call)


def _operation(draft: Draft, groups: list[Population]) -> None:
    """Write a network operation, now and then: Python code between the steps."""
    group = groups[-1]
    if not draft.takes("network operation", 0.15):
        return
    variable, step = draft.one(tuple(group.inputs.items()))
    dt = draft.one(("", ", dt=1*ms", ", dt=5*ms"))
    when = draft.one(("start", "resets", "end"))
    draft.say("", "", "def kick():", f"    {group.name}.{variable}[-1] += 0.2*{step}", "", "")
    draft.create("operation", f"NetworkOperation(kick{dt}, when={when!r}, name='operation')")


def _runs(draft: Draft, duration: float) -> None:
    """Write one run or several, with something changed in between, or the state stored and restored."""
    if not draft.takes("several runs", 0.6):
        draft.say(f"net.run({duration}*ms)")
        return
    first = round(duration * draft.one((0.3, 0.5)), 1)
    draft.say(f"net.run({first}*ms)")
    if draft.takes("store and restore", 0.4):
        draft.say("net.store('before')", f"net.run({draft.count(3, 9)}*ms)", "net.restore('before')")
    elif draft.takes("dt changed between runs", 0.15):
        draft.say("defaultclock.dt *= 0.5")
    for feature in draft.random.permutation(sorted({feature for feature, _ in draft.changes}))[:2]:
        draft.shows(str(feature))
        draft.say(draft.one([line for shown, line in draft.changes if shown == feature]))
    rest = duration - first
    if draft.takes("run of one step", 0.2):
        draft.say("net.run(defaultclock.dt)")
    draft.say(f"net.run({rest}*ms)")
