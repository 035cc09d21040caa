"""What PyTorch has to know of this package before anybody touches a layer: its operators and its states' names.

A graph that was saved by `torch.export` or `torch.jit.trace` names the operators, and a saved state its class: both are
loaded in processes that never made a layer. `torch` itself calls this at the end of its import (`autoload`), and
`import ostinato` does where torch is there already. That takes a few milliseconds: the operators' code is imported
with their first call.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch

from ostinato.core import states

_ARGUMENTS = (
    "str cell, Tensor x, Tensor weight_ih, Tensor weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? extra, "
    "Tensor? weight_out, Tensor? bias_out, "
    "Tensor h0, Tensor? c0, Tensor? lengths, Tensor? recurrent_mask, Tensor? zoneout_h, Tensor? zoneout_c, bool reverse"
)
_SCHEMAS = {
    # output, final h, final c, c of every step
    "recurrence": f"({_ARGUMENTS}, bool keep_states) -> (Tensor, Tensor, Tensor, Tensor)",
    # the same, and what backward reads
    "recurrence_saving": f"({_ARGUMENTS}, bool keep_states) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
    "recurrence_backward": f"({_ARGUMENTS}, Tensor output, Tensor saved, Tensor? grad_output, Tensor? grad_h, "
    "Tensor? grad_c, Tensor? grad_states_c, bool[] wanted)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
}


@cache
def register() -> None:
    """Declare the operators and the states; a second call does nothing."""
    for name, schema in _SCHEMAS.items():
        torch.library.define(f"ostinato::{name}", schema)
        torch.library.impl(f"ostinato::{name}", "CPU")(_when_called(f"{name}_cpu"))
        torch.library.register_fake(f"ostinato::{name}")(_when_called(f"{name}_fake"))
    torch.library.impl("ostinato::recurrence", "Autograd")(_when_called("recurrence_autograd"))
    states.declare_waiting()


def _when_called(name: str) -> Callable[..., Any]:
    """A function of `kernels.native_operators`, imported when it is needed."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module("ostinato.kernels.native_operators"), name)(*arguments)

    return call
