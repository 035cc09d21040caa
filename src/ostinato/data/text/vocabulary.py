"""Learning a tokenizer from text, in bounded memory whatever the text's length."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from tokenizers import models, pre_tokenizers, trainers

from ostinato.config.text import BPE_SIZE, Level
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.reading import END, Source, Text
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import (
    Tokenizer,
    bpe_tokenizer,
    char_tokenizer,
    split_words,
    word_tokenizer,
)

BPE_SAMPLE = 10_000_000  #: bytes that byte-level BPE is learned from, at most
WORDS_HELD = 500_000  #: distinct words counted at once, at most
SMALLEST = {"char": 3, "word": 3, "bpe": 257}  #: tokens that a vocabulary has at least


def learn_tokenizer(text: Source, level: Level, vocab_size: int | None = None) -> Tokenizer:
    """Learn a vocabulary.

    Args:
        text: what to learn from.
        level: "char": characters, sorted by code point; "word": words between white space, the most frequent first,
            then by alphabet; "bpe": byte-level byte pair encoding (Sennrich et al. 2016, Radford et al. 2019), from a
            sample of at most about 10 million bytes drawn evenly from the text.
        vocab_size: tokens at most, `<eos>` and `<unk>` included: the most frequent are kept. None for no limit; for
            4,000 at level bpe.

    Raises:
        ConfigError: vocab_size is too small for the level.
        DataError: the text consists of one character, so that there is nothing to predict.
    """
    if vocab_size is not None and vocab_size < SMALLEST[level]:
        raise ConfigError(f"expected a vocabulary of at least {SMALLEST[level]} for level {level}, got {vocab_size}")
    learn = {"char": _learn_characters, "word": _learn_words, "bpe": _learn_bpe}
    return learn[level](text, vocab_size)


def count_characters(blocks: Iterable[str]) -> npt.NDArray[np.int64]:
    """Occurrences by code point, up to the highest there is."""
    counts = np.zeros(0, np.int64)
    for block in blocks:
        found = np.bincount(np.frombuffer(block.encode("utf-32-le"), "<u4"))
        if len(found) > len(counts):
            counts, found = found, counts
        counts[: len(found)] += found
    return counts


def count_words(blocks: Iterable[str], held: int = WORDS_HELD) -> Counter[str]:
    """Occurrences by word, by lossy counting (Manku and Motwani 2002) where there are many distinct words.

    Once more than `held` words are in memory, those seen at most b times are dropped, with b = 1, 2, ... until half of
    the room is free; a word that comes after that starts at b, the most it may have lost. So a count is exact while
    no word was dropped, never too low for a word that is held, and at most b too high.

    Words do not reach across blocks.
    """
    counts: Counter[str] = Counter()
    recent: Counter[str] = Counter()  # apart from the others, as they can then be counted without asking who is new
    lost = 0
    for block in blocks:
        recent.update(split_words(block))
        if len(counts) + len(recent) > held:
            _add(counts, recent, lost)
            recent.clear()
            while len(counts) > held // 2:
                lost += 1
                counts = Counter({word: count for word, count in counts.items() if count > lost})
    _add(counts, recent, lost)
    return counts


def _add(counts: Counter[str], recent: Counter[str], lost: int) -> None:
    for word, count in recent.items():
        counts[word] = counts.get(word, lost) + count


def _learn_characters(text: Source, vocab_size: int | None) -> Tokenizer:
    counts = count_characters(_strings(text))
    codes = np.flatnonzero(counts)
    if len(codes) < 2:
        raise _one_character(text, chr(codes[0]))
    return character_vocabulary(counts, vocab_size)


def character_vocabulary(counts: npt.NDArray[np.int64], vocab_size: int | None) -> Tokenizer:
    """Of the most frequent characters, by their counts by code point."""
    codes = np.flatnonzero(counts)
    if vocab_size is not None:
        codes = np.sort(codes[np.argsort(-counts[codes], kind="stable")[: vocab_size - 2]])
    return Tokenizer(char_tokenizer([chr(code) for code in codes]))


def _learn_words(text: Source, vocab_size: int | None) -> Tokenizer:
    counts = count_words(_strings(text))
    ranked = sorted(counts.keys() - {EOS, UNK}, key=lambda word: (-counts[word], word))
    return Tokenizer(word_tokenizer(ranked if vocab_size is None else ranked[: vocab_size - 2]))


def _learn_bpe(text: Source, vocab_size: int | None) -> Tokenizer:
    seen: set[str] = set()

    def sample() -> Iterator[str]:
        for block in _evenly(text, BPE_SAMPLE):
            seen.update(block)
            yield block

    found = byte_pairs(sample(), vocab_size)
    if len(seen) < 2:
        raise _one_character(text, seen.pop())
    return found


def byte_pairs(texts: Iterable[str], vocab_size: int | None) -> Tokenizer:
    """Byte-level byte pair encoding as learned from all of some texts."""
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size or BPE_SIZE,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library = bpe_tokenizer(models.BPE())
    library.train_from_iterator(texts, trainer)
    # A fresh tokenizer knows <eos> as the model's token 0 only: in text it is text.
    return Tokenizer(bpe_tokenizer(library.model))


def _evenly(text: Source, size: int) -> Iterator[str]:
    """Blocks spread evenly over a text, with about `size` bytes in all; the whole text where it has fewer."""
    share = size / text.characters
    passed = taken = 0
    for block in _strings(text):
        if taken <= passed * share:
            yield block
            taken += len(block.encode())
        passed += len(block)


def _strings(text: Source) -> Iterator[str]:
    return (block for block in text.blocks() if block is not END)


def _one_character(text: Source, character: str) -> DataError:
    part, remedy = "the text", "give a text"
    if isinstance(text, Text) and text.characters < text.whole:
        part = f"the part to train on, {text.characters:,} of {text.whole:,} characters with the rest held out,"
        remedy = "give a longer text, or the validation text with --valid, and a text"
    return DataError(
        f"{', '.join(text.names)}: one-character vocabulary: {part} holds nothing but {character!r}, "
        f"so there is nothing to predict; {remedy} with at least two different characters"
    )
