"""Rows of numbers that somebody types, as a forecaster reads them."""

import numpy as np

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import Series
from ostinato.inspection.observed import Observed, Typed
from ostinato.tasks.trained import Trained
from ostinato.tasks.typed import typed_numbers, waves


def typed(run: Trained, text: str) -> Typed:
    """The last window of the rows, each a line with the targets and the covariates in the order of training, that
    follow on the rows that training was given. The scalar is the sum of the forecasts from there, as scaled inside.

    Raises:
        DataError: a line that is no such row, or fewer of them than a window has.
        ConfigError: a run that reads columns of text.
    """
    codec: SeriesCodec = run.codec
    shape, covariates = codec.shape, (*codec.shape.past, *codec.shape.known)
    if texts := [coding.name for coding in covariates if coding.categories is not None]:
        raise ConfigError(f"{run.folder.path}: reads columns of text ({', '.join(texts)}), which cannot be typed here")
    names = [*(codec.columns.target or codec.columns.wide), *(coding.name for coding in covariates)]
    if codec.columns.wide:
        names = names[:1]
    values, spans = typed_numbers(text, len(names), ", ".join(names))
    if len(values) < shape.window:
        raise DataError(f"expected at least {shape.window} lines of numbers, the window, got {len(values)}")
    series = _series(codec, values, [coding.name for coding in covariates])
    begin = len(values) - shape.window

    def upto(steps: int) -> Observed:
        origin = begin + steps
        if origin < shape.window:
            raise DataError(
                f"a forecast from here needs {shape.window - origin} more lines in front: the window has {shape.window}"
            )
        inputs = codec.windows([series], [np.array([origin])]).inputs(np.array([0]))
        pieces = [text[slice(*span)] for span in spans[origin - shape.window : origin]]
        return Observed(pieces, inputs.past, inputs.arguments(), lambda output: output.location.sum(),
                        "the sum of the forecasts", ("encoder",))  # fmt: skip

    return Typed(spans[begin:], upto)


def example(run: Trained) -> str:
    """Two windows of waves of the size of the series that training was given."""
    codec: SeriesCodec = run.codec
    given, covariates = next(iter(codec.given.values())), (*codec.shape.past, *codec.shape.known)
    size = [one or 1.0 for one in given.size] or [1.0] * codec.shape.targets
    mean = [2 * one for one in size] + [coding.mean for coding in covariates]
    return waves(mean, [*size, *(coding.std for coding in covariates)], 2 * codec.shape.window)


def _series(codec: SeriesCodec, values: np.ndarray, covariates: list[str]) -> Series:
    """Rows that come after those of the first series that training was given; covariates stay at their last value."""
    shape = codec.shape
    key, given = next(iter(codec.given.items()))
    behind = np.repeat(values[-1:], shape.horizon, axis=0)
    longer = np.concatenate([values, behind])
    columns = {name: longer[:, shape.targets + place] for place, name in enumerate(covariates)}
    return Series(key, given.first + given.rows * shape.spacing.step, values[:, : shape.targets], columns)
