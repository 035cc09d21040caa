"""Many to many, not aligned: a window of what was, a horizon of what comes."""

import math
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent
from ostinato.tasks.forecast.ahead import QUANTILES, Head

_HEADS = get_args(Head)


class ForecastOutput(NamedTuple):
    """A distribution for each step, scaled as the inputs are.

    Attributes:
        head: which distribution.
        location: `[H, N, K]`: the point forecast; median of the distribution.
        parameters: `[H, N, K, P]` beside it: point none; quantile the quantiles themselves, ascending; gaussian the
            standard deviation; student the scale and the degrees of freedom.
    """

    head: Head
    location: Tensor
    parameters: Tensor

    def quantile(self, share: float | Tensor) -> Tensor:
        """The value that a share of outcomes lies below, `[H, N, K]`; or shares, of a shape that this can be broadcast
        with.

        Between learned quantiles it lies on a straight line, beyond the outermost on an exponential tail.

        Raises:
            ConfigError: of a point forecast.
        """
        if self.head == "point":
            raise ConfigError("a point forecast has no quantiles; train with --head quantile, gaussian or student")
        if self.head == "quantile":
            return _between(self.parameters, share)
        if self.head == "gaussian":
            away = torch.special.ndtri(torch.as_tensor(share, dtype=torch.float64))
            return self.location + self.parameters[..., 0] * away.to(self.location.dtype)
        scale, freedom = self.parameters.unbind(-1)
        return self.location + scale * student_quantile(freedom, share)

    def sample(self) -> Tensor:
        """One draw of each step, `[H, N, K]`; the point head's own forecast."""
        if self.head == "point":
            return self.location
        if self.head == "gaussian":
            return self.location + self.parameters[..., 0] * torch.randn_like(self.location)
        if self.head == "student":
            scale, freedom = self.parameters.unbind(-1)
            return self.location + scale * torch.distributions.StudentT(freedom).sample()
        # a draw of exactly 0 or 1 has no finite value
        return _between(self.parameters, torch.rand_like(self.location).clamp(1e-6, 1 - 1e-6))


