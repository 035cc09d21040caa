"""Word vectors of a file as what a model's embeddings begin with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import nn

from ostinato.config.columns import names_in
from ostinato.config.merge import flatten, unchecked
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.vector_files import VectorRows, read_vectors, vector_width
from ostinato.models.transfer import start_rows
from ostinato.tasks import find
from ostinato.tasks.contract import Progress
from ostinato.tasks.embedding import Embeds
from ostinato.tasks.options import TrainOptions


@dataclass(frozen=True)
class Vectors:
    """Vectors that a model's embeddings begin with.

    Attributes:
        rows: by the embedding's name.
        record: what config.json says of each: its file, how many words, of how many, were found there.
    """

    rows: Mapping[str, VectorRows]
    record: Mapping[str, Mapping[str, Any]]

    def put_into(self, model: nn.Module) -> None:
        """Give the embeddings their rows, at the scale of those that stay random."""
        for name, rows in self.rows.items():
            start_rows(_embedding(model, name).weight, torch.from_numpy(rows.ids), torch.from_numpy(rows.vectors))

    @property
    def about(self) -> str:
        """For the line that a training begins with."""
        found = (f"{own['found']:,} of {own['words']:,} words begin with {own['file']}" for own in self.record.values())
        return ", ".join(found)


def as_wide_as_vectors(options: TrainOptions) -> TrainOptions:
    """The options with an embedding as wide as the vectors that it begins with, where these are in a file.

    Raises:
        ConfigError: another --embed was asked for; an output layer that would be held still with the embedding.
        DataError: files that are missing, none of vectors, or of different widths.
    """
    if options.start.vectors is None:
        return options
    if options.start.freeze_vectors and options.model.tied:
        raise ConfigError("--freeze-vectors would hold the output layer still too, which is --tied: give --no-tied")
    files = names_in(options.start.vectors)
    widths = {file: vector_width(file) for file in files}
    width = widths[files[0]]
    if set(widths.values()) != {width}:
        raise DataError(
            f"--vectors: expected files of one width, got {', '.join(f'{f}: {w}' for f, w in widths.items())}"
        )
    usual = flatten(unchecked(type(options), {}, "--vectors"))["embed"]
    if options.model.embed not in (None, usual, width):
        raise ConfigError(
            f"--embed {options.model.embed}: the vectors of {files[0]} have {width} numbers; leave the option out"
        )
    return replace(cast("Any", options), model=replace(options.model, embed=width))


def vectors_for(options: TrainOptions, codec: Any, progress: Progress | None = None) -> Vectors | None:
    """The vectors of the words that a model reads, of the files that the options name; None where they name none.

    Raises:
        ConfigError: a task or a vocabulary that has no words; files that are not one for each embedding, or for all.
        DataError: damaged files, or ones that have none of the words.
    """
    if options.start.vectors is None:
        return None
    task, files = find(options.TASK), names_in(options.start.vectors)
    assert isinstance(task, Embeds)  # the others have the option in UNUSED
    words = task.embeddings(codec)
    if len(files) not in (1, len(words)):
        raise ConfigError(
            f"--vectors: expected one file, or one for each of {len(words)} vocabularies (--vocabularies separate), "
            f"got {len(files)}"
        )
    rows, record = {}, {}
    for (name, vocabulary), file in zip(words.items(), files * (len(words) if len(files) == 1 else 1), strict=True):
        rows[name] = read_vectors(file, vocabulary, progress)
        record[name] = {"file": file, "found": len(rows[name].ids), "words": len(vocabulary)}
    if not any(len(own.ids) for own in rows.values()):
        raise DataError(
            f"--vectors {options.start.vectors}: has none of the words of the data; is it of their language?"
        )
    return Vectors(rows, record)


def hold_vectors(options: TrainOptions, model: nn.Module, codec: Any) -> None:
    """With --freeze-vectors the embeddings do not learn."""
    if options.start.freeze_vectors:
        for name in find(options.TASK).embeddings(codec):
            _embedding(model, name).weight.requires_grad_(False)


def _embedding(model: nn.Module, name: str) -> nn.Embedding:
    found = model.get_submodule(name)
    assert isinstance(found, nn.Embedding)
    return found
