"""From windows to forecasts in the units the targets were measured in."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ostinato.core.errors import ConfigError
from ostinato.data.series.scaling import Transform
from ostinato.data.series.windows import Windows, WindowTensors
from ostinato.evaluation import evaluating
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.trained import Trained

#: Windows computed at once.
_TOGETHER = 256

#: Paths drawn for each window, where a distribution is fed back step by step: at least, and at most.
PATHS, MOST_PATHS = 200, 20_000

#: Paths that lie beyond the outermost quantile asked for, at least.
_BEYOND = 2


class Forecast(NamedTuple):
    """Of N windows, in the targets' own units: `[N, H, K]` what is most likely exceeded as often as not, the median,
    and `[N, H, K, Q]` quantiles of the shares asked for; None for the point head."""

    point: np.ndarray
    quantiles: np.ndarray | None


@torch.no_grad()
def forecast(
    model: Forecaster,
    windows: Windows,
    shares: Sequence[float] = (),
    *,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Forecast:
    """Forecast every window, in eval mode: the median, and quantiles of these shares, but for the point head. The seed
    is of the paths drawn, where decoding is autoregressive and the head a distribution."""
    shares = () if model.certain else shares
    drawn = model.autoregressive and not model.certain
    paths = paths_for(shares) if drawn else 0
    together = max(1, _TOGETHER // paths) if drawn else _TOGETHER
    parts = []
    with evaluating(model), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for first in range(0, len(windows), together):
            indices = np.arange(first, min(first + together, len(windows)))
            parts.append(_forecast(model, windows.inputs(indices), shares, windows.shape.transforms, paths))
            if progress is not None:
                progress(int(indices[-1]) + 1, len(windows))
    values = np.concatenate(parts, axis=1).swapaxes(0, 1)
    return Forecast(values[..., 0], values[..., 1:] if shares else None)


def _forecast(
    model: Forecaster, inputs: WindowTensors, shares: Sequence[float], transforms: Sequence[Transform], paths: int
) -> np.ndarray:
    """`[H, N, K, 1 + Q]`: the point forecast, then the quantiles; from paths drawn, where there are to be any."""
    if paths:
        found = _paths(model, inputs, [0.5, *shares], paths)
    else:
        if model.autoregressive:
            output = model.step_by_step(inputs.past, **inputs.arguments(), sample=False)
        else:
            output = model(inputs.past, **inputs.arguments())
        found = [output.location, *(output.quantile(share) for share in shares)]
    return np.stack([in_units(part, inputs, transforms) for part in found], axis=-1)


def in_units(scaled: Tensor, inputs: WindowTensors, transforms: Sequence[Transform]) -> np.ndarray:
    """Forecasts `[H, N, K]` in the units that their targets were measured in."""
    values = (scaled.double() * inputs.scale + inputs.centre).numpy()
    return np.stack([transform.undo(values[..., k]) for k, transform in enumerate(transforms)], axis=-1)


def paths_for(shares: Sequence[float]) -> int:
    """How many paths it takes for these quantiles.

    Raises:
        ConfigError: more than can be drawn.
    """
    tail = min((min(share, 1 - share) for share in shares), default=0.5)
    paths = max(PATHS, math.ceil(_BEYOND / tail - 1e-9))
    if paths > MOST_PATHS:
        raise ConfigError(
            f"a quantile of {tail:g} would take {paths:,} paths, more than {MOST_PATHS:,}: with --decoding "
            f"autoregressive expected quantiles from {_BEYOND / MOST_PATHS:g} to {1 - _BEYOND / MOST_PATHS:g}"
        )
    return paths


def _paths(model: Forecaster, inputs: WindowTensors, shares: Sequence[float], count: int) -> list[Tensor]:
    """Quantiles over paths drawn step by step, each fed its own past."""
    many = WindowTensors(*(part.repeat_interleave(count, dim=-3 if part.dim() == 4 else -2) for part in inputs))
    paths = model.step_by_step(many.past, **many.arguments(), sample=True).location
    paths = paths.reshape(len(paths), -1, count, paths.shape[-1])
    return [paths.quantile(share, dim=2) for share in shares]


def forecaster_of(run: Trained) -> Forecaster:
    """A run's model, which is a forecaster."""
    assert isinstance(run.model, Forecaster)
    return run.model
