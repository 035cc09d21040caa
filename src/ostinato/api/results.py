"""What commands answer, and `ostinato.api` with them, where no task has it for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, UnsetType, field

from ostinato.core.advice import Advice
from ostinato.core.results import Count, Measure, Positive, Result, when

if TYPE_CHECKING:
    from ostinato.api.run import Run

Figures = TypeVar("Figures")


class Course(Result):
    """Of every training: what comes before the task's own figures."""

    run: Annotated[str, "the run folder, as given to --out"]
    task: Annotated[str, "the task"]
    epochs: Annotated[Count, "whole passes over what is trained on, or what the task counts as one"]
    steps: Annotated[Count, "updates of the weights"]
    parameters: Annotated[Positive, "numbers in the model that are trained"]


def course_of(run: Run) -> Course:
    """Where a run's training ended."""
    position = run.folder.resume_point.position()
    return Course(
        run=str(run.folder.path),
        task=run.config["task"],
        epochs=position.epoch,
        steps=position.step,
        parameters=sum(p.numel() for p in run.model.parameters()),
    )


class Ending(Result, Generic[Figures], kw_only=True):
    """Of every training: what comes after the task's own figures."""

    test: Annotated[
        Figures | UnsetType, "figures of the best weights on the test data, as evaluate gives them", when("with --test")
    ] = UNSET
    advice: Annotated[list[Advice], "what was said of a training that goes wrong, in its order"] = field(
        default_factory=list
    )
    seconds: Annotated[Measure, "wall time of the command"]


Verdict: TypeAlias = Literal["fine", "too high", "too low", "unclear"]


class TriedRate(Result):
    """A step of a learning-rate range test."""

    lr: Annotated[Measure, "its learning rate"]
    loss: Annotated[float | None, "of its batch, before the step; null where it was not finite"]
    smoothed: Annotated[float | None, "the same, a weighted mean over the steps about it"]


class FoundRate(Result):
    """Of `train --find-lr`: what a learning-rate range test says."""

    task: Annotated[str, "the task"]
    optimizer: Annotated[str, "the optimiser that it is a rate of"]
    lr: Annotated[float | None, "the rate suggested; null where the loss did not fall clearly at any"]
    used: Annotated[Measure, "the rate that the training would have had: --lr, or the task's default"]
    verdict: Annotated[
        Verdict, "of `used`: `fine` within a factor of 5 of `lr`; `unclear` where there is no suggestion"
    ]
    tried: Annotated[list[TriedRate], "the steps, by rising rate"]
    exploded: Annotated[bool, "whether the test ended early, as the loss rose"]
    command: Annotated[str | None, "trains with the suggested rate; null of data in memory"]
    picture: Annotated[str | None, "the picture; null where none was drawn"] = None
    seconds: Annotated[Measure, "wall time of the command"] = 0.0

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        if self.lr is None:
            return (
                f"no rate made the loss fall clearly within {len(self.tried)} steps, so none is suggested; "
                f"the training would have {self.used:g}"
            )
        word = {"fine": "is fine", "too high": "looks too high", "too low": "looks too low"}[self.verdict]
        return f"learning rate {self.lr:g} is suggested for {self.optimizer}; {self.used:g}, as it stands, {word}"


class Predicted(Result):
    """Of `predict`: where the answers went."""

    run: Annotated[str, "the run folder"]
    task: Annotated[str, "its task"]
    answers: Annotated[Count, "answers written: labels, sentences, texts, steps of forecasts"]
    lines: Annotated[Count, "lines written, one of column names aside"]
    output: Annotated[str | None, "the file, as given to --output; null where the lines went to standard error"]


class Written(Result):
    """One text of `generate`."""

    prompt: Annotated[str, "where it goes on from"]
    seed: Annotated[
        int | None, "that it was written by: --seed for the first sample, the next for the second; null without --seed"
    ]
    text: Annotated[str, "without the prompt"]


class Generated(Result):
    """Of `generate`."""

    prompt: Annotated[str, "as given; the first where there are several"]
    text: Annotated[str, "what was written first, without the prompt"]
    texts: Annotated[list[Written], "all that was written, prompt by prompt"]


class Plotted(Result):
    """Of `plot`."""

    run: Annotated[str, "the run folder"]
    task: Annotated[str, "its task"]
    series: Annotated[list[str], "ids of the series drawn; one that has none is empty"]
    out: Annotated[str, "the picture"]


Product: TypeAlias = Literal["float32", "bf16x3", "bf16"]


class ElsewhereInfo(Result):
    """What another implementation runs."""

    when: Annotated[str, "`lengths`, a dtype, noise on the state, or an option of the cell"]
    kernel: Annotated[str, "who runs it then; on a GPU also `graphs` (the loop recorded as a CUDA graph)"]
    reason: Annotated[str, "why those that are faster do not"]


class CellInfo(Result):
    """Who runs a cell."""

    name: Annotated[str, "the cell"]
    kernel: Annotated[
        str,
        "who runs it over a sequence: `native` (the package's kernels), `compiled` (a kernel that the first "
        "use makes of its equations), `torch` (its fused layer) or `reference` (the loop over `step`)",
    ]
    isa: Annotated[str | None, "instruction set of the kernel, where it is `native`"]
    precision: Annotated[
        dict[str, Product], "as `precision` above, of this cell; empty where its kernel is not `native`"
    ]
    reason: Annotated[str, "why nothing faster than the reference runs it; empty where something does"]
    elsewhere: Annotated[list[ElsewhereInfo], "what another implementation runs"]
    paper: Annotated[str, "where the equations come from"]


