"""Text from tokens that come one by one: of a run's tokenizer and of the runtime's, without the library of either."""

from collections.abc import Sequence
from typing import Protocol

EOS = "<eos>"  #: ends a line (level word) or a document (levels char and bpe)
UNK = "<unk>"  #: stands for whatever is not in the vocabulary


class Decodes(Protocol):
    """A tokenizer, as far as it is needed here; its level is "char", "word" or "bpe"."""

    eos_id: int

    @property
    def level(self) -> str:
        """What tokens are."""

    def token(self, token: int) -> str:
        """The vocabulary's entry for an id."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids."""


class StreamDecoder:
    """Gives text as tokens come, never half a character; all it gives, `finish` included, is what `decode` gives.

    Args:
        tokenizer: whose tokens they are.
        after: the text before them: behind white space level word adds none.
    """

    def __init__(self, tokenizer: Decodes, after: str = "") -> None:
        self._tokenizer = tokenizer
        self._pending: list[int] = []
        self._space = "" if not after or after[-1].isspace() else " "

    def step(self, token: int) -> str:
        """The text that one more token settles; empty while a character is incomplete."""
        if self._tokenizer.level == "word":
            return self._word(token)
        if self._tokenizer.level == "char":
            return self._tokenizer.token(token)
        self._pending.append(token)
        text = self._tokenizer.decode(self._pending)
        if text.endswith("\ufffd"):
            return ""
        self._pending.clear()
        return text

    def finish(self) -> str:
        """What is left when no more tokens come: a replacement character for bytes that never became a character."""
        text = self._tokenizer.decode(self._pending) if self._pending else ""
        self._pending.clear()
        return text

    def _word(self, token: int) -> str:
        if token == self._tokenizer.eos_id:
            self._space = ""
            return "\n"
        text = self._space + self._tokenizer.token(token)
        self._space = " "
        return text
