"""A request for a run's work, from its body to its answer."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ostinato.api.run import Run
from ostinato.serving.exchange import answered, read
from ostinato.serving.problems import Problem
from ostinato.serving.serving import serving_of
from ostinato.studio.runs import finite

Body = TypeVar("Body")


async def computed(request: Request, work: Callable[[Run], Any]) -> Response:
    """The answer to some work with the run of a path's name, done in a thread when its turn comes."""
    serving = serving_of(request)
    served = serving.runs[request.path_params["name"]]

    def together() -> Any:
        model = served.model
        with model.computing:
            return finite(work(model.run))

    return answered(await serving.compute(together))


async def asked(request: Request, kind: type[Body], work: Callable[[Run, Body], Any]) -> Response:
    """As `computed`, with a body of a type."""
    body = await read(request, kind, serving_of(request).limits)
    return await computed(request, lambda run: work(run, body))


def able(run: Run, can: Any) -> Any:
    """The run's task, where it can do something.

    Raises:
        Problem: 409, it cannot.
    """
    if not isinstance(run.task, can):
        raise Problem(409, f"a run of task {run.config['task']!r} cannot do that")
    return run.task
