"""What the benchmarks measured, as they print it with --json and as `--out` keeps it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from ostinato.core.results import Measure, Positive, Result, when

Precision: TypeAlias = Literal["highest", "high", "medium"]


class Machine(Result):
    """What it was measured on."""

    cpu: str
    """processor"""

    cores: Positive
    """cores there were"""

    isa: str
    """instruction set of the native kernels, or why there are none"""

    versions: dict[str, str]
    """version by name: `python` and the packages compared"""


class Rate(Result):
    """The machine's rate before and after."""

    before: Measure
    """before the first row, GF/s"""

    after: Measure
    """after the last"""

    usual: Measure
    """best ever seen on this machine"""


class Sizes(Result):
    """Of a row."""

    N: int
    """sequences"""

    T: int
    """time steps"""

    D: int
    """input features"""

    H: int
    """units"""


class Quartiles(Result):
    """Of a call's time, in milliseconds."""

    low: Measure
    """first quartile"""

    median: Measure
    """median"""

    high: Measure
    """third quartile"""


class Row(Result):
    """Sides beside each other at one size."""

    row: Sizes
    """sizes"""

    errors: dict[str, dict[str, float]]
    """by side: largest difference from float64 over the largest number, of outputs (`output`) and, in training, of
    gradients (`gradient`)"""

    wrong: dict[str, str]
    """by side, what is wrong with its numbers; then the row has no times"""

    ms: dict[str, Quartiles]
    """by side: quartiles of a call's time in milliseconds (`low`, `median`, `high`); `ostinato` is this package"""

    fastest: str | None
    """the fastest of the peers that count"""

    ratio: float | None
    """its median over ostinato's"""

    of_sgemm: Annotated[Measure | UnsetType, when("where there are times")] = UNSET
    """ostinato's rate of multiplications and additions, in the products with the weights, over the mean of the sgemm
    rates before and after"""


class Table(Result):
    """The rows of one group, by one number of threads."""

    group: str
    """name of the comparison"""

    cell: str
    """the cell"""

    work: Literal["training", "inference", "step"]
    """what is timed"""

    precision: Precision
    """of ostinato's products"""

    dtype: str
    """of ostinato's layer and input"""

    ragged: bool
    """lengths drawn uniformly from 1 to T"""

    options: dict[str, Any]
    """of the layer"""

    against: list[str]
    """peers that count"""

    threads: Positive
    """threads and cores of every side"""

    isa: str
    """instruction set of the native kernels, or why there are none"""

    measured: str
    """day, UTC"""

    sgemm: Rate
    """rate of a float32 product of 2048 x 2048 by torch"""

    void: bool
    """the rate was below 0.85 of the usual one: the table does not count"""

    rows: list[Row]
    """what was measured"""


class Target(Result):
    """What the layers are meant to reach."""

    target: str
    """what"""

    threads: Positive
    """threads"""

    measure: Literal["times as fast", "of sgemm"]
    """of `mean` and `worst`"""

    mean: Measure
    """geometric mean over the rows of more than one step"""

    wanted_mean: float | None
    """what it should be"""

    worst: Measure
    """of the worst row, seen from what is wanted of it"""

    worst_row: str
    """which one"""

    worst_of_sgemm: Measure
    """its share of sgemm"""

    wanted_worst: float | None
    """what every row should reach"""

    or_of_sgemm: float | None
    """share of sgemm that is enough for a row instead"""

    of_groups: list[str]
    """those of its groups that were measured, where not all were"""

    short: list[str]
    """what falls short, and by how much"""

    void: bool
    """a table in it is void"""


class Skipped(Result):
    """A peer left out."""

    group: str
    """where"""

    peer: str
    """who"""

    why: str
    """why"""


class Wrong(Result):
    """A row without times."""

    group: str
    """group"""

    row: Sizes
    """sizes"""

    side: str
    """whose numbers"""

    threads: Positive
    """threads"""

    why: str
    """what is wrong"""


class LayersMeasured(Result):
    """Of `bench layers`."""

    machine: Machine
    """what it was measured on"""

    tables: list[Table]
    """one for each group and number of threads"""

    targets: list[Target]
    """what the layers are meant to reach, where rows of it were measured"""

    skipped: list[Skipped]
    """peers left out"""

    wrong: list[Wrong]
    """rows without times because a number was wrong"""


class Comparison(Result):
    """Ours beside a peer."""

    preset: str
    """preset of train lm"""

    precision: Precision
    """of ostinato's products"""

    ours_ms: float | None
    """median time of ostinato; null where a number was wrong"""

    peer: str | None
    """`torch`, `torch-bf16` (autocast) or `numpy`; null where ostinato was measured alone"""

    peer_ms: float | None
    """the peer's median time"""

    ratio: float | None
    """peer_ms over ours_ms"""

    wanted: float | None
    """what the ratio should be, where that is said"""

    tokens: Positive
    """tokens in that time"""

    ours_tokens_per_second: float | None
    """tokens over the median time"""

    peer_tokens_per_second: float | None
    """the peer's"""

    ours_quartiles_ms: list[float] | None
    """first and third quartile of the time"""

    peer_quartiles_ms: list[float] | None
    """the peer's"""

    errors: dict[str, dict[str, float]]
    """by side: largest difference from float64 over the largest number, of the loss (`output`; of generation, the
    tokens) and, in training, of the gradients (`gradient`)"""

    wrong: dict[str, str]
    """by side, what is wrong with its numbers; then there are no times"""

    sgemm: Rate
    """rate of a float32 product of 2048 x 2048 by torch"""

    void: bool
    """the rate was below 0.85 of the usual one: the row does not count"""

    measured: str
    """the date"""


class VocabularyComparison(Comparison):
    """The same for one size of the vocabulary."""

    vocabulary: Annotated[int, Meta(ge=2)]
    """V"""

    ours_mb: float | None
    """MB above weights and gradients at the peak of ostinato's step; null where that is not known"""

    peer_mb: float | None
    """the peer's"""

    wanted_mb: float | None
    """what ours_mb should not exceed, where that is said"""


class SkippedWork(Result):
    """A comparison left out."""

    work: Literal["training", "generation", "evaluation", "vocabulary"]
    """kind of work"""

    preset: str
    """preset"""

    peer: str
    """who; `all` where nothing was measured"""

    why: str
    """why"""


class WrongWork(Result):
    """A comparison without times."""

    work: str
    """kind of work"""

    preset: str
    """preset"""

    side: str
    """whose numbers: a peer's, or `ostinato` with its precision"""

    why: str
    """what is wrong"""


class LanguageMeasured(Result):
    """Of `bench lm`."""

    machine: Machine
    """what it was measured on"""

    threads: Positive
    """threads and cores of every side"""

    measured: str
    """day, UTC"""

    rows: list[Comparison]
    """a training step of each preset beside each peer"""

    generation: list[Comparison]
    """one sequence, token after token"""

    evaluation: list[Comparison]
    """the loss of one stream"""

    vocabulary: list[VocabularyComparison]
    """a training step against the size of the vocabulary"""

    wrong: list[WrongWork]
    """comparisons without times because a number was wrong"""

    skipped: list[SkippedWork]
    """comparisons left out"""
