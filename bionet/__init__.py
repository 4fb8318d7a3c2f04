"""bionet puts one question to every kind of neural network: spiking, energy-based, Hebbian and rate.

Nothing heavy is imported here; each room brings its own library when it is entered
(``import bionet.spiking`` loads Brian2, ``import bionet.rate`` loads PyTorch).
"""

__version__ = "0.1.0"
