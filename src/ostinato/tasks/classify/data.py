"""Labelled examples made ready for a classifier: split, labels and tokenizer or scale learned, encoded, sized."""

import dataclasses
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError
from ostinato.data.batching.splits import HELD_OUT
from ostinato.data.labelled.examples import Raw, count_labels
from ostinato.data.labelled.labels import require_known
from ostinato.data.labelled.reading import LabelledColumns
from ostinato.data.text.tokenizer import TextCodec
from ostinato.tasks.classify.codec import ClassifyCodec
from ostinato.tasks.classify.options import TrainClassify
from ostinato.tasks.contract import Progress, record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.sequence_data import data_of, divided, learn_codec, start_vectors


@dataclasses.dataclass(frozen=True)
class Part:
    """Encoded examples: N arrays, ids `[T]` or features `[T, D]`; numbers `[N]` of their classes, or marks `[N, C]` of
    those they have where they may have several; names of the classes, behind those of the model those that only this
    part has."""

    inputs: list[npt.NDArray[Any]]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def lengths(self) -> list[int]:
        """Steps of each."""
        return [len(steps) for steps in self.inputs]


#: `more` is `[V, E]`, what the embedding starts from; None for random numbers.
PreparedExamples: TypeAlias = Prepared[ClassifyCodec, Part, npt.NDArray[np.float32] | None]


def prepare_labelled(
    options: TrainClassify,
    columns: LabelledColumns,
    whole: Raw,
    valid: Raw | None = None,
    share: float = HELD_OUT,
    progress: Progress | None = None,
    codec: ClassifyCodec | TextCodec | None = None,
) -> PreparedExamples:
    """Labelled examples in memory, made ready: split, labels and tokenizer or scale learned, encoded.

    Without `valid` a share of every class of `whole` is held out to validate on. Where that is 0, or fewer than
    `TELLING` examples, nothing is, and validation measures what is trained on. `columns` are what the run is to read
    later; `progress` is told how far the word vectors are; `codec` reads where another run is begun with; of
    a language model, the texts alone.
    """
    several = columns.several is not None
    train, out, held = divided(options, options.hold_out, whole, valid, share, by_label=not several)
    if not isinstance(codec, ClassifyCodec):
        classes = tuple(sorted(count_labels(train)[0]))
        if len(classes) < 2:
            raise DataError(f"{train.name}: expected at least two different labels to tell apart, found {classes}")
    else:
        classes = codec.classes
        require_known("label", *count_labels(whole), classes)
    # how well words are known shows on texts that they were not learned from
    reads, beyond = learn_codec(
        options,
        columns,
        train,
        out if out is not whole else None,
        codec.reads if isinstance(codec, ClassifyCodec) else codec,
    )
    vectors, codec = codec is None, ClassifyCodec(classes, reads)
    own, other = (Part(codec.reads.encode(raw), *codec.numbers(raw)) for raw in (train, out))
    data = data_of(reads, (train, out), (own.inputs, other.inputs), record_of) | {"held_out": held}
    if beyond is not None:
        data["unknown_words"] = beyond
    return Prepared(codec, own, other, data, start_vectors(options, reads, own.inputs, progress) if vectors else None)


def record_of(raw: Raw) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    counts, _ = count_labels(raw)
    return record(raw.files or [raw.name], raw.digest, examples=len(raw), labels=dict(sorted(counts.items())))
