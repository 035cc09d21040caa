"""What `ostinato inspect --json` prints of each view."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Result, when

_TWO_ENDS = when("functions with two ends")
_BATCHES = when("language models")


class Inspected(Result):
    """Of every view: what comes first."""

    run: str
    """the run folder"""

    task: str
    """its task"""

    view: str
    """what was looked at"""


class Files(Result):
    """Of every view: what comes last."""

    files: list[str]
    """names of the files written to --out"""


class GateFacts(Result):
    """A gate of a layer."""

    gate: str
    """its letter"""

    function: str
    """the squashing function it passed through"""

    mean: float
    """mean over steps and units"""

    left: Annotated[float | UnsetType, _TWO_ENDS] = UNSET
    """share of steps left-saturated, mean over the units"""

    right: Annotated[float | UnsetType, _TWO_ENDS] = UNSET
    """share of steps right-saturated, mean over the units"""

    limits: Annotated[list[float] | UnsetType, _TWO_ENDS] = UNSET
    """below the first a step counts as left-saturated, above the second as right-saturated"""

    left_by_unit: Annotated[list[float] | UnsetType, _TWO_ENDS] = UNSET
    """the same for each unit"""

    right_by_unit: Annotated[list[float] | UnsetType, _TWO_ENDS] = UNSET
    """the same for each unit"""


class StateFacts(Result):
    """A field of a cell's state."""

    field: str
    """of the cell's state"""

    mean_absolute: float
    """mean absolute value"""


class LayerFacts(Result):
    """A layer, in one direction."""

    layer: str
    """which layer, counted from 1"""

    cell: str
    """its cell"""

    unseen: list[str]
    """gates whose values do not come to light"""

    gates: list[GateFacts]
    """in the cell's order"""

    states: list[StateFacts]
    """in the cell's order"""


class GatesFacts(Result):
    """Of `gates`."""

    steps: Count
    """steps read"""

    layers: list[LayerFacts]
    """a row a layer and direction"""


class FieldFacts(Result):
    """How far back the gradient by a field of the state reaches."""

    field: str
    """of the cell's state"""

    last: float
    """norm of the gradient by the last state, median over the sequences"""

    first: float
    """the same by the first state"""

    factor: float | None
    """from a step to the one before it, geometric mean; null where every step is part of the loss by itself"""


class CourseFacts(Result):
    """The gradient's way back through a layer."""

    run: str
    """the run folder"""

    trained: bool
    """false for untrained layers of another cell in the run's model"""

    cell: str
    """the cell"""

    layer: str
    """which layer, counted from 1"""

    spectral_radius: dict[str, float]
    """of each gate's block of the recurrent weights, by gate; empty where the blocks are not square"""

    fields: list[FieldFacts]
    """one a field of the state"""


class GradientsFacts(Result):
    """Of `gradients`."""

    of: str
    """whose gradient: the scalar that was derived, in words"""

    steps: Count
    """steps that the gradient was followed back"""

    courses: list[CourseFacts]
    """a row a layer, of the run, of those beside it and of untrained cells"""

    clip: Annotated[float | UnsetType, _BATCHES] = UNSET
    """threshold of the run; 0 clips nothing"""

    batches: Annotated[Count | UnsetType, _BATCHES] = UNSET
    """batches whose gradient was measured"""

    gradient_norm: Annotated[list[float] | UnsetType, _BATCHES] = UNSET
    """of each batch, before clipping"""

    clipped: Annotated[float | UnsetType, _BATCHES] = UNSET
    """share of the batches whose norm is above the threshold"""


class UnitFacts(Result):
    """A unit that follows a property."""

    unit: str
    """layer (from 1), field of the state and unit (from 0), as `--unit` takes it"""

    score: float
    """on the half of the text that it was not chosen on: Pearson's correlation, or AUC"""

    chosen: float
    """on the half that it was chosen on"""


class PropertyFacts(Result):
    """A property of the text, and who follows it."""

    property: str
    """of the text"""

    measure: Literal["correlation", "AUC"]
    """`correlation` with a number, `AUC` for yes or no (0.5: knows nothing)"""

    units: list[UnitFacts]
    """that follow it best, the best first"""


class UnitsFacts(Result):
    """Of `units`."""

    tokens: Count
    """tokens read"""

    left_out: list[str]
    """properties that do not change in both halves of the text"""

    properties: list[PropertyFacts]
    """what can be followed"""


class KindFacts(Result):
    """A kind of token."""

    kind: str
    """of token"""

    tokens: Count
    """how many"""

    mean_loss: float
    """nats a token"""

    share: float
    """of the whole loss"""


class LossFacts(Result):
    """Of `loss`."""

    tokens: Count
    """tokens read"""

    loss: float
    """nats a token"""

    kinds: list[KindFacts]
    """the largest share first"""


class TrainingRow(Result):
    """A training at a glance."""

    run: str
    """the run folder"""

    task: str
    """its task"""

    steps: Count
    """updates of the weights"""

    seconds: float
    """of training"""

    loss: float | None
    """of the last interval"""

    valid_loss: float | None
    """the lowest"""

    lr: float | None
    """of the last interval"""

    gradient_norm: float | None
    """before clipping, median of the intervals"""

    clipped: float | None
    """share of the updates"""

    speed: float | None
    """tokens (examples, ...) a second, median of the intervals"""


class TrainingFacts(Result):
    """Of `training`."""

    runs: list[TrainingRow]
    """the run, and those beside it"""


#: What a view prints between `Inspected` and `Files`, by its name.
FACTS: dict[str, type[Result]] = {
    "gates": GatesFacts,
    "gradients": GradientsFacts,
    "units": UnitsFacts,
    "loss": LossFacts,
    "training": TrainingFacts,
}
