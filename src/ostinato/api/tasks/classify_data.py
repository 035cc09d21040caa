"""Labelled examples made ready for a classifier: split, labels and tokenizer or scale learned, encoded, sized."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from ostinato.api.tasks.contract import Progress, record
from ostinato.config.tasks.classify import TrainClassify
from ostinato.config.training import DEFAULT_EPOCHS
from ostinato.core.errors import DataError
from ostinato.data.labelled import MAX_LENGTH, Codec, Columns, Raw, chosen, count_labels
from ostinato.data.sequences import Scale
from ostinato.data.splits import HELD_OUT, held_out
from ostinato.data.texts import learn_from_texts
from ostinato.data.tokenizer import Tokenizer
from ostinato.data.unknown import unknown_of
from ostinato.data.word_vectors import word_vectors

#: Optimiser steps that a training has at least, where no option says how long.
LEAST_STEPS = 1_000

#: Examples in a batch at most, where no option says how many.
BATCH = 32

#: Examples that training sees where --epochs does not say, in 2 to 20 passes: many are soon learned by heart.
SEEN_EXAMPLES = 50_000

#: Validation examples from which on they say which weights are best; where there are fewer, the last ones are kept.
TELLING = 30

#: Words known where --vocab-size does not say.
VOCABULARY = 20_000

#: Tokens from which on the texts themselves say what words are like.
TELLING_TOKENS = 100_000


@dataclasses.dataclass(frozen=True)
class Part:
    """Encoded examples.

    Attributes:
        inputs: N arrays, ids `[T]` or features `[T, D]`.
        labels: `[N]` numbers of their classes.
        names: of the classes; behind those of the model, those that only this part has.
    """

    inputs: list[npt.NDArray[Any]]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def lengths(self) -> list[int]:
        """Steps of each."""
        return [len(steps) for steps in self.inputs]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Data made ready.

    Attributes:
        codec: labels, and tokenizer or scale.
        train: to train on.
        valid: to validate on.
        data: what the run folder records of the data.
        vectors: `[V, E]` what the embedding starts from; None for random numbers.
    """

    codec: Codec
    train: Part
    valid: Part
    data: dict[str, Any]
    vectors: npt.NDArray[np.float32] | None = None

    def __getstate__(self) -> dict[str, Any]:
        tokenizer = self.codec.tokenizer
        state = dict(self.__dict__, codec=dataclasses.replace(self.codec, tokenizer=None))
        return state | {"tokenizer": None if tokenizer is None else tokenizer.to_json()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        tokenizer = state.pop("tokenizer")
        if tokenizer is not None:
            state["codec"] = dataclasses.replace(state["codec"], tokenizer=Tokenizer.from_json(tokenizer))
        self.__dict__.update(state)


def prepare_labelled(
    options: TrainClassify,
    columns: Columns,
    whole: Raw,
    valid: Raw | None = None,
    share: float = HELD_OUT,
    progress: Progress | None = None,
) -> Prepared:
    """Labelled examples in memory, made ready: split, labels and tokenizer or scale learned, encoded.

    Args:
        options: of the command.
        columns: what the run is to read later.
        whole: to train on; without `valid`, also to validate on.
        valid: to validate on.
        share: of every class to hold out where there is no `valid`; 0 validates on what is trained on.
        progress: told how far the word vectors are.
    """
    if valid is not None or not share:
        train, out = whole, whole if valid is None else valid
    else:
        strata = [str(label) for label in whole.labels]
        rows, left = held_out(len(whole), options.training.seed, share=share, strata=strata)
        train, out = chosen(whole, rows.tolist()), chosen(whole, left.tolist())
    codec = _learn(options, columns, train)
    own, other = (Part(codec.encode(raw), *codec.numbers(raw)) for raw in (train, out))
    data: dict[str, Any] = {"train": record_of(train), "valid": record_of(out), "held_out": valid is None and share > 0}
    if codec.tokenizer is not None:
        data["train"] |= unknown_of(own.inputs, codec.tokenizer)
        data["valid"] |= unknown_of(other.inputs, codec.tokenizer)
    return Prepared(codec, own, other, data, _vectors(options, codec, own, progress))


def _vectors(
    options: TrainClassify, codec: Codec, train: Part, progress: Progress | None
) -> npt.NDArray[np.float32] | None:
    """What the embedding starts from, where it is not random numbers."""
    wanted = options.classify.word_vectors
    if codec.tokenizer is None or wanted == "random":
        return None
    if wanted == "auto" and (options.tokens.level == "char" or sum(train.lengths) < TELLING_TOKENS):
        return None
    width = sizes(options, codec)["embed_size"]
    found: npt.NDArray[np.float32] = word_vectors(train.inputs, codec.tokenizer.size, width, progress).numpy()
    return found


def passes(examples: int) -> int:
    """Epochs by default."""
    return min(DEFAULT_EPOCHS, max(2, round(SEEN_EXAMPLES / examples)))


def _learn(options: TrainClassify, columns: Columns, train: Raw) -> Codec:
    classes = tuple(sorted({label for label in train.labels if label is not None}))
    if len(classes) < 2:
        raise DataError(f"{train.name}: expected at least two different labels to tell apart, found {classes}")
    limit = options.classify.max_length
    if not isinstance(train.inputs[0], str):
        return Codec(classes, columns, limit, scale=Scale.of(train.inputs))
    tokens = options.tokens
    size = VOCABULARY if tokens.level == "word" and tokens.vocab_size is None else tokens.vocab_limit
    try:
        tokenizer = learn_from_texts(train.inputs, tokens.level, size, lowercase=options.classify.lowercase)
    except DataError as error:
        raise DataError(f"{train.name}: {error}") from None
    return Codec(classes, columns, limit or MAX_LENGTH[tokens.level], tokenizer)


def sizes(options: TrainClassify, codec: Codec) -> dict[str, Any]:
    """Arguments of `Classifier`."""
    model, classify = options.model, options.classify
    reads: dict[str, Any] = {"embed_size": model.embed}
    if codec.tokenizer is not None:
        reads = {"vocab_size": codec.tokenizer.size, "embed_size": model.embed or model.hidden}
    elif codec.scale is not None:
        reads["features"] = len(codec.scale.mean)
    dropped = classify.word_dropout
    if dropped is None:
        dropped = 0.0 if codec.tokenizer is None else 0.3
    return {
        "classes": len(codec.classes),
        **reads,
        "hidden_size": model.hidden,
        "num_layers": model.layers,
        "cell": model.cell,
        "bidirectional": classify.bidirectional,
        "pooling": classify.pooling or ("max" if codec.tokenizer is None else "attention"),
        "dropout": model.dropout,
        "word_dropout": dropped,
        "recurrent_dropout": model.recurrent_dropout,
        "zoneout": model.zoneout,
        **model.cell_settings(),
    }


def record_of(raw: Raw) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    counts, _ = count_labels(raw)
    return record(raw.files or [raw.name], raw.digest, examples=len(raw), labels=dict(sorted(counts.items())))
