"""Measures the layers, in a process of its own: see `ostinato.bench.process`."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import torch

from ostinato.bench import accuracy, groups, machine, problem, timing
from ostinato.bench.process import Answers, Event
from ostinato.bench.sides import Side, sides, why_left_out
from ostinato.bench.sides.eager import loop


def measure(job: Event) -> Iterator[Event]:
    """Carry out a job: `groups`, `rows`, `peers`, `threads`, `isa`, `seconds`."""
    torch.set_num_threads(job["threads"])
    yield {"event": "machine", **machine.describe()}
    rate = machine.Rate(job["threads"], job["isa"])
    for given in job["groups"]:
        group = groups.from_json(given)
        if why := _pointless(group):
            yield {"event": "skipped", "group": group.name, "peer": "ostinato", "why": why}
            continue
        peers, skipped = _taking_part(group, job["peers"])
        yield from ({"event": "skipped", "group": group.name, **why} for why in skipped)
        rows = []
        for sizes in job["rows"] or group.rows():
            row = groups.Row(*sizes)
            rows.append(measure_row(group, row, peers, job["seconds"]))
            yield {"event": "row", "group": group.name, "row": str(row)}
        rates, void, mean = rate.since()
        for found in rows:
            if found["ms"]:
                flops = found.pop("flops") / found["ms"]["ostinato"]["median"] / 1e6
                found["of_sgemm"] = round(flops / mean, 3)
        yield {"event": "group", "group": group.name, "sgemm": rates, "void": void, "rows": rows}


def _pointless(group: groups.Group) -> str | None:
    """Why a group has nothing to show here: the machine has no products of its precision."""
    why = machine.computed_instead("medium" if group.dtype == "bfloat16" else group.precision)
    return f"{why}: see lstm" if why else None


def _taking_part(group: groups.Group, wanted: list[str]) -> tuple[list[str], list[dict[str, str]]]:
    """The peers to measure, and why the others are left out."""
    peers, skipped = [], []
    for peer in group.peers:
        if wanted and peer not in wanted:
            continue
        if why := why_left_out(peer):
            skipped.append({"peer": peer, "why": why})
        else:
            peers.append(peer)
    return peers, skipped


def measure_row(group: groups.Group, row: groups.Row, peers: list[str], seconds: float) -> Event:
    """Check all sides against float64, then time them; without times where a number is wrong."""
    given = problem.Problem.make(group, row)
    reference = loop(given, torch.float64).results()
    builders = sides()
    yardstick = builders[accuracy.yardstick(group.peers, group.precision, group.dtype)](given)
    own = accuracy.worst(problem.errors(yardstick.results(), reference))
    ready: dict[str, Side] = {name: builders[name](given) for name in ("ostinato", *peers)}
    errors, wrong = {}, {}
    for name, side in ready.items():
        errors[name] = accuracy.worst(problem.errors(side.results(), reference))
        if fault := accuracy.fault(name, errors[name], own, group.precision, group.dtype):
            wrong[name] = fault
    del reference
    gc.collect()
    found = {"row": row._asdict(), "errors": errors, "wrong": wrong, "ms": {}, "fastest": None, "ratio": None}
    if wrong:
        return found
    ms = timing.interleaved({name: timing.Timed(s.run, s.within) for name, s in ready.items()}, seconds)
    counted = {name: ms[name].median for name in group.against if name in ms}
    fastest = min(counted, key=lambda name: counted[name]) if counted else None
    ratio = round(counted[fastest] / ms["ostinato"].median, 3) if fastest else None
    timed = {name: spread._asdict() for name, spread in ms.items()}
    return found | {"ms": timed, "fastest": fastest, "ratio": ratio, "flops": given.flops}


def main() -> None:
    """Standard input to standard output."""
    with Answers() as answers:
        if answers.job["plugins"]:
            from ostinato.api.plugins import import_plugins

            import_plugins(answers.job["plugins"])
        for event in measure(answers.job):
            answers.tell(event)
