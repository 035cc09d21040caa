"""Many to many, aligned: at each step the distribution of the next token."""

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent


class LanguageModelOutput(NamedTuple):
    """What a loss needs, logits on demand: a vocabulary's worth of them for each step is the largest tensor there is.

    Attributes:
        hidden: `[T, N, E]`, input of the output layer.
        weight: `[V, E]` of the output layer.
        bias: `[V]` of the output layer.
        state: after the last step; the next piece's initial state.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    state: Any

    def logits(self) -> Tensor:
        """Scores of every token at every step, `[T, N, V]`."""
        return F.linear(self.hidden, self.weight, self.bias)


class LanguageModel(nn.Module):
    """Embedding, a stack of recurrent layers, and a linear layer over the vocabulary.

    Dropout stands where Zaremba et al. (2014, arXiv:1409.2329) put it: behind the embedding, between layers, before
    the output; never on the way from step to step. With tied weights (Press, Wolf 2017, arXiv:1608.05859) the output
    layer's matrix is the embedding's.

    Args:
        vocab_size: V.
        embed_size: E, width of the embedding.
        hidden_size: H.
        num_layers: L.
        cell: a registered cell's name.
        dropout: share set to zero in training.
        tied: share the embedding with the output layer; needs E equal to the stack's output.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: tied weights of different widths.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = "lstm",
        dropout: float = 0.0,
        tied: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.recurrent = Recurrent(cell, embed_size, hidden_size, num_layers, dropout=dropout, **options)
        self.dropout = nn.Dropout(dropout)
        self.decoder = nn.Linear(self.recurrent.output_size, vocab_size)
        self.reset_parameters()
        if tied:
            if embed_size != self.recurrent.output_size:
                raise ConfigError(
                    f"tied weights: expected an embedding as wide as the output, {self.recurrent.output_size}, "
                    f"got {embed_size}"
                )
            self.decoder.weight = self.embedding.weight

    def reset_parameters(self) -> None:
        """Uniform within 0.1, the output's bias zero: with N(0, 1), SGD at the presets' rates would diverge."""
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, inputs: Tensor, state: Any = None) -> LanguageModelOutput:
        """Read tokens.

        Args:
            inputs: `[T, N]` token ids.
            state: as an earlier output's; zeros where None.
        """
        embedded = self.dropout(self.embedding(inputs))
        hidden, state = self.recurrent(embedded, state)
        return LanguageModelOutput(self.dropout(hidden), self.decoder.weight, self.decoder.bias, state)
