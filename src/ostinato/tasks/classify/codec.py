"""A classifier's labels and numbers of them."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ostinato.data.labelled.examples import Raw, count_labels
from ostinato.data.labelled.labels import tell_unknown
from ostinato.data.labelled.reading import LabelledColumns, SequenceCodec
from ostinato.data.tables.spelling import spelt_as
from ostinato.data.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class ClassifyCodec:
    """What a run needs to read data, and to say which label a number stands for.

    Attributes:
        classes: `[C]` labels, by number.
        reads: for the sequences.
    """

    classes: tuple[str, ...]
    reads: SequenceCodec

    @property
    def columns(self) -> LabelledColumns:
        """Which column is what."""
        return self.reads.columns

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Of texts."""
        return self.reads.tokenizer

    def renamed(self, **names: str) -> "ClassifyCodec":
        """The same, for columns of other names."""
        return replace(self, reads=self.reads.renamed(**names))

    def numbers(self, raw: Raw) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """Numbers of the classes, `[N]`, and their names: behind the model's own those that training has not seen.

        Where examples may have several labels, `[N, C]` instead: 1 for each that an example has, else 0.

        It warns of the latter, which the model cannot say.

        Raises:
            DataError: training has seen none of the labels; names where.
        """
        spell = spelt_as(self.classes)
        if raw.several is None:
            raw = replace(raw, labels=[None if label is None else spell(label) for label in raw.labels])
        counts, places = count_labels(raw)
        names = (*self.classes, *tell_unknown("label", counts, places, self.classes))
        known = {label: number for number, label in enumerate(names)}
        if raw.several is None:
            return np.array([known[label] for label in raw.labels if label is not None], np.int64), names
        marks = np.zeros((len(raw), len(names)), np.int64)
        for row, said in enumerate(raw.label_lists):
            marks[row, [known[label] for label in said]] = 1
        return marks, names
