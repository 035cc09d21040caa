"""gradients: how far they reach back, beside other cells and other runs, and what clipping does."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ostinato.api.inspecting.gates import observed
from ostinato.api.inspecting.output import Folder, rounded
from ostinato.api.tasks.lm import last_loss, text_ids
from ostinato.config.inspect import InspectOptions
from ostinato.core.kept_state import KeptState
from ostinato.data.streams import Streams
from ostinato.inspection import (
    Flow,
    clipped,
    gradient_flow,
    gradient_norms,
    repeated_product,
    scaled_to,
    spectral_radius,
)
from ostinato.losses import sequence_cross_entropy
from ostinato.models.language_model import LanguageModel
from ostinato.plots.gradients import Course, clipping, gradient_courses, norms_over_steps

if TYPE_CHECKING:
    from ostinato.api.run import Run

#: Windows of a text that gradients are followed in, and batches whose gradient is measured.
WINDOWS, BATCHES = 16, 24
#: Cells that an untrained model is made of, beside the run.
FRESH = ("rnn", "gru", "lstm")
#: Spectral radii that the recurrent matrix is brought to.
RADII = (0.8, 1.0, 1.2)


def inspect_gradients(run: Run, folder: Folder, options: InspectOptions) -> dict[str, Any]:
    """Follow the gradient of the last step's loss back; measure that of whole batches."""
    from ostinato.api.run import load

    runs = [run, *(load(path) for path in options.beside)]
    reads = observed(run, options, options.steps)
    found = [(one, flow, False) for one in runs for flow in _flows(one, one.model, options)]
    if run.config["task"] == "lm":
        torch.manual_seed(0)
        for cell in FRESH:
            found += [(run, flow, True) for flow in _flows(run, _fresh(run, cell), options)]
    courses = [
        Course(
            _label(one, flow, fresh, len(runs) > 1), flow.norms, 4 + FRESH.index(flow.cell) if fresh else index, fresh
        )
        for index, (one, flow, fresh) in enumerate(found)
    ]
    name = run.folder.path.name
    title = f"{name}: gradient of {reads.what}"
    folder.picture("gradients", lambda files: gradient_courses(courses, files, title=title))
    _products(run, folder, found[0][1])
    rows = [_row(one, flow, fresh) for one, flow, fresh in found]
    result: dict[str, Any] = {
        "of": reads.what,
        "steps": len(found[0][1].norms[next(iter(found[0][1].norms))]) - 1,
        "courses": rows,
    }
    if run.config["task"] == "lm":
        result |= _clipping(run, folder, options)
    values = [{field: rounded(norms.tolist()) for field, norms in flow.norms.items()} for _, flow, _ in found]
    folder.numbers("gradients", {**result, "norms": values})
    return result


def _flows(run: Run, model: nn.Module, options: InspectOptions) -> list[Flow]:
    """In double precision, so that what is small is not lost."""
    exact = copy.deepcopy(model).double().eval()
    if run.config["task"] != "lm":
        read = observed(run, options, options.steps)
        given = {"": read.inputs, **read.arguments}
        given = {name: value.double() if value.is_floating_point() else value for name, value in given.items()}
        return gradient_flow(exact, read.loss, given.pop(""), modules=read.modules, **given)
    steps = options.steps
    ids = text_ids(run, options.data, 2 * WINDOWS * steps)
    streams = Streams(ids, max(1, min(WINDOWS, len(ids) // (2 * steps))), steps, run.tokenizer.eos_id)
    first = streams.piece(0)
    if len(streams) == 1 or len(streams.piece(1).inputs) < steps:
        batch, state = first, None
    else:  # a piece to read oneself in
        with torch.no_grad():
            state = tuple(exact(first.inputs).state)
        batch = streams.piece(1)
    return gradient_flow(exact, lambda output: last_loss(output, batch.targets[-1]), batch.inputs, state)


def _fresh(run: Run, cell: str) -> LanguageModel:
    """An untrained model of the run's sizes."""
    sizes = {name: run.config["model"][name] for name in ("vocab_size", "embed_size", "hidden_size", "num_layers")}
    return LanguageModel(**sizes, cell=cell).eval()


def _products(run: Run, folder: Folder, flow: Flow) -> None:
    """The linear part alone: a gradient times a recurrent matrix of the run, again and again, at several radii.

    It is that of the gate whose spectral radius is the largest.
    """
    if not flow.radii:
        return  # what is fed back has another width: the blocks cannot be multiplied again and again
    gate = max(flow.radii, key=flow.radii.__getitem__)
    weight = run.model.get_parameter(f"{flow.place.name}.weight_hh_l{flow.place.layer}").detach().numpy()
    H = weight.shape[1]
    block = weight[list(flow.radii).index(gate) * H :][:H]
    start = np.ones((1, H)) / H**0.5
    lines = {f"as trained: {spectral_radius(block):.2f}": repeated_product(block, start, 50)}
    lines |= {f"scaled to {radius:g}": repeated_product(scaled_to(block, radius), start, 50) for radius in RADII}
    title = f"{run.folder.path.name}: dh times W_h{gate}, by its spectral radius"
    folder.picture("products", lambda files: norms_over_steps(lines, files, title=title, xlabel="products"))


def _clipping(run: Run, folder: Folder, options: InspectOptions) -> dict[str, Any]:
    """The gradient norm of batches as training has them, before and after clipping at the run's threshold."""
    trained = run.config["options"]
    steps = int(trained["steps"])
    ids = text_ids(run, options.data, BATCHES * 32 * steps)
    batch = max(1, min(int(trained.get("batch") or 32), len(ids) // (2 * steps)))
    streams, kept = Streams(ids, batch, steps, run.tokenizer.eos_id), KeptState()

    def loss(index: int) -> torch.Tensor:
        piece = streams.piece(index)
        output = run.model(piece.inputs, kept.state)
        kept.keep(output.state)
        return sequence_cross_entropy(output, piece)

    threshold = float(trained["clip"])
    before = gradient_norms(run.model, loss, min(BATCHES, len(streams)))
    after = clipped(before, threshold)
    title = f"{run.folder.path.name}: gradient of batches of {batch} x {steps} tokens, trained weights"
    folder.picture("clipping", lambda files: clipping(before, after, threshold, files, title=title))
    return {"clip": threshold, "batches": len(before), "gradient_norm": rounded(before.tolist()),
            "clipped": float((before > after).mean())}  # fmt: skip


def _row(run: Run, flow: Flow, fresh: bool) -> dict[str, Any]:
    fields = []
    for name, norms in flow.norms.items():
        middle = np.median(norms, axis=1)
        last, first = float(middle[-1]), float(middle[0])
        factor = (first / last) ** (1 / (len(middle) - 1)) if first > 0 and last > 0 else 0.0
        fields.append({"field": name, "last": last, "first": first, "factor": factor})
    return {"run": str(run.folder.path), "trained": not fresh, "cell": flow.cell, "layer": flow.place.label,
            "spectral_radius": flow.radii, "fields": fields}  # fmt: skip


def _label(run: Run, flow: Flow, fresh: bool, several: bool) -> str:
    radii = ", ".join(f"{gate} {radius:.2f}" for gate, radius in flow.radii.items())
    who = f"untrained {flow.cell}" if fresh else f"{run.folder.path.name if several else 'trained'}: {flow.cell}"
    where = f"{who}, {flow.place.label}"
    return f"{where}\n  spectral radius {radii}" if radii else where


def _colour(index: int, flow: Flow, fresh: bool) -> int:
    """Four colours for trained layers, and one for each of the fresh cells."""
    return 4 + FRESH.index(flow.cell) if fresh else index % 4
