"""Options of `ostinato train classify`."""

from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import share
from ostinato.config.fields import Column, Flag
from ostinato.config.options import field, options
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import Takes
from ostinato.tasks.sequence_options import ReadingSequences, TrainSequences


@options
class ClassifyOptions:
    """What a label is, and how it is learned."""

    multi_label: Annotated[str | None, tyro.conf.arg(metavar="SEPARATOR")] = None
    """What stands between the labels of an example that has several, such as ";": each is then told by itself. An
    example may have none of them, too."""

    class_weights: Literal["none", "balanced"] = "none"
    """Balanced: every class has the same part in the loss, however rare it is."""

    label_smoothing: float = 0.0
    """Share of the probability that the loss expects spread over all classes."""

    def __post_init__(self) -> None:
        if self.multi_label == "":
            raise ConfigError("--multi-label: expected what stands between labels, such as ';', got nothing")
        share(label_smoothing=self.label_smoothing)


@options(kw_only=True)
class TrainClassify(TrainSequences):
    """Train a classifier: a text, or a sequence of numbers, in; its label out."""

    TASK = "classify"
    BFLOAT16: ClassVar[bool] = True
    LEARNED: ClassVar[frozenset[str]] = TrainSequences.LEARNED | {"multi_label"}
    EARLIER: ClassVar[dict[str, Any]] = {"hold_out": 0.1, "convolutions": 0, "warp": 0.0}
    COMMON: ClassVar[tuple[str, ...]] = ("out", "text", "label", "valid", "test", "level")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="Tables (CSV, TSV, JSON, Parquet; packed or not), .ts files of series, a folder with a folder of "
            "texts for each class, or TEXTS,LABELS: two files whose lines belong together.",
        ),
    ]

    label: Column = None
    """Column of the labels. A .ts file has them in place."""

    classify: ClassifyOptions = field(default_factory=ClassifyOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_learned("label")


@options
class ReadingClassify(ReadingSequences):
    """How the data are laid out, where otherwise than in training."""

    label: Column = None
    """Column of the labels."""


@options
class EvaluateClassify:
    """What evaluating a classifier takes."""

    reading: ReadingClassify = field(default_factory=ReadingClassify)


@options
class PredictClassify:
    """What its answers take."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"label"})
    WRITING: ClassVar[frozenset[str]] = frozenset({"labels"})

    labels: Flag = False
    """The labels alone, one a line."""

    reading: ReadingClassify = field(default_factory=ReadingClassify)


OPTIONS = Takes(
    TrainClassify, EvaluateClassify, PredictClassify, pictures=("confusion.png",), estimator="SequenceClassifier"
)
