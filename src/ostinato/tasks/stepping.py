"""What a server asks of a task besides: many texts side by side, and answers to each step of a sequence as it comes."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from ostinato.tasks.trained import Trained


class TextUnderWay(Protocol):
    """A text that is being written.

    Attributes:
        done: whether nothing more is to be written.
        after: the last sign of what stands in front of the next token.
    """

    done: bool
    after: str

    def take(self, token: int) -> str:
        """The text that one more token settles."""


class Rows(Protocol):
    """Sequences side by side, which come and go between steps; each has the same numbers as alone, to the last bit.

    Attributes:
        batched: whether a step of the model is one of several; texts may then be read in parts, too.
        at_once: how many at most.
        form: shape and dtype of each field of a sequence's state, by name.
    """

    batched: bool
    at_once: int
    form: dict[str, tuple[tuple[int, ...], Any]]

    def read(self, ids: Sequence[int], state: Any) -> Any:
        """Read some tokens from a state, None for the beginning; returns the state behind them."""

    def begin(self, ids: Sequence[int], state: Any) -> tuple[Any, Any]:
        """The same, with the scores `[1, V]` of what comes next in front."""

    def join(self, state: Any) -> int:
        """Add a sequence, from a state, None for the beginning; its place."""

    def leave(self, place: int) -> Any:
        """Take a sequence out and return its state."""

    def step(self, places: Sequence[int], tokens: Sequence[int]) -> Any:
        """Let some sequences, at most `at_once`, read a token each; the scores of what comes next, `[N, V]`."""

    def choose(self, scores: Any, texts: Sequence[Any]) -> list[int]:
        """The next token of each text."""


@runtime_checkable
class WritesTogether(Protocol):
    """A task that writes many texts side by side."""

    def writing(
        self, run: Trained, prompt: str, length: int, options: Any, *, stop: str | None, after: str = ""
    ) -> tuple[list[int], TextUnderWay]:
        """Tokens of a prompt, which may stand `after` a text; and the text that goes on from it.

        Raises:
            DataError: a prompt that the model cannot read.
        """

    def rows(self, run: Trained, capacity: int) -> Rows:
        """Its model's sequences, so many at most."""


class Steps(Protocol):
    """A model's sequences that come step by step, each from whom it likes; some take a step together, and have the same
    answers as alone, to the last bit.

    Attributes:
        at_once: how many at most.
    """

    at_once: int

    def begin(self) -> Any:
        """A new sequence."""

    def read(self, sequence: Any, step: Any) -> Any:
        """The next step of a sequence, as the model takes it; the sequence is as before.

        Raises:
            DataError: a step that the model cannot read, or that does not follow.
        """

    def push(self, sequences: Sequence[Any], read: Sequence[Any]) -> list[Any]:
        """Let some sequences, at most `at_once`, take a step each; what is said of each then, as `predict` says it, and
        None as long as there is nothing to say."""


@runtime_checkable
class AnswersSteps(Protocol):
    """A task some of whose runs answer each step of a sequence, as it comes."""

    def steps(self, run: Trained) -> Steps:
        """Its model's sequences.

        Raises:
            ConfigError: a model that has to see the end of a sequence first.
        """
