"""What the benchmarks measured, as they print it with --json and as `--out` keeps it."""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from ostinato.core.results import Measure, Positive, Result, when

Precision: TypeAlias = Literal["highest", "high", "medium"]


class Machine(Result):
    """What it was measured on."""

    cpu: Annotated[str, "processor"]
    cores: Annotated[Positive, "cores there were"]
    isa: Annotated[str, "instruction set of the native kernels, or why there are none"]
    versions: Annotated[dict[str, str], "version by name: `python` and the packages compared"]


class Rate(Result):
    """The machine's rate before and after."""

    before: Annotated[Measure, "before the first row, GF/s"]
    after: Annotated[Measure, "after the last"]
    usual: Annotated[Measure, "best ever seen on this machine"]


class Sizes(Result):
    """Of a row."""

    N: Annotated[int, "sequences"]
    T: Annotated[int, "time steps"]
    D: Annotated[int, "input features"]
    H: Annotated[int, "units"]


class Quartiles(Result):
    """Of a call's time, in milliseconds."""

    low: Annotated[Measure, "first quartile"]
    median: Annotated[Measure, "median"]
    high: Annotated[Measure, "third quartile"]


class Row(Result):
    """Sides beside each other at one size."""

    row: Annotated[Sizes, "sizes"]
    errors: Annotated[
        dict[str, dict[str, float]],
        "by side: largest difference from float64 over the largest number, of outputs (`output`) and, in training, of "
        "gradients (`gradient`)",
    ]
    wrong: Annotated[
        dict[str, str], "by side, what is wrong with its numbers: it has no time, and of `ostinato` no side has one"
    ]
    ms: Annotated[
        dict[str, Quartiles],
        "by side: quartiles of a call's time in milliseconds (`low`, `median`, `high`); `ostinato` is this package",
    ]
    fastest: Annotated[str | None, "the fastest of the peers that count"]
    ratio: Annotated[float | None, "its median over ostinato's"]
    of_sgemm: Annotated[
        Measure | UnsetType,
        "ostinato's rate of multiplications and additions, in the products with the weights, over the mean of the "
        "sgemm rates before and after",
        when("where there are times"),
    ] = UNSET
    floor_ms: Annotated[
        Measure | UnsetType,
        "milliseconds that the products with the weights alone would take at the best of the table's `limits`",
        when("where there are times, of float32 and bfloat16; since it is noted"),
    ] = UNSET
    of_floor: Annotated[
        Measure | UnsetType,
        "the floor over ostinato's median: its share of what the machine can do",
        when("with `floor_ms`"),
    ] = UNSET
    left_out: Annotated[
        dict[str, str] | UnsetType, "by side, why it could not take part here", when("since there were such sides")
    ] = UNSET
    checked_steps: Annotated[
        int | UnsetType,
        "of how many steps the numbers were checked; of a chaotic cell, of which float32 loses all digits, of few",
        when("since it is noted"),
    ] = UNSET
    compile_s: Annotated[
        dict[str, float] | UnsetType,
        "by side that is compiled before its first run, the seconds that took",
        when("since they are measured"),
    ] = UNSET


class Table(Result):
    """The rows of one group, by one number of threads."""

    group: Annotated[str, "name of the comparison"]
    cell: Annotated[str, "the cell"]
    work: Annotated[Literal["training", "inference", "step"], "what is timed"]
    precision: Annotated[
        Literal["highest", "high", "medium", "int8"], "of ostinato's products; `int8`: weights of 8 bits"
    ]
    dtype: Annotated[str, "of ostinato's layer and input"]
    ragged: Annotated[bool, "lengths drawn uniformly from 1 to T"]
    options: Annotated[dict[str, Any], "of the layer"]
    against: Annotated[list[str], "peers that count"]
    threads: Annotated[Positive, "threads and cores of every side"]
    isa: Annotated[str, "instruction set of the native kernels, or why there are none"]
    measured: Annotated[str, "day, UTC"]
    sgemm: Annotated[Rate, "rate of a float32 product of 2048 x 2048 by torch"]
    void: Annotated[bool, "the rate was below 0.85 of the usual one: the table does not count"]
    rows: Annotated[list[Row], "what was measured"]
    limits: Annotated[
        dict[str, float] | UnsetType,
        "best rate ever seen here of a product of 2048 x 2048 in this precision, GF/s, by library",
        when("since it is noted"),
    ] = UNSET
    runs: Annotated[
        str | UnsetType,
        "what of this package ran the cell: its own kernel (`native`), one compiled from the cell's equations "
        "(`compiled`), torch's layer (`torch`), or the loop (`reference`)",
        when("since it is noted"),
    ] = UNSET


