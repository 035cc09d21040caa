"""Looking at a model once, on one batch: which units are dead, which gates are saturated, how far gradients reach.

The model is called in eval mode by the kernels that train it; only gates take the reference loop, on a few sequences.
Nothing of it changes: parameters have no other gradients afterwards, and no random numbers are drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ostinato import kernels
from ostinato.advice import words
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.advice import Advice
from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError
from ostinato.core.legend import Parameters
from ostinato.core.lengths import valid_steps
from ostinato.evaluation import evaluating
from ostinato.inspection.gates import Eye
from ostinato.inspection.watching import Place, SteppedCell, watching

#: Sequences of a batch that are looked at, at most, and those whose gates are, with the first steps of each.
SEQUENCES, GATED_SEQUENCES, GATED_STEPS = 16, 4, 100
#: A unit that moves by less than this, as a standard deviation over steps and sequences, says always the same.
STILL = 1e-4
#: Where a squashed value is as good as at an end: its derivative is below a twenty-fifth of the highest.
ENDS = {"sigmoid": (0.01, 0.99), "hardsigmoid": (0.01, 0.99), "tanh": (-0.98, 0.98), "hardtanh": (-0.98, 0.98)}
#: Steps that a piece must have at least for its gradients to be followed.
FOLLOWED = 10

#: Share of a layer's units that are dead, of its gates' values at an end, from which on a word is worth it; and what of
#: a gradient arrives at the first state where it has vanished.
MOST_DEAD, MOST_SATURATED, VANISHED = 0.5, 0.9, 1e-4


@dataclass(frozen=True)
class LayerLook:
    """A layer, in one direction.

    Attributes:
        place: which.
        cell: its cell's name.
        units: features of its output.
        still: those that never move; zero: those of them that are always 0, or nearly so.
        saturated: share of its gates' values that are at an end; None where no gate has two ends, or none is seen.
    """

    place: Place
    cell: str
    units: int
    still: int
    zero: int
    saturated: float | None


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes:
        layers: in the order in which they ran.
        step: of the training.
        reach: of the gradient that the loss of the last steps sends into a layer, the share that arrives at the state
            before the first step: by the layer and direction where that is most, the median of the sequences. None
            where sequences are too short.
        steps: on the way.
    """

    layers: list[LayerLook]
    step: int
    reach: float | None = None
    steps: int = 0


