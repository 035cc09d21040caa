"""Shares measurements out to processes and puts together what they find: tables, one for each group."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from ostinato.bench import process
from ostinato.bench.groups import Group, Row, as_json
from ostinato.bench.sides import ENVIRONMENT
from ostinato.core.errors import ConfigError

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
Found = dict[str, Any]


class Plan(NamedTuple):
    """What is measured.

    Attributes:
        groups: for each process.
        rows: instead of the groups' own, where they are given.
        peers: whom to measure; all where it is empty.
        seconds: for a row, at least.
        plugins: with cells of the user's.
    """

    groups: dict[Setting, list[Group]]
    rows: list[Row]
    peers: tuple[str, ...]
    seconds: float
    plugins: tuple[str, ...] = ()

    def rows_of(self, group: Group) -> Sequence[Row]:
        """What a group is measured on."""
        return self.rows or group.rows()


def measure(plan: Plan, report: Report, whole: Callable[[Found, list[Found], list[dict[str, str]]], Found]) -> Found:
    """Measure what is planned.

    Args:
        plan: what.
        report: called with each event: "progress" (`done`, `left` in seconds or None, `row`, `group`), "skipped", and
            "group" with a whole table; behind it "so far" with `result`, all that is measured until then.
        whole: makes the result of the machine, the tables, and what was left out.

    Raises:
        RuntimeError: a measuring process ended early.
    """
    machine: Found = {}
    tables: list[Found] = []
    skipped: dict[tuple[str, str], dict[str, str]] = {}
    progress = process.Progress(sum(len(plan.rows_of(group)) for groups in plan.groups.values() for group in groups))
    for setting, groups in plan.groups.items():
        for event in _events(setting, groups, plan):
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
                    progress.leave_out(len(plan.rows_of(next(g for g in groups if g.name == event["group"]))))
            elif kind == "row":
                report({"event": "progress", **event, "threads": setting.threads, **progress.one_done()})
            else:
                group = next(group for group in groups if group.name == event["group"])
                table = _table(group, setting, isa, event)
                tables.append(table)
                report({"event": kind, **table})
                report({"event": "so far", "result": whole(machine, tables, list(skipped.values()))})
    return whole(machine, tables, list(skipped.values()))


def settings(threads: tuple[int, ...], groups: Sequence[Group]) -> dict[Setting, list[Group]]:
    """Which groups in which process.

    Raises:
        ConfigError: more threads than there are cores.
    """
    threads = threads or (min(2, len(process.cores())),)
    process.require_cores(max(threads))
    plan: dict[Setting, list[Group]] = {}
    for count in threads:
        for group in groups:
            plan.setdefault(Setting(count, group.isa), []).append(group)
    return plan


def require_known(peers: tuple[str, ...], known: Collection[str]) -> None:
    """Raise a ConfigError where a peer is unknown."""
    if unknown := set(peers) - set(known):
        raise ConfigError(f"--peers {min(unknown)}: no such peer; there are {', '.join(sorted(known))}")


def wrong_rows(tables: list[Found]) -> list[Found]:
    """The sides whose numbers were wrong, and where."""
    return [
        {"group": table["group"], "row": row["row"], "side": side, "threads": table["threads"], "why": why}
        for table in tables
        for row in table["rows"]
        for side, why in row["wrong"].items()
    ]


def _events(setting: Setting, groups: list[Group], plan: Plan) -> Iterator[Found]:
    """Run one process and yield what it says."""
    job = {
        "groups": [as_json(group) for group in groups],
        "rows": plan.rows,
        "peers": plan.peers,
        "threads": setting.threads,
        "isa": setting.isa,
        "seconds": plan.seconds,
        "plugins": plan.plugins,
    }
    forced = _FORCED[setting.isa] if setting.isa else {}
    yield from process.events("ostinato.bench.worker", job, setting.threads, {**ENVIRONMENT, **forced})


def _table(group: Group, setting: Setting, isa: str, found: Found) -> Found:
    about = {name: getattr(group, name) for name in ("cell", "work", "precision", "dtype", "ragged", "options")}
    return {
        "group": group.name,
        **about,
        "against": list(group.against),
        "runs": found["runs"],
        "threads": setting.threads,
        "isa": isa,
        "measured": process.today(),
        "limits": found["limits"],
        "sgemm": found["sgemm"],
        "void": found["void"],
        "rows": found["rows"],
    }
