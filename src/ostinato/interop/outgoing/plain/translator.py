"""A translator of torch.nn's classes."""

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run_padded
from ostinato.interop.outgoing.plain.writing import Decoder, Search, State


class Encoder(nn.Module):
    """Embedding and recurrent layers over a source; gives outputs, and what the decoder starts from."""

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        layers: dict[str, Any],
        reverse: bool = False,
        h_alone: bool = False,
        bridges: dict[str, tuple[int, int]] | None = None,
    ) -> None:
        super().__init__()
        self.reverse, self.h_alone = reverse, h_alone
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.recurrent = recurrent(embed_size, **layers)
        self.bridges = nn.ModuleDict({name: nn.Linear(*sizes) for name, sizes in (bridges or {}).items()})

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Of ids `[S, N]`, of which `lengths` `[N]` are valid: outputs `[S, N, M]` in their order, and the state's
        fields `[L, N, H]`."""
        steps = torch.arange(len(source))[:, None]
        order = torch.where(steps < lengths, lengths - 1 - steps, steps)  # turns the valid part round
        source = source.gather(0, order) if self.reverse else source
        outputs, state = run_padded(self.recurrent, self.embedding(source), lengths)
        if self.reverse:
            outputs = outputs.gather(0, order.unsqueeze(-1).expand_as(outputs))
        fields: list[Tensor] = []
        for name, field in zip("hc", state, strict=False):
            if self.recurrent.bidirectional:  # both directions side by side
                field = field.reshape(len(field) // 2, 2, *field.shape[1:]).transpose(1, 2).flatten(2)
            field = self.bridges[name](field) if name in self.bridges else field
            fields.append(torch.zeros_like(field) if fields and self.h_alone else field)
        return outputs, tuple(fields)


class Translator(nn.Module):
    """A source to scores of a target's tokens, and to whole targets."""

    def __init__(
        self,
        encoder: dict[str, Any],
        decoder: dict[str, Any],
        search: dict[str, Any],
        max_length: int,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(**encoder), Decoder(**decoder)
        self.search, self.max_length = Search(**search), max_length

    def forward(self, inputs: Tensor, lengths: Tensor, target_inputs: Tensor) -> Tensor:
        """Scores `[T, N, V]` of the tokens behind each of `target_inputs` `[T, N]`, the first of which is the end's id;
        of sources `inputs` `[S, N]`, of which `lengths` `[N]` are valid."""
        scores: Tensor = self.decoder(target_inputs, self.start(inputs, lengths))[0]
        return scores

    def start(self, inputs: Tensor, lengths: Tensor) -> State:
        """What the decoder begins with."""
        outputs, fields = self.encoder(inputs, lengths)
        return self.decoder.start(fields, outputs, lengths)

    def write(
        self, inputs: Tensor, lengths: Tensor, width: int = 5, limit: int | None = None
    ) -> list[tuple[list[int], float]]:
        """The target of each source, as ids without the end, and its score: by a beam of so many hypotheses, or of 1
        greedily. `limit` is what it has at most; by default twice the source and some, up to `max_length`."""
        with torch.no_grad():
            state = self.start(inputs, lengths)
        most = [min(2 * int(length) + 50, self.max_length) if limit is None else limit for length in lengths]
        return [self.search.best(self.decoder, state.of(row), one, width) for row, one in enumerate(most)]
