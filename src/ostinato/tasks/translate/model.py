"""Many to many, not aligned: an encoder reads a sequence, a decoder writes another."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.layers.attention import Score
from ostinato.layers.recurrent import Recurrent
from ostinato.models.sequence_decoder import DecoderOutput, DecoderState, SequenceDecoder


class Encoded(NamedTuple):
    """A source that was read: the encoder's outputs `[S, N, M]` in the order of the source, of lengths `[N]` where not
    all are S, and the decoder's initial state, `[L, N, size]` a field."""

    outputs: Tensor
    lengths: Tensor | None
    state: Any


class Encoder(nn.Module):
    """Embedding and a stack of recurrent layers over a source; gives outputs and the decoder's initial state.

    A bidirectional encoder has H/2 units in each direction, so that its outputs and both directions' final states,
    side by side, are as wide as the decoder's. Where a cell's options make them of another width, a linear layer
    brings a state to it.

    Args:
        vocab_size: V of the source.
        embed_size: E.
        hidden_size: H, of both directions together.
        num_layers: L.
        cell: a registered cell's name.
        dropout: share set to zero in training: after the embedding, between layers and in the outputs.
        bidirectional: read from both ends.
        reverse: read from the end (Sutskever et al. 2014, arXiv:1409.3215); outputs are put back in order.
        hands_over: what the decoder starts from: the whole "state", or "h" alone and zeros for the rest, as Saitoh's.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: an odd size for two directions.
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
        bidirectional: bool = True,
        reverse: bool = False,
        hands_over: Literal["state", "h"] = "state",
        **options: Any,
    ) -> None:
        super().__init__()
        if bidirectional and hidden_size % 2:
            raise ConfigError(
                f"a bidirectional encoder shares its units out: expected an even number, got {hidden_size}"
            )
        units = hidden_size // 2 if bidirectional else hidden_size
        self.reverse, self.hands_over = reverse, hands_over
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.recurrent = Recurrent(
            cell, embed_size, units, num_layers, dropout=dropout, bidirectional=bidirectional, **options
        )
        self.dropout = nn.Dropout(dropout)
        self.bridges = nn.ModuleDict()

    def bridge_to(self, decoder: SequenceDecoder) -> None:
        """Add a linear layer for each field of the state whose width is not the decoder's."""
        directions = 2 if self.recurrent.bidirectional else 1
        own, needed = self.recurrent.initial_state(1), decoder.initial_state(1)
        for name, mine, wanted in zip(needed._fields, own, needed, strict=True):
            if mine.shape[-1] * directions != wanted.shape[-1]:
                self.bridges[name] = nn.Linear(mine.shape[-1] * directions, wanted.shape[-1])

    def forward(self, source: Tensor, lengths: Tensor | None = None) -> Encoded:
        """Read token ids `[S, N]` of these lengths `[N]`; None where all are S."""
        order = None
        if self.reverse:
            order = reversal(source.shape[0], source.shape[1], lengths, source.device)
            source = source.gather(0, order)
        outputs, state = self.recurrent(self.dropout(self.embedding(source)), None, lengths)
        if order is not None:
            outputs = outputs.gather(0, order.unsqueeze(-1).expand_as(outputs))
        return Encoded(self.dropout(outputs), lengths, self._bridged(state))

    def _bridged(self, state: Any) -> Any:
        fields: dict[str, Tensor] = {}
        for name, field in zip(state._fields, state, strict=True):
            if self.recurrent.bidirectional:  # [L*2, N, size] -> [L, N, 2*size]
                field = field.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2)
            field = self.bridges[name](field) if name in self.bridges else field
            fields[name] = torch.zeros_like(field) if fields and self.hands_over == "h" else field
        return type(state)(**fields)


