"""What resets inside a sequence cost, and what is done without them: a call for each step, the state masked between."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.bench import accuracy, process, timing
from ostinato.bench.groups import Row
from ostinato.bench.problem import errors
from ostinato.layers.recurrent import Recurrent

#: As an agent sees eight environments.
ROW = Row(8, 128, 256, 256)
#: Of a reset before a step.
PROBABILITY = 0.05


class _Given(NamedTuple):
    layer: Recurrent
    x: Tensor
    resets: Tensor
    upstream: Tensor


def measure(cells: Sequence[str], plugins: Sequence[str], threads: int, seconds: float) -> Iterator[dict[str, Any]]:
    """For each cell the times with and without, forward and backward, as in `results.ResetsCost`.

    Args:
        cells: names.
        plugins: modules to import first.
        threads: threads and cores.
        seconds: to spend on a cell, at least.
    """
    from ostinato.bench.sides import ENVIRONMENT

    job = {"cells": cells, "plugins": plugins, "threads": threads, "seconds": seconds}
    yield from process.events(__name__, job, threads, ENVIRONMENT)


def cost(cell: str, seconds: float, row: Row = ROW) -> dict[str, Any]:
    """Milliseconds of a layer without resets, with them, and called step by step."""
    torch.manual_seed(1)
    layer = Recurrent(cell, row.D, row.H)
    x = torch.randn(row.T, row.N, row.D, requires_grad=True)
    given = _Given(layer, x, torch.rand(row.T, row.N) < PROBABILITY, torch.randn(row.T, row.N, layer.output_size))
    ways: dict[str, Callable[[_Given], Tensor]] = {"none": _without, "resets": _with, "loop": _step_by_step}
    about = {"cell": cell, "row": row._asdict()}
    with torch.random.fork_rng():
        double = Recurrent(cell, row.D, row.H).double()
    double.load_state_dict(layer.state_dict())
    twice = _Given(double, x.detach().double().requires_grad_(), given.resets, given.upstream.double())
    expected = _results(_step_by_step, twice)
    own, found = (accuracy.worst(errors(_results(way, given), expected)) for way in (_step_by_step, _with))
    if fault := accuracy.fault("ostinato", found, own, "highest", "float32"):
        return {**about, **{f"{way}_ms": None for way in ways}, "why": fault}
    sides = {name: timing.Timed(partial(_run, way, given), nullcontext[None]) for name, way in ways.items()}
    ms = timing.interleaved(sides, seconds)
    return {**about, **{f"{way}_ms": ms[way].median for way in ways}, "why": None}


def _without(given: _Given) -> Tensor:
    output: Tensor = given.layer(given.x)[0]
    return output


def _with(given: _Given) -> Tensor:
    output: Tensor = given.layer(given.x, resets=given.resets)[0]
    return output


def _step_by_step(given: _Given) -> Tensor:
    """Where a sequence begins anew its state is the initial one."""
    layer, N = given.layer, given.x.shape[1]
    start = layer.cell.initial_state(N, given.x)
    state = start
    outputs = []
    for x, before in zip(given.x.unbind(), given.resets.unsqueeze(-1).unbind(), strict=True):
        state = [torch.where(before, new, old) for new, old in zip(start, state, strict=True)]
        fields = [field.unsqueeze(0) for field in state]
        output, after = layer(x.unsqueeze(0), tuple(fields) if len(fields) > 1 else fields[0])
        outputs.append(output[0])
        state = [field[0] for field in (after if isinstance(after, tuple) else (after,))]
    return torch.stack(outputs)


def _run(way: Callable[[_Given], Tensor], given: _Given) -> Tensor:
    for leaf in (given.x, *given.layer.parameters()):
        leaf.grad = None
    output = way(given)
    output.backward(given.upstream)  # type: ignore[no-untyped-call]
    return output


def _results(way: Callable[[_Given], Tensor], given: _Given) -> dict[str, Tensor]:
    output = _run(way, given)
    leaves = {"x": given.x, **dict(given.layer.named_parameters())}
    grads = {f"grad {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    return {"output": output.detach(), **grads}


def main() -> None:
    """Standard input to standard output."""
    with process.Answers() as answers:
        from ostinato.api.plugins import import_plugins

        torch.set_num_threads(answers.job["threads"])
        import_plugins(answers.job["plugins"])
        for cell in answers.job["cells"]:
            answers.tell(cost(cell, answers.job["seconds"]))
