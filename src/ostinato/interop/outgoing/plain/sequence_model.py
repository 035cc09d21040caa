"""A model of one answer to a sequence, of torch.nn's classes."""

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run_padded


class SequenceModel(nn.Module):
    """Token ids, or features, to one vector of scores or values a sequence."""

    def __init__(
        self,
        outputs: int,
        layers: dict[str, Any],
        pooling: str,
        vocab_size: int | None = None,
        features: int = 0,
        embed_size: int | None = None,
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.input: nn.Module = nn.Identity()
        width = features
        if embed_size is not None:
            width = embed_size
            self.input = nn.Linear(features, width) if vocab_size is None else nn.Embedding(vocab_size, width)
        self.recurrent = recurrent(width, **layers)
        size = (layers.get("proj_size") or layers["hidden_size"]) * (2 if layers.get("bidirectional") else 1)
        self.attention: nn.Module | None = None
        if pooling == "attention":
            self.attention = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))
        self.output = nn.Linear(3 * size if pooling == "concat" else size, outputs)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read ids `[T, N]`, or features `[T, N, D]`, of which `lengths` `[N]` are valid; gives `[N, C]`."""
        hidden, _ = run_padded(self.recurrent, self.input(inputs), lengths)
        found: Tensor = self.output(self.pool(hidden, lengths))
        return found

    def pool(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """One vector a sequence, of all its steps."""
        beyond = torch.arange(len(hidden))[:, None] >= lengths
        if self.pooling == "concat":
            parts = self.last(hidden, lengths), self.largest(hidden, lengths), self.mean(hidden, lengths)
            return torch.cat(parts, dim=-1)
        if self.pooling == "mean":
            return self.mean(hidden, lengths)
        if self.pooling == "max":
            return self.largest(hidden, lengths)
        if self.attention is not None:
            scores = self.attention(hidden).squeeze(-1).masked_fill(beyond, -torch.inf)
            weights = scores.softmax(0).masked_fill(beyond, 0.0)
            return torch.einsum("tn,tnh->nh", weights, hidden)
        return self.last(hidden, lengths)

    def mean(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """The mean of the steps."""
        return hidden.sum(0) / lengths.clamp(min=1).unsqueeze(-1)

    def largest(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """The largest value of each unit."""
        beyond = torch.arange(len(hidden))[:, None] >= lengths
        found = hidden.masked_fill(beyond.unsqueeze(-1), -torch.inf).amax(0)
        return found.masked_fill((lengths == 0).unsqueeze(-1), 0.0)

    def last(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """What each direction said last."""
        last = hidden[(lengths - 1).clamp(min=0), torch.arange(hidden.shape[1])]
        if not self.recurrent.bidirectional:
            return last
        half = hidden.shape[-1] // 2  # the backward direction ends at the first step
        return torch.cat([last[:, :half], hidden[0, :, half:]], dim=-1)