class Seq2Seq(nn.Module):
    """An encoder and a `SequenceDecoder` started from its state, attending over its outputs.

    The variants of Saitoh's "Deep Learning from Scratch 2", chapter 7 and 8, are options: plain, reversed, peeky,
    attention.

    Args:
        source_vocab: V of the source.
        target_vocab: V of the target.
        embed_size: E, of both embeddings.
        hidden_size: H, of encoder (both directions together) and decoder.
        num_layers: L, of both.
        cell: a registered cell's name, for both.
        dropout: share set to zero in training: after embeddings, between layers, in the encoder's outputs and before
            the output layer.
        bidirectional: the encoder reads from both ends.
        reverse: the encoder reads from the end.
        peeky: each step of the decoder sees the encoder's last h.
        attention: score of the attention, or None.
        input_feeding: each step also reads what attention gave at the step before.
        tied: the output layer uses the target embedding's weights.
        shared: source and target have one vocabulary and one embedding.
        readout, copy, coverage: of `SequenceDecoder`.
        hands_over: of `Encoder`.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: options that do not fit together.
    """

    def __init__(
        self,
        source_vocab: int,
        target_vocab: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = DEFAULT_CELL,
        dropout: float = 0.0,
        bidirectional: bool = True,
        reverse: bool = False,
        peeky: bool = False,
        attention: Score | None = "general",
        input_feeding: bool = False,
        tied: bool = False,
        shared: bool = False,
        readout: bool = True,
        hands_over: Literal["state", "h"] = "state",
        copy: bool = False,
        coverage: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if shared and source_vocab != target_vocab:
            raise ConfigError(f"one embedding for both: expected one vocabulary, got {source_vocab} and {target_vocab}")
        sizes = (embed_size, hidden_size, num_layers)
        options |= {"cell": cell, "dropout": dropout}
        reads: dict[str, Any] = {"bidirectional": bidirectional, "reverse": reverse, "hands_over": hands_over}
        self.encoder = Encoder(source_vocab, *sizes, **reads | options)
        options |= {"memory_size": self.encoder.recurrent.output_size, "attention": attention, "peeky": peeky}
        options |= {"readout": readout, "copy": copy, "coverage": coverage}
        self.decoder = SequenceDecoder(target_vocab, *sizes, input_feeding=input_feeding, tied=tied, **options)
        self.encoder.bridge_to(self.decoder)
        if shared:
            self.encoder.embedding.weight = self.decoder.embedding.weight
        else:
            nn.init.normal_(self.encoder.embedding.weight, std=embed_size**-0.5)

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor | None = None,
        *,
        target_inputs: Tensor,
        target_lengths: Tensor | None = None,
        sampling: float | Tensor = 0.0,
        copied: Tensor | None = None,
    ) -> DecoderOutput:
        """Read a source and predict each token of a target from those before it.

        Args:
            inputs: `[S, N]` token ids of the source.
            lengths: `[N]` of the source; None where all are S.
            target_inputs: `[T, N]` token ids: the target, one step later than it is to be predicted.
            target_lengths: `[N]` of these; None where all are T.
            sampling: probability that a target input is replaced by what the decoder itself predicts there.
            copied: `[S, N]` what the words of the source are called in the target, where they can be copied.
        """
        return self.decoder(target_inputs, self.start(inputs, lengths, copied), target_lengths, sampling)

    def start(self, source: Tensor, lengths: Tensor | None = None, copied: Tensor | None = None) -> DecoderState:
        """The decoder's state before its first step, once the source `[S, N]` is read."""
        encoded = self.encoder(source, lengths)
        return self.decoder.start(encoded.state, encoded.outputs, encoded.lengths, copied)


def reversal(steps: int, batch: int, lengths: Tensor | None, device: Any = None) -> Tensor:
    """`[S, N]` indices, of S steps and a batch of N, that turn the valid part of each sequence round and leave the
    padding where it is; without lengths `[N]` all of it is valid."""
    step = torch.arange(steps, device=device).unsqueeze(1)
    if lengths is None:
        return (steps - 1 - step).expand(steps, batch)
    ends = lengths.to(step.device).unsqueeze(0)
    return torch.where(step < ends, ends - 1 - step, step)
