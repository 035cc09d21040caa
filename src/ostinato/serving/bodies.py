"""What comes in and goes out, as types: bodies are checked against them, and the OpenAPI page is made of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ostinato.core.results import Count, Positive, Result


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a request holds: an unknown field is refused, so that a misspelt one is not silently left out."""


class AnswerRequest(Body):
    """Inputs to answer."""

    inputs: Annotated[
        list[Any],
        Meta(
            min_length=1,
            description="texts; lists of tokens; sequences of numbers, `[T]` or `[T, D]`; or a table's rows as "
            "objects. All of one kind",
        ),
    ]
    options: Annotated[
        dict[str, Any], Meta(description="options of `ostinato predict` that the run's task takes, such as `beam`")
    ] = {}


class AnswerResponse(Result):
    """Answers."""

    outputs: Annotated[list[Any], "one for each input, of forecasts one for each step: as `ostinato predict` has them"]


class GenerateRequest(Body):
    """How to write on."""

    prompt: Annotated[str, Meta(description="where to go on from; of a session, what it reads first")] = ""
    length: Annotated[int, Meta(ge=0, description="tokens to write")] = 200
    temperature: Annotated[float, Meta(ge=0, description="below 1 more cautious, above bolder; 0 is greedy")] = 1.0
    top_k: Annotated[int, Meta(ge=0, description="choose among the k most probable tokens; 0 means all")] = 0
    top_p: Annotated[
        float, Meta(gt=0, le=1, description="choose among the most probable tokens that make up this share together")
    ] = 1.0
    greedy: Annotated[bool, Meta(description="always the most probable token")] = False
    seed: Annotated[int | None, Meta(description="of the random choice; the same seed writes the same text")] = None
    stop: Annotated[str | None, Meta(description="end once this text has been written")] = None
    stream: Annotated[bool, Meta(description="send the text as it is written, as server-sent events")] = False

    def sampling(self) -> dict[str, Any]:
        """The options of `ostinato generate` that say how a token is chosen."""
        return {name: getattr(self, name) for name in ("temperature", "top_k", "top_p", "greedy", "seed")}


class SessionRequest(Body):
    """How a session begins."""

    prompt: Annotated[str, Meta(description="what it has read; by default it is at the beginning of a text")] = ""


class SessionMade(Result):
    """A new session."""

    id: Annotated[str, "by which requests call it; nobody else can guess it"]


class GenerateResponse(Result):
    """What was written."""

    text: Annotated[str, "without the prompt"]


class StreamRequest(GenerateRequest):
    """Of WebSocket: how to write on, or to write no more."""

    cancel: Annotated[bool, Meta(description="write no more of the text under way; all else then says nothing")] = False


class PushSteps(Body):
    """Of WebSocket: steps of a sequence, one or some."""

    step: Annotated[
        Any, Meta(description="a number, numbers of each channel, a piece of text, or a row: its cells by column")
    ] = UNSET
    steps: Annotated[list[Any] | UnsetType, Meta(description="several in order")] = UNSET

    def taken(self) -> list[Any]:
        """All of them in order."""
        return [*([] if self.step is UNSET else [self.step]), *(self.steps or [])]


class Output(Result):
    """Of WebSocket: the answer to a step."""

    output: Annotated[Any, "as `ostinato predict` has it, of all steps so far; null where there is nothing to say yet"]


class Piece(Result):
    """An event of a stream: the next piece of a text."""

    text: Annotated[str, "what was written since the last event"]


class Done(Result):
    """The last event of a stream."""

    done: Annotated[bool, "always true"] = True


class Served(Result, kw_only=True):
    """A run that is served."""

    name: Annotated[str, "the run folder's name, by which requests call it"]
    task: Annotated[str, "what it is for"]
    cell: Annotated[str, "its recurrent cell"]
    parameters: Annotated[Positive, "numbers in the model"]
    generates: Annotated[bool, "whether it writes on, and keeps sessions"]
    answers: Annotated[bool, "whether it answers inputs"]
    streams: Annotated[bool, "whether it takes steps of a sequence one by one, and answers each"]
    model: Annotated[dict[str, Any], "sizes of the model, as config.json has them"]
    sessions: Annotated[Count, "sessions that it keeps now"] = 0


class ServedRuns(Result):
    """All of them."""

    runs: Annotated[list[Served], "by name"]


class Health(Result):
    """Whether the server is there."""

    status: Annotated[str, "`ok`, or `ending`: answers that run finish, and new ones are refused"]
