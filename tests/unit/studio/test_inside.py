"""Inside, where the page goes before it is answered."""

import asyncio

import pytest

pytest.importorskip("starlette", reason="needs the extra `serve`")

from starlette.applications import Starlette
from starlette.websockets import WebSocket

from ostinato.studio.inside import inside
from ostinato.studio.studio import Studio


def test_a_page_that_has_gone_is_refused_without_an_error(tmp_path):
    """There is no run to be loaded, and nobody to be told."""
    app, sent = Starlette(), []
    app.state.studio = Studio(tmp_path)

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            raise OSError  # as servers say that a connection is closed

    scope = {"type": "websocket", "app": app, "query_string": b"run=none", "headers": []}
    asyncio.run(inside(WebSocket(scope, receive, send)))
    assert sent == ["websocket.accept", "websocket.send"]
