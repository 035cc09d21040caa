"""`ostinato bench lm`: has everything measured in a process of its own, and puts together what it finds."""

from collections.abc import Callable
from typing import Any

from ostinato.bench import process
from ostinato.bench.language import plan
from ostinato.config.bench import BenchLm

Report = Callable[[dict[str, Any]], None]


def measure(options: BenchLm, report: Report) -> dict[str, Any]:
    """Measure what the options ask for.

    Args:
        options: of the command.
        report: called with each event: "progress" (`done`, `total`, `left` in seconds, `name`), "skipped", and
            "section" with `work`, `name` and `rows`.

    Returns:
        `machine`, `threads`, `measured`, `rows` (training), `generation`, `evaluation`, `vocabulary`, `skipped` and
        `wrong`; as in `LanguageMeasured`.

    Raises:
        ConfigError: an unknown preset, peer or kind of work.
        RuntimeError: the measuring process ended early.
    """
    sections = plan.sections(options.presets, options.work, options.vocabulary)
    plan.require_peers(options.peers)
    threads = options.threads or min(2, len(process.cores()))
    process.require_cores(threads)
    job = {
        "sections": sections,
        "peers": options.peers,
        "threads": threads,
        "seconds": options.seconds,
        "time_limit": options.time_limit,
    }
    found: dict[str, list[dict[str, Any]]] = {work: [] for work in plan.COMPARED}
    machine: dict[str, Any] = {}
    skipped: list[dict[str, Any]] = []
    progress = process.Progress(len(sections))

    def whole() -> dict[str, Any]:
        about = {"machine": machine, "threads": threads, "measured": process.today()}
        return {**about, **summary(found), "skipped": skipped}

    for event in process.events("ostinato.bench.language.worker", job, threads, {}):
        kind = event.pop("event")
        if kind == "machine":
            machine = event
        elif kind == "skipped":
            skipped.append(event)
            report({"event": kind, **event})
        else:
            found[event["work"]] += event["rows"]
            report({"event": kind, **event})
            report({"event": "so far", "result": whole()})
            report({"event": "progress", "name": event["name"], **progress.one_done()})
    return whole()


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The rows by kind of work, training's as `rows`, and those of them that are wrong."""
    wrong = [
        {"work": work, "preset": row["preset"], "side": side, "why": why}
        for work, rows in found.items()
        for row in rows
        for side, why in row["wrong"].items()
    ]
    others = {work: rows for work, rows in found.items() if work != "training"}
    return {"rows": found["training"], **others, "wrong": wrong}
