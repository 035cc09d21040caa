"""What each benchmark does on the command line."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import convert

from ostinato.cli.output import Output
from ostinato.config.bench import BenchCells, BenchLayers, BenchLm

#: Title, lines of cells with the head in front, and a note.
Table: TypeAlias = tuple[str, list[list[str]], str]


def bench_layers(options: BenchLayers, output: Output) -> int:
    """Measure, print a table after each group and the targets at the end; 1 where a number was wrong."""
    from ostinato.bench import layers, report
    from ostinato.bench.results import LayersMeasured

    show = _shown(report, options.out, output, partial(_of_layers, report))
    result = _keep(report, layers.measure(options, show), options.out, output)
    _print_table(output, "What is reached, of what is wanted", report.target_lines(result["targets"]), "")
    output.result(convert(result, LayersMeasured))
    return 1 if result["wrong"] else 0


def bench_cells(options: BenchCells, output: Output) -> int:
    """Measure, print a table after each cell and the targets at the end; 1 where a number of this package was wrong."""
    from ostinato.bench import machine, pages, report
    from ostinato.bench.accuracy import OURS
    from ostinato.bench.cells import measure
    from ostinato.bench.cells import report as of_cells
    from ostinato.bench.results import CellsMeasured

    shown = _shown(of_cells, options.out, output, partial(_of_layers, report))

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "cell":
            print(f"{event['part']}: {of_cells.in_a_line(event['found'])}", file=sys.stderr, flush=True)
        else:
            shown(event)

    before = None
    if options.out and options.resume:
        before = pages.earlier(machine.describe(), Path(options.out), of_cells.KIND)
    result = _keep(of_cells, measure.measure(options, show, before), options.out, output)
    for title, lines in of_cells.parts(result):
        _print_table(output, title, lines, "")
    output.result(convert(result, CellsMeasured))
    return 1 if any(each["side"] in OURS for each in result["wrong"]) else 0


def bench_lm(options: BenchLm, output: Output) -> int:
    """Measure, print a table after each part; 1 where a number was wrong."""
    from ostinato.bench.language import measure, report
    from ostinato.bench.results import LanguageMeasured

    def table(event: dict[str, Any]) -> Table | None:
        rows = event["rows"]
        return (event["name"], report.lines(rows), report.footnote(rows)) if rows else None

    show = _shown(report, options.out, output, table)
    result = _keep(report, measure.measure(options, show), options.out, output)
    output.result(convert(result, LanguageMeasured))
    return 1 if result["wrong"] else 0


def _of_layers(report: Any, table: dict[str, Any]) -> Table:
    return report.title(table), report.lines(table), " ".join((report.footnote(table), *report.notes(table)))


def _shown(
    files: Any, out: str | None, output: Output, table: Callable[[dict[str, Any]], Table | None]
) -> Callable[[dict[str, Any]], None]:
    """What prints the events of a benchmark, by what makes a table of one that is none of the others, and keeps what is
    measured."""

    def show(event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            left = f"{event['left'] / 60:.0f} min" if event["left"] >= 90 else f"{event['left']:.0f} s"
            what = event.get("name") or f"{event['group']} {event['row']}"
            print(f"{event['done']} of {event['total']}, about {left} left: {what}", file=sys.stderr, flush=True)
        elif kind == "skipped":
            where = event.get("group") or f"{event['work']} {event['preset']}"
            print(f"{where} without {event['peer']}: {event['why']}", file=sys.stderr)
        elif kind == "so far":  # whoever stops it has what was measured
            _keep(files, event["result"], out)
        elif (found := table(event)) is not None:
            _print_table(output, *found)

    return show


def _keep(report: Any, result: dict[str, Any], out: str | None, output: Output | None = None) -> dict[str, Any]:
    """Write a result to --out, where it is given, with what stands there of other rows; that is then the result."""
    if not out:
        return result
    result = report.merged(result, Path(out))
    written = report.write(result, Path(out))
    if output is not None:
        output.text("written:", ", ".join(map(str, written)))
    return result


def _print_table(output: Output, title: str, lines: list[list[str]], note: str) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    output.text(f"\n{title}")
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        output.text("  ".join(cells).rstrip())
    if note:
        output.text(note)
