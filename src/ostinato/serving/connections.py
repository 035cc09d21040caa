"""uvicorn's connections, which end where a client takes nothing of what is sent: closing one would wait for ever."""

import asyncio
import logging
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_log = logging.getLogger("ostinato.serving")


class Config(uvicorn.Config):
    """uvicorn's, with these connections.

    Args:
        app: to be served.
        slow: seconds in which a client has to take something of what waits for it.
        **more: of uvicorn.
    """

    def __init__(self, app: Any, slow: float, **more: Any) -> None:
        super().__init__(app, http=_Http, ws=_WebSocket, **more)
        self.slow = slow


class _Patient(asyncio.Protocol):
    """What is sent waits in the system's buffer, and no more than one piece here. A client that takes nothing for so
    long that this piece is as long as it was is let go."""

    config: uvicorn.Config
    loop: asyncio.AbstractEventLoop
    _looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._sending = cast(asyncio.Transport, transport)
        self._sending.set_write_buffer_limits(high=0)  # any piece that waits here pauses whoever sends

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        self._look_no_more()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        slow = cast(Config, self.config).slow
        self._looking = self.loop.call_later(slow, self._look, self._sending.get_write_buffer_size())

    def _look(self, before: int) -> None:
        if self._sending.get_write_buffer_size() < before:
            self._look_later()
        else:
            _log.info("a client takes nothing: its connection ends")
            self._sending.abort()

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None


class _Http(_Patient, H11Protocol):
    pass


class _WebSocket(_Patient, WebSocketsSansIOProtocol):
    """Who takes nothing is not read either: pings have answers, which would wait here without bound."""

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self._sending.resume_reading()
