"""The recurrence alone of cells without a recurrent product, beside a plain copy: memory bounds such a cell."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ostinato.bench import accuracy, process, timing
from ostinato.bench.groups import Row
from ostinato.bench.problem import errors
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.legend import Parameters

#: Bytes that are copied: more than any cache holds.
COPIED = 1 << 28
#: Steps over which the numbers are checked.
CHECKED = 50


@dataclass(frozen=True)
class Alone:
    """A cell whose input is what `project` gives of another: the recurrence is all that is left.

    The output is that of the other cell, or the first field of the state where a `readout` makes it.
    """

    cell: Cell
    name: ClassVar[str] = "recurrence alone"
    gates: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[str] = ""
    bias: ClassVar[bool] = True

    @property
    def State(self) -> Any:  # noqa: N802  the contract's name
        """Of the cell."""
        return self.cell.State

    @property
    def output_is_state(self) -> bool:
        """Of the cell."""
        return getattr(self.cell, "output_is_state", True)

    @property
    def input_size(self) -> int:
        """Numbers that `project` gives for a step."""
        from ostinato.cells import form

        return form.projected_size(self.cell)

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.cell.hidden_size

    @property
    def output_size(self) -> int:
        """O."""
        return self.cell.output_size

    def parameters(self) -> Any:
        """Of the cell, used or not."""
        return self.cell.parameters()

    def project(self, p: Parameters, x: Tensor) -> Tensor:
        """Nothing is to be done."""
        return x

    def step(self, p: Parameters, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Of the cell."""
        output, after = self.cell.step(p, projected, state)
        return (after[0] if output is None else output), after

    def initial_state(self, batch_size: int, like: Tensor) -> Any:
        """Of the cell."""
        return self.cell.initial_state(batch_size, like)


def measure(cells: Sequence[str], plugins: Sequence[str], row: Row, threads: int, seconds: float) -> Iterator[Any]:
    """For each cell its rate and that of a copy, as in `results.Bandwidth`.

    Args:
        cells: names.
        plugins: modules to import first.
        row: sizes.
        threads: threads and cores.
        seconds: to spend on a cell, at least.
    """
    from ostinato.bench.sides import ENVIRONMENT

    job = {"cells": cells, "plugins": plugins, "row": row, "threads": threads, "seconds": seconds}
    yield from process.events(__name__, job, threads, ENVIRONMENT)


def rates(cell: Cell, row: Row, seconds: float) -> dict[str, Any]:
    """Rates in GB/s of a cell's recurrence, forward and backward, and of a copy, in turns.

    Of the cell those bytes count that have to be read and written at least: forward the input is read and the output
    written, backward input and the gradient by the output are read, and the gradient by the input is written.
    """
    from ostinato.kernels import compiled
    from ostinato.kernels.request import Request

    alone: Any = Alone(cell)
    about = {"cell": cell.name, "row": row._asdict(), "gb_s": None, "copy_gb_s": None, "share": None}
    if why := compiled.refuses(alone, Request(torch.float32, "cpu", row.T)):
        return about | {"why": why}
    few = row._replace(T=min(row.T, CHECKED))
    check = partial(_run, alone, _given(cell, few))
    expected = check(unroll, torch.float64)
    own = accuracy.worst(errors(check(unroll, torch.float32), expected))
    found = accuracy.worst(errors(check(compiled.run, torch.float32), expected))
    if fault := accuracy.fault("compiled", found, own, "highest", "float32"):
        return about | {"why": fault}
    given = _given(cell, row)
    source, target = torch.zeros(COPIED, dtype=torch.uint8), torch.ones(COPIED, dtype=torch.uint8)
    sides = {
        "scan": timing.Timed(lambda: _run(alone, given, compiled.run, torch.float32), nullcontext[None]),
        "copy": timing.Timed(lambda: target.copy_(source), nullcontext[None]),
    }
    ms = timing.interleaved(sides, seconds)
    moved = 4 * row.T * row.N * (3 * alone.input_size + 2 * alone.output_size)
    rate, copied = moved / ms["scan"].median / 1e6, 2 * COPIED / ms["copy"].median / 1e6
    return about | {
        "gb_s": round(rate, 2),
        "copy_gb_s": round(copied, 2),
        "share": round(rate / copied, 3),
        "why": None,
    }


class _Given(NamedTuple):
    p: dict[str, Tensor]
    x: Tensor
    upstream: Tensor


def _given(cell: Cell, row: Row) -> _Given:
    """Parameters of a new layer, what `project` makes of random inputs, and a gradient by the output."""
    torch.manual_seed(1)
    p = {name: torch.empty(declared.shape) for name, declared in cell.parameters().items()}
    with torch.no_grad():
        for name, declared in cell.parameters().items():
            declared.initialise(p[name], cell.hidden_size)
        x = cell.project(p, torch.randn(row.T, row.N, row.D))
    return _Given(p, x, torch.randn(row.T, row.N, cell.output_size))


def _run(alone: Any, given: _Given, function: Callable[..., Unrolled], dtype: torch.dtype) -> dict[str, Tensor]:
    p = {name: tensor.to(dtype).requires_grad_() for name, tensor in given.p.items()}
    x = given.x.detach().to(dtype).requires_grad_()
    ran = function(alone, p, x, alone.initial_state(x.shape[1], x))
    ran.output.backward(given.upstream.to(dtype))  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return {"output": ran.output.detach(), "grad x": x.grad}


def main() -> None:
    """Standard input to standard output."""
    with process.Answers() as answers:
        from ostinato import cells  # noqa: F401  registers those of the package
        from ostinato.api.plugins import import_plugins
        from ostinato.core.registry import build

        job = answers.job
        torch.set_num_threads(job["threads"])
        import_plugins(job["plugins"])
        row = Row(*job["row"])
        for cell in job["cells"]:
            answers.tell(rates(build(cell, row.D, row.H), row, job["seconds"]))
