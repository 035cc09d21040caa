"""What tasks of one answer to a sequence say alike of a model without us."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.trained import Trained


def sequence_model(run: Trained, about: Mapping[str, Any]) -> Described:
    """Tokens or features, and lengths, to C numbers."""
    model = run.config["model"]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        if model.get("features") is None:
            inputs: Any = draw.integers(0, model["vocab_size"], (T, N))
        else:
            inputs = draw.normal(size=(T, N, model["features"])).astype(np.float32)
        return {"inputs": inputs, "lengths": lengths(draw, N, T)}

    return Described("sequence model", about, example, lambda net, inputs: [net(**inputs).outputs])
