"""torch's optimisers by name."""

from collections.abc import Callable

import torch
from torch import nn

_BY_NAME: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def make_optimizer(name: str, model: nn.Module, *, lr: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """An optimiser over a model's parameters; weight decay acts on matrices, not on biases and gains.

    Args:
        name: "sgd", "adam" or "adamw".
        model: whose parameters to change.
        lr: learning rate to start with.
        weight_decay: strength.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return _BY_NAME[name]([group for group in groups if group["params"]], lr=lr)
