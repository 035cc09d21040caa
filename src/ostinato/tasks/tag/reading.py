"""Sentences of words and tags as ids: the vocabulary they are read with, and the batches a tagger reads."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import tokenizers
import torch
from tokenizers import models, normalizers, pre_tokenizers

from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.data.batching.buckets import Rows, in_length_order, pad_ids
from ostinato.data.text.stream_decoder import UNK
from ostinato.data.text.unknown_words import unknown_share
from ostinato.tasks.tag.model import UNKNOWN

Ids: TypeAlias = npt.NDArray[np.int64]

#: Id of a tag that the vocabulary does not have: no model can give it.
UNKNOWN_TAG = -1

#: Arrays of `WordSequences`, as a file calls them.
_KEPT = {
    "lengths": "lengths",
    "starts": "_starts",
    "spelled": "_spelled",
    "ids": "_ids",
    "characters": "_characters",
    "character_starts": "_character_starts",
    "features": "_features",
}

#: Characters a word is spelled with, at most: a longer one keeps those at both ends.
SPELLED = 24


@dataclass(frozen=True)
class TagVocabulary:
    """Ids of words, characters and tags. Words, from 1, are looked up in small letters, and spelled as they stand.
    Known characters, and the values of each other column that is read along, are in the order of their ids from 1."""

    words: dict[str, int]
    characters: str
    tags: tuple[str, ...]
    features: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def learn(
        cls,
        sentences: Iterable[Sequence[str]],
        tags: Iterable[Sequence[str]],
        limit: int | None = None,
        features: Iterable[Sequence[Sequence[str]]] = (),
    ) -> Self:
        """The vocabulary of some sentences and of their tags, and of other columns where there are any: words from the
        most frequent one on, `limit` of them with the unknown one where it is given, characters and tags sorted."""
        spelled = Counter(chain.from_iterable(sentences))
        small: Counter[str] = Counter()
        for word, count in spelled.items():
            small[word.lower()] += count
        ranked = sorted(small, key=lambda word: (-small[word], word))[: None if limit is None else limit - 1]
        characters = "".join(sorted(set(chain.from_iterable(spelled))))
        names = tuple(sorted(set(chain.from_iterable(tags))))
        values = tuple(tuple(sorted(set(chain.from_iterable(column)))) for column in zip(*features, strict=True))
        return cls({word: number for number, word in enumerate(ranked, 1)}, characters, names, values)

    def knowing(self, words: Iterable[str]) -> Self:
        """The same, with more words, in small letters, behind its own."""
        more = (word for word in dict.fromkeys(words) if word not in self.words)
        return replace(self, words=self.words | {word: number for number, word in enumerate(more, len(self.words) + 1)})

    def unknown(self, sentences: Iterable[Sequence[str]]) -> float:
        """Share of the words of some sentences that it lacks."""
        known = [word.lower() in self.words for word in chain.from_iterable(sentences)]
        return known.count(False) / max(len(known), 1)

    def to_json(self) -> str:
        """The words as the `tokenizers` library's file of a word-level tokenizer."""
        library = tokenizers.Tokenizer(models.WordLevel({UNK: UNKNOWN, **self.words}, UNK))
        library.normalizer = normalizers.Lowercase()
        library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return library.to_str()

    @classmethod
    def from_json(
        cls, content: str, characters: str, tags: Sequence[str], features: Sequence[Sequence[str]] = ()
    ) -> Self:
        """What `to_json` gave, with what it leaves out.

        Raises:
            DataError: it is not such a file.
        """
        try:
            words = tokenizers.Tokenizer.from_str(content).get_vocab()
        except Exception as error:  # the library raises plain Exception for malformed JSON
            raise DataError(f"expected the JSON file of a tagger's words, written by this package: {error}") from error
        known = {word: number for word, number in words.items() if number != UNKNOWN}
        return cls(known, characters, tuple(tags), tuple(map(tuple, features)))


