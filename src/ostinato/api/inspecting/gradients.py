"""gradients: how far they reach back, beside other cells and other runs, and what clipping does."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ostinato.api.inspecting.gates import observed
from ostinato.api.inspecting.output import Folder, rounded
from ostinato.config.inspect import InspectOptions
from ostinato.core.kept_state import KeptState
from ostinato.data.batching.streams import Streams
from ostinato.inspection import (
    Flow,
    clipped,
    gradient_flow,
    gradient_norms,
    repeated_product,
    scaled_to,
    spectral_radius,
)
from ostinato.layers.recurrent import Recurrent
from ostinato.losses import activation_penalty, sequence_cross_entropy
from ostinato.plots.gradients import Course, clipping, gradient_courses, norms_over_steps
from ostinato.tasks.lm.task import last_loss, text_ids

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
    from ostinato.api.loading import load

    runs = [run, *(load(path) for path in options.beside)]
    reads = observed(run, options, options.steps)
    # Colours: the first four for runs, the others for untrained cells.
    models = [(one, one.model, index + 3 * (index // 4), False) for index, one in enumerate(runs)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models += [(run, _fresh(run, cell), 4 + index, True) for index, cell in enumerate(FRESH)]
    found, courses = [], []
    for one, model, group, fresh in models:
        for layer, flow in enumerate(_flows(one, model, options)):
            found.append((one, flow, fresh))
            courses.append(Course(_label(one, flow, fresh, len(runs) > 1), flow.norms, group, layer, fresh))
    name = run.folder.path.name
    title = f"{name}: gradient of {reads.what}"
    folder.picture("gradients", lambda files: gradient_courses(courses, files, title=title))
    products = _products(run, folder, found[0][1])
    rows = [_row(one, flow, fresh, reads.pooled) for one, flow, fresh in found]
    result: dict[str, Any] = {
        "of": reads.what,
        "steps": len(found[0][1].norms[next(iter(found[0][1].norms))]) - 1,
        "courses": rows,
    }
    if run.config["task"] == "lm":
        result |= _clipping(run, folder, options)
    values = [{field: rounded(norms.tolist()) for field, norms in flow.norms.items()} for _, flow, _ in found]
    folder.numbers("gradients", {**result, "norms": values, "products": products})
    return result


def _flows(run: Run, model: nn.Module, options: InspectOptions) -> list[Flow]:
    """In double precision, so that what is small is not lost."""
    exact = copy.deepcopy(model).double().eval()
    if run.config["task"] != "lm":
        read = observed(run, options, options.steps)
        given = {"": read.inputs, **read.arguments}
        given = {name: value.double() if value.is_floating_point() else value for name, value in given.items()}
        inputs = given.pop("")
        flows = gradient_flow(exact, read.loss, inputs, modules=read.modules, **given)
        if read.backward_loss is None or not any(flow.place.reverse for flow in flows):
            return flows
        others = gradient_flow(exact, read.backward_loss, inputs, modules=read.modules, **given)
        return [other if flow.place.reverse else flow for flow, other in zip(flows, others, strict=True)]
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


def _fresh(run: Run, cell: str) -> nn.Module:
    """The run's model with untrained layers of another cell between what it has in front of them and behind."""
    of_cell = {option.partition("=")[0] for option in run.config["options"]["cell_options"]}
    sizes = {name: value for name, value in run.config["model"].items() if name not in of_cell}
    if of_cell and sizes.get("tied"):
        sizes["tied"] = False  # the output may be wider than the embedding now
    fresh = run.task.build({**run.config, "model": sizes | {"cell": cell}})
    within = {f"{name}." for name, module in fresh.named_modules() if isinstance(module, Recurrent)}
    trained = run.model.state_dict()
    with torch.no_grad():
        for name, tensor in fresh.state_dict().items():
            same = name in trained and trained[name].shape == tensor.shape
            if same and not name.startswith(tuple(within)):
                tensor.copy_(trained[name])
    return fresh.eval()


