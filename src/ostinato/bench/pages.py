"""Pages of results for people, and their files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ostinato.core.files import replace_text


def milliseconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def floor(row: dict[str, Any]) -> str:
    """The time of a row's products alone at the machine's best rate, and that over what was measured."""
    return f"{milliseconds(row['floor_ms'])} ({row['of_floor']:.2f})" if "floor_ms" in row else ""


def limits(rates: dict[str, float]) -> str:
    """What the floor stands on."""
    rate = ", ".join(f"{rate:.0f} by {name}" for name, rate in rates.items())
    return f"Best products ever seen here: {rate} GF/s; the floor is what those of a row take at the best rate."


def about(machine: dict[str, Any]) -> str:
    """Processor and versions, in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cpu']}, {machine['isa']}. {versions}."


def markdown_table(rows: list[list[str]]) -> str:
    """The first row is the head."""
    head, *body = rows
    ruled = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ruled)


def stem(machine: dict[str, Any], kind: str) -> str:
    """Name of a machine's files, without their endings."""
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", machine["cpu"].lower()).strip("-")


def earlier(machine: dict[str, Any], folder: Path, kind: str) -> dict[str, Any] | None:
    """The result in a folder of the same machine and kind."""
    path = folder / f"{stem(machine, kind)}.json"
    found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found


def write(
    result: dict[str, Any], folder: Path, kind: str, page: str, draw: Callable[[Path], None] | None = None
) -> list[Path]:
    """Write Markdown, JSON and, where there is one and matplotlib is there, the picture; returns their paths."""
    from ostinato.plots.style import available

    folder.mkdir(parents=True, exist_ok=True)
    base = folder / stem(result["machine"], kind)
    text, data, picture = (base.with_suffix(ending) for ending in (".md", ".json", ".png"))
    replace_text(data, json.dumps(result, indent=1) + "\n")
    replace_text(text, page)
    if draw is None or not available():
        return [text, data]
    draw(picture)
    return [text, data, picture]
