"""Texts as token ids, and back, where torch is not installed: characters and words here, BPE by its library."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.text.stream_decoder import EOS, UNK, StreamDecoder

#: Unicode's white space; `str.split` has four control characters besides.
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACE = re.compile(f"[{_SPACES}]+")
#: Letters that Unicode files under symbols.
_OTHER_LETTERS = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
_HALF = re.compile("[\ud800-\udfff]")


class Tokenizer:
    """Token ids of a run's texts, as the run has them.

    Args:
        content: the JSON of the library `tokenizers` that the run keeps.
        level: "char", "word" or "bpe".

    Attributes:
        size: tokens in the vocabulary.
        eos_id: always 0.
        unk_id: 1, or None at level bpe.
        begin_id: what the first token of a text is predicted from.

    Raises:
        ConfigError: level bpe, and the library is not installed.
    """

    eos_id = 0

    def __init__(self, content: str, level: str) -> None:
        said = json.loads(content)
        self.level = level
        self._ids: Mapping[str, int] = said["model"]["vocab"]
        added = {one["id"]: one["content"] for one in said.get("added_tokens", ())}
        self._separator: str | None = added[max(added)] if added else None
        self._separator_id = max(added, default=0)
        ids = {**self._ids, **{text: number for number, text in added.items()}}
        self._tokens = {number: token for token, number in ids.items()}
        self.size = len(self._tokens)
        self.unk_id = None if level == "bpe" else self._ids[UNK]
        self.begin_id = self._separator_id
        self._library = _library(content) if level == "bpe" else None
        self._split = _splitter(said)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; no `<eos>` is added at its end."""
        if self._library is not None:
            return list(self._library.encode(whole_characters(text)).ids)
        if not self._separator or (len(self._separator) == 1 and self.level == "char"):
            return self._encode(text)
        first, *others = text.split(self._separator)
        found = self._encode(first)
        for other in others:
            found += [self._separator_id, *self._encode(other)]
        return found

    def _encode(self, text: str) -> list[int]:
        pieces = text if self.level == "char" else self._split(whole_characters(text))
        ids, separator, unknown = self._ids, self._separator, self.unk_id or 0
        return [self._separator_id if piece == separator else ids.get(piece, unknown) for piece in pieces]

    def unknown(self, text: str) -> list[str]:
        """The characters, or words, that the vocabulary lacks, each once; none at level bpe."""
        if self.level == "bpe":
            return _HALF.findall(text)
        text = text.replace(self._separator, " " if self.level == "word" else "") if self._separator else text
        pieces: Iterable[str] = text if self.level == "char" else self._split(text)
        return [piece for piece in dict.fromkeys(pieces) if piece not in self._ids]

    def token(self, token: int) -> str:
        """The vocabulary's entry for an id."""
        return self._tokens[token]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids; words have a space between them, and `<eos>` ends a line."""
        if self._library is not None:
            return str(self._library.decode(list(ids), skip_special_tokens=False))
        if self.level == "word":
            return "".join(map(StreamDecoder(self).step, ids))
        return "".join(map(self.token, ids))


def _splitter(said: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """What cuts a text into words: at white space alone, with an `<eos>` for each line's end; or as a reader does."""
    if (said.get("pre_tokenizer") or {}).get("type") == "WhitespaceSplit":
        return lambda text: [word for word in _SPACE.split(text.replace("\n", f" {EOS} ")) if word]
    small = (said.get("normalizer") or {}).get("type") == "Lowercase"
    return lambda text: _words("".join(map(str.lower, text)) if small else text)


def _words(text: str) -> list[str]:
    """Runs of letters and digits, and runs of other signs between white space."""
    found: list[str] = []
    before = None
    for character in text:
        kind = _kind(character)
        if kind is not None:
            if kind == before:
                found[-1] += character
            else:
                found.append(character)
        before = kind
    return found


@cache
def _kind(character: str) -> str | None:
    """ "w" for what words are made of (\\w of Unicode's regular expressions), "s" for signs; None for white space."""
    import unicodedata  # for words alone

    if _SPACE.match(character):
        return None
    category, code = unicodedata.category(character), ord(character)
    word = category[0] in "LM" or category in ("Nd", "Nl", "Pc") or code in (0x200C, 0x200D)
    return "w" if word or any(low <= code <= high for low, high in _OTHER_LETTERS) else "s"


def _library(content: str) -> Any:
    try:
        import tokenizers
    except ImportError:
        raise ConfigError(
            "a vocabulary of level bpe needs the package tokenizers, which is not installed: pip install tokenizers"
        ) from None
    try:
        return tokenizers.Tokenizer.from_str(content)
    except Exception as error:  # the library raises plain Exception
        raise DataError(f"the file's tokenizer cannot be read: {error}") from None
