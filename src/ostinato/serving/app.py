"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from os import PathLike
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute

from ostinato.config.serving import ServeSettings
from ostinato.core.errors import OstinatoError, TensorError
from ostinato.serving import about, keeping, operations
from ostinato.serving.answers import FORMAT, FORMATS, answer
from ostinato.serving.bodies import (
    AnswerRequest,
    AnswerResponse,
    GenerateRequest,
    GenerateResponse,
    Health,
    Served,
    ServedRuns,
    SessionMade,
    SessionRequest,
)
from ostinato.serving.exchange import answered
from ostinato.serving.generation import generate
from ostinato.serving.guard import Guard, read_token
from ostinato.serving.logs import Watched
from ostinato.serving.operations import OCTETS, Operation, openapi
from ostinato.serving.problems import Problem, respond
from ostinato.serving.serving import Serving, serving_of
from ostinato.serving.streams import stream

#: What routes raise, as problem JSON. What is raised beyond the expected is a 500, and is logged.
_REFUSED = (Problem, OstinatoError, TensorError, HTTPException, Exception)


def create_app(
    runs: Iterable[str | PathLike[str]] = (),
    settings: ServeSettings | None = None,
    *,
    discover: Callable[[], dict[str, Path]] | None = None,
    routes: Sequence[BaseRoute] = (),
    local: bool = False,
) -> Starlette:
    """The application; `ostinato.serving` says how it is extended.

    Args:
        runs: run folders, each by its folder's name. They are loaded when the application starts.
        settings: limits, the file of the token, other origins.
        discover: names and folders of more runs, which may come and go; loaded when they are asked for.
        routes: more routes, in front of the server's own: of a page.
        local: whether only this machine reaches it; it then answers to this machine's names alone.

    Raises:
        ConfigError: two runs of one name, or a token file that cannot be used.
    """
    settings = settings or ServeSettings()
    token = None if settings.token_file is None else read_token(settings.token_file)
    serving = Serving(runs, settings, discover)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await serving.start()
        try:
            yield
        finally:
            await serving.end()

    middleware = [Middleware(Watched, metrics=serving.metrics)]
    middleware.append(Middleware(Guard, token=token, origins=settings.allow_origin, local=local))
    if settings.allow_origin:
        origins = settings.allow_origin
        middleware.append(Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"]))
    app = Starlette(
        routes=[*routes, *operations.routes(OPERATIONS), WebSocketRoute(f"{_RUN}/stream", stream)],
        middleware=middleware,
        exception_handlers=dict.fromkeys(_REFUSED, respond),
        lifespan=lifespan,
    )
    app.state.serving = serving
    return app


async def page(request: Request) -> Response:
    """What there is, as OpenAPI."""
    token = serving_of(request).settings.token_file is not None
    return answered(openapi(OPERATIONS, version("ostinato"), token=token))


_RUN = "/v1/runs/{name}"
_SESSION = _RUN + "/sessions/{session}"
_JSON = "application/json"
_WRITTEN = {_JSON: GenerateResponse, "text/event-stream": str}

#: Every route but the WebSocket.
OPERATIONS = (
    Operation("GET", "/health", about.health, gives={_JSON: Health}),
    Operation("GET", "/ready", about.ready, gives={_JSON: Health}),
    Operation("GET", "/metrics", about.metrics, gives={"text/plain": str}),
    Operation("GET", "/openapi.json", page, gives={_JSON: dict}),
    Operation("GET", "/v1/runs", about.list_runs, gives={_JSON: ServedRuns}),
    Operation("GET", _RUN, about.one_run, gives={_JSON: Served}),
    Operation(
        "POST",
        f"{_RUN}/answer",
        answer,
        {_JSON: AnswerRequest, OCTETS: bytes},
        {_JSON: AnswerResponse},
        parameters={"format": {"description": FORMAT, "schema": {"type": "string", "enum": [*FORMATS]}}},
    ),
    Operation("POST", f"{_RUN}/generate", generate, {_JSON: GenerateRequest}, _WRITTEN),
    Operation(
        "POST",
        f"{_RUN}/sessions",
        keeping.create,
        {_JSON: SessionRequest, OCTETS: bytes},
        {_JSON: SessionMade},
        status=201,
        optional=True,
    ),
    Operation("DELETE", _SESSION, keeping.forget, status=204),
    Operation("POST", f"{_SESSION}/generate", keeping.go_on, {_JSON: GenerateRequest}, _WRITTEN),
    Operation("POST", f"{_SESSION}/fork", keeping.fork, gives={_JSON: SessionMade}, status=201),
    Operation("GET", f"{_SESSION}/state", keeping.save, gives={OCTETS: bytes}),
    Operation("PUT", f"{_SESSION}/state", keeping.restore, {OCTETS: bytes}, status=204),
)
