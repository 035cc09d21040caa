"""How a cell is compiled, how fast it is, and how near to float64: `ostinato.check_cell`."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

import ostinato.cells  # noqa: F401  registers those of the package
from ostinato import kernels
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import unroll
from ostinato.compiler.build import NoCompilerError
from ostinato.compiler.form import Form as Stages
from ostinato.compiler.form import Stage
from ostinato.compiler.kernel import Kernel, kernel_of
from ostinato.compiler.program import POINTWISE
from ostinato.compiler.tracer import CannotCompileError, where
from ostinato.core.errors import ConfigError
from ostinato.core.registry import build, lookup
from ostinato.kernels import compiled
from ostinato.native import library as native_library
from ostinato.testing.results import CellReport, Difference, Form, Kept, Phase, Speed
from ostinato.testing.samples import Sample, gradients, weigh

# What float32 may be off, and how many times the error of the loop in float32.
_TOLERANCE, _TIMES = 1e-5, 5.0
_TURNS = 3


def check_cell(
    cell: str | type[Cell] | Cell,
    input_size: int | None = None,
    hidden_size: int = 64,
    *,
    batch_size: int = 16,
    steps: int = 100,
    seconds: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> CellReport:
    """Find out how a cell runs. (In a test suite, `ostinato.testing.check_cell` holds a cell to its contract.)

    Args:
        cell: a registered name, a class that follows `ostinato.cells.contract.Cell`, or a configuration, which has
            sizes and options of its own.
        input_size: D; by default H.
        hidden_size: H.
        batch_size: N, for the speed.
        steps: T, for the speed.
        seconds: to measure for, at least; three turns of each side are always taken.
        progress: is told how many of the turns are over: `progress(done, total)`.
        **options: of the cell.

    Raises:
        ConfigError: no cell of that name, an option or size that it refuses, or a step that fails; says at which line.
    """
    made = _configured(cell, input_size or hidden_size, hidden_size, options)
    exact = _reference(made)
    kernel, why = _kernel(made)
    found = [] if kernel is None else list(_differences(made, exact))
    return CellReport(
        name=made.name,
        configuration=repr(made),
        form=_form(kernel),
        reason=why,
        compiling=0.0 if kernel is None else round(kernel.seconds, 2),
        runs_on=kernels.find(made, kernels.Request(torch.float32, "cpu", steps)).name,
        phases=[] if kernel is None else [*_phases("forward", kernel), *_phases("backward", kernel)],
        kept=[] if kernel is None else _kept(made, kernel),
        kept_floats=0 if kernel is None else kernel.kept_size,
        differences=found,
        agrees=all(one.agrees for one in found),
        speed=_speed(made, kernel is not None, (batch_size, steps), seconds, progress),
    )


def _configured(cell: Any, input_size: int, hidden_size: int, options: Mapping[str, Any]) -> Cell:
    if not isinstance(cell, str | type):
        return cell
    if isinstance(cell, str):
        return build(lookup(cell).name, input_size, hidden_size, **options)
    try:
        return cell(input_size=input_size, hidden_size=hidden_size, bias=True, **options)
    except ConfigError:
        raise
    except Exception as error:  # a cell may raise anything
        raise ConfigError(f"{cell.__name__} refuses its sizes or options: {error}") from error


def _reference(cell: Cell) -> dict[str, Tensor]:
    """What the loop gives in float64; a step that fails is the user's to mend."""
    try:
        return _results(cell, unroll, torch.float64)
    except ConfigError:
        raise
    except Exception as error:  # a cell may raise anything
        raise ConfigError(f"{cell.name} fails at {where(error)}: {type(error).__name__}: {error}") from error


def _kernel(cell: Cell) -> tuple[Kernel | None, str]:
    library = native_library.load()
    if isinstance(library, str):
        return None, library
    try:
        kernel = kernel_of(cell, library.isa)
        kernel.compile()
    except (CannotCompileError, NoCompilerError) as error:
        return None, str(error)
    return kernel, ""


def _form(kernel: Kernel | None) -> Form:
    if kernel is None:
        return "reference"
    if kernel.fused is not None:
        return "fused"
    return "phases" if kernel.layout.forward.form.level else "scan"