class Target(Result):
    """What the layers are meant to reach."""

    target: Annotated[str, "what"]
    threads: Annotated[Positive, "threads"]
    measure: Annotated[Literal["times as fast", "of sgemm"], "of `mean` and `worst`"]
    mean: Annotated[Measure, "geometric mean over the rows of more than one step"]
    wanted_mean: Annotated[float | None, "what it should be"]
    worst: Annotated[Measure, "of the worst row, seen from what is wanted of it"]
    worst_row: Annotated[str, "which one"]
    worst_of_sgemm: Annotated[Measure, "its share of sgemm"]
    wanted_worst: Annotated[float | None, "what every row should reach"]
    or_of_sgemm: Annotated[float | None, "share of sgemm that is enough for a row instead"]
    of_groups: Annotated[list[str], "those of its groups that were measured, where not all were"]
    short: Annotated[list[str], "what falls short, and by how much"]
    void: Annotated[bool, "a table in it is void"]


class Skipped(Result):
    """A peer left out."""

    group: Annotated[str, "where"]
    peer: Annotated[str, "who"]
    why: Annotated[str, "why"]


class Wrong(Result):
    """A side without a time in a row."""

    group: Annotated[str, "group"]
    row: Annotated[Sizes, "sizes"]
    side: Annotated[str, "whose numbers"]
    threads: Annotated[Positive, "threads"]
    why: Annotated[str, "what is wrong"]


class LayersMeasured(Result):
    """Of `bench layers`."""

    machine: Annotated[Machine, "what it was measured on"]
    tables: Annotated[list[Table], "one for each group and number of threads"]
    targets: Annotated[list[Target], "what the layers are meant to reach, where rows of it were measured"]
    skipped: Annotated[list[Skipped], "peers left out"]
    wrong: Annotated[list[Wrong], "sides without times because a number was wrong"]


class Compilation(Result):
    """Of one cell, forward and backward, by two processes with a cache that was empty before the first."""

    cell: Annotated[str, "the cell"]
    compile_s: Annotated[Measure | None, "seconds to trace and compile it"]
    load_ms: Annotated[Measure | None, "milliseconds to trace it and to load it from the cache"]
    why: Annotated[str | None, "why it is not compiled"]


class Bandwidth(Result):
    """Of a cell's recurrence alone, forward and backward, where it has no recurrent product."""

    cell: Annotated[str, "the cell"]
    row: Annotated[Sizes, "sizes"]
    gb_s: Annotated[Measure | None, "GB a second of what has to be read and written at least"]
    copy_gb_s: Annotated[Measure | None, "GB a second that a copy of torch reads and writes, in turns with it"]
    share: Annotated[Measure | None, "the one over the other"]
    why: Annotated[str | None, "why there are no figures: it is not compiled, or a number was wrong"]


class ResetsCost(Result):
    """Of a layer forward and backward, in milliseconds."""

    cell: Annotated[str, "the cell"]
    row: Annotated[Sizes, "sizes"]
    none_ms: Annotated[Measure | None, "without resets"]
    resets_ms: Annotated[Measure | None, "with some before one step in twenty"]
    loop_ms: Annotated[Measure | None, "called for each step, the state masked in between"]
    why: Annotated[str | None, "why there are no figures: a number was wrong"]


class CellTarget(Result):
    """What cells are meant to reach."""

    target: Annotated[str, "what"]
    threads: Annotated[int | None, "threads; null where they do not matter"]
    unit: Annotated[str, "of the figures: `x` times as fast, `of a copy`, `s` or `ms`"]
    cells: Annotated[Positive, "how many cells were measured of it"]
    mean: Annotated[Measure, "geometric mean over cells and sizes, or the cells' median where that is said"]
    worst: Annotated[Measure, "mean over the sizes of the worst cell"]
    worst_cell: Annotated[str, "which one"]
    wanted: Annotated[Measure, "what is wanted at least, or at most where it is a time"]
    better: Annotated[Measure, "better still"]
    reached: Annotated[bool, "whether that which counts is reached: the worst where every cell has to, else the mean"]


