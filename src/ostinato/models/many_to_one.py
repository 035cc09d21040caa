"""Many to one: a sequence in, one vector of numbers out."""

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor, nn

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.core.lengths import valid_steps
from ostinato.layers.convolutions import Convolutions
from ostinato.layers.few_shapes import in_few_shapes
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.warping import warped

Pooling: TypeAlias = Literal["last", "mean", "max", "attention", "concat"]


#: Standard deviation of the embedding at the start.
_START = 0.1


class ManyToOneOutput(NamedTuple):
    """What is said of each sequence, `[N, C]`: scores of classes, or values; what it is computed from, `[N, P]`, with P
    = S*O, or 3*S*O of concat pooling; and with attention pooling the weight of each step of the layers, `[T, N]`."""

    outputs: Tensor
    pooled: Tensor
    attention: Tensor | None = None

    @property
    def logits(self) -> Tensor:
        """The outputs of a classifier."""
        return self.outputs


class ManyToOne(nn.Module):
    """Embedding or linear input, convolutions where they are asked for, a stack of recurrent layers, pooling over time,
    and a linear layer.

    Pooling, over the steps within each sequence's length, with h_t the stack's output:

    - last: the output after the last step; of the backward direction, after its last, which is the first step's.
    - mean: the mean of h_t. max: the largest value of each unit (Collobert, Weston 2008).
    - attention: the sum of a_t h_t with a = softmax over t of v . tanh(W h_t + b) (Yang et al. 2016, eq. 5 to 7).
    - concat: last, max and mean side by side (Howard, Ruder 2018, arXiv:1801.06146, section 3.3).

    A sequence of length zero pools to zeros.

    Args:
        outputs: C, numbers to say of each sequence.
        vocab_size: V, where the inputs are token ids.
        features: D, where they are feature vectors; exactly one of both is given.
        embed_size: E, width of the embedding, or of the linear layer on features; None feeds features as they are.
        hidden_size: H, units of each layer and direction.
        num_layers: L.
        cell: a registered cell's name.
        bidirectional: read in both directions.
        pooling: how a sequence becomes one vector.
        dropout: share set to zero in training: behind the embedding or linear layer, between layers, before the
            output; features that are fed as they are stay whole.
        word_dropout: share of the steps whose whole input is set to zero in training.
        convolutions: of features: how many `Convolutions` stand in front of the layers, which then take one step of
            each 2^convolutions.
        warp: of features: how much sequences are warped in training, as `warped` has it; 0 leaves them as they are.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: both or neither of vocab_size and features; an unknown pooling; convolutions or warping of
            token ids.
    """

    def __init__(
        self,
        outputs: int,
        *,
        vocab_size: int | None = None,
        features: int | None = None,
        embed_size: int | None = None,
        hidden_size: int,
        num_layers: int = 1,
        cell: str = DEFAULT_CELL,
        bidirectional: bool = True,
        pooling: Pooling = "max",
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        convolutions: int = 0,
        warp: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        if (vocab_size is None) == (features is None):
            raise ConfigError("expected one of vocab_size and features")
        if pooling not in get_args(Pooling):
            raise ConfigError(f"unknown pooling {pooling!r}: there are {', '.join(get_args(Pooling))}")
        if vocab_size is not None and (convolutions or warp):
            raise ConfigError("convolutions and warping are for a model of features, not of token ids")
        self.pooling, self.word_dropout, self.warp = pooling, word_dropout, warp
        self.input: nn.Module
        if vocab_size is not None:
            width = embed_size or hidden_size
            self.input = nn.Embedding(vocab_size, width)
            nn.init.normal_(self.input.weight, std=_START)
        elif embed_size is not None:
            width = embed_size
            self.input = nn.Linear(features or 0, width)
        else:
            width = features or 0
            self.input = nn.Identity()
        self.convolutions = Convolutions(width, count=convolutions) if convolutions else None
        if self.convolutions is not None:
            width = self.convolutions.output_size
        self.input_dropout = nn.Dropout(0.0 if isinstance(self.input, nn.Identity) else dropout)
        self.recurrent = Recurrent(
            cell, width, hidden_size, num_layers, dropout=dropout, bidirectional=bidirectional, **options
        )
        self.dropout = nn.Dropout(dropout)
        size = self.recurrent.output_size
        self.attention = (
            nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))
            if pooling == "attention"
            else None
        )
        self.output = nn.Linear(3 * size if pooling == "concat" else size, outputs)

    @torch.no_grad()
    def start_embedding(self, vectors: Tensor) -> None:
        """Start from vectors of words `[V, E]`, of mean square 1; those of zeros keep their random start.

        Raises:
            ConfigError: a model of features, which has no embedding.
        """
        if not isinstance(self.input, nn.Embedding):
            raise ConfigError("vectors of words are for a model of token ids, not of features")
        known = vectors.any(1)
        self.input.weight[known] = _START * vectors[known]

    def forward(self, inputs: Tensor, lengths: Tensor) -> ManyToOneOutput:
        """Read token ids `[T, N]`, or features `[T, N, D]`, of which `lengths` `[N]` steps are valid."""
        if self.training and self.warp:
            inputs = warped(inputs, lengths, self.warp)
        x = self.input(inputs)
        if self.training and self.word_dropout:
            kept = torch.rand(x.shape[:2], device=x.device) >= self.word_dropout
            x = x * (kept / (1 - self.word_dropout)).unsqueeze(-1).to(x.dtype)
        if self.convolutions is not None:
            x, lengths = self.convolutions(x, lengths)
        hidden, _ = self.recurrent(self.input_dropout(x), lengths=lengths)
        pooled, attention = self.pool(hidden, lengths)
        return ManyToOneOutput(self.output(self.dropout(pooled)), pooled, attention)

    def pool(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """One vector a sequence, `[N, P]`, and the attention where there is one, of hidden states `[T, N, S*O]` that
        are zero beyond the lengths `[N]`."""
        if self.attention is None:
            kinds = ("last", "max", "mean") if self.pooling == "concat" else (self.pooling,)
            return torch.cat([self._pooled(kind, hidden, lengths) for kind in kinds], dim=-1), None
        beyond = ~valid_steps(lengths, hidden.shape[0])
        scores = in_few_shapes(self.attention, hidden).squeeze(-1).masked_fill(beyond, -torch.inf)
        weights = scores.softmax(0).masked_fill(beyond, 0.0)  # a sequence of length zero would have NaN
        return torch.einsum("tn,tnh->nh", weights, hidden), weights

    def _pooled(self, kind: str, hidden: Tensor, lengths: Tensor) -> Tensor:
        """The same without attention, `[N, S*O]`."""
        if kind == "mean":
            return hidden.sum(0) / lengths.clamp(min=1).unsqueeze(-1).to(hidden.dtype)
        if kind == "last":
            return self._last(hidden, lengths)
        beyond = ~valid_steps(lengths, hidden.shape[0])
        largest = hidden.masked_fill(beyond.unsqueeze(-1), -torch.inf).amax(0)
        return largest.masked_fill((lengths == 0).unsqueeze(-1), 0.0)

    def _last(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        rows = torch.arange(hidden.shape[1], device=hidden.device)
        last = hidden[0] if self.recurrent.reverse else hidden[(lengths - 1).clamp(min=0), rows]
        if not self.recurrent.bidirectional:
            return last
        half = hidden.shape[-1] // 2
        return torch.cat([last[:, :half], hidden[0, :, half:]], dim=-1)