class Forecaster(nn.Module):
    """A recurrent encoder over the window, a recurrent decoder over the horizon, and a mixture of simple forecasts.

    The decoder begins with the encoder's final state. At each step it weighs the simple forecasts that come with the
    inputs (softmax) and adds a correction of its own; both layers begin at zero, so that an untrained model forecasts
    the simple ones' mean and training can only depart from there for a reason. The idea of a recurrent network over
    a classical forecast is Smyl's (2020), A hybrid method of exponential smoothing and recurrent neural networks for
    time series forecasting.

    Direct decoding forecasts all steps at once. Autoregressive decoding also feeds each step the target before: the
    true one in training (teacher forcing), the model's own afterwards.

    Args:
        past_size: D, features of a row of the window.
        known_size: F, features known of a row to forecast.
        targets: K.
        bases: C, simple forecasts.
        hidden_size: H.
        num_layers: L, of encoder and decoder each.
        cell: a registered cell's name.
        head: distribution of a step.
        dropout: share set to zero in training: between layers and before the output.
        autoregressive: feed back the step before.
        **options: of `Recurrent` and of the cell.

    Raises:
        ConfigError: an unknown head or cell.
    """

    def __init__(
        self,
        past_size: int,
        known_size: int,
        targets: int,
        bases: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = DEFAULT_CELL,
        head: Head = "point",
        dropout: float = 0.0,
        autoregressive: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if head not in _HEADS:
            raise ConfigError(f"head: expected one of {', '.join(_HEADS)}, got {head!r}")
        self.head, self.targets, self.bases, self.autoregressive = head, targets, bases, autoregressive
        self.parameters_each = {"point": 0, "quantile": len(QUANTILES), "gaussian": 1, "student": 2}[head]
        fed = known_size + targets * bases + (targets if autoregressive else 0)
        options |= {"cell": cell, "hidden_size": hidden_size, "num_layers": num_layers, "dropout": dropout}
        self.encoder = Recurrent(input_size=past_size, **options)
        self.decoder = Recurrent(input_size=fed, **options)
        self.dropout = nn.Dropout(dropout)
        width = self.decoder.output_size
        self.weights = nn.Linear(width, targets * bases)
        self.correction = nn.Linear(width, targets * (1 + self.parameters_each))
        for layer in (self.weights, self.correction):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @torch.no_grad()
    def begin_from(self, errors: Tensor) -> None:
        """Weigh the simple forecasts by the inverse of their squared errors (Bates, Granger 1969): `[K, C]`, the mean
        absolute error of each in the training windows, in scaled units."""
        self.weights.bias.copy_(-2 * errors.clamp(min=1e-3).log().flatten())

    def forward(self, past: Tensor, known: Tensor, bases: Tensor, before: Tensor | None = None) -> ForecastOutput:
        """Forecast all steps; in autoregressive decoding from the true targets before, as training wants it.

        Args:
            past: `[W, N, D]`, rows of the window.
            known: `[H, N, F]`, what is known of the rows to forecast.
            bases: `[H, N, K, C]`, simple forecasts of them.
            before: `[H, N, K]`, the target one row earlier; only autoregressive decoding reads it.
        """
        _, encoded = self.encoder(past)
        fed = [known, bases.flatten(2)]
        if self.autoregressive:
            assert before is not None
            fed.append(before)
        hidden, _ = self.decoder(torch.cat(fed, dim=-1), encoded)
        return self.distribution(hidden, bases)

    def distribution(self, hidden: Tensor, bases: Tensor) -> ForecastOutput:
        """From the decoder's output `[H, N, O]` and the simple forecasts `[H, N, K, C]`."""
        hidden = self.dropout(hidden)
        weights = self.weights(hidden).unflatten(-1, (self.targets, self.bases)).softmax(-1)
        raw = self.correction(hidden).unflatten(-1, (self.targets, 1 + self.parameters_each))
        location, rest = (weights * bases).sum(-1) + raw[..., 0], raw[..., 1:]
        if self.head == "quantile":
            rest = _ascending(location, rest)
        elif self.head == "gaussian":
            rest = F.softplus(rest) + 1e-3
        elif self.head == "student":
            rest = torch.stack([F.softplus(rest[..., 0]) + 1e-3, 2 + F.softplus(rest[..., 1] + 2)], dim=-1)
        return ForecastOutput(self.head, location, rest)

    @torch.no_grad()
    def step_by_step(
        self, past: Tensor, known: Tensor, bases: Tensor, before: Tensor, *, sample: bool
    ) -> ForecastOutput:
        """Autoregressive decoding from the model's own forecasts; with `sample` from draws, which are then the
        location.

        Arguments are as in `forward`; of `before` only the first step is read: the last target of the window.
        """
        _, state = self.encoder(past)
        fed_back, outputs = before[0], []
        for ahead, simple in zip(known, bases, strict=True):
            fed = torch.cat([ahead, simple.flatten(1), fed_back], dim=-1).unsqueeze(0)
            hidden, state = self.decoder(fed, state)
            output = self.distribution(hidden, simple.unsqueeze(0))
            fed_back = (output.sample() if sample else output.location)[0]
            outputs.append(output._replace(location=fed_back.unsqueeze(0)))
        return ForecastOutput(
            self.head,
            torch.cat([output.location for output in outputs]),
            torch.cat([output.parameters for output in outputs]),
        )


def _ascending(median: Tensor, raw: Tensor) -> Tensor:
    """Quantiles that cannot cross: the median, and on either side of it positive distances, summed up."""
    middle = len(QUANTILES) // 2
    below = F.softplus(raw[..., :middle]).flip(-1).cumsum(-1).flip(-1)
    above = F.softplus(raw[..., middle + 1 :]).cumsum(-1)
    median = median.unsqueeze(-1)
    return torch.cat([median - below, median, median + above], dim=-1)


def _between(quantiles: Tensor, share: float | Tensor) -> Tensor:
    """Linear interpolation; beyond the outermost an exponential tail through the last two (Park et al. 2022).

    Learning quantile functions without quantile crossing for distribution-free time series forecasting.
    """
    levels = quantiles.new_tensor(QUANTILES)
    share = torch.as_tensor(share, dtype=quantiles.dtype).expand(quantiles.shape[:-1])
    inside = share.clamp(QUANTILES[0], QUANTILES[-1])
    right = torch.searchsorted(levels, inside.contiguous()).clamp(1, len(QUANTILES) - 1)
    low, high = levels[right - 1], levels[right]
    values = quantiles.gather(-1, torch.stack([right - 1, right], dim=-1))
    found = torch.lerp(values[..., 0], values[..., 1], (inside - low) / (high - low))
    below = (quantiles[..., 1] - quantiles[..., 0]) / math.log(QUANTILES[1] / QUANTILES[0])
    above = (quantiles[..., -1] - quantiles[..., -2]) / math.log((1 - QUANTILES[-2]) / (1 - QUANTILES[-1]))
    found = found + below * (share / QUANTILES[0]).clamp(max=1).log()
    return found - above * ((1 - share) / (1 - QUANTILES[-1])).clamp(max=1).log()


def student_quantile(freedom: Tensor, share: float | Tensor) -> Tensor:
    """Quantile of the standard Student t distribution of `freedom`, 1 or more, from its distribution function as an
    integral over an angle. The shares lie between 0 and 1.

    With t = sqrt(v) tan(a), the distribution function is 1/2 plus the integral of cos(a)^(v-1) from 0 to a, over twice
    the same integral to pi/2; the trapezoidal rule is inverted.
    """
    if isinstance(share, float) and share == 0.5:
        return torch.zeros_like(freedom)
    side = (torch.as_tensor(share, dtype=torch.float64) - 0.5).expand(freedom.shape).unsqueeze(-1)
    v = freedom.double().unsqueeze(-1)
    angles = torch.linspace(0, math.pi / 2, 1025, dtype=torch.float64)
    density = angles.cos().clamp(min=0) ** (v - 1)
    area = torch.cumulative_trapezoid(density, angles, dim=-1)
    wanted = 2 * side.abs() * area[..., -1:]
    right = torch.searchsorted(area, wanted).clamp(max=area.shape[-1] - 1)
    high = area.gather(-1, right)
    low = torch.where(right > 0, area.gather(-1, (right - 1).clamp(min=0)), 0.0)
    angle = (right + (wanted - low) / (high - low).clamp(min=1e-300)) * (angles[1] - angles[0])
    quantile = v.sqrt() * angle.tan() * side.sign()
    return quantile[..., 0].to(freedom.dtype)
