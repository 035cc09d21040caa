"""From a run folder to what a run is made of: what it says is looked at before any memory is asked for."""

import warnings
from os import PathLike
from typing import Any, NamedTuple

import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.recorded import require_recorded
from ostinato.config.model import MOST_LAYERS
from ostinato.core.errors import ConfigError, DataError, OstinatoError, RunFolderError, unknown_name
from ostinato.layers.eight_bits import INT8, WEIGHTS
from ostinato.layers.quantise import quantise
from ostinato.tasks import TRAIN_OPTIONS, find


class Opened(NamedTuple):
    """What a `Run` is made of, as it says."""

    folder: RunFolder
    config: dict[str, Any]
    model: nn.Module
    codec: Any
    test: dict[str, Any] | None


def open_folder(path: str | PathLike[str], weights: str | None = None) -> Opened:
    """Read a run folder, as `ostinato.load` does."""
    if weights not in (None, *WEIGHTS):
        raise ConfigError(unknown_name("weights", str(weights), WEIGHTS))
    folder = RunFolder(str(path))
    config = folder.read_config()
    if config.get("task") not in list(TRAIN_OPTIONS):
        raise RunFolderError(f"{folder.path}: a run of task {config.get('task')!r}, which this version does not know")
    require_recorded(config, str(folder.config), find(config["task"]).RECORDED)
    codec = codec_in(folder, config)
    try:
        _require_buildable(config, folder)
        model = build_model(config, folder)
    except ConfigError as error:
        raise ConfigError(f"{folder.config}: {error}") from None
    folder.load_weights(model)
    if (weights or config.get("weights")) == INT8:
        quantise(model)
    test = None
    try:
        test = folder.test_figures()
    except RunFolderError as error:  # the weights are whole
        warnings.warn(f"{error}; its figures are left out", stacklevel=3)
    return Opened(folder, config, model.eval(), codec, test)


def codec_in(folder: RunFolder, config: dict[str, Any]) -> Any:
    """What a run's task turns data into numbers by.

    Raises:
        RunFolderError: missing, damaged, or not the task's.
    """
    try:
        return find(config["task"]).codec(folder, config)
    except DataError as error:
        raise RunFolderError(str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(f"{folder.config}: damaged, it does not describe a run: {error!r}") from None


def build_model(config: dict[str, Any], folder: RunFolder) -> nn.Module:
    """The model that a configuration describes, with random weights.

    Raises:
        RunFolderError: the configuration lacks something.
        ConfigError: an unknown cell.
    """
    try:
        return find(config["task"]).build(config)
    except (KeyError, TypeError) as error:
        raise _no_model(config, folder, error) from None


def _require_buildable(config: dict[str, Any], folder: RunFolder) -> None:
    """That a folder's weights are those of the model that its configuration describes, on the meta device.

    Raises:
        RunFolderError: they are not, or sizes are of another kind or beyond all bounds.
        ConfigError: an unknown cell.
    """
    for name, value in config["model"].items():
        if "layers" in name and not (isinstance(value, int) and 0 <= value <= MOST_LAYERS):
            raise RunFolderError(f"{folder.config}: damaged, {name} is {value!r}; expected at most {MOST_LAYERS:,}")
    try:
        with torch.device("meta"):
            folder.require_fitting(build_model(config, folder))
    except OstinatoError:
        raise
    except (ValueError, AttributeError, RuntimeError, OverflowError) as error:  # sizes as nobody would choose them
        raise _no_model(config, folder, error) from None


def _no_model(config: dict[str, Any], folder: RunFolder, error: Exception) -> RunFolderError:
    return RunFolderError(f"{folder.config}: damaged, it does not describe a model of task {config['task']!r}: {error}")
