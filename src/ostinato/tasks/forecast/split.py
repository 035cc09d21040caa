"""forecast: which rows are learned from, which are validated on, and which are new."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.batching.splits import HELD_OUT, evenly
from ostinato.data.series.codec import Read, SeriesCodec, with_known_targets
from ostinato.data.series.known_rows import ALIKE
from ostinato.data.series.reading import Series, SeriesColumns
from ostinato.data.series.windows import Windows
from ostinato.tasks.contract import record
from ostinato.tasks.forecast.conformal import windows_for
from ostinato.tasks.forecast.options import TrainForecast
from ostinato.tasks.prepared import Prepared

#: Windows to validate on while training, at most: evenly spread over all there are.
VALIDATED = 1_000


#: Share of a series that is held out at most to calibrate intervals by.
MOST_HELD_OUT = 0.4

PreparedSeries: TypeAlias = Prepared[SeriesCodec, Windows, None]


def split(
    options: TrainForecast,
    read: Read,
    columns: SeriesColumns,
    share: float = HELD_OUT,
    codec: SeriesCodec | None = None,
) -> PreparedSeries:
    """Rows to learn from and rows to validate on, with scales and codings of the former. Where no table is given to
    validate on, a share of each series is held out, from its end; 0 validates on what is trained on. `codec` is of the
    run that is begun with: its columns, transforms and codings stay, scales are those of these series.

    Raises:
        DataError: no series is long enough, or the tables of --valid and --test have nothing new.
    """
    series = read.series
    held_out = share if options.valid is None else 0.0
    ends = [_trained_rows(held_out, options.horizon, each, _calibrated(options, len(series))) for each in series]
    log = {"auto": None, "log": True, "none": False}[options.transform]
    sizes: dict[str, Any] = {"window": options.window, "horizon": options.horizon, "season": options.seasons[0]}
    facts = {"log": log, "floor": options.floor, "trained": ends, "more_seasons": options.seasons[1:]}
    train = [_origins(each, options.window, end, options.horizon) for each, end in zip(series, ends, strict=True)]
    if not any(len(each) for each in train):
        raise DataError(f"{read.name}: {_too_short(options, series, held_out)}")
    try:
        if codec is None:
            codec = SeriesCodec.learn(series, read.spacing, columns, **sizes | facts)
        else:
            codec = codec.in_zone_of(read.spacing).given_anew(series, ends)
    except DataError as error:
        raise DataError(f"{read.name}: {error}") from None
    record_train = record([read.name], read.digest, **_summary(series, codec))
    data = {"train": record_train, "held_out": bool(held_out)}
    if options.valid is None:
        valid_series = series
        begins = [max(end, options.window) for end in ends]
        later = [_origins(each, at, len(each), options.horizon) for each, at in zip(series, begins, strict=True)]
        later = later if held_out else train
        if not any(len(each) for each in later):
            raise DataError(f"{read.name}: no target is known in the rows held out to validate on; give --valid")
        data["valid"] = record([read.name], read.digest)
    else:
        valid_series, later, data["valid"], *_ = unseen(codec, options.valid)
    if options.test is not None:
        data["test"] = unseen(codec, options.test).data
    return Prepared(codec, codec.windows(series, train), codec.windows(valid_series, _spread(later)), data, None)


class Unseen(NamedTuple):
    """What a table has that training was not given: its series and where the windows of each begin, a record of it, a
    codec that writes times as it does, and how many of its rows training was given."""

    series: list[Series]
    origins: list[np.ndarray]
    data: dict[str, Any]
    codec: SeriesCodec
    known_rows: int

    @property
    def windows(self) -> Windows:
        """To forecast."""
        return self.codec.windows(self.series, self.origins)


def unseen(codec: SeriesCodec, source: str) -> Unseen:
    """What is new in a table. Where there are no times, a warning says what was known again, and how surely.

    Raises:
        DataError: there is no such window, or the table cannot be read.
    """
    series, spacing, name, digest = codec.read(source)
    codec = codec.in_zone_of(spacing)
    origins = [codec.unseen(each) for each in series]
    _tell_known(codec, series, name)
    if not any(len(each) for each in origins):
        shape = codec.shape
        ends = [given.first + (given.rows - 1) * shape.spacing.step for given in codec.given.values()]
        end = shape.spacing.written(np.array([max(ends)]))[0] if codec.columns.time else f"row {max(ends) + 1}"
        raise DataError(
            f"{name}: expected {shape.horizon} rows or more after the last one given to train ({end}), or "
            f"{shape.window + shape.horizon} of other times, found no such window"
        )
    return Unseen(series, origins, record([name], digest), codec, sum(map(codec.known_rows, series)))


def _tell_known(codec: SeriesCodec, series: Sequence[Series], name: str) -> None:
    """Say what rows without times were taken for, unless they are surely those of training."""
    if codec.shape.spacing.unit != "row":
        return
    found = [(each, codec.likeness(each)) for each in series if each.key in codec.given]
    revised = [each for each, likeness in found if ALIKE <= likeness < 1]
    other = [each for each, likeness in found if likeness < ALIKE]
    if revised:
        rows = f"the first {codec.known_rows(revised[0]):,} rows" if len(revised) == 1 else "the first rows"
        what = "are taken for those trained on, though some values differ, and are not scored"
        warnings.warn(f"{name}: without --time: {rows}{_of_series(revised)} {what}", stacklevel=3)
    if other:
        what = "are not those trained on, by value and place: all are taken for new; --time tells shifted rows"
        warnings.warn(f"{name}: without --time: the rows{_of_series(other)} {what}", stacklevel=3)


def _of_series(series: Sequence[Series]) -> str:
    if len(series) > 1:
        return f" of {len(series):,} series"
    return f" of series {series[0].key!r}" if series[0].key else ""


def _trained_rows(held_out: float, horizon: int, series: Series, calibrated: int = 0) -> int:
    """Rows of a series that weights are learned from; what is held out is a share, but one horizon at least, and what
    intervals are calibrated by, as far as that leaves enough to learn from."""
    if not held_out:
        return len(series)
    needed = max(horizon, min(calibrated, int(MOST_HELD_OUT * len(series))))
    return max(0, min(int((1 - held_out) * len(series)), len(series) - needed))


def _calibrated(options: TrainForecast, series: int) -> int:
    """Rows of each of so many series that calibrated intervals take; 0 where none are to be."""
    if options.interval is None:
        return 0
    return options.horizon - 1 + -(-windows_for(options.interval_levels) // series)


def _origins(series: Series, first: int, end: int, horizon: int) -> np.ndarray:
    """Where windows begin to forecast so that all their targets lie within the rows from `first` up to `end`."""
    origins = np.arange(max(first, 1), max(end - horizon + 1, first, 1))
    return origins[with_known_targets(series, origins, horizon)]


def all_origins(series: Series, window: int, horizon: int) -> np.ndarray:
    """Where windows begin to forecast that have all their rows within a series."""
    return _origins(series, window, len(series), horizon)


def _spread(origins: Sequence[np.ndarray]) -> list[np.ndarray]:
    """At most `VALIDATED` windows, evenly spread."""
    ends = np.cumsum([len(each) for each in origins])
    kept = evenly(int(ends[-1]), VALIDATED)
    begins = ends - [len(each) for each in origins]
    return [
        each[kept[(kept >= begin) & (kept < end)] - begin]
        for each, begin, end in zip(origins, begins, ends, strict=True)
    ]


def _too_short(options: TrainForecast, series: Sequence[Series], held_out: float) -> str:
    more = " and the horizon held out to validate on" if held_out else ""
    needed = options.window + options.horizon * (2 if held_out else 1)
    return (
        f"expected a series of at least {needed} rows, --window {options.window} and --horizon {options.horizon}"
        f"{more}; the longest has {max(len(each) for each in series)}: choose a smaller --window or --horizon"
    )


def _summary(series: Sequence[Series], codec: SeriesCodec) -> dict[str, Any]:
    """What the run folder says of the rows trained on."""
    rows = {"rows": sum(len(each) for each in series), "series": len(series)}
    rows |= {"gaps": sum(each.gaps for each in series), "missing": sum(each.missing for each in series)}
    step = codec.shape.spacing.step
    ends = [each.first + (len(each) - 1) * step for each in series]
    ticks = np.array([min(each.first for each in series), max(ends)])
    begin, end = (" ".join(cells) for cells in codec.times(ticks))
    return {**rows, "first": begin, "last": end}
