"""A transcriber for other programs: scores of the symbol that each frame says."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.exporting import lengths_port, scaling
from ostinato.tasks.trained import Trained
from ostinato.tasks.transcribe.model import Transcriber
from ostinato.tasks.transcribe.options import BEAM


class Frames(nn.Module):
    """A transcriber's scores, and their logarithms of probability."""

    def __init__(self, model: Transcriber) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs of `graphs`."""
        scores = self.model(inputs, lengths).logits
        return scores, torch.log_softmax(scores, -1)


def metadata(run: Trained) -> dict[str, Any]:
    """Channels and their scaling, the symbols by class, and what is written between them."""
    codec = run.codec
    return {
        "channels": list(codec.columns.values),
        "scaling": scaling(codec.reads.scale),
        "symbols": list(codec.symbols),
        "blank": 0,
        "between_symbols": " " if codec.words else "",
    }


def graphs(run: Trained) -> dict[str, Graph]:
    """One."""
    model = run.model
    assert isinstance(model, Transcriber)
    V = len(run.codec.symbols)
    meaning = "channels, standardised as the metadata's scaling says"
    inputs = [Port("features", ("T", "N", run.config["model"]["features"]), meaning), lengths_port()]
    outputs = [
        Port("scores", ("T", "N", V + 1), "of each symbol at each step, class 0 of none; class 1 is the first symbol"),
        Port(
            "log_probabilities", ("T", "N", V + 1), "the same, of which CTC's best path or a prefix beam search reads"
        ),
    ]
    return {"model": Graph(Frames(model).eval(), inputs, outputs)}


def described(run: Trained) -> Described:
    """Frames to scores of symbols."""
    D = run.config["model"]["features"]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.normal(size=(T, N, D)).astype(np.float32), "lengths": lengths(draw, N, T)}

    about = {**metadata(run), "beam": BEAM}
    return Described("transcriber", about, example, lambda model, inputs: [model(**inputs).logits])
