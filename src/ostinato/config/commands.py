"""One class a command: what `ostinato --help` lists, with every option's meaning."""

from dataclasses import dataclass
from typing import Annotated

import tyro
from tyro.conf import Positional

from ostinato.config.checks import above_zero
from ostinato.config.fields import Json, Out, Plugins


@dataclass(frozen=True)
class Demo:
    """Train a character LSTM for two and a half minutes on text that every Python carries, and let it write."""

    out: Out = "runs/demo"

    time_limit: float = 150.0
    """Seconds to spend."""

    json: Json = False

    def __post_init__(self) -> None:
        above_zero(time_limit=self.time_limit)


@dataclass(frozen=True)
class Info:
    """Say what this installation has: versions, threads, and who runs each cell, and why."""

    plugin: Plugins = ()
    json: Json = False


@dataclass(frozen=True)
class Runs:
    """List the run folders in a folder, with their best figures."""

    folder: Annotated[Positional[str], tyro.conf.arg(metavar="DIR")] = "runs"
    """Where the runs are."""

    json: Json = False


@dataclass(frozen=True)
class Trim:
    """Remove what only going on with a training needs from finished runs, most of their size; the models stay."""

    runs: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="RUN", help="Run folders of trainings that are finished and are not to be lengthened."),
    ]

    json: Json = False
