"""A language model's parts for C, and random texts to try it on."""

import struct

import numpy as np
import torch
from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.interop.outgoing.c import LanguageModelParts, Program, Sample, Weights, language_model
from ostinato.tasks.in_c import tokens_of
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.trained import Trained


def program(run: Trained, name: str, weights: Weights) -> Program:
    """The files.

    Raises:
        ConfigError: an adaptive softmax, or a cell that C has no form of.
    """
    model = run.model
    assert isinstance(model, LanguageModel)
    if not isinstance(model.decoder, nn.Linear):
        raise ConfigError("--to c: an adaptive softmax has no form in C; --to onnx takes it")
    parts = LanguageModelParts(
        about=_about(run),
        embedding=model.embedding.weight,
        stacks=[stack for stack in (model.recurrent, model.last) if stack is not None],
        weight=None if model.tied else model.decoder.weight,
        bias=model.decoder.bias,
        begin=run.tokenizer.begin_id,
        separator=model.separator,
        tokens=tokens_of(run.tokenizer),
    )
    return language_model(parts, name, weights)


@torch.no_grad()
def sample(run: Trained, random: np.random.Generator, count: int) -> Sample:
    """Texts of random tokens, and the scores after each."""
    given, expected = b"", []
    for length in random.integers(1, 40, count).tolist():
        ids = random.integers(0, run.tokenizer.size, length)
        given += struct.pack("<i", length) + ids.astype("<i4").tobytes()
        expected.append(run.model(torch.from_numpy(ids).unsqueeze(1)).logits()[:, 0].float().numpy())
    return Sample(given, np.concatenate(expected), np.float32(1), count)


def _about(run: Trained) -> list[str]:
    sizes = run.config["model"]
    return [
        f"A language model ({sizes['cell']}, {sizes['num_layers']} x {sizes['hidden_size']} units): a token in, "
        f"the scores of the {sizes['vocab_size']:,} tokens that may come next out."
    ]
