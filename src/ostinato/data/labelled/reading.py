"""Sequences with a label or with numbers to learn, from any of the files that hold them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ostinato.config.columns import names_in
from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.buckets import pad_features, pad_ids
from ostinato.data.labelled.examples import Raw, joined, targets_in_place, texts_or_empty
from ostinato.data.labelled.sequences import Scale, sequences_from_table
from ostinato.data.labelled.texts import is_lines, read_text_table, read_without_table, without_columns
from ostinato.data.labelled.ts import read_ts
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.sources.files import plain_name
from ostinato.data.sources.memory import Steps, Texts, in_memory, is_missing
from ostinato.data.tables.reading import Table, read_table
from ostinato.data.text.short_texts import encode_texts, shorten
from ostinato.data.text.tokenizer import Tokenizer

#: Steps kept of a text where --max-length does not say.
MAX_LENGTH = {"char": 4_000, "word": 1_000, "bpe": 1_000}


@dataclass(frozen=True)
class LabelledColumns:
    """Which column is what; a .ts file needs none.

    Attributes:
        label: of the labels; of numbers to learn, with commas between.
        text: of the texts.
        id: tells numeric sequences apart.
        time: to sort a numeric sequence by.
        values: of the numbers.
        several: what stands between the labels of an example that may have several; None where each has one.
    """

    label: str | None = None
    text: str | None = None
    id: str | None = None
    time: str | None = None
    values: tuple[str, ...] = ()
    several: str | None = None

    def renamed(self, **names: str) -> "LabelledColumns":
        """With other names, `values` with commas between."""
        given: dict[str, Any] = {name: names[name] for name in ("label", "text", "id", "time") if name in names}
        if "values" in names:
            given["values"] = names_in(names["values"])
        return replace(self, **given)


def is_ts(source: str) -> bool:
    """Whether a file's name says that it is a .ts file."""
    return PurePath(plain_name(source)).suffix.lower() == ".ts"


def read_labelled(source: str, columns: LabelledColumns, *, labels: bool = True, numbers: bool = False) -> Raw:
    """Read a file.

    Args:
        source: a table; a .ts file; `-`: with texts one a line, else a table; a folder of texts, with a folder for each
            class; or `TEXTS,LABELS`, two files whose lines belong together.
        columns: which is what.
        labels: whether to look for labels; without, all are None.
        numbers: whether these are numbers to learn, `Raw.targets`.

    Raises:
        DataError: what is wrong with the file.
        ConfigError: a table, and no columns named.
    """
    raw = replace(_read(source, columns, labels, numbers), several=columns.several)
    return targets_in_place(raw) if labels and numbers and raw.targets is None else raw


def _read(source: str, columns: LabelledColumns, labels: bool, numbers: bool) -> Raw:
    if isinstance(held := in_memory(source), Steps) or (isinstance(held, Texts) and columns.text is None):
        return raw_in_memory(source, held)
    if is_ts(source):
        return _tell_missing(read_ts(source))
    if not columns.values and (without_columns(source) or (not labels and is_lines(source, columns.text))):
        return read_without_table(source, labels=labels)
    if columns.text is not None:
        label = columns.label if labels and not numbers else None
        targets = names_in(columns.label) if labels and numbers else ()
        return read_text_table(source, columns.text, label, lines=not labels, targets=targets)
    if not columns.values or columns.id is None:
        raise ConfigError(
            f"{source}: say which columns of the table to read: --text COL --label COL for texts, "
            "--values COL,COL --id COL --label COL for numbers (a .ts file needs none, nor does a folder for each "
            "class, nor TEXTS,LABELS)"
        )
    return _from_table(source, columns, labels, numbers)


def read_all_labelled(sources: Sequence[str], columns: LabelledColumns, *, numbers: bool = False) -> Raw:
    """Several files as one, each as `read_labelled` reads it.

    Raises:
        ConfigError: none, or texts in one and numbers in another.
    """
    if not sources:
        raise ConfigError("DATA: expected at least one file")
    parts = [read_labelled(source, columns, numbers=numbers) for source in sources]
    if len(parts) == 1:
        return parts[0]
    if len({isinstance(each, str) for part in parts for each in part.inputs}) > 1:
        raise ConfigError(f"DATA: expected files of one kind, got texts and numbers: {', '.join(sources)}")
    return joined(parts)


