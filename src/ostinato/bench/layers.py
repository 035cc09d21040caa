"""`ostinato bench layers`: shares the measurements out to processes and puts together what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ostinato.bench import groups, process, targets
from ostinato.config.bench import BenchLayers
from ostinato.core.errors import ConfigError

_PEERS = {peer for group in groups.GROUPS for peer in group.peers}
#: What forces an instruction set on torch, oneDNN, MKL, XLA and this package.
_FORCED = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "OSTINATO_ISA": "avx2",
    }
}


class Setting(NamedTuple):
    """What a process is started with."""

    threads: int
    isa: str | None


Report = Callable[[dict[str, Any]], None]


def measure(options: BenchLayers, report: Report) -> dict[str, Any]:
    """Measure what the options ask for.

    Args:
        options: of the command.
        report: called with each event: "progress" (`done`, `left` in seconds or None, `row`, `group`), "skipped", and
            "group" with a whole table; behind it "so far" with `result`, all that is measured until then.

    Returns:
        `machine`, `tables`, `targets`, `skipped`, `wrong`; as in `LayersMeasured`.

    Raises:
        ConfigError: an unknown group, row or peer.
        RuntimeError: a measuring process ended early.
    """
    plan, rows = _plan(options)
    machine: dict[str, Any] = {}
    tables: list[dict[str, Any]] = []
    skipped: dict[tuple[str, str], dict[str, str]] = {}
    progress = process.Progress(sum(len(rows or group.rows()) for chosen in plan.values() for group in chosen))
    for setting, chosen in plan.items():
        for event in _events(setting, chosen, rows, options):
            kind = event.pop("event")
            if kind == "machine":
                machine = machine or event
                isa = event["isa"]
            elif kind == "skipped":
                key = (event["group"], event["peer"])
                if key not in skipped:
                    skipped[key] = event
                    report({"event": kind, **event})
                if event["peer"] == "ostinato":
                    progress.leave_out(len(rows or next(g for g in chosen if g.name == event["group"]).rows()))
            elif kind == "row":
                report({"event": "progress", **event, "threads": setting.threads, **progress.one_done()})
            else:
                group = next(group for group in chosen if group.name == event["group"])
                table = _table(group, setting, isa, event)
                tables.append(table)
                report({"event": kind, **table})
                report({"event": "so far", "result": summary(machine, tables, list(skipped.values()))})
    return summary(machine, tables, list(skipped.values()))


def summary(machine: dict[str, Any], tables: list[dict[str, Any]], skipped: list[dict[str, str]]) -> dict[str, Any]:
    """The whole result of these tables."""
    wrong = [
        {"group": table["group"], "row": row["row"], "side": side, "threads": table["threads"], "why": why}
        for table in tables
        for row in table["rows"]
        for side, why in row["wrong"].items()
    ]
    return {
        "machine": machine,
        "tables": tables,
        "targets": targets.reached(tables),
        "skipped": skipped,
        "wrong": wrong,
    }


def _plan(options: BenchLayers) -> tuple[dict[Setting, list[groups.Group]], list[groups.Row]]:
    """Which groups in which process, and the rows where they are given."""
    if options.plugin:
        from ostinato.api.plugins import import_plugins

        import_plugins(options.plugin)
    chosen = groups.groups_by_name(options.only)
    rows = [groups.Row.parse(row) for row in options.rows]
    if unknown := set(options.peers) - _PEERS:
        raise ConfigError(f"--peers {min(unknown)}: no such peer; there are {', '.join(sorted(_PEERS))}")
    threads = options.threads or (min(2, len(process.cores())),)
    process.require_cores(max(threads))
    plan: dict[Setting, list[groups.Group]] = {}
    for count in threads:
        for group in chosen:
            plan.setdefault(Setting(count, group.isa), []).append(group)
    return plan, rows


def _events(
    setting: Setting, chosen: list[groups.Group], rows: list[groups.Row], options: BenchLayers
) -> Iterator[dict[str, Any]]:
    """Run one process and yield what it says."""
    job = {
        "groups": [groups.as_json(group) for group in chosen],
        "rows": rows,
        "peers": options.peers,
        "threads": setting.threads,
        "isa": setting.isa,
        "seconds": options.seconds,
        "plugins": options.plugin,
    }
    forced = _FORCED[setting.isa] if setting.isa else {}
    yield from process.events("ostinato.bench.worker", job, setting.threads, forced)


def _table(group: groups.Group, setting: Setting, isa: str, found: dict[str, Any]) -> dict[str, Any]:
    about = {name: getattr(group, name) for name in ("cell", "work", "precision", "dtype", "ragged", "options")}
    return {
        "group": group.name,
        **about,
        "against": list(group.against),
        "threads": setting.threads,
        "isa": isa,
        "measured": process.today(),
        "sgemm": found["sgemm"],
        "void": found["void"],
        "rows": found["rows"],
    }
