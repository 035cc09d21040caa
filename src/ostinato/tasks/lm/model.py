"""Many to many, aligned: at each step the distribution of the next token."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.layers.by_rows import layer_by_rows
from ostinato.layers.dropout import check_rates, word_mask
from ostinato.layers.dropout import dropout as drop
from ostinato.layers.eight_bits import EightBitLinear
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.tied import tied_embedding


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

    @property
    def vocab_size(self) -> int:
        """V."""
        return len(self.weight)

    def logits(self) -> Tensor:
        """Scores of every token at every step, `[T, N, V]`."""
        return F.linear(self.hidden, self.weight, self.bias)


class AdaptiveOutput(NamedTuple):
    """The same where the output layer is an adaptive softmax, of `hidden`."""

    hidden: Tensor
    softmax: nn.AdaptiveLogSoftmaxWithLoss
    state: Any
    raw: Tensor | None = None

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.softmax.n_classes

    def logits(self) -> Tensor:
        """Scores of every token at every step, `[T, N, V]`: their log-probabilities."""
        found: Tensor = self.softmax.log_prob(self.hidden.flatten(0, 1))
        return found.view(*self.hidden.shape[:2], self.vocab_size)


class EightBitOutput(NamedTuple):
    """The same where the weights of the output layer are of 8 bits, which has no gradients."""

    hidden: Tensor
    output: EightBitLinear
    state: Any
    raw: Tensor | None = None

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.output.out_features

    def logits(self) -> Tensor:
        """Scores of every token at every step, `[T, N, V]`."""
        return self.output.eight_bits(self.hidden)


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
        cutoffs: ids that begin a cluster of an adaptive softmax (Grave et al. 2017, arXiv:1609.04309); the most
            frequent token has to have the lowest id. By default every token is scored alike.
        separator: id of the token that documents begin with: the state starts anew before each. None: it never does.
        last_size: units of the last layer, H where None; it is then `last`, a stack of its own on top of `recurrent`.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: tied weights of different widths or with an adaptive softmax; cutoffs out of order, or so many
            that the last cluster has no width left; a last layer of another size than the only one; a share outside
            0 to 1; what `Recurrent` refuses.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = DEFAULT_CELL,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        hidden_dropout: float | None = None,
        output_dropout: float | None = None,
        embedding_dropout: float = 0.0,
        locked_dropout: bool = False,
        tied: bool = False,
        cutoffs: Sequence[int] = (),
        last_size: int | None = None,
        separator: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.input_dropout = dropout if input_dropout is None else input_dropout
        self.hidden_dropout = dropout if hidden_dropout is None else hidden_dropout
        self.output_dropout = dropout if output_dropout is None else output_dropout
        self.embedding_dropout, self.locked_dropout = embedding_dropout, locked_dropout
        check_rates(
            **{name: getattr(self, name) for name in ("input_dropout", "hidden_dropout", "output_dropout")},
            embedding_dropout=embedding_dropout,
        )
        self.embedding = nn.Embedding(vocab_size, embed_size)
        apart = last_size not in (None, hidden_size)
        if apart and num_layers == 1:
            raise ConfigError(
                f"last_size {last_size}: the only layer has {hidden_size} units; give num_layers=2 or more"
            )
        options |= {"dropout": self.hidden_dropout, "locked_dropout": locked_dropout}
        self.recurrent = Recurrent(cell, embed_size, hidden_size, num_layers - apart, **options)
        self.last = Recurrent(cell, self.recurrent.output_size, last_size, **options) if apart and last_size else None
        width = (self.last or self.recurrent).output_size
        self.decoder = _adaptive(width, vocab_size, cutoffs) if cutoffs else nn.Linear(width, vocab_size)
        self.reset_parameters()
        self.tied, self.separator = tied, separator
        if tied:
            if not isinstance(self.decoder, nn.Linear):
                raise ConfigError(
                    "tied weights: an adaptive softmax has narrower matrices of its own; take one of the two"
                )
            if embed_size != width:
                raise ConfigError(
                    f"tied weights: expected an embedding as wide as the output, {width}, got {embed_size}"
                )
            self.decoder.weight = self.embedding.weight

    def reset_parameters(self) -> None:
        """Embedding and linear output layer anew, uniform within 0.1, the output's bias zero: with N(0, 1), SGD at the
        presets' rates would diverge. Recurrent layers and an adaptive softmax keep what they have; they have
        `reset_parameters` of their own.
        """
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        if isinstance(self.decoder, nn.Linear):
            nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
            nn.init.zeros_(self.decoder.bias)

    def forward(
        self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None
    ) -> LanguageModelOutput | AdaptiveOutput | EightBitOutput:
        """Read token ids `[T, N]`, from an earlier output's state, or zeros; of each sequence as many as `lengths`
        `[N]` say, where they do."""
        weight = None  # the embedding's, where it is the output's too
        if self.tied and torch.is_grad_enabled():
            embedded, weight = tied_embedding(inputs, self.embedding.weight)
        else:
            embedded = self.embedding(inputs)
        if self.embedding_dropout and self.training:
            kept = word_mask(len(self.embedding.weight), self.embedding_dropout, embedded)
            embedded = embedded * kept[inputs].unsqueeze(-1)
        resets = None if self.separator is None else inputs == self.separator
        raw, state = self._read(self._drop(embedded, self.input_dropout), state, lengths, resets)
        hidden = self._drop(raw, self.output_dropout)
        if not isinstance(self.decoder, nn.Linear):
            return AdaptiveOutput(hidden, self.decoder, state, raw)
        if isinstance(self.decoder, EightBitLinear) and not self.training:
            return EightBitOutput(hidden, self.decoder, state, raw)
        if weight is None:
            weight = self.decoder.weight
        return LanguageModelOutput(hidden, weight, self.decoder.bias, state, raw)

    def stream(self, batch_size: int, state: Any = None) -> "LanguageModelStream":
        """The model one token at a time, for inference: `scores = stream.step(ids)`, `[N] -> [N, V]`. It goes on from
        an output's state, or from zeros.

        Raises:
            ConfigError: a bidirectional layer.
        """
        return LanguageModelStream(self, batch_size, state)

    def initial_state(self, batch_size: int) -> Any:
        """What a call without a state starts from."""
        states = [layer.initial_state(batch_size) for layer in (self.recurrent, self.last) if layer is not None]
        return states[0] if self.last is None else tuple(field for state in states for field in state)

    def _split(self, state: Any) -> list[Any]:
        """A state's fields by stack."""
        fields = len(self.recurrent.cell.State._fields)
        return [state] if self.last is None else [state[:fields], state[fields:]]

    def _read(self, x: Tensor, state: Any, lengths: Tensor | None, resets: Tensor | None) -> tuple[Tensor, Any]:
        """All recurrent layers. The state of a last layer of its own follows that of the others."""
        if self.last is None:
            x, state = self.recurrent(x, state, lengths, resets=resets)
            return x, state
        below, top = (None, None) if state is None else self._split(state)
        x, below = self.recurrent(x, below, lengths, resets=resets)
        x, top = self.last(self._drop(x, self.hidden_dropout), top, lengths, resets=resets)
        return x, (*below, *top)

    def _drop(self, x: Tensor, rate: float) -> Tensor:
        return drop(x, rate, self.training, locked=self.locked_dropout)


