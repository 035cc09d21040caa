"""The tokens that a model's ids stand for, brought into our order: `<eos>` first, `<unk>` second, then theirs."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.reading import END, open_text
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import Tokenizer, char_tokenizer, split_words, word_tokenizer
from ostinato.interop.layouts import Array

_ENDS = (EOS, "</s>", "<EOS>", "[EOS]", "<|endoftext|>")
_STARTS = ("<s>", "<sos>", "<SOS>", "<bos>", "[BOS]", "<go>", "<GO>")
_UNKNOWN = (UNK, "<UNK>", "[UNK]", "<OOV>", "<oov>", "UNK")

#: Tokens that stand for no text, such as <pad>.
_SPECIAL = re.compile(r"<.+>|\[.+\]")

#: How far below the lowest bias a token starts that a model did not have: it is then never said, and can be learned.
_BELOW = 20.0


@dataclass(frozen=True)
class Words:
    """A vocabulary in our order.

    Attributes:
        tokenizer: of these tokens.
        rows: for each of our ids the row of the model's matrices; None of a token that the model did not have.
        bos: the row of the token that a text begins with, where that is not the one that ends it.
    """

    tokenizer: Tokenizer
    rows: tuple[int | None, ...]
    bos: int | None = None

    def vectors(self, matrix: Array, *, read: bool = False) -> Array:
        """An embedding or an output matrix `[V, E]` in our order; zeros for what the model did not have. In a decoder's
        embedding, which is `read`, `<eos>` is what a text begins with."""
        zeros = np.zeros_like(matrix[0])
        rows = self.rows if self.bos is None or not read else (self.bos, *self.rows[1:])
        return np.stack([zeros if row is None else matrix[row] for row in rows])

    def biases(self, bias: Array) -> Array:
        """The output's biases `[V]` in our order."""
        lowest = np.float32(bias.min() - _BELOW)
        return np.array([lowest if row is None else bias[row] for row in self.rows], np.float32)


def words_of(
    size: int,
    *,
    vocabulary: str | None = None,
    texts: Sequence[str] = (),
    level: str | None = None,
    eos: str | None = None,
    unk: str | None = None,
    bos: str | None = None,
    of_pairs: bool = False,
) -> Words:
    """The tokens of V ids.

    Args:
        size: V.
        vocabulary: a file of tokens: one a line, or JSON, a list or an object of ids by token.
        texts: where there is no such file, texts whose words have the ids in the order in which they first occur, each
            line's end being `<eos>`, as the book's PTB and torch's examples have them; or whose characters have them
            sorted, where that is their number.
        level: "word" or "char"; by default what fits.
        eos: the token that ends a line or a text; by default the first of those that are usual.
        unk: the token of the unknown.
        bos: the token that a decoder starts with, where it is not `eos`.
        of_pairs: the texts are pairs: characters, line ends aside, have their ids as they first occur.

    Raises:
        ConfigError: neither, or both.
        DataError: another number of tokens than V, or one twice.
    """
    tokens = tokens_of(size, vocabulary=vocabulary, texts=texts, level=level, of_pairs=of_pairs)
    if level is None:
        level = "char" if all(len(one) == 1 or _SPECIAL.fullmatch(one) for one in tokens) else "word"
    ends = _ENDS + (("\n",) if level == "word" else ()) + (("_",) if of_pairs else ())
    made = _arranged(tokens, level, _special(tokens, eos, ends, "--eos"), _special(tokens, unk, _UNKNOWN, "--unk"))
    first = _special(tokens, bos, _STARTS if of_pairs else (), "--bos")
    return made if first is None else replace(made, bos=tokens[first])


def tokens_of(
    size: int, *, vocabulary: str | None, texts: Sequence[str], level: str | None = None, of_pairs: bool = False
) -> dict[str, int]:
    """Their ids by token; as `words_of`."""
    if (vocabulary is None) == (not texts):
        raise ConfigError(
            f"the model reads {size:,} ids: say what they stand for, by --vocabulary FILE (a token a line, or JSON) or "
            "--text FILE (words in the order of their first occurrence, or characters sorted)"
        )
    return _from_texts(texts, size, level, of_pairs) if vocabulary is None else _from_file(vocabulary, size)