def _products(run: Run, folder: Folder, flow: Flow) -> dict[str, list[float]]:
    """The linear part alone: a gradient times a recurrent matrix of the run, again and again, at several radii.

    It is that of the gate whose spectral radius is the largest.
    """
    if not flow.radii:
        return {}  # what is fed back has another width: the blocks cannot be multiplied again and again
    gate = max(flow.radii, key=flow.radii.__getitem__)
    weight = run.model.get_parameter(f"{flow.place.name}.weight_hh_l{flow.place.layer}").detach().numpy()
    H = weight.shape[1]
    block = weight[list(flow.radii).index(gate) * H :][:H]
    start = np.ones((1, H)) / H**0.5
    lines = {f"as trained: {spectral_radius(block):.2f}": repeated_product(block, start, 50)}
    lines |= {f"scaled to {radius:g}": repeated_product(scaled_to(block, radius), start, 50) for radius in RADII}
    title = f"{run.folder.path.name}: dh times W_h{gate}, by its spectral radius"
    folder.picture("products", lambda files: norms_over_steps(lines, files, title=title, xlabel="products"))
    return {label: rounded(norms.tolist()) for label, norms in lines.items()}


def _clipping(run: Run, folder: Folder, options: InspectOptions) -> dict[str, Any]:
    """The gradient norm of batches with the trained weights, before and after clipping at the run's threshold.

    Batches are as large as in training, with its dropout and penalties.
    """
    trained = run.config["options"]
    steps, batch = int(trained["steps"]), int(run.config.get("batch") or trained["batch"] or 32)
    ids = text_ids(run, options.data, BATCHES * batch * steps)
    batch = max(1, min(batch, len(ids) // (2 * steps)))
    streams, kept = Streams(ids, batch, steps, run.tokenizer.eos_id), KeptState()

    def loss(index: int) -> torch.Tensor:
        piece = streams.piece(index)
        output = run.model(piece.inputs, kept.state)
        kept.keep(output.state)
        penalty = activation_penalty(output, trained["ar"], trained["tar"])
        return sequence_cross_entropy(output, piece) + penalty

    threshold = float(trained["clip"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        run.model.train()
        try:
            before = gradient_norms(run.model, loss, min(BATCHES, len(streams)))
        finally:
            run.model.eval()
    after = clipped(before, threshold)
    title = f"{run.folder.path.name}: gradient of batches of {batch} x {steps} tokens, as in training"
    folder.picture("clipping", lambda files: clipping(before, after, threshold, files, title=title))
    return {"clip": threshold, "batches": len(before), "gradient_norm": rounded(before.tolist()),
            "clipped": float((before > after).mean())}  # fmt: skip


def _row(run: Run, flow: Flow, fresh: bool, pooled: bool) -> dict[str, Any]:
    """What is printed of a layer; no change a step where every step is part of the loss by itself."""
    fields = []
    for name, norms in flow.norms.items():
        middle = np.median(norms, axis=1)
        last, first = float(middle[-1]), float(middle[0])
        factor = (first / last) ** (1 / (len(middle) - 1)) if first > 0 and last > 0 else 0.0
        fields.append({"field": name, "last": last, "first": first, "factor": None if pooled else factor})
    return {"run": str(run.folder.path), "trained": not fresh, "cell": flow.cell, "layer": flow.place.label,
            "spectral_radius": flow.radii, "fields": fields}  # fmt: skip


def _label(run: Run, flow: Flow, fresh: bool, several: bool) -> str:
    radii = ", ".join(f"{gate} {radius:.2f}" for gate, radius in flow.radii.items())
    who = f"untrained {flow.cell}" if fresh else f"{run.folder.path.name if several else 'trained'}: {flow.cell}"
    where = f"{who}, {flow.place.label}"
    return f"{where}\n  spectral radius {radii}" if radii else where
