"""What `ostinato predict` and `evaluate --output` write, and in which format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli.output import Counted, Output, write_lines, write_pieces
from ostinato.cli.progress import ProgressLine
from ostinato.config.commands import Predict
from ostinato.core.errors import ConfigError
from ostinato.tasks.commands import apart, said

if TYPE_CHECKING:
    from ostinato.api import Run


def opened(options: Any, more: Sequence[str] = (), weights: str | None = None) -> Run:
    """The run of a command, its cells registered; where several are named, an ensemble. `weights` as of `load`."""
    from ostinato.api import load
    from ostinato.api.plugins import import_plugins

    import_plugins(options.plugin)
    return load(options.run, *more, weights=weights)


def apart_from_runs(places: Sequence[str]) -> tuple[list[str], list[str]]:
    """Further run folders at the beginning of what was named, and the data behind them."""
    runs = list(takewhile(lambda place: (Path(place) / "config.json").is_file(), places))
    return runs, list(places[len(runs) :])


def predict(options: Predict, output: Output) -> None:
    """Answer, and write the answers."""
    from ostinato.api.compute import compute_settings
    from ostinato.api.results import Predicted
    from ostinato.data.tables.writing import format_of, require_writer, table_pieces
    from ostinato.tasks.contract import Predicts, Tabulates

    if options.output == "-":  # standard output, as elsewhere
        options = replace(options, output=None)
    more, data = apart_from_runs(options.data)
    if len(data) != 1:
        raise ConfigError(f"DATA: expected one file, text, or - for standard input, got {len(data)}")
    run = opened(options, more)
    task = run.config["task"]
    asking, writing = apart(task, "predict", said(options)) if isinstance(run.task, Predicts) else ({}, {})
    labels = writing.get("labels", False)
    tabular = isinstance(run.task, Tabulates) and not labels
    kind = None if options.output is None else format_of(options.output)
    if kind is not None and not tabular and kind != "tsv":  # columns of words and tags are no other
        raise ConfigError(
            f"--output {options.output}: the answers of task {task!r} are lines of text, no table; "
            "choose another ending, such as .txt"
        )
    require_writer(kind)
    counted = Counted()
    with compute_settings(options.threads, options.precision), run.computing(options.accelerator):
        answers = counted(run.answers(data[0], progress=ProgressLine("predicting"), **asking))
        if options.output is not None and kind is not None and isinstance(run.task, Tabulates) and tabular:
            write_pieces(Path(options.output), table_pieces(run.task.rows(run, answers), kind))
            written = counted.count
        else:
            lines = run.lines(answers, labels=labels)
            written = output.lines(lines) if options.output is None else write_lines(Path(options.output), lines)
        written = counted.count if tabular else written  # a line of column names is no answer
    if options.output is not None:
        output.text(f"{options.output}: {counted.count:,} answers")
    output.result(Predicted(run=options.run, task=task, answers=counted.count, lines=written, output=options.output))


def write_backtest(rows: Iterable[Mapping[str, Any]], path: str) -> int:
    """Forecasts beside what came, as a table: CSV where the ending says nothing else; returns how many rows."""
    from ostinato.data.tables.writing import format_of, table_pieces

    counted = Counted()
    write_pieces(Path(path), table_pieces(counted(rows), format_of(path) or "csv"))
    return counted.count
