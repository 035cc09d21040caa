"""Measures the layers, in a process of its own: see `ostinato.bench.process`."""

import gc
from collections.abc import Iterator, Sequence

import torch

from ostinato.bench import checking, groups, machine, problem, timing
from ostinato.bench.process import Answers, Event
from ostinato.bench.sides import why_left_out
from ostinato.core.registry import build
from ostinato.kernels.dispatch import find
from ostinato.kernels.request import Request


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
        gone: dict[str, str] = {}  # who could not take part in a row is not asked for the next
        for sizes in job["rows"] or group.rows():
            row = groups.Row(*sizes)
            found = measure_row(group, row, [peer for peer in peers if peer not in gone], job["seconds"])
            found["left_out"] |= gone
            gone |= {peer: f"not tried ({row}: {why})" for peer, why in found["left_out"].items() if peer not in gone}
            rows.append(found)
            yield {"event": "row", "group": group.name, "row": str(row)}
        rates, void, mean = rate.since()
        limits = machine.limits("medium" if group.dtype == "bfloat16" else group.precision, job["threads"], job["isa"])
        for found in rows:
            if found["ms"]:
                flops, median = found.pop("flops"), found["ms"]["ostinato"]["median"]
                found["of_sgemm"] = round(flops / median / 1e6 / mean, 3)
                found |= machine.floor(flops, limits, median)
        about = {"runs": implementation(group), "limits": limits, "sgemm": rates, "void": void}
        yield {"event": "group", "group": group.name, **about, "rows": rows}


def implementation(group: groups.Group) -> str:
    """What of this package runs a group's cell: `native`, `compiled` or `reference`."""
    request = Request(getattr(torch, group.dtype), "cpu", steps=2, lengths=group.ragged)
    return find(build(group.cell, 4, 4), request).name


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


def measure_row(group: groups.Group, row: groups.Row, peers: Sequence[str], seconds: float) -> Event:
    """Check all sides against float64, then time those that are right; none of them where this package is wrong."""
    given = problem.Problem.make(group, row)
    checked, ready = checking.check(given, ("ostinato", *peers))
    gc.collect()
    found: Event = {"row": row._asdict(), **checked._asdict(), "ms": {}, "fastest": None, "ratio": None}
    found["compile_s"] = {name: round(s.seconds, 3) for name, s in ready.items() if hasattr(s, "seconds")}
    if "ostinato" in checked.wrong:
        return found
    right = {name: timing.Timed(side.run, side.within) for name, side in ready.items() if name not in checked.wrong}
    ms = timing.interleaved(right, seconds)
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
