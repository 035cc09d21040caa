"""Measures the language models, in a process of its own: see `ostinato.bench.process`."""

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ostinato.bench import accuracy, machine, timing
from ostinato.bench.language import memory, numpy_side, our_sides, plain_torch, torch_sides
from ostinato.bench.language.plan import COMPARED, WANTED, WANTED_MB, Section
from ostinato.bench.language.problem import EVALUATED, WRITTEN, Problem
from ostinato.bench.problem import Results, errors
from ostinato.bench.process import Answers, Event, today
from ostinato.bench.sides import Side
from ostinato.core.memory import available

#: A precision of this package and a peer, or None for this package alone.
Pair = tuple[str, str | None]
Errors = dict[str, float]
#: A loss is one number, which may be right by luck: plain PyTorch's error counts as this much at least. Of it this
#: package may make four times as much, in "medium" a quarter more.
_LUCK = {"highest": 1e-6, "medium": 8e-4}
#: What plain PyTorch holds at once, in tensors the size of all scores.
_SCORES = 4
_OURS: dict[str, Callable[[Problem, str], Side]] = {
    "training": our_sides.OurTraining,
    "vocabulary": our_sides.OurTraining,
    "evaluation": our_sides.OurEvaluation,
    "generation": our_sides.OurGeneration,
}
_TORCH: dict[str, Any] = {
    "training": torch_sides.TorchTraining,
    "vocabulary": torch_sides.TorchTraining,
    "evaluation": torch_sides.TorchEvaluation,
    "generation": torch_sides.TorchGeneration,
}


def measure(job: Event) -> Iterator[Event]:
    """Carry out a job: `sections`, `peers`, `threads`, `seconds`, `time_limit`."""
    torch.set_num_threads(job["threads"])
    began, longest = time.monotonic(), 0.0
    yield {"event": "machine", **machine.describe()}
    rate = machine.Rate(job["threads"])
    for given in job["sections"]:
        section, start = Section(*given), time.monotonic()
        if start - began + longest > job["time_limit"]:
            yield {"event": "skipped", **_section_facts(section), "peer": "all", "why": "--time-limit: no time is left"}
            continue
        problem = Problem.make(section.preset, **section.changes)
        compared, skipped = taking_part(section.work, problem, job["peers"])
        yield from ({"event": "skipped", **_section_facts(section), **why} for why in skipped)
        rows = measure_section(section, problem, compared, job["seconds"]) if compared else []
        rates, void, _ = rate.since()
        rows = [row | {"sgemm": rates, "void": void, "measured": today()} for row in rows]
        if section.work == "training":
            rows = [row | _floor(problem, row, job["threads"]) for row in rows]
        yield {"event": "section", "work": section.work, "name": str(section), "rows": rows}
        longest = max(longest, time.monotonic() - start)


def _floor(problem: Problem, row: Event, threads: int) -> Event:
    """What the machine's limit is for a training step, and how near to it this package comes."""
    limits = machine.limits(row["precision"], threads, None)
    if not limits or row["ours_ms"] is None:
        return {}
    side = our_sides.OurTraining(problem, row["precision"])
    with side.within(), FlopCounterMode(display=False) as counter:
        side.run()
    return {"limits": limits, **machine.floor(counter.get_total_flops(), limits, row["ours_ms"])}


def _section_facts(section: Section) -> Event:
    return {"work": section.work, "preset": section.preset}


def taking_part(work: str, problem: Problem, wanted: list[str]) -> tuple[list[Pair], list[dict[str, str]]]:
    """Who is compared, and why others are left out."""
    found: list[Pair] = []
    skipped = []
    for precision, peer in COMPARED[work]:
        if wanted and peer not in wanted:
            continue
        if (why := machine.computed_instead(precision) or _why_not(peer, work, problem)) is None:
            found.append((precision, peer))
            continue
        skipped.append({"peer": peer, "why": why})
    if work == "vocabulary" and not found:
        found.append(("highest", None))
    return found, skipped


def _why_not(peer: str, work: str, problem: Problem) -> str | None:
    if peer == "numpy":
        return numpy_side.unsupported(problem)
    if why := plain_torch.unsupported(problem.sizes):
        return why
    if peer == "torch-chunked":
        return None if hasattr(torch.nn, "LinearCrossEntropyOptions") else "this torch has no chunked cross-entropy"
    needs = _SCORES * problem.tokens * problem.sizes["vocab_size"] * 4 / 1e6
    free = available()
    if work == "vocabulary" and free is not None and needs * 1e6 > free / 2:
        return f"a step with {problem.tokens:,} tokens would take some {needs / 1e3:.0f} GB"
    return None


