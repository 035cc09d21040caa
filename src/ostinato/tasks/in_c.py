"""What tasks say of their models for C alike: vocabularies, and models of one answer to a whole sequence."""

import struct
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.data.labelled.reading import SequenceCodec, batch_of
from ostinato.data.text.tokenizer import Tokenizer
from ostinato.interop.outgoing.c import Program, Sample, SequenceParts, Tokens, Weights, sequence_model
from ostinato.models.many_to_one import ManyToOne


def tokens_of(tokenizer: Tokenizer) -> Tokens:
    """What a vocabulary's tokens are, for tables of C."""
    entries = [] if tokenizer.level == "bpe" else [tokenizer.token(number) for number in range(tokenizer.size)]
    return Tokens(tokenizer.level, entries, tokenizer.unk_id)


def sequence_program(
    model: ManyToOne, codec: SequenceCodec, name: str, weights: Weights, *, about: str, **answers: Any
) -> Program:
    """The files of a model of one answer to each sequence; `answers` are the parts that say what it is."""
    if model.pooling == "concat":
        raise ConfigError("--to c: pooling concat has no form in C; --to onnx, torch and numpy have it")
    if codec.tokenizer is not None:
        reads: dict[str, Any] = {"embedding": model.input.weight, "tokens": tokens_of(codec.tokenizer)}
    else:
        assert codec.scale is not None
        linear = (model.input.weight, model.input.bias) if isinstance(model.input, nn.Linear) else None
        if model.convolutions is not None:
            layers: Any = model.convolutions.layers
            given = [(layer.weight, layer.bias) for layer in layers]
        else:
            given = []
        reads = {"convolutions": given, "linear": linear, "mean": codec.scale.mean, "deviation": codec.scale.deviation}
    if model.attention is not None:
        first, _, last = model.attention
        reads["attention"] = (first.weight, first.bias, last.weight)
    parts = SequenceParts(
        about=[about],
        recurrent=model.recurrent,
        pooling=model.pooling,
        weight=model.output.weight,
        bias=model.output.bias,
        max_length=codec.max_length,
        **reads,
        **answers,
    )
    return sequence_model(parts, name, weights)


def sequences(codec: SequenceCodec, random: np.random.Generator, count: int) -> tuple[bytes, list[Any]]:
    """Random sequences, of none to 40 steps: as a program reads them, and as the codec gives them to the model."""
    given, inputs = b"", []
    for length in [0, 1, *random.integers(2, 40, max(0, count - 2)).tolist()][:count]:
        if codec.tokenizer is not None:
            raw = random.integers(0, codec.tokenizer.size, length).astype("<i4")
            inputs.append(raw.astype(np.int64))
        else:
            assert codec.scale is not None
            D = len(codec.scale.mean)
            raw = random.normal(codec.scale.mean, codec.scale.deviation, (length, D)).astype("<f8")
            raw[random.random((length, D)) < 0.05] = np.nan
            inputs.append(codec.scale.apply(raw))
        given += struct.pack("<i", length) + raw.tobytes()
    return given, inputs


@torch.no_grad()
def outputs(model: nn.Module, inputs: list[Any]) -> torch.Tensor:
    """What the model says of each, `[N, C]`."""
    batch = batch_of(inputs)
    found: torch.Tensor = model(batch.inputs, **batch.arguments()).outputs
    return found


__all__ = ["Sample", "outputs", "sequence_program", "sequences", "tokens_of"]
