"""What formats of whole models have in common: the description, and the check against the run."""

from collections.abc import Callable
from typing import Any

from ostinato.api.run import Run
from ostinato.core.errors import DataError
from ostinato.interop.outgoing.described import (
    Arrays,
    Described,
    Written,
    largest_difference,
    largest_difference_of_texts,
)
from ostinato.tasks.contract import Describes

#: Random inputs that a model is checked on.
CHECKS = 20

#: Largest difference that is let pass: other kernels add in another order; one of another meaning is far above.
MOST = 1e-4


def near(apart: float, otherwise: str, most: float = MOST) -> float:
    """How far apart numbers are, where that is let pass.

    Raises:
        DataError: it is not: `otherwise`, in words.
    """
    if not apart <= most:
        raise DataError(f"{otherwise}, {apart:.1e} apart at most where {MOST:.0e} is allowed; nothing is written")
    return apart


def described_or_refused(run: Run, form: str) -> Described:
    """The description of a run's model.

    Raises:
        DataError: its task has none.
    """
    if not isinstance(run.task, Describes):
        task = run.config["task"]
        raise DataError(f"--to {form}: a model of task {task!r} is not written so; --to onnx takes some more tasks")
    return run.task.described(run)


def apart_from_run(
    run: Run,
    described: Described,
    other: Callable[[Arrays], list[Any]],
    form: str,
    writes: Callable[..., list[Written]] | None = None,
) -> tuple[int, float]:
    """How many inputs another program was checked on, and how far it is from the run; of one that writes, its texts
    too.

    Raises:
        DataError: too far.
    """
    apart = largest_difference(run.model, described, other, CHECKS)
    if described.writes is not None:
        assert writes is not None
        apart = max(apart, largest_difference_of_texts(run.model, described, writes))
    return CHECKS, near(apart, f"--to {form}: what was written gives other numbers than the run")
