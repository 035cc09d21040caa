"""Other activations than the papers', by name, and clipped sums: what the layers of Keras and ONNX have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ostinato.config.cells import USUAL
from ostinato.core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from torch import Tensor

#: A name among `ACTIVATIONS`, or a function of one tensor, elementwise and differentiable.
Activation: TypeAlias = "str | Callable[[Tensor], Tensor]"


def hard_sigmoid(x: Tensor) -> Tensor:
    """As `torch.nn.functional.hardsigmoid`, which cannot be differentiated twice."""
    from torch.overrides import handle_torch_function, has_torch_function_unary

    if has_torch_function_unary(x):  # whoever notes the functions that are used, as inspection does, sees this one
        return handle_torch_function(hard_sigmoid, (x,), x)
    return (x / 6 + 0.5).clamp(0, 1)


def positive(x: Tensor) -> Tensor:
    """X + 1/2 where x is not below 0, sigmoid(x) elsewhere: what goes into a state that has a logarithm."""
    return (x + 0.5).where(x >= 0, x.clamp(max=0).sigmoid())


def _functional(name: str) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor) -> Tensor:
        from torch.nn import functional

        return getattr(functional, name)(x)

    return function


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "relu": lambda x: x.relu(),
    "hard_tanh": _functional("hardtanh"),
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_0.2": lambda x: (0.2 * x + 0.5).clamp(0, 1),  # that of Keras before version 3, and ONNX's own
    "exponential": lambda x: x.exp(),
    **{name: _functional(name) for name in ("relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish")},
    **{name: _functional(name) for name in ("softplus", "softsign")},
}


def check_activations(cell: Any) -> None:
    """Check the options of `USUAL` that a cell has.

    Raises:
        ConfigError: a name that is not there, or a bound that bounds nothing.
    """
    for option in ("activation", "recurrent_activation"):
        given = getattr(cell, option, "tanh")
        if not callable(given) and given not in ACTIVATIONS:
            raise ConfigError(f"{cell.name}: {unknown_name(option, given, ACTIVATIONS)}, or a function of a tensor")
    if cell.clip is not None and not cell.clip > 0:
        raise ConfigError(f"{cell.name}: clip must be above 0, or None for no bound, got {cell.clip!r}")


def unusual(cell: Any) -> str | None:
    """Which of a cell's options no kernel computes; None where all are usual."""
    for option, usual in USUAL.items():
        if getattr(cell, option, usual) != usual:
            return option
    return None


def activate(cell: Any, sums: Tensor) -> Tensor:
    """The cell's activation, of sums bounded as the cell says."""
    return squash(cell.activation, bounded(cell, sums))


def gate(cell: Any, sums: Tensor) -> Tensor:
    """The activation of the cell's gates, of sums bounded as the cell says."""
    return squash(cell.recurrent_activation, bounded(cell, sums))


def squash(activation: Activation, x: Tensor) -> Tensor:
    """An activation by its name, or one that was passed."""
    return ACTIVATIONS[activation](x) if isinstance(activation, str) else activation(x)


def bounded(cell: Any, sums: Tensor) -> Tensor:
    """Within -clip and clip, where there is one."""
    return sums if cell.clip is None else sums.clamp(-cell.clip, cell.clip)
