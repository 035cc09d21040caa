"""Of pictures: captions, and where attention looked at each word."""

import asyncio
import math
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ostinato.api.run import Run
from ostinato.core.errors import DataError, OstinatoError
from ostinato.data.pictures.captions import read_captions
from ostinato.serving.problems import Problem
from ostinato.serving.serving import serving_of
from ostinato.studio.studio import Studio, studio_of
from ostinato.studio.trying.asking import able, asked, computed
from ostinato.tasks.contract import Looks

#: Pictures of its data that a run is tried on.
_SHOWN = 24
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".bmp": "image/bmp",
          ".webp": "image/webp", ".tif": "image/tiff", ".tiff": "image/tiff"}  # fmt: skip


class Shown(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A picture.

    Attributes:
        picture: number of one of the run's own; or
        upload: id of one that was dropped.
        beam: width of the search.
    """

    picture: Annotated[int, Meta(ge=0, lt=_SHOWN)] | None = None
    upload: str | None = None
    beam: Annotated[int, Meta(ge=1, le=50)] | None = None


def _own(run: Run) -> list[tuple[Path, tuple[str, ...]]]:
    """Pictures that the run was made of, evenly from all over its data, with their captions."""
    images = run.config.get("views", {}).get("images")
    return [] if images is None else _some(images, run.config["data"]["train"]["files"][0])


@lru_cache(maxsize=8)
def _some(images: str, file: str) -> list[tuple[Path, tuple[str, ...]]]:
    try:
        captions = read_captions(file)
    except (OstinatoError, OSError):
        return []
    step = max(1, len(captions) // _SHOWN)
    found = [(Path(images) / captions.names[row], captions.texts[row]) for row in range(0, len(captions), step)]
    return [(path, texts) for path, texts in found if path.is_file()][:_SHOWN]


async def pictures(request: Request) -> Response:
    """The captions of the run's own pictures; their numbers are their places."""
    return await computed(request, lambda run: {"pictures": [{"captions": list(texts)} for _, texts in _own(run)]})


async def picture(request: Request) -> Response:
    """One of them."""
    served, number = serving_of(request).runs[request.path_params["name"]], request.path_params["number"]
    found = await asyncio.to_thread(lambda: _own(served.model.run))
    if number >= len(found):
        raise Problem(404, f"there is no picture {number}; there are {len(found)}")
    path = found[number][0]
    return FileResponse(path, media_type=_KINDS.get(path.suffix.lower(), "application/octet-stream"))


async def caption(request: Request) -> Response:
    """What is written of a picture: `tokens`, and of each where attention looked, `[T, side * side]`."""
    studio = studio_of(request)
    return await asked(request, Shown, lambda run, body: _caption(studio, run, body))


def _caption(studio: Studio, run: Run, body: Shown) -> dict[str, Any]:
    task = able(run, Looks)
    if body.upload is not None:
        path = studio.uploads.find(body.upload).path
    else:
        own = _own(run)
        if body.picture is None or body.picture >= len(own):
            raise DataError("picture: expected the number of one of the run's own pictures, or the id of an upload")
        path = own[body.picture][0]
    found = task.look(run, path, body.beam)
    text = (" " if run.tokenizer.level == "word" else "").join(found.target[:-1]).strip()
    side = math.isqrt(found.weights.shape[1])
    return {"text": text, "tokens": found.target, "side": side, "weights": found.weights.tolist()}


ROUTES = [
    Route("/studio/try/{name}/pictures", pictures),
    Route("/studio/try/{name}/pictures/{number:int}", picture),
    Route("/studio/try/{name}/caption", caption, methods=["POST"]),
]
