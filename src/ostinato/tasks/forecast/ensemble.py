"""Several forecasters of the same series as one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.core.errors import ConfigError
from ostinato.models.ensemble import mean_of_values
from ostinato.tasks.forecast.model import Forecaster, ForecastOutput


class EnsembleForecast(ForecastOutput):
    """Distributions whose quantiles are averaged (Lichtendahl et al. 2013, Is it better to average probabilities or
    quantiles?): of Gaussians that differ in their mean alone it is one of the same width, not a wider one."""

    each: tuple[ForecastOutput, ...]

    @classmethod
    def of(cls, outputs: Sequence[ForecastOutput]) -> "EnsembleForecast":
        """What several models say of the same steps."""
        made = cls(
            outputs[0].head,
            mean_of_values([output.location for output in outputs]),
            mean_of_values([output.parameters for output in outputs]),
        )
        made.each = tuple(outputs)
        return made

    def quantile(self, share: float | Tensor) -> Tensor:
        """The mean of theirs."""
        return mean_of_values([output.quantile(share) for output in self.each])


class ForecasterEnsemble(Forecaster):
    """Forecasters as one: it has no weights of its own.

    Args:
        models: of the same window, horizon, targets, head and decoding.

    Raises:
        ConfigError: models that differ in one of these.
    """

    def __init__(self, models: Sequence[Forecaster]) -> None:
        nn.Module.__init__(self)
        first = models[0]
        for name in ("head", "autoregressive", "targets", "bases"):
            theirs = {getattr(model, name) for model in models}
            if len(theirs) > 1:
                raise ConfigError(f"an ensemble needs forecasters alike in {name}, got {sorted(map(str, theirs))}")
        self.models = nn.ModuleList(models)
        self.head, self.autoregressive, self.targets = first.head, first.autoregressive, first.targets
        self.bases, self.parameters_each, self.certain = first.bases, first.parameters_each, first.certain

    def forward(self, *inputs: Any, **more: Any) -> ForecastOutput:
        """Forecast all steps."""
        return EnsembleForecast.of([model(*inputs, **more) for model in self.models])

    @torch.no_grad()
    def step_by_step(
        self, past: Tensor, known: Tensor, bases: Tensor, before: Tensor, *, sample: bool
    ) -> ForecastOutput:
        """As a forecaster; drawn paths are those of one model each, in turn."""
        each = [
            model.step_by_step(past, known, bases, before, sample=sample)  # type: ignore[operator]
            for model in self.models
        ]
        if not sample:
            return EnsembleForecast.of(each)
        row = torch.arange(past.shape[1]) % len(each)
        paths = torch.stack([output.location for output in each])[row, :, torch.arange(len(row))].transpose(0, 1)
        return ForecastOutput(self.head, paths, each[0].parameters)
