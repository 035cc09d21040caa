"""How text becomes tokens."""

from typing import Literal

from ostinato.config.checks import at_least
from ostinato.config.options import options

Level = Literal["char", "word", "bpe"]

#: Pieces that byte-level BPE learns where --vocab-size does not say.
BPE_SIZE = 4_000

#: Vocabulary limits where --vocab-size does not say; characters are all kept.
DEFAULT_VOCAB_SIZE: dict[str, int | None] = {"char": None, "word": 10_000, "bpe": BPE_SIZE}


@options
class TextOptions:
    """Tokens of a text task."""

    level: Level = "char"
    """What a token is: a character, a word between white space, or a piece learned by byte-level BPE."""

    vocab_size: int | None = None
    """Most tokens kept; the rarer ones become <unk>. By default all characters, 10,000 words, 4,000 BPE pieces."""

    def __post_init__(self) -> None:
        at_least(vocab_size=(self.vocab_size, 2))

    @property
    def vocab_limit(self) -> int | None:
        """`vocab_size`, or the level's default."""
        return DEFAULT_VOCAB_SIZE[self.level] if self.vocab_size is None else self.vocab_size