def look(model: nn.Module, batch: Batch, loss: Callable[[Any, Batch], Tensor], step: int = 0) -> Look:
    """What a model's recurrent layers do while it reads a batch.

    Args:
        model: any; one without recurrent layers has nothing to be found.
        batch: of training; a part of it is looked at where it can be cut.
        loss: of an output and a batch.
        step: at which this is.
    """
    few = _few(batch)
    with in_eval_mode(model):
        try:
            layers = _layers(model, few)
            reach, steps = _reach(model, few, loss)
        except (
            ConfigError,
            RuntimeError,
        ):  # no recurrent layer, a cell that cannot be watched, no room: no reason to stop
            return Look([], step)
    return Look(layers, step, reach, steps)


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Within it a model is in eval mode; afterwards every module is as it was, and so are all random numbers."""
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with evaluating(model), torch.random.fork_rng(list(devices)):
        yield


def _few(batch: Batch) -> Batch:
    """The first sequences, where nothing but inputs, targets, lengths and weights says what they are."""
    inputs, targets, N = batch.inputs, batch.targets, SEQUENCES
    if batch.more or inputs.shape[1] <= N:
        return replace(batch, total=None, world=1)
    by_step = targets.shape[:2] == inputs.shape[:2]
    if not by_step and targets.shape[:1] != inputs.shape[1:2]:
        return replace(batch, total=None, world=1)
    return Batch(
        inputs[:, :N],
        targets[:, :N] if by_step else targets[:N],
        None if batch.lengths is None else batch.lengths[:N],
        None if batch.weights is None else batch.weights[:, :N],
        counted=None if batch.counted is None else N,
    )


@torch.no_grad()
def _layers(model: nn.Module, batch: Batch) -> list[LayerLook]:
    found: list[LayerLook] = []

    def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        ran = kernels.run(cell, p, x, state, **options)
        if x.shape[0] > 1:  # a decoder that takes its steps one by one would be looked at in each
            still, zero, units = _still(ran.output, options.get("lengths"))
            found.append(LayerLook(place, cell.name, units, still, zero, _saturated(cell, p, x, state, **options)))
        return ran

    with watching(model, watcher):
        model(batch.inputs, **batch.arguments())
    return found


def _still(output: Tensor, lengths: Tensor | None) -> tuple[int, int, int]:
    """Of outputs `[T, N, O]`, how many units never move, how many of them are always about 0, how many there are."""
    rows = output.flatten(0, 1) if lengths is None else output[valid_steps(lengths.to(output.device), len(output))]
    if len(rows) < FOLLOWED:
        return 0, 0, output.shape[-1]
    still = rows.float().std(0) < STILL
    zero = still & (rows.abs().amax(0) < STILL)
    return int(still.sum()), int(zero.sum()), output.shape[-1]


def _saturated(cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> float | None:
    """Share of the values of all gates with two ends that are at one, over the first steps of a few sequences."""
    if options.get("resets") is not None:
        return None
    T, N, lengths = GATED_STEPS, GATED_SEQUENCES, options.get("lengths")
    eye = Eye(cell, p)
    if not eye.seen:
        return None
    x, start = x[:T, :N], cell.State(*(field[:N] for field in state))
    lengths = None if lengths is None else lengths[:N].clamp(max=len(x))
    unroll(SteppedCell(cell, eye.step).as_cell(), p, x, start, lengths=lengths)
    inside = None if lengths is None else valid_steps(lengths.to(x.device), len(x))
    at_end = count = 0
    for gate, values in eye.taken(reverse=False).items():
        if (ends := ENDS.get(eye.functions[gate])) is not None:
            values = values if inside is None else values[inside]
            at_end += int(((values < ends[0]) | (values > ends[1])).sum())
            count += values.numel()
    return at_end / count if count else None


def _reach(model: nn.Module, batch: Batch, loss: Callable[[Any, Batch], Tensor]) -> tuple[float | None, int]:
    """How much of the gradient arrives at the first state; see `Look`."""
    starts: list[list[Tensor]] = []
    ends: list[tuple[Tensor, ...]] = []
    steps: list[Tensor] = []

    def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        if x.shape[0] < FOLLOWED or options.get("resets") is not None:
            return kernels.run(cell, p, x, state, **options)
        leaves = [torch.zeros_like(field, requires_grad=True) for field in state]
        begun = cell.State(*(field + leaf for field, leaf in zip(state, leaves, strict=True)))
        ran = kernels.run(cell, p, x, begun, **options)
        lengths = options.get("lengths")
        starts.append(leaves)
        ends.append((ran.output, *ran.final))
        steps.append(torch.full((x.shape[1],), x.shape[0]) if lengths is None else lengths)
        return ran

    batch = _of_last_steps(batch)
    with torch.enable_grad(), watching(model, watcher):
        total = loss(model(batch.inputs, **batch.arguments()), batch)
    if not starts:
        return None, 0
    wanted = [tensor for leaves, tensors in zip(starts, ends, strict=True) for tensor in (*leaves, *tensors)]
    gradients = iter(torch.autograd.grad(total, wanted, allow_unused=True))
    best, over = 0.0, 0
    for leaves, tensors, counts in zip(starts, ends, steps, strict=True):
        arrived = _norms([next(gradients) for _ in leaves])
        output, *finals = [next(gradients) for _ in tensors]
        sent = max_of(_norms([output], by_step=True), _norms(finals))
        long_enough = (counts >= max(FOLLOWED, int(counts.max()) // 2)) if len(counts) else counts.bool()
        if sent is None or not bool((usable := (sent > 0).cpu() & long_enough.cpu()).any()):
            continue
        share = 0.0 if arrived is None else float((arrived / sent)[usable].median())
        best, over = max(best, share), max(over, int(counts.max()))
    return (best, over) if over else (None, 0)


def _of_last_steps(batch: Batch) -> Batch:
    """Where every step has a target of its own, only the last tenth of them counts."""
    T = len(batch.targets)
    if batch.targets.shape[:2] != batch.inputs.shape[:2] or batch.targets.ndim != 2 or T < FOLLOWED:
        return batch
    lengths = torch.full((batch.targets.shape[1],), T) if batch.lengths is None else batch.lengths
    own = torch.ones(batch.targets.shape) if batch.weights is None else batch.weights
    late = torch.arange(T).unsqueeze(1) >= (0.9 * lengths).floor()
    return replace(batch, weights=own * late.to(own))


def _norms(gradients: Sequence[Tensor | None], *, by_step: bool = False) -> Tensor | None:
    """Each sequence's norm over all fields `[N, ...]`; of `[T, N, O]` by step the largest of the steps' norms."""
    there = [gradient.float() for gradient in gradients if gradient is not None]
    if not there:
        return None
    if by_step:
        return there[0].flatten(2).norm(dim=-1).amax(0)
    return torch.stack([gradient.flatten(1).norm(dim=-1) for gradient in there]).norm(dim=0)


def max_of(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """The larger of two, where there are both."""
    if one is None or other is None:
        return other if one is None else one
    return torch.maximum(one, other)


def dead(found: Look) -> Advice | None:
    """Most units of a layer always say the same."""
    worst = max(found.layers, key=lambda layer: layer.still / layer.units, default=None)
    if worst is None or worst.still < MOST_DEAD * worst.units:
        return None
    how = "always 0" if worst.zero == worst.still else "never moving"
    if 0 < worst.zero < worst.still:
        how += f" ({worst.zero:,} of them always 0)"
    which = f"{worst.still:,} of {worst.units:,} units of {worst.place.label} ({worst.cell})"
    said = f"at step {found.step:,}, {which} are {how}"
    return words.advice(words.DEAD, said)


def saturated(found: Look) -> Advice | None:
    """Nearly all of a layer's gates are at an end."""
    seen = [(layer.saturated, layer) for layer in found.layers if layer.saturated is not None]
    share, worst = max(seen, key=lambda pair: pair[0], default=(0.0, None))
    if worst is None or share < MOST_SATURATED:
        return None
    said = (
        f"at step {found.step:,}, gates of {worst.place.label} ({worst.cell}) are open or shut {share:.0%} of the time"
    )
    return words.advice(words.SATURATED, said)


def vanishing(found: Look) -> Advice | None:
    """Of the loss's gradient next to nothing arrives at the first state."""
    if found.reach is None or found.reach >= VANISHED:
        return None
    said = (
        f"at step {found.step:,}, a share of {found.reach:.1g} of the loss's gradient by the last of {found.steps:,} "
        "states arrives at the first, and answers are no better than guesses"
    )
    return words.advice(words.VANISHING, said)
