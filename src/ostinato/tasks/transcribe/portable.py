"""A transcriber without us: what it reads and writes, in words and arrays."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.trained import Trained
from ostinato.tasks.transcribe.exporting import metadata
from ostinato.tasks.transcribe.options import BEAM


def described(run: Trained) -> Described:
    """Frames to scores of symbols."""
    D = run.config["model"]["features"]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.normal(size=(T, N, D)).astype(np.float32), "lengths": lengths(draw, N, T)}

    return Described("transcriber", {**metadata(run), "beam": BEAM}, example, _outputs)


def _outputs(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    return [model(**inputs).logits]
