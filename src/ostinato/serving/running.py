"""An application run by uvicorn until it is told to end."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from ostinato.core.errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, before anything slow begins.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except OSError as error:
        raise ConfigError(f"--host {host} --port {port}: cannot be listened at: {error.strerror or error}") from None
    return opened


def serve(app: Starlette, opened: socket.socket, started: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C: then what runs finishes, what is new is refused with 503.

    Args:
        app: of `create_app`.
        opened: of `listen`.
        started: told the address, once requests are taken.
    """
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="websockets-sansio")
    server = uvicorn.Server(config)
    if started is not None:
        host, port = opened.getsockname()[:2]
        started(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    server.run(sockets=[opened])
