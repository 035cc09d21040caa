"""Data in memory in place of a file: texts, tables, sequences. Readers find them by name, where a file would have its
path, for as long as somebody holds them there."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from os import PathLike, fspath, sep
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.sources.encodings import holding

#: What data in memory is called in messages and in the record of a run.
NAME = "data in memory"

_ENDING = re.compile(r"\S*\.[A-Za-z][A-Za-z0-9]{0,7}")
_DATA = re.compile(r".*\.(csv|tsv|tab|jsonl?|ndjson|parquet|txt|conllu?|ts|gz|bz2|xz|zip)", re.IGNORECASE)


@dataclass(frozen=True)
class Texts:
    """Texts; None where one is missing."""

    texts: tuple[str | None, ...]


@dataclass(frozen=True)
class HeldTable:
    """A table: cells by column, all columns equally long; None where one is missing."""

    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)

    @property
    def digest(self) -> str:
        """SHA-256 of the cells."""
        content = hashlib.sha256()
        for name, cells in self.columns.items():
            content.update(repr((name, cells)).encode("utf-8", "surrogatepass"))
        return content.hexdigest()


@dataclass(frozen=True)
class Steps:
    """Sequences: of tokens, or of numbers as arrays `[T]` or `[T, D]`."""

    sequences: list[Any]

    @property
    def of_tokens(self) -> bool:
        """Whether their steps are texts."""
        return any(isinstance(token, str) for steps in self.sequences for token in steps)


Held: TypeAlias = Texts | HeldTable | Steps

_held: ContextVar[Mapping[str, Held]] = ContextVar("held", default={})  # noqa: B039  never changed


@dataclass(frozen=True)
class Given:
    """What a function was given as data: names of files, as they came, and of what is in memory, which is held."""

    names: tuple[str, ...]
    held: dict[str, Held]

    def within(self) -> AbstractContextManager[None]:
        """Readers find it, as long as this lasts."""
        return holding(_held, {**_held.get(), **self.held})


def given(sources: Sequence[Any], *, texts: bool = False) -> Given:
    """Tell files from data in memory.

    Args:
        sources: paths; data frames of pandas, polars, Arrow or what else narwhals knows, a dict (a row, or lists by
            column) or a list of them; lists, arrays or series of texts, of lists of tokens, of arrays of numbers.
        texts: whether a string that names no file, and does not look as if it should, is a text.

    Raises:
        DataError: something else.
    """
    names: list[str] = []
    held: dict[str, Held] = {}
    for source in sources:
        if isinstance(source, PathLike) or (isinstance(source, str) and not (texts and is_text(source))):
            names.append(str(fspath(source)))
            continue
        names.append(NAME if not held else f"{NAME}, {len(held) + 1}")
        held[names[-1]] = held_as(source)
    return Given(tuple(names), held)


def in_memory(source: Any) -> Held | None:
    """What is held under a name; None for files."""
    return _held.get().get(source) if isinstance(source, str) else None


def is_text(source: str) -> bool:
    """Whether a string is a text to read, rather than the name of a file that is there, or should be."""
    if source == "-":
        return False
    try:
        if "\n" in source or not Path(source).exists():
            one_word = not re.search(r"\s", source)
            return not (_DATA.fullmatch(source) or (one_word and (sep in source or _ENDING.fullmatch(source))))
    except (OSError, ValueError):  # longer than a name can be, or with NUL
        return True
    return False


def is_missing(value: Any) -> bool:
    """Whether a cell stands for nothing: None, NaN, NaT, pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


def held_as(source: Any, name: str = NAME) -> Held:
    """What data in memory is, as `given` takes it.

    Raises:
        DataError: something else, nothing, or several kinds.
    """
    if isinstance(source, str):
        return Texts((source,))
    if isinstance(source, Mapping):
        columns = all(isinstance(cells, list | tuple | np.ndarray) for cells in source.values())
        return _table(source) if columns else _from_rows([source])
    source = _opened(source)
    if isinstance(source, dict):
        return _table(source)
    if not hasattr(source, "__len__") or not hasattr(source, "__iter__"):
        raise DataError(f"expected files, texts, rows or sequences, got {type(source).__name__}")
    items = [None if is_missing(item) else item for item in source]
    if not items:
        raise DataError(f"{name}: expected at least one text, row or sequence, got none")
    if len(rows := [item for item in items if isinstance(item, Mapping)]) == len(items):
        return _from_rows(rows)
    if all(item is None or isinstance(item, str) for item in items):
        return Texts(tuple(None if item is None else str(item) for item in items))
    for number, item in enumerate(items):
        if isinstance(item, str | Mapping) or not hasattr(item, "__len__"):
            raise DataError(f"{name}[{number}]: expected texts, rows or sequences, all of one kind, got {item!r:.60}")
    return Steps(items)


def _opened(source: Any) -> Any:
    """A data frame of any library as cells by column, a series as a list; anything else as it is.

    Raises:
        DataError: two columns of one name.
    """
    if isinstance(source, list | tuple | np.ndarray):
        return source
    import narwhals as nw  # a tenth of a second, for those that have frames

    if nw.dependencies.is_pandas_like_dataframe(source) and any(name is not None for name in source.index.names):
        source = source.reset_index()  # an index that has a name is a column, as in a file of it
    try:
        found = nw.from_native(source, allow_series=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"{NAME}: expected columns of different names: {error}") from None
    if isinstance(found, nw.LazyFrame):
        found = found.collect()
    if isinstance(found, nw.DataFrame):
        return {str(column.name): column.to_list() for column in found.iter_columns()}
    return found.to_list() if isinstance(found, nw.Series) else found


def _table(columns: Mapping[str, Any]) -> HeldTable:
    def plain(cell: Any) -> Any:
        return None if is_missing(cell) else cell.item() if isinstance(cell, np.generic) else cell

    cells = {name: list(map(plain, column)) for name, column in columns.items()}
    if len({len(column) for column in cells.values()}) > 1:
        raise DataError(f"{NAME}: expected columns of one length, got { {n: len(c) for n, c in cells.items()} }")
    return HeldTable(cells)


def _from_rows(rows: Sequence[Mapping[str, Any]]) -> HeldTable:
    names = dict.fromkeys(name for row in rows for name in row)
    return _table({name: [row.get(name) for row in rows] for name in names})
