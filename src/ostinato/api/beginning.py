"""Training that begins with a run's weights: what it takes over of that run, and what it cannot change."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from torch import nn

from ostinato.api.loading import open_folder
from ostinato.api.saved import saved_options
from ostinato.checkpoint import RunFolder
from ostinato.config.merge import flatten, names, unchecked
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.tasks import find
from ostinato.tasks.options import TrainOptions

#: Groups of options that are of one training, or of its files.
_OF_ONE_TRAINING = ("training", "reading", "table", "start")

#: The task's part of config.json, of options.
Configuring = Callable[[TrainOptions], dict[str, Any]]


class Beginning(NamedTuple):
    """A run that another training begins with.

    Attributes:
        folder: its folder.
        config: its config.json.
        codec: what reads data for it.
    """

    folder: RunFolder
    config: dict[str, Any]
    codec: Any

    def model_sizes(self, options: TrainOptions, configuring: Configuring) -> dict[str, Any]:
        """The arguments of the model: the run's own, with rates of dropout as the options say.

        Args:
            options: of the training.
            configuring: gives the task's part of config.json for options of it.

        Raises:
            ConfigError: an option that would make another model.
            DataError: data that would.
        """
        then, now = taken_over(type(options), str(self.folder.path)), flatten(options)
        self._require_as_learned(options, then)

        def sizes(changed: Mapping[str, Any]) -> dict[str, Any]:
            made = unchecked(type(options), {**now, **then, **changed}, "--from")
            return {name: value for name, value in configuring(made)["model"].items() if not _is_rate(name)}

        wanted = configuring(options)["model"]
        usual = sizes({})
        for name in then:
            if now[name] != then[name] and sizes({name: now[name]}) != usual:
                raise self._contradicts(name, now[name], then[name])
        model = self.config["model"]
        if not self._imported:
            for name, value in usual.items():
                if name in model and _plain(value) != _plain(model[name]):
                    raise DataError(
                        f"--from {self.folder.path}: its model has {name} = {model[name]!r}, this data asks for "
                        f"{value!r}; give data like that it was trained on, or train anew without --from"
                    )
        return {**model, **{name: value for name, value in wanted.items() if _is_rate(name)}}

    def record(self) -> dict[str, Any]:
        """What config.json says of it."""
        with self.folder.weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found = {"run": str(self.folder.path), "sha256": digest}
        return found | ({"imported": self._imported} if self._imported else {})

    @property
    def _imported(self) -> Any:
        """Where its weights first came from, if another program made them."""
        return self.config.get("imported") or self.config.get("begun_from", {}).get("imported")

    def _require_as_learned(self, options: TrainOptions, then: Mapping[str, Any]) -> None:
        now = flatten(options)
        for name in sorted(options.LEARNED):
            if now[name] != then[name]:
                raise self._contradicts(name, now[name], then[name])

    def _contradicts(self, name: str, now: Any, then: Any) -> ConfigError:
        option = name.replace("_", "-")
        return ConfigError(
            f"--{option} {_shown(now)}: the run to begin with, {self.folder.path}, has {_shown(then)}; leave the "
            "option out, or train anew without --from"
        )


def begin(options: TrainOptions, resumed: RunFolder | None = None) -> Beginning | None:
    """The run that a training begins with; None where it begins with random weights.

    Args:
        options: of the training.
        resumed: the folder of the training itself, where it goes on: all that it took over stands there.

    Raises:
        RunFolderError: missing, damaged, of another task, or the folder to write to.
    """
    path = options.start.from_run
    if path is None:
        return None
    if resumed is None and Path(path).resolve() == Path(options.out).resolve():
        raise RunFolderError(f"--from {path}: is the folder to write to; choose another --out, or go on by --resume")
    folder = RunFolder(path) if resumed is None else resumed
    folder.read_config(options.TASK)
    if resumed is not None:
        config = folder.read_config()
        return Beginning(folder, config, find(options.TASK).codec(folder, config))
    found = open_folder(path)
    return Beginning(folder, found.config, found.codec)


def taken_over(kind: type[TrainOptions], path: str) -> dict[str, Any]:
    """The options, by plain name, that a training takes over from the run that it begins with.

    Raises:
        RunFolderError: missing, damaged, or of another task.
    """
    flat = saved_options(kind, path)
    own = {kind.SOURCES, *kind.NAMING_DATA, *kind.FRESH, "out", "valid", "test", "preset", "config", "json"}
    hints = get_type_hints(kind)
    for group in _OF_ONE_TRAINING:
        if group in hints:
            own |= set(names(hints[group]))
    return {name: value for name, value in flat.items() if name not in own}


def load_weights(run: str, model: nn.Module) -> None:
    """The weights of a run into a model.

    Raises:
        RunFolderError: they do not fit, or are damaged.
    """
    RunFolder(run).load_weights(model)


def _is_rate(name: str) -> bool:
    """Whether an argument of a model says how it is trained, and not what it computes."""
    return "dropout" in name or name in ("weight_drop", "zoneout")


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "nothing"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
