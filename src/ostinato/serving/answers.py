"""POST /v1/runs/NAME/answer: what `ostinato predict` answers."""

from __future__ import annotations

import itertools
from typing import Any, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostinato.api import Run
from ostinato.serving.bodies import AnswerRequest, AnswerResponse
from ostinato.serving.exchange import answered, read
from ostinato.serving.problems import Problem
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import serving_of
from ostinato.tasks.commands import declared, options_of_task, reading_of
from ostinato.tasks.contract import Predicts


async def answer(request: Request) -> Response:
    """Answer the inputs of a request."""
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]
    asked = await read(request, AnswerRequest, serving.limits)
    if len(asked.inputs) > serving.limits.limit_inputs:
        raise Problem(413, f"expected at most {serving.limits.limit_inputs:,} inputs, got {len(asked.inputs):,}")
    for number, each in enumerate(asked.inputs):
        if hasattr(each, "__len__") and len(each) > serving.limits.limit_length:
            raise Problem(
                422,
                f"inputs[{number}]: expected a length of at most {serving.limits.limit_length:,}, got {len(each):,}",
            )
    return answered(AnswerResponse(outputs=await serving.compute(_answers, served, asked, serving.limits.limit_inputs)))


def _answers(served: ServedRun, asked: AnswerRequest, most: int) -> list[Any]:
    model = served.model
    run = model.run
    options = options_for(run, asked.options)
    with model.computing:
        return [plain(each) for each in itertools.islice(run.answers(asked.inputs, **options), most * 1_000)]


def plain(output: Any) -> Any:
    """An answer of several parts as an object."""
    return output._asdict() if hasattr(output, "_asdict") else output


def options_for(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    """Options of predict that come from the net, of the types that the task says. Those that name files, or say how
    files are laid out, are none of them.

    Raises:
        Problem: 409, the run answers nothing; 422, an option that there is not, or of another type.
    """
    task = run.config["task"]
    if not isinstance(run.task, Predicts):
        raise Problem(409, f"a run of task {task!r} answers nothing; /generate lets it write")
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
