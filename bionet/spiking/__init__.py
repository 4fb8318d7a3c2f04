"""Spiking networks, written in Brian2 and run by bionet's engines: ``import bionet.spiking; set_device("bionet")``."""

from bionet.spiking.preferences import import_brian2

import_brian2()

from bionet.spiking.device import register  # noqa: E402

register()
