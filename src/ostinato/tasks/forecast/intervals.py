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
from ostinato.tasks.forecast.conformal import SCALE_ENDS, Calibration, windows_for
from ostinato.tasks.forecast.continuing import continued
from ostinato.tasks.forecast.decoding import Forecast, forecast, forecaster_of
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.trained import Trained

#: Where a run keeps what its intervals are calibrated by.
FILE = "intervals.json"


def calibrate(model: Forecaster, held_out: Windows, levels: Sequence[float], folder: RunFolder) -> None:
    """Keep in a run's folder how far the targets of held-out windows lay from a model's forecasts; a warning where
    there are too few windows for intervals of so many percent."""
    truth = np.stack(
        [held_out.series[which].target[at : at + held_out.shape.horizon] for which, at in _places(held_out)]
    )
    found = Calibration.of(forecast(model, held_out, SCALE_ENDS), truth, held_out.shape.transforms)
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
) -> Forecast:
    """Forecasts of windows, whose quantiles are the ends of these intervals, in percent, and then `more` of the head's
    own, where it has any."""
    own = calibration_of(run)
    shares = (*shares_of(levels), *more, *(SCALE_ENDS if own else ()))
    found = forecast(forecaster_of(run), windows, shares, progress=progress)
    return found if own is None else own.apply(found, levels, windows.shape.transforms)


def gone_on(
    run: Trained,
    codec: SeriesCodec,
    series: Sequence[Series],
    steps: int,
    levels: Sequence[float],
    progress: Progress | None = None,
) -> Forecast:
    """How series go on from their ends, with intervals of these levels."""
    own = calibration_of(run)
    shares = (*shares_of(levels), *(SCALE_ENDS if own else ()))
    found = continued(forecaster_of(run), codec, series, steps, shares, progress=progress)
    return found if own is None else own.apply(found, levels, codec.shape.transforms)


def _places(windows: Windows) -> list[tuple[int, int]]:
    return [windows.place(number) for number in range(len(windows))]
