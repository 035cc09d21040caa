"""Texts of a column as token ids: what a tokenizer is learned from, and how long a text may be."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import trainers

from ostinato.config.text import Level
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import TokenIds, Tokenizer, prose_tokenizer
from ostinato.data.text.vocabulary import SMALLEST, byte_pairs, character_vocabulary, count_characters

Steps = TypeVar("Steps", bound=npt.NDArray[Any])  # ids `[T]`, or features `[T, D]`


def learn_from_texts(
    texts: Sequence[str], level: Level, vocab_size: int | None = None, *, lowercase: bool = True
) -> Tokenizer:
    """Learn a vocabulary from many short texts.

    Args:
        texts: what to learn from.
        level: "char"; "word": runs of letters and digits, and every run of other signs between white space by itself,
            the most frequent first, then by alphabet; "bpe": byte-level byte pair encoding.
        vocab_size: tokens at most, `<eos>` and `<unk>` included; None for no limit, for 4,000 at level bpe.
        lowercase: level word: capitals count as small letters.

    Raises:
        ConfigError: vocab_size is too small for the level.
        DataError: the texts are all empty.
    """
    if vocab_size is not None and vocab_size < SMALLEST[level]:
        raise ConfigError(f"--vocab-size: expected at least {SMALLEST[level]} for level {level}, got {vocab_size}")
    if not any(text.strip() for text in texts):
        raise DataError("the texts are all empty: there is nothing to learn from")
    # half of a pair of UTF-16, as text in memory may hold; what encodes replaces it likewise
    texts = [whole_characters(text) for text in texts]
    if level == "char":
        return character_vocabulary(count_characters(texts), vocab_size)
    if level == "word":
        return Tokenizer(prose_tokenizer(_frequent_words(texts, vocab_size, lowercase), lowercase=lowercase))
    return byte_pairs(texts, vocab_size)


def _frequent_words(texts: Sequence[str], vocab_size: int | None, lowercase: bool) -> list[str]:
    """The library counts on all cores; more often seen comes first, then what the alphabet has first."""
    library: tokenizers.Tokenizer = prose_tokenizer([], lowercase=lowercase)
    trainer = trainers.WordLevelTrainer(
        vocab_size=2**31 - 1 if vocab_size is None else vocab_size, special_tokens=[EOS, UNK], show_progress=False
    )
    library.train_from_iterator(texts, trainer)
    found = library.get_vocab()
    return sorted(found.keys() - {EOS, UNK}, key=lambda word: found[word])


def encode_texts(texts: Sequence[str], tokenizer: Tokenizer, max_length: int | None = None) -> list[TokenIds]:
    """Token ids of every text; `max_length` are kept of a longer one, the first and the last halves."""
    return [shorten(ids, max_length) for ids in tokenizer.each_encoded(texts)]


def shorten(steps: Steps, max_length: int | None) -> Steps:
    """The first and the last halves of what is longer than `max_length`; openings and verdicts say most."""
    if max_length is None or len(steps) <= max_length:
        return steps
    first = -(-max_length // 2)
    return cast(Steps, np.concatenate([steps[:first], steps[len(steps) - (max_length - first) :]]))
