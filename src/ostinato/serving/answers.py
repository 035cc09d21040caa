"""POST /v1/runs/NAME/answer: what `ostinato predict` answers, of inputs as JSON or of a file of the task's own kind."""

from __future__ import annotations

import base64
import binascii
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostinato.api import Run
from ostinato.config.serving import ServeLimits
from ostinato.core.errors import DataError, OstinatoError
from ostinato.serving.bodies import AnswerRequest, AnswerResponse
from ostinato.serving.exchange import answered, body_of, read
from ostinato.serving.problems import Problem
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import serving_of
from ostinato.tasks.commands import declared, options_of_task, reading_of
from ostinato.tasks.contract import Predicts

#: Endings of files that may be sent. None of them is packed: a small body stays small.
FORMATS = ("csv", "tsv", "jsonl", "txt", "conll", "conllu", "ts", "png", "jpg")
FORMAT = "of a body that is a file, not JSON: the ending that its name would have"
_PICTURES = frozenset({"png", "jpg"})

#: Answers to one input, at most: steps of a forecast.
_ANSWERS = 1_000


async def answer(request: Request) -> Response:
    """Answer inputs, or those in a file.

    A run that sees pictures takes them as base64, or one as a file.
    """
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]
    ending = request.query_params.get("format")
    if ending is not None:
        if ending not in FORMATS:
            raise Problem(422, f"format: expected one of {', '.join(FORMATS)}, got {ending[:40]!r}")
        content = await body_of(request, serving.limits)
        outputs = await serving.compute(_of_file, served, content, ending, serving.limits)
    else:
        asked = await read(request, AnswerRequest, serving.limits)
        _require_lengths(asked, serving.limits)
        outputs = await serving.compute(_of_inputs, served, asked, serving.limits)
    return answered(AnswerResponse(outputs=outputs))


def _require_lengths(asked: AnswerRequest, limits: ServeLimits) -> None:
    if len(asked.inputs) > limits.limit_inputs:
        raise Problem(413, f"expected at most {limits.limit_inputs:,} inputs, got {len(asked.inputs):,}")
    for number, each in enumerate(asked.inputs):
        if isinstance(each, str | list) and len(each) > limits.limit_length and not _maybe_picture(each):
            raise Problem(
                422, f"inputs[{number}]: expected a length of at most {limits.limit_length:,}, got {len(each):,}"
            )


def _maybe_picture(text: Any) -> bool:
    """Whether it begins as PNG or JPEG in base64 do."""
    return isinstance(text, str) and text.startswith(("iVBORw0KGgo", "/9j/"))


def _of_inputs(served: ServedRun, asked: AnswerRequest, limits: ServeLimits) -> list[Any]:
    run = _answering(served)
    options = options_for(run, asked.options)
    if not _sees(run):
        return _answers(served, run, asked.inputs, options, limits)
    pictures = [_picture(number, each) for number, each in enumerate(asked.inputs)]
    with _folder() as folder:
        names = [f"{number}.png" for number in range(len(pictures))]
        for name, content in zip(names, pictures, strict=True):
            (folder / name).write_bytes(content)
        return _answers(served, run.seeing(images=folder), names, options, limits)


def _of_file(served: ServedRun, content: bytes, ending: str, limits: ServeLimits) -> list[Any]:
    run = _answering(served)
    if _sees(run) != (ending in _PICTURES):  # a table of pictures names files: none that come from the net are opened
        expected = "png or jpg" if _sees(run) else ", ".join(kind for kind in FORMATS if kind not in _PICTURES)
        raise Problem(422, f"format: expected {expected} for a run of task {run.config['task']!r}, got {ending}")
    with _folder() as folder:
        name = f"input.{ending}"
        (folder / name).write_bytes(content)
        if ending in _PICTURES:
            return _answers(served, run.seeing(images=folder), [name], {}, limits)
        return _answers(served, run, folder / name, {}, limits)


def _answering(served: ServedRun) -> Run:
    run = served.model.run
    if not isinstance(run.task, Predicts):
        raise Problem(409, f"a run of task {run.config['task']!r} answers nothing; /generate lets it write")
    return run


def _answers(served: ServedRun, run: Run, source: Any, options: dict[str, Any], limits: ServeLimits) -> list[Any]:
    with served.model.computing:
        found = itertools.islice(run.answers(source, **options), limits.limit_inputs * _ANSWERS)
        return [plain(each) for each in found]


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for files of a request, which errors do not name."""
    with tempfile.TemporaryDirectory(prefix="ostinato-serve-") as name:
        try:
            yield Path(name)
        except OstinatoError as error:
            raise DataError(str(error).replace(f"{name}/", "").replace(name, "the request")) from None


def _sees(run: Run) -> bool:
    """Whether a run looks at pictures, which its other inputs name."""
    return "images" in get_type_hints(reading_of(run.config["task"]))


def _picture(number: int, given: Any) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Problem(422, f"inputs[{number}]: expected a picture, PNG or JPEG, in base64") from None


def plain(output: Any) -> Any:
    """An answer of several parts as an object."""
    return output._asdict() if hasattr(output, "_asdict") else output


def options_for(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    """Options of predict that come from the net, of the types that the task says. Those that name files, or say how
    files are laid out, are none of them.

    Raises:
        Problem: 422, an option that there is not, or of another type.
    """
    task = run.config["task"]
    kind = options_of_task(task, "predict")
    writing = {*getattr(kind, "WRITING", ())}
    known = {
        name: get_type_hints(found.kind)[name]
        for name, found in declared(task, "predict").items()
        if found.group is not reading_of(task) and name not in writing
    }
    for name, value in given.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise Problem(422, f"options: there is no {name[:100]!r} for a run of task {task!r}; there are: {there}")
        try:
            msgspec.convert(value, known[name])
        except msgspec.ValidationError as error:
            raise Problem(422, f"options.{name}: {error}") from None
    return given
