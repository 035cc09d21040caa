"""A model of one answer to a sequence, of torch.nn's classes."""

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run_padded


class Convolutions(nn.Module):
    """Convolutions over time of stride 2, with zeros around each sequence."""

    def __init__(self, width: int, kernels: tuple[int, ...], channels: int) -> None:
        super().__init__()
        widths = [width, *[channels] * len(kernels)]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, channels, kernel, stride=2, padding=kernel // 2)
            for before, kernel in zip(widths, kernels, strict=False)
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """From `[T, N, D]` of these lengths to half as many steps, rounded up, for each convolution, and theirs."""
        x = self.within(x, lengths)
        for layer in self.layers:
            x, lengths = layer(x.permute(1, 2, 0)).relu().permute(2, 0, 1), (lengths + 1) // 2
            x = self.within(x, lengths)
        return x, lengths

    def within(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Zeros beyond the lengths."""
        return x.masked_fill((torch.arange(len(x))[:, None] >= lengths).unsqueeze(-1), 0.0)


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
        kernels: tuple[int, ...] = (),
        channels: int = 64,
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.input: nn.Module = nn.Identity()
        width = features
        if embed_size is not None:
            width = embed_size
            self.input = nn.Linear(features, width) if vocab_size is None else nn.Embedding(vocab_size, width)
        self.convolutions = Convolutions(width, kernels, channels) if kernels else None
        self.recurrent = recurrent(channels if kernels else width, **layers)
        size = (layers.get("proj_size") or layers["hidden_size"]) * (2 if layers.get("bidirectional") else 1)
        self.attention: nn.Module | None = None
        if pooling == "attention":
            self.attention = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))
        self.output = nn.Linear(3 * size if pooling == "concat" else size, outputs)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read ids `[T, N]`, or features `[T, N, D]`, of which `lengths` `[N]` are valid; gives `[N, C]`."""
        x = self.input(inputs)
        if self.convolutions is not None:
            x, lengths = self.convolutions(x, lengths)
        hidden, _ = run_padded(self.recurrent, x, lengths)
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
