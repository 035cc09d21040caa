"""Sequences of frames with what they say, made ready: split, symbols and scale learned, encoded, batched."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.buckets import pad_features
from ostinato.data.batching.splits import held_out
from ostinato.data.labelled.examples import Raw, selected
from ostinato.data.labelled.reading import LabelledColumns, SequenceCodec, is_ts
from ostinato.data.labelled.sequences import Scale
from ostinato.data.sources.memory import in_memory
from ostinato.losses.alignment import steps_needed
from ostinato.tasks.contract import record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.transcribe.options import TrainTranscribe


@dataclasses.dataclass(frozen=True)
class TranscribeCodec:
    """What a run needs to read frames and to write symbols.

    Attributes:
        reads: the frames.
        symbols: `[V]`; the model's class of the first is 1.
        words: whether these are words, with blanks between them; else characters.
    """

    reads: SequenceCodec
    symbols: tuple[str, ...]
    words: bool

    #: There is no text to read.
    tokenizer = None

    @property
    def columns(self) -> LabelledColumns:
        """Which column is what."""
        return self.reads.columns

    def renamed(self, **names: str) -> "TranscribeCodec":
        """The same, for columns of other names."""
        return dataclasses.replace(self, reads=self.reads.renamed(**names))

    def parts(self, label: str) -> list[str]:
        """The symbols of a label."""
        return parts_of(label, self.words)

    def text(self, classes: Sequence[int]) -> str:
        """What classes from 1 say."""
        return (" " if self.words else "").join(self.symbols[number - 1] for number in classes)

    def numbers(self, label: str) -> list[int]:
        """The classes of a label's symbols; of those that training never saw, none."""
        known = {symbol: number for number, symbol in enumerate(self.symbols, 1)}
        return [known[symbol] for symbol in self.parts(label) if symbol in known]


@dataclasses.dataclass(frozen=True)
class Part:
    """Frames `[T, D]` of each sequence, the classes of its label, and the label's symbols as they stand."""

    frames: list[npt.NDArray[Any]]
    classes: list[list[int]]
    expected: list[list[str]]

    @property
    def lengths(self) -> list[int]:
        """Frames of each."""
        return [len(frames) for frames in self.frames]

    @property
    def counts(self) -> list[int]:
        """Symbols of each, one at least."""
        return [max(1, len(classes)) for classes in self.classes]

    def batch(self, rows: npt.NDArray[np.int64]) -> Batch:
        """The sequences with these numbers: classes `[N, U]`, 0 behind a label's end."""
        padded, lengths = pad_features([self.frames[row] for row in rows])
        classes = [self.classes[row] for row in rows]
        targets = torch.zeros(len(rows), max(1, *map(len, classes), 1), dtype=torch.long)
        for place, own in enumerate(classes):
            targets[place, : len(own)] = torch.tensor(own, dtype=torch.long)
        return Batch(padded, targets, lengths, counted=sum(self.counts[row] for row in rows))


def require_frames(sources: Sequence[str], columns: LabelledColumns) -> None:
    """Raise a ConfigError where a file is a table and nobody has said which of its columns are the frames."""
    for source in sources:
        if not columns.values and in_memory(source) is None and not is_ts(source):
            raise ConfigError(
                f"{source}: say which columns of the table to read: --values COL,COL --id COL --label COL, a row "
                "for each frame (a .ts file needs none)"
            )


PreparedFrames: TypeAlias = Prepared[TranscribeCodec, Part, None]


def prepare_frames(
    options: TrainTranscribe,
    columns: LabelledColumns,
    whole: Raw,
    valid: Raw | None = None,
    codec: TranscribeCodec | None = None,
) -> PreparedFrames:
    """Labelled sequences in memory, made ready; without `valid` a tenth is held out. `codec` reads them where another
    run is begun with.

    Raises:
        DataError: texts; a label with symbols that the run begun with does not have; no sequence as long as its label.
    """
    if isinstance(whole.inputs[0], str):
        raise DataError(f"{whole.name}: expected sequences of numbers, got texts")
    if valid is None:
        rows, out = held_out(len(whole), options.training.seed)
        train, held = selected(whole, rows.tolist()), selected(whole, out.tolist())
    else:
        train, held = whole, valid
    words = options.symbols == "words"
    if codec is None:
        seen = sorted({symbol for label in train.labels for symbol in parts_of(label or "", words)})
        if not seen:
            raise DataError(f"{whole.name}: the labels have no {options.symbols} at all: there is nothing to learn")
        codec = TranscribeCodec(SequenceCodec(columns, None, None, Scale.of(train.inputs)), tuple(seen), words)
    elif unknown := sorted(
        {symbol for label in whole.labels for symbol in codec.parts(label or "")} - {*codec.symbols}
    ):
        raise DataError(
            f"{whole.name}: the symbol {unknown[0]!r} does not occur among those of the run to begin with; leave such "
            "sequences out, or train anew without --from"
        )
    else:
        codec = dataclasses.replace(codec, reads=dataclasses.replace(codec.reads, columns=columns))
    own, other = part_of(codec, train), part_of(codec, held)
    data = {"train": record_of(train), "valid": record_of(held), "held_out": valid is None}
    return Prepared(codec, _long_enough(own, train), other, data, None)


def parts_of(label: str, words: bool) -> list[str]:
    """The words of a label, or its characters."""
    return label.split() if words else list(label)


def part_of(codec: TranscribeCodec, raw: Raw) -> Part:
    """Sequences encoded."""
    labels = [label or "" for label in raw.labels]
    return Part(
        codec.reads.encode(raw), [codec.numbers(label) for label in labels], [codec.parts(label) for label in labels]
    )


def record_of(raw: Raw) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    return record(raw.files or [raw.name], raw.digest, examples=len(raw))


def _long_enough(part: Part, raw: Raw) -> Part:
    """Those that have a frame for each symbol, and one between equal neighbours."""
    kept = [row for row, own in enumerate(part.classes) if steps_needed(own) <= len(part.frames[row])]
    if len(kept) == len(part.frames):
        return part
    if not kept:
        raise DataError(
            f"{raw.name}: every sequence has fewer frames than its label has symbols; a frame says one symbol at most"
        )
    first = next(row for row in range(len(part.frames)) if row not in set(kept))
    warnings.warn(
        f"{raw.places(first)}: {len(part.frames[first])} frames for {len(part.classes[first])} symbols (so in "
        f"{len(part.frames) - len(kept)} sequences): a frame says one symbol at most; left out of training",
        stacklevel=2,
    )
    frames, classes, expected = part.frames, part.classes, part.expected
    return Part([frames[row] for row in kept], [classes[row] for row in kept], [expected[row] for row in kept])