def raw_in_memory(name: str, held: Texts | Steps, labels: Sequence[str | None] | None = None) -> Raw:
    """Texts or sequences without a file; tokens are read as the text that they make with blanks between them.

    Args:
        name: how messages call it.
        held: N of them.
        labels: N; None where there are none.

    Raises:
        DataError: sequences of numbers that are not real, not finite, or of different widths.
    """

    def place(row: int) -> str:
        return f"{name}[{row}]"

    inputs: list[Any]
    if isinstance(held, Texts):
        inputs = [whole_characters(text) for text in texts_or_empty(held.texts, place)]
    elif held.of_tokens:
        inputs = [_joined(place(row), tokens) for row, tokens in enumerate(held.sequences)]
    else:
        inputs = [_numbers(place(row), steps) for row, steps in enumerate(held.sequences)]
        if len(widths := {steps.shape[1:] for steps in inputs}) > 1 or len(next(iter(widths))) != 1:
            shapes = ", ".join(str(steps.shape) for steps in inputs[:5])
            raise DataError(f"{name}: expected arrays [T, D] of the same D, got {shapes}")
    return Raw(name, inputs, list(labels or [None] * len(inputs)), place, None, "")


def _joined(place: str, tokens: Sequence[Any]) -> str:
    """A list of tokens as a text."""
    if any(is_missing(token) for token in tokens):
        raise DataError(f"{place}: expected tokens, got one that is missing (None or NaN)")
    return whole_characters(" ".join(map(str, tokens)))


def _numbers(place: str, steps: Any) -> npt.NDArray[np.float64]:
    """A sequence of numbers as `[T, D]`."""
    try:
        if np.iscomplexobj(steps):
            raise TypeError
        found = np.asarray(steps, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{place}: expected an array of real numbers [T, D], got {steps!r:.60}") from None
    if np.isinf(found).any():
        raise DataError(f"{place}: expected finite numbers, got infinite ones")
    return found[:, None] if found.ndim == 1 else found


def _from_table(source: str, columns: LabelledColumns, labels: bool, numbers: bool) -> Raw:
    label = columns.label if labels and not numbers else None
    targets = names_in(columns.label) if labels and numbers else ()
    names = [columns.id, columns.time, label, *columns.values, *targets]
    table: Table = read_table(source, [name for name in names if name is not None])
    return _tell_missing(sequences_from_table(table, columns.id or "", columns.values, columns.time, label, targets))


def _tell_missing(raw: Raw) -> Raw:
    if raw.missing:
        warnings.warn(
            f"{raw.name}: {raw.missing:,} values are missing; each is taken as its channel's mean in training",
            stacklevel=2,
        )
    return raw


@dataclass(frozen=True)
class SequenceCodec:
    """What a run needs to read sequences: columns, and a tokenizer or a scale.

    Attributes:
        columns: which column is what.
        max_length: steps kept of a sequence.
        tokenizer: for texts.
        scale: for numbers.
    """

    columns: LabelledColumns
    max_length: int | None
    tokenizer: Tokenizer | None = None
    scale: Scale | None = None

    def encode(self, raw: Raw) -> list[npt.NDArray[Any]]:
        """Token ids `[T]`, or standardised features `[T, D]`, of every example.

        Raises:
            DataError: texts where the model reads numbers, or the other way round; another number of channels.
        """
        if self.tokenizer is not None:
            if any(not isinstance(text, str) for text in raw.inputs):
                raise DataError(f"{raw.name}: expected texts, got sequences of numbers")
            return list(encode_texts(raw.inputs, self.tokenizer, self.max_length))
        if self.scale is None:
            raise ValueError("a codec has a tokenizer or a scale")
        for row, values in enumerate(raw.inputs):
            if isinstance(values, str) or values.shape[1] != len(self.scale.mean):
                got = "a text" if isinstance(values, str) else f"{values.shape[1]}"
                raise DataError(f"{raw.places(row)}: expected {len(self.scale.mean)} channels, got {got}")
        return [shorten(self.scale.apply(values), self.max_length) for values in raw.inputs]

    def renamed(self, **names: str) -> "SequenceCodec":
        """The same, for columns of other names."""
        return replace(self, columns=self.columns.renamed(**names))


def batch_of(inputs: list[npt.NDArray[Any]], labels: npt.NDArray[Any] | None = None) -> Batch:
    """A batch of encoded examples.

    Args:
        inputs: N arrays, ids `[T]` or features `[T, D]`.
        labels: `[N]` numbers of classes, `[N, C]` marks, or `[N, K]` targets; zeros where None.
    """
    padded, lengths = pad_ids(inputs) if inputs[0].ndim == 1 else pad_features(inputs)
    targets = torch.zeros(len(inputs), dtype=torch.long) if labels is None else torch.as_tensor(labels)
    return Batch(padded, targets, lengths, counted=len(inputs))
