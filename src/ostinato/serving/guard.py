"""Who may come in: the token, and pages of other origins. Plain ASGI, in front of all routes."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ostinato.config.serving import is_loopback
from ostinato.core.errors import ConfigError
from ostinato.serving.problems import Problem

#: What anybody may ask, so that whoever watches the server needs no token.
OPEN = frozenset({"/health", "/ready"})


class Guard:
    """Refuses requests without the token, from pages of other origins, and by names that are not this machine's.

    Args:
        app: what is behind it.
        token: that requests must bear; None asks for none.
        origins: of other pages that may ask.
        local: whether the server can be reached from this machine alone: then it answers to this machine's names only,
            so that no page can reach it by a name of its own that leads here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, token: str | None, origins: tuple[str, ...] = (), local: bool = False) -> None:
        self._app, self._origins, self._local = app, origins, local
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._local and not is_loopback(_name_of(host)):
            raise Problem(403, "this server answers to localhost alone; --host has another address")
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and origin.partition("://")[2] != host:
            raise Problem(403, "pages of another origin may not ask; --allow-origin names those that may")
        if self._token is not None and scope["path"] not in OPEN and not _preflight(scope, headers):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            same = hmac.compare_digest(given.strip().encode(), self._token)
            if scheme.lower() != "bearer" or not same:
                raise Problem(401, "expected Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


def _preflight(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks what it may ask: that comes without a token."""
    return scope.get("method") == "OPTIONS" and "access-control-request-method" in headers


def _name_of(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def read_token(path: str) -> str:
    """The token in a file.

    Raises:
        ConfigError: it is missing or empty, or others may read it.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            token = file.read(10_000).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if mode & 0o077:
        raise ConfigError(f"--token-file {path}: others than its owner may read it (mode {mode:o}); chmod 600 {path}")
    if len(token) < 16 or any(sign.isspace() for sign in token) or not token.isascii():
        raise ConfigError(
            f"--token-file {path}: expected one word of at least 16 signs of ASCII, got {len(token)}; "
            "such as `openssl rand -hex 32` gives"
        )
    return token
