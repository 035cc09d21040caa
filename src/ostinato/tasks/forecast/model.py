"""Many to many, not aligned: a window of what was, a horizon of what comes."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent
from ostinato.tasks.forecast import heads
from ostinato.tasks.forecast.ahead import HEADS, Head


class ForecastOutput(NamedTuple):
    """A distribution for each step, scaled as the inputs are.

    Attributes:
        head: which distribution.
        location: `[H, N, K]`: the point forecast; median of the distribution.
        parameters: `[H, N, K, P]` beside it, as the head's module in `heads` has them.
    """

    head: Head
    location: Tensor
    parameters: Tensor

    def quantile(self, share: float | Tensor) -> Tensor:
        """The value that a share of outcomes lies below, `[H, N, K]`; or shares, of a shape that this can be broadcast
        with.

        Raises:
            ConfigError: of a point forecast.
        """
        return heads.find(self.head).quantile(self.location, self.parameters, share)

    def sample(self) -> Tensor:
        """One draw of each step, `[H, N, K]`; the point head's own forecast."""
        return heads.find(self.head).sample(self.location, self.parameters)


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
        if head not in HEADS:
            raise ConfigError(f"head: expected one of {', '.join(HEADS)}, got {head!r}")
        self.head, self.targets, self.bases, self.autoregressive = head, targets, bases, autoregressive
        self.parameters_each, self.certain = heads.find(head).SIZE, heads.find(head).CERTAIN
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
        hidden, _ = self.decoder(self.fed(known, bases, before), encoded)
        return self.distribution(hidden, bases)

    def fed(self, known: Tensor, bases: Tensor, before: Tensor | None) -> Tensor:
        """The decoder's inputs, of arguments as in `forward`."""
        fed = [known, bases.flatten(2)]
        if self.autoregressive:
            assert before is not None
            fed.append(before)
        return torch.cat(fed, dim=-1)

    def distribution(self, hidden: Tensor, bases: Tensor) -> ForecastOutput:
        """From the decoder's output `[H, N, O]` and the simple forecasts `[H, N, K, C]`."""
        hidden = self.dropout(hidden)
        weights = self.weights(hidden).unflatten(-1, (self.targets, self.bases)).softmax(-1)
        raw = self.correction(hidden).unflatten(-1, (self.targets, 1 + self.parameters_each))
        location, rest = (weights * bases).sum(-1) + raw[..., 0], raw[..., 1:]
        return ForecastOutput(self.head, location, heads.find(self.head).parameters_of(location, rest))

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
