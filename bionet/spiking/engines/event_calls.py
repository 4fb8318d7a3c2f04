"""How the loop of the ``event`` engine calls what is printed for a network: by address.

So the loop is compiled once for all networks, and for a new network what differs alone. Each printed function of a name
below has a number, that of its flow (or source), pathway or drive; its address is in the table of `addresses`, which the
loop's memory holds. A call by address takes a nanosecond or two, and none is made for each of many neurons or synapses.
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
    "SIGNATURES",
    "call_advance",
    "call_arrive",
    "call_deliver",
    "call_fire",
    "call_front_at",
    "call_inject",
    "call_launch",
    "call_next_front",
    "call_onward",
    "call_reset",
    "call_search",
    "call_silences",
)

_WHOLE, _REAL = types.int64, types.float64
_WHOLES, _REALS = types.Array(_WHOLE, 1, "C"), types.Array(_REAL, 1, "C")
_NUMBERS, _FLAGS = types.Array(types.int32, 1, "C"), types.Array(types.boolean, 1, "C")
#: Addresses of tables and constants, the length of a window, the addresses of the table of calls and of the first units.
MEMORY = types.Tuple((*5 * (_WHOLE,), _REAL, _WHOLE, _WHOLE))
_WHEN = (_WHOLE, _REAL)
_TOUCHING = (*_WHEN, _REAL, _WHOLE, _NUMBERS, _WHOLE, _FLAGS, MEMORY)
#: What is printed for networks, with the types of results and arguments.
SIGNATURES = {
    "advance": types.void(_WHOLE, *_WHEN, MEMORY),
    "search": types.Tuple((_REAL, _WHOLE))(_WHOLE, _WHOLE, MEMORY),
    "reset": types.void(_WHOLE, *_WHEN, _REAL, _WHOLE, MEMORY),
    "fire": types.void(_WHOLE, *_WHEN, _REAL, _WHOLES, MEMORY),
    "launch": types.void(_WHOLE, *_WHEN, _REAL, MEMORY, _WHOLES, _NUMBERS, _NUMBERS, _WHOLES, _REALS),
    "deliver": _WHOLE(_WHOLE, _WHOLE, *_TOUCHING),
    "inject": _WHOLE(_WHOLE, *_TOUCHING),
    "onward": types.Tuple((_WHOLE, _REAL))(_WHOLE, _WHOLE, _WHOLES, MEMORY),
    "silences": types.void(_NUMBERS, _WHOLE, _REALS, *_WHEN, MEMORY),
    "next_front": types.Tuple((_WHOLE, _REAL))(MEMORY),
    "front_at": types.Tuple((_WHOLE, _WHOLE))(*_WHEN, _REAL, MEMORY),
    "arrive": types.void(*_WHEN, _REAL, MEMORY),
}
ADVANCE, SEARCH, RESET, FIRE, LAUNCH, DELIVER, INJECT, ONWARD, SILENCES, NEXT_FRONT, FRONT_AT, ARRIVE = range(12)
CALLS = len(SIGNATURES)


def addresses(module: Any) -> NDArray:
    """Return the table of addresses of a module's functions: number by number, in each as in ``SIGNATURES``.

    It is 0 where there is none. Functions without a number in their name have the number 0.
    """
    found = {}
    for name, each in vars(module).items():
        base, _, number = name.rpartition("_") if name[-1].isdigit() else (name, "", "0")
        if base in SIGNATURES and hasattr(each, "overloads"):
            [compiled] = each.overloads.values()
            place = list(SIGNATURES).index(base)
            found[int(number), place] = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    table = np.zeros((max((number for number, _ in found), default=0) + 1, CALLS), np.int64)
    for place, address in found.items():
        table[place] = address
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
call_next_front, call_front_at = _by_address("next_front"), _by_address("front_at")
call_arrive = _by_address("arrive")


def called(which, number, memory):
    """Return the address of one of the functions of a network; 0 if there is none."""
    return view(memory[6], 1 << 40, np.int64)[number * CALLS + which]


def member(u, memory):
    """Return which flow or source a unit belongs to, and its number there."""
    first = view(memory[7], 1 << 40, np.int64)
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
    call_fire(called(FIRE, number, memory), (i, w, off, now, control, memory))


def launch(u, w, off, window, memory, control, heap, free, flights, offsets):
    """Send a spike off along all pathways."""
    number, i = member(u, memory)
    given = (i, w, off, window, memory, control, heap, free, flights, offsets)
    call_launch(called(LAUNCH, number, memory), given)


def deliver(pathway, k, stop, w, off, now, draw, touched, n_touched, seen, memory):
    """Run the code of the synapses [k, stop) of a pathway; return how many neurons are touched by now."""
    function = called(DELIVER, pathway, memory)
    if function == 0:
        return n_touched
    return call_deliver(function, (k, stop, w, off, now, draw, touched, n_touched, seen, memory))


def inject(drive, u, w, off, now, draw, touched, n_touched, seen, memory):
    """Run the code of a Poisson event at a neuron; return how many neurons are touched by now."""
    function = called(INJECT, drive, memory)
    return call_inject(function, (u, w, off, now, draw, touched, n_touched, seen, memory))


def onward(pathway, slot, flights, memory):
    """Return up to which synapse a flight arrives now, and the next delay or -1."""
    return call_onward(called(ONWARD, 0, memory), (pathway, slot, flights, memory))


def silences(touched, n_touched, quiet, w, off, memory):
    """Find out how long each of the neurons that have been touched is surely silent; below 0 it is to be looked at."""
    call_silences(called(SILENCES, 0, memory), (touched, n_touched, quiet, w, off, memory))


def next_front(memory):
    """Return when the next front arrives."""
    return call_next_front(called(NEXT_FRONT, 0, memory), (memory,))


def front_at(w, off, window, memory):
    """Return a pathway and a place of it that a front reaches at a time; the pathway is below 0 if there is none."""
    return call_front_at(called(FRONT_AT, 0, memory), (w, off, window, memory))


def arrive(w, off, window, memory):
    """Take the spike that arrives next from its axon."""
    call_arrive(called(ARRIVE, 0, memory), (w, off, window, memory))


#: What the loop calls, in the order in which they call each other.
FUNCTIONS = (
    *(called, member, advance, search, reset, fire, launch, deliver, inject, onward, silences),
    *(next_front, front_at, arrive),
)
