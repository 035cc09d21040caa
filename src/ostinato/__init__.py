"""Ostinato: recurrent sequence models, trained, examined and shipped from an ordinary CPU.

    import ostinato

    run = ostinato.train("lm", "book.txt", out="runs/book")
    print("".join(run.generate("The ", length=200)))

Importing this is quick: torch is imported when the first name that needs it is touched (PEP 562).
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Recurrent": "ostinato.layers.recurrent",
    "RNN": "ostinato.layers.drop_in",
    "LSTM": "ostinato.layers.drop_in",
    "GRU": "ostinato.layers.drop_in",
    "RNNCell": "ostinato.layers.single_step",
    "LSTMCell": "ostinato.layers.single_step",
    "GRUCell": "ostinato.layers.single_step",
    "Batch": "ostinato.core.batch",
    "KeptState": "ostinato.core.kept_state",
    "register": "ostinato.core.registry",
    "check_cell": "ostinato.testing.report",
    "OstinatoError": "ostinato.core.errors",
    "train": "ostinato.api",
    "find_lr": "ostinato.api.finding_rate",
    "export": "ostinato.api.exporting",
    "load": "ostinato.api",
    "Run": "ostinato.api",
    "doctor": "ostinato.advice.doctor",
    "view": "ostinato.studio.notebook",
    "Client": "ostinato.serving.client",
    "search": "ostinato.search.searching",
}

if TYPE_CHECKING:
    from ostinato.advice.doctor import doctor as doctor
    from ostinato.api import Run as Run
    from ostinato.api import load as load
    from ostinato.api import train as train
    from ostinato.api.exporting import export as export
    from ostinato.api.finding_rate import find_lr as find_lr
    from ostinato.core.batch import Batch as Batch
    from ostinato.core.errors import OstinatoError as OstinatoError
    from ostinato.core.kept_state import KeptState as KeptState
    from ostinato.core.registry import register as register
    from ostinato.layers.drop_in import GRU as GRU
    from ostinato.layers.drop_in import LSTM as LSTM
    from ostinato.layers.drop_in import RNN as RNN
    from ostinato.layers.recurrent import Recurrent as Recurrent
    from ostinato.layers.single_step import GRUCell as GRUCell
    from ostinato.layers.single_step import LSTMCell as LSTMCell
    from ostinato.layers.single_step import RNNCell as RNNCell
    from ostinato.search.searching import search as search
    from ostinato.serving.client import Client as Client
    from ostinato.studio.notebook import view as view
    from ostinato.testing.report import check_cell as check_cell

__all__ = sorted(_HOME)

if sys.modules.get("torch") is not None:  # where it comes later, it calls this itself (pyproject.toml, torch.backends)
    import_module("ostinato.core.autoload").register()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ostinato")
    if name in ("sklearn", "interop"):
        return import_module(f"ostinato.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'ostinato' has no attribute {name!r}; it has {', '.join(__all__)}")
    from ostinato.core.collector import uncollected

    with uncollected():
        value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
