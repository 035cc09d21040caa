"""POST /v1/runs/NAME/generate: what `ostinato generate` writes, at once or as it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ostinato.config.serving import ServeLimits
from ostinato.serving.bodies import Done, GenerateRequest, GenerateResponse, Piece
from ostinato.serving.exchange import answered, encoded, read
from ostinato.serving.problems import Problem, problem_of
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import Serving, serving_of
from ostinato.tasks.contract import Generates


async def generate(request: Request) -> Response:
    """Write on from a prompt."""
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]
    asked = await read(request, GenerateRequest, serving.limits)
    require_length(asked, serving.limits)
    pieces = await serving.compute(_begin, served, asked)
    if not asked.stream:
        return answered(GenerateResponse(text=await serving.compute("".join, pieces)))
    return event_stream(_events(serving, pieces))


def require_length(asked: GenerateRequest, limits: ServeLimits) -> None:
    """That a request asks for no more than is allowed.

    Raises:
        Problem: 422.
    """
    for name, length in {"length": asked.length, "prompt": len(asked.prompt), "stop": len(asked.stop or "")}.items():
        if length > limits.limit_length:
            raise Problem(422, f"{name}: expected at most {limits.limit_length:,}, got {length:,}")


def event_stream(events: AsyncIterator[bytes]) -> Response:
    """A response of server-sent events, which no proxy should hold back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


def event(content: object) -> bytes:
    """One event."""
    return b"data: " + encoded(content) + b"\n\n"


async def _events(serving: Serving, pieces: Iterator[str]) -> AsyncIterator[bytes]:
    try:
        while (piece := await serving.compute(next, pieces, None)) is not None:
            yield event(Piece(text=piece))
        yield event(Done())
    except Exception as error:
        yield b"event: error\ndata: " + problem_of(error).content + b"\n\n"


def _begin(served: ServedRun, asked: GenerateRequest) -> Iterator[str]:
    run = served.run
    if not isinstance(run.task, Generates):
        raise Problem(409, f"a run of task {run.config['task']!r} writes no text; /answer has its answers")
    return run.generate(asked.prompt, asked.length, stop=asked.stop, **asked.sampling())
