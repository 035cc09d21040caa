"""Text to token ids and back: a thin wrapper round the `tokenizers` library, for characters, words and byte-level BPE.

At every level id 0 is `<eos>`. Levels char and word have `<unk>` as id 1; byte-level BPE needs none.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from ostinato.config.text import Level
from ostinato.core.errors import DataError
from ostinato.core.files import replace_text
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.text.reading import BLOCK, END, Block
from ostinato.data.text.stream_decoder import EOS, UNK, StreamDecoder

TokenIds: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]

_AT_ONCE = 4 * BLOCK  #: characters encoded together: what the library keeps of a token is about 100 bytes
_TEXTS_AT_ONCE = 512
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_WHITE_SPACE = "\x1c\x1d\x1e\x1f"  # white space to str.split, but neither to Unicode nor to the library


class Tokenizer:
    """Token ids for text. Made by `learn_tokenizer` or `Tokenizer.load`.

    Args:
        library: the tokenizer it stands on, as built by `char_tokenizer`, `word_tokenizer` or `bpe_tokenizer`.

    Attributes:
        level: "char", "word" or "bpe".
        size: tokens in the vocabulary, `<eos>` and `<unk>` included.
        eos_id: always 0.
        unk_id: 1, or None at level bpe.
        separator: what stands between documents, wherever it is found a token of its own; None where there is none.
        digest: SHA-256 of its JSON.

    Raises:
        DataError: the library's tokenizer is none of the three.
    """

    eos_id = 0

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        self._library = library
        self.level = _level(library)
        self.size: int = library.get_vocab_size()
        self.unk_id: int | None = library.token_to_id(UNK) if self.level != "bpe" else None
        added = library.get_added_tokens_decoder()
        self.separator_id: int | None = max(added, default=None)
        self.separator: str | None = None if self.separator_id is None else added[self.separator_id].content
        self.digest = hashlib.sha256(library.to_str().encode()).hexdigest()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Tokenizer":
        """Read a file that `save` wrote.

        Raises:
            DataError: it cannot be read, or is not a tokenizer of this package.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except Exception as error:  # the library raises plain Exception for malformed JSON
            message = f"{path}: expected the JSON file of a tokenizer, written by this package: {error}"
            raise DataError(message) from error

    @classmethod
    def from_json(cls, content: str) -> "Tokenizer":
        """What `to_json` gave, back again."""
        return cls(tokenizers.Tokenizer.from_str(content))

    def separating(self, separator: str) -> "Tokenizer":
        """The same with a separator of documents, which takes the last id where it is no entry already."""
        library = tokenizers.Tokenizer.from_str(self.to_json())
        library.add_special_tokens([tokenizers.AddedToken(separator, special=True, normalized=False)])
        return Tokenizer(library)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one JSON file, which `tokenizers.Tokenizer.from_file` reads as well."""
        replace_text(Path(path), self.to_json())

    def to_json(self) -> str:
        """The content of the file that `save` writes."""
        return self._library.to_str()

    def __reduce__(self) -> tuple[Callable[[str], "Tokenizer"], tuple[str]]:
        return Tokenizer.from_json, (self.to_json(),)

    @property
    def begin_id(self) -> int:
        """What the first token of a document is predicted from: the separator, or `<eos>`."""
        return self.eos_id if self.separator_id is None else self.separator_id

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest type that holds an id: uint16, or uint32 from 65,537 tokens on."""
        return np.dtype(np.uint16 if self.size <= 1 << 16 else np.uint32)

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Ids by token; level bpe writes a token's bytes in its own alphabet."""
        return self._library.get_vocab()

    def unknown(self, text: str) -> list[str]:
        """The characters (at level word the words) of a text that the vocabulary lacks, each once, in order."""
        if self.level == "bpe":
            parts: Iterable[str] = _SURROGATE.findall(text)
        else:
            text = text.replace(self.separator, " " if self.level == "word" else "") if self.separator else text
            parts = split_words(text) if self.level == "word" else text
        return [part for part in dict.fromkeys(parts) if part not in self.vocabulary]

    def encode(self, text: str) -> list[int]:
        """Ids of a piece of text, such as a prompt; no `<eos>` is added at its end."""
        ids: list[int] = self._encode_batch([text])[0].tolist()
        return ids

    def encode_with_spans(self, text: str) -> tuple[TokenIds, list[tuple[int, int]]]:
        """The same, with where in the text each token stands: begin and end, in characters. Tokens that share a
        character, as parts of its bytes, have the same."""
        encoding = self._library.encode(whole_characters(text))
        return np.array(encoding.ids, self.dtype), encoding.offsets

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids of each text, without `<eos>`."""
        return list(self.each_encoded(texts))

    def each_encoded(self, texts: Sequence[str]) -> Iterator[TokenIds]:
        """The same one by one: few are held at a time."""
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            yield from self._encode_batch(texts[start : start + _TEXTS_AT_ONCE])

    def encode_blocks(self, blocks: Iterable[Block]) -> Iterator[TokenIds]:
        """Ids of a stream of blocks as `Text.blocks` gives it.

        Levels char and bpe write `<eos>` between documents; level word writes it for every line's end, and for a last
        line that has none. A separator stands in the place of the one between documents, at level word behind it,
        unless the text has one there itself. A literal `<eos>` or `<unk>` that is a word by itself is that token at
        level word, and plain text elsewhere.

        Yields:
            One array of `dtype` a block, with what follows it.
        """
        for batch in _batches(blocks, every_end=self.level == "word"):
            for ids, end in zip(self._encode_batch([end.block for end in batch]), batch, strict=True):
                after = self._after(end)
                yield np.concatenate([ids, np.array(after, self.dtype)]) if after else ids

    def _after(self, end: "_End") -> list[int]:
        """Ids behind a block."""
        if self.separator is None or self.separator_id is None or not end.of_document:
            return [self.eos_id] if end.has_eos else []
        line = [self.eos_id] if end.has_eos and self.level == "word" else []
        return line if end.block.rstrip().endswith(self.separator) else [*line, self.separator_id]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids. `<eos>` becomes a line's end at level word, where words have one space between them, and
        stays visible elsewhere.
        """
        if self.level == "word":
            return "".join(map(self.decoder().step, ids))
        return self._library.decode([int(token) for token in ids], skip_special_tokens=False)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The text of each token; together they are what `decode` gives, but for half a character at the end."""
        decoder = self.decoder()
        return [decoder.step(int(token)) for token in ids]

    def decoder(self, after: str = "") -> StreamDecoder:
        """A decoder for tokens that come one by one, `after` a text: after white space level word adds none."""
        return StreamDecoder(self, after)

    def token(self, token: int) -> str:
        """The vocabulary's entry for an id.

        Raises:
            DataError: an id outside of the vocabulary.
        """
        if self.level == "char" and 0 <= token < self.size:
            return self._characters[token]
        entry = self._library.id_to_token(int(token))
        if entry is None:
            raise DataError(f"token id {token} is outside of the vocabulary's {self.size} entries")
        return entry

    def _encode_batch(self, texts: Sequence[str]) -> list[TokenIds]:
        if self.level == "char":
            return [self._look_up(text) for text in texts]
        whole = [whole_characters(text) for text in texts]
        return [np.array(encoding.ids, self.dtype) for encoding in self._library.encode_batch_fast(whole)]

    def _look_up(self, text: str) -> TokenIds:
        if self.separator and len(self.separator) > 1 and self.separator in text:
            first, *others = map(self._look_up, text.split(self.separator))
            border = np.array([self.separator_id], self.dtype)
            return np.concatenate([first, *(part for other in others for part in (border, other))])
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
        return self._by_code_point.take(codes, mode="clip")

    @cached_property
    def _characters(self) -> list[str]:
        """At level char the text of each id: the library takes longer than a batch's share of a model's step."""
        return [self.decode([token]) for token in range(self.size)]

    @cached_property
    def _by_code_point(self) -> TokenIds:
        """Ids by code point, 35 times as fast as the library's way to the same numbers; the last entry is unknown."""
        codes = {ord(token): index for token, index in self.vocabulary.items() if len(token) == 1}
        table = np.full(max(codes) + 2, self.unk_id, self.dtype)
        table[list(codes)] = list(codes.values())
        return table