def unknown_token(tokens: Mapping[str, int], given: str | None) -> str | None:
    """The token of the unknown: the one given, else one that is usual; None where there is none."""
    return _special(tokens, given, _UNKNOWN, "--unk")


def _special(tokens: Mapping[str, int], given: str | None, usual: Sequence[str], option: str) -> str | None:
    if given is not None and given not in tokens:
        raise ConfigError(f"{option} {given!r}: not in the vocabulary")
    return given if given is not None else next((token for token in usual if token in tokens), None)


def _arranged(tokens: dict[str, int], level: str, eos: str | None, unk: str | None) -> Words:
    others = [token for token in sorted(tokens, key=tokens.__getitem__) if token not in (eos, unk, EOS, UNK)]
    rows = [None if special is None else tokens[special] for special in (eos, unk)] + [tokens[one] for one in others]
    made = char_tokenizer(others) if level == "char" else word_tokenizer(others)
    return Words(Tokenizer(made), tuple(rows))


def _from_file(path: str, size: int) -> dict[str, int]:
    try:
        content = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--vocabulary {path}: cannot be read: {error}") from None
    try:
        found = json.loads(content) if content.lstrip()[:1] in ("{", "[") else content.split("\n")
    except ValueError:
        found = content.split("\n")  # a list of words may begin so
    if isinstance(found, dict):
        return _by_id(path, found, size)
    if found and found[-1] == "" and len(found) == size + 1:
        found.pop()
    if len(found) != size or not all(isinstance(token, str) for token in found):
        raise DataError(
            f"--vocabulary {path}: expected {size:,} tokens, as many as the model has ids, got {len(found):,}"
        )
    return _numbered(path, found)


def _by_id(path: str, found: dict[str, object], size: int) -> dict[str, int]:
    """Ids by token, as Keras' tokenizer has them: those beyond V it does not use, and 0 is padding."""
    if not all(isinstance(number, int) and number >= 0 for number in found.values()):
        raise DataError(f"--vocabulary {path}: expected an object of ids by token")
    kept = {token: number for token, number in found.items() if isinstance(number, int) and number < size}
    if len(set(kept.values())) != len(kept) or not kept:
        raise DataError(f"--vocabulary {path}: expected an id below {size:,} for each token, each once")
    if len(found) < size - 2:
        raise DataError(f"--vocabulary {path}: expected about {size:,} tokens, the model's ids, got {len(found):,}")
    return kept


def _numbered(path: str, tokens: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, token in enumerate(tokens):
        if token in found:
            raise DataError(f"{path}: {token!r} stands there twice, as {found[token]:,} and as {number:,}")
        found[token] = number
    return found


def _from_texts(texts: Sequence[str], size: int, level: str | None, of_pairs: bool) -> dict[str, int]:
    blocks = [block for block in open_text(list(texts)).blocks() if block is not END]
    names = ", ".join(texts)
    characters = list(dict.fromkeys(chain.from_iterable(blocks)))
    ranked = [one for one in characters if one != "\n"] if of_pairs else sorted(characters)
    counts = {}
    for kind, tokens in (("word", _words(blocks)), ("char", ranked)):
        if len(tokens) == size and level in (None, kind):
            return {token: number for number, token in enumerate(tokens)}
        counts[kind] = len(tokens)
    raise DataError(
        f"--text {names}: the model has {size:,} ids, the text {counts['word']:,} different words with <eos>, and "
        f"{counts['char']:,} characters; give the text it was trained on, or --vocabulary"
    )


def _words(blocks: Iterable[str]) -> list[str]:
    """Words, and `<eos>` for each line's end, in the order in which they first occur."""
    found: dict[str, None] = {}
    for block in blocks:
        *lines, rest = block.split("\n")
        for line in lines:
            found |= dict.fromkeys([*split_words(line), EOS])
        found |= dict.fromkeys(split_words(rest))
    return list(found)


def names_of(path: str | None, count: int) -> list[str]:
    """Names of labels or tags, one a line; their numbers where there is no file.

    Raises:
        DataError: another number of them than the model has outputs, or one twice.
    """
    if path is None:
        return [str(number) for number in range(count)]
    try:
        names = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--labels {path}: cannot be read: {error}") from None
    if len(names) != count or len(set(names)) != count:
        raise DataError(f"--labels {path}: expected {count} different names, one a line, got {len(set(names))}")
    return names
