"""What each command does, once its options are read."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import UNSET

from ostinato.cli.answers import apart_from_runs, opened, predict, write_backtest
from ostinato.cli.bench import bench_cells, bench_layers, bench_lm
from ostinato.cli.check_cell import check_cell
from ostinato.cli.demo import demo
from ostinato.cli.exporting import export_model, import_model
from ostinato.cli.inspect import inspect
from ostinato.cli.output import Output
from ostinato.cli.progress import ProgressLine
from ostinato.cli.search import search
from ostinato.cli.serve import serve, studio
from ostinato.config import commands
from ostinato.config.bench import BenchCells, BenchLayers, BenchLm
from ostinato.config.commands import Evaluate, Generate, Plot, Predict
from ostinato.config.export import Export
from ostinato.config.inspect import Inspect
from ostinato.config.search import Search
from ostinato.config.serving import Serve, Studio
from ostinato.core import cluster
from ostinato.core.collector import uncollected
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.core.figures import shown
from ostinato.core.results import builtins
from ostinato.core.visible import visible
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.commands import apart, said
from ostinato.tasks.options import TrainOptions

#: Bytes of a finished run that only going on needs, from which on that is said.
_WORTH_A_WORD = 20_000_000


def run(options: Any, started: float) -> int:
    """Carry out a command; returns the exit status."""
    output = Output(as_json=options.json)
    if type(options) in TRAIN_OPTIONS.values():
        return _train(options, output, started)
    simple: dict[type[Any], Callable[[Any, Output], int | None]] = {
        commands.Demo: partial(demo, started=started),
        BenchLayers: bench_layers,
        BenchCells: bench_cells,
        BenchLm: bench_lm,
        Evaluate: _evaluate,
        Predict: predict,
        Generate: _generate,
        Plot: _plot,
        Inspect: inspect,
        Serve: serve,
        Studio: studio,
        commands.CheckCell: check_cell,
        commands.Info: _info,
        commands.Import: import_model,
        Export: export_model,
        commands.Runs: _runs,
        commands.Trim: _trim,
        Search: search,
    }
    # some have options of tasks besides
    carry_out = next(simple[kind] for kind in type(options).__mro__ if kind in simple)
    return carry_out(options, output) or 0


def _train(options: TrainOptions, output: Output, started: float) -> int:
    with uncollected():
        from ostinato.api.results import Ending, course_of
        from ostinato.api.training import train_task
        from ostinato.training.metrics import said_in

    if options.start.find_lr:
        return _find_lr(options, output, started)
    trained = _or_how_to_go_on(lambda: train_task(options, started, ProgressLine), options, started)
    if cluster.place().rank:  # of several that torchrun started, the first speaks
        return 0
    course, summary = course_of(trained), trained.task.summary(trained)
    output.text(f"{options.out}: {course.parameters:,} parameters, {course.steps:,} steps")
    output.figures({name: value for name, value in builtins(summary).items() if name.startswith("valid_")})
    if trained.test is not None:
        output.figures({f"test_{name}": value for name, value in trained.test.items()})
    if (spare := trained.folder.resume_point.tensor_bytes()) > _WORTH_A_WORD:
        output.text(
            f"{_megabytes(spare)} of it are the optimiser's, for --resume with more --epochs; "
            f"without them: ostinato trim {options.out}"
        )
    test = UNSET if trained.test is None else trained.test
    advice, seconds = said_in(trained.folder.metrics), round(time.monotonic() - started, 2)
    output.result(course, summary, Ending(test=test, advice=advice, seconds=seconds))
    return 0


def _find_lr(options: TrainOptions, output: Output, started: float) -> int:
    with uncollected():
        from ostinato.api.finding_rate import find_rate

    found = find_rate(options, started, ProgressLine, picture=f"find-lr-{options.TASK}.png")
    output.text(found.sentence)
    drawn = "pictures need matplotlib: pip install 'ostinato[plots]'"
    output.text(drawn if found.picture is None else f"{found.picture}: the losses over the rates")
    if found.lr is not None:
        output.text(f"to train with it: {found.command}")
    output.result(found)
    return 0


def _or_how_to_go_on(work: Callable[[], Any], options: TrainOptions, started: float) -> Any:
    """Run a training; on Ctrl-C say how to go on."""
    try:
        return work()
    except KeyboardInterrupt:
        saved = Path(options.out) / "checkpoint" / "latest.json"
        begun = time.time() - (time.monotonic() - started)
        # what is to be overwritten may still be there
        if saved.exists() and (options.start.resume or saved.stat().st_mtime > begun):
            raise KeyboardInterrupt(f"the checkpoint is saved; go on with --out {options.out} --resume") from None
        raise


def _evaluate(options: Evaluate, output: Output) -> None:
    from ostinato.api.compute import compute_settings
    from ostinato.data.tables.writing import format_of, require_writer
    from ostinato.tasks.contract import Backtests

    more, data = apart_from_runs(options.data)
    if not data:
        raise ConfigError("DATA: expected at least one file, folder, or - for standard input")
    run = opened(options, more)
    asking, writing = apart(run.config["task"], "evaluate", said(options))
    path = writing.get("output")
    require_writer(format_of(path or ""))
    with compute_settings(options.threads, options.precision), run.computing(options.accelerator):
        figures = run.evaluate(*data, progress=ProgressLine("evaluating"), **asking)
    output.figures(figures)
    if path is not None and isinstance(run.task, Backtests):
        written = write_backtest(run.task.backtested(run), path)
        output.text(f"{path}: {written:,} forecasts beside what came")
    output.result(figures)


def _generate(options: Generate, output: Output) -> None:
    from ostinato.api.results import Generated, Written

    run = opened(options, weights=options.weights)
    prompts = [options.prompted] if options.prompts is None else _prompts(options.prompts)
    settings = said(options)
    seed = settings.pop("seed", None)
    asked = [
        (prompt, None if seed is None else seed + number) for prompt in prompts for number in range(options.samples)
    ]
    texts: list[Written] = []
    settings |= {"stop": options.stop, "seed": seed}
    with run.computing(options.accelerator):
        if len(asked) == 1:  # streamed; several are written side by side
            written: Iterable[Iterable[str]] = [run.generate(prompts[0], options.length, **settings)]
        else:
            line = ProgressLine("writing")
            found = run.generate(prompts, options.length, samples=options.samples, progress=line, **settings)
            written = ([text] for text in found)
        for (prompt, own), pieces in zip(asked, written, strict=True):
            if texts:
                output.text("---")
            output.data(prompt, end="")
            so_far = []
            for piece in pieces:
                output.data(piece, end="")
                so_far.append(piece)
            output.text("")
            texts.append(Written(prompt=prompt, seed=own, text="".join(so_far)))
    output.result(Generated(prompt=texts[0].prompt, text=texts[0].text, texts=texts))


def _prompts(source: str) -> list[str]:
    """One a line; an empty line is the beginning of a text."""
    from ostinato.data.tables.reading import open_content

    prompts = [line.removesuffix("\n").removesuffix("\r") for line in open_content(source).lines()]
    if not prompts:
        raise DataError(f"--prompts {source}: expected one prompt a line, found nothing")
    return prompts


def _plot(options: Plot, output: Output) -> None:
    from ostinato.api.compute import compute_settings
    from ostinato.api.results import Plotted

    run = opened(options)
    series = [] if options.series is None else options.series.split(",")
    with compute_settings(options.threads, "highest"), run.computing(options.accelerator):
        drawn = run.plot(options.data, options.out, series=series, **said(options))
    output.text(f"{options.out}: {len(drawn['series']):,} series")
    output.result(Plotted(run=options.run, task=run.config["task"], series=drawn["series"], out=options.out))


def _info(options: commands.Info, output: Output) -> None:
    with uncollected():
        from ostinato.api.info import describe
    from ostinato.api.plugins import import_plugins

    import_plugins(options.plugin)
    found = describe()
    for name, value in found.versions.items():
        output.text(f"{name:<20}{value}")
    output.text(f"{'threads':<20}{found.threads}")
    output.text(f"{'accelerators':<20}{', '.join(found.accelerators)}")
    output.text(f"{'native kernels':<20}{found.native}")
    if found.precision:
        products = ", ".join(f"{wanted} {computed}" for wanted, computed in found.precision.items())
        output.text(f"{'matmul precision':<20}{products}")
    output.text(f"{'output layers by':<20}{found.output_layers}")
    if found.int8:
        output.text(f"{'weights of 8 bits':<20}{found.int8}; {', '.join(found.int8_cells)}")
    output.text(f"{'compiler of cells':<20}{found.compiler}; kept in {found.compiled}")
    output.text("")
    output.text(f"{'cell':<20}{'runs on':<20}why nothing faster")
    for cell in found.cells:
        kernel = f"{cell.kernel} {cell.isa or ''}"
        output.text(f"{cell.name:<20}{kernel:<20}{cell.reason}".rstrip())
        if cell.precision != found.precision and set(cell.precision.values()) == {"float32"}:
            output.text("  products in float32, whatever the precision asked for")
        for case in cell.elsewhere:
            output.text(f"  {case.when}: {case.kernel} ({case.reason})")
    output.result(found)


def _runs(options: commands.Runs, output: Output) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ostinato.api.listing import list_runs
    from ostinato.api.results import Runs

    folder = Path(options.folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one that holds run folders")
    found = list_runs(folder)
    if not found and not options.json:
        raise RunFolderError(f"{folder}: holds no run folders")
    table = Table("run", "task", "cell", "steps", "epochs", "valid loss", "test", "state", box=None, pad_edge=False)
    for row in found:
        figures = "-" if row.valid_loss is None else shown(row.valid_loss), _first_figure(row.test or {})
        cells = (row.run, row.task, row.cell, f"{row.steps:,}", row.epochs, *figures, row.state)
        # a name may hold what looks like markup
        table.add_row(*(Text(visible(str(cell), one_line=True)) for cell in cells))
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = 1 << 16  # for another program: names whole
    console.print(table)
    output.result(Runs(runs=found))


def _first_figure(figures: dict[str, Any]) -> str:
    """The first that is measured, not counted: what the task is judged by, or nearly so."""
    measured = [(name, value) for name, value in figures.items() if isinstance(value, float)]
    return f"{measured[0][0].replace('_', ' ')} {shown(measured[0][1])}" if measured else "-"


def _trim(options: commands.Trim, output: Output) -> None:
    from ostinato.api.results import TrimmedRuns
    from ostinato.api.trimming import trim

    if not options.runs:
        raise ConfigError("RUN: expected at least one run folder")
    trimmed = []
    for path in options.runs:
        found = trim(path)
        output.text(f"{path}: {_megabytes(found.freed_bytes)} removed, {_megabytes(found.bytes)} stay")
        trimmed.append(found)
    output.result(TrimmedRuns(runs=trimmed))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