class CellsMeasured(Result):
    """Of `bench cells`."""

    machine: Annotated[Machine, "what it was measured on"]
    compilation: Annotated[list[Compilation], "what compiling takes"]
    bandwidth: Annotated[list[Bandwidth], "cells without a recurrent product beside a copy"]
    resets: Annotated[list[ResetsCost], "what resets inside a sequence cost"]
    tables: Annotated[list[Table], "one for each comparison and number of threads"]
    targets: Annotated[list[CellTarget], "what cells are meant to reach, as far as it was measured"]
    skipped: Annotated[list[Skipped], "peers left out"]
    wrong: Annotated[list[Wrong], "sides without times because a number was wrong"]


class Comparison(Result):
    """Ours beside a peer."""

    preset: Annotated[str, "preset of train lm"]
    precision: Annotated[Precision, "of ostinato's products"]
    ours_ms: Annotated[float | None, "median time of ostinato; null where a number was wrong"]
    peer: Annotated[str | None, "`torch`, `torch-bf16` (autocast) or `numpy`; null where ostinato was measured alone"]
    peer_ms: Annotated[float | None, "the peer's median time"]
    ratio: Annotated[float | None, "peer_ms over ours_ms"]
    wanted: Annotated[float | None, "what the ratio should be, where that is said"]
    tokens: Annotated[Positive, "tokens in that time"]
    ours_tokens_per_second: Annotated[float | None, "tokens over the median time"]
    peer_tokens_per_second: Annotated[float | None, "the peer's"]
    ours_quartiles_ms: Annotated[list[float] | None, "first and third quartile of the time"]
    peer_quartiles_ms: Annotated[list[float] | None, "the peer's"]
    errors: Annotated[
        dict[str, dict[str, float]],
        "by side: largest difference from float64 over the largest number, of the loss (`output`; of generation, the "
        "tokens) and, in training, of the gradients (`gradient`)",
    ]
    wrong: Annotated[dict[str, str], "by side, what is wrong with its numbers; then there are no times"]
    sgemm: Annotated[Rate, "rate of a float32 product of 2048 x 2048 by torch"]
    void: Annotated[bool, "the rate was below 0.85 of the usual one: the row does not count"]
    measured: Annotated[str, "the date"]


class TrainingComparison(Comparison):
    """A training step, beside the machine's limit."""

    limits: Annotated[
        dict[str, float] | UnsetType,
        "best rate ever seen here of a product of 2048 x 2048 in this precision, GF/s, by library",
        when("of training, since it is noted"),
    ] = UNSET
    floor_ms: Annotated[
        Measure | UnsetType,
        "milliseconds that the step's products alone would take at the best of `limits`",
        when("with `limits`"),
    ] = UNSET
    of_floor: Annotated[
        Measure | UnsetType,
        "floor_ms over ours_ms: ostinato's share of what the machine can do",
        when("with `floor_ms`"),
    ] = UNSET


class VocabularyComparison(Comparison):
    """The same for one size of the vocabulary."""

    vocabulary: Annotated[int, "V", Meta(ge=2)]
    ours_mb: Annotated[
        float | None, "MB above weights and gradients at the peak of ostinato's step; null where that is not known"
    ]
    peer_mb: Annotated[float | None, "the peer's"]
    wanted_mb: Annotated[float | None, "what ours_mb should not exceed, where that is said"]


class SkippedWork(Result):
    """A comparison left out."""

    work: Annotated[Literal["training", "generation", "evaluation", "vocabulary"], "kind of work"]
    preset: Annotated[str, "preset"]
    peer: Annotated[str, "who; `all` where nothing was measured"]
    why: Annotated[str, "why"]


class WrongWork(Result):
    """A comparison without times."""

    work: Annotated[str, "kind of work"]
    preset: Annotated[str, "preset"]
    side: Annotated[str, "whose numbers: a peer's, or `ostinato` with its precision"]
    why: Annotated[str, "what is wrong"]


class LanguageMeasured(Result):
    """Of `bench lm`."""

    machine: Annotated[Machine, "what it was measured on"]
    threads: Annotated[Positive, "threads and cores of every side"]
    measured: Annotated[str, "day, UTC"]
    rows: Annotated[list[TrainingComparison], "a training step of each preset beside each peer"]
    generation: Annotated[list[Comparison], "one sequence, token after token"]
    evaluation: Annotated[list[Comparison], "the loss of one stream"]
    vocabulary: Annotated[list[VocabularyComparison], "a training step against the size of the vocabulary"]
    wrong: Annotated[list[WrongWork], "comparisons without times because a number was wrong"]
    skipped: Annotated[list[SkippedWork], "comparisons left out"]
