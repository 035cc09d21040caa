"""The studio's application: the page, what it asks, and the guard in front of both."""

from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.core.errors import OstinatoError
from ostinato.studio import page
from ostinato.studio.guard import Guard
from ostinato.studio.problems import problem

#: What the page asks, under /studio. A module of this room that answers some of it lists its routes here.
ROUTES: list[Route] = []


@dataclass(frozen=True)
class Studio:
    """What the routes work on: `request.app.state.studio`.

    Attributes:
        runs: the folder whose run folders are shown, and where new ones go.
    """

    runs: Path


def studio_app(runs: Path, secret: str, port: int) -> Starlette:
    """The application.

    Args:
        runs: folder of run folders; made when the first training starts.
        secret: what whoever opens the page must show; see `Guard`.
        port: that the server listens at.
    """
    app = Starlette(
        routes=[*page.ROUTES, *ROUTES],
        exception_handlers={OstinatoError: _mendable, HTTPException: _refused},
    )
    app.state.studio = Studio(runs)
    app.add_middleware(Guard, secret=secret, port=port, scripts=page.inline_scripts())
    return app


def _mendable(request: Request, error: Exception) -> Response:
    return problem(422, "This cannot be used", str(error))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, "")
