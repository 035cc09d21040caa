"""`ostinato bench layers`."""

from typing import Any

from ostinato.bench import groups, tables, targets
from ostinato.config.bench import BenchLayers


def measure(options: BenchLayers, report: tables.Report) -> dict[str, Any]:
    """Measure what the options ask for.

    Args:
        options: of the command.
        report: called with each event; see `tables.measure`.

    Returns:
        `machine`, `tables`, `targets`, `skipped`, `wrong`; as in `LayersMeasured`.

    Raises:
        ConfigError: an unknown group, row or peer.
        RuntimeError: a measuring process ended early.
    """
    from ostinato.api.plugins import import_plugins

    import_plugins(options.plugin)
    selected = groups.groups_by_name(options.only)
    rows = [groups.Row.parse(row) for row in options.rows]
    tables.require_known(options.peers, {peer for group in groups.GROUPS for peer in group.peers})
    by_process = tables.settings(options.threads, selected)
    plan = tables.Plan(by_process, rows, options.peers, options.seconds, options.plugin)
    return tables.measure(plan, report, summary)


def summary(machine: dict[str, Any], found: list[dict[str, Any]], skipped: list[dict[str, str]]) -> dict[str, Any]:
    """The whole result of these tables."""
    return {
        "machine": machine,
        "tables": found,
        "targets": targets.reached(found),
        "skipped": skipped,
        "wrong": tables.wrong_rows(found),
    }
