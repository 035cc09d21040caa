"""Of whole sequences of numbers: their answer, what each step moved, and examples to begin with."""

from contextlib import suppress
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.api.run import Run
from ostinato.core.errors import DataError, OstinatoError
from ostinato.data.batching.splits import evenly
from ostinato.data.labelled.examples import Example, Raw
from ostinato.data.labelled.reading import read_labelled
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import laid_out
from ostinato.data.tables.reading import read_table
from ostinato.serving.problems import Problem
from ostinato.studio.studio import Studio, studio_of
from ostinato.studio.trying.asking import able, asked
from ostinato.studio.trying.texts import figures
from ostinato.tasks.contract import Validated
from ostinato.tasks.typed import lines_of, typed_numbers

#: Steps of a sequence, and parts of it that are left out in turn: of a longer one a part is several steps.
_LONGEST, _MOST_PARTS = 20_000, 100
#: Examples that are offered, characters of all of them, and of a sequence that is sent.
_OFFERED, _MOST_CHARACTERS, _MOST_SENT = 40, 4_000_000, 2_000_000


class Numbers(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A sequence.

    Attributes:
        text: a line for each step; of one channel the numbers may stand in a line.
    """

    text: Annotated[str, Meta(min_length=1, max_length=_MOST_SENT)]


class Wanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which examples are asked for.

    Attributes:
        upload: id of a file that was dropped; by default those that the run was validated on.
    """

    upload: str | None = None


async def sequence(request: Request) -> Response:
    """The answer to a sequence: its numbers by channel, and of each part what the figures lose without it."""
    return await asked(request, Numbers, _sequence)


class _Part(NamedTuple):
    begin: int
    end: int


def _sequence(run: Run, body: Numbers) -> dict[str, Any]:
    channels = _channels(run)
    values, _ = typed_numbers(body.text.rstrip() + "\n", len(channels), ", ".join(channels), missing=True)
    if not 1 <= len(values) <= _LONGEST:
        raise DataError(f"expected one to {_LONGEST:,} steps of numbers, got {len(values):,}")
    parts = _parts(len(values))
    answer, *others = run.answer(_examples(values, parts))
    answer.pop("id", None)
    whole = figures(answer)
    without = [figures(other) for other in others]
    shown = [
        {"begin": part.begin, "end": part.end, "moved": {name: whole[name] - other[name] for name in whole}}
        for part, other in zip(parts, without, strict=True)
    ]
    return {"answer": answer, "figures": whole, "channels": channels, "values": values.T.tolist(), "parts": shown}


def _parts(steps: int) -> list[_Part]:
    edges = np.linspace(0, steps, min(steps, _MOST_PARTS) + 1).round().astype(int).tolist()
    return [_Part(begin, end) for begin, end in pairwise(edges)]


def _examples(values: npt.NDArray[np.float64], parts: list[_Part]) -> list[Example]:
    """The sequence, and as often as it has parts the same with one of them missing: read as the mean of training."""
    found = [Example(values, "the sequence")]
    for part in parts:
        without = values.copy()
        without[part.begin : part.end] = np.nan
        found.append(Example(without, "the sequence"))
    return found


async def examples(request: Request) -> Response:
    """Sequences, or texts, to choose from: `text` of each, its `name`, and `there`, what is to be said of it."""
    studio = studio_of(request)
    return await asked(request, Wanted, lambda run, body: _offered(studio, run, body))


def _offered(studio: Studio, run: Run, body: Wanted) -> dict[str, Any]:
    task = able(run, Validated)
    with read_as(run.config["options"].get("encoding") if body.upload is None else None), laid_out(run.layout):
        if body.upload is not None:
            raw = _dropped(run, str(studio.uploads.find(body.upload).path))
        else:
            try:
                raw = task.validated(run)
            except (OstinatoError, OSError, KeyError):
                return {"examples": []}  # not at hand: nothing is offered
    return {"examples": _told(run, raw)}


def _told(run: Run, raw: Raw) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    left = _MOST_CHARACTERS
    for row in evenly(len(raw), _OFFERED).tolist():
        values = raw.inputs[row]
        text = values if isinstance(values, str) else lines_of(values)
        left -= len(text)
        if left < 0 and found:
            break
        there = raw.labels[row]
        if raw.targets is not None:
            numbers = (f"{value:.5g}" for value in raw.targets[row])
            there = ", ".join(f"{name} {value}" for name, value in zip(run.codec.targets, numbers, strict=False))
        found.append({"name": raw.keys[row] if raw.keys else str(row + 1), "there": there, "text": text})
    return found


def _dropped(run: Run, path: str) -> Raw:
    """The sequences of a file: as those trained on, with or without what is to be learned, or one of columns alone."""
    with suppress(OstinatoError):
        return able(run, Validated).labelled(run, [path])
    columns = run.codec.reads.columns
    try:
        return read_labelled(path, columns, labels=False)
    except OstinatoError:
        if run.codec.tokenizer is not None or path.endswith(".ts"):
            raise
        table = read_table(path)
        own = [name for name in columns.values if name in table.columns] or list(table.columns)
        values = np.stack([table.numbers(name) for name in own], axis=1)
        return Raw(table.name, [values], [None], table.place, None, table.digest)


def _channels(run: Run) -> list[str]:
    """Names of the numbers of a step."""
    scale = getattr(getattr(run.codec, "reads", None), "scale", None)
    if scale is None:
        raise Problem(409, f"a run of task {run.config['task']!r} on this data reads no sequences of numbers")
    return list(run.codec.reads.columns.values) or [str(number + 1) for number in range(len(scale.mean))]


ROUTES = [
    Route("/studio/try/{name}/sequence", sequence, methods=["POST"]),
    Route("/studio/try/{name}/examples", examples, methods=["POST"]),
]
