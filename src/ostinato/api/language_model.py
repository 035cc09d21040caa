"""Putting a language model's training together: text, model, loss and validation into a job for the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ostinato.config.commands import TrainLm
from ostinato.config.merge import build as build_options
from ostinato.config.merge import flatten
from ostinato.config.model import ModelOptions
from ostinato.core.errors import DataError, RunFolderError
from ostinato.data.corpus import Progress, learned_tokenizer, token_ids
from ostinato.data.streams import Streams
from ostinato.data.text import Text, open_text
from ostinato.data.tokenizer import TokenIds, Tokenizer
from ostinato.evaluation import bits_per_character, mean_loss, perplexity
from ostinato.losses import sequence_cross_entropy
from ostinato.models.language_model import LanguageModel
from ostinato.training import Job

#: Share of the text that is trained on where no validation text is given.
TRAINED_SHARE = 0.9

#: Tokens to validate on while training, at most: the first ones of a longer validation text.
VALIDATED = 1_000_000


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Text made ready. Sent to another process, the token ids go as the name of the file they are mapped from.

    Attributes:
        tokenizer: learned from the training text.
        train: token ids to train on.
        valid: token ids to validate on.
        data: what the run folder records of the text.
    """

    tokenizer: Tokenizer
    train: TokenIds
    valid: TokenIds
    data: dict[str, Any]

    def __getstate__(self) -> dict[str, Any]:
        ids = {name: _unmapped(getattr(self, name)) for name in ("train", "valid")}
        return {"tokenizer": self.tokenizer.to_json(), "data": self.data, **ids}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ids = {name: _mapped(state[name]) for name in ("train", "valid")}
        self.__dict__.update(tokenizer=Tokenizer.from_json(state["tokenizer"]), data=state["data"], **ids)


def prepare(options: TrainLm, progress: Progress | None = None) -> Prepared:
    """Read, split and tokenise.

    Raises:
        DataError: text that cannot be used.
    """
    level = options.tokens.level
    whole = open_text(options.text)
    if options.valid is None:
        train, valid = whole.split(TRAINED_SHARE, at="character" if level == "char" else "line")
    else:
        train, valid = whole, open_text([options.valid])
    data = {"train": _record(train), "valid": _record(valid), "held_out": options.valid is None}
    if options.test is not None:
        data["test"] = _record(open_text([options.test]))  # read now: an error at the end would come too late
    tokenizer = learned_tokenizer(train, level, options.tokens.vocab_limit)
    ids = token_ids(train, tokenizer, progress=progress)
    try:
        Streams(ids, options.training.batch_for(len(ids)), options.training.steps)  # long enough for one batch?
    except DataError as error:
        raise DataError(f"{', '.join(train.names)}: {error}") from None
    return Prepared(tokenizer, ids, token_ids(valid, tokenizer, progress=progress), data)


def configuration(options: TrainLm, prepared: Prepared) -> dict[str, Any]:
    """The task's part of config.json."""
    sizes = model_sizes(options.model, prepared.tokenizer)
    return {"task": "lm", "options": _saved(options), "model": sizes, "data": prepared.data}


def model_sizes(options: ModelOptions, tokenizer: Tokenizer) -> dict[str, Any]:
    """Arguments of `LanguageModel`."""
    narrow = 128 if tokenizer.level == "char" and not options.tied else options.hidden
    return {
        "vocab_size": tokenizer.size,
        "embed_size": options.embed or min(narrow, options.hidden),
        "hidden_size": options.hidden,
        "num_layers": options.layers,
        "cell": options.cell,
        "dropout": options.dropout,
        "tied": options.tied,
        "recurrent_dropout": options.recurrent_dropout,
        "zoneout": options.zoneout,
        **options.cell_settings(),
    }


def build(config: Mapping[str, Any], file: Path) -> LanguageModel:
    """A model from a run's configuration, with random weights.

    Raises:
        RunFolderError: the configuration lacks something.
        ConfigError: an unknown cell.
    """
    try:
        return LanguageModel(**config["model"])
    except (KeyError, TypeError) as error:
        raise RunFolderError(f"{file}: damaged, it does not describe a language model: {error}") from None


def saved_options(config: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The options a run was started with, by plain name."""
    try:
        return flatten(build_options(TrainLm, {"text": ["-"], "out": "", **config["options"]}, str(file)))
    except (KeyError, TypeError):
        raise RunFolderError(f"{file}: damaged, it holds no options") from None


def job(options: TrainLm, model: nn.Module, prepared: Prepared, rank: int = 0) -> Job:
    """What the loop needs, for one process of several."""
    training, tokenizer = options.training, prepared.tokenizer
    batch = training.batch_for(len(prepared.train))
    batches = Streams(prepared.train, batch, training.steps, tokenizer.eos_id, rank, training.devices)
    # Streams side by side, as in training: nearly the figure of `evaluate`, at a fraction of the time.
    held_out = prepared.valid[:VALIDATED]
    side_by_side = max(1, min(batch, len(held_out) // (2 * training.steps)))
    valid = Streams(held_out, side_by_side, training.steps, tokenizer.eos_id)
    return Job(
        model=model,
        loss=sequence_cross_entropy,
        batches=batches,
        validate=lambda trained: mean_loss(trained, valid),
        figure=("bits_per_character", bits_per_character) if tokenizer.level == "char" else ("perplexity", perplexity),
        validation_share=valid.tokens / batches.tokens,
    )


def describe(model: nn.Module, prepared: Prepared) -> str:
    """One line on what is about to be trained, and on what it is validated."""
    where = ", the last tenth of the text" if prepared.data["held_out"] else ""
    if len(prepared.valid) > VALIDATED:
        where += f" (the first {VALIDATED:,} of them, while training)"
    return (
        f"{len(prepared.train):,} tokens to train on, {len(prepared.valid):,} to validate on{where}; "
        f"vocabulary {prepared.tokenizer.size:,}, {sum(p.numel() for p in model.parameters()):,} parameters"
    )


def _unmapped(ids: TokenIds) -> Any:
    return (ids.filename, ids.dtype.str) if isinstance(ids, np.memmap) and ids.filename else np.array(ids)


def _mapped(ids: Any) -> TokenIds:
    return np.memmap(ids[0], np.dtype(ids[1]), "r") if isinstance(ids, tuple) else ids


def _record(text: Text) -> dict[str, Any]:
    return {"files": list(text.names), "characters": text.characters, "sha256": text.digest}


def _saved(options: TrainLm) -> dict[str, Any]:
    """Options that belong to the run, not to one invocation."""
    passing = {"text", "out", "resume", "overwrite", "json", "config"}
    return {name: value for name, value in flatten(options).items() if name not in passing}
