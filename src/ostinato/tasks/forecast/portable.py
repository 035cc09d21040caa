"""A forecaster without us: what it reads and says, in words and arrays."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described
from ostinato.tasks.forecast.ahead import LEVELS, QUANTILES
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.trained import Trained


def described(run: Trained) -> Described:
    """Windows of series to a distribution of each step."""
    assert isinstance(run.model, Forecaster)
    codec, sizes = run.codec, run.config["model"]
    about = {
        "series": codec.to_json(),
        "quantiles": list(QUANTILES),
        "levels": list(LEVELS),
        "certain": run.model.certain,
        "parameters": run.model.parameters_each,
    }
    W, H, K = codec.shape.window, codec.shape.horizon, sizes["targets"]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        shapes = {
            "past": (W, N, sizes["past_size"]),
            "known": (H, N, sizes["known_size"]),
            "bases": (H, N, K, sizes["bases"]),
            "before": (H, N, K),
        }
        return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    return Described("forecaster", about, example, _outputs)


def _outputs(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    assert isinstance(model, Forecaster)
    output = model.step_by_step(**inputs, sample=False) if model.autoregressive else model(**inputs)
    return [output.location, output.parameters]
