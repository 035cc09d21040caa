"""From arrays to a folder: pictures, pages and numbers of each view."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.api.inspecting.output import Folder
from ostinato.config.inspect import InspectOptions
from ostinato.core.results import builtins
from ostinato.inspection import Flow, Follower, Record, saturation
from ostinato.inspection.arrays import rounded
from ostinato.inspection.views.gates import GatesView, Shown
from ostinato.inspection.views.gradients import Followed, GradientsView
from ostinato.inspection.views.loss import LossView
from ostinato.inspection.views.named import unit_name
from ostinato.inspection.views.training import TrainingView
from ostinato.inspection.views.units import UnitsView
from ostinato.plots.coloured_text import coloured_text
from ostinato.plots.courses import training_sheet
from ostinato.plots.expectations import Bar, Following, candidates_along, followers_along, loss_shares
from ostinato.plots.gates import Panel, heat_maps, saturation_map
from ostinato.plots.gradients import Course, clipping, gradient_courses, norms_over_steps

#: Tokens that a page shows.
PAGE = 4_000


def gates(view: GatesView, folder: Folder, name: str, options: InspectOptions) -> None:
    """Heat maps of gates and states, and a point for each unit: how much of the time it is saturated."""
    labels = view.pieces[: options.tokens]
    for found in view.records:
        shown = view.shown.get(found.place.label)
        if shown is None:  # another unit's layer
            continue
        panels = [Panel(one, array[:, shown.units], bool((array < 0).any())) for one, array in shown.arrays.items()]
        title = f"{name}: {found.cell}, {found.place.label}{_left_out(shown)}"
        file = f"gates-{found.place.label.replace(', ', '-').replace(' ', '')}"
        if options.unit is not None:
            title = f"{name}: {found.cell}, {found.place.label}, unit {shown.units[0]}"
            file = f"{file}-unit{shown.units[0]}"
        folder.picture(file, partial(heat_maps, panels, labels, shown.units, title=title))
    if points := _points(view.records):
        title = f"{name}: saturated gates over {len(view.pieces):,} steps"
        folder.picture("saturation", lambda files: saturation_map(points, files, title=title))
    values = {
        label: {
            "units": shown.units,
            "values": {one: rounded(array[:, shown.units].tolist()) for one, array in shown.arrays.items()},
        }
        for label, shown in view.shown.items()
    }
    folder.numbers("gates", {**builtins(view.facts()), "pieces": labels, "shown": values})


def _left_out(shown: Shown) -> str:
    """Which units there was room for, where that are not all."""
    if len(shown.units) == max(shown.widths):
        return ""
    count = len(shown.units)
    return f", the {count} units that move most" if len(shown.widths) == 1 else f", the first {count} units"


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


def gradients(view: GradientsView, folder: Folder, name: str, options: InspectOptions) -> None:
    """Gradients over the steps back, products with the recurrent matrix, and what clipping does."""
    folder.picture("gradients", partial(gradient_courses, _lines(view), title=f"{name}: gradient of {view.of}"))
    products: dict[str, Any] = {}
    if (product := view.products) is not None:
        title = f"{name}: dh times W_h{product.gate}, by its spectral radius"
        folder.picture("products", partial(norms_over_steps, product.norms, title=title, xlabel="products"))
        products = {label: rounded(norms.tolist()) for label, norms in product.norms.items()}
    if (clips := view.clipping) is not None:
        title = f"{name}: gradient of batches of {clips.size}, as in training"
        folder.picture("clipping", partial(clipping, clips.before, clips.after, clips.threshold, title=title))
    flows = [flow for model in view.models for flow in model.flows]
    values = [{field: rounded(norms.tolist()) for field, norms in flow.norms.items()} for flow in flows]
    folder.numbers("gradients", {**builtins(view.facts()), "norms": values, "products": products})


def _lines(view: GradientsView) -> list[Course]:
    """Colours: the first four for runs, the others for untrained cells; a model's layers differ by their strokes."""
    runs = [model for model in view.models if model.trained]
    fresh = [model for model in view.models if not model.trained]
    groups = [(model, index + 3 * (index // 4)) for index, model in enumerate(runs)]
    groups += [(model, 4 + index) for index, model in enumerate(fresh)]
    return [
        Course(_label(model, flow, len(runs) > 1), flow.norms, group, layer, not model.trained)
        for model, group in groups
        for layer, flow in enumerate(model.flows)
    ]


def _label(model: Followed, flow: Flow, several: bool) -> str:
    radii = ", ".join(f"{gate} {radius:.2f}" for gate, radius in flow.radii.items())
    who = f"{Path(model.run).name if several else 'trained'}: " if model.trained else "untrained "
    where = f"{who}{flow.cell}, {flow.place.label}"
    return f"{where}\n  spectral radius {radii}" if radii else where


def units(view: UnitsView, folder: Folder, name: str, options: InspectOptions) -> None:
    """The best unit of each property beside it, and the text coloured by these or by the one that is asked for."""
    half = len(view.pieces) // 2
    part = _telling([view.properties[one] for one in view.best], half, 4 * options.tokens)
    panels = []
    for property_, [(key, unit), *_] in view.best.items():
        values, who = view.of(*key, unit.unit), unit_name(key, unit.unit)
        score = f"{unit.measure} {unit.score:.2f}"
        panels.append(Following(f"{property_}: unit {who}, {score}{_how(unit)}", view.what(key), values[part],
                                property_, view.properties[property_][part]))  # fmt: skip
        if options.unit is None:
            best = "follows this property best of all" if unit.direction != "none" else (
                "is the best at this property, but no unit follows it"
            )  # fmt: skip
            note = (
                f"Unit {who} of {name}, {view.what(key)}, {best}: {score}{_how(unit)}, on "
                "the half of the text that it was not chosen on, which is shown from its beginning."
            )
            page = slice(half, half + PAGE)
            html = coloured_text(view.pieces[page], values[page], title=f"{property_}, unit {who}", note=note)
            folder.text(f"unit-{re.sub(r'[^a-z]+', '-', property_)}.html", html)
    shown: dict[str, Any] = {
        "first": part.start,
        "panels": [
            {"property": panel.property, "unit": unit_name(key, unit.unit), "values": rounded(panel.values.tolist()),
             "of_the_property": rounded(panel.target.astype(float).tolist())}
            for panel, [(key, unit), *_] in zip(panels, view.best.values(), strict=True)
        ],
    }  # fmt: skip
    if panels:
        title = f"{name}: units that follow the text"
        folder.picture("units", partial(followers_along, panels, part.start, title=title))
    if options.unit is not None:
        values, what = view.of(*options.unit_parts()), view.what(options.unit_parts()[:2])
        along = [
            Following(f"{property_}: {one.measure} {one.score:.2f}{_how(one)}", what, values[part],
                      property_, view.properties[property_][part])
            for property_, (_, one) in view.asked.items()
        ]  # fmt: skip
        if along:
            title = f"{name}: unit {options.unit}, {what}, and the text"
            folder.picture(f"unit-{options.unit}", partial(followers_along, along, part.start, title=title))
        note = f"{what.capitalize()} of this unit of {name} at each token, once it has been read."
        html = coloured_text(view.pieces[:PAGE], values[:PAGE], title=f"Unit {options.unit}", note=note)
        folder.text(f"unit-{options.unit}.html", html)
        shown |= {"unit": options.unit, "values": rounded(values[:PAGE].tolist())}
    folder.numbers("units", {**builtins(view.facts()), "shown": shown})


def _how(one: Follower) -> str:
    """What a score says, where not that the unit is high."""
    where = "it holds" if one.measure == "AUC" else "it is high"
    return {"up": "", "down": f" (low where {where})", "none": " (near chance)"}[one.direction]


def _telling(properties: list[Any], begin: int, steps: int) -> slice:
    """The first stretch of that many steps in which most of the properties change."""
    starts = range(
        begin, max(begin + 1, len(properties[0]) - steps + 1) if properties else begin + 1, max(1, steps // 4)
    )
    changing = [sum(len(np.unique(each[start : start + steps])) > 1 for each in properties) for start in starts]
    start = starts[int(np.argmax(changing))]
    return slice(start, start + steps)


def loss(view: LossView, folder: Folder, name: str, options: InspectOptions) -> None:
    """What was expected along the text, where the loss is, and the text coloured by it."""
    (ids, pieces, *_), found = view.text, view.found
    names, shown = view.candidates(PAGE), min(options.tokens, len(ids))
    draw_candidates = partial(
        candidates_along, [view.text.text_of(token) for token in ids[:shown]], found.losses[:shown], names[:shown],
        found.probabilities[:shown], found.candidates[:shown] == np.asarray(ids[:shown])[:, None],
    )  # fmt: skip
    folder.picture("candidates", partial(draw_candidates, title=f"{name}: what was expected"))
    bars = [Bar(s.kind, s.share, s.tokens / len(ids), s.mean_loss) for s in view.shares]
    folder.picture("loss", partial(loss_shares, bars, title=f"{name}: where the loss is, {len(ids):,} tokens"))
    hints = [
        f"{loss:.2f} nats; expected " + ", ".join(f"{name!r} {p:.2f}" for name, p in zip(row, likely, strict=True))
        for loss, row, likely in zip(found.losses, names, found.probabilities, strict=False)
    ]
    note = "The deeper the orange, the higher the loss of the token. Point at a token to see what was expected."
    page = coloured_text(pieces[:PAGE], found.losses[:PAGE], title=f"{name}: loss of each token", note=note,
                         hints=hints, limit=float(np.percentile(found.losses, 99)))  # fmt: skip
    folder.text("loss.html", page)
    rows = [
        {"token": piece, "id": int(token), "loss": rounded(float(loss)), "candidates": row,
         "candidate_ids": likeliest.tolist(), "probabilities": rounded(likely.tolist())}
        for piece, token, loss, row, likeliest, likely in zip(
            pieces, ids, found.losses, names, found.candidates, found.probabilities, strict=False
        )
    ]  # fmt: skip
    folder.numbers("loss", {**builtins(view.facts()), "along": rows})


def training(view: TrainingView, folder: Folder, name: str, options: InspectOptions) -> None:
    """All runs on one sheet."""
    folder.picture("training", partial(training_sheet, _labelled(view.curves)))
    values = {
        path: {one: {axis: rounded(column.tolist()) for axis, column in columns.items()}
               for one, columns in found.items()}
        for path, found in view.curves.items()
    }  # fmt: skip
    folder.numbers("training", {**builtins(view.facts()), "curves": values})


def _labelled(curves: dict[str, Any]) -> dict[str, Any]:
    """By the folders' names, where these differ."""
    names = [path.rstrip("/").rsplit("/", 1)[-1] for path in curves]
    return dict(zip(names, curves.values(), strict=True)) if len(set(names)) == len(names) else curves
