"""A translator for other programs: a graph that reads a source, and one that writes a token."""

from typing import Any

import numpy as np
import torch

from ostinato.core.errors import DataError
from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.interop.outgoing.graphs import Graph
from ostinato.tasks.decoder_exporting import graphs_of, writer
from ostinato.tasks.exporting import lengths_port, tokens, vocabulary
from ostinato.tasks.trained import Trained
from ostinato.tasks.translate.model import Seq2Seq
from ostinato.tasks.translate.options import BEAM


def metadata(run: Trained) -> dict[str, Any]:
    """The vocabulary that is written, and that of the source where it is another; how a target begins and ends."""
    codec = run.codec
    source = {} if codec.source is codec.target else {"source": vocabulary(codec.source)}
    never = sorted(codec.never_written)
    return (
        vocabulary(codec.target)
        | source
        | {"begin": codec.target.eos_id, "end": codec.target.eos_id, "never_written": never}
    )


def graphs(run: Trained) -> dict[str, Graph]:
    """Two."""
    require_plain(run)
    model, codec = run.model, run.codec
    assert isinstance(model, Seq2Seq)
    inputs = [tokens(codec.source.size, "source", "S"), lengths_port("S")]
    example = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64)
    return graphs_of(model, codec.target.size, inputs, "S", example)


def require_plain(run: Trained) -> None:
    """Raise a DataError for a model that has no form elsewhere."""
    for option in ("copy", "coverage"):
        if run.config["model"].get(option):
            raise DataError(
                f"{run.folder.path}: was trained with --{option}, which no export has yet; train without it"
            )


def described(run: Trained) -> Described:
    """A text to another one."""
    require_plain(run)
    codec, decoding = run.codec, run.config["decoding"]
    about = {**metadata(run), "source_ends": codec.ends, "source_width": codec.width}

    def read(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.integers(0, codec.source.size, (T, N)), "lengths": lengths(draw, N, T)}

    never, end = codec.never_written, codec.target.eos_id
    return writer("translator", about, read, codec.target.size, decoding, end=end, never=never, beam=BEAM)
