"""Spiking networks, written in Brian2 and run by bionet's engines: ``import bionet.spiking; set_device("bionet")``."""

from bionet.spiking.device import register

register()
