"""A whole model from its file, or a trained layer from a file of weights or a run folder."""

import json
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from os import PathLike
from typing import Any

from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.runtime.archive import Archive, read, require_usual
from ostinato.runtime.recurrent import Recurrent

#: Types that safetensors writes and NumPy has by itself.
_OF_NUMPY = {"F16", "F32", "F64"}


def load(path: str | PathLike[str], cell: str | None = None, prefix: str | None = None, **options: Any) -> Any:
    """A whole model that `ostinato export RUN --to numpy` wrote; or a trained layer from a file of weights, or the
    recurrent stack of a run, as `Recurrent`.

    Args:
        path: an .npz file of `ostinato export`; a safetensors file that holds a layer's `state_dict`, or a run folder.
        cell: the cell's name; a run folder knows its own.
        prefix: of the layer's names within the file, such as "encoder."; by default none, in a run "recurrent.".
        **options: of `Recurrent`; of a whole model `threads` alone.

    Returns:
        A `LanguageModel`, `SequenceModel`, `Tagger`, `Forecaster`, `Translator`, `Captioner` or `Transcriber`; of a
        layer a `Recurrent`.

    Raises:
        ConfigError: no such file or a damaged one, no cell named, weights that do not fit, or a run whose last layer
            stands apart.
        RunFolderError: a folder that is no run.
    """
    file = os.fspath(path)
    if file.endswith(".npz"):
        if cell or prefix or options.keys() - {"threads"}:
            raise ConfigError(f"{file}: a whole model knows its cell and its options; give threads= alone")
        return whole_model(read(file), **options)
    return _layer(path, cell, prefix, options)


def _layer(path: str | PathLike[str], cell: str | None, prefix: str | None, options: dict[str, Any]) -> Recurrent:
    from pathlib import Path  # with urllib and more, which a whole model needs not

    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if file.is_dir():
        try:
            model = json.loads((file / "config.json").read_text(encoding="utf-8"))["model"]
            if not isinstance(model, dict):
                raise TypeError("config.json does not describe a model")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(f"{file}: not a run folder that can be read: {error}") from None
        if prefix is None and model.get("last_size") not in (None, model.get("hidden_size")):
            raise ConfigError(
                f"{file}: the last layer of this run has a width of its own and stands apart; load both parts, with "
                "prefix='recurrent.' and prefix='last.'"
            )
        require_usual(str(file), model)
        cell = cell or model.get("cell")
        spelling = prefix is not None and prefix.startswith("spelling.")  # a tagger's, which has no zoneout
        whole = prefix is None  # an encoder's `reverse` is of what it reads, not of its layer
        own = {name: model[name] for name in ("reverse", "merge") if whole and name in model}
        options = {"zoneout": 0.0 if spelling else model.get("zoneout", 0.0)} | own | options
        file, prefix = file / "model.safetensors", "recurrent." if prefix is None else prefix
    if cell is None:
        raise ConfigError(f"{file}: a file of weights does not say which cell they are for: pass cell=, as in 'lstm'")
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; expected weights in safetensors format")
    prefix = prefix or ""
    try:
        with safe_open(file, framework="numpy") as tensors:
            names = [name for name in tensors.keys() if name.startswith(prefix)]  # noqa: SIM118  it is no mapping
            kinds = {tensors.get_slice(name).get_dtype() for name in names}
            if other := sorted(kinds - _OF_NUMPY):  # whether or not a package has taught NumPy more
                raise ConfigError(f"{file}: expected weights in a type of NumPy's, such as float32, got {other[0]}")
            weights = {name.removeprefix(prefix): tensors.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ConfigError(f"{file}: damaged or cut off, not a whole safetensors file ({error})") from None
    return Recurrent(cell, weights, **options)


#: The module and the class of each, or what makes it; it takes the archive and `threads`.
KINDS: Mapping[str, tuple[str, str]] = {
    "language model": ("language_model", "LanguageModel"),
    "sequence model": ("sequences", "SequenceModel"),
    "tagger": ("tagger", "Tagger"),
    "forecaster": ("forecaster", "Forecaster"),
    "translator": ("translator", "Translator"),
    "captioner": ("captioner", "Captioner"),
    "transcriber": ("transcriber", "Transcriber"),
    "layer": ("archive", "layer"),
}


def whole_model(archive: Archive, threads: int | None = None) -> Any:
    """The model that a file holds.

    Raises:
        ConfigError: of a kind that this version does not know, or that lacks something.
    """
    if archive.about["kind"] not in KINDS:
        raise ConfigError(f"{archive.file}: a {archive.about['kind']}, which this version does not know")
    module, name = KINDS[archive.about["kind"]]
    kind: Callable[..., Any] = getattr(import_module(f"ostinato.runtime.{module}"), name)
    try:
        return kind(archive, threads)
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{archive.file}: damaged, it does not hold a {archive.about['kind']}: {error!r}") from None
