"""What a run folder records, by type: every config.json, looked at once when it is opened, and the lines of metrics."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from ostinato.core.advice import Advice
from ostinato.core.errors import RunFolderError
from ostinato.core.results import Count, Measure, Result, when

#: A whole number of something that there is.
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]


class Part(msgspec.Struct):
    """A part of the data: files, and the SHA-256 of their content."""

    files: list[str]
    sha256: str


class Data(msgspec.Struct):
    """What was trained and validated on, and tested on where there was something."""

    train: Part
    valid: Part
    test: Part | None = None


class Recorded(msgspec.Struct):
    """What all tasks have in common."""

    format: int
    task: str
    model: dict[str, Any]
    options: dict[str, Any]
    versions: dict[str, str]
    data: Data


class Tested(msgspec.Struct, kw_only=True):
    """What test.json says: what `--test` said, the fingerprint of the files it named, and what `evaluate` gave."""

    data: str | None = None
    fingerprint: str | None = None
    figures: dict[str, Any]


#: What is counted and measured at a line of metrics.jsonl, by the names of the task.
LineFigures: TypeAlias = Annotated[
    dict[str, float], "what is counted (tokens, examples), by its name and a second, and the figures: loss and others"
]


#: What is counted at a line of advice.
LineCounts: TypeAlias = Annotated[dict[str, int], "what is counted (tokens, examples), by its name"]


class LineStart(Result):
    """What each line of metrics.jsonl begins with."""

    step: Annotated[Count, "optimiser steps so far"]
    epoch: Annotated[Count, "the one that it is of, from 1"]


class TrainingLine(Result):
    """An interval of training."""

    lr: Annotated[Measure, "learning rate of its last step"]
    gradient_norm: Annotated[Measure, "before clipping, the mean over its steps"]
    clipped: Annotated[Measure, "share of its steps whose gradient was clipped"]
    waiting: Annotated[
        Measure | msgspec.UnsetType,
        "share of the time that processes waited for each other, the mean over them",
        when("with several processes"),
    ] = msgspec.UNSET


class ValidationLine(Result):
    """A validation; its figures are called `valid_`."""

    best: Annotated[bool, "whether these weights are now the run's"]


class AdviceLine(Result):
    """What was said of a training that goes wrong."""

    advice: Annotated[Advice, "in words; of each diagnosis the first time"]


class LineEnd(Result):
    """What each line ends with."""

    seconds: Annotated[Measure, "of training so far, in all commands"]


def require_recorded(config: Mapping[str, Any], name: str, more: Mapping[str, Any]) -> None:
    """Check that a configuration says what it must, each of its type.

    Args:
        config: as config.json has it.
        name: of the file, as the message begins.
        more: what the task needs besides: its type by its name, "decoding.max_length" for one within another.

    Raises:
        RunFolderError: something is missing, or of another type.
    """
    try:
        msgspec.convert(config, Recorded)
        for path, kind in more.items():
            within: Any = config
            for key in path.split("."):
                if not isinstance(within, Mapping) or key not in within:
                    raise msgspec.ValidationError(f"Object missing required field `{path}`")
                within = within[key]
            msgspec.convert(within, kind)
    except msgspec.ValidationError as error:
        raise RunFolderError(f"{name}: damaged, it does not describe a run: {error}") from None
