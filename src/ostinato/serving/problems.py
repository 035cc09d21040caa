"""Errors as problem JSON (RFC 9457): what was expected, what came, what to do; never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ostinato.core.errors import ConfigError, DataError, OstinatoError, RunFolderError, TensorError
from ostinato.core.results import Result

_log = logging.getLogger("ostinato.serving")


class ProblemDetails(Result, kw_only=True):
    """Why a request was refused."""

    type: Annotated[str, "always `about:blank`: the status says what kind it is"] = "about:blank"
    title: Annotated[str, "the status in words"]
    status: Annotated[int, "the HTTP status"]
    detail: Annotated[str, "what was expected, what came, and what to do"]


class Problem(Exception):  # noqa: N818  RFC 9457's word
    """A request that is refused.

    Args:
        status: of HTTP.
        detail: what was expected, what came, and what to do.
        headers: of the response, besides.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}

    @property
    def content(self) -> bytes:
        """The body."""
        return msgspec.json.encode(
            ProblemDetails(title=HTTPStatus(self.status).phrase, status=self.status, detail=self.detail)
        )

    def response(self) -> Response:
        """What is sent."""
        return Response(self.content, self.status, self.headers, "application/problem+json")


def problem_of(error: Exception) -> Problem:
    """Any error as what a client is told. Of one that nobody expected that is nothing but that it was logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.NOT_FOUND:
            return Problem(404, "there is nothing at this address; /openapi.json says what there is", headers)
        return Problem(error.status_code, error.detail, headers)
    if isinstance(error, RunFolderError):
        return Problem(409, str(error))
    if isinstance(error, ConfigError | DataError | TensorError | OstinatoError):
        return Problem(422, str(error))
    # the class alone: a message may quote what a client sent
    _log.error("unexpected error", extra={"error": type(error).__name__, "at": _place(error)})
    return Problem(500, "the server failed at this request; its log says where")


async def respond(request: Request, error: Exception) -> Response:
    """Starlette's handler of exceptions."""
    return problem_of(error).response()


def _place(error: Exception) -> str:
    """File and line where an error came up."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
