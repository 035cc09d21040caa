"""Inside: every gate of some runs while somebody types, by WebSocket: a page's messages in, `Frame`s out."""

import asyncio
import warnings
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.api.inspecting.live import Frame, Watches
from ostinato.api.run import load
from ostinato.core.errors import OstinatoError
from ostinato.serving.exchange import answered
from ostinato.serving.problems import Problem
from ostinato.studio.newest import newest
from ostinato.studio.studio import studio_of

#: Runs side by side, and pages that look on at a time, each with models of its own.
MOST_RUNS, MOST_PAGES = 4, 8
#: Characters of a message at most: those of a text, each as \uXXXX, and what stands around it.
_LONGEST = 200_000

_TRY_LATER = 1013  # of RFC 6455's close codes
_pages = 0


async def inside(socket: WebSocket) -> None:
    """Answer one page until it goes: `?run=NAME`, as often as there are runs."""
    global _pages
    await socket.accept()
    if _pages >= MOST_PAGES:
        await _refuse(socket, f"{MOST_PAGES} pages look inside already; close one of them")
        return
    _pages += 1
    try:
        studio, names = studio_of(socket), socket.query_params.getlist("run")
        if not 1 <= len(names) <= MOST_RUNS:
            raise Problem(422, f"expected one to {MOST_RUNS} runs, got {len(names)}")
        paths = [studio.run(name) for name in names]
        watches = await asyncio.to_thread(lambda: Watches([load(path) for path in paths]))
        while True:
            message = await socket.receive_text()
            if len(message) > _LONGEST:
                raise Problem(413, f"expected a message of {_LONGEST:,} characters at most, got {len(message):,}")
            for packed in await asyncio.to_thread(_answers, watches, message):
                await socket.send_bytes(packed)
    except WebSocketDisconnect:
        pass
    except (OstinatoError, Problem) as error:
        await _refuse(socket, str(error))
    finally:
        _pages -= 1


def _answers(watches: Watches, message: str) -> list[bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not seen of a cell its frame says
        return list(watches.answers(message))


async def _refuse(socket: WebSocket, why: str) -> None:
    with suppress(WebSocketDisconnect):  # the page may have gone meanwhile
        await socket.send_bytes(Frame({"run": -1, "do": "open", "error": why}).packed())
        await socket.close(_TRY_LATER)


async def suggested(request: Request) -> Response:
    """The run that is shown where none is asked for."""
    return answered(await asyncio.to_thread(newest, studio_of(request).folder))


ROUTES = [WebSocketRoute("/studio/inside", inside), Route("/studio/inside/newest", suggested)]
