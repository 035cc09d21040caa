"""What `train` is asked for in Python, as the command's options."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any

from ostinato.api.beginning import taken_over
from ostinato.api.saved import saved_options
from ostinato.checkpoint import RunFolder
from ostinato.config.columns import as_option
from ostinato.config.merge import build, defaults_below, flatten, refuse_unused, unchecked
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.data.sources.memory import Given, given
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.options import TrainOptions


def asked_for(task: str, sources: Sequence[Any], out: str, options: Mapping[str, Any]) -> tuple[TrainOptions, Given]:
    """What `train` is asked for as the command has it, and the data in memory that its names stand for.

    Raises:
        ConfigError: an option that cannot be used.
        RunFolderError: a run to go on with that is damaged.
    """
    options = {name: os.fspath(value) if isinstance(value, PathLike) else value for name, value in options.items()}
    if task not in TRAIN_OPTIONS:
        raise ConfigError(unknown_name("unknown task", task, TRAIN_OPTIONS))
    kind = TRAIN_OPTIONS[task]
    refuse_unused(kind, options)
    saved = saved_options(kind, out) if options.get("resume") and RunFolder(out).is_run() else {}
    timed = options.get("time_limit") is not None
    base = defaults_below(
        options.get("preset"),
        saved,
        options.get("config"),
        kind.PRESETS,
        timed=timed,
        begun=partial(taken_over, kind),
        from_run=options.get("from_run"),
    )
    parts = [name for name in ("valid", "test") if options.get(name) is not None]
    data = given([*sources, *(options[name] for name in parts)])
    options |= dict(zip(parts, data.names[len(sources) :], strict=True))
    options |= {name: as_option(map(str, value)) for name, value in options.items() if _listed(kind, name, value)}
    sources_given = {kind.SOURCES: list(data.names[: len(sources)])} if sources else {}
    flat = {kind.SOURCES: [], **base, **sources_given, "out": out, **options}
    with data.within():
        return build(kind, flat, "train"), data


def _listed(kind: type[TrainOptions], name: str, value: Any) -> bool:
    """Whether several values are given for an option that is written with commas between them."""
    several = isinstance(value, list | tuple) and name != kind.SOURCES
    return several and not isinstance(flatten(unchecked(kind, {}, "train")).get(name), tuple)
