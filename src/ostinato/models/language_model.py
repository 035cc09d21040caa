"""Many to many, aligned: at each step the distribution of the next token."""

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.core.errors import ConfigError
from ostinato.layers.dropout import dropout as drop
from ostinato.layers.dropout import word_mask
from ostinato.layers.recurrent import Recurrent


class LanguageModelOutput(NamedTuple):
    """What a loss needs, logits on demand: a vocabulary's worth of them for each step is the largest tensor there is.

    Attributes:
        hidden: `[T, N, E]`, input of the output layer.
        weight: `[V, E]` of the output layer.
        bias: `[V]` of the output layer.
        state: after the last step; the next piece's initial state.
        raw: `[T, N, E]`, `hidden` before its dropout; None where a model has none.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    state: Any
    raw: Tensor | None = None

    def logits(self) -> Tensor:
        """Scores of every token at every step, `[T, N, V]`."""
        return F.linear(self.hidden, self.weight, self.bias)


class LanguageModel(nn.Module):
    """Embedding, a stack of recurrent layers, and a linear layer over the vocabulary.

    Dropout stands where Zaremba et al. (2014, arXiv:1409.2329) put it: behind the embedding, between layers, before
    the output; never on the way from step to step. Masks held over time, words left out as a whole and dropped
    recurrent weights are those of Gal, Ghahramani (2016, arXiv:1512.05287) and Merity et al. (2018, arXiv:1708.02182).
    With tied weights (Press, Wolf 2017, arXiv:1608.05859) the output layer's matrix is the embedding's.

    Args:
        vocab_size: V.
        embed_size: E, width of the embedding.
        hidden_size: H.
        num_layers: L.
        cell: a registered cell's name.
        dropout: share set to zero in training, wherever none of the next three says otherwise.
        input_dropout: the same behind the embedding alone.
        hidden_dropout: the same between layers alone.
        output_dropout: the same before the output alone.
        embedding_dropout: share of the vocabulary's words that a piece is read without.
        locked_dropout: hold the masks of dropout over all steps of a piece.
        tied: share the embedding with the output layer; needs E equal to the stack's output.
        last_size: units of the last layer, H where None; it is then `last`, a stack of its own on top of `recurrent`.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: tied weights of different widths; a last layer of another size than the only one.
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
        input_dropout: float | None = None,
        hidden_dropout: float | None = None,
        output_dropout: float | None = None,
        embedding_dropout: float = 0.0,
        locked_dropout: bool = False,
        tied: bool = False,
        last_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.input_dropout = dropout if input_dropout is None else input_dropout
        self.hidden_dropout = dropout if hidden_dropout is None else hidden_dropout
        self.output_dropout = dropout if output_dropout is None else output_dropout
        self.embedding_dropout, self.locked_dropout = embedding_dropout, locked_dropout
        self.embedding = nn.Embedding(vocab_size, embed_size)
        apart = last_size not in (None, hidden_size)
        if apart and num_layers == 1:
            raise ConfigError(
                f"last_size {last_size}: the only layer has {hidden_size} units; give num_layers=2 or more"
            )
        options |= {"dropout": self.hidden_dropout, "locked_dropout": locked_dropout}
        self.recurrent = Recurrent(cell, embed_size, hidden_size, num_layers - apart, **options)
        self.last = Recurrent(cell, self.recurrent.output_size, last_size, **options) if apart and last_size else None
        self.decoder = nn.Linear((self.last or self.recurrent).output_size, vocab_size)
        self.reset_parameters()
        if tied:
            if embed_size != self.decoder.in_features:
                raise ConfigError(
                    f"tied weights: expected an embedding as wide as the output, {self.decoder.in_features}, "
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
        embedded = self.embedding(inputs)
        if self.embedding_dropout and self.training:
            kept = word_mask(len(self.embedding.weight), self.embedding_dropout, embedded)
            embedded = embedded * kept[inputs].unsqueeze(-1)
        raw, state = self._read(self._drop(embedded, self.input_dropout), state)
        hidden = self._drop(raw, self.output_dropout)
        return LanguageModelOutput(hidden, self.decoder.weight, self.decoder.bias, state, raw)

    def _read(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """All recurrent layers. The state of a last layer of its own follows that of the others."""
        if self.last is None:
            x, state = self.recurrent(x, state)
            return x, state
        fields = len(self.recurrent.cell.State._fields)
        below, top = (None, None) if state is None else (state[:fields], state[fields:])
        x, below = self.recurrent(x, below)
        x, top = self.last(self._drop(x, self.hidden_dropout), top)
        return x, (*below, *top)

    def _drop(self, x: Tensor, rate: float) -> Tensor:
        return drop(x, rate, self.training, locked=self.locked_dropout)
