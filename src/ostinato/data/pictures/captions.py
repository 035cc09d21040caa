"""Captions of pictures, by the pictures' names."""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ostinato.core.errors import DataError
from ostinato.data.sources.files import PathLike, find_files, one_file
from ostinato.data.sources.memory import HeldTable, in_memory
from ostinato.data.tables.reading import read_table
from ostinato.data.text.pairs import read_lines
from ostinato.data.text.reading import Lines

_FLICKR = re.compile(r"(\S.*)#\d+\t(.*)")


@dataclass(frozen=True)
class Captions:
    """Pictures by name, in order, and what people wrote of each.

    Attributes:
        names: `[pictures]`.
        texts: `[pictures]`, one caption or several each.
        file: where they come from, for messages.
        digest: SHA-256 of names and captions.
    """

    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    file: str
    digest: str

    def __len__(self) -> int:
        return len(self.names)

    def select(self, names: Iterable[str]) -> "Captions":
        """Some of the pictures, in another order."""
        at = {name: row for row, name in enumerate(self.names)}
        return _captions([(name, text) for name in names for text in self.texts[at[name]]], self.file)

    def lines(self) -> Lines:
        """The captions, to learn a tokenizer from."""
        return Lines(tuple(text for texts in self.texts for text in texts), (self.file,))


def read_captions(source: PathLike) -> Captions:
    """Read a table with the columns `image` and `caption`, a row for each caption; or lines as Flickr8k.token.txt has
    them, `NAME#NUMBER TAB CAPTION`.

    Raises:
        DataError: the file cannot be read, is neither, or holds no captions.
    """
    if _FLICKR.fullmatch(_first_line(source)):
        return _read_flickr(source)
    table = read_table(source, ["image", "caption"])
    names = [(name or "").strip() for name in table.texts("image")]
    texts = [(text or "").strip() for text in table.texts("caption")]
    _tell_left_out("picture", [row for row, name in enumerate(names) if not name], table.place)
    _tell_left_out("caption", [row for row, text in enumerate(texts) if not text], table.place)
    rows = zip(names, texts, strict=True)
    return _captions([(name, text) for name, text in rows if name and text], table.name)


def _tell_left_out(what: str, rows: Sequence[int], place: Callable[[int], str]) -> None:
    if rows:
        warnings.warn(f"{place(rows[0])}: no {what} (so in {len(rows):,} rows); left out", stacklevel=4)


def read_names(source: PathLike) -> list[str]:
    """Names of pictures, one a line, each once; or the names of a file of captions, as `read_captions` takes it.

    Raises:
        DataError: the file cannot be read, or names nothing.
    """
    if isinstance(in_memory(source), HeldTable) or is_captions(_first_line(source)):
        return list(read_captions(source).names)
    (file,) = find_files(source)
    names = [line.strip() for line in read_lines(file) if line.strip()]
    if not names:
        raise DataError(f"{file.name}: expected names of pictures, one a line, found none")
    return list(dict.fromkeys(names))


def is_captions(first_line: str) -> bool:
    """Whether a file that begins like this holds captions, and not only names."""
    return (
        bool(_FLICKR.fullmatch(first_line))
        or re.search(r"\bimage\b.*\bcaption\b|\bcaption\b.*\bimage\b", first_line) is not None
    )


def part_of(whole: Captions, source: str) -> Captions:
    """What `--valid` and `--test` name: captions of their own, or some of the pictures of DATA, by a list of names.

    Raises:
        DataError: the file cannot be read, or names a picture that has no captions.
    """
    if source != "-" and not is_list(source):
        return read_captions(source)
    names, known = read_names(source), set(whole.names)
    there = [name for name in names if name in known]
    if not there:
        raise DataError(
            f"{source}: none of its {len(names):,} names, such as {names[0]!r}, has a caption in {whole.file}"
        )
    if len(there) < len(names):
        first = next(name for name in names if name not in known)
        warnings.warn(
            f"{source}: {len(names) - len(there):,} of its {len(names):,} names, such as {first!r}, have no caption in "
            f"{whole.file}; left out",
            stacklevel=3,
        )
    return whole.select(there)


def is_list(source: PathLike) -> bool:
    """Whether a file is a list of names, and not captions of its own."""
    if isinstance(in_memory(source), HeldTable):
        return False
    return source != "-" and not str(source).endswith(".parquet") and not is_captions(_first_line(source))


def _first_line(source: PathLike) -> str:
    if source == "-" or str(source).endswith(".parquet") or in_memory(source) is not None:
        return ""
    return next(read_lines(one_file(source)), "").rstrip("\r")


def _read_flickr(source: PathLike) -> Captions:
    (file,) = find_files(source)
    found: list[tuple[str, str]] = []
    numbers: list[int] = []
    for number, line in enumerate(read_lines(file), 1):
        if not line.strip():
            continue
        match = _FLICKR.fullmatch(line.rstrip("\r"))
        if match is None:
            raise DataError(
                f"{file.name}: line {number}: expected NAME#NUMBER, a TAB and a caption, as in line 1, "
                f"got {line[:60]!r}"
            )
        found.append((match[1], match[2].strip()))
        numbers.append(number)
    bare = [row for row, (_, text) in enumerate(found) if not text]
    _tell_left_out("caption", bare, lambda row: f"{file.name}: line {numbers[row]}")
    return _captions(found, file.name)


def _captions(found: list[tuple[str, str]], file: str) -> Captions:
    by_name: dict[str, list[str]] = {}
    for name, text in found:
        if text:
            by_name.setdefault(name, []).append(text)
    if not by_name:
        raise DataError(f"{file}: no captions there; expected the columns image and caption, a row for each caption")
    content = sha256("\n".join(f"{name}\t{text}" for name, text in found).encode("utf-8", "surrogatepass"))
    return Captions(tuple(by_name), tuple(map(tuple, by_name.values())), file, content.hexdigest())
