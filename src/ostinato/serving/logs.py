"""Structured logs: a line of JSON for each event, with nothing in it that a client sent."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostinato.serving.metrics import Metrics

_log = logging.getLogger("ostinato.serving")

#: What every record of the standard library has, besides what was said.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """A record as a line of JSON: time, level, event, and what else was said of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name.startswith("ostinato") else _without_contents(record),
        }
        said |= {name: value for name, value in vars(record).items() if name not in _USUAL}
        return json.dumps(said, ensure_ascii=False, default=str)


def _without_contents(record: logging.LogRecord) -> str:
    """Of uvicorn and others the message without its values, and of an error its class: either may quote a request."""
    error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
    return f"{record.name}: {record.msg if isinstance(record.msg, str) else ''} {error}".strip().splitlines()[0]


def log_to(stream: TextIO) -> None:
    """Write all logs of the server, and of what carries it, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    for name in ("ostinato.serving", "uvicorn", "websockets"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "ostinato.serving" else logging.WARNING)


class Watched:
    """Counts and logs requests: the name of the route, never the path, a header or a body.

    Args:
        app: what is behind it.
        metrics: of the server.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), _GONE  # of who goes away before an answer
        first: float | None = None
        sending = 0

        async def watched(message: Message) -> None:
            nonlocal status, first, sending
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status, sending = message["status"], 1
                self._metrics.sending += 1
            elif message["type"] == "websocket.accept":
                status = 101
            elif first is None:
                first = time.perf_counter() - began
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.sending -= sending
            seconds = time.perf_counter() - began
            endpoint = scope.get("endpoint")
            route = getattr(endpoint, "__name__", "none")
            method = scope.get("method", "WEBSOCKET")
            method = method if method in _METHODS else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            _log.info(
                "request",
                extra={
                    "route": route,
                    "method": method,
                    "status": status,
                    "seconds": round(seconds, 6),
                    "first_byte": None if first is None else round(first, 6),
                },
            )


#: What logs say of a request whose client did not wait for the answer, as nginx has it.
_GONE = 499

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "WEBSOCKET"})
