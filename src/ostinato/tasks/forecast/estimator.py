"""What `ostinato.sklearn.Forecaster` asks of the task: see `ostinato.tasks.estimators`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ostinato.data.series.codec import Read
from ostinato.data.series.reading import Series, SeriesColumns
from ostinato.tasks.forecast.ahead import LEVELS
from ostinato.tasks.forecast.answers import shares_of
from ostinato.tasks.forecast.continuing import continued
from ostinato.tasks.forecast.decoding import forecast, forecaster_of
from ostinato.tasks.forecast.figures import CRPS_SHARES
from ostinato.tasks.forecast.options import TrainForecast
from ostinato.tasks.forecast.split import PreparedSeries, split
from ostinato.tasks.forecast.task import forecast_figures
from ostinato.tasks.trained import Trained


def prepare(options: TrainForecast, columns: SeriesColumns, data: Read, share: float) -> PreparedSeries:
    """Series, made ready; a share of each is held out, from its end."""
    return split(options, data, columns, share)


def has_quantiles(run: Trained) -> bool:
    """Whether it says how sure it is."""
    return not forecaster_of(run).certain


def go_on(
    run: Trained, series: Sequence[Series], steps: int, shares: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    """Forecasts from each series' end, `[N, S, K]`, and the quantiles of these shares, `[N, S, K, Q]`."""
    found = continued(forecaster_of(run), run.codec, series, steps, shares)
    return found.point, found.quantiles


def backtest(run: Trained, series: Sequence[Series], origins: Sequence[npt.NDArray[np.int64]]) -> dict[str, Any]:
    """The figures of `ostinato evaluate`, of forecasts from these rows of each series on."""
    windows = run.codec.windows(series, origins)
    found = forecast(forecaster_of(run), windows, (*shares_of(LEVELS), *CRPS_SHARES))
    return forecast_figures(run.codec, windows, found)
