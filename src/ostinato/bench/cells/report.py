"""The page of cells, and its files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ostinato.bench import pages, report
from ostinato.bench.cells import plan
from ostinato.bench.cells.measure import PARTS, summary
from ostinato.bench.cells.targets import SCANS, YARDSTICK, against_yardstick, mean
from ostinato.bench.groups import Row

KIND = "cells"
Found = dict[str, Any]
Lines = list[list[str]]


def parts(result: Found) -> Iterator[tuple[str, Lines]]:
    """Titles and lines of what stands beside the tables of cells."""
    if result["tables"]:
        yield "Times as fast as each peer, geometric mean over the sizes", means(result["tables"])
    if len(lines := scans(result["tables"])) > 1:
        yield f"Cells without a recurrent product against the {YARDSTICK}, long sequences", lines
    for part, (title, head, line) in _BESIDE.items():
        if result[part]:
            yield title, [head, *map(line, result[part])]
    if result["targets"]:
        yield "What is reached, of what is wanted", target_lines(result["targets"])


def means(tables: list[Found]) -> Lines:
    """Head and a row for each comparison: time at the largest size, and the mean ratio to each side."""
    measured = {side for table in tables for row in table["rows"] for side in row["ms"]}
    sides = [side for side in plan.PEERS if side in measured]
    several = len({table["threads"] for table in tables}) > 1
    head = ["cell", *(["threads"] if several else []), "runs", "ms", *sides]
    return [head, *(_mean_line(table, sides, several) for table in tables if any(row["ms"] for row in table["rows"]))]


def _mean_line(table: Found, sides: list[str], several: bool) -> list[str]:
    rows = [row for row in table["rows"] if row["ms"]]
    largest = max(rows, key=lambda row: row["row"]["N"] * row["row"]["T"] * row["row"]["H"])
    shown = f"{pages.milliseconds(largest['ms']['ostinato']['median'])} ({Row(**largest['row'])})"
    return [
        table["group"],
        *([str(table["threads"])] if several else []),
        table["runs"],
        shown,
        *(_mean(rows, side) for side in sides),
    ]


def _mean(rows: list[Found], side: str) -> str:
    found = [row["ms"][side]["median"] / row["ms"]["ostinato"]["median"] for row in rows if side in row["ms"]]
    few = f" ({len(found)} of {len(rows)})" if len(found) < len(rows) else ""
    return f"{mean(found):.2f}{few}" if found else ""


def scans(tables: list[Found]) -> Lines:
    """Head and a row for each cell: times as fast as the yardstick, and what products of the same speed would allow."""
    from ostinato.core.registry import build, registered

    known = set(registered())
    cells = plan.scans([table["cell"] for table in tables if table["cell"] in known])
    lines = [["cell", "threads", "times as fast", "products alone", "wanted on average"]]
    for (cell, threads), ratios in against_yardstick(tables, cells).items():
        whole, own = (_multiplied(build(name, _WIDTH, _WIDTH)) for name in (YARDSTICK, cell))
        floor = f"{whole / own:.2f}" if own else ""
        lines.append([cell, str(threads), f"{mean(ratios):.2f}", floor, f"{SCANS.least:g}"])
    return lines


#: D and H of the cells whose products are counted: their ratio is the same for all.
_WIDTH = 32


def _multiplied(cell: Any) -> int:
    """Numbers by which a step multiplies: the time of all products goes by it. 0 where that cannot be said."""
    from ostinato.compiler.trace import trace
    from ostinato.compiler.tracer import CannotCompileError

    try:
        return sum(rows * columns for rows, columns in trace(cell, read=True).matrix_shapes)
    except CannotCompileError:
        return 0


def _bandwidth_line(each: Found) -> list[str]:
    name = [each["cell"], str(Row(**each["row"]))]
    if each["why"]:
        return [*name, "", "", each["why"]]
    return [*name, f"{each['gb_s']:.1f}", f"{each['copy_gb_s']:.1f}", f"{each['share']:.2f}"]


def _compilation_line(each: Found) -> list[str]:
    if each["why"]:
        return [each["cell"], each["why"], ""]
    return [each["cell"], f"{each['compile_s']:.2f}", f"{each['load_ms']:.0f}"]


def _resets_line(each: Found) -> list[str]:
    name = [each["cell"], str(Row(**each["row"]))]
    if each["why"]:
        return [*name, "", "", each["why"]]
    return [*name, *(pages.milliseconds(each[f"{way}_ms"]) for way in ("none", "resets", "loop"))]


#: What is measured beside the tables: the title, the head, and the line of a cell.
_BESIDE: Mapping[str, tuple[str, list[str], Callable[[Found], list[str]]]] = {
    "bandwidth": (
        "Recurrence alone against a copy",
        ["cell", "row", "GB/s", "copy GB/s", "share"],
        _bandwidth_line,
    ),
    "compilation": ("Compiling a cell", ["cell", "cold, s", "from the cache, ms"], _compilation_line),
    "resets": (
        "Resets inside a sequence",
        ["cell", "row", "ms without", "ms with resets", "ms a call a step"],
        _resets_line,
    ),
}


def in_a_line(found: Found) -> str:
    """A figure beside the tables, as it comes."""
    lines = {"share": _bandwidth_line, "compile_s": _compilation_line, "none_ms": _resets_line}
    return next(" ".join(line(found)).rstrip() for key, line in lines.items() if key in found)


def target_lines(found: list[Found]) -> Lines:
    """Head and rows of the table of targets."""
    head = ["what", "threads", "cells", "mean", "worst", "wanted", "better still", "reached"]
    return [head, *map(_target_line, found)]


def _target_line(found: Found) -> list[str]:
    unit = found["unit"] if found["unit"] == "x" else f" {found['unit']}"
    figures = [f"{found[name]:.3g}{unit}" for name in ("mean", "worst", "wanted", "better")]
    figures[1] += f" ({found['worst_cell']})"
    return [
        found["target"],
        str(found["threads"] or ""),
        str(found["cells"]),
        *figures,
        "yes" if found["reached"] else "no",
    ]


def markdown(result: Found) -> str:
    """The whole result as a page."""
    page = [
        "# Cells side by side",
        pages.about(result["machine"]),
        "Made by `ostinato bench cells`; the guide on benchmarks says how. Times are medians in milliseconds, forward "
        "and backward with all gradients; before a side was timed, its outputs and gradients were held against float64 "
        "(*error*: largest difference of outputs / gradients over the largest number). *times as fast*: the fastest "
        "of the peers that count over ostinato. *native* and *compiled* are this package's kernels without the layer "
        "around them: the one that it carries, and the one that is compiled from the cell's equations.",
    ]
    for title, lines in parts(result):
        page += [f"## {title}", pages.markdown_table(lines)]
    for table in result["tables"]:
        note = " ".join((report.footnote(table), *report.notes(table), f"Measured {table['measured']}."))
        page += [f"## {report.title(table)}", pages.markdown_table(report.lines(table)), note]
    if result["skipped"]:
        left_out = (f"- {item['peer']} in {item['group']}: {item['why']}" for item in result["skipped"])
        page += ["## Left out", "\n".join(left_out)]
    return "\n\n".join(page) + "\n"


def merged(result: Found, folder: Path) -> Found:
    """The result together with what stands in the folder, of the same machine, and was not measured anew."""
    before = pages.earlier(result["machine"], folder, KIND)
    if before is None:
        return result
    found = {part: [*before.get(part, ()), *result[part]] for part in PARTS}
    of_cells = {part: list({each["cell"]: each for each in both}.values()) for part, both in found.items()}
    names = [table["group"] for table in before["tables"]]
    return summary(of_cells, result["machine"], *report.together(before, result, names))


def write(result: Found, folder: Path) -> list[Path]:
    """Write the files of a result; returns their paths."""
    return pages.write(result, folder, KIND, markdown(result))
