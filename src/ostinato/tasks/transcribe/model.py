"""Many to many, not aligned: a score for every symbol, and for none, at each step."""

from typing import Any, NamedTuple

from torch import Tensor, nn

from ostinato.config.cells import DEFAULT_CELL
from ostinato.layers.recurrent import Recurrent


class TranscriberOutput(NamedTuple):
    """`[T, N, V + 1]` scores at each step, class 0 of the blank, and `[N]` steps of each sequence."""

    logits: Tensor
    lengths: Tensor


class Transcriber(nn.Module):
    """A stack of recurrent layers over frames, and a linear layer over symbols and the blank (Graves et al. 2006).

    Args:
        features: D of a frame.
        symbols: V.
        hidden_size: H, units of each layer and direction.
        num_layers: L.
        cell: a registered cell's name.
        bidirectional: read in both directions.
        dropout: share set to zero in training: between layers and before the output.
        **options: of `Recurrent` and of the cell.
    """

    def __init__(
        self,
        features: int,
        symbols: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = DEFAULT_CELL,
        bidirectional: bool = True,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(
            cell, features, hidden_size, num_layers, dropout=dropout, bidirectional=bidirectional, **options
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.recurrent.output_size, symbols + 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> TranscriberOutput:
        """Read frames `[T, N, D]`, of which `lengths` `[N]` are valid."""
        hidden, _ = self.recurrent(inputs, lengths=lengths)
        return TranscriberOutput(self.output(self.dropout(hidden)), lengths)
