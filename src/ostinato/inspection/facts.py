"""What `ostinato inspect --json` prints of each view."""

from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Result, when

_TWO_ENDS = when("functions with two ends")
_BATCHES = when("language models")


class Inspected(Result):
    """Of every view: what comes first."""

    run: Annotated[str, "the run folder"]
    task: Annotated[str, "its task"]
    view: Annotated[str, "what was looked at"]


class Files(Result):
    """Of every view: what comes last."""

    files: Annotated[list[str], "names of the files written to --out"]


class GateFacts(Result):
    """A gate of a layer."""

    gate: Annotated[str, "its letter"]
    function: Annotated[str, "the squashing function it passed through"]
    mean: Annotated[float, "mean over steps and units"]
    left: Annotated[float | UnsetType, "share of steps left-saturated, mean over the units", _TWO_ENDS] = UNSET
    right: Annotated[float | UnsetType, "share of steps right-saturated, mean over the units", _TWO_ENDS] = UNSET
    limits: Annotated[
        list[float] | UnsetType,
        "below the first a step counts as left-saturated, above the second as right-saturated",
        _TWO_ENDS,
    ] = UNSET
    left_by_unit: Annotated[list[float] | UnsetType, "the same for each unit", _TWO_ENDS] = UNSET
    right_by_unit: Annotated[list[float] | UnsetType, "the same for each unit", _TWO_ENDS] = UNSET


class StateFacts(Result):
    """A field of a cell's state."""

    field: Annotated[str, "of the cell's state"]
    mean_absolute: Annotated[float, "mean absolute value"]


class LayerFacts(Result):
    """A layer, in one direction."""

    layer: Annotated[str, "which layer, counted from 1"]
    cell: Annotated[str, "its cell"]
    unseen: Annotated[list[str], "gates whose values do not come to light"]
    gates: Annotated[list[GateFacts], "in the cell's order"]
    states: Annotated[list[StateFacts], "in the cell's order"]


class GatesFacts(Result):
    """Of `gates`."""

    steps: Annotated[Count, "steps read"]
    layers: Annotated[list[LayerFacts], "a row a layer and direction"]


class FieldFacts(Result):
    """How far back the gradient by a field of the state reaches."""

    field: Annotated[str, "of the cell's state"]
    last: Annotated[float, "norm of the gradient by the last state, median over the sequences"]
    first: Annotated[float, "the same by the first state"]
    factor: Annotated[
        float | None,
        "from a step to the one before it, geometric mean; null where every step is part of the loss by itself",
    ]


class CourseFacts(Result):
    """The gradient's way back through a layer."""

    run: Annotated[str, "the run folder"]
    trained: Annotated[bool, "false for untrained layers of another cell in the run's model"]
    cell: Annotated[str, "the cell"]
    layer: Annotated[str, "which layer, counted from 1"]
    spectral_radius: Annotated[
        dict[str, float],
        "of each gate's block of the recurrent weights, by gate; empty where the blocks are not square",
    ]
    fields: Annotated[list[FieldFacts], "one a field of the state"]


class GradientsFacts(Result):
    """Of `gradients`."""

    of: Annotated[str, "whose gradient: the scalar that was derived, in words"]
    steps: Annotated[Count, "steps that the gradient was followed back"]
    courses: Annotated[list[CourseFacts], "a row a layer, of the run, of those beside it and of untrained cells"]
    clip: Annotated[float | UnsetType, "threshold of the run; 0 clips nothing", _BATCHES] = UNSET
    batches: Annotated[Count | UnsetType, "batches whose gradient was measured", _BATCHES] = UNSET
    gradient_norm: Annotated[list[float] | UnsetType, "of each batch, before clipping", _BATCHES] = UNSET
    clipped: Annotated[float | UnsetType, "share of the batches whose norm is above the threshold", _BATCHES] = UNSET


class UnitFacts(Result):
    """A unit that follows a property."""

    unit: Annotated[str, "layer (from 1), field of the state or gate, and unit (from 0), as `--unit` takes it"]
    score: Annotated[float, "on the half of the text that it was not chosen on: Pearson's correlation, or AUC"]
    chosen: Annotated[float, "on the half that it was chosen on"]
    direction: Annotated[
        Literal["up", "down", "none"],
        "`up`: higher where the property is higher, or holds; `down`: lower there; `none`: near chance (a correlation "
        "within 0.2 of 0, an AUC within 0.1 of 0.5), or not the same on both halves",
    ]


class PropertyFacts(Result):
    """A property of the text, and who follows it."""

    property: Annotated[str, "of the text"]
    measure: Annotated[
        Literal["correlation", "AUC"], "`correlation` with a number, `AUC` for yes or no (0.5: knows nothing)"
    ]
    units: Annotated[list[UnitFacts], "that follow it best, the best first"]
    asked: Annotated[UnitFacts | UnsetType, "the unit of `--unit`", when("`--unit`")] = UNSET


class UnitsFacts(Result):
    """Of `units`."""

    tokens: Annotated[Count, "tokens read"]
    left_out: Annotated[list[str], "properties that do not change in both halves of the text"]
    properties: Annotated[list[PropertyFacts], "what can be followed"]


class KindFacts(Result):
    """A kind of token."""

    kind: Annotated[str, "of token"]
    tokens: Annotated[Count, "how many"]
    mean_loss: Annotated[float, "nats a token"]
    share: Annotated[float, "of the whole loss"]


class LossFacts(Result):
    """Of `loss`."""

    tokens: Annotated[Count, "tokens read"]
    loss: Annotated[float, "nats a token"]
    kinds: Annotated[list[KindFacts], "the largest share first"]


class TrainingRow(Result):
    """A training at a glance."""

    run: Annotated[str, "the run folder"]
    task: Annotated[str, "its task"]
    steps: Annotated[Count, "updates of the weights"]
    seconds: Annotated[float, "of training"]
    loss: Annotated[float | None, "of the last interval"]
    valid_loss: Annotated[float | None, "the lowest"]
    lr: Annotated[float | None, "of the last interval"]
    gradient_norm: Annotated[float | None, "before clipping, median of the intervals"]
    clipped: Annotated[float | None, "share of the updates"]
    speed: Annotated[float | None, "tokens (examples, ...) a second, median of the intervals"]


class TrainingFacts(Result):
    """Of `training`."""

    runs: Annotated[list[TrainingRow], "the run, and those beside it"]
