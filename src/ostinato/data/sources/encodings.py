"""What the encoding of bytes that are not UTF-8 may be, and what to do about it."""

import codecs
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

from ostinato.core.errors import ConfigError

#: Encodings that are looked for; of those that fit alike, the first is named.
_KNOWN = (
    *("cp1252", "cp949", "cp932", "gb18030", "big5", "euc_jp", "cp1251", "koi8_r", "cp1250", "iso8859_2"),
    *("cp1256", "cp1253", "cp1254", "cp1255", "cp874", "cp1258", "cp1257"),
)
_SHOWN = {"cp1252": "Windows-1252", "cp949": "CP949, EUC-KR", "cp932": "Shift-JIS", "gb18030": "GB18030, GBK"}
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_KANA = re.compile("[\u3041-\u30fa]")
_HALF = re.compile("[\ud800-\udfff]")

Value = TypeVar("Value")

_current: ContextVar[str] = ContextVar("encoding", default="utf-8")


@contextmanager
def holding(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    """Within, a variable has this value."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def read_as(encoding: str | None) -> AbstractContextManager[None]:
    """Files that are found within are decoded by this; None changes nothing."""
    return holding(_current, chosen_encoding() if encoding is None else text_encoding(encoding))


def chosen_encoding() -> str:
    """What files are decoded by."""
    return _current.get()


def text_encoding(name: str) -> str:
    """An encoding's own name.

    Raises:
        ConfigError: Python knows none of that name.
    """
    try:
        found = codecs.lookup(name)
        "".encode(found.name)  # codecs such as base64 are known, but not of text
    except (LookupError, ValueError):
        raise ConfigError(
            f"--encoding: expected the name of an encoding, such as utf-8, cp949, shift_jis, gb18030 or cp1252, "
            f"got {name!r}"
        ) from None
    return found.name


def marked_encoding(start: bytes) -> str | None:
    """The encoding whose byte order mark a file begins with, UTF-8 aside."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)


def unmarked_wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, where the places of NUL bytes speak for it and what is read so is text."""
    if len(start) < 4:
        return None
    nul = [start[place::4].count(0) / len(start[place::4]) for place in range(4)]
    found = None
    if min(nul[1:]) > 0.5 > nul[0]:
        found = "utf-32-le"
    elif min(nul[:3]) > 0.5 > nul[3]:
        found = "utf-32-be"
    elif min(nul[1], nul[3]) > 0.5 > max(nul[0], nul[2]):
        found = "utf-16-le"
    elif min(nul[0], nul[2]) > 0.5 > max(nul[1], nul[3]):
        found = "utf-16-be"
    text = _decoded(start[: len(start) // 4 * 4], found) if found else ""
    printable = sum(character.isprintable() or character.isspace() for character in text)
    return found if text and printable == len(text) else None


def likely_encoding(sample: bytes) -> str | None:
    """The encoding that text is most likely in; None where nothing fits, "utf-8" where but a byte here and there is
    wrong."""
    read = sample.decode("utf-8", "replace")
    damaged, whole = read.count("\ufffd"), sum(not character.isascii() for character in read)
    if whole > 5 * damaged:
        return "utf-8"
    for name in ("cp932", "euc_jp"):
        with_kana = _decoded(sample, name)
        # kana are in no other encoding where Japanese has them, and in every Japanese sentence
        if len(_KANA.findall(with_kana)) > 0.2 * max(1, sum(not character.isascii() for character in with_kana)):
            return name
    import charset_normalizer

    found = charset_normalizer.from_bytes(sample, cp_isolation=list(_KNOWN))
    if (best := found.best()) is None:
        return None
    alike = [match for match in found if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    names = {name for match in alike for name in (match.encoding, *match.could_be_from_charset)}
    return min(names & set(_KNOWN), key=_KNOWN.index, default=None)


def shown_encoding(encoding: str) -> str:
    """As a message calls it."""
    return f"{_SHOWN[encoding]} ({encoding})" if encoding in _SHOWN else encoding


def whole_characters(text: str) -> str:
    """The text with U+FFFD for each lone surrogate: half a pair of UTF-16, as cut texts and JSON escapes may hold."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


def in_utf8(text: str) -> bytes:
    """The text's bytes, with JSON's escapes for lone surrogates: a file's name that is not UTF-8 is such a text."""
    return text.encode(errors="backslashreplace")


def _decoded(sample: bytes, name: str) -> str:
    try:
        return sample.decode(name)
    except UnicodeDecodeError:
        return ""
