"""Sizes of a recurrent model."""

from typing import Annotated, Any

import tyro

from ostinato.config.cells import CELL_NAMES, DEFAULT_CELL, option_values
from ostinato.config.checks import at_least, at_most, share
from ostinato.config.options import options

#: Layers of a stack: each is a module, which takes time to make whatever its size.
MOST_LAYERS = 1_000


@options
class ModelOptions:
    """The stack of recurrent layers, and what stands before and behind it."""

    cell: Annotated[
        str, tyro.conf.arg(metavar="NAME", help=f"Recurrent cell: {', '.join(CELL_NAMES)}, or one from --plugin.")
    ] = DEFAULT_CELL

    layers: int = 1
    """Recurrent layers, one above the other."""

    hidden: int = 512
    """Units of each layer."""

    embed: int | None = None
    """Width of the embedding. Where a task has no default of its own, as --hidden."""

    dropout: float = 0.3
    """Share set to zero in training: after the embedding, between layers and before the output."""

    recurrent_dropout: float = 0.0
    """Share of the fed-back state set to zero in training, the same units at every step of a piece."""

    zoneout: float = 0.0
    """Probability that a unit of the state keeps its value for a step."""

    cell_options: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            metavar="NAME=VALUE",
            help="Options of the cell itself, such as forget_bias=1 for the LSTM or activation=relu.",
        ),
    ] = ()

    tied: bool = False
    """Let the output layer use the embedding's weights."""

    def __post_init__(self) -> None:
        at_least(layers=(self.layers, 1), hidden=(self.hidden, 1), embed=(self.embed, 1))
        at_most(layers=(self.layers, MOST_LAYERS))
        share(dropout=self.dropout, recurrent_dropout=self.recurrent_dropout, zoneout=self.zoneout)
        self.cell_settings()

    def layer_settings(self) -> dict[str, Any]:
        """Arguments that the models of all tasks have."""
        return {
            "hidden_size": self.hidden,
            "num_layers": self.layers,
            "cell": self.cell,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "zoneout": self.zoneout,
            **self.cell_settings(),
        }

    def cell_settings(self) -> dict[str, float | str]:
        """`cell_options` by name, as numbers; whole numbers stay whole, and activations go by their names.

        Raises:
            ConfigError: see `option_values`.
        """
        return option_values(self.cell_options)