@dataclass(frozen=True)
class TextCodec:
    """Texts to token ids and back, where there is one vocabulary."""

    tokenizer: Tokenizer


def char_tokenizer(characters: Sequence[str]) -> tokenizers.Tokenizer:
    """A tokenizer of single characters, which take the ids from 2 on."""
    library = _word_level(characters)
    library.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    library.decoder = decoders.Fuse()
    return library


def word_tokenizer(words: Sequence[str]) -> tokenizers.Tokenizer:
    """A tokenizer of words between white space, which take the ids from 2 on; a line's end is `<eos>`."""
    library = _word_level(words)
    library.normalizer = normalizers.Replace("\n", f" {EOS} ")
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return library


def prose_tokenizer(words: Sequence[str], *, lowercase: bool = True) -> tokenizers.Tokenizer:
    """A tokenizer of words as a reader sees them, which take the ids from 2 on: runs of letters and digits, and runs of
    other signs; with `lowercase`, capitals count as small letters."""
    library = _word_level(words)
    if lowercase:
        library.normalizer = normalizers.Lowercase()
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    return library


def bpe_tokenizer(model: models.BPE) -> tokenizers.Tokenizer:
    """A tokenizer of byte-level BPE, whose vocabulary holds all bytes."""
    library = tokenizers.Tokenizer(model)
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    return library


