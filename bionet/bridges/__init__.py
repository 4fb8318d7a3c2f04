"""Bridges: the same network carried from one substrate to another.

>>> from bionet.bridges.to_spiking import to_spiking
"""