def _phases(direction: str, kernel: Kernel) -> Iterable[Phase]:
    made: Stages = getattr(kernel.layout, direction).form
    for number, stage in enumerate(made.stages):
        ops = [made.graph[at].op for at in _computed(stage)]
        products = sum(level == number for level in made.level.values())
        if ops or products:
            yield Phase(
                direction="forward" if direction == "forward" else "backward",
                number=number,
                products=products,
                operations=sum(op in POINTWISE for op in ops),
                reductions=sum(op in ("sum", "largest") for op in ops),
            )


def _computed(stage: Stage) -> Iterable[int]:
    for nodes in (*(loop.nodes for loop in stage.loops), *stage.scalars.values()):
        yield from nodes


def _kept(cell: Cell, kernel: Kernel) -> list[Kept]:
    layout, graph = kernel.layout, kernel.layout.graph
    pieces = zip(cell.State._fields, layout.step.after, strict=True)
    fields = {at: f"the state's {name}" for name, field in pieces for at in field}
    own = layout.kept - ({layout.after[0]} if kernel.fused else set())  # which is the output
    values = {at: fields.get(at) or graph.origin.get(at) or graph[at].op for at in sorted(own)}
    return [Kept(value=value, floats=graph[at].width) for at, value in values.items()]


def _results(cell: Cell, run: Any, dtype: torch.dtype) -> dict[str, Tensor]:
    """Outputs, states and all gradients by name, of ragged sequences."""
    sample = Sample.draw(cell, steps=12, batch=5).to(dtype).leaves()
    ran = run(cell, sample.p, sample.x, sample.state, lengths=torch.tensor([12, 12, 9, 4, 0]), keep_states=True)
    found = {"output": ran.output}
    for name, final, every in zip(cell.State._fields, ran.final, ran.states, strict=True):
        found |= {f"final {name}": final, f"{name} at every step": every}
    by = gradients(weigh(ran, states=True), sample.tensors_by_name())
    return {name: t.detach() for name, t in found.items()} | {f"gradient by {n}": g for n, g in by.items()}


def _differences(cell: Cell, exact: Mapping[str, Tensor]) -> Iterable[Difference]:
    usual, found = (_results(cell, run, torch.float32) for run in (unroll, compiled.run))
    for name, expected in exact.items():
        if not expected.numel():
            continue
        largest = float(expected.abs().max())
        ours, loop = (float((one[name] - expected).abs().max()) / max(1.0, largest) for one in (found, usual))
        yield Difference(
            of=name,
            largest=largest,
            compiled=None if math.isnan(ours) else ours,
            loop=None if math.isnan(loop) else loop,
            agrees=ours <= max(_TOLERANCE, _TIMES * loop) or (math.isnan(ours) and math.isnan(loop)),
        )


def _speed(
    cell: Cell, is_compiled: bool, sizes: tuple[int, int], seconds: float, progress: Callable[[int, int], None] | None
) -> Speed:
    """Medians of turns that alternate."""
    N, T = sizes
    sample = Sample.draw(cell, T, N, torch.float32).leaves()
    sides: list[Callable[..., Any]] = [unroll, *([compiled.run] if is_compiled else [])]
    times: list[list[float]] = [[] for _ in sides]
    for run in sides:
        _timed(run, sample)
    began, turns = time.perf_counter(), _TURNS
    while len(times[0]) < turns:
        for taken, run in zip(times, sides, strict=True):
            taken.append(_timed(run, sample))
        if len(times[0]) == 1:
            turns = max(_TURNS, round(seconds / (time.perf_counter() - began)))
        if progress is not None:
            progress(len(times[0]), turns)
    loop, *ours = (1000 * statistics.median(taken) for taken in times)
    return Speed(
        batch=N,
        steps=T,
        threads=torch.get_num_threads(),
        loop=loop,
        compiled=ours[0] if ours else None,
        times=loop / ours[0] if ours else None,
    )


def _timed(run: Any, sample: Sample) -> float:
    """Seconds of forward and backward."""
    began = time.perf_counter()
    ran = run(sample.cell, sample.p, sample.x, sample.state)
    gradients(ran.output.sum(), sample.tensors_by_name())
    return time.perf_counter() - began
