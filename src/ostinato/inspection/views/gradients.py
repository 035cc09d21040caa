"""gradients: how far they reach back, and what clipping does to those of whole batches."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.inspection.arrays import Array, rounded
from ostinato.inspection.facts import CourseFacts, FieldFacts, GradientsFacts
from ostinato.inspection.gradients import (
    Flow,
    clipped,
    gradient_flow,
    gradient_norms,
    repeated_product,
    scaled_to,
    spectral_radius,
)
from ostinato.inspection.observed import Batches, Observed

#: Spectral radii that the recurrent matrix is brought to, and how often a gradient is multiplied by it.
RADII, TIMES = (0.8, 1.0, 1.2), 50


@dataclass(frozen=True)
class Followed:
    """A gradient's way back through one model.

    Attributes:
        run: the run folder.
        trained: False for untrained layers of another cell in the run's model.
        flows: the norms in each layer and direction.
    """

    run: str
    trained: bool
    flows: list[Flow]


@dataclass(frozen=True)
class Products:
    """The linear part alone: a gradient times a recurrent matrix, again and again.

    Attributes:
        gate: whose block of the matrix it is: the one whose spectral radius is the largest.
        norms: `[50]` after each product, by how the matrix was scaled.
    """

    gate: str
    norms: dict[str, Array]


@dataclass(frozen=True)
class Clipping:
    """The gradient norm of whole batches.

    Attributes:
        threshold: at which training clipped; 0 where it did not.
        size: of a batch, in words.
        before: `[K]` of each batch.
        after: `[K]` clipped.
    """

    threshold: float
    size: str
    before: Array
    after: Array


@dataclass(frozen=True)
class GradientsView:
    """How far gradients reach back.

    Attributes:
        of: whose gradient, in words.
        pooled: whether every step is part of that by itself, which then does not tell how far they reach.
        models: the run, those beside it, and untrained cells.
        products: None where what is fed back has another width, so that the blocks cannot be multiplied.
        clipping: None where the task has no batches to measure.
    """

    of: str
    pooled: bool
    models: list[Followed]
    products: Products | None
    clipping: Clipping | None

    def facts(self) -> GradientsFacts:
        """What is printed."""
        norms = next(iter(self.models[0].flows[0].norms.values()))
        courses = [_course(model, flow, self.pooled) for model in self.models for flow in model.flows]
        found = GradientsFacts(of=self.of, steps=len(norms) - 1, courses=courses)
        if self.clipping is not None:
            before, after = self.clipping.before, self.clipping.after
            found.clip, found.batches = self.clipping.threshold, len(before)
            found.gradient_norm, found.clipped = rounded(before.tolist()), float((before > after).mean())
        return found


def flows(model: nn.Module, read: Observed) -> list[Flow]:
    """The gradient's way back through each layer of a model, in double precision, so that what is small is not lost."""
    exact = copy.deepcopy(model).double().eval()
    inputs, given = _double(read.inputs), {name: _double(value) for name, value in read.arguments.items()}
    found = gradient_flow(exact, read.loss, inputs, modules=read.modules, **given)
    if read.backward_loss is None or not any(flow.place.reverse for flow in found):
        return found
    others = gradient_flow(exact, read.backward_loss, inputs, modules=read.modules, **given)
    return [other if flow.place.reverse else flow for flow, other in zip(found, others, strict=True)]


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def products_of(model: nn.Module, flow: Flow) -> Products | None:
    """A gradient times a layer's recurrent matrix, as it is and scaled to several spectral radii."""
    if not flow.radii:
        return None
    gate = max(flow.radii, key=flow.radii.__getitem__)
    weight = model.get_parameter(f"{flow.place.name}.weight_hh_l{flow.place.layer}").detach().numpy()
    H = weight.shape[1]
    block = weight[list(flow.radii).index(gate) * H :][:H]
    start = np.ones((1, H)) / H**0.5
    norms = {f"as trained: {spectral_radius(block):.2f}": repeated_product(block, start, TIMES)}
    norms |= {f"scaled to {radius:g}": repeated_product(scaled_to(block, radius), start, TIMES) for radius in RADII}
    return Products(gate, norms)


def clipping_of(model: nn.Module, batches: Batches) -> Clipping:
    """The gradient norm of batches with the weights, the dropout and the penalties of training; in eval mode after."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.train()
        try:
            before = gradient_norms(model, batches.loss, batches.total)
        finally:
            model.eval()
    return Clipping(batches.clip, batches.size, before, clipped(before, batches.clip))


def _course(model: Followed, flow: Flow, pooled: bool) -> CourseFacts:
    fields = []
    for name, norms in flow.norms.items():
        middle = np.median(norms, axis=1)
        last, first = float(middle[-1]), float(middle[0])
        factor = (first / last) ** (1 / (len(middle) - 1)) if first > 0 and last > 0 else 0.0
        fields.append(FieldFacts(field=name, last=last, first=first, factor=None if pooled else factor))
    return CourseFacts(run=model.run, trained=model.trained, cell=flow.cell, layer=flow.place.label,
                       spectral_radius=flow.radii, fields=fields)  # fmt: skip
