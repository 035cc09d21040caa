"""The studio's server: at the loopback, from a secret of its own, until Ctrl-C."""

import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import cast

import uvicorn
from starlette.applications import Starlette

from ostinato.core.errors import ConfigError
from ostinato.studio.app import studio_app
from ostinato.studio.studio import Studio

HOST = "127.0.0.1"
#: Where the studio listens unless it is told, or the next free place after it.
PORT = 8400
_PLACES = 100


def serve(
    runs: Path, port: int | None, show: Callable[[str], None], *, browse: bool, plugins: Sequence[str] = ()
) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        runs: folder of run folders.
        port: to listen at; None: `PORT`, or the next one that is free.
        show: called with the address, once it answers.
        browse: whether to open it in the browser.
        plugins: Python files, or modules, to import with torch.

    Raises:
        ConfigError: the port is taken.
    """
    listening = _listen(port)
    place = listening.getsockname()[1]
    secret = secrets.token_urlsafe(24)
    address = f"http://{HOST}:{place}/?key={secret}"
    app = studio_app(runs, secret, place, plugins)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=10)
    show(address)
    if browse:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    with listening:
        _Server(config).run([listening])


class _Server(uvicorn.Server):
    """Lets go of those who follow something, once it is told to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl-C, or SIGTERM."""
        studio: Studio = cast("Starlette", self.config.app).state.studio
        if studio.opening:  # in a thread that nobody can stop; nothing else is under way that has to end well
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        studio.ending = True
        super().handle_exit(sig, frame)


def _listen(port: int | None) -> socket.socket:
    for place in range(PORT, PORT + _PLACES) if port is None else (port,):
        # asyncio sends at once, without waiting for acknowledgements, on sockets that say that they are of TCP
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, place))
        except OSError:
            listening.close()
            continue
        listening.listen(128)
        return listening
    taken = f"--port {port} is" if port is not None else f"ports {PORT} to {PORT + _PLACES - 1} are"
    raise ConfigError(f"{taken} taken by another program; choose another --port")
