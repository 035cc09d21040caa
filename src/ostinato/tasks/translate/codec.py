"""Pairs of texts to ids and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from ostinato.data.text.pairs import Pairs
from ostinato.data.text.tokenizer import TokenIds, Tokenizer
from ostinato.data.text.unknown_words import unknown_of
from ostinato.tasks.translate.data import EncodedPairs, encode_sources


@dataclass(frozen=True)
class PairCodec:
    """Texts to ids and back; where there is one vocabulary, both tokenizers are the same object.

    Attributes:
        source: of what is read.
        target: of what is written.
        ends: whether `<eos>` stands behind what is read.
        width: characters that it is padded to by blanks.
        copies: whether words of a source can be written that the vocabulary of targets lacks.
    """

    source: Tokenizer
    target: Tokenizer
    ends: bool = True
    width: int = 0
    copies: bool = False

    @property
    def tokenizer(self) -> Tokenizer:
        """That of what is written."""
        return self.target

    @property
    def never_written(self) -> set[int]:
        """Ids that are not written."""
        return set() if self.target.unk_id is None else {self.target.unk_id}

    def encode(self, pairs: Pairs) -> EncodedPairs:
        """Ids of pairs."""
        sources, targets = self.encode_sources(pairs.sources), self.target.encode_all(pairs.targets)
        if not self.copies:
            return EncodedPairs(sources, targets)
        found = [self.copied(text, ids) for text, ids in zip(pairs.sources, sources, strict=True)]
        named = [
            self._named(text, ids, words) for text, ids, (_, words) in zip(pairs.targets, targets, found, strict=True)
        ]
        return self.to_copy(EncodedPairs(sources, named), [places for places, _ in found])

    def to_copy(self, pairs: EncodedPairs, copied: list[TokenIds]) -> EncodedPairs:
        """Pairs whose sources' words are called so in targets."""
        return replace(pairs, copied=copied, size=self.target.size, unknown=self.target.unk_id or 0)

    def copied(self, text: str, ids: TokenIds) -> tuple[TokenIds, list[str]]:
        """What the words of a source, of these ids, are called in targets, and the words that their vocabulary lacks:
        the first is called by its size, and so on."""
        if self.source is self.target and self.target.unk_id is None:
            return ids.astype(np.int64), []
        known, lacking = self.target.vocabulary, dict[str, int]()
        places = [
            known[word] if word in known else lacking.setdefault(word, self.target.size + len(lacking))
            for word in spelled(self.source, text.ljust(self.width))
        ]
        return np.array(places + [self.target.eos_id] * self.ends, np.int64), list(lacking)

    def _named(self, text: str, ids: TokenIds, lacking: Sequence[str]) -> TokenIds:
        """A target's ids, words among these that the vocabulary lacks called as in its source."""
        unknown = self.target.unk_id
        if not lacking or unknown not in ids:
            return ids.astype(np.int64)
        names = {word: self.target.size + number for number, word in enumerate(lacking)}
        both = zip(ids.tolist(), spelled(self.target, text), strict=True)
        return np.array([names.get(word, unknown) if one == unknown else one for one, word in both], np.int64)

    def written(self, tokens: Sequence[int], lacking: Sequence[str] = ()) -> str:
        """The text of a target's ids, those of copied words too."""
        if not lacking or max(tokens, default=0) < self.target.size:
            return self.target.decode(tokens)
        size, between = self.target.size, " " if self.target.level == "word" else ""
        parts = [
            [lacking[token - size] for token in run] if copied else [self.target.decode(run)]
            for copied, run in groupby(tokens, lambda token: token >= size)
        ]
        return between.join(part for some in parts for part in some)

    def encode_sources(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids of texts to read."""
        return encode_sources(texts, self.source, ends=self.ends, width=self.width)

    def unknown(self, pairs: EncodedPairs) -> dict[str, float]:
        """The figure `unknown` over both sides, which are of one level."""
        return unknown_of([*pairs.sources, *pairs.targets], self.target)


def spelled(tokenizer: Tokenizer, text: str) -> list[str]:
    """The words (at level char the characters) of a text, those that the vocabulary lacks as they stand there."""
    if tokenizer.level == "char":
        return list(text)
    ids, spans = tokenizer.encode_with_spans(text)
    both = zip(ids.tolist(), spans, strict=True)
    return [text[begin:end] if one == tokenizer.unk_id else tokenizer.token(one) for one, (begin, end) in both]
