"""Tables for people, and the files of results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ostinato.bench.groups import Row
from ostinato.core.files import replace_text

_WORK = {"training": "forward and backward", "inference": "forward", "step": "one step of a stream"}


def title(table: dict[str, Any]) -> str:
    """One line that says what a table compares."""
    options = "".join(f", {name} {value}" for name, value in table["options"].items())
    precision = "" if table["precision"] == "highest" else f", precision {table['precision']}"
    kind = "" if table["dtype"] == "float32" else f", {table['dtype']}"
    lengths = ", lengths uniform in 1..T" if table["ragged"] else ""
    threads = f"{table['threads']} thread{'s' if table['threads'] > 1 else ''}"
    what = f"{table['cell']}{options}{kind}{precision}{lengths}: {_WORK[table['work']]}"
    return f"{table['group']}: {what}, {threads}, {table['isa']}"


def footnote(table: dict[str, Any]) -> str:
    """The machine's own rate beside a table, and whether the table counts."""
    rates = table["sgemm"]
    note = f"sgemm {rates['before']:.0f} GF/s before, {rates['after']:.0f} after; usual here {rates['usual']:.0f}"
    return f"{note}. VOID: the machine was busy or slowed down." if table["void"] else f"{note}."


def lines(table: dict[str, Any]) -> list[list[str]]:
    """Head and rows of a table: milliseconds, ratios to this package, share of sgemm, error against float64."""
    peers = list(dict.fromkeys(name for row in table["rows"] for name in row["errors"] if name != "ostinato"))
    head = ["row", "ostinato", *peers, "times as fast", "of sgemm", "error"]
    return [head, *(_line(row, peers) for row in table["rows"])]


def _line(row: dict[str, Any], peers: list[str]) -> list[str]:
    name = str(Row(**row["row"]))
    error = " / ".join(f"{value:.1e}" for value in row["errors"]["ostinato"].values())
    if row["wrong"]:
        why = "; ".join(f"{side}: {fault}" for side, fault in row["wrong"].items())
        return [name, "WRONG", *("" for _ in peers), why, "", error]
    shown = [milliseconds(row["ms"][side]["median"]) if side in row["ms"] else "" for side in ("ostinato", *peers)]
    ratio = f"{row['ratio']:.2f} ({row['fastest']})" if row["ratio"] else ""
    return [name, *shown, ratio, f"{row['of_sgemm']:.2f}", error]


def milliseconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def target_lines(targets: list[dict[str, Any]]) -> list[list[str]]:
    """Head and rows of the table of targets."""
    head = ["what", "threads", "mean", "wanted", "worst row", "wanted", "short by"]
    return [head, *map(_target_line, targets)]


def _target_line(found: dict[str, Any]) -> list[str]:
    unit = "" if found["measure"] == "of sgemm" else "x"
    wanted = "" if found["wanted_mean"] is None else f"{found['wanted_mean']}{unit}"
    least = "" if found["wanted_worst"] is None else f"{found['wanted_worst']}{unit}"
    if found["or_of_sgemm"] is not None:
        least += f" or {found['or_of_sgemm']} of sgemm"
    share = f", {found['worst_of_sgemm']:.2f} of sgemm" if unit else ""
    worst = f"{found['worst']:.2f}{unit}{share} ({found['worst_row']})"
    if found["of_groups"]:
        found = found | {"target": f"{found['target']} (of these {', '.join(found['of_groups'])})"}
    short = "; ".join(found["short"]) or "nothing"
    return [
        found["target"],
        str(found["threads"]),
        f"{found['mean']:.2f}{unit}",
        wanted,
        worst,
        least,
        short + (" (void)" if found["void"] else ""),
    ]


