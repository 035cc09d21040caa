"""What can be watched of a trained model, as its task hands it over."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ostinato.inspection.arrays import Array


class Observed(NamedTuple):
    """One sequence as a run's model reads it, so that somebody can look on.

    Attributes:
        pieces: `[T]` what is read at each step; of a text, together they are the text.
        inputs: the model is called with them and with `arguments`, by name.
        arguments: the rest of what it is called with.
        loss: of the model's output, what the model answers at the end of the sequence: a scalar that gradients flow
            back from.
        what: the scalar, in a few words.
        modules: names of the model's recurrent modules that take these steps; others may read something else.
        backward_loss: of the model's output, where layers that read from the end have another end; None: the same.
        pooled: whether every step is part of the scalar by itself, which then does not tell how far gradients reach.
        written: `[T']` what the model writes meanwhile, a piece for each step of its own.
        writers: names of the recurrent modules that take those steps.
        turned: whether the modules read from the last step to the first.
    """

    pieces: list[str]
    inputs: Tensor
    arguments: dict[str, Any]
    loss: Callable[[Any], Tensor]
    what: str
    modules: tuple[str, ...] = ("recurrent",)
    backward_loss: Callable[[Any], Tensor] | None = None
    pooled: bool = False
    written: Sequence[str] = ()
    writers: tuple[str, ...] = ()
    turned: bool = False


class Typed(NamedTuple):
    """What a run's model reads of a text that somebody types.

    Attributes:
        spans: `[T]` where each step's piece stands in the text: begin and end, in characters.
        upto: the first so many steps, from 1 to T, with what the model says behind the last of them.
    """

    spans: list[tuple[int, int]]
    upto: Callable[[int], Observed]


class ObservedText(NamedTuple):
    """A text as a language model reads it, which predicts each token from those in front of it.

    Attributes:
        ids: `[T]` token ids.
        pieces: `[T]` the text of each; together they are the text.
        start: id that the first is predicted from: `<eos>`.
        unknown: id of what the vocabulary has not.
        characters: whether each token is one character, whatever it is shown as.
        text_of: a token id's own text; special tokens by their names.
    """

    ids: Array
    pieces: list[str]
    start: int
    unknown: int | None
    characters: bool
    text_of: Callable[[int], str]


class Batches(NamedTuple):
    """Batches as in training, to measure the gradient of their loss.

    Attributes:
        loss: of the batch of an index, from 0, by the model; called in order.
        total: how many there are.
        clip: norm at which training clipped; 0 where it did not.
        size: of a batch, in words.
    """

    loss: Callable[[int], Tensor]
    total: int
    clip: float
    size: str
