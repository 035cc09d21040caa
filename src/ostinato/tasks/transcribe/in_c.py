"""A transcriber's parts for C, and random frames to try it on."""

import numpy as np
import torch

from ostinato.interop.outgoing.c import Program, Sample, TranscriberParts, Weights, transcriber
from ostinato.runtime.alignment import best_path
from ostinato.tasks.in_c import sequences
from ostinato.tasks.trained import Trained
from ostinato.tasks.transcribe.model import Transcriber


def program(run: Trained, name: str, weights: Weights) -> Program:
    """The files.

    Raises:
        ConfigError: a cell that C has no form of.
    """
    model, sizes, codec = _transcriber(run), run.config["model"], run.codec
    scale = codec.reads.scale
    parts = TranscriberParts(
        about=[
            f"A transcriber ({sizes['cell']}, {sizes['num_layers']} x {sizes['hidden_size']} units): frames of "
            f"{sizes['features']} numbers in, the symbols that they say out, along the best path."
        ],
        recurrent=model.recurrent,
        weight=model.output.weight,
        bias=model.output.bias,
        symbols=codec.symbols,
        mean=scale.mean,
        deviation=scale.deviation,
    )
    return transcriber(parts, name, weights)


@torch.no_grad()
def sample(run: Trained, random: np.random.Generator, count: int) -> Sample:
    """Random frames; the scores of each, then the symbols."""
    model, expected = _transcriber(run), []
    given, inputs = sequences(run.codec.reads, random, count)
    for frames in inputs:
        if not len(frames):
            continue
        own = model(torch.from_numpy(frames).unsqueeze(1), torch.tensor([len(frames)])).logits[:, 0].numpy()
        expected += [own.ravel(), np.array(best_path(own).symbols, np.float32)]
    return Sample(given, np.concatenate(expected), np.float32(1), len(inputs))


def _transcriber(run: Trained) -> Transcriber:
    assert isinstance(run.model, Transcriber)
    return run.model
