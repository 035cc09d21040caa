"""The routes of sessions: made, gone on with, copied, saved, given back, forgotten."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from starlette.requests import Request
from starlette.responses import Response

from ostinato.serving.bodies import GenerateRequest, SessionMade, SessionRequest
from ostinato.serving.exchange import answered, body_of, read
from ostinato.serving.generation import TextResponse, begin, model_of
from ostinato.serving.model import LoadedModel
from ostinato.serving.operations import OCTETS
from ostinato.serving.problems import Problem
from ostinato.serving.served import ServedRun
from ostinato.serving.serving import Serving, serving_of
from ostinato.serving.sessions import Session
from ostinato.serving.texts import Place, TextJob


async def create(request: Request) -> Response:
    """A new session: at the beginning, behind a prompt, or where a saved state was."""
    serving, served = _asked(request)
    serving.sessions.require_room()
    model = await model_of(serving, served)
    if request.headers.get("content-type", "") == OCTETS:
        return _made(serving, model.kept(_place(model, await body_of(request, serving.limits))))
    asked = await read(request, SessionRequest, serving.limits, empty=True)
    session = model.kept(model.begin())
    if asked.prompt:
        session.busy = True
        reading, back = GenerateRequest(prompt=asked.prompt, length=0), _back(model, session)
        job = await begin(serving, served, reading, lambda model: model.begin(), on_end=back)
        await job.whole()
    return _made(serving, session)


async def go_on(request: Request) -> Response:
    """Write on from where a session stands, and leave it where that came to."""
    serving, served = _asked(request)
    asked = await read(request, GenerateRequest, serving.limits)
    model, session = await model_of(serving, served), _session(request, serving)
    session.busy = True
    try:
        back = _back(model, session)
        job = await begin(serving, served, asked, lambda model: model.place(session), on_end=back)
    except BaseException:
        session.busy = False
        raise
    return TextResponse(job, stream=asked.stream)


async def fork(request: Request) -> Response:
    """Another session at the same place."""
    serving, _ = _asked(request)
    session = _session(request, serving)
    return _made(serving, Session(session.run, session.state, session.token, session.after))


async def save(request: Request) -> Response:
    """The state, as safetensors."""
    serving, served = _asked(request)
    session = _session(request, serving)
    model = await model_of(serving, served)
    tensors = _saved(model.place(session), model.rows.form)
    return Response(safetensors.torch.save(tensors), media_type=OCTETS)


async def restore(request: Request) -> Response:
    """Put a session where a saved state was."""
    serving, served = _asked(request)
    model = await model_of(serving, served)
    saved = model.kept(_place(model, await body_of(request, serving.limits)))
    session = _session(request, serving)
    session.state, session.token, session.after = saved.state, saved.token, saved.after
    return Response(status_code=204)


async def forget(request: Request) -> Response:
    """Delete a session; a text that is being written from it goes on to its end."""
    serving, served = _asked(request)
    name = request.path_params["session"]
    serving.sessions.find(served.name, name, idle=False)
    serving.sessions.delete(name)
    return Response(status_code=204)


def _asked(request: Request) -> tuple[Serving, ServedRun]:
    serving = serving_of(request)
    serving.require_open()
    return serving, serving.runs[request.path_params["name"]]


def _session(request: Request, serving: Serving) -> Session:
    return serving.sessions.find(request.path_params["name"], request.path_params["session"])


def _made(serving: Serving, session: Session) -> Response:
    return answered(SessionMade(id=serving.sessions.add(session)), 201)


def _back(model: LoadedModel, session: Session) -> Callable[[TextJob], None]:
    """Puts a session where a text came to; one that came to nothing leaves it where it was."""

    def back(job: TextJob) -> None:
        session.busy = False
        if job.place is not None:
            reached = model.kept(job.place)
            session.state, session.token, session.after = reached.state, reached.token, reached.after

    return back


def _saved(place: Place, form: Iterable[str]) -> dict[str, torch.Tensor]:
    """A place as tensors by name."""
    after = torch.tensor([ord(sign) for sign in place.after], dtype=torch.int32)
    state = {} if place.state is None else dict(zip(form, place.state, strict=True))
    return {"token": torch.tensor([place.token]), "after": after, **state}


def _place(model: LoadedModel, content: bytes) -> Place:
    """The place that a saved state says.

    Raises:
        Problem: 422, it is none of this model; says what was expected.
    """
    form: dict[str, tuple[tuple[int, ...], Any]] = {"token": ((1,), torch.int64)}
    try:
        tensors = safetensors.torch.load(content)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise Problem(422, f"expected a state as safetensors, as GET .../state gives it: {error}") from None
    after = tensors.pop("after", torch.empty(0, dtype=torch.int32))
    if len(tensors) > 1:
        form |= model.rows.form
    expected = ", ".join(f"{name} {list(shape)}" for name, (shape, _) in form.items())
    if tensors.keys() != form.keys():
        raise Problem(422, f"expected the fields {expected}; got {', '.join(sorted(tensors))[:500] or 'none'}")
    for name, (shape, dtype) in form.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != tuple(shape) or tensor.dtype != dtype:
            raise Problem(
                422, f"{name}: expected {dtype} of shape {list(shape)}, got {tensor.dtype} of {list(tensor.shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise Problem(422, f"{name}: expected finite numbers")
    token, size = int(tensors.pop("token")), model.run.tokenizer.size
    if not 0 <= token < size:
        raise Problem(422, f"token: expected 0 to {size - 1:,}, got {token}")
    return Place(tuple(tensors[name] for name in form if name != "token") or None, token, _sign(after))


def _sign(after: torch.Tensor) -> str:
    codes = after.flatten().tolist() if after.dtype == torch.int32 else [-1]
    if len(codes) > 1 or not all(0 <= code <= sys.maxunicode for code in codes):
        raise Problem(422, "after: expected the code point of one sign at most, as int32")
    return "".join(map(chr, codes))
