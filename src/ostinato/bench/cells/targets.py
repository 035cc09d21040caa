"""What cells are meant to reach, and how far they are from it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Found = dict[str, Any]


class Target(NamedTuple):
    """A figure that is wanted.

    Attributes:
        title: of what.
        unit: of the figures: `x` times as fast, `of a copy`, `s`, `ms` or `%`.
        least: what it should be at least, or at most where smaller is better.
        better: better still.
        smaller: whether smaller is better.
        every: whether the worst one has to reach it; otherwise the mean.
    """

    title: str
    unit: str
    least: float
    better: float
    smaller: bool = False
    every: bool = False


GENERATED = Target("generated against hand-written kernels, each", "x", 0.97, 1.0, every=True)
LOOP = Target("compiled cells with a recurrent product against the loop", "x", 5, 10)
JAX = Target("compiled cells with a recurrent product against JAX's scan", "x", 1.5, 3)
TORCHRECURRENT = Target("against torchrecurrent's own layers, median", "x", 6, 10)
SCANS = Target("cells without a recurrent product against the GRU here, T >= 200", "x", 2, 4)
BANDWIDTH = Target("their recurrence: share of a copy's bandwidth", "of a copy", 0.5, 0.8)
FORWARD = Target("{} forward against its loop", "x", 5, 15)
TRAINING = Target("{} training against its loop", "x", 5, 15)
COLD = Target("compilation of a cell, cold, both directions", "s", 6, 3, smaller=True, every=True)
CACHED = Target("a cell from the cache", "ms", 60, 20, smaller=True, every=True)
RESETS = Target("time with resets over that without", "x", 1.05, 1.02, smaller=True)
STEPWISE = Target("resets against a call for each step", "x", 5, 10)
#: The cells that the targets name.
YARDSTICK, LOOPED = "gru", "slstm"
LONG = 200


def reached(tables: Sequence[Found], parts: Mapping[str, Sequence[Found]], scans: Iterable[str]) -> list[Found]:
    """For each target that anything was measured of: what was found, for each number of threads.

    Args:
        tables: of comparisons.
        parts: what is measured beside them, by name.
        scans: names of the cells without a recurrent product.
    """
    found = []
    for threads in sorted({table["threads"] for table in tables}, reverse=True):
        of = _Tables([table for table in tables if table["threads"] == threads], set(scans))
        rows = [
            _judged(GENERATED, of.ratios("compiled", "native", lambda cell: True), threads),
            _judged(LOOP, of.against("loop"), threads),
            _judged(JAX, of.against("jax"), threads),
            _judged(TORCHRECURRENT, of.ratios("ostinato", "torchrecurrent", lambda cell: True), threads, median=True),
            _judged(SCANS, of.against_yardstick(), threads),
            _judged(_of(FORWARD), of.ratios("ostinato", "loop", lambda cell: cell == LOOPED, "inference"), threads),
            _judged(_of(TRAINING), of.ratios("ostinato", "loop", lambda cell: cell == LOOPED), threads),
        ]
        found += [row for row in rows if row]
    return found + [row for target, figures in _beside(parts) if (row := _judged(target, figures, None))]


def against_yardstick(tables: Sequence[Found], scans: Iterable[str]) -> dict[tuple[str, int], list[float]]:
    """Of cells without a recurrent product: times as fast as the yardstick in each long row, by cell and threads."""
    found: dict[tuple[str, int], list[float]] = {}
    for threads in sorted({table["threads"] for table in tables}, reverse=True):
        of = _Tables([table for table in tables if table["threads"] == threads], set(scans))
        found |= {(cell, threads): ratios for cell, ratios in of.against_yardstick().items()}
    return found


def _beside(parts: Mapping[str, Sequence[Found]]) -> Iterator[tuple[Target, dict[str, list[float]]]]:
    """Targets of what is measured beside the tables, with a figure for each cell."""

    def figures(part: str, of: Callable[[Found], float]) -> dict[str, list[float]]:
        return {each["cell"]: [of(each)] for each in parts[part] if not each["why"]}

    yield BANDWIDTH, figures("bandwidth", lambda each: each["share"])
    yield COLD, figures("compilation", lambda each: each["compile_s"])
    yield CACHED, figures("compilation", lambda each: each["load_ms"])
    yield RESETS, figures("resets", lambda each: each["resets_ms"] / each["none_ms"])
    yield STEPWISE, figures("resets", lambda each: each["loop_ms"] / each["resets_ms"])


def _of(target: Target) -> Target:
    return target._replace(title=target.title.format(LOOPED))


class _Tables:
    """Ratios of sides' times, by cell."""

    def __init__(self, tables: Sequence[Found], scans: set[str]) -> None:
        self._tables, self._scans = tables, scans

    def ratios(
        self, ours: str, theirs: str, counts: Callable[[str], bool], work: str = "training"
    ) -> dict[str, list[float]]:
        """Theirs over ours in every row that has both."""
        found: dict[str, list[float]] = {}
        for table in self._tables:
            if table["work"] == work and counts(table["cell"]):
                rows = [row["ms"] for row in table["rows"] if {ours, theirs} <= row["ms"].keys()]
                found[table["cell"]] = [ms[theirs]["median"] / ms[ours]["median"] for ms in rows]
        return {cell: ratios for cell, ratios in found.items() if ratios}

    def against(self, peer: str) -> dict[str, list[float]]:
        """Of cells with a recurrent product that run compiled: the package's layer, or what is compiled beside it."""
        layers = {table["cell"] for table in self._tables if table["runs"] == "compiled"}
        beside = self.ratios("compiled", peer, lambda cell: cell not in self._scans | layers)
        return beside | self.ratios("ostinato", peer, lambda cell: cell in layers - self._scans)

    def against_yardstick(self) -> dict[str, list[float]]:
        """Of cells without: the layer, against that of the yardstick in the rows that are long."""
        long = {
            (table["cell"], str(row["row"])): row["ms"]["ostinato"]["median"]
            for table in self._tables
            if table["work"] == "training"
            for row in table["rows"]
            if row["ms"] and row["row"]["T"] >= LONG
        }
        found: dict[str, list[float]] = {}
        for (cell, row), ms in long.items():
            if cell in self._scans and (YARDSTICK, row) in long:
                found.setdefault(cell, []).append(long[YARDSTICK, row] / ms)
        return found


def _judged(
    target: Target, found: dict[str, list[float]], threads: int | None, *, median: bool = False
) -> Found | None:
    if not found:
        return None
    means = {cell: mean(values) for cell, values in found.items()}
    pick = max if target.smaller else min
    worst = pick(means, key=lambda cell: means[cell])
    every = sorted(means.values())
    whole = every[len(every) // 2] if median else mean([value for values in found.values() for value in values])
    counts = means[worst] if target.every else whole
    return {
        "target": target.title,
        "threads": threads,
        "unit": target.unit,
        "cells": len(found),
        "mean": round(whole, 3),
        "worst": round(means[worst], 3),
        "worst_cell": worst,
        "wanted": target.least,
        "better": target.better,
        "reached": counts <= target.least if target.smaller else counts >= target.least,
    }


def mean(values: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))
