"""torch's optimisers by name, and a step of them that passes over the parameters no more often than it must."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.config.training import OPTIMIZERS
from ostinato.core.torch_private import multiply_all_

#: Numbers from which on the norms of a matrix's rows are worth a call of their own.
_LARGE = 1 << 18


def make_optimizer(
    name: str,
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.0,
    shares: Sequence[tuple[float, Sequence[nn.Parameter]]] | None = None,
) -> torch.optim.Optimizer:
    """An optimiser over a model's parameters, one of `config.training.OPTIMIZERS`; weight decay acts on matrices alone,
    not on biases and gains. `shares` are parameters with what their learning rate is multiplied by; by default all of
    them with 1."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = []
    for share, some in shares or [(1.0, parameters)]:
        of_kind = [p for p in some if p.dim() > 1], [p for p in some if p.dim() <= 1]
        # a group costs time in each step; what resumes a run knows parameters by their place: matrices first
        parts = zip(of_kind, (weight_decay, 0.0), strict=True) if weight_decay else [(of_kind[0] + of_kind[1], 0.0)]
        groups += [{"params": part, "weight_decay": decay, "decay": decay, "share": share} for part, decay in parts]
    # one pass instead of several; SGD alone is one already, and so takes sparse gradients
    fused = not takes_sparse(name, weight_decay)
    return torchs_optimizer(name, [group for group in groups if group["params"]], lr=lr, fused=fused)


def torchs_optimizer(name: str, groups: list[dict[str, Any]], *, lr: float, fused: bool) -> torch.optim.Optimizer:
    """Torch's own optimiser of that name over groups of parameters; fused where torch has it so."""
    kind = getattr(torch.optim, OPTIMIZERS[name])
    options = {"fused": fused} if "fused" in inspect.signature(kind).parameters else {}
    optimizer: torch.optim.Optimizer = kind(groups, lr=lr, **options)
    return optimizer


def takes_sparse(name: str, weight_decay: float) -> bool:
    """Whether a step leaves alone what has no gradient, so that an embedding's gradient may hold the rows that were
    looked up and nothing else: SGD without weight decay. Adam moves every row, by what it remembers of it."""
    return name == "sgd" and not weight_decay


def gradients_of(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The gradients that there are, as dense tensors: of a sparse one its rows, each once."""
    found = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
        found.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
    return found


def total_norm(gradients: Sequence[Tensor]) -> float:
    """The Euclidean norm of all of them together.

    Those of a large matrix's rows come first: torch adds up all of a tensor in one thread, and in float32 in one chain,
    which leaves four of seven digits of ten million numbers.
    """
    norms = [torch.linalg.vector_norm(one, dim=1) if _is_large(one) else one for one in gradients]
    return float(torch.nn.utils.get_total_norm(norms))


def _is_large(gradient: Tensor) -> bool:
    return gradient.dim() == 2 and gradient.numel() >= _LARGE and gradient.is_cpu and gradient.dtype.itemsize >= 4


def take_step(optimizer: torch.optim.Optimizer, lr: float, gradients: list[Tensor], scale: float = 1.0) -> None:
    """Update the parameters, as if each gradient had first been multiplied by a factor.

    For SGD no gradient has to be: lr * (s*g + d*p) = (lr*s) * (g + d/s * p), with d the weight decay and s the factor,
    `scale`, which is above 0.
    """
    folded = isinstance(optimizer, torch.optim.SGD)
    if scale != 1 and not folded:
        multiply_all_(gradients, scale)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["share"] * (scale if folded else 1.0)
        if folded:
            group["weight_decay"] = group["decay"] / scale
    optimizer.step()
