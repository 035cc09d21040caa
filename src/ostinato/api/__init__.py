"""The package in Python: `train` and `load` give a `Run`, which evaluates, predicts or generates, and looks inside."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ostinato.core.collector import uncollected

if TYPE_CHECKING:
    from ostinato.api.run import Run, load
    from ostinato.api.training import train

__all__ = ["Run", "load", "train"]

#: Looked up when they are asked for: the list of runs in a folder, for one, needs no torch.
_HOME = {"Run": "run", "load": "run", "train": "training"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ostinato.api' has no attribute {name!r}")
    with uncollected():
        return getattr(import_module(f"ostinato.api.{_HOME[name]}"), name)
