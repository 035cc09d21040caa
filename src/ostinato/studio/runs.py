"""Runs: what there is in the folder, how each was trained, and the course of each, as it is written."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ostinato.api.listing import row_of
from ostinato.checkpoint import RunFolder
from ostinato.core.errors import OstinatoError
from ostinato.core.results import builtins
from ostinato.serving.exchange import answered, encoded
from ostinato.studio.course import Course
from ostinato.studio.studio import Studio, studio_of

#: Seconds between looks at the files of what is watched until the first of it comes, then, and at the folder of all
#: runs: who looks on shares the processor with the training.
_PACE_AT_FIRST, _PACE, _PACE_OF_FOLDER = 0.25, 1.0, 2.0
#: Courses that one page follows.
_MOST_FOLLOWED = 12


def rows(folder: Path) -> list[dict[str, Any]]:
    """What is known of each run in a folder, the newest first."""
    paths = [path for path in folder.iterdir() if _begun(path)] if folder.is_dir() else []
    return sorted((_row(path) for path in paths), key=lambda row: -row["changed"])


def _begun(path: Path) -> bool:
    try:
        return RunFolder(path).under_way.is_run()
    except OSError:  # a folder that may not be looked into
        return False


def _row(path: Path) -> dict[str, Any]:
    outer = RunFolder(path)
    run = outer.under_way
    row = builtins(row_of(run.path)) | {"name": path.name, "run": str(path), "trained": run.weights.is_file()}
    if row["state"] != "damaged" and outer.in_use():
        row["state"] = "training"
    return row | {"changed": _changed(run)}


def _changed(run: RunFolder) -> float:
    """When something of a run was last written, in seconds since 1970."""
    for file in (run.metrics, run.config):
        try:
            return file.stat().st_mtime
        except OSError:
            continue
    return 0.0


async def list_all(request: Request) -> Response:
    """The runs that there are."""
    studio = studio_of(request)
    found = await asyncio.to_thread(rows, studio.folder)
    return answered({"folder": str(studio.folder), "runs": found})


async def one(request: Request) -> Response:
    """How a run was trained: options, data, versions, and where it stands."""
    name = request.path_params["name"]
    return answered(await asyncio.to_thread(_details, studio_of(request).begun(name)))


def _details(path: Path) -> dict[str, Any]:
    run = RunFolder(path).under_way
    config = run.read_config()
    wanted = ("task", "model", "options", "data", "versions")
    found: dict[str, Any] = {name: config.get(name) for name in wanted}
    try:
        found["position"] = msgspec.to_builtins(run.resume_point.position()) if run.resume_point.exists() else None
    except OstinatoError:
        found["position"] = None
    return {**_row(path), **found}


async def course(request: Request) -> Response:
    """The lines of metrics.jsonl, thinned out where there are very many."""
    path = studio_of(request).begun(request.path_params["name"])
    return answered(await asyncio.to_thread(lambda: Course(path).read()))


async def watch(request: Request) -> Response:
    """Server-sent events: `runs` when the list has changed, `course` with what a followed run has written since,
    `training` with how one stands that was started here."""
    studio = studio_of(request)
    names = request.query_params.getlist("run")[:_MOST_FOLLOWED]
    courses = {name: Course(studio.expected(name)) for name in names}
    return events(_watching(request, studio, courses))


async def _watching(request: Request, studio: Studio, courses: dict[str, Course]) -> AsyncIterator[bytes]:
    folder = studio.folder
    before, looked, states = None, -math.inf, dict[str, Any]()
    awaited = set(courses)
    while not studio.ending and not await request.is_disconnected():
        if (now := time.monotonic()) - looked >= _PACE_OF_FOLDER:
            looked = now
            found = await asyncio.to_thread(rows, folder)
            if found != before:
                before = found
                yield event("runs", {"folder": str(folder), "runs": found})
            else:
                yield b": still here\n\n"  # a connection that is gone is noticed by writing to it
        for name, one in courses.items():
            news = await asyncio.to_thread(one.read)
            if news["lines"] or news["afresh"]:
                awaited.discard(name)
                yield event("course", {"name": name, **news})
            state = await asyncio.to_thread(studio.trainings.state, name)
            if state != states.get(name) and (state["here"] or name not in states):
                states[name] = state
                yield event("training", {"name": name, **state})
        await _rest(studio, _PACE_AT_FIRST if awaited else _PACE)


async def _rest(studio: Studio, seconds: float) -> None:
    """Wait, but no longer than the server is there."""
    until = time.monotonic() + seconds
    while not studio.ending and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.2))


def event(name: str, content: Any) -> bytes:
    """One server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + encoded(finite(content)) + b"\n\n"


def finite(content: Any) -> Any:
    """The same, null in place of numbers that JSON has no word for."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {name: finite(value) for name, value in content.items()}
    return [finite(value) for value in content] if isinstance(content, list) else content


def events(source: AsyncIterator[bytes]) -> Response:
    """A response of server-sent events."""
    return StreamingResponse(source, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


ROUTES = [
    Route("/studio/runs", list_all),
    Route("/studio/runs/{name}", one),
    Route("/studio/runs/{name}/course", course),
    Route("/studio/watch", watch),
]
