"""Sizes of a recurrent model."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from ostinato.config.cells import CELL_NAMES
from ostinato.config.checks import at_least, share


@dataclass(frozen=True)
class ModelOptions:
    """The stack of recurrent layers, and what stands before and behind it."""

    cell: Annotated[
        str, tyro.conf.arg(metavar="NAME", help=f"Recurrent cell: {', '.join(CELL_NAMES)}, or one from --plugin.")
    ] = "lstm"

    layers: int = 1
    """Recurrent layers, one above the other."""

    hidden: int = 512
    """Units of each layer."""

    embed: int | None = None
    """Width of the embedding; by default 128 for characters, otherwise as --hidden."""

    dropout: float = 0.3
    """Share set to zero in training: after the embedding, between layers and before the output."""

    tied: bool = False
    """Let the output layer use the embedding's weights; then --embed is as --hidden."""

    def __post_init__(self) -> None:
        at_least(layers=(self.layers, 1), hidden=(self.hidden, 1))
        if self.embed is not None:
            at_least(embed=(self.embed, 1))
        share(dropout=self.dropout)
