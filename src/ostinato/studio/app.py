"""The studio's application: the page, what it asks, and the guard in front of both.

What needs no torch is answered at once. The rest, the server's own routes among it, stands behind a door that opens
once torch is there: the page shows before.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from ostinato.core.errors import OstinatoError
from ostinato.serving.problems import Problem, respond
from ostinato.studio import runs, training
from ostinato.studio.guard import Guard
from ostinato.studio.studio import Studio

#: Seconds after the start at which torch is loaded, unless somebody has asked for it: the page is there by then.
_SETTLED = 2.0


FILES = Path(__file__).with_name("page")
_INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def inline_scripts() -> list[str]:
    """What stands in the page's own script elements: the map from modules' names to files."""
    return _INLINE.findall((FILES / "index.html").read_text(encoding="utf-8"))


def _index(request: Request) -> Response:
    return FileResponse(FILES / "index.html")


#: The page, and its files under /page.
ROUTES = [Route("/", _index), Mount("/page", StaticFiles(directory=FILES))]


def routes() -> list[BaseRoute]:
    """What needs no torch. A module of this room that answers some of it has them as `ROUTES`."""
    return [*ROUTES, *runs.ROUTES, *training.ROUTES]


def computing_routes() -> list[BaseRoute]:
    """What computes with runs; called once torch may be loaded."""
    from ostinato.studio import inside
    from ostinato.studio.trying import about, sequences, series, texts, views

    return [*inside.ROUTES, *about.ROUTES, *sequences.ROUTES, *series.ROUTES, *texts.ROUTES, *views.ROUTES]


def studio_app(folder: Path, secret: str, port: int, plugins: Sequence[str] = ()) -> Starlette:
    """The application.

    Args:
        folder: of run folders; made when the first training starts.
        secret: what whoever opens the page must show; see `Guard`.
        port: that the server listens at.
        plugins: Python files, or modules, to import with torch: they register cells.
    """
    studio = Studio(folder, tuple(plugins))
    door = Door(studio)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        opening = asyncio.create_task(door.open_soon())
        yield
        opening.cancel()
        await asyncio.to_thread(studio.trainings.spare.close)
        await door.close()

    app = Starlette(
        routes=[*routes(), Mount("/", door)],
        exception_handlers={Exception: respond, Problem: respond, OstinatoError: respond, 404: respond, 405: respond},
        lifespan=lifespan,
    )
    app.state.studio = studio
    app.add_middleware(Guard, secret=secret, port=port, scripts=inline_scripts())
    return app


class Door:
    """Answers what computes: the server's routes, and the page's that stand beside them. Torch is loaded in a thread
    the first time that somebody asks, who waits."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._app: ASGIApp | None = None
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        app = await self._opened()
        # the paths of a mount's own application begin behind it
        await app({**scope, "root_path": "", "app": app}, receive, send)

    async def open_soon(self) -> None:
        """Load what is needed, once the page has been served."""
        await asyncio.sleep(_SETTLED)
        await self._opened()

    async def close(self) -> None:
        """End what `create_app` began."""
        await self._stack.aclose()

    async def _opened(self) -> ASGIApp:
        async with self._opening:
            if self._app is None:
                self._studio.opening = True
                try:
                    app = await asyncio.get_running_loop().run_in_executor(None, _computing_app, self._studio)
                finally:
                    self._studio.opening = False
                await self._stack.enter_async_context(app.router.lifespan_context(app))
                self._app = app
            return self._app


def _computing_app(studio: Studio) -> Starlette:
    from ostinato.core.registry import registered

    # before torch, whose import asks for all cells while it holds its lock: another thread that just imports one of
    # them, to check an option, would wait for that lock with the cell's own in hand
    registered()
    from ostinato.api.plugins import import_plugins
    from ostinato.serving.app import create_app

    import_plugins(studio.plugins)
    app = create_app(discover=studio.runs, routes=computing_routes(), local=True)
    app.state.studio = studio
    return app
