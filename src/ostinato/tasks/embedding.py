"""Vectors of words from a file in a model's embeddings: which words these hold, and where."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ostinato.core.errors import ConfigError
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import Tokenizer


@runtime_checkable
class Embeds(Protocol):
    """A task whose models have embeddings of words."""

    def embeddings(self, codec: Any) -> Mapping[str, Mapping[str, int]]:
        """Ids by word, of each embedding of a run's model by its module's name.

        Raises:
            ConfigError: it does not read words.
        """


def words_in(tokenizer: Tokenizer | None) -> Mapping[str, int]:
    """Ids by word.

    Raises:
        ConfigError: what is read are numbers, or other tokens than words.
    """
    if tokenizer is None or tokenizer.level != "word":
        got = "numbers" if tokenizer is None else f"by {tokenizer.level}"
        raise ConfigError(f"--vectors: vectors are of words, and this model reads {got}: expected --level word")
    return {word: number for word, number in tokenizer.vocabulary.items() if word not in (EOS, UNK)}
