"""Options of `ostinato studio`."""

from dataclasses import dataclass
from typing import Annotated

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least, at_most
from ostinato.config.fields import Flag, Json, Plugins


@dataclass(frozen=True)
class Studio:
    """Open the studio in the browser: train, try and watch runs, and see what goes on inside them."""

    runs: Annotated[Positional[str], tyro.conf.arg(metavar="RUNS_DIR")] = "runs"
    """Where the runs are, and where new ones go."""

    port: int | None = None
    """Port to listen at, on this machine alone. By default 8400, or the next that is free."""

    plugin: Plugins = ()

    no_browser: Flag = False
    """Print the address without opening it."""

    json: Json = False

    def __post_init__(self) -> None:
        if self.port is not None:
            at_least(port=(self.port, 0))
            at_most(port=(self.port, 65_535))
