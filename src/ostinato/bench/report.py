"""Tables for people, and the files of results."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ostinato.bench import pages
from ostinato.bench.groups import Row
from ostinato.bench.pages import about, earlier, markdown_table, milliseconds

KIND = "layers"
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
    note += f". {pages.limits(table['limits'])}" if table.get("limits") else "."
    return f"{note} VOID: the machine was busy or slowed down." if table["void"] else note


def lines(table: dict[str, Any]) -> list[list[str]]:
    """Head and rows of a table: milliseconds, ratios to this package, share of sgemm, floor, error against float64."""
    sides = (name for row in table["rows"] for name in (*row["errors"], *row.get("left_out", ())))
    peers = [name for name in dict.fromkeys(sides) if name != "ostinato"]
    head = ["row", "ostinato", *peers, "times as fast", "of sgemm", "floor ms (share)", "error"]
    return [head, *(_line(row, peers) for row in table["rows"])]


def _line(row: dict[str, Any], peers: list[str]) -> list[str]:
    name = str(Row(**row["row"]))
    error = " / ".join(f"{value:.1e}" for value in row["errors"]["ostinato"].values())
    if not row["ms"]:
        why = "; ".join(f"{side}: {fault}" for side, fault in row["wrong"].items())
        return [name, "WRONG", *("" for _ in peers), why, "", "", error]
    shown = [_time(row, side) for side in ("ostinato", *peers)]
    ratio = f"{row['ratio']:.2f} ({row['fastest']})" if row["ratio"] else ""
    return [name, *shown, ratio, f"{row['of_sgemm']:.2f}", pages.floor(row), error]


def _time(row: dict[str, Any], side: str) -> str:
    """Its median; where it was compiled for longer than a second, that too; or that it is wrong or left out."""
    if side not in row["ms"]:
        return "WRONG" if side in row["wrong"] else "none" if side in row.get("left_out", {}) else ""
    spent = row.get("compile_s", {}).get(side, 0.0)
    return milliseconds(row["ms"][side]["median"]) + (f" (after {spent:.1f} s)" if spent >= 1 else "")


def notes(table: dict[str, Any]) -> list[str]:
    """Whose numbers were wrong or checked in part, and who could not take part, in words."""
    found: dict[str, list[str]] = {}
    for row in table["rows"]:
        for side, why in {**row["wrong"], **row.get("left_out", {})}.items():
            found.setdefault(f"{side}: {why}", []).append(str(Row(**row["row"])))
        if (steps := row.get("checked_steps", row["row"]["T"])) < row["row"]["T"]:
            found.setdefault(f"Chaotic: numbers checked over {steps} steps", []).append(str(Row(**row["row"])))
    return [f"{what} ({', '.join(rows)})." for what, rows in found.items()]


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


def merged(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The result together with those tables in the folder, of the same machine, that were not measured anew."""
    from ostinato.bench.groups import GROUPS
    from ostinato.bench.layers import summary

    before = earlier(result["machine"], folder, KIND)
    if before is None:
        return result
    return summary(result["machine"], *together(before, result, [group.name for group in GROUPS]))


def together(
    before: dict[str, Any], result: dict[str, Any], names: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The tables of two results, row by row of the second where it has them, and who was left out.

    Args:
        before: the earlier.
        result: the later.
        names: of the groups, in the order wanted.
    """
    tables = {_key(table): table for table in before["tables"]}
    for table in result["tables"]:
        key = _key(table)
        old = tables.get(key)
        rows = {str(row["row"]): row for row in old["rows"]} if old else {}
        kept = set(rows) - {str(row["row"]) for row in table["rows"]}
        rows |= {str(row["row"]): row for row in table["rows"]}
        tables[key] = table | {"rows": list(rows.values())}
        if old and kept:  # what was void is void still, and no date is that of all
            dates = dict.fromkeys(f"{old['measured']}, {table['measured']}".split(", "))
            tables[key] |= {"void": table["void"] or old["void"], "measured": ", ".join(dates)}
    order = {name: index for index, name in enumerate(names)}
    listed = sorted(tables.values(), key=lambda table: (-table["threads"], order.get(table["group"], len(order))))
    skipped = {(each["group"], each["peer"]): each for each in before["skipped"] + result["skipped"]}
    measured = {(table["group"], peer) for table in listed for row in table["rows"] for peer in row["ms"]}
    return listed, [each for key, each in skipped.items() if key not in measured]


def _key(table: dict[str, Any]) -> tuple[str, int]:
    return table["group"], table["threads"]


def write(result: dict[str, Any], folder: Path) -> list[Path]:
    """Write the files of a result; returns their paths."""
    from ostinato.plots.benchmark import ratios

    return pages.write(result, folder, KIND, markdown(result), partial(ratios, result["tables"]))
