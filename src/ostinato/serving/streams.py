"""WS /v1/runs/NAME/stream: texts as they are written; or steps of a sequence in, an answer to each out."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.serving.answers import plain
from ostinato.serving.bodies import Done, Output, Piece, PushSteps, StreamRequest
from ostinato.serving.engine import Engine
from ostinato.serving.exchange import decoded, encoded
from ostinato.serving.generation import begin
from ostinato.serving.problems import Problem, problem_of
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import Serving, serving_of
from ostinato.serving.stepping import AnswersToSteps, StepsJob
from ostinato.serving.texts import TextJob
from ostinato.tasks.stepping import WritesTogether

#: Closes a connection that asks for what there is not.
_REFUSED = 1008


async def stream(socket: WebSocket) -> None:
    """A connection: a message for each text that is asked for, or for each step."""
    serving = serving_of(socket)
    try:
        serving.require_open()
        served = serving.runs[socket.path_params["name"]]
    except Problem as problem:
        await socket.send_denial_response(problem.response())
        return
    await socket.accept()
    with suppress(WebSocketDisconnect, TimeoutError):
        try:
            model = await serving.compute(lambda: served.model)
            if isinstance(model.run.task, WritesTogether):
                await _texts(socket, serving, served)
            else:
                engine = await serving.compute(lambda: model.stepping)
                with model.held():
                    await _steps(socket, serving, engine)
        except Exception as error:
            if isinstance(error, WebSocketDisconnect | TimeoutError):
                raise
            await _send(socket, problem_of(error).content)
            await socket.close(_REFUSED)


async def _send(socket: WebSocket, content: bytes) -> None:
    await socket.send_text(content.decode())


async def _receive(socket: WebSocket, serving: Serving) -> str:
    """The next message; a connection on which nothing comes for long ends."""
    async with asyncio.timeout(serving.limits.limit_idle):
        message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    if (text := message.get("text")) is None:
        raise Problem(422, "expected a message of text that holds JSON, got bytes")
    return str(text)


async def _texts(socket: WebSocket, serving: Serving, served: ServedRun) -> None:
    """Texts one after the other; a message `{"cancel": true}` ends the one that is being written."""
    asked: str | None = None
    while True:
        try:
            wanted = decoded(asked or await _receive(socket, serving), StreamRequest)
            asked = None
            if wanted.cancel:
                continue
            job = await begin(serving, served, wanted, lambda model: model.begin())
        except WebSocketDisconnect:
            raise
        except Exception as error:
            asked = None
            await _send(socket, problem_of(error).content)
            if serving.ending:
                await socket.close(1001)
                return
            continue
        asked = await _written(socket, serving, job)


async def _written(socket: WebSocket, serving: Serving, job: TextJob) -> str | None:
    """Send a text as it is written; what has come meanwhile, where that is no end to it."""
    writing = asyncio.create_task(_pieces(socket, job))
    coming = asyncio.create_task(_receive(socket, serving))
    try:
        await asyncio.wait({writing, coming}, return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            coming.cancel()
            writing.result()
            with suppress(asyncio.CancelledError):
                return await coming
            return None
        came = coming.result()
        with suppress(Problem):
            job.cancelled = decoded(came, StreamRequest).cancel
        await writing
        return None if job.cancelled else came
    finally:
        job.cancelled = True
        for task in (writing, coming):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _pieces(socket: WebSocket, job: TextJob) -> None:
    try:
        async for piece in job.pieces():
            await _send(socket, encoded(Piece(text=piece)))
    except Problem as problem:
        if not job.cancelled:
            await _send(socket, problem.content)
            return
    await _send(socket, encoded(Done()))


async def _steps(socket: WebSocket, serving: Serving, engine: Engine[StepsJob]) -> None:
    """Steps of one sequence; one that cannot be read is said, and counts for nothing, as do those of its message that
    follow."""
    assert isinstance(engine.work, AnswersToSteps)
    sequence, taken = engine.work.steps.begin(), 0
    while True:
        try:
            pushed = decoded(await _receive(socket, serving), PushSteps)
            serving.require_open()
            steps = deque(pushed.taken())
            taken += len(steps)
            if taken > serving.limits.limit_length:
                raise Problem(422, f"expected at most {serving.limits.limit_length:,} steps of a sequence")
            job = engine.submit(StepsJob(sequence=sequence, steps=steps, deadline=serving.deadline()))
            try:
                async for answer in job.answers():
                    await _send(socket, encoded(Output(output=plain(answer))))
            finally:
                job.cancelled = True
        except (WebSocketDisconnect, TimeoutError):
            raise
        except Exception as error:
            await _send(socket, problem_of(error).content)
            if serving.ending or taken > serving.limits.limit_length:
                await socket.close(1001 if serving.ending else _REFUSED)
                return
