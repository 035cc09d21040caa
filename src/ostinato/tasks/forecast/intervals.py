"""Forecasts with the intervals that a run gives: its head's own, or calibrated on what was held out of training."""

import warnings
from collections.abc import Sequence

import numpy as np

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError
from ostinato.core.files import replace_text
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import Series
from ostinato.data.series.windows import Windows
from ostinato.tasks.contract import Progress
from ostinato.tasks.forecast.ahead import LEVELS, ForecastOptions, percents
from ostinato.tasks.forecast.answers import shares_of
from ostinato.tasks.forecast.conformal import SCALE_ENDS, Calibration, scaled_residuals, windows_for
from ostinato.tasks.forecast.continuing import continued
from ostinato.tasks.forecast.decoding import Forecast, forecast, forecaster_of
from ostinato.tasks.forecast.following import followed
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.trained import Trained

#: Where a run keeps what its intervals are calibrated by.
FILE = "intervals.json"

#: Windows, at most, of rows that training was not given, by whose outcomes a forecast's intervals go: the last ones.
TOLD = 1_000


def calibrate(model: Forecaster, held_out: Windows, levels: Sequence[float], folder: RunFolder) -> None:
    """Keep in a run's folder how far the targets of held-out windows lay from a model's forecasts; a warning where
    there are too few windows for intervals of so many percent."""
    found = Calibration.of(forecast(model, held_out, SCALE_ENDS), _truth(held_out), held_out.shape.transforms)
    if not found.windows:
        raise RunFolderError(f"{folder.path}: no target of some step is known in the windows held out to calibrate by")
    if found.windows < (needed := windows_for(levels)):
        warnings.warn(
            f"--interval: {found.windows} held-out windows, and {max(levels):g} % takes {needed}: its intervals reach "
            "as far as what was seen, no further; give more rows, or a shorter --horizon",
            stacklevel=2,
        )
    replace_text(folder.path / FILE, found.to_json())


def calibration_of(run: Trained) -> Calibration | None:
    """What a run's intervals are calibrated by; None where they are its head's own, as an ensemble's are.

    Raises:
        RunFolderError: the file is missing or damaged.
    """
    if run.members or not run.config["options"].get("interval"):
        return None
    file = run.folder.path / FILE
    try:
        return Calibration.from_json(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{file}: cannot be read, and without it the run has no intervals: {error}") from None


def levels_of(run: Trained, asked: ForecastOptions) -> tuple[float, ...]:
    """The intervals to give, in percent: those asked for, else those of --interval, else `LEVELS`; a point forecast has
    none but calibrated ones."""
    own = calibration_of(run)
    if own is None and forecaster_of(run).certain:
        return ()
    if asked.levels is not None or own is None:
        return asked.intervals
    return percents("--interval", run.config["options"]["interval"], 1)


def foreseen(
    run: Trained,
    windows: Windows,
    levels: Sequence[float] = LEVELS,
    more: Sequence[float] = (),
    progress: Progress | None = None,
    *,
    follows: bool = False,
) -> Forecast:
    """Forecasts of windows, whose quantiles are the ends of these intervals, in percent, and then `more` of the head's
    own, where it has any. Calibrated ones may follow what came of the windows before: none of these may be among those
    that were held out."""
    own = calibration_of(run)
    shares = (*shares_of(levels), *more, *(SCALE_ENDS if own else ()))
    found = forecast(forecaster_of(run), windows, shares, progress=progress)
    if own is None:
        return found
    transforms, factors = windows.shape.transforms, None
    if follows:
        residuals = scaled_residuals(found, _truth(windows), transforms)
        factors = followed(own, residuals, _origins(windows), levels, windows.shape.spacing.step)
    return own.apply(found, levels, transforms, factors)


def gone_on(
    run: Trained,
    codec: SeriesCodec,
    series: Sequence[Series],
    steps: int,
    levels: Sequence[float],
    progress: Progress | None = None,
    *,
    follows: bool = False,
) -> Forecast:
    """How series go on from their ends, with intervals of these levels. Calibrated ones may follow what the last rows
    say that training was not given."""
    own = calibration_of(run)
    shares = (*shares_of(levels), *(SCALE_ENDS if own else ()))
    found = continued(forecaster_of(run), codec, series, steps, shares, progress=progress)
    if own is None:
        return found
    factors = _at_the_ends(run, own, codec, series, levels) if follows else None
    return own.apply(found, levels, codec.shape.transforms, factors)


def _at_the_ends(
    run: Trained, own: Calibration, codec: SeriesCodec, series: Sequence[Series], levels: Sequence[float]
) -> np.ndarray:
    """`[S, H, K, L]` factors of what follows each series, by what came of windows before that are not of training."""
    shape = codec.shape
    told = codec.windows(series, [codec.unseen(each)[-max(1, TOLD // len(series)) :] for each in series])
    ends = np.array([each.first + len(each) * shape.spacing.step for each in series])
    unknown = np.full((len(series), shape.horizon, shape.targets), np.nan)
    residuals, origins = unknown, ends
    if len(told):
        found = forecast(forecaster_of(run), told, SCALE_ENDS)
        residuals = np.concatenate([scaled_residuals(found, _truth(told), shape.transforms), unknown])
        origins = np.concatenate([_origins(told), ends])
    return followed(own, residuals, origins, levels, shape.spacing.step)[-len(series) :]


def _truth(windows: Windows) -> np.ndarray:
    """`[N, H, K]` what came."""
    H = windows.shape.horizon
    return np.stack([windows.series[which].target[at : at + H] for which, at in _places(windows)])


def _origins(windows: Windows) -> np.ndarray:
    """`[N]` when the first target of each comes."""
    step = windows.shape.spacing.step
    return np.array([windows.series[which].first + at * step for which, at in _places(windows)])


def _places(windows: Windows) -> list[tuple[int, int]]:
    return [windows.place(number) for number in range(len(windows))]