class Info(Result):
    """Of `info`: what this installation has."""

    versions: Annotated[dict[str, str], "version by name: `python` and the packages that matter"]
    threads: Annotated[Positive, "threads torch computes with"]
    accelerators: Annotated[list[str], "what `train --accelerator` may be here; the first is what auto is"]
    native: Annotated[str, "instruction set that the native kernels use here, or why there are none"]
    precision: Annotated[
        dict[str, Product],
        "by each value of torch.set_float32_matmul_precision, what the native kernels' products are computed in: "
        "`float32`, `bf16x3` (each factor the sum of two bf16) or `bf16`; empty where there are none. Those of "
        "bfloat16 layers and under autocast are as under `medium`",
    ]
    int8: Annotated[
        str | None,
        "how weights of 8 bits are multiplied here: `vnni`, `avx2`, `neon` or `plain`; null where there are no kernels",
    ]
    int8_cells: Annotated[list[str], "the cells that can have such weights"]
    output_layers: Annotated[
        Literal["native", "torch"],
        "who multiplies the matrices of output layers in float32: the kernels, or torch's library",
    ]
    openmp: Annotated[str, "the OpenMP runtime by whose threads the native kernels run, or that there is none"]
    compiler: Annotated[str, "what compiles cells, its first line of `--version`, or why nothing does"]
    compiled: Annotated[str, "the folder in which compiled cells are kept"]
    cells: Annotated[list[CellInfo], "every registered cell"]


class RunRow(Result):
    """A run folder at a glance."""

    run: Annotated[str, "the run folder"]
    task: Annotated[str, "the task; `?` where damaged"] = "?"
    cell: Annotated[str, "the cell; `?` where damaged"] = "?"
    steps: Annotated[Count, "updates of the weights so far"] = 0
    epochs: Annotated[Count, "whole passes so far"] = 0
    valid_loss: Annotated[float | None, "lowest validation loss; null before the first validation"] = None
    test: Annotated[
        dict[str, Any] | None, "figures on the test data, as evaluate has them; null where there are none"
    ] = None
    state: Annotated[
        Literal["training", "interrupted", "finished", "damaged"],
        "`training` (a process is at it), `interrupted` (stopped before its end), `finished` or `damaged`",
    ] = "damaged"


class Runs(Result):
    """Of `runs`."""

    runs: Annotated[list[RunRow], "the run folders, by name"]


class Trimmed(Result):
    """A run without what only going on with its training needs."""

    run: Annotated[str, "the run folder"]
    freed_bytes: Annotated[Count, "what was removed; 0 where that was done before"]
    bytes: Annotated[Count, "what the run takes now"]


class TrimmedRuns(Result):
    """Of `trim`."""

    runs: Annotated[list[Trimmed], "the run folders, as given"]


class ImportedPart(Result):
    """A part of a file that was found."""

    name: Annotated[str, "as the file has it"]
    what: Annotated[str, "what it is, in words"]
    shapes: Annotated[dict[str, list[int]], "shapes of its arrays, by our names within the part"]


class ImportedLeft(Result):
    """What was not taken."""

    name: Annotated[str, "as the file has it"]
    why: Annotated[str, "the reason"]
    shape: Annotated[list[int], "its shape; empty where it has none, or is of several arrays"]


class Imported(Result):
    """Of `import`."""

    source: Annotated[str, "the file"]
    format: Annotated[str, "which program's"]
    parts: Annotated[list[ImportedPart], "what was found, in the order of the file"]
    left: Annotated[list[ImportedLeft], "what was not taken, or has no place in the run's model"]
    run: Annotated[str | None, "the run folder; null without --out"] = None
    task: Annotated[str | None, "its task; null without --out"] = None
    parameters: Annotated[Count, "numbers in its model; 0 without --out"] = 0


class ExportedTensor(Result):
    """What goes into an exported model, or comes out of it."""

    name: Annotated[str, "what it is called there"]
    axes: Annotated[list[str], "its shape: a letter where a size is free (N sequences, T steps), else the size"]
    kind: Annotated[str, "its dtype"]
    meaning: Annotated[str, "what it is"]


class ExportedFile(Result):
    """A file of an exported model."""

    file: Annotated[str, "its path"]
    bytes: Annotated[Positive, "its size"]
    inputs: Annotated[list[ExportedTensor], "what goes in; empty of a file that is not run by itself"] = field(
        default_factory=list
    )
    outputs: Annotated[list[ExportedTensor], "what comes out; empty as above"] = field(default_factory=list)


class Exported(Result):
    """Of `export`."""

    run: Annotated[str, "the run folder"]
    task: Annotated[str, "its task"]
    to: Annotated[str, "the format"]
    files: Annotated[list[ExportedFile], "what was written"]
    checked: Annotated[Count, "random inputs, of random sizes, on which the files were compared with the run"] = 0
    difference: Annotated[
        Measure | None,
        "largest difference from the run: absolute of numbers up to 1, relative of larger ones; null where unchecked",
    ] = None
    unchecked: Annotated[str | None, "why nothing was compared; null where it was"] = None
    weight_bytes: Annotated[Count | None, "of c: bytes of constants"] = None
    code_bytes: Annotated[Count | None, "of c: bytes of machine code by -O2; null where unknown"] = None
    seconds: Annotated[Measure | None, "of c: of a step, or of a forecast, compiled so; null where unchecked"] = None
