"""What `ostinato inspect` prints."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli.output import Output
from ostinato.config.inspect import Inspect
from ostinato.core.figures import shown

if TYPE_CHECKING:
    from ostinato.api import Run


def inspect(options: Inspect, output: Output) -> None:
    """Look, say what was found, and where it is drawn."""
    from ostinato.api import load
    from ostinato.api.compute import compute_settings
    from ostinato.api.inspecting import inspect as look
    from ostinato.api.plugins import import_plugins
    from ostinato.plots.style import available

    import_plugins(options.plugin)
    with compute_settings(options.threads, "highest"), ExitStack() as placed:

        def opened(path: str | PathLike[str]) -> Run:
            run = load(path)
            placed.enter_context(run.computing(options.accelerator))
            return run

        result = look(options.run, options.view, options.out, load=opened, **dataclasses.asdict(options.look))
    for line in _LINES[options.view](result):
        output.text(line)
    output.text(f"written to {options.out}: {', '.join(result['files'])}")
    if not available():
        output.text("no pictures: they need matplotlib (pip install 'ostinato[plots]')")
    output.result(result)


def _gates(result: dict[str, Any]) -> list[str]:
    lines = [f"{'gate':<34}{'mean':>8}{'left':>8}{'right':>8}"]
    for layer in result["layers"]:
        for gate in layer["gates"]:
            name = f"{layer['layer']}, {layer['cell']}, {gate['gate']}"
            ends = "".join(f"{gate[end]:>8.1%}" if end in gate else f"{'-':>8}" for end in ("left", "right"))
            lines.append(f"{name:<34}{gate['mean']:>8.3f}{ends}")
    return [f"share of {result['steps']:,} steps that units spend saturated", *lines]


def _gradients(result: dict[str, Any]) -> list[str]:
    several = len({row["run"] for row in result["courses"]}) > 1
    rows = []
    for row in result["courses"]:
        run = f"{Path(row['run']).name}: " if several and row["trained"] else ""
        who = f"{run}{'' if row['trained'] else 'untrained '}{row['cell']}, {row['layer']}"
        rows += [(f"{who}, {field['field']}", field) for field in row["fields"]]
    width = max(44, *(len(who) + 2 for who, _ in rows))
    lines = [f"{'|dL/dstate|, median':<{width}}{'at the end':>12}{result['steps']:>7} back{'a step':>10}"]
    for who, field in rows:
        factor = "-" if field["factor"] is None else shown(field["factor"], 3)
        lines.append(f"{who:<{width}}{field['last']:>12.2e}{field['first']:>12.2e}{factor:>10}")
    if "clip" in result:
        lines.append(f"{result['clipped']:.0%} of {result['batches']} batches have a gradient norm above --clip "
                     f"{result['clip']:g}")  # fmt: skip
    return lines


def _units(result: dict[str, Any]) -> list[str]:
    head = f"{'unit':<12}{'score':>8}  {'measure':<13}where it is, on the half it was not chosen on"
    lines = [f"{'follows':<20}{head}"]
    rows = [(found["property"], found["measure"], found["units"][0]) for found in result["properties"]]
    followed = [row for row in rows if row[2]["direction"] != "none"]
    lines += [_followed(*row) for row in followed]
    if not followed:
        lines.append("no unit follows any of these properties")
    if weak := [name for name, _, best in rows if best["direction"] == "none"]:
        lines.append(f"followed by no unit (the best is near chance): {', '.join(weak)}")
    if result["left_out"]:
        lines.append(f"too rare in this text to follow: {', '.join(result['left_out'])}")
    asked = [(row["property"], row["measure"], row["asked"]) for row in result["properties"] if "asked" in row]
    if asked:
        lines.append(f"unit {asked[0][2]['unit']} beside each, on the second half of the text")
        lines += [_followed(*row) for row in sorted(asked, key=lambda row: -_strength(row[1], row[2]["score"]))]
    return lines


def _followed(property_: str, measure: str, unit: dict[str, Any]) -> str:
    """A property, a unit beside it, and what the score says of the two."""
    holds = measure == "AUC"
    said = {
        "up": "high where it holds" if holds else "rises with it",
        "down": "low where it holds" if holds else "falls with it",
        "none": "near chance",
    }[unit["direction"]]
    return f"{property_:<20}{unit['unit']:<12}{unit['score']:>8.3f}  {measure:<13}{said}"


def _strength(measure: str, score: float) -> float:
    return abs(score - 0.5) * 2 if measure == "AUC" else abs(score)


def _loss(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['tokens']:,} tokens, loss {shown(result['loss'])} nats a token"]
    lines.append(f"{'kind of token':<20}{'tokens':>10}{'mean loss':>12}{'of all loss':>14}")
    for kind in result["kinds"]:
        lines.append(f"{kind['kind']:<20}{kind['tokens']:>10,}{shown(kind['mean_loss'], 3):>12}{kind['share']:>14.1%}")
    return lines


def _training(result: dict[str, Any]) -> list[str]:
    names = ("steps", "seconds", "loss", "valid_loss", "lr", "gradient_norm", "clipped", "speed")
    lines = [f"{'run':<24}" + "".join(f"{name.replace('_', ' '):>15}" for name in names)]
    for run in result["runs"]:
        values = ("-" if run[name] is None else f"{run[name]:.5g}" for name in names)
        lines.append(f"{run['run']:<24}" + "".join(f"{value:>15}" for value in values))
    return lines


_LINES = {"gates": _gates, "gradients": _gradients, "units": _units, "loss": _loss, "training": _training}