class LanguageModelStream:
    """Steps of a language model, made by `LanguageModel.stream`: what it computes in evaluation, without a graph.

    The recurrent layers run as `Recurrent.stream`, whose weights are packed once: what a call of the model sets up for
    every token costs more than the token.

    Attributes:
        independent: whether a sequence's scores are the same, to the last bit, whatever is read beside it.
    """

    def __init__(self, model: LanguageModel, batch_size: int, state: Any = None) -> None:
        self._model = model
        self._layers = [layer.stream(batch_size) for layer in (model.recurrent, model.last) if layer is not None]
        self.independent = all(layer.independent for layer in self._layers)
        if state is not None:
            for layer, own in zip(self._layers, model._split(state), strict=True):
                layer.state = own

    @torch.no_grad()
    def step(self, ids: Tensor) -> Tensor:
        """Take a step: ids `[N]` to scores of the next token `[N, V]`; log-probabilities from an adaptive softmax."""
        x, separator = F.embedding(ids, self._model.embedding.weight), self._model.separator
        if separator is not None and (anew := ids == separator).any():
            for layer in self._layers:
                layer.reset(anew.nonzero().flatten())
        for layer in self._layers:
            x = layer.step(x)
        return row_scores(self._model.decoder, x)

    @property
    def rows(self) -> int:
        """Sequences that steps take, as `Stream.rows`."""
        return self._layers[0].rows

    @rows.setter
    def rows(self, rows: int) -> None:
        for layer in self._layers:
            layer.rows = rows

    def put(self, row: int, state: Any, count: int = 1) -> None:
        """Set the state of one sequence, or of several from it on: an output's, of a batch of so many."""
        for layer, own in zip(self._layers, self._model._split(state), strict=True):
            layer.put(row, own, count)

    def get(self, row: int, count: int = 1) -> tuple[Tensor, ...]:
        """The state of one sequence, or of several from it on, a copy, as an output of the model has it."""
        return tuple(field for layer in self._layers for field in layer.get(row, count))

    @property
    def form(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape and dtype of each field of one sequence's state, by name: `recurrent.h`, `last.h`."""
        names = [f"recurrent.{name}" for name in self._model.recurrent.stack.names]
        names += [f"last.{name}" for name in self._model.last.stack.names] if self._model.last is not None else []
        return {
            name: ((len(field), 1, *field.shape[2:]), field.dtype)
            for name, field in zip(names, self.state, strict=True)
        }

    @property
    def state(self) -> tuple[Tensor, ...]:
        """The state after the last step, a copy, as an output of the model has it."""
        return tuple(field for layer in self._layers for field in layer.state)


@torch.no_grad()
def row_scores(decoder: nn.Module, x: Tensor) -> Tensor:
    """Scores `[N, V]` of hidden states `[N, E]`, each row the same to the last bit whatever stands beside it."""
    if isinstance(decoder, nn.AdaptiveLogSoftmaxWithLoss):
        return torch.cat([decoder.log_prob(x[row : row + 1]) for row in range(len(x))])
    return layer_by_rows(decoder, x)


def _adaptive(width: int, vocab_size: int, cutoffs: Sequence[int]) -> nn.AdaptiveLogSoftmaxWithLoss:
    edges = [0, *cutoffs, vocab_size]
    if any(low >= high for low, high in pairwise(edges)):
        raise ConfigError(
            f"adaptive softmax: expected ascending numbers between 0 and the vocabulary's {vocab_size:,}, "
            f"got {', '.join(map(str, cutoffs))}"
        )
    if width < 4 ** len(cutoffs):
        raise ConfigError(
            f"adaptive softmax: each cluster is a quarter as wide as the one before, and {len(cutoffs)} clusters "
            f"leave nothing of {width}; give fewer cutoffs or a wider layer"
        )
    return nn.AdaptiveLogSoftmaxWithLoss(width, vocab_size, list(cutoffs))
