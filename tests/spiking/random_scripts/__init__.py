"""Random deterministic Brian2 models, written as scripts: ``python -m tests.spiking.random_scripts 17`` prints one."""

from tests.spiking.random_scripts.features import FEATURES
from tests.spiking.random_scripts.script import Script, write

__all__ = ["FEATURES", "Script", "write"]
