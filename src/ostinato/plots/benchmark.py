"""How many times as fast a layer is as its peers."""

from pathlib import Path
from typing import Any

from ostinato.plots.style import picture

_MARKERS = "osD^vP*Xd<>h"


def ratios(tables: list[dict[str, Any]], out: str | Path) -> None:
    """Draw each row's ratio to the fastest peer, one mark a group, with the largest number of threads measured."""
    threads = max((table["threads"] for table in tables), default=1)
    shown = [table for table in tables if table["threads"] == threads and any(row["ratio"] for row in table["rows"])]
    labels = list(dict.fromkeys(_label(row["row"]) for table in shown for row in table["rows"]))
    with picture(out, size=(8.0, 1.6 + 0.42 * len(labels))) as axes:
        for index, table in enumerate(shown):
            rows = [row for row in table["rows"] if row["ratio"]]
            places = [labels.index(_label(row["row"])) + 0.05 * (index - len(shown) / 2) for row in rows]
            style: Any = {"marker": _MARKERS[index % len(_MARKERS)], "color": f"C{index % 7}", "markersize": 5}
            axes.plot([row["ratio"] for row in rows], places, linestyle="none", label=table["group"], **style)
        axes.axvline(1, color="#000000", linewidth=1)
        axes.set_xscale("log")
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.set(xlabel="times as fast as the fastest peer", title=f"Layers side by side, {threads} threads")
        ticks = [0.5, 1, 2, 3, 5, 10, 20, 50]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _label(row: dict[str, int]) -> str:
    features = "" if row["D"] == row["H"] else f" D{row['D']}"
    return f"N{row['N']} T{row['T']}{features} H{row['H']}"


def language_models(rows: list[dict[str, Any]], out: str | Path) -> None:
    """Draw the time of a training step, a line a preset, one mark a side."""
    times: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["ours_ms"]:
            sides = times.setdefault(row["preset"], {})
            sides |= {f"ostinato, {row['precision']}": row["ours_ms"], row["peer"]: row["peer_ms"]}
    names = sorted({side for sides in times.values() for side in sides})
    with picture(out, size=(8.0, 1.4 + 0.5 * len(times))) as axes:
        for index, side in enumerate(names):
            shown = [(sides[side], place) for place, sides in enumerate(times.values()) if side in sides]
            marker, size = _MARKERS[index], 8 if side.startswith("ostinato") else 6
            axes.plot(*zip(*shown, strict=True), linestyle="none", marker=marker, markersize=size, label=side)
        axes.set_xscale("log")
        axes.set_yticks(range(len(times)), list(times))
        axes.margins(y=0.2)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set(xlabel="milliseconds", title="A training step of each preset")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
