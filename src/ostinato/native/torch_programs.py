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

from ostinato.core import registry, states
from ostinato.native.operands import RUN, Role, signature


def _tensors(count: int) -> str:
    return ", ".join(["Tensor"] * count)


_RESULTS = RUN.of(Role.KEPT, Role.WRITTEN)
_BY = RUN.of(Role.GRADIENT)
_LATER = "".join(f", {signature([row])}=None" for row in RUN.arguments[RUN.first :])
_ARGUMENTS = f"{signature(RUN.arguments[: RUN.first])}, bool keep_states{_LATER}"
_SCHEMAS = {
    # what forward writes, but for what only backward reads
    "recurrence": f"({_ARGUMENTS}) -> ({_tensors(len(_RESULTS) - 1)})",
    # all of it
    "recurrence_saving": f"({_ARGUMENTS}) -> ({_tensors(len(_RESULTS))})",
    "recurrence_backward": f"({signature(RUN.arguments)}, Tensor output, Tensor saved, "
    f"{signature(RUN.of(Role.UPSTREAM))}, bool[] wanted) -> ({_tensors(len(_BY))})",
}

# Of a cell that was compiled from its equations, by its key.
_READ = (
    "str key, Tensor x, Tensor[] factors, Tensor[] state, Tensor? lengths, Tensor? mask, Tensor[] zoneout, "
    "bool reverse, Tensor? resets, Tensor[] reset_state"
)
_SCHEMAS |= {
    # output, final state, every step's if they are kept
    "compiled": f"({_READ}, bool keep_states) -> Tensor[]",
    # and what only backward reads
    "compiled_saving": f"({_READ}, bool keep_states) -> Tensor[]",
    "compiled_backward": f"({_READ}, Tensor output, Tensor saved, Tensor?[] upstream, bool[] wanted) -> Tensor[]",
}


@cache
def register() -> None:
    """Declare the operators and the states; a second call does nothing."""
    for name, schema in _SCHEMAS.items():
        torch.library.define(f"ostinato::{name}", schema)
        torch.library.impl(f"ostinato::{name}", "CPU")(_when_called(f"{name}_cpu"))
        torch.library.register_fake(f"ostinato::{name}")(_when_called(f"{name}_fake"))
    for name in ("recurrence", "compiled"):
        torch.library.impl(f"ostinato::{name}", "Autograd")(_when_called(f"{name}_autograd"))
    registry.registered()  # cells that were announced and not asked for yet have states too
    states.declare_waiting()


def _when_called(name: str) -> Callable[..., Any]:
    """A function of `kernels.native_operators` or `compiled_operators`, imported when it is needed."""
    module = (
        "ostinato.kernels.compiled_operators" if name.startswith("compiled") else "ostinato.kernels.native_operators"
    )

    def call(*arguments: Any) -> Any:
        return getattr(import_module(module), name)(*arguments)

    return call
