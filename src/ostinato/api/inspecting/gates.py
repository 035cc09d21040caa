"""gates: heat maps of gates and states, and how much of the time they are saturated."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ostinato.api.inspecting.output import Folder, rounded
from ostinato.config.inspect import InspectOptions
from ostinato.core.errors import ConfigError
from ostinato.inspection import Record, record, saturation
from ostinato.plots.gates import Panel, heat_maps, saturation_map
from ostinato.tasks.contract import Observed, Observes

if TYPE_CHECKING:
    from ostinato.api.run import Run

#: Tokens to read where the options do not say.
READ = 5_000


def observed(run: Run, options: InspectOptions, steps: int) -> Observed:
    """What the run's model reads.

    Raises:
        ConfigError: a task whose model cannot be watched by this command.
    """
    if not isinstance(run.task, Observes):
        raise ConfigError(
            f"{run.folder.path}: expected a run of a task that reads one sequence (lm, classify, tag, forecast), got "
            f"{run.config['task']!r}; inspect RUN training works for every task, ostinato.inspection for every model"
        )
    return run.task.observe(run, options.data, steps)


def inspect_gates(run: Run, folder: Folder, options: InspectOptions) -> dict[str, Any]:
    """Record every gate and state while the model reads, draw them, and count saturated steps."""
    read = observed(run, options, options.read or READ)
    records = record(run.model, read.inputs, modules=read.modules, **read.arguments)
    for found in records:
        if found.unseen:
            warnings.warn(
                f"{found.place.label}: the cell {found.cell} squashes {', '.join(found.unseen)} in no way that can be "
                "seen; expected a function such as torch.sigmoid or torch.tanh of its rows of the projection plus "
                "anything else. Its states are shown",
                stacklevel=2,
            )
    shown = {found.place.label: _shown(found, options) for found in records}
    labels = read.pieces[: options.tokens]
    for found in records:
        arrays, units = shown[found.place.label]
        title = f"{run.folder.path.name}: {found.cell}, {found.place.label}"
        widths = {array.shape[-1] for array in arrays.values()}
        if len(units) < max(widths):
            title += (
                f", the {len(units)} units that move most" if len(widths) == 1 else f", the first {len(units)} units"
            )
        panels = [Panel(name, array[:, units], bool((array < 0).any())) for name, array in arrays.items()]
        name = f"gates-{found.place.label.replace(', ', '-').replace(' ', '')}"
        folder.picture(name, partial(heat_maps, panels, labels, units, title=title))
    points = _points(records)
    if points:
        title = f"{run.folder.path.name}: saturated gates over {len(read.pieces):,} steps"
        folder.picture("saturation", lambda files: saturation_map(points, files, title=title))
    result = {"steps": len(read.pieces), "layers": [_summary(found) for found in records]}
    values = {
        label: {"units": units, "values": {name: rounded(array[:, units].tolist()) for name, array in arrays.items()}}
        for label, (arrays, units) in shown.items()
    }
    folder.numbers("gates", {**result, "pieces": labels, "shown": values})
    return result


def _shown(found: Record, options: InspectOptions) -> tuple[dict[str, np.ndarray[Any, Any]], list[int]]:
    """Values of the first steps of the first sequence, by gate and field, and the units to draw."""
    arrays = {f"gate {name}": gate[: options.tokens, 0] for name, gate in found.gates.items()}
    for name, field in found.states.items():
        values = field[: options.tokens, 0]
        if not any(np.array_equal(values, gate) for gate in arrays.values()):  # a simple network's gate is its state
            arrays[f"state {name}"] = values
    output = next(iter(found.states.values()))[:, 0]
    widths = {array.shape[-1] for array in arrays.values()}
    moving = output.std(0) if len(widths) == 1 else np.zeros(min(widths))
    units = np.sort(np.argsort(-moving, kind="stable")[: options.units])
    return arrays, units.tolist()


def _points(records: list[Record]) -> dict[str, list[tuple[str, Any, Any]]]:
    """Saturation by gate: label of the layer, left and right of each unit."""
    points: dict[str, list[tuple[str, Any, Any]]] = {}
    for found in records:
        for gate, values in found.gates.items():
            if limits := found.limits(gate):
                left, right = saturation(values, limits)
                name = f"gate {gate} (< {limits[0]:g}, > {limits[1]:g})"
                points.setdefault(name, []).append((found.place.label, left, right))
    return points


def _summary(found: Record) -> dict[str, Any]:
    gates = []
    for gate, values in found.gates.items():
        row: dict[str, Any] = {"gate": gate, "function": found.functions[gate], "mean": float(values.mean())}
        if limits := found.limits(gate):
            left, right = saturation(values, limits)
            row |= {"left": float(left.mean()), "right": float(right.mean()), "limits": list(limits)}
            row |= {"left_by_unit": rounded(left.tolist()), "right_by_unit": rounded(right.tolist())}
        gates.append(row)
    states = [{"field": name, "mean_absolute": float(np.abs(values).mean())} for name, values in found.states.items()]
    return {"layer": found.place.label, "cell": found.cell, "unseen": list(found.unseen), "gates": gates,
            "states": states}  # fmt: skip
