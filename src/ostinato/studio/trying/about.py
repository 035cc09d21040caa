"""What can be tried with a run."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.api.run import Run
from ostinato.studio.trying.asking import computed
from ostinato.tasks.contract import Aligns, Generates, Looks, ReadsTexts


async def about(request: Request) -> Response:
    """The run's task, and what it can do."""
    return await computed(request, _about)


def _about(run: Run) -> dict[str, Any]:
    task = run.task
    example = getattr(task, "example", None)
    return {
        "task": run.config["task"],
        "run": str(run.folder.path),
        "writes": isinstance(task, Generates),
        "texts": isinstance(task, ReadsTexts) and task.reads_texts(run),
        "aligns": isinstance(task, Aligns) and run.config["model"].get("attention") is not None,
        "looks": isinstance(task, Looks),
        "example": example(run) if callable(example) else "",
        "horizon": run.codec.shape.horizon if hasattr(run.codec, "shape") else None,
    }


ROUTES = [Route("/studio/try/{name}", about)]
