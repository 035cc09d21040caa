"""What is trained, made of a training's options: data, configuration, model with what it begins with."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, cast

import torch
from torch import nn

from ostinato.api.beginning import Beginning, by_layers, load_weights
from ostinato.api.embedding import Vectors, hold_vectors
from ostinato.api.loading import build_model
from ostinato.api.saved import to_save
from ostinato.checkpoint import RunFolder
from ostinato.core import cluster
from ostinato.core.memory import require_room
from ostinato.tasks import find
from ostinato.tasks.contract import Progress
from ostinato.tasks.options import TrainOptions
from ostinato.training import ALONE, Job, Processes

#: Called with the name of a long piece of work; gives what is then called with how far it is.
Reporting: TypeAlias = Callable[[str], Progress | None]


def silent(what: str) -> None:
    """Nobody is told."""


def prepared_data(options: TrainOptions, begun: Beginning | None, progress_of: Reporting) -> Any:
    """What the task makes of all files; `begun` is the run that the training begins with."""
    return find(options.TASK).prepare(options, progress_of("reading"), None if begun is None else begun.codec)


def configuration(options: TrainOptions, prepared: Any, begun: Beginning | None = None) -> dict[str, Any]:
    """What config.json will say, once a model has been built by it: sizes that do not fit show here."""
    configuring = partial(find(options.TASK).configuration, prepared=prepared)
    config = {"task": options.TASK, "options": to_save(options), **configuring(options)}
    if begun is not None:
        config |= {"model": begun.model_sizes(options, configuring), "begun_from": begun.record()}
    with torch.device("meta"):
        model = build_model(config, RunFolder(options.out))
    _require_room(options, sum(parameter.numel() for parameter in model.parameters()))
    return config


def _require_room(options: TrainOptions, parameters: int) -> None:
    """That weights, gradients and what the optimiser keeps of each fit into memory: activations come on top."""
    training = options.training
    copies = 2 + (2 if training.optimizer != "sgd" else 0) + (1 if training.average else 0)
    what = f"a model of {parameters:,} parameters, with gradients and what {training.optimizer} keeps of them,"
    started = cluster.place()
    beside = training.devices if started.size == 1 else started.beside
    if beside > 1:
        what += f" in {beside} processes"
    require_room(4.0 * parameters * copies * beside, what, "choose a smaller --hidden, --embed or --layers")


def job_of(
    options: TrainOptions,
    model: nn.Module,
    prepared: Any,
    processes: Processes = ALONE,
    vectors: Vectors | None = None,
    *,
    afresh: bool,
) -> Job:
    """What the loop trains: the model, with the weights that it begins with, on the data.

    Args:
        options: of the training.
        model: with random weights.
        prepared: the data.
        processes: those that train together.
        vectors: what its embeddings begin with.
        afresh: whether no checkpoint is there, whose weights come over those of the run that is begun with.
    """
    task = find(options.TASK)
    job = task.job(options, model, prepared, processes)
    about = task.describe(model, prepared)
    if (run := options.start.from_run) is not None:
        lend = partial(load_weights, options, run, model, prepared.codec)  # over what the job has begun with
        processes.from_first(lambda: lend() if afresh else None)  # the others get this one's
        about += f"; begins with the weights of {run}" if afresh else ""
    if vectors is not None:
        vectors.put_into(model)
        about += f"; {vectors.about}"
    hold_vectors(options, model, prepared.codec)
    return cast("Job", replace(job, about=about, layers=by_layers(options, model)))
