"""What the estimators share: from parameters and data in memory to a trained run."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from sklearn.utils import check_random_state

from ostinato.api.run import Run
from ostinato.api.training import train_prepared
from ostinato.config.merge import build, names, refuse_unused
from ostinato.core.errors import ConfigError
from ostinato.tasks.commands import reading_of
from ostinato.tasks.options import TrainOptions

Options = TypeVar("Options", bound=TrainOptions)


def options_of(estimator: Any, kind: type[Options], **more: Any) -> Options:
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


def train(options: TrainOptions, prepared: Any, *, verbose: bool) -> Run:
    """Train on data in memory. The run folder is temporary: the run that comes back holds all it needs.

    Args:
        options: as `options_of` gives them.
        prepared: what the task's `prepare` would have made of files.
        verbose: whether to show progress.
    """
    with tempfile.TemporaryDirectory(prefix="ostinato-") as folder, torch.random.fork_rng(devices=[]):
        here = replace(cast("Any", options), out=str(Path(folder, "run")))
        return train_prepared(here, prepared, shown=verbose)


#: Options of commands that say what to read and where to write, besides how the task's data are laid out.
_ABOUT_FILES = {"out", "valid", "test", "preset", "config", "resume", "overwrite", "json", "multi_label"}

#: Parameters of estimators that are no options of a command.
_OWN: Mapping[str, None] = dict.fromkeys(["options", "random_state", "validation_fraction", "verbose"])
