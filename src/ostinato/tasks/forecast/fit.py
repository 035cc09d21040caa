"""forecast: fits apart from the run folder: of a backtest's moments, and the last one on all rows."""

import dataclasses
import tempfile
import time
from typing import Any, TypeAlias

import torch

from ostinato.checkpoint import RunFolder
from ostinato.tasks.contract import Task
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.forecast.options import TrainForecast
from ostinato.tasks.forecast.split import PreparedSeries, all_origins
from ostinato.training import Clock, Trainer

ForecastTask: TypeAlias = Task[TrainForecast, PreparedSeries]


def trained_apart(task: ForecastTask, options: TrainForecast, prepared: PreparedSeries) -> Forecaster:
    """A model trained as the options say, in a folder that is then thrown away."""
    started = time.monotonic()
    model, best_step = _fitted(task, options, prepared, started)
    return refitted(task, options, prepared, best_step, started) if options.refit else model


def refitted(
    task: ForecastTask,
    options: TrainForecast,
    prepared: PreparedSeries,
    steps: int,
    started: float,
    *,
    shown: bool = False,
) -> Forecaster:
    """A model trained from the beginning for about so many steps, in whole passes over the data, on all rows, those
    held out too; its last weights. The time limit counts from `started`.

    Scales and codings stay those of the first training, so that the run's files fit either's weights.
    """
    windows, shape = prepared.train, prepared.codec.shape
    origins = [all_origins(each, shape.window, shape.horizon) for each in windows.series]
    whole = dataclasses.replace(prepared, train=prepared.codec.windows(windows.series, origins))
    job = task.job(options, task.build(task.configuration(options, whole)), whole)
    epochs = max(1, round(steps / len(job.batches)))
    training = dataclasses.replace(options.training, epochs=epochs, patience=0, devices=1, batch=None)
    size = options.training.batch_of(len(whole.train))
    again = dataclasses.replace(options, training=dataclasses.replace(training, batch=size))
    about = f"again, on all {len(whole.train):,} windows; epochs: {epochs:,}" if shown else ""
    return _fitted(task, again, whole, started, keep_last=True, about=about)[0]


def _fitted(
    task: ForecastTask,
    options: TrainForecast,
    prepared: PreparedSeries,
    started: float,
    *,
    keep_last: bool = False,
    about: str = "",
) -> tuple[Forecaster, int]:
    """The model with its best weights, or the last ones, and the step they were found at."""
    from ostinato.training.terminal import TerminalProgress

    with tempfile.TemporaryDirectory() as place, torch.enable_grad():
        folder, training = RunFolder(place), options.training
        config: dict[str, Any] = {"task": "forecast", **task.configuration(options, prepared)}
        at = folder.start(config)
        torch.manual_seed(training.seed)
        model = task.build(config)
        job = dataclasses.replace(task.job(options, model, prepared), about=about)
        if keep_last:
            job = dataclasses.replace(job, best=None, time_share=1.0)
        limit = None if training.time_limit is None else training.time_limit * job.time_share
        position = Trainer(job, at, training, Clock(limit, started), [TerminalProgress()] if about else []).fit()
        folder.load_weights(model)
    assert isinstance(model, Forecaster)
    return model.eval(), position.best_step
