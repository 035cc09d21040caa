"""Texts with their labels, from tables, folders of a class each, and files of lines that belong together."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np

from ostinato.config.columns import names_in
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.labelled.examples import Raw, texts_or_empty
from ostinato.data.sources.files import TextFile, find_files, one_file, plain_name
from ostinato.data.sources.memory import in_memory
from ostinato.data.sources.passages import Passage
from ostinato.data.tables.reading import ENDINGS, read_table
from ostinato.data.text.pairs import read_lines


def read_text_table(
    source: str | Passage, text: str, label: str | None, *, lines: bool, targets: Sequence[str] = ()
) -> Raw:
    """From a table.

    Args:
        source: the table, `-`, or a part of one.
        text: column of the texts; several with commas between are put together, each in a line of its own.
        label: column of the labels; None where there are none to read.
        lines: whether standard input, and texts in memory, are one text a line instead.
        targets: columns of numbers to learn.

    Raises:
        DataError: what is wrong with the file.
        ConfigError: no column is named.
    """
    names = [name for name in names_in(text) if name]
    if not names:
        raise ConfigError(f"--text: expected a column, or several with commas between, got {text!r}")
    table = read_table(source, [*names, *([label] if label else []), *targets], lines=names[0] if lines else None)
    columns = [table.texts(name) for name in names]
    texts = ["\n".join(part for part in row if part is not None) or None for row in zip(*columns, strict=True)]
    labels: list[str | None] = table.texts(label) if label else [None] * len(table)
    aims = np.stack([table.numbers(name) for name in targets], axis=1) if targets else None
    return Raw(table.name, texts_or_empty(texts, table.place), labels, table.place, None, table.digest, targets=aims)


def without_columns(source: str) -> bool:
    """Whether a source has no columns, whatever a run knows of some: a folder, an archive of several files, two files
    of lines with a comma between.

    Raises:
        DataError: the file cannot be read.
    """
    if source == "-" or in_memory(source) is not None:
        return False
    path = Path(source)
    if "," in source and not path.exists():
        return source.count(",") == 1
    return path.is_dir() or (PurePath(source).suffix.lower() == ".zip" and len(find_files(source)) > 1)


def is_lines(source: str, text: str | None) -> bool:
    """Whether a source is a text a line: a file whose name is not a table's, and which does not begin with the columns
    that a run knows; for a run that knows none standard input, too.

    Raises:
        DataError: the file cannot be read.
    """
    if in_memory(source) is not None or PurePath(plain_name(source)).suffix.lower() in ENDINGS:
        return False
    if source == "-" or text is None:
        return text is None
    first = next(read_lines(one_file(source)), "")
    return PurePath(plain_name(source)).suffix.lower() == ".txt" and not all(name in first for name in names_in(text))


def read_without_table(source: str, *, labels: bool) -> Raw:
    """From a folder whose folders are the classes, or from `TEXTS,LABELS`: files whose lines belong together.

    Args:
        source: as `without_columns` and `is_lines` know it.
        labels: whether to look for labels; without, a folder needs no folders, and a file of texts none of labels.

    Raises:
        DataError: a file cannot be read, files have different numbers of lines, or a folder has no folders.
    """
    if source != "-" and "," in source and not Path(source).exists():
        texts, said = source.split(",")
        first, second = one_file(texts), one_file(said) if labels else None
        return lines_of(first, second)
    files = find_files(source)
    if len(files) == 1 and not Path(source).is_dir():
        return lines_of(files[0], None)
    return _folder(source, files, labels)


def lines_of(file: TextFile | Passage, labels: TextFile | Passage | None) -> Raw:
    """From lines that are a text each, and from those of another file, where there is one, which are their labels.

    Raises:
        DataError: a file cannot be read, or they have different numbers of lines.
    """
    texts = _stripped(file)
    said: list[str | None] = [None] * len(texts) if labels is None else [*_stripped(labels)]
    before = file.first - 1 if isinstance(file, Passage) else 0
    if labels is not None and len(said) != len(texts):
        raise DataError(
            f"{file.name} has {before + len(texts):,} lines and {labels.name} {before + len(said):,}: expected as "
            "many, each label in the line of its text"
        )
    if not texts:
        raise DataError(f"{file.name}: expected one text a line, found nothing")
    name = file.name if labels is None else f"{file.name},{labels.name}"
    content = ""
    if not isinstance(file, Passage):
        content = hashlib.sha256(repr((texts, said)).encode("utf-8", "surrogatepass")).hexdigest()

    def place(row: int) -> str:
        return f"{file.name}: line {before + row + 1}"

    return Raw(name, texts_or_empty(texts, place), said, place, None, content)


def _stripped(file: TextFile | Passage) -> list[str | None]:
    lines = [line.removesuffix("\r") for line in read_lines(file)]
    return [line if line.strip() else None for line in lines]


def _folder(source: str, files: list[TextFile], labels: bool) -> Raw:
    parts = [_below(source, file) for file in files]
    if all(len(part) > 2 for part in parts) and len({part[0] for part in parts}) == 1 and not Path(source).is_dir():
        parts = [part[1:] for part in parts]  # an archive of one folder, which holds those of the classes
    if labels:
        loose = [file.name for file, part in zip(files, parts, strict=True) if len(part) < 2]
        if len(loose) == len(files):
            raise DataError(f"{source}: expected a folder for each class, with a text in each file; found files alone")
        if loose:
            warnings.warn(f"{loose[0]}: in no class's folder (so are {len(loose)} files); left out", stacklevel=4)
        files = [file for file, part in zip(files, parts, strict=True) if len(part) > 1]
        parts = [part for part in parts if len(part) > 1]
    texts = ["".join(file.pieces()) for file in files]
    keys = ["/".join(part) for part in parts]
    said: list[str | None] = [part[0] if labels else None for part in parts]
    content = hashlib.sha256(repr((texts, said)).encode("utf-8", "surrogatepass")).hexdigest()
    whole = [text if text.strip() else None for text in texts]
    places = [file.name for file in files].__getitem__
    return Raw(source, texts_or_empty(whole, places), said, places, keys, content)


def _below(source: str, file: TextFile) -> tuple[str, ...]:
    """A file's path within a folder or an archive, in parts."""
    if file.path != Path(source) and file.spool is None:
        inside = file.path.relative_to(source).parts
        return inside if file.member is None else (*inside, *PurePath(file.member).parts)
    return PurePath(file.member or file.name).parts
