"""The package's face in Python: `train` and `load` give a `Run`, which evaluates and generates."""

from ostinato.api.run import Run, load
from ostinato.api.training import train

__all__ = ["Run", "load", "train"]
