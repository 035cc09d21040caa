"""A captioner for other programs: a graph that looks, and one that writes a token."""

from typing import Any

import numpy as np
import torch

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.caption.model import CHANNELS, GROUPS, Captioner
from ostinato.tasks.caption.options import BEAM
from ostinato.tasks.decoder_exporting import graphs_of, writer
from ostinato.tasks.exporting import lengths_port, vocabulary
from ostinato.tasks.trained import Trained


def metadata(run: Trained) -> dict[str, Any]:
    """The vocabulary, and how a caption begins and ends."""
    ends = run.tokenizer.eos_id
    return vocabulary(run.tokenizer) | {"begin": ends, "end": ends}


def graphs(run: Trained) -> dict[str, Graph]:
    """Two."""
    model = run.model
    assert isinstance(model, Captioner)
    example: tuple[torch.Tensor, ...]
    if model.pictures is not None:
        size = model.pictures.coordinates.shape[-1]
        inputs = [Port("pictures", ("N", 3, size, size), "red, green and blue of each pixel", "uint8", 256)]
        example = (torch.zeros(1, 3, size, size, dtype=torch.uint8),)
        places: str | int = (size // 16) ** 2
    else:
        assert model.features is not None
        places, width = "P", model.features.in_features
        inputs = [Port("features", ("P", "N", width), "of each place of a picture"), lengths_port("P")]
        example = torch.zeros(1, 1, width), torch.ones(1, dtype=torch.int64)
    return graphs_of(model, run.tokenizer.size, inputs, places, example)


def described(run: Trained) -> Described:
    """A picture, or features of its places, to a text."""
    model, sizes, tokenizer = run.model, run.config["model"], run.tokenizer
    assert isinstance(model, Captioner)
    about = {**metadata(run), "channels": list(CHANNELS), "groups": GROUPS}

    def read(draw: np.random.Generator, N: int, T: int) -> Arrays:
        if size := sizes.get("picture_size"):
            return {"inputs": draw.integers(0, 256, (N, 3, size, size), dtype=np.uint8)}
        features = draw.normal(size=(T, N, sizes["feature_size"])).astype(np.float32)
        return {"inputs": features, "lengths": lengths(draw, N, T)}

    never = set() if tokenizer.unk_id is None else {tokenizer.unk_id}
    end = tokenizer.eos_id
    return writer("captioner", about, read, tokenizer.size, run.config["decoding"], end=end, never=never, beam=BEAM)
