"""From a file of another program to a run folder."""

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ostinato.api.loading import build_model
from ostinato.api.results import Imported, ImportedLeft, ImportedPart
from ostinato.api.saved import saved_defaults
from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Position
from ostinato.checkpoint.resume_point import model_tensors
from ostinato.config.commands import Import
from ostinato.config.merge import toml_of
from ostinato.core.errors import ConfigError, DataError
from ostinato.core.memory import require_room
from ostinato.core.versions import versions
from ostinato.interop import Found, Stack, read
from ostinato.interop.assembling import assemble
from ostinato.interop.parts import Left, Part, Pooling
from ostinato.tasks import PICTURES, find
from ostinato.tasks.contract import Adopted, Adopts

#: Options that do not depend on the task.
_COMMON = frozenset({"source", "out", "task", "cell", "forget_bias", "map", "overwrite", "json"})


def import_model(options: Import) -> Imported:
    """Read a file, and write the run that its layers make, where a folder for it is named.

    Raises:
        DataError: no weights of a format that is known, or not a model; says which layer.
        ConfigError: an option that does not go with the file.
        RunFolderError: the folder is in the way or cannot be written.
    """
    if options.out is None:
        return _said(read(options.source, _mapping(options.map), forget_bias=options.forget_bias))
    folder = RunFolder(options.out, PICTURES)
    folder.claim(resume=False, overwrite=options.overwrite)
    with folder.locked():
        found = read(options.source, _mapping(options.map), forget_bias=options.forget_bias)
        task = options.task or _task(found, options)
        adopting = find(task)
        if not isinstance(adopting, Adopts):
            raise ConfigError(f"--task {task}: takes over no models of other programs")
        _require_used(task, adopting, options)
        adopted = adopting.adopt(found, options)
        config = _configuration(task, adopted, found)
        model = _model(config, folder, adopted)
        _write(folder, config, adopted, model)
        said = _said(found, found.left if task == "translate" else assemble(found, options.cell).left)
        said.run, said.task, said.parameters = options.out, task, sum(p.numel() for p in model.parameters())
        folder.write_card(_card(said))
    return said


def _require_used(task: str, adopting: Adopts, options: Import) -> None:
    """That no option was given that the task has no use for."""
    for item in fields(options):
        given = getattr(options, item.name) != item.default
        if given and item.name not in _COMMON | adopting.ADOPTING:
            raise ConfigError(
                f"--{item.name.replace('_', '-')}: a model of task {task!r} has no use for it; leave it out"
            )


def _mapping(path: str | None) -> dict[str, str]:
    """Their names to ours."""
    found = {} if path is None else toml_of("--map", path, '"rnn" = "recurrent"')
    names = found.get("names", found)
    if not isinstance(names, dict) or not all(isinstance(ours, str) for ours in names.values()):
        raise ConfigError(f'--map {path}: expected lines "their name" = "our name"')
    return names


def _task(found: Found, options: Import) -> str:
    if found.model in ("seq2seq", "peeky", "attention"):
        return "translate"
    return assemble(found, options.cell).looks_like()


def _configuration(task: str, adopted: Adopted, found: Found) -> dict[str, Any]:
    """config.json: no data of its own, and where the weights come from."""
    part, more = adopted.data
    nothing = {"files": [], "sha256": "", **part}
    path = Path(found.source)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "task": task,
        "options": saved_defaults(task, adopted.options),
        **adopted.config,
        "data": {"train": nothing, "valid": nothing, **more},
        "imported": {"file": path.name, "sha256": digest, "format": found.format},
        "versions": versions(),
    }


def _model(config: dict[str, Any], folder: RunFolder, adopted: Adopted) -> nn.Module:
    """The task's model with these weights.

    Raises:
        DataError: they do not fit; names the first.
    """
    with torch.device("meta"):
        model = build_model(config, folder)
    expected = model_tensors(model)
    require_room(4.0 * sum(tensor.numel() for tensor in expected.values()), "the model", "it is too large for here")
    for name in sorted(expected.keys() | adopted.weights.keys()):
        wanted = tuple(expected[name].shape) if name in expected else None
        there = tuple(adopted.weights[name].shape) if name in adopted.weights else None
        if wanted != there:
            raise DataError(f"{name}: expected shape {wanted}, got {there}")
    model = build_model(config, folder)
    with torch.no_grad():
        for name, tensor in model_tensors(model).items():
            tensor.copy_(torch.from_numpy(adopted.weights[name]))
    return model.eval()


def _write(folder: RunFolder, config: dict[str, Any], adopted: Adopted, model: nn.Module) -> None:
    """The run, as one that is finished and was trimmed: nothing is there to go on from."""
    place = folder.start(config, adopted.files)
    place.save_weights(model)
    place.save_resume_point({}, Position(finished=True), {})
    place.settle()
    folder.resume_point.trim()


def _said(found: Found, left: list[Left] | None = None) -> Imported:
    return Imported(
        source=found.source,
        format=found.format,
        parts=[ImportedPart(name=part.name, what=part.said(), shapes=_shapes(part)) for part in found.parts],
        left=[ImportedLeft(name=one.name, why=one.why, shape=list(one.shape)) for one in left or found.left],
    )


def _shapes(part: Part) -> dict[str, list[int]]:
    if isinstance(part, Stack):
        return {name: list(array.shape) for name, array in part.weights.items()}
    if isinstance(part, Pooling):
        return {}
    bias = getattr(part, "bias", None)
    return {"weight": list(part.weight.shape)} | ({} if bias is None else {"bias": list(bias.shape)})


def _card(said: Imported) -> str:
    """The card in the folder: where the weights come from."""
    lines = [f"- {part.name}: {part.what}" for part in said.parts]
    left = [f"- not taken: {one.name}, {one.why}" for one in said.left]
    return "\n".join(
        [
            f"# Imported from {said.format}",
            "",
            f"{Path(said.source).name}, task {said.task}, {said.parameters:,} parameters. Not trained here.",
            "",
            *lines,
            *left,
            "",
            "```python",
            "import ostinato",
            "",
            f'run = ostinato.load("{said.run}")',
            "```",
            "",
        ]
    )
