"""A tagger for other programs: scores of each word's tags; what a CRF adds to them is in the metadata."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.interop.outgoing.graphs import Graph, Port
from ostinato.tasks.exporting import lengths_port
from ostinato.tasks.tag.codec import chain_of
from ostinato.tasks.tag.model import Tagger
from ostinato.tasks.tag.reading import SPELLED
from ostinato.tasks.trained import Trained


class Emissions(nn.Module):
    """A tagger's scores, and the probabilities of each word by itself."""

    def __init__(self, model: Tagger, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, words: Tensor, lengths: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        """The outputs of `graphs`."""
        given = dict(zip(self.names, more, strict=True))
        spelled = given.get("spelled", words)
        characters = given.get("characters", words)  # not read where the model does not spell
        counts = given.get("character_lengths", lengths)
        output = self.model(
            words,
            lengths,
            spelled=spelled,
            characters=characters,
            character_lengths=counts,
            features=given.get("features"),
        )
        return output.emissions, torch.softmax(output.emissions, -1)


def metadata(run: Trained) -> dict[str, Any]:
    """Words, characters, tags, and the scores of neighbouring tags: learned ones, and what a scheme forbids."""
    vocabulary, chain = run.codec.vocabulary, chain_of(run)
    found = {"tokenizer": vocabulary.to_json(), "tags": list(vocabulary.tags), "head": run.model.head}
    if chain is None:
        return found
    return found | {"chain": {name: scores.tolist() for name, scores in chain._asdict().items()}}


def graphs(run: Trained) -> dict[str, Graph]:
    """One."""
    model = run.model
    assert isinstance(model, Tagger)
    more = []
    if model.spelling.output_size:
        letters = _ids(model.spelling.embedding)
        more = [
            Port("spelled", ("T", "N"), "which of the U different words it is", "int64", "U"),
            Port("characters", ("C", "U"), "ids of the characters of each different word", "int64", letters),
            lengths_port("C", "character_lengths", "U"),
        ]
    if model.features:
        most = min(_ids(column) for column in model.features)
        axes = (len(model.features), "T", "N")
        more.append(Port("features", axes, "ids in each other column", "int64", most))
    K = model.output.out_features
    words = Port("words", ("T", "N"), "ids of the words", "int64", _ids(model.embedding))
    outputs = [
        Port("scores", ("T", "N", K), "of each tag of each word; the metadata's chain is to be added"),
        Port("probabilities", ("T", "N", K), "of each tag by the scores alone"),
    ]
    names = [port.name for port in more]
    return {"model": Graph(Emissions(model, names).eval(), [words, lengths_port(), *more], outputs)}


def _ids(embedding: Any) -> int:
    return int(embedding.num_embeddings)


def described(run: Trained) -> Described:
    """Words, their characters and other columns to scores of tags; and the scores of neighbouring tags, those learned
    and those that the tags' scheme forbids."""
    vocabulary, sizes = run.codec.vocabulary, run.config["model"]
    about: dict[str, Any] = {
        "tags": list(vocabulary.tags),
        "words": vocabulary.words,
        "characters": vocabulary.characters,
        "columns": [list(values) for values in vocabulary.features],
        "max_length": run.config["max_length"],
        "spelled": SPELLED,
    }
    counts = [len(values) + 1 for values in vocabulary.features]

    def example(draw: np.random.Generator, N: int, T: int) -> Arrays:
        of, words = lengths(draw, N, T), T + 2
        found = {
            "words": draw.integers(0, sizes["num_words"], (T, N)),
            "lengths": of,
            "spelled": draw.integers(0, words, (T, N)),
            "characters": draw.integers(0, sizes["num_characters"], (9, words)),
            "character_lengths": lengths(draw, words, 9).clip(1),
        }
        if counts:
            found["features"] = np.stack([draw.integers(0, count, (T, N)) for count in counts])
        return found

    chain = chain_of(run)
    scores = {} if chain is None else {f"chain.{name}": one.detach().numpy() for name, one in chain._asdict().items()}
    return Described("tagger", about, example, lambda model, inputs: [model(**inputs).emissions], scores)
