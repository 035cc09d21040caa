"""A captioner for other programs: a graph that looks, and one that writes a token."""

from typing import Any

import torch

from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.caption.model import Captioner
from ostinato.tasks.decoder_exporting import graphs_of
from ostinato.tasks.exporting import lengths, vocabulary
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
        inputs = [Port("features", ("P", "N", width), "of each place of a picture"), lengths("P")]
        example = torch.zeros(1, 1, width), torch.ones(1, dtype=torch.int64)
    return graphs_of(model, run.tokenizer.size, inputs, places, example)
