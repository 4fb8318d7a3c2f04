"""Energy-based networks: symmetric weights, one number that recall lowers or sampling obeys."""

from bionet.energy.associative import Association, AssociativeClassifier
from bionet.energy.boltzmann import BoltzmannMachine
from bionet.energy.convolutional import ConvolutionalRBM
from bionet.energy.dbm import DBM
from bionet.energy.dbn import DBN
from bionet.energy.dense import DenseMemory, ModernHopfield
from bionet.energy.equilibrium import EquilibriumPropagation
from bionet.energy.harmonium import Statistics
from bionet.energy.hopfield import Hopfield, Recall
from bionet.energy.partition import Interval
from bionet.energy.rbm import RBM

__all__ = [
    "DBM",
    "DBN",
    "RBM",
    "Association",
    "AssociativeClassifier",
    "BoltzmannMachine",
    "ConvolutionalRBM",
    "DenseMemory",
    "EquilibriumPropagation",
    "Hopfield",
    "Interval",
    "ModernHopfield",
    "Recall",
    "Statistics",
]
