"""What is found out about a cell: `ostinato.check_cell` gives it, and `ostinato check-cell --json` prints it."""

from typing import Annotated, Literal, TypeAlias

from ostinato.core.results import Count, Measure, Positive, Result

Form: TypeAlias = Literal["fused", "phases", "scan", "reference"]


class Phase(Result):
    """What a step computes between two levels of products."""

    direction: Annotated[Literal["forward", "backward"], "which way"]
    number: Annotated[Count, "from 0 on; in the first, products of inputs are there already"]
    products: Annotated[Count, "products that have to be ready before it, each of a gate or a head"]
    operations: Annotated[Count, "operations on units one by one"]
    reductions: Annotated[Count, "sums and largest numbers over units: each ends a loop"]


class Kept(Result):
    """A value that forward keeps for backward."""

    value: Annotated[str, "the operation that made it, and its line where that is known"]
    floats: Annotated[Positive, "numbers of it, for a sequence and step"]


class Difference(Result):
    """How far numbers in float32 are from the reference in float64."""

    of: Annotated[str, "a result, or the tensor that a gradient is by"]
    largest: Annotated[Measure, "its largest number"]
    compiled: Annotated[Measure | None, "largest difference of the compiled cell, over `largest` or 1; null: NaN"]
    loop: Annotated[Measure | None, "the same of the reference in float32"]
    agrees: Annotated[bool, "whether the compiled cell is as near as float32 allows"]


class Speed(Result):
    """Forward and backward, medians side by side."""

    batch: Annotated[Positive, "sequences at once"]
    steps: Annotated[Positive, "of each"]
    threads: Annotated[Positive, "computing"]
    loop: Annotated[Measure, "of the reference, in milliseconds"]
    compiled: Annotated[Measure | None, "in milliseconds; null where it is not compiled"]
    times: Annotated[Measure | None, "how many times as fast as the reference; null where it is not compiled"]


class CellReport(Result):
    """How a cell runs."""

    name: Annotated[str, "the cell"]
    configuration: Annotated[str, "with its sizes and options"]
    form: Annotated[Form, "what it compiles to; `reference` where it does not"]
    reason: Annotated[str, "why it is not compiled: the operation and its line; empty where it is"]
    compiling: Annotated[Measure, "seconds that compiling took; 0 where it was in the cache"]
    runs_on: Annotated[str, "who runs it in a layer, in float32: `native`, `torch`, `compiled` or `reference`"]
    phases: Annotated[list[Phase], "of both directions, as they follow from the equations; empty on the reference"]
    kept: Annotated[list[Kept], "for backward"]
    kept_floats: Annotated[Count, "stored for backward, for a sequence and step, padding included"]
    differences: Annotated[list[Difference], "of outputs, states and gradients; empty on the reference"]
    agrees: Annotated[bool, "whether all of them are small"]
    speed: Annotated[Speed, "beside the reference"]


class CheckedCells(Result):
    """Of `check-cell`."""

    file: Annotated[str, "as given"]
    cells: Annotated[list[CellReport], "each cell of it"]
