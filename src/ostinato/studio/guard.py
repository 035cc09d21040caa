"""Who may use the studio: the person who started it, in a browser where other pages are open too.

Three things keep those pages out. The name in the address must be the loopback's, or else a page whose name was made to
lead here (DNS rebinding) would be of one origin with us. Every request must show the secret that was drawn at the
start, which the first address brings and a cookie keeps. What changes something must come from our own page: other
servers of this machine are the same site to a browser, so that a cookie alone does not tell them apart.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostinato.serving.problems import Problem

_READING = {"GET", "HEAD", "OPTIONS"}
_HOW_IN = "Open the address that `ostinato studio` printed when it started: it has the key to this page."
_CLOSED = f"<!doctype html><meta charset=utf-8><title>Ostinato</title><h1>Not open</h1><p>{_HOW_IN}</p>"


class Guard:
    """Lets through what may pass, and gives every answer the headers that keep the page by itself.

    Args:
        app: what is guarded.
        secret: that the first address has as `?key=...`, and other programs as `Authorization: Bearer ...`.
        port: of the server.
        scripts: what the page's own script elements hold; no other script that stands in a page runs.
    """

    def __init__(self, app: ASGIApp, secret: str, port: int, scripts: Sequence[str] = ()) -> None:
        self._app, self._secret = app, secret
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._cookie = f"ostinato-studio-{port}"
        self._headers = _headers(scripts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, marked)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            return Problem(421, "the studio answers at 127.0.0.1 and localhost alone").response()
        url = URL(scope=scope)
        if scope["type"] == "http" and scope["path"] == "/" and (keys := parse_qs(url.query).get("key")):
            return self._enter(keys[0])
        if not self._known(headers):
            return HTMLResponse(_CLOSED, 401) if scope["path"] == "/" else Problem(401, _HOW_IN).response()
        changes = scope["type"] == "websocket" or scope["method"] not in _READING
        if changes and not self._from_here(headers):
            return Problem(403, "this request comes from another page, which may change nothing here").response()
        return None

    def _enter(self, key: str) -> Response:
        """Keep the key in a cookie, and take it out of the address: that may be copied, the key not."""
        if not self._same(key):
            return HTMLResponse(_CLOSED, 401)
        response = RedirectResponse("/", 303)
        response.set_cookie(self._cookie, self._secret, httponly=True, samesite="strict", path="/")
        return response

    def _known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._same(given)
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return kept is not None and self._same(kept.value)

    def _same(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._secret.encode())

    def _from_here(self, headers: Headers) -> bool:
        """Whether a request comes from our own page, or from no page at all."""
        origin = headers.get("origin")
        if origin is not None:
            return origin == f"http://{headers['host']}"
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _headers(scripts: Sequence[str]) -> dict[str, str]:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(["'self'", *(f"'sha256-{each}'" for each in hashes)])
    return {
        "content-security-policy": (
            f"default-src 'self'; script-src {allowed}; img-src 'self' blob: data:; object-src 'none'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-cache",  # asks each time whether a file is still the same
    }
