"""Tables of language models for people, and the files of results."""

from functools import partial
from pathlib import Path
from typing import Any

from ostinato.bench import pages
from ostinato.bench.language.measure import summary
from ostinato.bench.language.plan import COMPARED
from ostinato.bench.pages import about, earlier, markdown_table, milliseconds
from ostinato.core.errors import ConfigError

KIND = "lm"
Rows = list[dict[str, Any]]
#: Share of a median that its quartiles may be apart without a word.
UNSTEADY = 0.2

_TITLES = {
    "training": "Training: a step",
    "generation": "Generation: one sequence, token after token",
    "evaluation": "Evaluation: one stream",
    "vocabulary": "Training against the size of the vocabulary",
}
_WHICH = ("preset", "precision", "peer", "vocabulary", "tokens")


def lines(rows: Rows) -> list[list[str]]:
    """Head and rows of a table: milliseconds, tokens a second, ratios, what is wanted, errors against float64."""
    sized = any("vocabulary" in row for row in rows)
    head = [
        "preset",
        "precision",
        "ostinato ms",
        "tokens/s",
        "peer",
        "ms",
        "tokens/s",
        "times as fast",
        "wanted",
        "floor ms (share)",
        "error",
    ]
    if sized:
        head = ["V", "tokens", *head[2:5], "ms", "tokens/s", "times as fast", "ostinato MB", "peer MB", "error"]
    return [head, *(_line(row, sized) for row in rows)]


def _line(row: dict[str, Any], sized: bool) -> list[str]:
    first = [f"{row['vocabulary']:,}", f"{row['tokens']:,}"] if sized else [row["preset"], row["precision"]]
    first[0] += " (void)" if row["void"] else ""
    error = " / ".join(f"{value:.1e}" for value in row["errors"]["ostinato"].values())
    if row["wrong"]:
        why = "; ".join(f"{side}: {fault}" for side, fault in row["wrong"].items())
        return [*first, "WRONG", "", row["peer"] or "", "", "", why, *([""] * 2), error]
    times = [
        part
        for side in ("ours", "peer")
        for part in (_time(row, side), _number(row[f"{side}_tokens_per_second"], ",.0f"))
    ]
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    if sized:
        last = [_number(row["ours_mb"], ",.0f"), _number(row["peer_mb"], ",.0f")]
        if row["wanted_mb"] is not None:
            last[0] += f" (wanted {row['wanted_mb']:.0f})"
    else:
        last = ["" if row["wanted"] is None else f"{row['wanted']:g}", pages.floor(row)]
    return [*first, *times[:2], row["peer"] or "", *times[2:], ratio, *last, error]


def _time(row: dict[str, Any], side: str) -> str:
    """The median, and the quartiles where they are far apart."""
    median, quartiles = row[f"{side}_ms"], row[f"{side}_quartiles_ms"]
    if not median or quartiles[1] - quartiles[0] < UNSTEADY * median:
        return _number(median)
    return f"{milliseconds(median)} ({milliseconds(quartiles[0])} to {milliseconds(quartiles[1])})"


def _number(value: float | None, form: str | None = None) -> str:
    if value is None:
        return ""
    return milliseconds(value) if form is None else f"{value:{form}}"


def footnote(rows: Rows) -> str:
    """The machine's own rate beside a table, and whether the table counts."""
    busy = [rate for row in rows for rate in (row["sgemm"]["before"], row["sgemm"]["after"])]
    usual = max(row["sgemm"]["usual"] for row in rows)
    note = f"sgemm {min(busy):.0f} to {max(busy):.0f} GF/s; usual here {usual:.0f}."
    rates = {f"{name} ({row['precision']})": rate for row in rows for name, rate in row.get("limits", {}).items()}
    note += f" {pages.limits(rates)}" if rates else ""
    dates = sorted({row["measured"] for row in rows})
    note += f" Measured {', '.join(dates)}."
    return f"{note} Void rows: the machine was busy or slowed down." if any(row["void"] for row in rows) else note


def markdown(result: dict[str, Any]) -> str:
    """The whole result as a page."""
    threads = result["threads"]
    parts = [
        "# Language models side by side",
        f"{about(result['machine'])} {threads} thread{'s' if threads > 1 else ''}.",
        "Made by `ostinato bench lm`; the guide on benchmarks says how. Times are medians; before anything was timed, "
        "loss and gradients of all sides were held against float64 (*error*: largest difference over the largest "
        "number, of the loss / of any gradient). *MB* is memory above weights and gradients. Quartiles stand beside a "
        f"median where they are further apart than {UNSTEADY:.0%} of it.",
    ]
    for work in COMPARED:
        if rows := rows_of(result, work):
            parts += [f"## {_TITLES[work]}", markdown_table(lines(rows)), footnote(rows)]
    if result["skipped"]:
        left_out = (f"- {x['work']} {x['preset']} without {x['peer']}: {x['why']}" for x in result["skipped"])
        parts += ["## Left out", "\n".join(left_out)]
    return "\n\n".join(parts) + "\n"


def rows_of(result: dict[str, Any], work: str) -> Rows:
    """The rows of a kind of work."""
    rows: Rows = result["rows" if work == "training" and "rows" in result else work]
    return rows


def merged(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The result together with those rows in the folder, of the same machine, that were not measured anew."""
    before = earlier(result["machine"], folder, KIND)
    if before is None:
        return result
    if before["threads"] != result["threads"]:
        raise ConfigError(
            f"--out {folder}: has results with {before['threads']} threads, these are with {result['threads']}; choose "
            "another folder"
        )
    found: dict[str, Rows] = {}
    for work in COMPARED:
        rows = {_key(row): row for row in rows_of(before, work)}
        rows |= {_key(row): row for row in rows_of(result, work)}
        found[work] = list(rows.values())
    skipped = {tuple(map(str, each.values())): each for each in before["skipped"] + result["skipped"]}
    left_out = [
        each for each in skipped.values() if not any(_is_left_out(row, each) for row in rows_of(found, each["work"]))
    ]
    return result | summary(found) | {"skipped": left_out}


def _is_left_out(row: dict[str, Any], left_out: dict[str, Any]) -> bool:
    return bool(row["preset"] == left_out["preset"] and left_out["peer"] in (row["peer"], "all"))


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _WHICH)


def write(result: dict[str, Any], folder: Path) -> list[Path]:
    """Write the files of a result; returns their paths."""
    from ostinato.plots.benchmark import language_models

    timed = any(row["ours_ms"] for row in result["rows"])
    return pages.write(
        result, folder, KIND, markdown(result), partial(language_models, result["rows"]) if timed else None
    )
