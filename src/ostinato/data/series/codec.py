"""What a forecaster has to know of its series besides its weights: columns, codings, scales, and what it was given."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np

from ostinato.config.columns import names_in
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.series.covariates import Coding
from ostinato.data.series.dates import PARTS
from ostinato.data.series.known_rows import ALIKE, digest, digests, share_known_again
from ostinato.data.series.reading import Series, SeriesColumns, read_series
from ostinato.data.series.scaling import Floor, Transform, seasonal_naive_error, spread_around_windows
from ostinato.data.series.times import Spacing
from ostinato.data.series.wide_tables import melted
from ostinato.data.series.windows import Shape, Windows, transformed
from ostinato.data.tables.reading import Table, read_table
from ostinato.data.tables.spelling import plain_number, spelt_as

#: Scale of a series that never changes, as a share of its size, where no other series tells how they do.
_STEP = 0.01


@dataclass(frozen=True)
class Given:
    """What training was given of one series.

    Attributes:
        first: tick of its first row.
        digest: of the targets, to know the same rows again where there are no times.
        scale: `[K]` of each target, transformed; None where the rows trained on are too few or too even to tell.
        naive: `[K]` in-sample seasonal naive error; None where it has none.
        size: `[K]` mean absolute value of each target.
        parts: of the targets, `known_rows.digests`: to know them again where some have been revised. Runs of before
            have none.
    """

    first: int
    rows: int
    digest: str
    scale: tuple[float | None, ...]
    naive: tuple[float | None, ...]
    size: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesCodec:
    """Reads tables for a forecaster, cuts them into windows, and knows which of them it has not seen.

    Attributes:
        columns: which is what.
        shape: sizes, transforms and codings of the windows.
        given: what training was given, by series.
        called: what columns are called in the tables to read, where otherwise than in training.
    """

    columns: SeriesColumns
    shape: Shape
    given: Mapping[str, Given]
    called: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def learn(
        cls,
        series: Sequence[Series],
        spacing: Spacing,
        columns: SeriesColumns,
        *,
        window: int,
        horizon: int,
        season: int = 1,
        more_seasons: Sequence[int] = (),
        log: bool | None = None,
        floor: Floor = "auto",
        trained: Sequence[int] | None = None,
    ) -> Self:
        """From the rows trained on: `trained` of each series, where the last are held out.

        Sizes are as `Shape` has them, `log` and `floor` as `Transform.choose` has them.

        Raises:
            DataError: series from which nothing can be learned.
        """
        rows = [len(each) for each in series] if trained is None else trained
        targets = [each.target[:count] for each, count in zip(series, rows, strict=True)]
        for k, name in enumerate(columns.target):
            if log and any(np.nanmin(part[:, k], initial=0.0) < 0 for part in targets):
                raise DataError(f"column {name!r}: --transform log takes no negative values; leave it at auto")
        transforms = tuple(
            Transform.choose([part[:, k] for part in targets], season if season > 1 else window, log, floor)
            for k in range(len(columns.target))
        )

        def coding(name: str) -> Coding:
            return Coding.learn(name, [each.covariates[name][:n] for each, n in zip(series, rows, strict=True)])

        shape = Shape(
            window,
            horizon,
            season,
            spacing,
            transforms,
            tuple(k for k in range(len(transforms)) if any(np.isnan(part[:, k]).any() for part in targets)),
            tuple(map(coding, columns.past)),
            tuple(map(coding, columns.future + columns.static)),
            tuple(more_seasons),
        )
        return cls(columns, shape, {}).given_anew(series, rows)

    def given_anew(self, series: Sequence[Series], trained: Sequence[int]) -> Self:
        """The same for a training on other series, of so many rows each: how they are scaled, what it was given."""
        shape, given = self.shape, {}
        for each, count in zip(series, trained, strict=True):
            part = each.target[:count]
            given[each.key] = Given(
                each.first,
                len(each),
                digest(each.target),
                _or_none(_scale(part, shape.transforms, shape.window)),
                _or_none(seasonal_naive_error(each.target, shape.season)),
                tuple(map(_size, part.T)),
                digests(each.target) if shape.spacing.unit == "row" else (),
            )
        return replace(self, given=given)

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same for tables whose columns have other names.

        Args:
            names: by role, such as "target", as its option has them: as many as in training, in the same order.

        Raises:
            ConfigError: another number of them.
        """
        called: dict[str, str] = {}
        for role, text in names.items():
            then, now = getattr(self.columns, role), names_in(text)
            if len(then) != len(now):
                trained = ", ".join(then) or "none"
                raise ConfigError(f"--{role}: expected {len(then)} columns, as in training ({trained}), got {text!r}")
            called |= dict(zip(then, now, strict=True))
        return replace(self, called=called)

    def read(self, source: str) -> "Read":
        """The series of a table, which is like the table trained on; raises what `read_file` does."""
        codings = (*self.shape.past, *self.shape.known)
        text = {coding.name: coding.categories is not None for coding in codings}
        read = read_file(source, self.columns, self.shape.spacing, text, self.called)
        spell = spelt_as(self.given, lambda key: ",".join(map(plain_number, key.split(","))))
        keys = [spell(each.key) for each in read.series]
        if len(set(keys)) < len(keys):  # this table tells them apart
            return read
        return read._replace(series=[replace(each, key=key) for each, key in zip(read.series, keys, strict=True)])

    def in_zone_of(self, spacing: Spacing) -> Self:
        """The same for series whose times are in another zone: what it writes is in theirs."""
        return replace(self, shape=replace(self.shape, spacing=spacing))

    def unseen(self, series: Series) -> np.ndarray:
        """Rows at which a forecast can begin whose steps all lie after the last row that training was given.

        Where the series does not overlap what was given, these are all rows that have a window before them.
        """
        shape, given = self.shape, self.given.get(series.key)
        first = shape.window
        if given is not None and self.likeness(series) >= ALIKE:
            after = given.first + given.rows * shape.spacing.step - series.first
            first = max(first, -(-after // shape.spacing.step))
        origins = np.arange(first, len(series) - shape.horizon + 1)
        return origins[with_known_targets(series, origins, shape.horizon)]

    def known_rows(self, series: Series) -> int:
        """How many of a series' rows are among those that training was given."""
        given, step = self.given.get(series.key), self.shape.spacing.step
        if given is None or self.likeness(series) < ALIKE:
            return 0
        begin = max(series.first, given.first)
        end = min(series.first + len(series) * step, given.first + given.rows * step)
        return max(0, -(-(end - begin) // step))

    def likeness(self, series: Series) -> float:
        """How surely rows of a series are those that training was given: 1 by their times, or by all their values.

        Without times they are known by id and place, and by how many of the values are what they were.
        """
        given = self.given.get(series.key)
        if given is None:
            return 0.0
        if self.shape.spacing.unit == "row":
            if given.parts:
                return share_known_again(series.target, given.rows, given.parts)
            return float(len(series) >= given.rows and digest(series.target[: given.rows]) == given.digest)
        step = self.shape.spacing.step
        return float(series.first < given.first + given.rows * step and given.first < series.first + len(series) * step)

    def windows(self, series: Sequence[Series], origins: Sequence[np.ndarray]) -> Windows:
        """Windows that begin to forecast at these rows of each series."""
        return Windows(series, self.scales(series), self.shape, origins)

    def scales(self, series: Sequence[Series]) -> np.ndarray:
        """Of each series, `[S, K]`, in transformed units."""
        return np.stack([self._scale_of(each) for each in series])

    def _scale_of(self, series: Series) -> np.ndarray:
        """What training found; where it found nothing, by the first window, which no forecast precedes."""
        given = self.given.get(series.key)
        known = [None] * len(self.shape.transforms) if given is None else given.scale
        if None not in known:
            return np.array(known, np.float64)
        first = series.target[: self.shape.window]
        begun = _scale(first, self.shape.transforms, self.shape.window)
        even = [self.scale_of_even(k, _size(first[:, k])) for k in range(len(known))]
        begun = np.where(np.isnan(begun), even, begun)
        return np.array([one or other for one, other in zip(known, begun, strict=True)], np.float64)

    def scale_of_even(self, target: int, size: float) -> float:
        """Of a series that has not changed yet: as much of its size as other series change by."""
        log = self.shape.transforms[target].log
        others = [(scale, each.size[target]) for each in self.given.values() if each.size
                  for scale in [each.scale[target]] if scale is not None]  # fmt: skip
        if log or size == 0:
            return float(np.median([scale for scale, _ in others])) if others else _STEP if log else 1.0
        shares = [scale / each for scale, each in others if each > 0]
        return size * (float(np.median(shares)) if shares else _STEP)

    def naive_errors(self, series: Series) -> np.ndarray:
        """In-sample seasonal naive error, `[K]`; of a series training was not given, over all its rows."""
        given = self.given.get(series.key)
        if given is None:
            return seasonal_naive_error(series.target, self.shape.season)
        return np.array([np.nan if value is None else value for value in given.naive])

    def require_future(self, series: Series, steps: int | None = None) -> None:
        """Check that what is said to be known is there for so many steps (H by default) beyond the end of a series.

        Raises:
            DataError: it is not; says up to when it has to be.
        """
        steps = self.shape.horizon if steps is None else steps
        last = len(series) + steps
        ticks = series.first + self.shape.spacing.step * np.array([len(series) - 1, last - 1])
        end, until = self.shape.spacing.written(ticks)
        for name in self.columns.future:
            column = series.covariates[name][len(series) : last]
            known = sum(value is not None and value == value for value in column)  # NaN differs from itself
            if known < steps:
                of = f" of series {series.key!r}" if series.key else ""
                raise DataError(
                    f"--future {name}: expected its values{of} for the {steps} rows after {end}, up to "
                    f"{until}, got {known}; add rows to the table with the target left empty"
                )

    def time_columns(self) -> tuple[str, ...]:
        """The columns that say when in a table of forecasts."""
        names = self.columns.time
        return names if len(names) == 1 or _are_parts(names) else ("time",) if names else ("row",)

    def times(self, ticks: np.ndarray) -> list[tuple[str, ...]]:
        """Each time as the cells of `time_columns`."""
        if self.shape.spacing.unit == "row":
            return [(str(tick + 1),) for tick in ticks]
        if not _are_parts(self.columns.time) or len(self.columns.time) == 1:
            return [(text,) for text in self.shape.spacing.written(ticks)]
        moments = self.shape.spacing.times(ticks).astype("datetime64[us]").tolist()
        return [tuple(_part(moment, name.strip().lower()) for name in self.columns.time) for moment in moments]

    def to_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        given = {key: asdict(each) for key, each in self.given.items()}
        return {"columns": asdict(self.columns), "shape": asdict(self.shape), "given": given}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            ValueError: it is something else.
        """
        return msgspec.convert(content, cls)


class Read(NamedTuple):
    """What a table holds, and which it was."""

    series: list[Series]
    spacing: Spacing
    name: str
    digest: str


def read_file(
    source: str,
    columns: SeriesColumns,
    spacing: Spacing | None = None,
    text: Mapping[str, bool] | None = None,
    called: Mapping[str, str] | None = None,
) -> Read:
    """The series of a table, whose columns may be `called` otherwise; the rest is as `read_series` takes it.

    Raises:
        DataError: the table cannot be used.
    """
    there = {name: (called or {}).get(name, name) for name in columns.all}
    table = read_table(source, list(there.values()))
    table = replace(table, columns={name: table.columns[other] for name, other in there.items()})
    return read_columns(table, columns, spacing, text)


def read_columns(
    table: Table, columns: SeriesColumns, spacing: Spacing | None = None, text: Mapping[str, bool] | None = None
) -> Read:
    """The same of a table that has been read."""
    try:
        content, place = melted(table, columns) if columns.wide else (table.columns, table.place)
        series, found = read_series(content, columns, place, spacing, text)
    except DataError as error:
        says_where = str(error).startswith(table.name)
        raise error if says_where else DataError(f"{table.name}: {error}") from None
    return Read(series, found, table.name, table.digest)


def with_known_targets(series: Series, origins: np.ndarray, horizon: int) -> np.ndarray:
    """Of these rows, those from which at least one target of the horizon is known, as a mask."""
    known = np.r_[0, np.cumsum(np.isfinite(series.target).any(axis=1))]
    return known[origins + horizon] > known[origins]


def _scale(target: np.ndarray, transforms: Sequence[Transform], window: int) -> np.ndarray:
    return spread_around_windows(transformed(target, transforms), window)


def _size(target: np.ndarray) -> float:
    known = np.abs(target[np.isfinite(target)])
    return float((known / max(len(known), 1)).sum())  # whose sum does not overflow


def _or_none(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in values)


def _part(moment: datetime, name: str) -> str:
    if name == "second" and moment.microsecond:
        return f"{moment.second}.{moment.microsecond:06d}".rstrip("0")
    return str(getattr(moment, name))


def _are_parts(names: Sequence[str]) -> bool:
    return bool(names) and all(name.strip().lower() in PARTS for name in names)
