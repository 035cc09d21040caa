"""What is trained: model, loss, data and validation, as the loop takes them from a task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeAlias

from torch import Tensor, nn

from ostinato.config.training import DEFAULT_EPOCHS
from ostinato.core.batch import Batch
from ostinato.optim import LayerWise


class Batches(Protocol):
    """The batches of every epoch.

    Attributes:
        carried: whether each batch goes on where the one before ended, so that the state is carried over; the model
            then takes a `state` and its output has one.
    """

    carried: bool

    def __len__(self) -> int:
        """Batches in an epoch."""

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """One of them; of several processes, this one's part."""

    def part(self, rank: int, world: int) -> Self:
        """The same batches as process number `rank` of `world` sees them.

        Raises:
            ConfigError, DataError: batches that cannot be shared by so many.
        """


#: Mean loss on the validation data; or figures by name, `loss` among them.
Validation: TypeAlias = float | Mapping[str, float]


@dataclass(frozen=True)
class Guess:
    """What a validation would give for an answer that looks at nothing, and is the same everywhere or nearly so.

    Attributes:
        figure: which of the validation's.
        value: what it would be.
        what: what is guessed, in words: "always 'neg', the commonest label".
        higher: whether more of the figure is better.
        spread: a standard error of it, as there are only so many examples; 0 where nobody knows.
        above: further figures that show, above these values, that a model looks at what it is given.
        below: those that show it below these.
    """

    figure: str
    value: float
    what: str
    higher: bool = False
    spread: float = 0.0
    above: Mapping[str, float] = field(default_factory=dict)
    below: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What is trained: the only place where model, loss, data and validation meet.

    Attributes:
        model: called with a batch's `inputs` and `arguments()`, and with `state` where state is carried.
        loss: `(output, Batch) -> scalar`, the mean over the batch's `tokens`.
        batches: of every epoch.
        validate: the model's figures on the validation data; the model comes in eval mode.
        figure: name and formula of a figure people read, from a mean loss: perplexity, bits per character.
        validation_share: tokens to validate over tokens of an epoch, to keep time for a last validation.
        best: the figure of `validate` that the best weights are chosen by; where it is equal, by the loss. None where
            validation says too little to choose by: the last weights are taken for the best.
        higher: whether more of it is better.
        unit: what the loss is a mean over and speed is counted in: "tokens", "examples", "windows".
        epochs: passes over the data where no option says how long.
        patience: validations without improvement after which to stop, where no option says, and only the clock would
            end the training; 0 means never.
        time_share: of the time limit, what the loop may use up: something else comes after it.
        lr: the highest learning rate where no option says.
        valid_every: optimiser steps between validations where no option says; 0 is the loop's own choice.
        measured: what validations measure: "fit" where there is no data but that which is trained on.
        penalty: of an output, added to the loss that is trained on; figures are without it.
        about: one line on what is trained, and on what it is validated.
        layers: what sets the layers of a pretrained model apart; None where all learn alike.
        guess: what guessing would be worth; None where the task has no word for it, or nothing to measure it on.
        smoothed: whether `loss` is that of smoothed targets: `figure` says nothing of it then, only of validations.
    """

    model: nn.Module
    loss: Callable[[Any, Batch], Tensor]
    batches: Batches
    validate: Callable[[nn.Module], Validation]
    figure: tuple[str, Callable[[float], float]] | None = None
    validation_share: float = 0.1
    best: str | None = "loss"
    higher: bool = False
    unit: str = "tokens"
    epochs: int = DEFAULT_EPOCHS
    patience: int = 0
    time_share: float = 1.0
    penalty: Callable[[Any], Tensor] | None = None
    smoothed: bool = False
    lr: float = 0.004
    valid_every: int = 0
    measured: str = "validation"
    about: str = ""
    layers: LayerWise | None = None
    guess: Callable[[], Guess | None] | None = None

    def figures(self, found: Validation) -> dict[str, float]:
        """What `validate` gave, as figures by name, with `figure` beside the loss."""
        figures = {"loss": found} if isinstance(found, float | int) else dict(found)
        return figures | self.figure_of(figures["loss"])

    def figure_of(self, loss: float) -> dict[str, float]:
        """`figure` of a mean loss, by its name."""
        return {} if self.figure is None else {self.figure[0]: self.figure[1](loss)}

    def rank(self, figures: Mapping[str, float]) -> tuple[float, float]:
        """The lower, the better."""
        if self.best is None:
            return figures["loss"], figures["loss"]
        return (-1 if self.higher else 1) * figures[self.best], figures["loss"]

    def improves(self, figures: Mapping[str, float], on: Mapping[str, float]) -> bool:
        """Whether a validation is the best so far: its figures improve on the best before, if any."""
        return not on or self.best is None or self.rank(figures) < self.rank(on)
