"""One Brian2 network on two devices: what came out of it, and where the two differ."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from brian2 import Network, defaultclock, ms, prefs, start_scope
from brian2.core.variables import ArrayVariable
from brian2.devices import reset_device, set_device

Outcome = dict[str, dict[str, np.ndarray]]
# Of the largest value of an array. The devices may round exp and its kin differently, in the last place.
ROUNDING = 1e-12
EXACT = {"t", "lastspike", "rate"}


@contextmanager
def device(name: str, **options) -> Iterator[None]:
    """Brian2 on a device, ``"numpy"`` being its own; afterwards everything is as it was."""
    target = prefs.codegen.target
    if name == "numpy":
        set_device("runtime")
    else:
        import bionet.spiking  # noqa: F401

        set_device(name, **options)
    prefs.codegen.target = "numpy" if name == "numpy" else "auto"
    start_scope()
    defaultclock.dt = 0.1 * ms
    try:
        yield
    finally:
        reset_device()
        prefs.codegen.target = target
        defaultclock.dt = 0.1 * ms
        start_scope()
        # Each run looks for garbage: only in what is new, not in all that Numba knows by now.
        gc.unfreeze()
        gc.collect()
        gc.freeze()


def outcome(net: Network) -> Outcome:
    """Return the values of every array that an object of the network owns, by object and variable."""
    return {
        each.name: {
            name: np.array(variable.get_value())
            for name, variable in sorted(each.variables.items())
            if isinstance(variable, ArrayVariable) and variable.owner.name == each.name and not name.startswith("_")
        }
        for each in sorted(net.objects, key=lambda each: each.name)
        if hasattr(each, "variables")
    }


def run_on(name: str, build: Callable[[], Network], **options) -> Outcome:
    """Build a network, which may run it in between, on a device, and return its outcome."""
    with device(name, **options):
        return outcome(build())


def differences(expected: Outcome, got: Outcome, rounding: float = ROUNDING) -> list[str]:
    """Return a sentence for each array in which the outcomes differ; the events first, as the rest follows them.

    Times, rates, indices, integers and booleans are to be equal; other values may differ by ``rounding``, relative to
    the largest of their array.
    """
    if expected.keys() != got.keys():
        return [f"objects {sorted(expected.keys() ^ got.keys())} are in one network only"]
    found = []
    for name in sorted(expected, key=lambda name: ("i" not in expected[name], name)):
        if expected[name].keys() != got[name].keys():
            found.append(
                f"{name}: variables {sorted(expected[name].keys() ^ got[name].keys())} are in one network only"
            )
            continue
        if {"i", "t", "count"} <= expected[name].keys():
            found += _events(name, expected[name], got[name])
        for variable, values in expected[name].items():
            found += _values(f"{name}.{variable}", values, got[name][variable], 0 if variable in EXACT else rounding)
    return found


def _events(name: str, expected: dict, got: dict) -> list[str]:
    """Say which event is the first that only one of two monitors has."""
    lists = [list(zip(each["t"], each["i"], strict=True)) for each in (expected, got)]
    if lists[0] == lists[1]:
        return []
    first = next((n for n, pair in enumerate(zip(*lists, strict=False)) if pair[0] != pair[1]), min(map(len, lists)))
    there, here = (
        f"({each[first][0] * 1e3:.6g} ms, {each[first][1]})" if first < len(each) else "none" for each in lists
    )
    return [f"{name}: {len(lists[0])} events, got {len(lists[1])}; number {first} is {there}, got {here}"]


def _values(name: str, expected: np.ndarray, got: np.ndarray, rounding: float) -> list[str]:
    """Say how many values of two arrays differ, and which first."""
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return [f"{name}: {expected.dtype} {expected.shape}, got {got.dtype} {got.shape}"]
    if not np.issubdtype(expected.dtype, np.floating):
        wrong = np.nonzero(expected != got)
    else:
        allowed = rounding * np.abs(expected[np.isfinite(expected)]).max(initial=0)
        with np.errstate(invalid="ignore"):
            alike = (expected == got) | (np.abs(expected - got) <= allowed) | (np.isnan(expected) & np.isnan(got))
        wrong = np.nonzero(~alike)
    if not len(wrong[0]):
        return []
    place = tuple(int(axis[0]) for axis in wrong)
    there, here = expected[place], got[place]
    return [f"{name}: {len(wrong[0])} of {expected.size} differ, first {list(place)}: {there!r}, got {here!r}"]
