"""Every route once: what it takes and gives, for the application and for its OpenAPI page."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ostinato.serving.problems import ProblemDetails

Endpoint = Callable[[Request], Awaitable[Response]]

#: A body, or an answer, that is a state.
OCTETS = "application/octet-stream"
_JSON, _PROBLEM = "application/json", "application/problem+json"
_REF = "#/components/schemas/{name}"


@dataclass(frozen=True)
class Operation:
    """A route.

    Attributes:
        method: of HTTP.
        path: with names of what varies in it.
        endpoint: what answers; its docstring says what it does.
        takes: types of the body, by its media type; a struct, or bytes.
        gives: the same of the answer.
        status: of the answer.
        optional: whether there need be no body.
        parameters: of the query, by name: what they are.
    """

    method: str
    path: str
    endpoint: Endpoint
    takes: Mapping[str, Any] = field(default_factory=dict)
    gives: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    optional: bool = False
    parameters: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def routes(operations: Sequence[Operation]) -> list[BaseRoute]:
    """Those of an application."""
    return [Route(each.path, each.endpoint, methods=[each.method]) for each in operations]


def openapi(operations: Sequence[Operation], version: str, *, token: bool = False) -> dict[str, Any]:
    """The OpenAPI 3.1 page.

    Args:
        operations: what it tells of.
        version: of the package.
        token: whether requests must bear one.
    """
    types = [kind for each in operations for kind in (*each.takes.values(), *each.gives.values()) if _is_struct(kind)]
    _, components = msgspec.json.schema_components(dict.fromkeys([*types, ProblemDetails]), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    page: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Ostinato", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": components},
    }
    if token:
        page["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        page["security"] = [{"token": []}]
    return page


_ABOUT = (
    "Trained runs: answers, texts as they are written, sessions that keep a state. A WebSocket at "
    "/v1/runs/{name}/stream writes texts, or takes steps of a sequence and answers each."
)


def _operation(each: Operation) -> dict[str, Any]:
    said = inspect.cleandoc(each.endpoint.__doc__ or "")
    summary, _, more = said.partition("\n\n")
    found: dict[str, Any] = {
        "operationId": f"{each.endpoint.__name__}",
        "summary": " ".join(summary.split()),
        "parameters": [*_in_path(each.path), *_in_query(each.parameters)],
        "responses": {
            str(each.status): {"description": "as asked", **_content(each.gives)},
            "default": {"description": "refused", **_content({_PROBLEM: ProblemDetails})},
        },
    }
    if more:
        found["description"] = " ".join(more.split())
    if each.takes:
        found["requestBody"] = {"required": not each.optional, **_content(each.takes)}
    return found


def _in_path(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(parameters: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", **about} for name, about in parameters.items()]


def _content(by_type: Mapping[str, Any]) -> dict[str, Any]:
    if not by_type:
        return {}
    return {"content": {media: {"schema": _schema(kind)} for media, kind in by_type.items()}}


def _schema(kind: Any) -> dict[str, Any]:
    plain = {bytes: {"type": "string", "format": "binary"}, str: {"type": "string"}, dict: {"type": "object"}}
    return {"$ref": _REF.format(name=kind.__name__)} if _is_struct(kind) else plain[kind]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
