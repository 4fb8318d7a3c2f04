"""Energy-based networks: symmetric weights, one number that recall lowers or sampling obeys."""

from bionet.energy.associative import Association, AssociativeClassifier
from bionet.energy.hopfield import Hopfield, Recall
from bionet.energy.rbm import RBM, Statistics

__all__ = ["RBM", "Association", "AssociativeClassifier", "Hopfield", "Recall", "Statistics"]
