"""units and loss: what follows the text, and what was expected of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ostinato.api.inspecting.output import Folder, rounded
from ostinato.config.inspect import InspectOptions
from ostinato.core.errors import ConfigError
from ostinato.inspection import Follower, followers, loss_by_kind, predictions, record, text_properties
from ostinato.plots.coloured_text import coloured_text
from ostinato.plots.expectations import Bar, Following, candidates_along, followers_along, loss_shares
from ostinato.tasks.lm.task import text_ids

if TYPE_CHECKING:
    from ostinato.api.run import Run

#: Tokens to read where the options do not say, and those that a page shows.
READ, PAGE = 20_000, 4_000


def _text(run: Run, view: str, options: InspectOptions) -> tuple[Any, list[str]]:
    """Token ids, and their text.

    Raises:
        ConfigError: not a language model.
    """
    if run.config["task"] != "lm":
        raise ConfigError(
            f"{run.folder.path}: {view} needs a language model, a run of task 'lm', got {run.config['task']!r}; "
            "inspect RUN gates and inspect RUN training work for other tasks"
        )
    ids = text_ids(run, options.data, options.read or READ)
    return ids, run.tokenizer.pieces(ids)


def inspect_units(run: Run, folder: Folder, options: InspectOptions) -> dict[str, Any]:
    """Find the units that follow something in the text, and colour the text by them."""
    ids, read = _text(run, "units", options)
    row = torch.from_numpy(np.concatenate([[run.tokenizer.eos_id], ids]).astype(np.int64)).unsqueeze(1)
    records = record(run.model, row, gates=False)
    states = {(layer, name): field[1:, 0] for layer, r in enumerate(records) for name, field in r.states.items()}
    # of characters, one that the vocabulary has not is one, whatever it is shown as
    single = [piece[:1] for piece in read] if run.tokenizer.level == "char" else read
    properties = text_properties(single)
    best: dict[str, list[tuple[tuple[int, str], Follower]]] = {}
    for key, values in states.items():
        for name, following in followers(values, properties, options.top).items():
            best.setdefault(name, []).extend((key, unit) for unit in following)
    best = {name: sorted(found, key=lambda pair: -_strength(pair[1]))[: options.top] for name, found in best.items()}
    shown = _draw_units(run, folder, read, states, properties, best, options)
    result = {
        "tokens": len(ids),
        "left_out": [name for name in properties if name not in best],
        "properties": [
            {"property": name, "measure": units[0][1].measure, "units": [_named(key, unit) for key, unit in units]}
            for name, units in best.items()
        ],
    }
    folder.numbers("units", {**result, "shown": shown})
    return result


def _strength(unit: Follower) -> float:
    """How far from knowing nothing, from 0 to 1, on the half it was chosen on."""
    return abs(unit.chosen) if unit.measure == "correlation" else 2 * abs(unit.chosen - 0.5)


def _named(key: tuple[int, str], unit: Follower) -> dict[str, Any]:
    return {"unit": _name(key, unit.unit), "score": unit.score, "chosen": unit.chosen}


def _name(key: tuple[int, str], unit: int) -> str:
    """As `--unit` takes it."""
    return f"{key[0] + 1}.{key[1]}.{unit}"


def _draw_units(
    run: Run,
    folder: Folder,
    read: list[str],
    states: dict[tuple[int, str], Any],
    properties: dict[str, Any],
    best: dict[str, list[tuple[tuple[int, str], Follower]]],
    options: InspectOptions,
) -> dict[str, Any]:
    """Picture and pages; returns the numbers that they show."""
    half = len(read) // 2
    part = _telling([properties[name] for name in best], half, 4 * options.tokens)
    panels = []
    for name, [(key, unit), *_] in best.items():
        values = states[key][:, unit.unit]
        score = f"{unit.measure} {unit.score:.2f}"
        panels.append(Following(f"{name}: unit {_name(key, unit.unit)}, {score}", f"state {key[1]}", values[part],
                                name, properties[name][part]))  # fmt: skip
        if options.unit is None:
            note = (
                f"Unit {_name(key, unit.unit)} of {run.folder.path.name} follows this property best of all: {score} on "
                "the half of the text that it was not chosen on, which is shown from its beginning."
            )
            page = slice(half, half + PAGE)
            html = coloured_text(read[page], values[page], title=f"{name}, unit {_name(key, unit.unit)}", note=note)
            folder.text(f"unit-{re.sub(r'[^a-z]+', '-', name)}.html", html)
    shown: dict[str, Any] = {
        "first": part.start,
        "panels": [
            {"property": panel.property, "unit": _name(key, unit.unit), "values": rounded(panel.values.tolist()),
             "of_the_property": rounded(panel.target.astype(float).tolist())}
            for panel, [(key, unit), *_] in zip(panels, best.values(), strict=True)
        ],
    }  # fmt: skip
    if panels:
        title = f"{run.folder.path.name}: units that follow the text"
        folder.picture("units", lambda files: followers_along(panels, part.start, files, title=title))
    if options.unit is not None:
        layer, field, unit_index = options.unit_parts()
        chosen = states.get((layer, field))
        if chosen is None or unit_index >= chosen.shape[1]:
            known = ", ".join(f"{key[0] + 1}.{key[1]}.0 to {values.shape[1] - 1}" for key, values in states.items())
            raise ConfigError(f"--unit {options.unit}: there is no such unit; this run has {known}")
        html = coloured_text(read[:PAGE], chosen[:PAGE, unit_index], title=f"Unit {options.unit}",
                             note=f"State of this unit of {run.folder.path.name} after each token.")  # fmt: skip
        folder.text(f"unit-{options.unit}.html", html)
        shown |= {"unit": options.unit, "values": rounded(chosen[:PAGE, unit_index].tolist())}
    return shown


def _telling(properties: list[Any], begin: int, steps: int) -> slice:
    """The first stretch of that many steps in which most of the properties change."""
    starts = range(
        begin, max(begin + 1, len(properties[0]) - steps + 1) if properties else begin + 1, max(1, steps // 4)
    )
    changing = [sum(len(np.unique(each[start : start + steps])) > 1 for each in properties) for start in starts]
    start = starts[int(np.argmax(changing))]
    return slice(start, start + steps)


def inspect_loss(run: Run, folder: Folder, options: InspectOptions) -> dict[str, Any]:
    """What was expected at each token, and which tokens the loss comes from."""
    ids, read = _text(run, "loss", options)
    found = predictions(run.model, ids, start=run.tokenizer.eos_id, top=options.top)
    shares = loss_by_kind(found.losses, read, np.asarray(ids) == run.tokenizer.unk_id)
    names = [[_text_of(run, token) for token in row] for row in found.candidates[:PAGE]]
    shown = min(options.tokens, len(ids))
    came = found.candidates[:shown] == np.asarray(ids[:shown])[:, None]
    label = run.folder.path.name
    folder.picture(
        "candidates",
        lambda files: candidates_along([_text_of(run, token) for token in ids[:shown]], found.losses[:shown],
                                       names[:shown], found.probabilities[:shown], came, files,
                                       title=f"{label}: what was expected"),
    )  # fmt: skip
    bars = [Bar(s.kind, s.share, s.tokens / len(ids), s.mean) for s in shares]
    title = f"{label}: where the loss is, {len(ids):,} tokens"
    folder.picture("loss", lambda files: loss_shares(bars, files, title=title))
    hints = [
        f"{loss:.2f} nats; expected " + ", ".join(f"{name!r} {p:.2f}" for name, p in zip(row, likely, strict=True))
        for loss, row, likely in zip(found.losses, names, found.probabilities, strict=False)
    ]
    note = "The deeper the orange, the higher the loss of the token. Point at a token to see what was expected."
    page = coloured_text(read[:PAGE], found.losses[:PAGE], title=f"{label}: loss of each token", note=note,
                         hints=hints, limit=float(np.percentile(found.losses, 99)))  # fmt: skip
    folder.text("loss.html", page)
    result = {
        "tokens": len(ids),
        "loss": float(found.losses.mean()),
        "kinds": [{"kind": s.kind, "tokens": s.tokens, "mean_loss": s.mean, "share": s.share} for s in shares],
    }
    rows = [
        {"token": piece, "id": int(token), "loss": rounded(float(loss)), "candidates": row,
         "candidate_ids": likeliest.tolist(), "probabilities": rounded(likely.tolist())}
        for piece, token, loss, row, likeliest, likely in zip(
            read, ids, found.losses, names, found.candidates, found.probabilities, strict=False
        )
    ]  # fmt: skip
    folder.numbers("loss", {**result, "along": rows})
    return result


def _text_of(run: Run, token: int) -> str:
    """A candidate's own text; special tokens by their names."""
    text: str = run.tokenizer.decode([int(token)])
    return text
