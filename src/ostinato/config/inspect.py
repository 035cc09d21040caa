"""Options of `ostinato inspect`."""

from typing import Annotated, Literal, TypeAlias, get_args

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least, valid_threads
from ostinato.config.fields import Accelerator, File, Json, Plugins, RunFolder, Threads
from ostinato.config.options import field, options
from ostinato.core.errors import ConfigError

View: TypeAlias = Literal["gates", "gradients", "units", "loss", "training"]
VIEWS: tuple[str, ...] = get_args(View)


@options
class InspectOptions:
    """What to look at, and how much of it."""

    data: File = None
    """What to read, as evaluate takes it. By default what the run was validated on, where that can be read again."""

    encoding: str | None = None
    """Of --data, where it is not UTF-8."""

    beside: Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN")] = ()
    """More runs in the same pictures: training, gradients."""

    tokens: int = 100
    """Steps that a picture shows: gates, units (four times as many), loss (as many of them as can be read)."""

    read: int = 0
    """Tokens to read for the figures. By default 5,000 for gates and 20,000 for units and loss."""

    steps: int = 100
    """Steps that a gradient is followed back: gradients."""

    units: int = 128
    """Units of a layer that a heat map shows: those that move most."""

    unit: Annotated[str | None, tyro.conf.arg(metavar="LAYER.FIELD.UNIT")] = None
    """A unit to look at, of a state or a gate, such as 2.c.17 or 1.f.17: units (what it follows, and the text coloured
    by it; by default by the one that follows each property best), gates (heat maps of it alone)."""

    of: Literal["states", "gates"] = "states"
    """Whether states or gates are ranked; of gates it takes longer, and a smaller --read less: units."""

    top: int = 5
    """Candidates at each token, and units of each property, to name."""

    def __post_init__(self) -> None:
        at_least(tokens=(self.tokens, 1), read=(self.read, 0), steps=(self.steps, 2), units=(self.units, 1))
        at_least(top=(self.top, 1))
        if self.unit is not None:
            self.unit_parts()

    def unit_parts(self) -> tuple[int, str, int]:
        """`unit` in parts: layer from 0, field of the state or gate, unit from 0.

        Raises:
            ConfigError: it is written in another way.
        """
        layer, _, rest = (self.unit or "").partition(".")
        name, _, unit = rest.partition(".")
        if not (layer.isdecimal() and int(layer) and name and unit.isdecimal()):
            raise ConfigError(
                f"--unit {self.unit}: expected layer (from 1), field of the state or gate, and unit (from 0), such as "
                "1.h.17 or 1.f.17"
            )
        return int(layer) - 1, name, int(unit)


@options
class Inspect:
    """Look inside a trained run: gates, gradients through time, units with a meaning, loss, its training."""

    run: RunFolder

    view: Annotated[
        Positional[View],
        tyro.conf.arg(
            help="gates: heat maps of gates and states, saturation. gradients: how far they reach back. units: which "
            "follow something in the text. loss: what was expected at each token. training: the course of it."
        ),
    ]

    out: Annotated[str, tyro.conf.arg(metavar="DIR", help="Folder for pictures (PNG and SVG), pages and numbers.")]

    look: InspectOptions = field(default_factory=InspectOptions)
    threads: Threads = 0
    accelerator: Accelerator = "auto"
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)
