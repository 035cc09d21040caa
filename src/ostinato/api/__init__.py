"""The package in Python: `train` and `load` give a `Run`, which evaluates, predicts or generates, and looks inside."""

from ostinato.api.run import Run, load
from ostinato.api.training import train

__all__ = ["Run", "load", "train"]
