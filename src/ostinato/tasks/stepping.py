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
        batched: whether one step of the model is a step of all of them; texts may then be read in parts, too.
        form: shape and dtype of each field of a sequence's state, by name.
    """

    batched: bool
    form: dict[str, tuple[tuple[int, ...], Any]]

    def __len__(self) -> int: ...

    def read(self, ids: Sequence[int], state: Any) -> Any:
        """Read some tokens from a state, None for the beginning; returns the state behind them."""

    def begin(self, ids: Sequence[int], state: Any) -> tuple[Any, Any]:
        """The same, with the scores `[1, V]` of what comes next in front."""

    def join(self, state: Any) -> None:
        """Add a sequence, as the last row."""

    def leave(self, row: int) -> Any:
        """Take a sequence out and return its state; the last row then has its place."""

    def step(self, tokens: Sequence[int]) -> Any:
        """Let each sequence read a token; the scores of what comes next, `[N, V]`."""

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


class StepAnswers(Protocol):
    """A sequence that comes step by step."""

    def push(self, step: Any) -> Any:
        """What is said after one more step, as `predict` says it; None as long as there is nothing to say.

        Raises:
            DataError: a step that the model cannot read.
        """


@runtime_checkable
class AnswersSteps(Protocol):
    """A task some of whose runs answer each step of a sequence, as it comes."""

    def steps(self, run: Trained) -> StepAnswers:
        """A new sequence.

        Raises:
            ConfigError: a model that has to see the end of a sequence first.
        """
