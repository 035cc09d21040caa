"""What the view Train asks: files that are dropped, guesses at what they are, commands made of choices, trainings."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.config.serving import ServeLimits
from ostinato.core.errors import ConfigError
from ostinato.core.results import builtins
from ostinato.serving.exchange import answered, read
from ostinato.studio import choices
from ostinato.studio.guessing import guess, guess_two
from ostinato.studio.studio import Studio, studio_of
from ostinato.studio.uploads import Upload

Found = TypeVar("Found")
_LIMITS = ServeLimits()


class Choice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A training that somebody puts together.

    Attributes:
        task: its name.
        data: ids of the uploads to train on.
        name: of the run.
        options: by plain name; of an option that names a file, the id of an upload.
    """

    task: str
    data: Annotated[list[str], Meta(min_length=1, max_length=2)]
    name: str
    options: dict[str, str | int | float | bool | None] = {}


class Further(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a run goes on: for longer than it was to."""

    epochs: Annotated[int, Meta(ge=1)] | None = None
    time_limit: Annotated[float, Meta(gt=0)] | None = None


async def tasks(request: Request) -> Response:
    """The tasks and their options."""
    return answered(await asyncio.to_thread(choices.described))


async def upload(request: Request) -> Response:
    """Keep a file: its content is the body, its name a part of the query."""
    name = Path(request.query_params.get("name", "")).name or "data.txt"
    taken = await studio_of(request).uploads.take(name, request.stream())
    return answered(taken.described(), 201)


async def look(request: Request) -> Response:
    """What an upload, or two whose lines belong together, seem to be."""
    uploads = studio_of(request).uploads
    ids = [request.path_params["id"], *request.query_params.getlist("with")[:1]]
    return answered(await asyncio.to_thread(_guess, [uploads.find(each) for each in ids]))


def _guess(found: list[Upload]) -> dict[str, Any]:
    one = found[0]
    if len(found) == 2:
        seems = guess_two((one.path, found[1].path), (one.name, found[1].name))
    else:
        seems = guess(one.path, one.name, one.images)
    answer = builtins(seems)
    for options in answer["tasks"].values():
        for ours in ("images", "source", "target") if seems.kind in ("pictures", "pairs") else ():
            options.pop(ours, None)  # paths, which follow from the uploads
    return answer


async def command(request: Request) -> Response:
    """The command of a choice, checked as the command line checks it; who asks for it is about to train."""
    studio, choice = studio_of(request), await read(request, Choice, _LIMITS)
    line = await asyncio.to_thread(_line, studio, choice)
    await asyncio.to_thread(studio.trainings.spare.ready)
    return answered({"command": choices.command_of(line)})


async def start(request: Request) -> Response:
    """Begin a training."""
    studio, choice = studio_of(request), await read(request, Choice, _LIMITS)
    await asyncio.to_thread(_start, studio, choice)
    return answered({"name": choice.name}, 201)


def _start(studio: Studio, choice: Choice) -> None:
    line = _line(studio, choice)
    studio.trainings.start(choice.name, line, task=choice.task, data=choice.data)


def _line(studio: Studio, choice: Choice) -> list[str]:
    studio.trainings.require_free(choice.name)
    given = choices.allowed(choice.task, choice.options)
    for name in choices.FILES:
        if given.get(name) is not None:
            given[name] = str(studio.uploads.find(str(given[name])).path)
    found = [studio.uploads.find(each) for each in choice.data]
    data = [str(each.path) for each in found]
    if len(found) == 2:
        given |= {"source": data[0], "target": data[1]}
        data = []
    elif found[0].images is not None:
        given["images"] = str(found[0].images)
    return choices.words(choice.task, data, str(studio.trainings.place(choice.name)), given)


async def stand(request: Request) -> Response:
    """How a training stands."""
    return await _of_training(request, lambda studio, name: studio.trainings.state(name))


async def stop(request: Request) -> Response:
    """Let a training save and end."""

    def work(studio: Studio, name: str) -> dict[str, Any]:
        studio.trainings.stop(name)
        return studio.trainings.state(name)

    return await _of_training(request, work)


async def resume(request: Request) -> Response:
    """Go on with a run, for longer perhaps."""
    wanted = await read(request, Further, _LIMITS, empty=True)

    def work(studio: Studio, name: str) -> dict[str, Any]:
        if studio.trainings.running(name):
            raise ConfigError(f"the training of {name!r} is running")
        line = studio.trainings.resumed(name)
        for option, value in (("--epochs", wanted.epochs), ("--time-limit", wanted.time_limit)):
            if value is not None:
                line = [*_without(line, option), option, f"{value:g}"]
        said = studio.trainings.written(name) or {}
        kept = {key: said[key] for key in ("task", "data") if key in said}
        studio.trainings.start(name, line, **kept)
        return studio.trainings.state(name)

    return await _of_training(request, work)


def _without(line: list[str], option: str) -> list[str]:
    at = line.index(option) if option in line else len(line)
    return [*line[:at], *line[at + 2 :]]


async def _of_training(request: Request, work: Callable[[Studio, str], Found]) -> Response:
    """Some work for the run of a path's name, which must be there."""
    studio, name = studio_of(request), request.path_params["name"]
    studio.expected(name)
    return answered(await asyncio.to_thread(work, studio, name))


ROUTES = [
    Route("/studio/tasks", tasks),
    Route("/studio/uploads", upload, methods=["POST"]),
    Route("/studio/uploads/{id}/guess", look),
    Route("/studio/command", command, methods=["POST"]),
    Route("/studio/trainings", start, methods=["POST"]),
    Route("/studio/trainings/{name}", stand),
    Route("/studio/trainings/{name}/stop", stop, methods=["POST"]),
    Route("/studio/trainings/{name}/resume", resume, methods=["POST"]),
]
