"""POST /v1/runs/NAME/generate: texts at once, or as they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ostinato.config.serving import ServeLimits
from ostinato.serving.bodies import Done, GenerateRequest, GenerateResponse, Piece
from ostinato.serving.engine import EngineClosedError
from ostinato.serving.exchange import encoded, read
from ostinato.serving.model import LoadedModel
from ostinato.serving.problems import Problem, problem_of
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import Serving, serving_of
from ostinato.serving.texts import Place, TextJob
from ostinato.tasks.commands import asked as options_of

#: Signs of a prompt from which on it is turned into tokens in a thread.
_LONG = 5_000


async def generate(request: Request) -> Response:
    """Write on from a prompt."""
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]
    asked = await read(request, GenerateRequest, serving.limits)
    job = await begin(serving, served, asked, lambda model: model.begin())
    return TextResponse(job, stream=asked.stream)


async def begin(
    serving: Serving,
    served: ServedRun,
    asked: GenerateRequest,
    place: Callable[[LoadedModel], Place],
    *,
    on_end: Callable[[TextJob], None] | None = None,
) -> TextJob:
    """Let a text be written.

    Args:
        serving: the server.
        served: the run.
        asked: how.
        place: where it goes on from, by the model that is to write it.
        on_end: called with where it came to; by default nobody wants to know.

    Raises:
        Problem: the server ends, too many wait, too much is asked for, or the run writes nothing.
        OstinatoError: an option or a prompt that cannot be used.
    """
    serving.require_open()
    _require_lengths(asked, serving.limits)
    while True:
        model = await model_of(serving, served)
        options = options_of(model.run.config["task"], "generate", asked.sampling())
        begun = place(model)

        work = partial(model.writes.writing, model.run, asked.prompt, asked.length, options)
        work = partial(work, stop=asked.stop, after=begun.after)
        ids, text = work() if len(asked.prompt) < _LONG else await serving.compute(work)
        job = TextJob(
            ids=[begun.token, *ids],
            state=begun.state,
            text=text,
            deadline=serving.deadline(),
            keeps=on_end is not None,
            on_end=on_end,
        )
        try:
            return model.engine.submit(job)
        except EngineClosedError:  # the run has another model by now
            serving.require_open()
            await asyncio.sleep(0)


async def model_of(serving: Serving, served: ServedRun) -> LoadedModel:
    """A run's model, ready to write.

    Raises:
        Problem: 409, it writes nothing.
    """
    model = served.loaded
    if model is None or not model.ready:
        model = await serving.compute(served.ready_model)
    return model


def _require_lengths(asked: GenerateRequest, limits: ServeLimits) -> None:
    for name, length in {"length": asked.length, "prompt": len(asked.prompt), "stop": len(asked.stop or "")}.items():
        if length > limits.limit_length:
            raise Problem(422, f"{name}: expected at most {limits.limit_length:,}, got {length:,}")


def event(content: object) -> bytes:
    """A server-sent event."""
    return b"data: " + encoded(content) + b"\n\n"


class TextResponse(Response):
    """A text that is being written, at once or as server-sent events. Whoever goes away makes room within a step.

    Args:
        job: the text.
        stream: as it is written.
    """

    def __init__(self, job: TextJob, *, stream: bool) -> None:
        super().__init__()
        self._job, self._stream = job, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            await (self._send_events(send) if self._stream else self._send_whole(send))
        except Problem:
            if not self._job.cancelled:
                raise
        finally:
            self._job.cancelled = True
            gone.cancel()

    async def _until_gone(self, receive: Receive) -> None:
        """Whoever goes away wants nothing more: the text then ends, within a step."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._job.cancelled = True

    async def _send_whole(self, send: Send) -> None:
        content = encoded(GenerateResponse(text=await self._job.whole()))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _send_events(self, send: Send) -> None:
        headers = {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no"}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        last = event(Done())
        try:
            async for piece in self._job.pieces():
                await send({"type": "http.response.body", "body": event(Piece(text=piece)), "more_body": True})
        except Problem as problem:
            last = b"event: error\ndata: " + problem_of(problem).content + b"\n\n"
        await send({"type": "http.response.body", "body": last})
