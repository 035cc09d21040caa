"""`ostinato bench cells`."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ostinato.bench import process, tables
from ostinato.bench.cells import bandwidth, compilation, plan, resets, targets
from ostinato.bench.groups import Group, Row
from ostinato.config.bench import BenchCells
from ostinato.core.errors import ConfigError, unknown_name

Found = dict[str, Any]
#: What is measured beside the tables.
PARTS = ("compilation", "bandwidth", "resets")


def measure(options: BenchCells, report: tables.Report, before: Mapping[str, Any] | None = None) -> Found:
    """Measure what the options ask for.

    Args:
        options: of the command.
        report: called with each event: those of `tables.measure`, and "cell" with `part` and `found`.
        before: a result of which nothing is to be measured again.

    Returns:
        As in `CellsMeasured`.

    Raises:
        ConfigError: an unknown cell, row, peer or kind of work.
        RuntimeError: a measuring process ended early.
    """
    from ostinato.api.plugins import import_plugins

    import_plugins(options.plugin)
    if unknown := [work for work in options.work if work not in plan.WORKS]:
        raise ConfigError(unknown_name("--work: unknown", unknown[0], plan.WORKS))
    tables.require_known(options.peers, plan.PEERS)
    names, rows = plan.names(options.only), [Row.parse(row) for row in options.rows]
    by_process = tables.settings(options.threads, plan.groups(names, rows, options.peers, options.compile_limit))
    threads, works = next(iter(by_process)).threads, options.work or plan.WORKS
    parts: dict[str, list[Found]] = {part: [] for part in PARTS}
    done = {part: {each["cell"] for each in (before or {}).get(part, ())} for part in PARTS}
    left = {part: [cell for cell in names if cell not in done[part]] for part in PARTS}
    largest = max(rows or plan.ROWS, key=lambda row: row.N * row.T * row.H)
    asked: dict[str, Any] = {
        "compilation": lambda cells: compilation.measure(cells, options.plugin, len(process.cores())),
        "bandwidth": lambda cells: bandwidth.measure(
            plan.scans(cells), options.plugin, largest, threads, options.seconds
        ),
        "resets": lambda cells: resets.measure(cells, options.plugin, threads, options.seconds),
    }
    for part in PARTS:
        if part in works and left[part]:
            for found in asked[part](left[part]):
                parts[part].append(found)
                report({"event": "cell", "part": part, "found": found})
    whole = partial(summary, parts)
    if "cells" not in works:
        return whole(_machine(), [], [])
    unmeasured = {setting: _unmeasured(groups, before, setting) for setting, groups in by_process.items()}
    planned = tables.Plan(unmeasured, [], (), options.seconds, options.plugin)
    return tables.measure(planned, report, whole) if any(unmeasured.values()) else whole(_machine(), [], [])


def summary(
    parts: Mapping[str, list[Found]], machine: Found, found: list[Found], skipped: list[dict[str, str]]
) -> Found:
    """The whole result of these parts and tables."""
    cells = {table["cell"] for table in found}
    registered = set(plan.names(()))  # a folder may have cells of a plugin that is not here
    return {
        "machine": machine,
        **parts,
        "tables": found,
        "targets": targets.reached(found, parts, plan.scans(sorted(cells & registered))),
        "skipped": skipped,
        "wrong": tables.wrong_rows(found),
    }


def _machine() -> Found:
    from ostinato.bench import machine

    return machine.describe()


def _unmeasured(groups: Sequence[Group], before: Mapping[str, Any] | None, setting: tables.Setting) -> list[Group]:
    """The groups with those of their rows that are not in a result."""
    done = {
        (table["group"], Row(**row["row"]))
        for table in (before or {}).get("tables", ())
        if table["threads"] == setting.threads
        for row in table["rows"]
    }
    left = [(group, tuple(row for row in group.sizes if (group.name, row) not in done)) for group in groups]
    return [dataclasses.replace(group, sizes=sizes) for group, sizes in left if sizes]
