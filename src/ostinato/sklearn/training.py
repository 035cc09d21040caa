"""What the estimators share: parameters, and the way from these and data in memory to a trained run."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any, cast

import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ostinato.api.run import Run
from ostinato.api.training import train_prepared
from ostinato.config.merge import build, names, refuse_unused
from ostinato.core.errors import ConfigError
from ostinato.tasks import estimators
from ostinato.tasks.commands import reading_of
from ostinato.tasks.options import TrainOptions


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """What every estimator can be told besides its own parameters; those that are None have the command's default.

    A dataclass, and so is each estimator: the `__init__` it makes takes every parameter by name and stores it
    untouched, which is all that scikit-learn wants of one.

    Args:
        cell: recurrent cell.
        layers: recurrent layers.
        hidden: units of each layer and direction.
        dropout: share set to zero in training.
        epochs: passes over the data.
        time_limit: seconds to train, at most.
        batch: sequences a step.
        lr: learning rate.
        weight_decay: strength of AdamW's decay.
        validation_fraction: share of the data held out to choose the best weights by; 0 holds out none. So do a
            classifier and a regressor where that would be fewer than 30 sequences: they keep the last weights then.
        random_state: seed, or RandomState, of every random number.
        verbose: whether to show progress.
        options: any other option of the command, by name: `{"zoneout": 0.1, "threads": 1}`.
    """

    cell: str | None = None
    layers: int | None = None
    hidden: int | None = None
    dropout: float | None = None
    epochs: int | None = None
    time_limit: float | None = None
    batch: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    validation_fraction: float = 0.1
    random_state: Any = None
    verbose: bool = False
    options: Mapping[str, Any] | None = None


def train(estimator: Any, columns: Any, data: Any, **more: Any) -> Run:
    """Train on data in memory. The run folder is temporary: the run that comes back holds all it needs.

    Args:
        estimator: parameters that are options of the command have their names; `options` holds more of them.
        columns: what is which in the data.
        data: as the task's readers give them.
        **more: options that the data decides, over the parameters of the same name.

    Raises:
        DataError: data that cannot be used.
        ConfigError: an unknown option, one that is about files, or a value that cannot be.
    """
    kind, task = estimators.find(type(estimator))
    options = _options_of(estimator, kind, **more)
    prepared = task.prepare(options, columns, data, estimator.validation_fraction)
    with tempfile.TemporaryDirectory(prefix="ostinato-") as folder, torch.random.fork_rng(devices=[]):
        here = replace(cast("Any", options), out=str(Path(folder, "run")))
        return train_prepared(here, prepared, shown=estimator.verbose)


def asked_of_task(estimator: Any) -> Any:
    """The functions that the task of an estimator, or of a class derived from one, has for it."""
    return estimators.find(type(estimator))[1]


def _options_of(estimator: Any, kind: type[TrainOptions], **more: Any) -> TrainOptions:
    """The command's options that an estimator's parameters stand for; None is the command's own default.

    Args:
        estimator: parameters that are options have their names; `options` holds more of them.
        kind: the command's class.
        **more: options that the data decides, over the parameters of the same name.

    Raises:
        ConfigError: an unknown option, one that is about files, or a value that cannot be.
    """
    about_files = {kind.SOURCES, *_ABOUT_FILES, *names(reading_of(kind.TASK))} & set(estimator.options or {})
    if about_files:
        raise ConfigError(
            f"{type(estimator).__name__}: options: {min(about_files)!r} is about files, of which an estimator has "
            "none; leave it out"
        )
    refuse_unused(kind, estimator.options or {}, f"{type(estimator).__name__}: options: ")
    known = {name: value for name, value in estimator.get_params(deep=False).items() if name not in _OWN}
    flat = {name: value for name, value in known.items() if value is not None} | dict(estimator.options or {})
    seed = estimator.random_state
    if not isinstance(seed, Integral):
        seed = check_random_state(seed).randint(2**31 - 1)
    return build(kind, {kind.SOURCES: (), "out": "", "seed": int(seed), **flat, **more}, type(estimator).__name__)


#: Options of commands that say what to read and where to write, besides how the task's data are laid out.
_ABOUT_FILES = {"out", "valid", "test", "preset", "config", "resume", "overwrite", "json", "multi_label"}

#: Parameters of estimators that are no options of a command.
_OWN: Mapping[str, None] = dict.fromkeys(["options", "random_state", "validation_fraction", "verbose"])
