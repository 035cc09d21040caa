"""Errors as problem JSON (RFC 9457), whose words the page shows."""

from http import HTTPStatus

from starlette.responses import JSONResponse


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """A response with an error.

    Args:
        status: of HTTP.
        title: what kind of error; the status's own words where empty.
        detail: what was expected, what came, and what to do.
    """
    content = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, media_type="application/problem+json")
