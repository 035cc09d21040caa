"""The routes that tell of the server and of its runs."""

from __future__ import annotations

from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

from ostinato.core.errors import OstinatoError
from ostinato.serving.bodies import Health, Served, ServedRuns
from ostinato.serving.exchange import answered
from ostinato.serving.problems import Problem
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import Serving, serving_of


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


async def one_run(request: Request) -> Response:
    """One of them."""
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]
    return answered(await serving.compute(served.described, serving.sessions.count(served.name)))


def _described(serving: Serving, runs: list[ServedRun]) -> list[Served]:
    found = []
    for run in runs:
        with suppress(OstinatoError):
            found.append(run.described(serving.sessions.count(run.name)))
    return found
