"""A forecaster for other programs: windows in, distributions of the rows to come out, all of them scaled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.exporting import initial, state_ports
from ostinato.tasks.forecast.ahead import LEVELS, QUANTILES
from ostinato.tasks.forecast.decoding import forecaster_of
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.trained import Trained

#: The axis of the rows to forecast; T is that of the rows of the window.
_AHEAD = "U"


class AllAtOnce(nn.Module):
    """Direct decoding."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model

    def forward(self, past: Tensor, known: Tensor, bases: Tensor) -> tuple[Tensor, ...]:
        """The outputs of `graphs`."""
        return _said(self.model(past, known, bases))


class Window(nn.Module):
    """The window alone, to the decoder's state."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model

    def forward(self, past: Tensor) -> tuple[Tensor, ...]:
        """The state, a tensor a field."""
        return tuple(self.model.encoder(past)[1])


class Row(nn.Module):
    """Autoregressive decoding of one row."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model
        self.kind = type(model.decoder.initial_state(1))

    def forward(self, known: Tensor, bases: Tensor, before: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """The outputs of `graphs`."""
        model, bases = self.model, bases.unsqueeze(0)
        hidden, after = model.decoder(model.fed(known.unsqueeze(0), bases, before.unsqueeze(0)), self.kind(*state))
        return (*(part[0] for part in _said(model.distribution(hidden, bases))), *after)


def metadata(run: Trained) -> dict[str, Any]:
    """Columns, scales and codings, as the run folder has them, and what the parameters are."""
    model = forecaster_of(run)
    levels = {"quantiles": list(QUANTILES)} if model.parameters_each == len(QUANTILES) else {}
    return {"series": run.codec.to_json(), "head": model.head, **levels}


def graphs(run: Trained) -> dict[str, Graph]:
    """One; of autoregressive decoding one that reads the window, and one that forecasts a row."""
    model, shape = forecaster_of(run), run.codec.shape
    past = Port("past", ("T", "N", shape.past_size), "rows of the window, scaled by it")
    known = (shape.known_size,), "what is known of the rows to forecast"
    bases = (model.targets, model.bases), "simple forecasts of them, scaled as the window"
    location = (model.targets,), "the forecast, scaled as the window: the median where there is a distribution"
    parameters = (model.targets, model.parameters_each), f"of the head {model.head}, beside it"
    more = bool(model.parameters_each)
    if not model.autoregressive:
        axes = (_AHEAD, "N")
        inputs = [past, Port("known", (*axes, *known[0]), known[1]), Port("bases", (*axes, *bases[0]), bases[1])]
        outputs = [Port("location", (*axes, *location[0]), location[1])]
        outputs += [Port("parameters", (*axes, *parameters[0]), parameters[1])] if more else []
        return {"model": Graph(AllAtOnce(model).eval(), inputs, outputs)}
    start = model.decoder.initial_state(1)
    before, after = state_ports(start)
    inputs = [
        Port("known", ("N", *known[0]), known[1]),
        Port("bases", ("N", *bases[0]), bases[1]),
        Port("before", ("N", model.targets), "the target of the row before, scaled as the window"),
    ]
    outputs = [Port("location", ("N", *location[0]), location[1])]
    outputs += [Port("parameters", ("N", *parameters[0]), parameters[1])] if more else []
    return {
        "encoder": Graph(Window(model).eval(), [past], before),
        "step": Graph(Row(model).eval(), [*inputs, *before], [*outputs, *after], initial(start)),
    }


def _said(output: Any) -> tuple[Tensor, ...]:
    """The parameters too, where the head has some."""
    return (output.location, output.parameters) if output.parameters.shape[-1] else (output.location,)


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