def split_words(text: str) -> list[str]:
    """The words of a text as the library's `WhitespaceSplit` has them, `str.split` being ten times as fast."""
    if any(character in text for character in _NOT_WHITE_SPACE):
        return [word for word, _ in pre_tokenizers.WhitespaceSplit().pre_tokenize_str(text)]
    return text.split()


def _word_level(tokens: Sequence[str]) -> tokenizers.Tokenizer:
    # <eos> and <unk> are entries of the model, not "special tokens": those the library would find inside words too.
    entries = [EOS, UNK, *tokens]
    return tokenizers.Tokenizer(models.WordLevel({token: index for index, token in enumerate(entries)}, unk_token=UNK))


def _level(library: tokenizers.Tokenizer) -> Level:
    kinds: dict[tuple[type, type], Level] = {
        (models.WordLevel, pre_tokenizers.Split): "char",
        (models.WordLevel, pre_tokenizers.WhitespaceSplit): "word",
        (models.WordLevel, pre_tokenizers.Whitespace): "word",
        (models.BPE, pre_tokenizers.ByteLevel): "bpe",
    }
    level = kinds.get((type(library.model), type(library.pre_tokenizer)))
    if level is None or library.token_to_id(EOS) != 0 or (level != "bpe" and library.token_to_id(UNK) != 1):
        raise DataError(f"the tokenizer is not one of characters, words or byte-level BPE with {EOS} as id 0")
    return level


class _End(NamedTuple):
    """A block, whether an `<eos>` follows it, and whether it is a document's last with another behind."""

    block: str
    has_eos: bool
    of_document: bool


def _batches(blocks: Iterable[Block], every_end: bool) -> Iterator[list[_End]]:
    """Group what `_ends` gives into lists of at most about `_AT_ONCE` characters."""
    batch: list[_End] = []
    held = 0
    for end in _ends(blocks, every_end):
        batch.append(end)
        held += len(end.block)
        if held >= _AT_ONCE:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _ends(blocks: Iterable[Block], lines: bool) -> Iterator[_End]:
    """Each block, and what follows it.

    Where `lines` are what ends, a document without a line's end at its own end lacks one, the last one too.
    """
    held: str | None = None
    for block in blocks:
        if held is not None:
            yield _End(held, block is END and not (lines and held.endswith("\n")), block is END)
        held = None if block is END else block
    if held is not None:
        yield _End(held, lines and not held.endswith("\n"), False)
