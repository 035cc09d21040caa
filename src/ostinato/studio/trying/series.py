"""Of series: how they go on, with intervals, and what changes where what is known ahead is set otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.api.run import Run
from ostinato.core.errors import DataError
from ostinato.data.series.reading import Series
from ostinato.data.sources.memory import given
from ostinato.serving.problems import Problem
from ostinato.studio.studio import Studio, studio_of
from ostinato.studio.trying.asking import asked

#: Rows of the past that are shown, of series that are listed, and steps that are forecast, at most.
_SHOWN, _LISTED, _FURTHEST = 400, 200, 2_000


class Ahead(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be forecast.

    Attributes:
        series: number of the series, of those of the table.
        upload: id of a table; by default the one that the run was trained on.
        steps: how far; by default the horizon.
        future: what is set of columns that are known ahead, by name: a number or a text for all steps, or one each.
    """

    series: Annotated[int, Meta(ge=0)] = 0
    upload: str | None = None
    steps: Annotated[int, Meta(ge=1, le=_FURTHEST)] | None = None
    future: dict[str, float | str | list[float | str]] = {}


async def forecast(request: Request) -> Response:
    """How a series goes on: the last rows of the past, and the answers row by row, as `ostinato predict` has them."""
    studio = studio_of(request)
    return await asked(request, Ahead, lambda run, body: _forecast(studio, run, body))


def _forecast(studio: Studio, run: Run, body: Ahead) -> dict[str, Any]:
    if not hasattr(run.codec, "shape"):
        raise Problem(409, f"a run of task {run.config['task']!r} forecasts nothing")
    examples = list(run.read(_table(studio, run, body.upload)))
    if body.series >= len(examples):
        raise Problem(422, f"series: expected a number up to {len(examples) - 1}, got {body.series}")
    example = examples[body.series]
    steps = run.codec.shape.horizon if body.steps is None else body.steps
    series, codec = example.series, example.codec
    known = codec.columns.future
    series = _set_ahead(series, known, steps, body.future)
    options: dict[str, Any] = {} if body.steps is None else {"steps": body.steps}
    answers = list(run.answer([example._replace(series=series)], **options))
    begin = max(0, len(series) - _SHOWN)
    ticks = series.first + codec.shape.spacing.step * np.arange(begin, len(series))
    return {
        "series": [each.series.key for each in examples[:_LISTED]],
        "targets": list(codec.columns.target),
        "past": {
            "times": [" ".join(cells) for cells in codec.times(ticks)],
            "values": {name: series.target[begin:, k].tolist() for k, name in enumerate(codec.columns.target)},
        },
        "ahead": answers,
        "times": list(codec.time_columns()),
        "future": [_knob(series, name, steps) for name in known],
    }


def _table(studio: Studio, run: Run, upload: str | None) -> str:
    """The table to go on from.

    Raises:
        DataError: the one trained on is not there any more.
    """
    if upload is not None:
        return str(studio.uploads.find(upload).path)
    (file, *_) = run.config["data"]["train"]["files"]
    try:
        given([file])
    except OSError:
        raise DataError(f"{file}: the table that the run was trained on is not there any more; drop one") from None
    return str(file)


def _set_ahead(series: Series, known: Sequence[str], steps: int, given_ahead: Mapping[str, Any]) -> Series:
    """The series with what is known ahead as it was given; where nobody says, as the table has it, else as it was
    last."""
    covariates = dict(series.covariates)
    for name in given_ahead:
        if name not in known:
            raise Problem(422, f"future: there is no column {name[:80]!r} that is known ahead; there are {list(known)}")
    for name in known:
        column = covariates[name]
        past, there = column[: len(series)], column[len(series) : len(series) + steps]
        last = next((value for value in past[::-1] if value is not None and value == value), past[-1])
        beyond = np.full(steps, last, column.dtype)
        beyond[: len(there)] = [last if value is None or value != value else value for value in there]
        if name in given_ahead:
            beyond[:] = given_ahead[name]
        covariates[name] = np.concatenate([past, beyond])
    return replace(series, covariates=covariates)


def _knob(series: Series, name: str, steps: int) -> dict[str, Any]:
    """What can be set of a column: its range, or its values, and how it stands."""
    column = series.covariates[name]
    past, ahead = column[: len(series)], column[len(series) : len(series) + steps].tolist()
    if column.dtype == object:
        return {"name": name, "choices": sorted({str(value) for value in past if value is not None}), "ahead": ahead}
    known = past[np.isfinite(past)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return {"name": name, "low": low, "high": high, "ahead": ahead}


ROUTES = [Route("/studio/try/{name}/forecast", forecast, methods=["POST"])]
