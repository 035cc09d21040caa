"""A transcriber without us: what it reads and writes, in words and arrays."""

import numpy as np

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.trained import Trained
from ostinato.tasks.transcribe.exporting import metadata
from ostinato.tasks.transcribe.options import BEAM


def described(run: Trained) -> Described:
    """Frames to scores of symbols."""
    D = run.config["model"]["features"]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.normal(size=(T, N, D)).astype(np.float32), "lengths": lengths(draw, N, T)}

    about = {**metadata(run), "beam": BEAM}
    return Described("transcriber", about, example, lambda model, inputs: [model(**inputs).logits])
