"""A tagger without us: what it reads and says, in words and arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.layers.crf import Chain
from ostinato.tasks.tag.model import Tagger
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

    return Described("tagger", about, example, _outputs, _chain(run))


def _outputs(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    return [model(**inputs).emissions]


def _chain(run: Trained) -> Arrays:
    assert isinstance(run.model, Tagger)
    learned = getattr(run.model, run.model.head)
    chains: list[Chain] = [one for one in (learned and learned.chain(), run.codec.constraints) if one is not None]
    if not chains:
        return {}
    chain = chains[0].plus(chains[1] if len(chains) > 1 else None)
    return {f"chain.{name}": field.detach().numpy() for name, field in chain._asdict().items()}
