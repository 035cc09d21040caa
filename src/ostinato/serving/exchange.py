"""Bodies of requests in, JSON out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ostinato.config.serving import ServeLimits
from ostinato.serving.problems import Problem

Kind = TypeVar("Kind")


async def body_of(request: Request, limits: ServeLimits) -> bytes:
    """The body of a request.

    Raises:
        Problem: 413, larger than allowed; 408, it does not come.
    """
    too_large = Problem(413, f"the body is larger than the {limits.body_bytes:,} bytes that this server takes")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.body_bytes:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.limit_slow):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Problem(408, f"the body did not come within {limits.limit_slow:g} seconds") from None
    except ClientDisconnect:
        raise Problem(400, "the connection was closed before the body had come") from None
    return b"".join(parts)


def require_json(request: Request) -> None:
    """That a body says it is JSON: what a page of another origin may send without asking does not.

    Raises:
        Problem: 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(415, f"expected Content-Type: application/json, got {kind[:80] or 'none'!r}")


async def read(request: Request, kind: type[Kind], limits: ServeLimits, *, empty: bool = False) -> Kind:
    """The body of a request as what its type says.

    Args:
        request: whose.
        kind: a type of `bodies`.
        limits: how large it may be.
        empty: whether there may be none, which then says what all defaults say.

    Raises:
        Problem: 400, no JSON; 413, 415; 422, another form, with what was expected and where.
    """
    content = await body_of(request, limits)
    if empty and not content:
        return kind()
    require_json(request)
    return decoded(content, kind)


def decoded(content: bytes | str, kind: type[Kind]) -> Kind:
    """JSON as what a type says.

    Raises:
        Problem: 400 or 422.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise Problem(422, f"the body has another form: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"expected JSON: {str(error) or type(error).__name__}") from None


def encoded(value: Any) -> bytes:
    """A result as JSON; null stands for numbers that are not finite."""
    return msgspec.json.encode(value, enc_hook=_plain)


def answered(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON."""
    return Response(encoded(value), status, headers, "application/json")


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"a result holds a {type(value).__name__}")


def finite(value: float) -> float | None:
    """A number, or null where JSON has no word for it."""
    return value if math.isfinite(value) else None
