"""An application run by uvicorn until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from ostinato.core.errors import ConfigError
from ostinato.serving.connections import Config
from ostinato.serving.serving import Serving

_log = logging.getLogger("ostinato.serving")

#: Seconds after which a thread lets another one have Python: a step of a batch must not keep a new request waiting.
TURN = 0.0005

#: Seconds that a connection on which nobody asks is kept: longer than clients keep theirs (httpx 5), so that none asks
#: at the moment when its connection is closed.
_KEPT = 60

#: Seconds that connections have to close once nothing is under way any more.
_LAST = 2


def listen(host: str, port: int) -> socket.socket:
    """An address that is ours, before anything slow begins; nobody is answered yet.

    Raises:
        ConfigError: it cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # TCP by name: of a socket that does not say so asyncio sends small pieces late (Nagle stays on)
        opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except OSError as error:
        raise ConfigError(f"--host {host} --port {port}: cannot be listened at: {error.strerror or error}") from None
    return opened


def address_of(opened: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = opened.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(app: Starlette, opened: socket.socket, started: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C: then what runs finishes, what is new is refused with 503; a second one ends the
    process where it stands.

    Args:
        app: of `create_app`.
        opened: of `listen`.
        started: called once requests are taken.
    """
    serving: Serving = app.state.serving
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # whoever is not there any more is let go, by the system
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * serving.limits.limit_slow))
    with _turns():
        _Server(configured(app), serving, started).run(sockets=[opened])


def configured(app: Starlette) -> uvicorn.Config:
    """How uvicorn runs it."""
    limits = app.state.serving.limits
    return Config(
        app,
        limits.limit_slow,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever is in front is told apart by nothing here
        ws_max_size=limits.body_bytes,
        limit_concurrency=limits.limit_connections,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_keep_alive=_KEPT,
        timeout_graceful_shutdown=_LAST,
    )


class _Server(uvicorn.Server):
    """uvicorn's, which closes its door at once when told to end; this one goes on to say 503 as long as answers run."""

    def __init__(self, config: uvicorn.Config, serving: Serving, started: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._serving, self._started = serving, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self._started is not None and self.started:
            self._started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn, which would then kill the process by the signal that it has ended for."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Of SIGTERM and Ctrl-C."""
        if self._serving.ending:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
            return
        self._serving.ending = True
        _log.info("ending", extra={"signal": signal.Signals(sig).name, "under_way": self._serving.under_way})
        self._loop.call_soon_threadsafe(self._begin_to_end, sig, frame)

    def _begin_to_end(self, sig: int, frame: FrameType | None) -> None:
        self._ending = asyncio.create_task(self._end(sig, frame))

    async def _end(self, sig: int, frame: FrameType | None) -> None:
        deadline = self._loop.time() + self._serving.limits.limit_time
        while self._serving.under_way and self._loop.time() < deadline:
            await asyncio.sleep(0.05)
        super().handle_exit(sig, frame)


@contextmanager
def _turns() -> Iterator[None]:
    """Threads change often; garbage collections, which stop them all, pass over what is loaded by now."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
