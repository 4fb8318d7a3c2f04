"""How the loop of the ``event`` engine calls what is printed for a network: by address.

So the loop is compiled once for all networks, and for a new one what is its own alone. Each printed function of a name
below has a number, that of its flow (or source), pathway or drive; its address is in the table of `addresses`, which
the memory of a thread holds. A call takes some nanoseconds; none is made for each synapse that a spike reaches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from bionet.spiking.engines.runtime import view

__all__ = (
    "MEMORY",
    "SIGNATURES",
    "call_advance",
    "call_arrive",
    "call_deliver",
    "call_fetch",
    "call_fire",
    "call_inject",
    "call_launch",
    "call_onward",
    "call_reset",
    "call_search",
    "call_silences",
    "call_unfold",
)

_WHOLE, _REAL = types.int64, types.float64
#: Arrays are given by address, and so is the memory of a thread (see `MEMORY`).
_WHEN = (_WHOLE, _REAL)
_TOUCHING = (*_WHEN, _REAL, _WHOLE, _WHOLE, _WHOLE, _WHOLE, _WHOLE)
#: What is printed for networks, with the types of results and arguments.
SIGNATURES = {
    "advance": types.void(_WHOLE, *_WHEN, _WHOLE),
    "search": types.Tuple((_REAL, _WHOLE))(_WHOLE, _WHOLE, _WHOLE),
    "reset": types.void(_WHOLE, *_WHEN, _REAL, _WHOLE, _WHOLE),
    "fire": types.void(_WHOLE, *_WHEN, _REAL, _WHOLE, _WHOLE),
    "launch": types.void(_WHOLE, *_WHEN, _REAL, _WHOLE),
    "deliver": _WHOLE(_WHOLE, _WHOLE, *_TOUCHING),
    "inject": _WHOLE(_WHOLE, *_TOUCHING),
    "unfold": _WHOLE(_WHOLE, _WHOLE, _WHOLE, _REAL, _WHOLE),
    "onward": types.void(_WHOLE, _REAL, _WHOLE),
    "silences": types.void(_WHOLE, _WHOLE, _WHOLE, *_WHEN, _WHOLE),
    "arrive": types.boolean(_WHOLE, *_WHEN, _REAL, _WHOLE),
    "fetch": types.void(*7 * (_WHOLE,)),
}
(
    ADVANCE,
    SEARCH,
    RESET,
    FIRE,
    LAUNCH,
    DELIVER,
    INJECT,
    UNFOLD,
    ONWARD,
    SILENCES,
    ARRIVE,
    FETCH,
) = range(12)
CALLS = len(SIGNATURES)
#: The types of arrays.
ARRAYS = {
    **{"control": "int64", "quiet": "float64", "touched": "int32", "seen": "bool_"},
    **{"place_of": "int32", "due": "int64", "wanted": "int64"},
}
#: The words of a thread's memory: addresses of the tables of addresses and sizes, of floats, integers and keys;
#: the length of a window; addresses of the table of calls, of the first units, and of the table of what is on its way.
MEMORY = 9


def addresses(module: Any, least: int) -> NDArray:
    """Return the table of addresses of a module's functions: number by number, in each as in ``SIGNATURES``.

    It is 0 where there is none, and has ``least`` numbers or more. Functions without a number in their name have 0.
    """
    found = {}
    for name, each in vars(module).items():
        base, _, number = name.rpartition("_") if name[-1].isdigit() else (name, "", "0")
        if base in SIGNATURES and hasattr(each, "overloads"):
            [compiled] = each.overloads.values()
            place = list(SIGNATURES).index(base)
            found[int(number), place] = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    table = np.zeros((max(least, *(1 + number for number, _ in found)), CALLS), np.int64)
    for at, address in found.items():
        table[at] = address
    return table.reshape(-1)


def _by_address(name: str) -> Any:
    signature = SIGNATURES[name]

    @intrinsic
    def call(typing, address, given):
        """Call the function at an address with the arguments in a tuple."""

        def generate(context, builder, own, arguments):
            values = cgutils.unpack_tuple(builder, arguments[1])
            kinds = zip(own.args[1].types, signature.args, strict=True)
            cast = [context.cast(builder, each, *pair) for each, pair in zip(values, kinds, strict=True)]
            kind = context.call_conv.get_function_type(signature.return_type, signature.args)
            function = builder.inttoptr(arguments[0], kind.as_pointer())
            status, result = context.call_conv.call_function(
                builder, function, signature.return_type, signature.args, cast
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return result

        return signature.return_type(types.int64, given), generate

    return call


call_advance, call_search, call_reset = _by_address("advance"), _by_address("search"), _by_address("reset")
call_fire, call_launch, call_deliver = _by_address("fire"), _by_address("launch"), _by_address("deliver")
call_inject, call_onward, call_silences = _by_address("inject"), _by_address("onward"), _by_address("silences")
call_unfold, call_arrive, call_fetch = _by_address("unfold"), _by_address("arrive"), _by_address("fetch")


def called(which, number, memory):
    """Return the address of one of the functions of a network; 0 if there is none."""
    return view(view(memory, MEMORY, np.int64)[6], 1 << 40, np.int64)[number * CALLS + which]


def member(u, memory):
    """Return which flow or source a unit belongs to, and its number there."""
    first = view(view(memory, MEMORY, np.int64)[7], 1 << 40, np.int64)
    number = 0
    while u >= first[number + 1]:
        number += 1
    return number, u - first[number]


def advance(u, w, off, memory):
    """Bring a neuron to a time."""
    number, i = member(u, memory)
    call_advance(called(ADVANCE, number, memory), (i, w, off, memory))


def search(u, w, memory):
    """Return when a neuron fires in a window, or infinity, and when to look again."""
    number, i = member(u, memory)
    return call_search(called(SEARCH, number, memory), (i, w, memory))


def reset(u, w, off, now, draw, memory):
    """Reset a neuron."""
    number, i = member(u, memory)
    call_reset(called(RESET, number, memory), (i, w, off, now, draw, memory))


def fire(u, w, off, now, control, memory):
    """Do to a neuron and to monitors what a spike does."""
    number, i = member(u, memory)
    call_fire(called(FIRE, number, memory), (i, w, off, now, control.ctypes.data, memory))


def launch(u, w, off, window, memory):
    """Send a spike off along all pathways."""
    number, i = member(u, memory)
    call_launch(called(LAUNCH, number, memory), (i, w, off, window, memory))


def deliver(pathway, k, stop, w, off, now, draw, touched, n_touched, seen, memory):
    """Run the code of the synapses [k, stop) of a pathway; return how many neurons are touched by now."""
    function = called(DELIVER, pathway, memory)
    if function == 0:
        return n_touched
    given = (k, stop, w, off, now, draw, touched.ctypes.data, n_touched, seen.ctypes.data, memory)
    return call_deliver(function, given)


def fetch(pathway, k, later, seen, place_of, due, wanted, memory):
    """Begin to fetch from memory what a place needs that is reached soon, and what tells so for one reached later."""
    function = called(FETCH, pathway, memory)
    if function != 0:
        agenda = (seen.ctypes.data, place_of.ctypes.data, due.ctypes.data, wanted.ctypes.data)
        call_fetch(function, (k, later, *agenda, memory))


def inject(drive, u, w, off, now, draw, touched, n_touched, seen, memory):
    """Run the code of a Poisson event at a neuron; return how many neurons are touched by now."""
    function = called(INJECT, drive, memory)
    given = (u, w, off, now, draw, touched.ctypes.data, n_touched, seen.ctypes.data, memory)
    return call_inject(function, given)


def unfold(flight, n, w, window, memory):
    """Add what a flight reaches in a window to the agenda's n arrivals; return how many there are now."""
    return call_unfold(called(UNFOLD, 0, memory), (flight, n, w, window, memory))


def onward(flight, window, memory):
    """Let a flight that was near go on to its next synapse."""
    call_onward(called(ONWARD, 0, memory), (flight, window, memory))


def silences(touched, n_touched, quiet, w, off, memory):
    """Find out how long each of the neurons that have been touched is surely silent; below 0 it is to be looked at."""
    call_silences(called(SILENCES, 0, memory), (touched.ctypes.data, n_touched, quiet.ctypes.data, w, off, memory))


def arrive(what, w, off, window, memory):
    """Take the spike of a front that arrives from its axon; return whether there is one."""
    return call_arrive(called(ARRIVE, 0, memory), (what, w, off, window, memory))


#: What the loop calls, in the order in which they call each other.
FUNCTIONS = (
    *(called, member, advance, search, reset, fire, launch, deliver, fetch, inject, unfold, onward, silences),
    arrive,
)
