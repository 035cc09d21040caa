"""What became not finite first, in a step whose loss or gradient is no number: found by taking the step once more."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ostinato import kernels
from ostinato.advice import words
from ostinato.advice.looking import in_eval_mode
from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled
from ostinato.core.advice import NOT_FINITE, Advice
from ostinato.core.errors import ConfigError
from ostinato.core.legend import Parameters
from ostinato.inspection.gradients import spectral_radii
from ostinato.inspection.watching import Place, watching
from ostinato.layers.recurrent import Recurrent
from ostinato.training.failing import NotFinite

#: Inputs of this size are far from those that layers are made for; weights of this one have run away.
HUGE_INPUT, HUGE_WEIGHT = 1e4, 1e2
#: The squares of gradients of this size are too large for float32, and so is their norm.
HUGE_GRADIENT = 1e18


def explain(failure: NotFinite) -> Advice:
    """Name what is not finite, the likely cause, and what to do: for the error that ends a training."""
    try:
        first = _first(failure)
    except (RuntimeError, ValueError):  # what cannot be computed once more is not known; the error is said all the same
        first = ""
    cause, remedy = _cause(failure, first)
    return words.advice(NOT_FINITE, f"{failure.found}{f'; {first}' if first else ''}", cause=cause, remedy=remedy)


def _first(failure: NotFinite) -> str:
    """What became so first, by the order of the computation: inputs, weights, outputs, the loss, gradients."""
    for batch, _ in failure.batches:
        for name, tensor in (("inputs", batch.inputs), ("targets", batch.targets), *batch.more.items()):
            if not _finite(tensor):
                return f"the batch's {name} are not finite"
    wrong = [name for name, weight in failure.model.named_parameters() if not _finite(weight)]
    if wrong:
        return f"{_listed(wrong)}: weights that are not finite, since the step before"
    if failure.again is not None:
        return _in_validation(failure)
    found = next(filter(None, (_in_outputs(failure, index) for index in range(len(failure.batches)))), "")
    if found:
        return found
    wrong = [name for name, weight in failure.model.named_parameters() if not _finite(weight.grad)]
    if wrong:  # the way back begins at the end
        return f"outputs and loss are finite, gradients are not: first that of {wrong[-1]}"
    learning = failure.model.named_parameters()
    sizes = [(_largest(weight.grad), name) for name, weight in learning if weight.grad is not None]
    size, name = max(sizes, default=(0.0, ""))
    return f"gradients are as large as {size:.1e}, that of {name}" if size > HUGE_GRADIENT else ""


def _in_outputs(failure: NotFinite, index: int) -> str:
    """The first layer whose output is not finite in a batch; the loss, where all are."""
    batch, state = failure.batches[index]
    notes: list[str] = []
    with in_eval_mode(failure.model), torch.no_grad(), _noting(failure.model, notes):
        carried = {"state": state} if failure.carried else {}
        output = failure.model(batch.inputs, **batch.arguments(), **carried)
        loss = failure.loss(output, batch)
    if notes:
        return f"first not finite: {notes[0]}"
    return "" if bool(loss.isfinite().all()) else "the loss, of outputs that are finite"


def _in_validation(failure: NotFinite) -> str:
    """The first layer whose output is not finite in a validation."""
    notes: list[str] = []
    assert failure.again is not None
    with in_eval_mode(failure.model), torch.no_grad(), _noting(failure.model, notes):
        failure.again()
    return f"first not finite: {notes[0]}" if notes else ""


@contextmanager
def _noting(model: nn.Module, notes: list[str]) -> Iterator[None]:
    """Within it, whatever layer gives what is not finite is noted, in the order of the computation."""

    def watcher(place: Place, cell: Cell, p: Parameters, x: Tensor, state: Any, **options: Any) -> Unrolled:
        ran = kernels.run(cell, p, x, state, **options)
        if not _finite(ran.output) or not all(map(_finite, ran.final)):
            notes.append(f"the outputs of {place.label} ({cell.name}){_since(ran.output)}")
        return ran

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            if not all(map(_finite, _tensors(output))):
                notes.append(f"the outputs of {name} ({type(module).__name__})")

        return note

    recurrent = [name for name, module in model.named_modules() if isinstance(module, Recurrent)]
    handles: list[RemovableHandle] = [
        module.register_forward_hook(hook(name))
        for name, module in model.named_modules()
        if name and name not in recurrent and not any(module.children())
    ]
    try:
        if recurrent:
            with watching(model, watcher):
                yield
        else:
            yield
    finally:
        for handle in handles:
            handle.remove()


def _since(output: Tensor) -> str:
    """From which step on, of outputs `[T, N, O]`."""
    wrong = ~output.isfinite().flatten(1).all(1)
    return f" from step {int(wrong.nonzero()[0]) + 1} of {len(output)} on" if bool(wrong.any()) else ""


def _cause(failure: NotFinite, first: str) -> tuple[str, str]:
    """The likeliest cause, and what to do about it."""
    largest = max((_largest(batch.inputs) for batch, _ in failure.batches), default=0.0)
    if "the batch's" in first or largest > HUGE_INPUT:
        size = "that are no numbers" if "the batch's" in first else f"of up to {largest:.3g}"
        return f"likely from values {size} in the data", "scale the values to about 1, and leave out what is no number"
    weight = max((_largest(p) for p in failure.model.parameters()), default=0.0)
    rate = f"the learning rate, {failure.lr:g}"
    if not failure.clip:
        return (
            f"likely as gradients are not clipped (--clip 0) and {rate}, is too high for them",
            "set --clip 1, or try a lower --lr",
        )
    if not weight <= HUGE_WEIGHT:
        return (
            f"likely as {rate}, is too high: weights are as large as {weight:.3g}",
            f"try a lower --lr ({_tenth(failure)})",
        )
    if (radius := _radius(failure.model)) > 1.5:
        return (
            f"likely as states grow from step to step: the recurrent weights' spectral radius is {radius:.3g}",
            f"try a lower --lr ({_tenth(failure)}), a lower --clip, or a cell that bounds its state",
        )
    return f"likely as {rate}, is too high", f"try a lower --lr ({_tenth(failure)}), or a lower --clip"


def _tenth(failure: NotFinite) -> str:
    return f"{failure.lr / 10:.2g}, say; --find-lr looks for one"


def _radius(model: nn.Module) -> float:
    """The largest spectral radius of recurrent weights, 0 where there are none that are square."""
    found = [0.0]
    for module in model.modules():
        if isinstance(module, Recurrent):
            for name, weight in module.named_parameters(recurse=False):
                if name.startswith("weight_hh") and _finite(weight):
                    try:
                        found += spectral_radii(module.cell, weight).values()
                    except (ConfigError, RuntimeError):
                        continue
    return max(found)


def _finite(tensor: Tensor | None) -> bool:
    if tensor is None or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    values = tensor.coalesce().values() if tensor.is_sparse else tensor
    return bool(values.isfinite().all())


def _largest(tensor: Tensor) -> float:
    values = tensor.detach().coalesce().values() if tensor.is_sparse else tensor.detach()
    return float(values.abs().max()) if values.is_floating_point() and values.numel() else 0.0


def _tensors(output: Any) -> Iterable[Tensor]:
    if isinstance(output, Tensor):
        return (output,)
    return [each for each in output if isinstance(each, Tensor)] if isinstance(output, tuple | list) else []


def _listed(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
