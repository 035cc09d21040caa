"""Labelled texts, and texts with numbers to learn, of long files: surveyed, divided, encoded in shards."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.data.corpora.corpus import Corpus, Divided, Rows, survey
from ostinato.data.corpora.labelled import ReadsLabelled, files_in_parts
from ostinato.data.corpora.shards import Arrays, flat, rows_of
from ostinato.data.labelled.examples import Raw, count_labels, selected
from ostinato.data.labelled.reading import LabelledColumns, batch_of
from ostinato.tasks.contract import Progress, record
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.sequence_options import TrainSequences
from ostinato.tasks.sharded import in_shards, parts_of, segment_size

_KINDS = "texts in tables (CSV, TSV, JSON lines), and in files of lines with another of their labels,"


class LabelledCorpus(NamedTuple):
    """What is known of long files once they were read through.

    Attributes:
        corpus: the examples.
        parts: which are trained on, held out, looked at before training.
        counts: examples by label, of all.
        places: how a message names the first example of each.
    """

    corpus: Corpus[Raw]
    parts: Divided
    counts: dict[str, int]
    places: dict[str, str]

    def divided(self, valid: Raw | None) -> tuple[Raw, Raw | None, Raw]:
        """Examples of all over what is trained on; those that are held out, where none are given to validate on; and
        what is validated on: that, what is given, or else the first."""
        sample = self._read(self.parts.sample)
        held = self._read(self.parts.valid) if valid is None and len(self.parts.valid) else None
        return sample, held, next(part for part in (valid, held, sample) if part is not None)

    def _read(self, segments: Rows) -> Raw:
        return usable(replace(self.corpus.read(segments), digest=self.corpus.digest))

    def record(self, held_out: Raw | None) -> dict[str, Any]:
        """What the run folder says of what is trained on: all but what is held out."""
        trained = int(self.corpus.examples.sum()) - (0 if held_out is None else len(held_out))
        found = record(self.corpus.names, self.corpus.digest, examples=trained, shards=len(self.parts.shards))
        if not self.counts:
            return found
        out = {} if held_out is None else count_labels(held_out)[0]
        counts = {label: count - out.get(label, 0) for label, count in sorted(self.counts.items())}
        return found | {"labels": {label: count for label, count in counts.items() if count}}


def labelled_corpus(
    options: TrainSequences, columns: LabelledColumns, *, numbers: bool, progress: Progress | None = None
) -> LabelledCorpus | None:
    """The data to train on, where it is large, or --shard-size asks for shards; None where it is read as a whole.

    Raises:
        DataError: what is wrong with the data.
        ConfigError: shards are asked for of what cannot be read in parts.
    """
    files = files_in_parts(options.data, columns)
    size = segment_size(options.shards, files, _KINDS, options.data)
    if size is None or files is None:
        return None
    names = tuple(file.name for each in files for file in each)
    looked = _Looked(numbers)
    corpus = survey(files, ReadsLabelled(columns, numbers, names), size, looked, progress)
    total = int(corpus.examples.sum())
    if not total:
        what = "numbers to learn" if numbers else "a label"
        raise DataError(f"{', '.join(names)}: expected {what} for each example, found none at all")
    if looked.without:
        what = "target" if numbers else "label"
        warnings.warn(f"{looked.first}: no {what} (so in {looked.without:,} rows); left out", stacklevel=2)
    held_out = options.valid is None and options.hold_out != 0
    parts = parts_of(corpus, options.training.seed, options.hold_out, held_out=held_out)
    return LabelledCorpus(corpus, parts, looked.counts, looked.places)


def usable(raw: Raw) -> Raw:
    """Those of which it is known what is to be learned."""
    known = _known(raw)
    return raw if known.all() else selected(raw, np.flatnonzero(known).tolist())


def _known(raw: Raw) -> npt.NDArray[np.bool_]:
    if raw.targets is not None:
        return np.asarray(np.isfinite(raw.targets).all(axis=1), bool)
    # where there may be several labels, there may be none
    return np.array([label is not None or raw.several is not None for label in raw.labels], bool)


@dataclass
class _Looked:
    """What is told every part of the data, and remembers its labels."""

    numbers: bool
    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    without: int = 0
    first: str = ""

    def __call__(self, raw: Raw) -> int:
        known = _known(raw)
        if not known.all():
            self.first = self.first or raw.places(int(known.argmin()))
            self.without += int((~known).sum())
        if not self.numbers:
            counts, places = count_labels(raw)
            for label, count in counts.items():
                self.counts[label] = self.counts.get(label, 0) + count
            self.places = places | self.places
        return int(known.sum())


def with_shards(
    prepared: Prepared[Any, Any, Any],
    corpus: LabelledCorpus,
    held: Raw | None,
    wanted: Callable[[Any, Raw], npt.NDArray[Any]],
    learned: Any,
    progress: Progress | None,
) -> Prepared[Any, Any, Any]:
    """What was made ready of a sample, to be trained on in shards of the corpus, but for what is `held` out; what is
    `wanted` of examples goes by what was `learned` of them."""
    codec, recorded = prepared.codec, corpus.record(held)
    unknown = {name: share for name, share in prepared.data["train"].items() if name == "unknown"}
    assert codec.tokenizer is not None  # of texts
    encoding = EncodesSequences(codec, wanted, repr((codec.tokenizer.digest, codec.reads.max_length, learned)))
    train = in_shards(corpus.corpus, corpus.parts, encoding, prepared.train, progress=progress)
    data = prepared.data | {"train": recorded | unknown, "held_out": held is not None}
    return replace(prepared, train=train, data=data)


@dataclass(frozen=True)
class EncodedSequences:
    """Encoded examples.

    Attributes:
        inputs: N arrays, ids `[T]`.
        wanted: `[N]` classes, `[N, C]` marks, or `[N, K]` standardised targets.
    """

    inputs: list[npt.NDArray[Any]]
    wanted: npt.NDArray[Any]

    @property
    def lengths(self) -> list[int]:
        """Steps of each."""
        return [len(steps) for steps in self.inputs]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """One each."""
        return np.ones(len(self.inputs), np.int64)

    def batch(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        """Those with these numbers."""
        return batch_of([self.inputs[row] for row in rows], self.wanted[rows])


@dataclass(frozen=True)
class EncodesSequences:
    """How labelled texts become arrays.

    Attributes:
        codec: of the run; its `reads` are for the texts.
        wanted: what is expected of examples, by the codec: a function of a module.
        key: what stands for both.
    """

    codec: Any
    wanted: Callable[[Any, Raw], npt.NDArray[Any]]
    key: str

    def arrays(self, part: Raw) -> Arrays:
        """Ids of the texts, and what is expected."""
        raw = usable(part)
        return flat(self.codec.reads.encode(raw), "ids") | {"wanted": self.wanted(self.codec, raw)}

    def examples(self, arrays: Arrays) -> EncodedSequences:
        """The examples that were kept."""
        return EncodedSequences(rows_of(arrays, "ids"), arrays["wanted"])
