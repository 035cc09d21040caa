"""The page's files, as they lie in `page/`."""

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).with_name("page")
_INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def inline_scripts() -> list[str]:
    """What stands in the page's own script elements: the map from modules' names to files."""
    return _INLINE.findall((FILES / "index.html").read_text(encoding="utf-8"))


def _index(request: Request) -> Response:
    return FileResponse(FILES / "index.html")


#: The page, and its files under /page.
ROUTES = [Route("/", _index), Mount("/page", StaticFiles(directory=FILES))]
