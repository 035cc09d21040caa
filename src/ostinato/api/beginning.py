"""Training that begins with a run's weights: what it takes over of that run, and what it cannot change.

The run is one of the same task; or of one that lends its layers (a language model) to a task that borrows them.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from torch import nn

from ostinato.api.loading import codec_in, open_folder
from ostinato.api.saved import saved_options
from ostinato.checkpoint import RunFolder
from ostinato.config.merge import flatten, names, unchecked
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.models.transfer import levels_of
from ostinato.optim import LayerWise
from ostinato.tasks import TRAIN_OPTIONS, find
from ostinato.tasks.lending import Borrows, Lends
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
        lends: whether it is of another task, and lends its layers.
    """

    folder: RunFolder
    config: dict[str, Any]
    codec: Any
    lends: bool = False

    def model_sizes(self, options: TrainOptions, configuring: Configuring) -> dict[str, Any]:
        """The arguments of the model: the run's own, with rates of dropout as the options say; as the options say
        where the run lends its layers.

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
        if self.lends:
            return wanted
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
        found |= {"task": self.config["task"]} if self.lends else {}
        return found | ({"imported": self._imported} if self._imported else {})

    @property
    def _imported(self) -> Any:
        """Where its weights first came from, if another program made them."""
        return self.config.get("imported") or self.config.get("begun_from", {}).get("imported")

    def _require_as_learned(self, options: TrainOptions, then: Mapping[str, Any]) -> None:
        now = flatten(options)
        for name in sorted(options.LEARNED & then.keys()):
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
        RunFolderError: missing, damaged, of a task that has nothing to lend, or the folder to write to.
    """
    path = options.start.from_run
    if path is None:
        return None
    if resumed is None and Path(path).resolve() == Path(options.out).resolve():
        raise RunFolderError(f"--from {path}: is the folder to write to; choose another --out, or go on by --resume")
    if resumed is not None:
        config = resumed.read_config(options.TASK)
        return Beginning(resumed, config, codec_in(resumed, config))
    lends = _lends(options.TASK, path)
    found = open_folder(path)
    return Beginning(found.folder, found.config, found.codec, lends)


def taken_over(kind: type[TrainOptions], path: str) -> dict[str, Any]:
    """The options, by plain name, that a training takes over from the run that it begins with.

    Raises:
        RunFolderError: missing, damaged, or of another task.
    """
    if _lends(kind.TASK, path):
        config = RunFolder(path).read_config()
        lent = find(config["task"]).lending(config)
        return {name: value for name, value in lent.items() if name in find(kind.TASK).BORROWED}
    flat = saved_options(kind, path)
    own = {kind.SOURCES, *kind.NAMING_DATA, *kind.FRESH, "out", "valid", "test", "preset", "config", "json"}
    hints = get_type_hints(kind)
    for group in _OF_ONE_TRAINING:
        if group in hints:
            own |= set(names(hints[group]))
    return {name: value for name, value in flat.items() if name not in own}


def load_weights(options: TrainOptions, run: str, model: nn.Module, codec: Any) -> None:
    """The weights of a run into a model, whose codec is given; of one that lends, those that it lends.

    Raises:
        RunFolderError: they do not fit, or are damaged.
        ConfigError: lent layers that do not fit.
    """
    if not _lends(options.TASK, run):
        RunFolder(run).load_weights(model)
        return
    found = open_folder(run)
    find(options.TASK).borrow(model, codec, find(found.config["task"]).lend(found.codec, found.model))


def by_layers(options: TrainOptions, model: nn.Module) -> LayerWise | None:
    """What the options say of the layers of a model that begins with a run's weights; None where all learn alike."""
    divide, unfreeze = options.start.layer_rates, options.start.unfreeze
    return None if divide == 1 and not unfreeze else LayerWise(levels_of(model), divide, unfreeze)


def _lends(task: str, run: str) -> bool:
    """Whether a run, to begin a training of that task with, is of another task and lends its layers.

    Raises:
        RunFolderError: it is of another task, and one of the two does not do so.
    """
    folder = RunFolder(run)
    other = folder.read_config().get("task")
    if other in (None, task):
        return False
    if other in TRAIN_OPTIONS and isinstance(find(other), Lends) and isinstance(find(task), Borrows):
        return True
    folder.read_config(task)  # says that it is of another
    return False


def _is_rate(name: str) -> bool:
    """Whether an argument of a model says how it is trained, and not what it computes."""
    return "dropout" in name or name in ("weight_drop", "zoneout", "warp")


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "nothing"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
