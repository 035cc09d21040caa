"""A forecaster of torch.nn's classes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.interop.outgoing.plain.padded import recurrent


class Forecaster(nn.Module):
    """A window of what was, and what is known of what comes, to a distribution of each step."""

    def __init__(
        self,
        past_size: int,
        known_size: int,
        targets: int,
        bases: int,
        layers: dict[str, Any],
        head: str,
        parameters: int,
        autoregressive: bool = False,
    ) -> None:
        super().__init__()
        self.head, self.targets, self.bases, self.autoregressive = head, targets, bases, autoregressive
        fed = known_size + targets * bases + (targets if autoregressive else 0)
        self.encoder = recurrent(past_size, **layers)
        self.decoder = recurrent(fed, **layers)
        width = layers.get("proj_size") or layers["hidden_size"]
        self.weights = nn.Linear(width, targets * bases)
        self.correction = nn.Linear(width, targets * (1 + parameters))

    def forward(self, past: Tensor, known: Tensor, bases: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Forecast, all of it scaled: `past` `[W, N, D]`, `known` `[H, N, F]`, simple forecasts `bases`
        `[H, N, K, C]`, and `before` `[H, N, K]`, of which a model that feeds back its forecasts reads the first.

        Returns the point forecast `[H, N, K]` and what else its distribution has, `[H, N, K, P]`.
        """
        _, state = self.encoder(past)
        if not self.autoregressive:
            hidden, _ = self.decoder(torch.cat([known, bases.flatten(2)], dim=-1), state)
            return self.distribution(hidden, bases)
        back, found = before[0], []
        for ahead, simple in zip(known, bases, strict=True):
            hidden, state = self.decoder(torch.cat([ahead, simple.flatten(1), back], dim=-1).unsqueeze(0), state)
            location, parameters = self.distribution(hidden, simple.unsqueeze(0))
            back = location[0]
            found.append((location, parameters))
        return torch.cat([one for one, _ in found]), torch.cat([one for _, one in found])

    def distribution(self, hidden: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
        """Simple forecasts, weighed, and a correction; and the parameters beside it."""
        weights = self.weights(hidden).unflatten(-1, (self.targets, self.bases)).softmax(-1)
        raw = self.correction(hidden).unflatten(-1, (self.targets, -1))
        location, rest = (weights * bases).sum(-1) + raw[..., 0], raw[..., 1:]
        if self.head == "quantile":  # the middle one is the point forecast; distances from it add up
            middle, median = rest.shape[-1] // 2, location.unsqueeze(-1)
            below = F.softplus(rest[..., :middle]).flip(-1).cumsum(-1).flip(-1)
            above = F.softplus(rest[..., middle + 1 :]).cumsum(-1)
            return location, torch.cat([median - below, median, median + above], dim=-1)
        if self.head == "gaussian":  # a standard deviation
            return location, F.softplus(rest) + 1e-3
        if self.head == "student":  # a scale, and degrees of freedom
            return location, torch.stack([F.softplus(rest[..., 0]) + 1e-3, 2 + F.softplus(rest[..., 1] + 2)], dim=-1)
        return location, rest
