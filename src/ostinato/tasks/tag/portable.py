"""A tagger without us: what it reads and says, in words and arrays."""

from typing import Any

import numpy as np

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.tag.decoding import chain_of
from ostinato.tasks.tag.reading import SPELLED
from ostinato.tasks.trained import Trained


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
