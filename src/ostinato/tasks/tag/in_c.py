"""A tagger's parts for C, and random sentences to try it on."""

import struct

import numpy as np
import torch

from ostinato.data.batching.buckets import pad_ids
from ostinato.interop.outgoing.c import Program, Sample, TaggerParts, Weights, tagger
from ostinato.tasks.tag.codec import chain_of
from ostinato.tasks.tag.heads import decode_tags
from ostinato.tasks.tag.model import Tagger
from ostinato.tasks.tag.reading import SPELLED
from ostinato.tasks.trained import Trained


def program(run: Trained, name: str, weights: Weights) -> Program:
    """The files.

    Raises:
        ConfigError: a cell that C has no form of.
    """
    model, config, vocabulary = _tagger(run), run.config, run.codec.vocabulary
    sizes = config["model"]
    spelling = model.spelling
    parts = TaggerParts(
        about=[
            f"A tagger ({sizes['cell']}, {sizes['num_layers']} x {sizes['hidden_size']} units each direction, "
            f"{sizes['head']}): the words of a sentence in, a tag for each out."
        ],
        embedding=model.embedding.weight,
        characters=(spelling.embedding.weight, spelling.recurrent) if spelling.output_size else None,
        features=[table.weight for table in model.features],  # type: ignore[misc]
        recurrent=model.recurrent,
        weight=model.output.weight,
        bias=model.output.bias,
        chain=chain_of(run),
        tags=vocabulary.tags,
        known=vocabulary.characters,
        spelled=SPELLED,
        max_length=config["max_length"],
    )
    return tagger(parts, name, weights)


@torch.no_grad()
def sample(run: Trained, random: np.random.Generator, count: int) -> Sample:
    """Random sentences; the scores of each word, then its tag."""
    model, given, expected = _tagger(run), b"", []
    tables = [model.embedding, *model.features]
    for length in [1, *random.integers(2, 20, max(0, count - 1)).tolist()][:count]:
        words, *features = (random.integers(0, table.num_embeddings, length) for table in tables)
        given += struct.pack("<i", length) + words.astype("<i4").tobytes()
        spelled = [random.integers(0, run.config["model"]["num_characters"], n) for n in random.integers(1, 9, length)]
        if model.spelling.output_size:
            counts = np.array([len(one) for one in spelled])
            given += counts.astype("<i4").tobytes() + struct.pack("<i", counts.sum())
            given += np.concatenate(spelled).astype("<i4").tobytes()
        if features:
            given += np.stack(features, 1).astype("<i4").tobytes()
        characters, lengths = pad_ids(spelled)
        output = model(
            torch.from_numpy(words).unsqueeze(1),
            torch.tensor([length]),
            spelled=torch.arange(length).unsqueeze(1),
            characters=characters,
            character_lengths=lengths,
            features=torch.from_numpy(np.stack(features)).unsqueeze(2) if features else None,
        )
        tags = decode_tags(output, run.codec.constraints)[:, 0]
        if length <= run.config["max_length"]:
            expected.append(output.emissions[:, 0].float().numpy().ravel())
        expected.append(tags.numpy().astype(np.float32))
    return Sample(given, np.concatenate(expected), np.float32(1), count)


def _tagger(run: Trained) -> Tagger:
    assert isinstance(run.model, Tagger)
    return run.model
