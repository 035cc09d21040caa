"""What `ostinato check-cell` prints."""

from collections.abc import Callable
from typing import Any

from ostinato.cli.output import Output
from ostinato.cli.progress import ProgressLine
from ostinato.config.cells import option_values
from ostinato.config.commands import CheckCell
from ostinato.core.errors import ConfigError, unknown_name


def check_cell(options: CheckCell, output: Output) -> int:
    """Report on each cell of a file; 1 where numbers are wrong."""
    from ostinato.api.compute import compute_settings
    from ostinato.testing.report import check_cell as report_on
    from ostinato.testing.results import CellReport, CheckedCells

    reports: list[CellReport] = []
    kinds = _kinds(options)
    with compute_settings(options.threads, "highest"):
        for kind in kinds:
            report = report_on(
                kind, options.input_size, options.hidden_size, batch_size=options.batch, steps=options.steps,
                seconds=options.seconds, progress=_progress(kind.name),
                **option_values(options.cell_options),
            )  # fmt: skip
            for line in _lines(report):
                output.text(line)
            reports.append(report)
    output.result(CheckedCells(file=options.file, cells=reports))
    return int(not all(report.agrees for report in reports))


def _progress(name: str) -> Callable[[int, int], None]:
    """A line that begins where measuring does, not before the compiler."""
    begun: list[ProgressLine] = []

    def tell(done: int, total: int) -> None:
        if not begun:
            begun.append(ProgressLine(f"{name}: measuring"))
        begun[0](done, total)

    return tell


def _kinds(options: CheckCell) -> list[Any]:
    """The cells that are meant.

    Raises:
        ConfigError: the file cannot be read or has none, or none of that name.
    """
    import ostinato.cells  # noqa: F401  registers those of the package
    from ostinato.api.plugins import import_plugin
    from ostinato.core.registry import lookup, registered

    if not options.file.endswith(".py"):
        return [lookup(options.file)]
    module = import_plugin(options.file, options.file)
    found = {kind.name: kind for kind in registered().values() if kind.__module__ == module.__name__}
    found |= {kind.name: kind for kind in vars(module).values() if _is_cell(kind, module.__name__)}
    if not found:
        raise ConfigError(
            f"{options.file}: expected a cell, a class with name, gates, State, parameters, project and step; "
            "found none (the guide 'A cell of your own' shows one)"
        )
    if options.cell is not None and options.cell not in found:
        raise ConfigError(f"{options.file}: {unknown_name('no cell', options.cell, sorted(found))}")
    return list(found.values()) if options.cell is None else [found[options.cell]]


def _is_cell(kind: Any, module: str) -> bool:
    needed = ("name", "gates", "State", "parameters", "project", "step", "initial_state")
    return isinstance(kind, type) and kind.__module__ == module and all(hasattr(kind, name) for name in needed)


def _lines(report: Any) -> list[str]:
    """A report, for people."""
    speed = report.speed
    lines = [report.configuration, f"  {'form':<12}{report.form}{f': {report.reason}' if report.reason else ''}"]
    if report.form != "reference":
        lines += _of_compiled(report)
    sizes = f"{speed.batch} sequences of {speed.steps} steps, {_counted(speed.threads, 'thread')}"
    faster = "" if speed.times is None else f", compiled {speed.compiled:.2f} ms: {speed.times:.1f} times as fast"
    return [*lines, f"  {'speed':<12}loop {speed.loop:.2f} ms{faster} (forward and backward of {sizes})", ""]


def _of_compiled(report: Any) -> list[str]:
    made = f"in {report.compiling:.1f} s" if report.compiling else "before: it was in the cache"
    lines = [f"  {'compiled':<12}{made}; layers run it on: {report.runs_on}"]
    for number, phase in enumerate(report.phases):
        parts = [_counted(phase.products, "product"), _counted(phase.operations, "operation")]
        parts += [_counted(phase.reductions, "reduction")] if phase.reductions else []
        label = "" if number else "phases"
        lines.append(f"  {label:<12}{phase.direction} {phase.number}: {', '.join(parts)}")
    lines.append(f"  {'kept':<12}{report.kept_floats:,} floats for a sequence and step")
    lines += [f"  {'':<12}{kept.floats:>6,} {kept.value}" for kept in report.kept]
    lines.append(f"  {'numbers':<12}{'as in float64, as near as float32 allows' if report.agrees else 'WRONG'}")
    worst = sorted(report.differences, key=lambda one: -(float("inf") if one.compiled is None else one.compiled))
    for one in [one for one in worst if not one.agrees] or worst[:3]:
        lines.append(f"  {'':<12}{one.of}: off by {_shown(one.compiled)}, the loop by {_shown(one.loop)}")
    return lines


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _shown(share: float | None) -> str:
    return "NaN" if share is None else f"{share:.1e}"