class WordSequences:
    """Sentences as ids, ready to be batched; arrays throughout, so that millions of words take little room.

    Args:
        sentences: words of each.
        vocabulary: their ids.
        tags: of each word; None where there are none. One that the vocabulary lacks becomes `UNKNOWN_TAG`.
        features: of each sentence, the other columns that the vocabulary has values of.
        longest: words in a sequence at most: longer sentences are cut into pieces.

    Attributes:
        lengths: `[sequences]` words of each.
        words: words in all.

    Raises:
        ValueError: a sentence with another number of tags than words.
        DataError: the vocabulary has features, and the sentences have not.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        vocabulary: TagVocabulary,
        tags: Sequence[Sequence[str]] | None = None,
        *,
        features: Sequence[Sequence[Sequence[str]]] = (),
        longest: int | None = None,
    ) -> None:
        pieces = [size for sentence in sentences for size in _pieces(len(sentence), longest)]
        self.lengths = np.array(pieces, np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.words = int(self._starts[-1])
        distinct: dict[str, int] = {}
        places = (distinct.setdefault(word, len(distinct)) for word in chain.from_iterable(sentences))
        self._spelled = np.fromiter(places, np.int64, self.words)  # [words], which of the distinct ones
        small = np.array([vocabulary.words.get(word.lower(), UNKNOWN) for word in distinct], np.int64)
        self._ids = small[self._spelled]
        self._characters, self._character_starts = _spell(distinct, vocabulary.characters)
        self._features = _feature_ids(sentences, features, vocabulary.features)  # [F, words]
        self.tags: Ids | None = None
        if tags is not None:
            for sentence, own in zip(sentences, tags, strict=True):
                if len(sentence) != len(own):
                    raise ValueError(f"expected one tag a word, got {len(own)} for {len(sentence)} words")
            numbers = {tag: number for number, tag in enumerate(vocabulary.tags)}
            found = (numbers.get(tag, UNKNOWN_TAG) for tag in chain.from_iterable(tags))
            self.tags = np.fromiter(found, np.int64, self.words)

    def arrays(self) -> dict[str, Ids]:
        """What is kept of them in a file."""
        found = {name: getattr(self, own) for name, own in _KEPT.items()}
        return found if self.tags is None else found | {"tags": self.tags}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Ids]) -> Self:
        """What `arrays` gave."""
        found = cls.__new__(cls)
        for name, own in _KEPT.items():
            setattr(found, own, arrays[name])
        found.words, found.tags = len(arrays["spelled"]), arrays.get("tags")
        return found

    def __len__(self) -> int:
        """Sequences."""
        return len(self.lengths)

    def collate(self, rows: Rows) -> Batch:
        """A batch of the sequences with these numbers.

        Returns:
            `inputs` `[T, N]` word ids and `lengths`; `targets` `[T, N]` tag ids; `more` with `spelled` `[T, N]`,
            `characters` `[C, U]` and `character_lengths` `[U]`, the U different words of the batch spelled once, and
            `features` `[F, T, N]` where there are any.
        """
        spans = [slice(self._starts[row], self._starts[row + 1]) for row in rows]
        words, lengths = pad_ids([self._ids[span] for span in spans])
        distinct, places = np.unique(np.concatenate([self._spelled[span] for span in spans]), return_inverse=True)
        spelled, _ = pad_ids(np.split(places, np.cumsum(self.lengths[rows])[:-1]))
        starts = self._character_starts
        spellings = [self._characters[starts[word] : starts[word + 1]] for word in distinct]
        characters, character_lengths = pad_ids(spellings)
        targets = torch.zeros_like(words)
        if self.tags is not None:
            targets, _ = pad_ids([self.tags[span] for span in spans])
        more = {"spelled": spelled, "characters": characters, "character_lengths": character_lengths}
        if len(self._features):
            more["features"] = torch.stack([pad_ids([column[span] for span in spans])[0] for column in self._features])
        return Batch(words, targets, lengths, more=more)

    @property
    def unknown(self) -> float:
        """Share of the words that the vocabulary lacks."""
        return unknown_share([self._ids], UNKNOWN)

    def counts(self, num_words: int) -> Ids:
        """How often each word id occurs, `[num_words]`."""
        return np.bincount(self._ids, minlength=num_words)

    def in_length_order(self, batch_size: int) -> Iterator[tuple[Ids, Batch]]:
        """All of them, the longest first: with each batch the places `[words]` of its words among all words.

        A batch's words are taken sentence by sentence: `ids.T[inside.T]` of a `[T, N]` tensor.
        """
        for rows in in_length_order(self.lengths, batch_size):
            places = [np.arange(self._starts[row], self._starts[row + 1]) for row in rows]
            yield np.concatenate(places), self.collate(rows)


def _feature_ids(
    sentences: Sequence[Sequence[str]], features: Sequence[Sequence[Sequence[str]]], known: Sequence[Sequence[str]]
) -> Ids:
    if len(known) and any(len(own) != len(known) for own in features or [[]] * len(sentences)):
        raise DataError(
            f"this model reads {len(known)} more columns beside the words (--features); give sentences in columns that "
            "have them"
        )
    words = sum(map(len, sentences))
    found = np.zeros((len(known), words), np.int64)
    for row, values in enumerate(known):
        numbers = {value: number for number, value in enumerate(values, 1)}
        column = chain.from_iterable(own[row] for own in features)
        found[row] = np.fromiter((numbers.get(value, UNKNOWN) for value in column), np.int64, words)
    return found


def _pieces(length: int, longest: int | None) -> list[int]:
    """Lengths of the pieces a sentence is cut into, as even as may be; none of an empty one."""
    if not length:
        return []
    count = 1 if longest is None else -(-length // longest)
    return [length // count + (piece < length % count) for piece in range(count)]


def _spell(words: Iterable[str], known: str) -> tuple[Ids, Ids]:
    """Character ids of all words, one behind the other, and where each word begins."""
    numbers = {character: number for number, character in enumerate(known, 1)}
    half = SPELLED // 2
    spelled = [word if len(word) <= SPELLED else word[:half] + word[-half:] for word in words]
    ids = np.array([numbers.get(character, UNKNOWN) for character in chain.from_iterable(spelled)], np.int64)
    return ids, np.concatenate([[0], np.cumsum([len(word) for word in spelled])]).astype(np.int64)
