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
        self.output = nn.Linear(size, outputs)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read ids `[T, N]`, or features `[T, N, D]`, of which `lengths` `[N]` are valid; gives `[N, C]`."""
        hidden, _ = run_padded(self.recurrent, self.input(inputs), lengths)
        found: Tensor = self.output(self.pool(hidden, lengths))
        return found

    def pool(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """One vector a sequence, of all its steps."""
        beyond = torch.arange(len(hidden))[:, None] >= lengths
        if self.pooling == "mean":
            return hidden.sum(0) / lengths.clamp(min=1).unsqueeze(-1)
        if self.pooling == "max":
            largest = hidden.masked_fill(beyond.unsqueeze(-1), -torch.inf).amax(0)
            return largest.masked_fill((lengths == 0).unsqueeze(-1), 0.0)
        if self.attention is not None:
            scores = self.attention(hidden).squeeze(-1).masked_fill(beyond, -torch.inf)
            weights = scores.softmax(0).masked_fill(beyond, 0.0)
            return torch.einsum("tn,tnh->nh", weights, hidden)
        last = hidden[(lengths - 1).clamp(min=0), torch.arange(hidden.shape[1])]
        if not self.recurrent.bidirectional:
            return last
        half = hidden.shape[-1] // 2  # the backward direction ends at the first step
        return torch.cat([last[:, :half], hidden[0, :, half:]], dim=-1)
