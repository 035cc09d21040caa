"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from os import PathLike
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from ostinato.config.serving import ServeSettings
from ostinato.core.errors import OstinatoError
from ostinato.serving import keeping
from ostinato.serving.answers import answer
from ostinato.serving.bodies import Health, Served, ServedRuns
from ostinato.serving.exchange import answered
from ostinato.serving.generation import generate
from ostinato.serving.guard import Guard, read_token
from ostinato.serving.logs import Watched
from ostinato.serving.problems import Problem, respond
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import Serving, serving_of
from ostinato.serving.streams import stream

_SESSIONS = "/v1/runs/{name}/sessions"
_SESSION = _SESSIONS + "/{session}"


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
        routes=[*routes, *_routes()],
        middleware=middleware,
        exception_handlers={Exception: respond, Problem: respond, 404: respond, 405: respond},
        lifespan=lifespan,
    )
    app.state.serving = serving
    return app


def _routes() -> list[BaseRoute]:
    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", metrics),
        Route("/v1/runs", list_runs),
        Route("/v1/runs/{name}", one_run),
        Route("/v1/runs/{name}/answer", answer, methods=["POST"]),
        Route("/v1/runs/{name}/generate", generate, methods=["POST"]),
        Route(f"{_SESSIONS}", keeping.create, methods=["POST"]),
        Route(f"{_SESSION}", keeping.forget, methods=["DELETE"]),
        Route(f"{_SESSION}/generate", keeping.go_on, methods=["POST"]),
        Route(f"{_SESSION}/fork", keeping.fork, methods=["POST"]),
        Route(f"{_SESSION}/state", keeping.save, methods=["GET"]),
        Route(f"{_SESSION}/state", keeping.restore, methods=["PUT"]),
        WebSocketRoute("/v1/runs/{name}/stream", stream),
    ]


async def health(request: Request) -> Response:
    """Whether the server is there."""
    return answered(Health(status="ending" if serving_of(request).ending else "ok"))


async def ready(request: Request) -> Response:
    """Whether it takes requests: 503 until runs are loaded, and once it is ending."""
    serving = serving_of(request)
    if serving.ending or not serving.ready:
        raise Problem(503, "ending" if serving.ending else "runs are being loaded", {"Retry-After": "1"})
    return answered(Health(status="ok"))


async def metrics(request: Request) -> Response:
    """What Prometheus reads."""
    return Response(serving_of(request).metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def list_runs(request: Request) -> Response:
    """The runs that are served; one that is damaged is left out."""
    serving = serving_of(request)
    return answered(ServedRuns(runs=await serving.compute(_described, serving, list(serving.runs))))


def _described(serving: Serving, runs: list[ServedRun]) -> list[Served]:
    found = []
    for run in runs:
        with suppress(OstinatoError):
            found.append(run.described(serving.sessions.count(run.name)))
    return found


async def one_run(request: Request) -> Response:
    """One of them."""
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]
    return answered(await serving.compute(served.described, serving.sessions.count(served.name)))