def about(machine: dict[str, Any]) -> str:
    """Processor and versions, in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cpu']}, {machine['isa']}. {versions}."


def markdown(result: dict[str, Any]) -> str:
    """The whole result as a page."""
    parts = [
        "# Layers side by side",
        about(result["machine"]),
        "Made by `ostinato bench layers`; the guide on benchmarks says how. Times are medians in milliseconds; before "
        "a row was timed, all sides' outputs and gradients were held against float64 (*error*: largest difference of "
        "outputs / gradients over the largest number). *times as fast*: the fastest of the peers that count, named in "
        "brackets, over ostinato. *of sgemm*: multiplications and additions of the products with the weights each "
        "second, over the rate of a 2048 x 2048 float32 product by torch in the same run.",
        "## What is reached, of what is wanted",
        markdown_table(target_lines(result["targets"])),
        "Sequences of one step (T1) are in the tables below, not in these means, but for a stream's. *Worst row* is "
        "that of the lowest ratio; *short by* names every row that reaches neither what is wanted of it nor "
        "that share of sgemm.",
    ]
    if found := disturbed(result["tables"]):
        parts += ["## Where the machine was disturbed", _DISTURBED, "\n".join(f"- {each}" for each in found)]
    for table in result["tables"]:
        note = f"{footnote(table)} Measured {table['measured']}."
        parts += [f"## {title(table)}", markdown_table(lines(table)), note]
    if result["skipped"]:
        left_out = (f"- {item['peer']} in {item['group']}: {item['why']}" for item in result["skipped"])
        parts += ["## Left out", "\n".join(left_out)]
    return "\n\n".join(parts) + "\n"


_DISTURBED = (
    "The same side did the same work in two tables, and took times further apart than a seventh. One of the two, with "
    "all sides of that row, is not to be relied on."
)


def disturbed(tables: list[dict[str, Any]]) -> list[str]:
    """Where one side's times of the same work differ from table to table, in words."""
    times: dict[tuple[Any, ...], list[tuple[float, str]]] = {}
    for table in tables:
        for row in table["rows"]:
            for side, spread in row["ms"].items():
                own = (table["precision"], table["dtype"], str(table["options"])) if side == "ostinato" else ()
                what = (table["cell"], table["work"], table["ragged"], table["threads"], table["isa"], *own)
                key = (side, str(Row(**row["row"])), *what)
                times.setdefault(key, []).append((spread["median"], table["group"]))
    found = []
    for (side, row, *_), each in times.items():
        (least, one), (most, other) = min(each), max(each)
        if most > 7 / 6 * least:
            found.append(f"{side}, {row}: {milliseconds(least)} ms in {one}, {milliseconds(most)} in {other}")
    return found


def markdown_table(rows: list[list[str]]) -> str:
    """The first row is the head."""
    head, *body = rows
    ruled = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ruled)


def stem(machine: dict[str, Any], kind: str = "layers") -> str:
    """Name of a machine's files, without their endings."""
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", machine["cpu"].lower()).strip("-")


def merged(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The result together with those tables in the folder, of the same machine, that were not measured anew."""
    from ostinato.bench.groups import GROUPS
    from ostinato.bench.layers import summary

    path = folder / f"{stem(result['machine'])}.json"
    if not path.is_file():
        return result
    before = json.loads(path.read_text(encoding="utf-8"))
    anew = {_key(table): table for table in result["tables"]}
    tables = {_key(table): table for table in before["tables"]}
    for key, table in anew.items():
        old = tables.get(key)
        rows = {str(row["row"]): row for row in old["rows"]} if old else {}
        kept = set(rows) - {str(row["row"]) for row in table["rows"]}
        rows |= {str(row["row"]): row for row in table["rows"]}
        tables[key] = table | {"rows": list(rows.values())}
        if old and kept:  # what was void is void still, and no date is that of all
            dates = dict.fromkeys(f"{old['measured']}, {table['measured']}".split(", "))
            tables[key] |= {"void": table["void"] or old["void"], "measured": ", ".join(dates)}
    order = {group.name: index for index, group in enumerate(GROUPS)}
    listed = sorted(tables.values(), key=lambda table: (-table["threads"], order.get(table["group"], len(order))))
    skipped = {(each["group"], each["peer"]): each for each in before["skipped"] + result["skipped"]}
    measured = {(table["group"], peer) for table in listed for row in table["rows"] for peer in row["ms"]}
    return summary(result["machine"], listed, [each for key, each in skipped.items() if key not in measured])


def _key(table: dict[str, Any]) -> tuple[str, int]:
    return table["group"], table["threads"]


def write(result: dict[str, Any], folder: Path) -> list[Path]:
    """Write Markdown, JSON and, where matplotlib is there, the picture; returns their paths."""
    from ostinato.plots.benchmark import ratios
    from ostinato.plots.style import available

    folder.mkdir(parents=True, exist_ok=True)
    base = folder / stem(result["machine"])
    text, data, picture = (base.with_suffix(ending) for ending in (".md", ".json", ".png"))
    replace_text(data, json.dumps(result, indent=1) + "\n")
    replace_text(text, markdown(result))
    if not available():
        return [text, data]
    ratios(result["tables"], picture)
    return [text, data, picture]
