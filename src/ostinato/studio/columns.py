"""Of the columns of a table: which hold texts, labels, numbers, times, and what a model could learn of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ostinato.config.columns import as_option
from ostinato.core.errors import OstinatoError
from ostinato.data.series.dates import PARTS, looks_like_a_date, read_times
from ostinato.data.series.times import infer_spacing
from ostinato.data.tables.numbers import MISSING_NUMBERS, plain_number
from ostinato.data.tables.reading import Table

_LABELS = {"label", "labels", "class", "category", "sentiment", "polarity", "intent", "topic", "genre", "target", "y"}
_TEXTS = {
    "text",
    "review",
    "sentence",
    "content",
    "message",
    "comment",
    "body",
    "document",
    "question",
    "tweet",
    "title",
}
_TIMES = {"time", "date", "datetime", "timestamp", "ds", "month", "day", "week", "period", "step", "t"}
_IDS = {"id", "unique_id", "series", "series_id", "sensor", "store", "item", "case", "case_id", "sequence", "subject"}
_TARGETS = {"y", "value", "target", "sales", "count", "close", "price", "demand", "load", "score", "rating", "stars"}
#: Rows of a season, by the unit and the number of units between rows.
_SEASONS = {("month", 1): 12, ("month", 3): 4, ("day", 1): 7, ("second", 86_400): 7, ("second", 3_600): 24,
            ("business day", 1): 5, ("second", 604_800): 52, ("second", 1_800): 48, ("second", 900): 96}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column, and what its cells are like.

    Attributes:
        name: of the column.
        cells: those that are not missing.
        numbers: share of them that are numbers.
        distinct: different ones.
        words: of a cell, on average.
        dates: whether they look like dates.
    """

    name: str
    cells: list[Any] = field(repr=False)
    numbers: float
    distinct: int
    words: float
    dates: bool

    @property
    def key(self) -> str:
        """Its name, to compare with usual ones."""
        return self.name.strip().lower().replace(" ", "_")

    @property
    def numeric(self) -> bool:
        """Whether it is one of numbers."""
        return self.numbers > 0.97 and bool(self.cells)

    @property
    def textual(self) -> bool:
        """Whether it is one of texts, of several words or many characters."""
        return self.numbers < 0.5 and not self.dates and (self.words >= 2.5 or self.key in _TEXTS)

    @property
    def labelling(self) -> bool:
        """Whether it has few values that come again and again."""
        few = self.distinct <= max(12, len(self.cells) // 20) and 1 < self.distinct <= 200
        return few and not self.dates and self.words < 4

    @property
    def counting(self) -> bool:
        """Whether it only counts the rows."""
        if not self.numeric or self.distinct < len(self.cells) or self.distinct < 3:
            return False
        numbers = np.array([plain_number(cell) for cell in self.cells if _is_number(cell)])
        if (numbers != np.round(numbers)).any():
            return False
        steps = np.diff(numbers)
        # of a large table only parts were read: there it jumps
        return self.key not in _TARGETS and bool((steps > 0).all()) and float((steps == 1).mean()) > 0.99


@dataclass(frozen=True)
class Columns:
    """The columns of a table, in their order."""

    all: tuple[Column, ...]

    @classmethod
    def of(cls, table: Table) -> "Columns":
        """Look at all cells of a table."""
        return cls(tuple(_column(name, cells) for name, cells in table.columns.items()))

    def find(self, fits: Callable[[Column], bool], *preferred: set[str]) -> list[Column]:
        """Columns that fit, those with usual names first."""
        found = [column for column in self.all if fits(column)]
        return sorted(
            found, key=lambda column: next((n for n, names in enumerate(preferred) if column.key in names), 9)
        )


def _column(name: str, cells: list[Any]) -> Column:
    there = [cell for cell in cells if cell is not None and str(cell).strip().lower() not in MISSING_NUMBERS | {""}]
    texts = [str(cell) for cell in there]
    return Column(
        name,
        there,
        numbers=sum(map(_is_number, there)) / max(1, len(there)),
        distinct=len(set(texts)),
        words=sum(len(text.split()) for text in texts) / max(1, len(texts)),
        dates=bool(texts) and all(looks_like_a_date(text) for text in texts[:50]),
    )


def _is_number(cell: Any) -> bool:
    if isinstance(cell, bool):
        return False
    try:
        return bool(np.isfinite(plain_number(cell)))
    except (TypeError, ValueError):
        return False


def table_tasks(columns: Columns, rows: int) -> dict[str, dict[str, Any]]:
    """What could be learned from a table of so many rows: options by task, the most likely first."""
    names = {column.key for column in columns.all}
    if {"image", "caption"} <= names:
        return {"caption": {}}
    texts = columns.find(lambda column: column.textual, _TEXTS)
    if texts:
        return _of_texts(columns, texts)
    return _of_numbers(columns, rows)


def _of_texts(columns: Columns, texts: list[Column]) -> dict[str, dict[str, Any]]:
    rest = {column.name for column in columns.all} - {texts[0].name}
    labels = columns.find(lambda one: one.name in rest and one.labelling, _LABELS)
    numbers = columns.find(lambda one: one.name in rest and one.numeric and not one.counting, _TARGETS, _LABELS)
    text = texts[0].name
    found: dict[str, dict[str, Any]] = {}
    if labels:
        found["classify"] = {"text": text, "label": labels[0].name}
    if numbers:
        found["regress"] = {"text": text, "target": numbers[0].name}
        if not labels or (numbers[0].key in _TARGETS and labels[0].key not in _LABELS and numbers[0].distinct > 12):
            found = {"regress": found["regress"], **found}
    if len(texts) > 1:
        pair = {"columns": as_option([texts[0].name, texts[1].name])}
        two = len(columns.all) == 2
        found = {"translate": pair, **found} if two or not found else {**found, "translate": pair}
    return found


def _of_numbers(columns: Columns, rows: int) -> dict[str, dict[str, Any]]:
    times = _times(columns)
    repeated = columns.find(lambda one: 1 < one.distinct <= len(one.cells) / 3, _IDS)
    ids = [one for one in repeated if one.name not in times and one.key in _IDS]
    taken = {*times, *(one.name for one in ids[:1])}
    numbers = [one for one in columns.all if one.numeric and one.name not in taken and not one.counting]
    labels = columns.find(lambda one: one.name not in taken and one.labelling and one.key in _LABELS, _LABELS)
    found: dict[str, dict[str, Any]] = {}
    values = [one.name for one in numbers if not labels or one.name != labels[0].name]
    if ids and labels and values:
        found["classify"] = {"label": labels[0].name, "id": ids[0].name, "values": as_option(values)}
        found["classify"] |= {"time": times[0]} if len(times) == 1 else {}
    if numbers:
        target = next((one for one in numbers if one.key in _TARGETS), numbers[0 if times else -1])
        found["forecast"] = _forecast(columns, target, times, [one.name for one in ids[:1]], rows)
    return found


def _times(columns: Columns) -> list[str]:
    """The columns that say when."""
    parts = [one.name for one in columns.all if one.key in PARTS and one.numeric]
    if parts and parts[0].strip().lower() == "year" and len(parts) > 1:
        return parts
    dated = columns.find(lambda one: one.dates, _TIMES)
    if dated:
        return [dated[0].name]
    times = [one for one in columns.all if one.key in _TIMES and one.numeric and one.distinct == len(one.cells)]
    return [times[0].name] if times else []


def _forecast(columns: Columns, target: Column, times: list[str], ids: list[str], rows: int) -> dict[str, Any]:
    season = _season(columns, times, ids)
    horizon = season if season > 1 else 10
    window = max(2 * season, 20)
    while window + horizon > max(6, rows // 3):  # a short series: something must be left to learn from
        window, horizon = max(2, window * 2 // 3), max(1, horizon * 2 // 3)
        if (window, horizon) == (2, 1):
            break
    found: dict[str, Any] = {"target": target.name, "window": window, "horizon": horizon}
    if season > 1:
        found["season"] = season
    if times:
        found["time"] = as_option(times)
    if ids:
        found["id"] = ids[0]
    taken = {target.name, *times, *ids}
    past = [one.name for one in columns.all if one.name not in taken and not one.counting and _helps(one)]
    return found | ({"past": as_option(past)} if past else {})


def _helps(column: Column) -> bool:
    return (column.numeric and column.distinct > 1) or (column.labelling and column.distinct <= 50)


def _season(columns: Columns, times: list[str], ids: list[str]) -> int:
    """Rows of a season, by how far apart the rows are; 1 where that says nothing."""
    columns_of_times = {one.name: one.cells[:2_000] for one in columns.all if one.name in times}
    if not columns_of_times or len({len(cells) for cells in columns_of_times.values()}) > 1:
        return 1
    try:
        clock = np.unique(read_times(columns_of_times, lambda row: f"row {row + 1}").clock)
        spacing = infer_spacing([clock])
    except (OstinatoError, ValueError):
        return 1
    return _SEASONS.get((spacing.unit, spacing.step), 1) if spacing.dated else 1
