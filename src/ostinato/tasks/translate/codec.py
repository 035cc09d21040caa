"""Pairs of texts to ids and back."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    source: Tokenizer
    target: Tokenizer
    ends: bool = True
    width: int = 0

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
        return EncodedPairs(self.encode_sources(pairs.sources), self.target.encode_all(pairs.targets))

    def encode_sources(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids of texts to read."""
        return encode_sources(texts, self.source, ends=self.ends, width=self.width)

    def unknown(self, pairs: EncodedPairs) -> dict[str, float]:
        """The figure `unknown` over both sides, which are of one level."""
        return unknown_of([*pairs.sources, *pairs.targets], self.target)
