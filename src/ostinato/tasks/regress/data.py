"""Examples with numbers to learn, made ready: split, targets standardised, tokenizer or scale learned, encoded."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostinato.config.columns import names_in
from ostinato.core.errors import DataError
from ostinato.data.batching.splits import HELD_OUT
from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import LabelledColumns, SequenceCodec
from ostinato.data.labelled.sequences import Scale
from ostinato.data.text.tokenizer import TextCodec, Tokenizer
from ostinato.tasks.contract import Progress, record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.regress.options import TrainRegress
from ostinato.tasks.sequence_corpora import LabelledCorpus, with_shards
from ostinato.tasks.sequence_data import data_of, divided, learn_codec, start_vectors

#: What the target is called of data that have it in place, without a column's name.
IN_PLACE = "target"


@dataclass(frozen=True)
class RegressCodec:
    """What a run needs to read data and to bring answers back to their units.

    Attributes:
        reads: for the sequences.
        targets: `[K]` names.
        scale: of the targets in training.
    """

    reads: SequenceCodec
    targets: tuple[str, ...]
    scale: Scale

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Of texts."""
        return self.reads.tokenizer

    def renamed(self, **names: str) -> "RegressCodec":
        """The same, for columns of other names.

        Raises:
            DataError: another number of targets.
        """
        if "target" in names:
            names["label"] = names.pop("target")
            if len(names_in(names["label"])) != len(self.targets):
                raise DataError(
                    f"--target: expected {len(self.targets)} columns, as in training ({', '.join(self.targets)}), "
                    f"got {names['label']}"
                )
        return replace(self, reads=self.reads.renamed(**names))


@dataclass(frozen=True)
class Part:
    """Encoded examples.

    Attributes:
        inputs: N arrays, ids `[T]` or features `[T, D]`.
        targets: `[N, K]` as they were measured.
    """

    inputs: list[npt.NDArray[Any]]
    targets: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Examples."""
        return len(self.inputs)


#: `more` is `[V, E]`, what the embedding starts from; None for random numbers. What is trained on may be in shards.
PreparedTargets: TypeAlias = Prepared[RegressCodec, Any, npt.NDArray[np.float32] | None]


def prepare_targets(
    options: TrainRegress,
    columns: LabelledColumns,
    whole: Raw,
    valid: Raw | None = None,
    share: float = HELD_OUT,
    progress: Progress | None = None,
    codec: RegressCodec | TextCodec | None = None,
) -> PreparedTargets:
    """Examples in memory, all with their targets, made ready.

    Args:
        options: of the command.
        columns: what the run is to read later.
        whole: to train on; without `valid`, also to validate on.
        valid: to validate on.
        share: to hold out where neither there is `valid` nor the options say.
        progress: told how far the word vectors are.
        codec: of the run that is begun with, whose scales stay; of a language model, which reads the texts alone.

    Raises:
        DataError: a target that is the same everywhere, or not as many of them to validate on, or as the run has that
            is begun with.
    """
    train, out, held = divided(options, options.hold_out, whole, valid, share, by_label=False)
    prepared = _made_ready(options, columns, train, out, progress, codec)
    return replace(prepared, data=prepared.data | {"held_out": held})


def prepare_in_shards(
    options: TrainRegress,
    columns: LabelledColumns,
    corpus: LabelledCorpus,
    valid: Raw | None,
    progress: Progress | None = None,
    codec: RegressCodec | TextCodec | None = None,
) -> PreparedTargets:
    """The same of examples that are too many to be held in memory: what is learned before training is learned of a
    sample. Raises what `prepare_targets` does."""
    sample, held, out = corpus.divided(valid)
    prepared = _made_ready(options, columns, sample, out, progress, codec)
    return with_shards(prepared, corpus, held, _scaled, prepared.codec.scale, progress)


def _scaled(codec: RegressCodec, raw: Raw) -> npt.NDArray[np.float32]:
    return codec.scale.apply(targets_of(raw))


def _made_ready(
    options: TrainRegress,
    columns: LabelledColumns,
    train: Raw,
    out: Raw,
    progress: Progress | None,
    codec: RegressCodec | TextCodec | None,
) -> PreparedTargets:
    """What is learned of examples to train on, and both parts encoded; `out`, to validate on, may be the same."""
    reads, beyond = learn_codec(options, columns, train, out if out is not train else None, codec)
    measured = targets_of(train)
    names = names_in(columns.label) or (IN_PLACE,) * measured.shape[1]
    for name, values in zip(names, measured.T, strict=True):
        if (values == values[0]).all():
            raise DataError(
                f"{train.name}: expected different numbers to learn, got {values[0]:g} as {name!r} of all "
                f"{len(values):,} examples"
            )
    if isinstance(codec, RegressCodec) and len(names) != len(codec.targets):
        raise DataError(
            f"{train.name}: expected {len(codec.targets)} targets, as the run to begin with has "
            f"({', '.join(codec.targets)}), got {len(names)}"
        )
    vectors = codec is None
    codec = RegressCodec(reads, names, codec.scale if isinstance(codec, RegressCodec) else Scale.of([measured]))
    own, other = (Part(reads.encode(raw), targets_of(raw)) for raw in (train, out))
    data = data_of(reads, (train, out), (own.inputs, other.inputs), record_of)
    if beyond is not None:
        data["unknown_words"] = beyond
    return Prepared(codec, own, other, data, start_vectors(options, reads, own.inputs, progress) if vectors else None)


def targets_of(raw: Raw) -> npt.NDArray[np.float64]:
    """`[N, K]`.

    Raises:
        ValueError: the examples were read without.
    """
    if raw.targets is None:
        raise ValueError("expected examples with targets")
    return raw.targets


def record_of(raw: Raw) -> dict[str, Any]:
    """What the run folder says of a part of the data."""
    return record(raw.files or [raw.name], raw.digest, examples=len(raw))
