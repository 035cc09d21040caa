"""From windows to forecasts in the units the targets were measured in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ostinato.data.scaling import Transform
from ostinato.data.windows import Windows, WindowTensors
from ostinato.models.forecaster import Forecaster

#: Windows computed at once.
_TOGETHER = 256

#: Paths drawn for each window, where a distribution is fed back step by step.
PATHS = 200


class Forecast(NamedTuple):
    """Of N windows, in the targets' own units.

    Attributes:
        point: `[N, H, K]`: what is most likely exceeded as often as not, the median.
        quantiles: `[N, H, K, Q]`, of the shares asked for; None for the point head.
    """

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
    """Forecast every window.

    Args:
        model: puts itself into eval mode for as long as this lasts.
        windows: what to forecast.
        shares: quantiles wanted; none are given for the point head.
        seed: of the paths drawn, where decoding is autoregressive and the head a distribution.
        progress: told the windows done, and those in all.
    """
    training = model.training
    model.eval()
    shares = () if model.head == "point" else shares
    drawn = model.autoregressive and model.head != "point"
    together = max(1, _TOGETHER // PATHS) if drawn else _TOGETHER
    parts = []
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for first in range(0, len(windows), together):
                indices = np.arange(first, min(first + together, len(windows)))
                parts.append(_forecast(model, windows.inputs(indices), shares, windows.shape.transforms, drawn))
                if progress is not None:
                    progress(int(indices[-1]) + 1, len(windows))
    finally:
        model.train(training)
    values = np.concatenate(parts, axis=1).swapaxes(0, 1)
    return Forecast(values[..., 0], values[..., 1:] if shares else None)


def _forecast(
    model: Forecaster, inputs: WindowTensors, shares: Sequence[float], transforms: Sequence[Transform], drawn: bool
) -> np.ndarray:
    """`[H, N, K, 1 + Q]`: the point forecast, then the quantiles."""
    if drawn:
        found = _paths(model, inputs, [0.5, *shares])
    else:
        if model.autoregressive:
            output = model.step_by_step(inputs.past, **inputs.arguments(), sample=False)
        else:
            output = model(inputs.past, **inputs.arguments())
        found = [output.location, *(output.quantile(share) for share in shares)]
    scaled = torch.stack([part.double() * inputs.scale + inputs.centre for part in found], dim=-1).numpy()
    return np.stack([transform.undo(scaled[:, :, k]) for k, transform in enumerate(transforms)], axis=2)


def _paths(model: Forecaster, inputs: WindowTensors, shares: Sequence[float]) -> list[Tensor]:
    """Quantiles over paths drawn step by step, each fed its own past."""
    many = WindowTensors(*(part.repeat_interleave(PATHS, dim=-3 if part.dim() == 4 else -2) for part in inputs))
    paths = model.step_by_step(many.past, **many.arguments(), sample=True).location
    paths = paths.reshape(len(paths), -1, PATHS, paths.shape[-1])
    return [paths.quantile(share, dim=2) for share in shares]
