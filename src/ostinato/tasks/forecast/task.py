"""forecast: time series, from a table to how they go on."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.files import read_json
from ostinato.checkpoint.position import Count
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.data.batching.splits import evenly
from ostinato.data.batching.windows import WindowBatches
from ostinato.data.series.codec import SeriesCodec, read_columns, read_file
from ostinato.data.series.reading import Series, SeriesColumns
from ostinato.data.series.wide_tables import wide_columns
from ostinato.data.series.windows import Windows
from ostinato.data.tables.reading import read_table
from ostinato.data.tables.writing import csv_lines
from ostinato.inspection.observed import Observed
from ostinato.tasks.card import CardFacts, files_of, valid_source
from ostinato.tasks.contract import Progress, Task
from ostinato.tasks.forecast import in_c, portable
from ostinato.tasks.forecast.ahead import LEVELS
from ostinato.tasks.forecast.answers import Backtest, can_go_on, forecast_rows, shares_of
from ostinato.tasks.forecast.decoding import Forecast, forecast, forecaster_of
from ostinato.tasks.forecast.ensemble import ForecasterEnsemble
from ostinato.tasks.forecast.figures import (
    CRPS_SHARES,
    Said,
    Windowed,
    accuracy,
    evaluate_forecast,
    simple_forecast,
    windowed,
)
from ostinato.tasks.forecast.heads import forecast_loss
from ostinato.tasks.forecast.intervals import calibrate, foreseen, gone_on, levels_of
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.forecast.options import AskForecast, EvaluateForecast, TrainForecast
from ostinato.tasks.forecast.results import Answer, Figures, StepFigures, Summary, TargetFigures
from ostinato.tasks.forecast.split import PreparedSeries, Unseen, split, unseen
from ostinato.tasks.forecast.stepwise import StepsOfSeries
from ostinato.tasks.forecast.typed import example, typed
from ostinato.tasks.trained import AnyRun, Trained, changed, require_alike, summed_up
from ostinato.tasks.watching import required
from ostinato.training import ALONE, Job, Processes

#: Validations without improvement after which training ends, where only a time limit says how long.
PATIENCE = 10

#: Where a run keeps what it knows of its series.
SERIES = "series.json"


class SeriesExample(NamedTuple):
    """A series to forecast, with what is known in advance; the run's codec on the times of its table, and what messages
    call that; whether calibrated intervals go by the rows of it that training was not given."""

    series: Series
    codec: SeriesCodec
    table: str
    follows: bool = True


class Forecasting:
    """A table of time series in, their continuation out."""

    RECORDED: Mapping[str, Any] = {
        "data.train.series": Count,
        "data.train.rows": Count,
        "data.train.first": str,
        "data.train.last": str,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainForecast, progress: Progress | None = None, codec: SeriesCodec | None = None
    ) -> PreparedSeries:
        """Read, split, and learn scales and codings."""
        roles = ("target", "time", "id", "past", "future", "static")
        columns, source = SeriesColumns(**{role: options.columns(role) for role in roles}), _one(options.data)
        if codec is not None:
            if options.refit:
                raise ConfigError("--refit trains from the beginning, and --from begins with a run: give one of them")
            return split(options, codec.read(source), codec.columns, codec=codec)
        if not options.wide:
            return split(options, read_file(source, columns), columns)
        table = read_table(source, columns.all if columns.target else None)
        columns = wide_columns(table, columns)
        return split(options, read_columns(table, columns), columns)

    def configuration(self, options: TrainForecast, prepared: PreparedSeries) -> dict[str, Any]:
        """The model's sizes, and records of the tables."""
        shape, model = prepared.codec.shape, options.model
        sizes = {
            "past_size": shape.past_size,
            "known_size": shape.known_size,
            "targets": shape.targets,
            "bases": shape.bases,
            "head": options.head,
            "autoregressive": options.decoding == "autoregressive",
            **model.layer_settings(),
        }
        return {"model": sizes, "data": prepared.data}

    def files(self, prepared: PreparedSeries) -> Mapping[str, bytes]:
        """Columns, scales and codings."""
        return {SERIES: (json.dumps(prepared.codec.to_json(), indent=1) + "\n").encode()}

    def build(self, config: Mapping[str, Any]) -> Forecaster:
        """A model from a run's configuration."""
        return Forecaster(**config["model"])

    def job(
        self, options: TrainForecast, model: nn.Module, prepared: PreparedSeries, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        assert isinstance(model, Forecaster)
        training, train = options.training, prepared.train
        model.begin_from(_errors_of_bases(train))
        batches = WindowBatches(train, training.batch_of(len(train)), training.seed, processes.rank, processes.size)
        return Job(
            model=model,
            loss=forecast_loss,
            batches=batches,
            validate=lambda trained: _validate(trained, prepared.codec, prepared.valid),
            validation_share=float(prepared.valid.counts.sum()) / max(batches.tokens, 1),
            unit="targets",
            patience=PATIENCE,
            time_share=0.5 if options.refit else 1.0,
            guess=lambda: simple_forecast(*_observed(prepared.codec, prepared.valid)),
        )

    def refit(
        self, options: TrainForecast, prepared: PreparedSeries, folder: RunFolder, started: float, *, shown: bool
    ) -> None:
        """With --interval, calibrate by the best weights; with --refit train again on all rows, for as long as it took
        to find them."""
        if options.interval is not None:
            model = self.build(folder.read_config())
            folder.load_weights(model)
            calibrate(model, prepared.valid, options.interval_levels, folder)
        if options.refit:
            from ostinato.tasks.forecast.fit import refitted

            steps = folder.resume_point.position().best_step
            folder.save_weights(refitted(self, options, prepared, steps, started, shown=shown))

    def describe(self, model: nn.Module, prepared: PreparedSeries) -> str:
        """Series, windows, spacing, what is missing, parameters."""
        train, shape, given = prepared.train, prepared.codec.shape, prepared.data["train"]
        gaps = f"; {given['missing']:,} targets missing" if given["missing"] else ""
        gaps += f", {given['gaps']:,} rows of them in gaps" if given["gaps"] else ""
        logarithm = ", logarithm taken" if any(each.log for each in shape.transforms) else ""
        held_out = ", of each series' end" if prepared.data["held_out"] else ""
        return (
            f"{given['series']:,} series, {given['rows']:,} rows every {shape.spacing.describe()}{gaps}{logarithm}; "
            f"{len(train):,} windows to train on, {len(prepared.valid):,} to validate on{held_out}; "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def finish(self, run: Trained, prepared: PreparedSeries) -> None:
        """A picture: the last validation window of some series, and how they go on."""
        from ostinato.plots.style import available

        if available() and len(prepared.valid):
            from ostinato.tasks.forecast.picture import draw_run

            draw_run(run, prepared.valid, run.folder.path / "forecast.png")

    def plot(self, run: Trained, source: str, out: Path, options: AskForecast, series: Sequence[str]) -> dict[str, Any]:
        """Series with how they go on; the ids of those drawn."""
        from ostinato.tasks.forecast.picture import draw_data

        return {"series": draw_data(run, source, out, options.ahead, series)}

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> SeriesCodec:
        """Columns, scales and codings."""
        file = folder.path / SERIES
        try:
            return SeriesCodec.from_json(read_json(file))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunFolderError(f"{file}: damaged, it does not describe series: {error}") from None

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: EvaluateForecast, progress: Progress | None = None
    ) -> Figures:
        """Rolling windows, one row apart, whose targets lie after the last row given to train; with `retrain` each by a
        model trained on all rows before it."""
        new = unseen(run.codec, _one(tuple(sources)))
        windows = new.windows
        if options.retrain and run.members:
            raise ConfigError("--retrain trains one run anew; an ensemble has several: leave it out")
        if not options.retrain:
            found = foreseen(run, windows, LEVELS, CRPS_SHARES, progress, follows=True)
            return _evaluated(run, new, windows, found)
        from ostinato.tasks.forecast.backtest import retrained

        shares = (*shares_of(LEVELS), *CRPS_SHARES)
        return _evaluated(run, new, windows, retrained(self, run, windows, shares, progress))

    described = staticmethod(portable.described)

    def backtested(self, run: Trained) -> Iterator[dict[str, Any]]:
        """The forecasts behind the last figures, a row a step of each window."""
        found: Backtest = run.details["backtest"]
        return found.rows()

    def read(self, run: Trained, source: str) -> Iterator[SeriesExample]:
        """The series of a table."""
        read = run.codec.read(source)
        codec = run.codec.in_zone_of(read.spacing)
        return (SeriesExample(each, codec, read.name) for each in read.series)

    def answer(
        self, run: Trained, examples: Iterable[SeriesExample], options: AskForecast, progress: Progress | None = None
    ) -> Iterator[Answer]:
        """Each series' continuation beyond its end, as far and as surely as asked for, one row a step; a warning says
        which series cannot be forecast."""
        ahead = options.ahead
        levels = levels_of(run, ahead)
        if ahead.levels is not None and not levels:
            raise ConfigError(
                "--levels: a point forecast has no intervals; train with --head quantile, or with --interval"
            )
        steps = run.codec.shape.horizon if ahead.steps is None else ahead.steps
        for _, of_one_table in groupby(examples, lambda example: id(example.codec)):
            some = list(of_one_table)
            codec, name = some[0].codec, some[0].table
            series = can_go_on(codec, [one.series for one in some], name, str(run.folder.path), steps)
            found = gone_on(run, codec, series, steps, levels, progress, follows=some[0].follows)
            for number, each in enumerate(series):
                quantiles = None if found.quantiles is None else found.quantiles[number]
                yield from forecast_rows(codec, each, found.point[number], quantiles, levels)

    def steps(self, run: Trained) -> StepsOfSeries:
        """After each row how the series goes on, once there is a window of them."""
        if run.codec.columns.future:
            raise ConfigError(
                f"{run.folder.path.name}: its forecasts take what is known of the rows to come "
                f"({', '.join(run.codec.columns.future)}): send the table with these rows to /answer"
            )
        return StepsOfSeries(self, run)

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """The mean of their quantiles; what they read and forecast must be the same."""
        require_alike("columns", [run.codec.columns for run in runs])
        require_alike("windows and scales", [run.codec.shape for run in runs])
        return ForecasterEnsemble([forecaster_of(run) for run in runs])

    program, sample = staticmethod(in_c.program), staticmethod(in_c.sample)

    def reading(self, run: AnyRun, given: Mapping[str, Any]) -> AnyRun:
        """The run as it is, with columns of other names."""
        return changed(run, codec=run.codec.renamed(given))

    def observe(self, run: Trained, source: str | None, steps: int) -> Observed:
        """The last window of the first series; the scalar is the sum of its point forecasts, as scaled inside."""
        codec: SeriesCodec = run.codec
        read = codec.read(required(source))
        each = can_go_on(codec, read.series, read.name, str(run.folder.path), 0)[0]
        inputs = codec.windows([each], [np.array([len(each)])]).inputs(np.array([0]))
        rows = np.arange(len(each) - codec.shape.window, len(each))
        spacing = codec.shape.spacing
        steps_read = (
            spacing.written(each.first + spacing.step * rows) if codec.columns.time else [str(row + 1) for row in rows]
        )
        return Observed(list(steps_read), inputs.past, inputs.arguments(), lambda output: output.location.sum(),
                        "the sum of the forecasts", ("encoder",))  # fmt: skip

    typed, example = staticmethod(typed), staticmethod(example)

    def lines(self, run: Trained, answers: Iterable[dict[str, Any]]) -> Iterator[str]:
        """CSV with a line of column names."""
        return csv_lines(answers)

    def rows(self, run: Trained, answers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """They are rows already."""
        return iter(answers)

    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)

    def summary(self, run: Trained) -> Summary:
        """The best validation."""
        return summed_up(Summary, run)

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        sizes, data, options = run.config["model"], run.config["data"], run.config["options"]
        train, best, tested = data["train"], run.folder.resume_point.position().best_figures, None
        if run.test is not None:
            found = ", ".join(f"{name} {run.test[name]:.4g}" for name in ("mae", "mase") if run.test[name] is not None)
            tested = f"{files_of(data['test'])}, {found}"
        refit = ["then trained again for as many steps on all rows, those held out too"]
        return CardFacts(
            title=f"Forecast of {options['target'] or 'all columns'} ({sizes['cell']}, {sizes['head']})",
            model=f"{options['horizon']} steps from the {options['window']} before, season {options['season']}; "
            f"{sizes['num_layers']} x {sizes['hidden_size']} units in encoder and decoder each",
            trained_on=f"{files_of(train)}, {train['series']:,} series, {train['rows']:,} rows from "
            f"{train['first']} to {train['last']}",
            validated_on=valid_source(data, "each series' end"),
            best=", ".join(f"{name} {value:.4g}" for name, value in best.items()),
            more=refit if options.get("refit") else [],
            tested=tested,
            use='run.predict("DATA.csv")',
        )


TASK: Task[TrainForecast, PreparedSeries] = Forecasting()


def _one(sources: Sequence[str]) -> str:
    if len(sources) != 1:
        raise ConfigError(f"DATA: expected one table, got {len(sources) or 'none'}")
    return sources[0]


def _errors_of_bases(windows: Windows) -> torch.Tensor:
    """Mean absolute error of each simple forecast in (at most 500 of) the training windows, scaled: `[K, C]`."""
    some = evenly(len(windows), 500)
    bases, (targets, weights) = windows.inputs(some).bases, windows.targets(some)
    errors = (bases - targets.unsqueeze(-1)).abs() * weights.unsqueeze(-1)
    return errors.sum((0, 1)) / weights.sum((0, 1)).clamp(min=1).unsqueeze(-1)


def _validate(model: nn.Module, codec: SeriesCodec, windows: Windows) -> dict[str, float]:
    """The loss, and the mean absolute scaled error where there is one."""
    assert isinstance(model, Forecaster)
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(windows), 256):
            batch = windows.batch(np.arange(first, min(first + 256, len(windows))))
            total += float(forecast_loss(model(batch.inputs, **batch.arguments()), batch)) * batch.tokens
    figures = {"loss": total / max(int(windows.counts.sum()), 1)}
    true, scale = _observed(codec, windows)
    mase = accuracy(forecast(model, windows).point, true.truth, scale)["mase"]
    return figures if mase is None else figures | {"mase": mase}


