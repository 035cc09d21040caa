"""An encoder and a decoder of another program as a run."""

from typing import Any, NamedTuple

import numpy as np

from ostinato.config.commands import Import
from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.layouts import Array
from ostinato.interop.parts import Dense, Embedding, Found, Stack
from ostinato.interop.vocabulary import Words, words_of
from ostinato.tasks.contract import Adopted

#: The file of the source's tokenizer, where it has its own.
SOURCE_FILE = "tokenizer-source.json"

#: The options of `import` that are used here.
USED = frozenset({"vocabulary", "text", "level", "eos", "unk", "bos", "reverse", "pad", "max_length"})


class Sides(NamedTuple):
    """The layers by their place."""

    source: Embedding
    encoder: Stack
    target: Embedding
    decoder: Stack
    output: Dense


def adopt(found: Found, asked: Import) -> Adopted:
    """Two embeddings, two recurrent layers and an output layer; the vocabularies in our order."""
    sides = _sides(found)
    source, target = _vocabularies(sides, asked)
    book = found.model is not None
    weights = {
        "encoder.embedding.weight": source.vectors(sides.source.weight),
        "decoder.embedding.weight": target.vectors(sides.target.weight, read=True),
        "decoder.output.weight": target.vectors(sides.output.weight),
        "decoder.output.bias": target.biases(_bias(sides.output)),
    }
    weights |= {f"encoder.recurrent.{name}": array for name, array in sides.encoder.weights.items()}
    weights |= {f"decoder.first.{name}": array for name, array in sides.decoder.weights.items()}
    if found.model == "peeky":  # theirs reads h in front of what ours reads it behind
        name = "decoder.first.weight_ih_l0"
        weights[name] = _swapped(weights[name], sides.encoder.hidden_size)
    if found.model in ("peeky", "attention"):
        weights["decoder.output.weight"] = _swapped(weights["decoder.output.weight"], sides.encoder.hidden_size)
    config = {
        "model": _sizes(found, sides, source, target, asked),
        "decoding": {"max_length": asked.max_length, "length_penalty": 1.0},
        "separator": None,
        "columns": None,
        "reads": {"ends": not book, "width": asked.pad},
    }
    files = {"tokenizer.json": target.tokenizer.to_json().encode(), SOURCE_FILE: source.tokenizer.to_json().encode()}
    none = {"pairs": 0}
    return Adopted(config, (none, {"held_out": False}), _options(found, sides, target, asked), files, weights)


def _sides(found: Found) -> Sides:
    """Encoder and decoder in the order of the file, each with an embedding in front."""
    stacks = found.of(Stack)
    if len(stacks) != 2 or any(stack.num_layers > 1 or stack.directions > 1 for stack in stacks):
        there = "; ".join(f"{stack.name} ({stack.said()})" for stack in stacks) or "none"
        raise DataError(f"{found.source}: expected an encoder and a decoder of one layer each, got {there}")
    encoder, decoder = stacks
    if (encoder.settings(), encoder.hidden_size) != (decoder.settings(), decoder.hidden_size):
        raise DataError(
            f"{found.source}: {decoder.name} ({decoder.said()}) is of another kind or width than {encoder.name} "
            f"({encoder.said()})"
        )
    embeddings = [
        Embedding(part.name, part.weight)
        for part in found.parts
        if isinstance(part, Embedding) or (isinstance(part, Dense) and part.undecided and part.bias is None)
    ]
    outputs = [part for part in found.of(Dense) if part.bias is not None]
    if len(embeddings) != 2 or len(outputs) != 1:
        names = ", ".join(part.name for part in found.parts if not isinstance(part, Stack))
        raise DataError(
            f"{found.source}: expected two embeddings and one output layer beside encoder and decoder, got {names}"
        )
    sides = Sides(embeddings[0], encoder, embeddings[1], decoder, outputs[0])
    for embedding, stack in ((sides.source, encoder), (sides.target, decoder)):
        peek = encoder.hidden_size if found.model == "peeky" and stack is decoder else 0
        if embedding.weight.shape[1] + peek != stack.input_size:
            raise DataError(
                f"{found.source}: {stack.name} reads {stack.input_size} features, {embedding.name} is of shape "
                f"{embedding.weight.shape}"
            )
    if sides.source.weight.shape[1] != sides.target.weight.shape[1]:
        raise DataError(f"{found.source}: the embeddings are of different widths, {sides.source.said()} and "
                        f"{sides.target.said()}")  # fmt: skip
    if len(sides.output.weight) != len(sides.target.weight):
        raise DataError(
            f"{found.source}: {sides.output.name} scores {len(sides.output.weight)} ids, {sides.target.name} has "
            f"{len(sides.target.weight)}"
        )
    return sides


def _vocabularies(sides: Sides, asked: Import) -> tuple[Words, Words]:
    """Of the source and of the target; one file, or one text, is of both."""
    files = [None, None] if asked.vocabulary is None else asked.vocabulary.split(",")
    if len(files) > 2:
        raise ConfigError(f"--vocabulary: expected a file, or two with a comma between, got {asked.vocabulary}")
    both = (files * 2)[:2] if len(files) == 1 else files
    shared: dict[str, Any] = {"texts": asked.text, "eos": asked.eos, "of_pairs": True}
    source, target = (
        words_of(len(side.weight), vocabulary=file, level=asked.level, unk=asked.unk, **shared, bos=bos)
        for side, file, bos in ((sides.source, both[0], None), (sides.target, both[1], asked.bos))
    )
    return source, target


def _sizes(found: Found, sides: Sides, source: Words, target: Words, asked: Import) -> dict[str, Any]:
    """Arguments of `Seq2Seq`."""
    attends = found.model == "attention"
    return {
        "source_vocab": source.tokenizer.size,
        "target_vocab": target.tokenizer.size,
        "embed_size": sides.target.weight.shape[1],
        "hidden_size": sides.encoder.hidden_size,
        "num_layers": 1,
        "bidirectional": False,
        "reverse": asked.reverse,
        "peeky": found.model == "peeky",
        "attention": "dot" if attends else None,
        "readout": not attends,
        "hands_over": "state" if found.model is None else "h",
        "input_feeding": False,
        "tied": False,
        "shared": False,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "zoneout": 0.0,
        **sides.encoder.settings(),
    }


def _options(found: Found, sides: Sides, target: Words, asked: Import) -> dict[str, Any]:
    return {
        "level": target.tokenizer.level,
        "cell": sides.encoder.cell,
        "hidden": sides.encoder.hidden_size,
        "embed": sides.target.weight.shape[1],
        "dropout": 0.0,
        "tied": False,
        "attention": "dot" if found.model == "attention" else "none",
        "bidirectional": False,
        "reverse": asked.reverse,
        "peeky": found.model == "peeky",
        "vocabularies": "separate",
        "max_length": asked.max_length,
    }


def _bias(output: Dense) -> Array:
    assert output.bias is not None
    return output.bias


def _swapped(matrix: Array, first: int) -> Array:
    """With the first so many columns behind the others."""
    return np.concatenate([matrix[:, first:], matrix[:, :first]], axis=1)