def measure_section(section: Section, problem: Problem, compared: list[Pair], seconds: float) -> list[Event]:
    """Check all sides, then time them; without times where a number is wrong."""
    work = section.work
    sides = {ours(precision): build(ours(precision), work, problem) for precision, _ in compared}
    sides |= {peer: build(peer, work, problem) for _, peer in compared if peer}
    found, wrong = check(sides, problem, work)
    gc.collect()
    ms: dict[str, timing.Spread] = {}
    used: dict[str, float | None] = {}
    if not wrong:
        if work == "vocabulary":
            used = {name: step_memory(name, problem) for name in sides}
        timed = {name: timing.Timed(side.run, side.within) for name, side in sides.items()}
        ms = timing.interleaved(timed, seconds)
    return [_row(section, problem, pair, found, wrong, ms, used) for pair in compared]


def ours(precision: str) -> str:
    """Name of this package's side."""
    return f"ostinato {precision}"


def build(name: str, work: str, problem: Problem) -> Side:
    """A side by its name."""
    if name == "numpy":
        return numpy_side.NumpyTraining(problem)
    if name.startswith("ostinato "):
        return _OURS[work](problem, name.split()[1])
    if name == "torch-cell":
        return torch_sides.TorchCellGeneration(problem)
    how = {"chunked": True} if name == "torch-chunked" else {"autocast": name == "torch-bf16"}
    side: Side = _TORCH[work](problem, **how)
    return side


def check(sides: dict[str, Side], problem: Problem, work: str) -> tuple[dict[str, Errors], dict[str, str]]:
    """Errors of each side against float64, and what is wrong with them.

    This package's may be four times those of plain PyTorch in float32; in "medium" no larger than those under autocast.
    """
    expected = reference(problem, work)
    found = {name: accuracy.worst(errors(side.results(), expected)) for name, side in sides.items()}
    yardsticks, wrong = dict(found), {}
    for name, own in found.items():
        side, _, precision = name.partition(" ")
        measure = accuracy.yardstick(("torch",), precision, "float32")
        if measure not in yardsticks:
            yardsticks[measure] = accuracy.worst(errors(build(measure, work, problem).results(), expected))
        luck = _LUCK.get(precision, 0.0)
        allowed = {kind: max(error, luck if kind == "output" else 0.0) for kind, error in yardsticks[measure].items()}
        if fault := accuracy.fault(side, own, allowed, precision or "highest", "float32"):
            wrong[name] = fault
    return found, wrong


def reference(problem: Problem, work: str) -> Results:
    """What float64 makes of it; of generation, what plain PyTorch writes."""
    if work in ("training", "vocabulary"):
        return torch_sides.reference(problem)
    side: torch_sides.TorchGeneration | torch_sides.TorchEvaluation = _TORCH[work](problem)
    side.model.double()
    return side.results()


def step_memory(name: str, problem: Problem) -> float | None:
    """MB that a side's training step takes above weights and gradients."""
    build(name, "training", Problem.make(problem.preset, vocab_size=100)).run()  # libraries and threads
    return memory.peak_above(lambda: build(name, "training", problem), owned=lambda side: memory.held(side.model))


def _row(
    section: Section,
    problem: Problem,
    pair: Pair,
    found: dict[str, Errors],
    wrong: dict[str, str],
    ms: dict[str, timing.Spread],
    used: dict[str, float | None],
) -> Event:
    precision, peer = pair
    name = ours(precision)
    own, other = ms.get(name), ms.get(peer or "")
    tokens = {"evaluation": EVALUATED, "generation": WRITTEN}.get(section.work, problem.tokens)
    row: Event = {
        "preset": section.preset,
        "precision": precision,
        "ours_ms": own and own.median,
        "peer": peer,
        "peer_ms": other and other.median,
        "ratio": round(other.median / own.median, 3) if own and other else None,
        "wanted": WANTED.get((section.work, section.preset, precision, peer or "")),
        "tokens": tokens,
        "ours_tokens_per_second": own and round(1e3 * tokens / own.median, 1),
        "peer_tokens_per_second": other and round(1e3 * tokens / other.median, 1),
        "ours_quartiles_ms": own and [own.low, own.high],
        "peer_quartiles_ms": other and [other.low, other.high],
        "errors": {"ostinato": found[name], **({peer: found[peer]} if peer else {})},
        "wrong": {side: why for side, why in wrong.items() if side in pair or side == name},
    }
    if section.work == "vocabulary":
        mb = {"ours_mb": used.get(name), "peer_mb": used.get(peer or "")}
        many = section.changes.get("batch") and section.changes["vocab_size"] >= 250_000
        row |= {"vocabulary": problem.sizes["vocab_size"], **mb, "wanted_mb": WANTED_MB if many else None}
    return row


def main() -> None:
    """Standard input to standard output."""
    with Answers() as answers:
        for event in measure(answers.job):
            answers.tell(event)
