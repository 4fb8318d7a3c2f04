"""Hebbian learners: weights that change by what the two neurons they link are doing.

The rules on samples are here; the spike-timing rules, which need Brian2, are in ``bionet.hebbian.spike_timing``.

>>> from bionet.hebbian import Oja, Sanger, SoftHebb
"""

from bionet.hebbian.competitive import SoftHebb
from bionet.hebbian.oja import Oja, Sanger

__all__ = ["Oja", "Sanger", "SoftHebb"]