def forecast_figures(codec: SeriesCodec, windows: Windows, found: Forecast) -> dict[str, Any]:
    """The figures of `ostinato evaluate`, of windows whose steps all lie within their series, by forecasts with
    quantiles of `shares_of(LEVELS)` and then of `CRPS_SHARES`, where there are any."""
    true, scale = _observed(codec, windows)
    said = Said(found.point)
    if found.quantiles is not None:
        intervals = {
            f"{level:g}": (found.quantiles[..., 2 * n], found.quantiles[..., 2 * n + 1])
            for n, level in enumerate(LEVELS)
        }
        rest = found.quantiles[..., 2 * len(LEVELS) :]  # of a point forecast none, though its intervals be calibrated
        said = Said(found.point, intervals, rest if rest.shape[-1] else None)
    return evaluate_forecast(said, true, scale, codec.columns.target)


def _observed(codec: SeriesCodec, windows: Windows) -> tuple[Windowed, np.ndarray]:
    """What came, and the in-sample naive error of each window's series, `[N, K]`."""
    places = [windows.place(index) for index in range(len(windows))]
    scale = np.stack([codec.naive_errors(each) for each in windows.series])[[which for which, _ in places]]
    return windowed(windows.series, places, codec.shape.horizon, codec.shape.season), scale


def _evaluated(run: Trained, new: Unseen, windows: Windows, found: Forecast) -> Figures:
    """The figures; the forecasts themselves stay with the run."""
    run.details["backtest"] = Backtest(new.codec, windows, found, LEVELS)
    figures = forecast_figures(new.codec, windows, found)
    steps = [StepFigures(**step) for step in figures.pop("by_step")]
    if "targets" in figures:
        figures["targets"] = {name: TargetFigures(**own) for name, own in figures["targets"].items()}
    return Figures(known_rows=new.known_rows, by_step=steps, **figures)
