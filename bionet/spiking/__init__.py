"""Spiking networks, written in Brian2 and run by bionet's engines: ``import bionet.spiking; set_device("bionet")``."""

import gc

from bionet.brian import import_brian2

# What Brian2, SymPy and Numba leave in memory is no garbage; to look through it again and again is an eighth of the
# time that importing them takes. Afterwards every run() would look through it, twice.
_collecting = gc.isenabled()
gc.disable()
try:
    import_brian2()

    from bionet.spiking.conduction import conduction
    from bionet.spiking.device import accuracy, register
    from bionet.spiking.explain import explain
    from bionet.spiking.machine_code import import_compiler, nothing_is_kept

    if nothing_is_kept():
        # It will be needed soon; what is imported later is looked through as long as the process lives.
        import_compiler()
finally:
    if _collecting:
        gc.enable()
gc.freeze()

register()

__all__ = ["accuracy", "conduction", "explain"]
